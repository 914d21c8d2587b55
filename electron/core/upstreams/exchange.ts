import type { JSONRPCMessage, JSONRPCResponse, RequestId, Transport } from '@modelcontextprotocol/client';
import { z } from 'zod';
import { type Written, writeExact } from '../exact-text.ts';
import type { Clock } from '../platform.ts';
import { readHeard } from './heard.ts';

/** How one request of ours ended. Result and error are the upstream's own, before the SDK has looked at them. */
export type Answer =
  | { readonly kind: 'result'; readonly result: Readonly<Record<string, unknown>>; readonly text: string | null }
  | ErrorAnswer
  | { readonly kind: 'cut'; readonly why: Cut }
  | { readonly kind: 'threw'; readonly error: unknown };

/** Sends one request of ours. Progress is asked for when somebody wants to be told. */
export type Ask = (
  method: string,
  params: Record<string, unknown>,
  options: { readonly signal: AbortSignal; readonly headers?: Record<string, string> },
  onProgress?: (progress: Progress) => void,
) => Promise<Answer>;

export interface Progress {
  readonly progress: number;
  readonly total?: number;
  readonly message?: string;
  /** All of it, as the upstream wrote it: token of ours included. */
  readonly text: string;
}

/** A JSON-RPC error. */
export interface ErrorAnswer {
  readonly kind: 'error';
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
  /** The whole error as it was written; absent where it is ours, or must be written anew. */
  readonly text?: string;
}

/** The answer was too large; its stream ended without it; the upstream ended. */
export type Cut = 'too_large' | 'stream_ended' | 'ended';

/**
 * Sits between the SDK's client and a transport and keeps each answer as it came. (The SDK's typed parsing drops members
 * it does not know, and on the modern era refuses content types it does not know.)
 */
export interface Exchange {
  /**
   * Every message of the upstream, as text, goes by here first; what comes back is for the SDK, with a stand-in for an
   * answer that we wait for. Null: it is no MCP message.
   */
  hear(text: string): JSONRPCMessage | null;
  /** The exact `params` of a request of the upstream, until it is answered; null: to be written anew. */
  askedIn(id: RequestId): string | null;
  /** What the SDK's client is connected to. */
  wrap(inner: Transport, processId: number | null): Transport;
  /**
   * `send` must call the client's `request` at once. Progress is taken from the wire too: the SDK hands it on one turn
   * later and drops what came right before the answer.
   */
  ask(send: () => Promise<unknown>, onProgress?: (progress: Progress) => void): Promise<Answer>;
  /** Ends the wait for one answer, or for all of them. */
  cut(id: RequestId | null, why: Cut): void;
  /** Aborted a moment after nobody waits for the answer any more. */
  signalFor(id: RequestId): AbortSignal | null;
  waiting(): readonly RequestId[];
  /** What became of `server/discover`. `given_up`: there was silence when the handshake of the legacy era began. */
  discovery(): 'unasked' | 'open' | 'answered' | 'given_up';
}

