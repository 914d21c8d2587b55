import type { Era } from '../../../shared/model.ts';
import { membersOf, withoutMembers } from '../exact-members.ts';
import { exactly, type Written, withoutMeta, writeExact } from '../exact-text.ts';
import type { Clock } from '../platform.ts';
import type { Answer, Ask } from './exchange.ts';
import { faultOf } from './faults.ts';
import { inWords, sizeInWords, type UpstreamLimits } from './limits.ts';
import { offered } from './offered.ts';
import { parameterHeaders } from './parameter-headers.ts';
import type { UpstreamOutcome, UpstreamRequest } from './request.ts';

export type LinkRequest = Omit<UpstreamRequest, 'requestId' | 'upstreamId' | 'connectionId'>;

/** `stale`: the upstream no longer knows our session, or was not reached. The call did not run. */
export type LinkOutcome =
  | UpstreamOutcome
  | { readonly kind: 'stale'; readonly status: number | null; readonly outcome: UpstreamOutcome };

interface RequestParts {
  readonly era: Era;
  readonly name: string;
  readonly url: string | null;
  readonly clock: Clock;
  readonly limits: UpstreamLimits;
  ask: Ask;
  ending(): string | null;
  inputSchema(tool: string): unknown;
}

/** Stops the clock of a request while the upstream waits for its caller; the returned function lets it run again. */
export type Pause = () => () => void;

/**
 * One request: the exact text, limits that progress resets, and one named ending. Whoever hands questions of the upstream
 * to the caller takes the time for them through `onPausable`: a person who thinks is no slow upstream.
 */
export function createLinkRequest(
  parts: RequestParts,
): (request: LinkRequest, onPausable: (pause: Pause) => void) => Promise<LinkOutcome> {
  return async (call, onPausable) => {
    const { clock, limits } = parts;
    const held = call.held?.() ?? null;
    if (held !== null) return { kind: 'failed', ...held };
    const abort = new AbortController();
    let why: 'cancelled' | 'timeout' | 'ceiling' | null = null;
    const stop = (reason: NonNullable<typeof why>) => {
      why ??= reason;
      abort.abort(reason);
    };
    const onAbort = () => stop('cancelled');
    if (call.signal.aborted) onAbort();
    call.signal.addEventListener('abort', onAbort, { once: true });
    let questions = 0;
    let cancelLimit = () => {};
    const restartLimit = () => {
      cancelLimit();
      if (questions === 0 && !isOver) cancelLimit = clock.after(limits.callMs, () => stop('timeout'));
    };
    let isOver = false;
    restartLimit();
    onPausable(() => {
      questions += 1;
      cancelLimit();
      return () => {
        questions -= 1;
        restartLimit();
      };
    });
    const cancelCeiling = clock.after(limits.ceilingMs, () => stop('ceiling'));
    try {
      if (why !== null) return { kind: 'cancelled' };
      const { name } = call.params;
      const headers =
        call.method === 'tools/call' && typeof name === 'string' && call.argumentsText !== null
          ? parameterHeaders(parts.inputSchema(name), call.argumentsText)
          : {};
      const params = paramsOf(call, parts.era);
      const answer = await parts.ask(call.method, params, { signal: abort.signal, headers }, (progress) => {
        if (why !== null) return;
        restartLimit();
        call.onProgress(progress);
      });
      // A limit or the caller ended the wait: that is the ending, whatever the SDK makes of it.
      return answer.kind === 'threw' && why !== null ? stopped(why, parts) : outcomeOf(answer, parts);
    } finally {
      isOver = true;
      cancelLimit();
      cancelCeiling();
      call.signal.removeEventListener('abort', onAbort);
    }
  };
}

function stopped(why: 'cancelled' | 'timeout' | 'ceiling', { name, limits }: RequestParts): UpstreamOutcome {
  if (why === 'cancelled') return { kind: 'cancelled' };
  return why === 'timeout'
    ? {
        kind: 'failed',
        errorClass: 'upstream_timeout',
        message: `${name} did not answer within ${inWords(limits.callMs)}, its limit for a call without progress.`,
      }
    : {
        kind: 'failed',
        errorClass: 'call_too_long',
        message: `${name} did not finish within ${inWords(limits.ceilingMs)}, its limit for one call.`,
      };
}

function outcomeOf(answer: Answer, parts: RequestParts): LinkOutcome {
  switch (answer.kind) {
    case 'error':
      return answer;
    case 'result':
      return answered(answer.result, answer.text, parts);
    case 'cut':
      return cut(answer.why, parts);
    case 'threw': {
      const fault = faultOf(answer.error, parts.url);
      if (fault.failure !== undefined)
        return { kind: 'failed', errorClass: fault.failure.errorClass, message: fault.failure.message };
      const message = `${parts.name} ${parts.ending() ?? fault.words}.`;
      if (fault.errorClass === 'auth_required') return { kind: 'failed', errorClass: 'auth_required', message };
      if (!fault.unsent) return crashed(parts, parts.ending() ?? fault.words);
      const outcome: UpstreamOutcome = { kind: 'failed', errorClass: 'upstream_unreachable', message };
      // 404 is how a server says that it does not know our session any more; older ones say 400.
      const isStale = fault.status === null || fault.status === 404 || fault.status === 400;
      return isStale ? { kind: 'stale', status: fault.status, outcome } : outcome;
    }
  }
}

