import type { JSONRPCMessage, RequestId, Transport } from '@modelcontextprotocol/client';
import { z } from 'zod';
import type { Clock } from '../platform.ts';

/** How one request of ours ended. The result is the upstream's own, before the SDK has looked at it. */
export type Answer =
  | { readonly kind: 'result'; readonly result: Readonly<Record<string, unknown>> }
  | { readonly kind: 'error'; readonly code: number; readonly message: string; readonly data?: unknown }
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
}

/** The answer was too large; its stream ended without it; the upstream ended. */
export type Cut = 'too_large' | 'stream_ended' | 'ended';

/**
 * Sits between the SDK's client and a transport and keeps each answer as it came. (The SDK's typed parsing drops members
 * it does not know, and on the modern era refuses content types it does not know.)
 */
export interface Exchange {
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

export function createExchange(clock: Clock): Exchange {
  const open = new Map<RequestId, Slot>();
  let next: Slot | null = null;
  let discovery: ReturnType<Exchange['discovery']> = 'unasked';
  let discoveryId: RequestId | null = null;

  function receive(message: JSONRPCMessage): JSONRPCMessage {
    if ('method' in message) {
      if (message.method === 'notifications/progress') report(message.params);
      return message;
    }
    if (message.id === undefined) return message;
    noteAnswer(message.id);
    const slot = open.get(message.id);
    if (!slot) return message;
    if ('error' in message) {
      const { code, message: text, data } = message.error;
      slot.settle({ kind: 'error', code, message: text, ...(data === undefined ? {} : { data }) });
      return message;
    }
    slot.settle({ kind: 'result', result: message.result });
    return { jsonrpc: '2.0', id: message.id, result: STAND_IN };
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

  function report(params: unknown): void {
    const parsed = progressSchema.safeParse(params);
    if (!parsed.success) return;
    const { progressToken, progress, total, message } = parsed.data;
    open.get(progressToken)?.onProgress({
      progress,
      ...(total === undefined ? {} : { total }),
      ...(message === undefined ? {} : { message }),
    });
  }

  return {
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

interface Slot {
  id: RequestId | null;
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
