import { ProtocolError, type Server, type ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Era } from '../../../shared/model.ts';
import type { ToolCall } from '../call-tool.ts';
import type { Log } from '../diagnosis/log.ts';
import { membersOf } from '../exact-members.ts';
import { exactly, type Written } from '../exact-text.ts';
import type { AskAnswer } from '../upstreams/request.ts';
import { type Arrival, INPUT_RESPONSES_PATH, META_PATH } from './arrival.ts';
import { answerFrom, errorFrom } from './client-answer.ts';

type Meta = Readonly<Record<string, unknown>>;

const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';
const LOG_LEVEL = 'io.modelcontextprotocol/logLevel';

/** One request of a client, as the rest of the core needs it: how to reach the caller, and what may be asked of it. */
export type CallerSide = Pick<
  ToolCall,
  | 'requestId'
  | 'workspace'
  | 'client'
  | 'key'
  | 'sessionId'
  | 'era'
  | 'capabilities'
  | 'logLevel'
  | 'metaText'
  | 'inputResponses'
  | 'requestState'
  | 'cancelled'
  | 'left'
  | 'onProgress'
  | 'onWaiting'
  | 'onNotification'
  | 'ask'
>;

/** An answer of a client to an upstream may take as long as a person takes; the call's own limits end it. */
const ASK_MS = 600_000;
const ANYTHING = z.looseObject({});

export function callerSide(
  server: Server,
  era: Era,
  arrival: Arrival,
  context: ServerContext,
  more: {
    readonly log: Log /** Level the session asked for; undefined: it never did. */;
    readonly level: string | undefined;
  },
): CallerSide {
  const { mcpReq } = context;
  const envelope: Meta = mcpReq.envelope ?? {};
  const token = mcpReq._meta?.progressToken;
  let progress = 0;

  function notify(method: string, params: Meta): void {
    mcpReq.notify({ method, params: { ...params } }).catch((error: unknown) => {
      // The caller's stream has closed; the call itself goes on or is cancelled by its own signal.
      more.log.debug('notification_not_delivered', {
        requestId: arrival.requestId,
        reason: error instanceof Error ? error.name : 'unknown',
      });
    });
  }
  function tellProgress(params: Meta): void {
    if (token !== undefined) notify('notifications/progress', { ...params, progressToken: token });
  }

  return {
    requestId: arrival.requestId,
    workspace: arrival.workspace,
    client: arrival.client,
    key: arrival.key,
    sessionId: context.sessionId ?? null,
    era,
    capabilities:
      era === 'legacy' ? ((server.getClientCapabilities() ?? {}) as Meta) : objectIn(envelope[CAPABILITIES]),
    logLevel: era === 'legacy' ? (more.level ?? null) : stringIn(envelope[LOG_LEVEL]),
    metaText: arrival.slices.get(META_PATH) ?? '{}',
    inputResponses: mcpReq.inputResponses === undefined ? null : inputResponses(arrival, mcpReq.inputResponses),
    requestState: stringIn(mcpReq.requestState()),
    cancelled: mcpReq.signal,
    // Made only for a call that waits for the person: it costs more than the rest of a call that does not.
    left: () => AbortSignal.any([mcpReq.signal, arrival.gone]),
    onProgress(told) {
      progress = Math.max(progress, told.progress);
      tellProgress(exactly(told.text));
    },
    onWaiting() {
      progress += 1;
      tellProgress({ progress, message: 'Waiting for the person to answer in Gatehouse.' });
    },
    onNotification(method, params) {
      if (method === 'notifications/message' && !wantsMessages(era, envelope, more.level, params.value.level)) return;
      notify(method, exactly(params.text));
    },
    async ask(method, params): Promise<AskAnswer> {
      try {
        return answerFrom(await mcpReq.send({ method, params: exactly(params.text) }, ANYTHING, { timeout: ASK_MS }));
      } catch (error) {
        const told = error instanceof ProtocolError ? errorFrom(error.data) : null;
        if (told !== null) return told;
        return { kind: 'error', code: -32603, message: 'The client did not answer.' };
      }
    },
  };
}

const LEVELS: readonly unknown[] = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];

/** Modern: only where the request asks for it. Legacy: what the session asked for, everything while it has not asked. */
function wantsMessages(era: Era, envelope: Meta, level: string | undefined, given: unknown): boolean {
  const wanted = era === 'modern' ? envelope[LOG_LEVEL] : (level ?? 'debug');
  return LEVELS.includes(wanted) && LEVELS.indexOf(given) >= LEVELS.indexOf(wanted);
}

/** The answers that the SDK found well-formed, as they were written. */
function inputResponses({ slices }: Arrival, accepted: Meta): Readonly<Record<string, Written>> {
  const members = membersOf(slices.get(INPUT_RESPONSES_PATH) ?? '{}');
  return Object.fromEntries(
    members.flatMap(({ name, value: text }) => {
      const value = accepted[name];
      return Object.hasOwn(accepted, name) ? [[name, { value: objectIn(value), text }] as const] : [];
    }),
  );
}

function objectIn(value: unknown): Meta {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Meta) : {};
}

function stringIn(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