/** Notifications are told from the wire: the SDK hands them on later than the answer that came after them. */
export function createExchange(
  clock: Clock,
  onNotification: (method: string, params: Written) => void = () => {},
): Exchange {
  const open = new Map<RequestId, Slot>();
  /** Exact `params` of requests of the upstream that are not answered yet. */
  const asked = new Map<RequestId, string | null>();
  let next: Slot | null = null;
  let discovery: ReturnType<Exchange['discovery']> = 'unasked';
  let discoveryId: RequestId | null = null;

  function hear(given: string): JSONRPCMessage | null {
    const heard = readHeard(given);
    if (heard === null) return null;
    const { message, text } = heard;
    if ('method' in message) {
      const { method, params = {} } = message;
      if ('id' in message && message.id !== undefined) asked.set(message.id, text);
      else if (method === 'notifications/progress') report(params, text);
      else if (!OF_THE_PROTOCOL.has(method))
        onNotification(method, { value: params, text: text ?? writeExact(params) });
      return message;
    }
    const slot = message.id === undefined ? undefined : open.get(message.id);
    if (slot === undefined || slot.heard !== null) return message;
    slot.heard = answerOf(message, text);
    return 'error' in message ? message : { ...message, result: STAND_IN };
  }

  /** In the SDK's turn, so that what came before the answer is told before it. */
  function receive(message: JSONRPCMessage): JSONRPCMessage {
    if ('method' in message || message.id === undefined) return message;
    noteAnswer(message.id);
    const slot = open.get(message.id);
    // What the transport made up itself was not heard.
    slot?.settle(slot.heard ?? answerOf(message, null));
    return message;
  }

  function noteHandshake(method: string, id: RequestId): void {
    if (method === 'server/discover') {
      discovery = 'open';
      discoveryId = id;
    } else if (method === 'initialize' && discovery === 'open') discovery = 'given_up';
  }

  /** One that comes when it was given up on changes nothing: the SDK has stopped waiting. */
  function noteAnswer(id: RequestId): void {
    if (id === discoveryId && discovery === 'open') discovery = 'answered';
  }

  function report(params: Readonly<Record<string, unknown>>, text: string | null): void {
    const parsed = progressSchema.safeParse(params);
    if (!parsed.success) return;
    const { progressToken, progress, total, message } = parsed.data;
    open.get(progressToken)?.onProgress({
      progress,
      ...(total === undefined ? {} : { total }),
      ...(message === undefined ? {} : { message }),
      text: text ?? writeExact(params),
    });
  }

  return {
    hear,
    askedIn(id) {
      return asked.get(id) ?? null;
    },
    wrap(inner, processId) {
      const outer: Transport = {
        ...(inner.hasPerRequestStream === undefined ? {} : { hasPerRequestStream: inner.hasPerRequestStream }),
        async start() {
          inner.onmessage = (message, extra) => outer.onmessage?.(receive(message), extra);
          inner.onerror = (error) => outer.onerror?.(error);
          inner.onclose = () => outer.onclose?.();
          await inner.start();
        },
        async send(message, options) {
          if (next !== null && 'method' in message && 'id' in message && message.id !== undefined) {
            open.set(message.id, next);
            next.id = message.id;
            next = null;
          }
          if ('method' in message && 'id' in message && message.id !== undefined)
            noteHandshake(message.method, message.id);
          if (!('method' in message) && message.id !== undefined) asked.delete(message.id);
          try {
            await inner.send(message, options);
          } catch (error) {
            // Over HTTP a refusal is an answer too.
            if ('id' in message && message.id !== undefined) noteAnswer(message.id);
            throw error;
          }
        },
        close: () => inner.close(),
        setProtocolVersion: (version) => inner.setProtocolVersion?.(version),
        setSupportedProtocolVersions: (versions) => inner.setSupportedProtocolVersions?.(versions),
        get sessionId() {
          return inner.sessionId;
        },
      };
      // By these two members the SDK knows a process on a pipe: silence there means an older server, not an outage.
      return processId === null ? outer : Object.assign(outer, { stderr: null, pid: processId });
    },

    ask(send, onProgress = () => {}) {
      return new Promise((resolve) => {
        const leave = new AbortController();
        const slot: Slot = {
          id: null,
          leave,
          heard: null,
          onProgress,
          settle(answer) {
            if (slot.id !== null) open.delete(slot.id);
            if (answer.kind === 'cut' || answer.kind === 'threw') clock.after(LINGER_MS, () => leave.abort());
            resolve(answer);
          },
        };
        next = slot;
        send().then(
          // Already settled by what came over the wire; the SDK saw a stand-in.
          () => {
            if (slot.id !== null && !open.has(slot.id)) return;
            slot.settle({ kind: 'threw', error: new Error('the SDK answered a request that was not sent') });
          },
          (error) => slot.settle({ kind: 'threw', error }),
        );
        next = null;
      });
    },

    cut(id, why) {
      const slots = id === null ? [...open.values()] : [open.get(id)];
      for (const slot of slots) slot?.settle({ kind: 'cut', why });
    },
    signalFor: (id) => open.get(id)?.leave.signal ?? null,
    waiting: () => [...open.keys()],
    discovery: () => discovery,
  };
}

function answerOf(message: JSONRPCResponse, text: string | null): Answer {
  if ('result' in message) return { kind: 'result', result: message.result, text };
  const { code, message: words, data } = message.error;
  return {
    kind: 'error',
    code,
    message: words,
    ...(data === undefined ? {} : { data }),
    ...(text === null ? {} : { text }),
  };
}

interface Slot {
  id: RequestId | null;
  heard: Answer | null;
  readonly leave: AbortController;
  onProgress(progress: Progress): void;
  settle(answer: Answer): void;
}

/** We ask for progress under the id of the request. */
const progressSchema = z.looseObject({
  progressToken: z.union([z.string(), z.number()]),
  progress: z.number(),
  total: z.number().optional(),
  message: z.string().optional(),
});
/** Long enough for a cancellation to be sent before the connection that it is about is given up. */
const LINGER_MS = 1_000;
/** Between us and the upstream: the SDK acts on them. */
const OF_THE_PROTOCOL = new Set(['notifications/cancelled', 'notifications/subscriptions/acknowledged']);
/** The SDK gets this in place of the answer and checks it: the members that some method or era requires. */
const STAND_IN = {
  resultType: 'complete',
  ttlMs: 0,
  cacheScope: 'private',
  content: [],
  contents: [],
  messages: [],
  tools: [],
  prompts: [],
  resources: [],
  resourceTemplates: [],
  completion: { values: [] },
};