function answered(
  result: Readonly<Record<string, unknown>>,
  exact: string | null,
  parts: RequestParts,
): UpstreamOutcome {
  const given: Written = { value: result, text: exact ?? writeExact(result) };
  if (result.resultType === 'input_required') return { kind: 'input_required', result: given };
  const { value, text } = withoutResultEnvelope(given);
  const bytes = Buffer.byteLength(text);
  if (bytes > parts.limits.resultBytes) return tooLarge(parts, parts.limits.resultBytes, 'result');
  return { kind: 'answered', result: value, resultText: text, bytes };
}

function cut(why: 'too_large' | 'stream_ended' | 'ended', parts: RequestParts): UpstreamOutcome {
  if (why === 'too_large') return tooLarge(parts, parts.limits.messageBytes, 'message');
  const how = why === 'ended' ? (parts.ending() ?? 'ended') : 'ended its answer before it was complete';
  return crashed(parts, how);
}

function crashed({ name }: RequestParts, how: string): UpstreamOutcome {
  const message = `${name} ${how} during the call; it is unknown whether the call had an effect.`;
  return { kind: 'failed', errorClass: 'upstream_crashed', message };
}

function tooLarge({ name }: RequestParts, bytes: number, what: 'message' | 'result'): UpstreamOutcome {
  const message = `${name} answered with more than ${sizeInWords(bytes)}, its limit for one ${what}. The call did run.`;
  return { kind: 'failed', errorClass: `${what}_too_large`, message };
}

function paramsOf(request: LinkRequest, era: Era): Record<string, unknown> {
  const { argumentsText, round } = request;
  const meta = metaOf(request, era);
  return {
    ...exactly(request.moreText),
    ...request.params,
    ...(argumentsText === null ? {} : { arguments: exactly(argumentsText) }),
    ...(round === null || era === 'legacy' ? {} : roundOf(round)),
    ...(meta === null ? {} : { _meta: meta }),
  };
}

function roundOf({ inputResponses, requestState }: NonNullable<LinkRequest['round']>): Record<string, unknown> {
  const answers = Object.entries(inputResponses).map(([name, { text }]) => [name, exactly(text)] as const);
  return { inputResponses: Object.fromEntries(answers), ...(requestState === undefined ? {} : { requestState }) };
}

/**
 * What a caller says about itself is for us, and towards the upstream we speak for ourselves; but what may be asked of the
 * caller is the caller's to say, and on the modern era it says so in each request.
 */
function metaOf({ metaText, caller }: LinkRequest, era: Era): Record<string, unknown> | null {
  const kept = withoutMembers(metaText, isOfTheHop);
  if (era === 'legacy') return membersOf(kept).length === 0 ? null : exactly(kept);
  return {
    ...exactly(kept),
    [`${PREFIX}clientCapabilities`]: offered(caller.capabilities),
    ...(caller.logLevel === null ? {} : { [`${PREFIX}logLevel`]: caller.logLevel }),
  };
}

/** The caller's progress token, and what it said to us. */
function isOfTheHop(name: string): boolean {
  return name === 'progressToken' || name.startsWith(PREFIX) || name.startsWith('gatehouse/');
}

/** `resultType: complete` and the server's name belong to the hop that ends here, not to the result. */
function withoutResultEnvelope(given: Written): Written {
  const { resultType, _meta } = given.value;
  const named = typeof _meta === 'object' && _meta !== null && SERVER_INFO in _meta;
  if (!named && resultType !== 'complete') return given;
  const bare = named ? withoutMeta(given.text, (name) => name === SERVER_INFO) : given.text;
  const text = resultType === 'complete' ? withoutMembers(bare, (name) => name === 'resultType') : bare;
  return { value: withoutEnvelope(given.value), text };
}

function withoutEnvelope(value: Written['value']): Written['value'] {
  const { resultType, _meta, ...rest } = value;
  const kept = resultType === undefined || resultType === 'complete' ? rest : { resultType, ...rest };
  if (typeof _meta !== 'object' || _meta === null) return _meta === undefined ? kept : { ...kept, _meta };
  const meta = Object.fromEntries(Object.entries(_meta).filter(([key]) => key !== SERVER_INFO));
  return Object.keys(meta).length === 0 && SERVER_INFO in _meta ? kept : { ...kept, _meta: meta };
}

const PREFIX = 'io.modelcontextprotocol/';
const SERVER_INFO = `${PREFIX}serverInfo`;
