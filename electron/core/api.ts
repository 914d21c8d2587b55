import { randomBytes } from 'node:crypto';
import {
  API,
  ONLY,
  type Origin,
  type RequestArguments,
  type RequestName,
  type RequestResult,
} from '../../shared/api.ts';
import { faultFields } from './diagnosis/fault.ts';
import type { Log } from './diagnosis/log.ts';
import { faultOf } from './store/database.ts';
import { codeOf } from './store/files.ts';

/** Who asks, and from where. `label` goes into the audit: `dashboard`, `cli`, `approval window` … */
export interface Caller {
  readonly origin: Origin;
  readonly label: string;
}

export type ApiAnswer<N extends RequestName = RequestName> =
  | { readonly kind: 'answered'; readonly result: RequestResult<N> }
  /** The argument does not fit its schema: the first problem, with the field. */
  | { readonly kind: 'bad_request'; readonly message: string }
  /** This origin may not make this request. */
  | { readonly kind: 'forbidden'; readonly message: string }
  | { readonly kind: 'unknown_request'; readonly message: string }
  /** The settings cannot be read or written now, or a bug of ours: the log has it under the id in the message. */
  | { readonly kind: 'failed'; readonly message: string };

/** Answers every request of `shared/api.ts`. Input is untrusted and parsed here, by the schema of its request. */
export interface Api {
  request(name: string, input: unknown, caller: Caller): Promise<ApiAnswer>;
}

/** One handler per request; adding a request without its handler does not compile. */
export type Handlers = {
  readonly [N in RequestName]: (
    input: RequestArguments<N>,
    caller: Caller,
  ) => RequestResult<N> | Promise<RequestResult<N>>;
};

export function createApi(handlers: Handlers, parts: { readonly log: Log; readonly databasePath: string }): Api {
  return {
    async request(name, input, caller) {
      if (!isRequestName(name))
        return { kind: 'unknown_request', message: `There is no request "${name.slice(0, 80)}".` };
      const only = ONLY[name];
      if (only !== undefined && !only.includes(caller.origin)) {
        return {
          kind: 'forbidden',
          message: `${name} is answered by a person in the approval window or the dashboard, not from ${caller.label}.`,
        };
      }
      const parsed = API[name].safeParse(input ?? {});
      if (!parsed.success) {
        const issue = parsed.error.issues[0];
        const field = issue === undefined || issue.path.length === 0 ? 'the input' : issue.path.join('.');
        return { kind: 'bad_request', message: `${field}: ${issue?.message ?? 'does not fit'}.` };
      }
      try {
        return { kind: 'answered', result: await answer(handlers, name, parsed.data, caller) };
      } catch (error) {
        const requestId = randomBytes(8).toString('hex');
        parts.log.error('request_failed', { requestId, request: name, ...faultFields(error) });
        return { kind: 'failed', message: sentenceOf(error, parts.databasePath, requestId) };
      }
    },
  };
}

/** Whoever asks is told what can be mended, and of a bug nothing but where to look: its words may quote anything (N8). */
function sentenceOf(error: unknown, databasePath: string, requestId: string): string {
  const fault = codeOf(error).startsWith('SQLITE_') ? faultOf(error, databasePath) : null;
  return fault === null
    ? `Gatehouse failed to answer. The log has more under request ${requestId}.`
    : `This was not done. ${fault.message}`;
}

/** The schema of `name` has just produced `input`, which the compiler cannot follow through the table. */
function answer<N extends RequestName>(
  handlers: Handlers,
  name: N,
  input: unknown,
  caller: Caller,
): RequestResult<N> | Promise<RequestResult<N>> {
  return handlers[name](input as RequestArguments<N>, caller);
}

function isRequestName(name: string): name is RequestName {
  return Object.hasOwn(API, name);
}
