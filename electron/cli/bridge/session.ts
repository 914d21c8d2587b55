import { setTimeout as pause } from 'node:timers/promises';
import type { RunningApp } from './app.ts';
import { type Came, exchange } from './exchange.ts';
import type { Line } from './line.ts';
import { parseMessage } from './message.ts';

/** The session that a client of the 2025 revisions has without knowing it: HTTP has one, stdio has none. */
export interface BridgeSession {
  /** Headers of everything after `initialize`; empty while there is no session. */
  headers(): Readonly<Record<string, string>>;
  /** The app answered `initialize` with this id and revision. */
  opened(hello: Line, id: string): void;
  agreed(revision: string): void;
  /** `notifications/initialized` was taken: from now on the app may say something by itself. */
  introduced(line: Line): void;
  /** The app knows this session no more: the client's own words open another. False when there is none to renew. */
  renew(): Promise<boolean>;
  /** Ends the stream and tells the app that the session is over. */
  close(): Promise<void>;
}

export interface SessionParts {
  readonly app: RunningApp;
  readonly url: (endpoint: string) => URL;
  readonly key: string;
  emit(message: Buffer): Promise<void>;
  /** The key is refused. */
  unauthorized(): void;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
const GOODBYE_MS = 1_000;

export function createBridgeSession(parts: SessionParts): BridgeSession {
  const { app } = parts;
  let current: { readonly id: string; readonly hello: Line; revision: string | null } | null = null;
  let introduction: Line | null = null;
  let listening: AbortController | null = null;
  let renewing: Promise<boolean> | null = null;

  const headers = (): Record<string, string> =>
    current === null
      ? {}
      : {
          'mcp-session-id': current.id,
          ...(current.revision === null ? {} : { 'mcp-protocol-version': current.revision }),
        };

  async function ask(
    method: 'POST' | 'GET' | 'DELETE',
    signal: AbortSignal,
    more: {
      readonly body?: Buffer;
      readonly headers?: Record<string, string>;
      readonly onMessage?: (message: Buffer) => Promise<void>;
      readonly onHeaders?: Parameters<typeof exchange>[0]['onHeaders'];
    } = {},
  ): Promise<Came> {
    const reached = await app.reach(false);
    if (reached.kind === 'fault') return { kind: 'unreachable' };
    const came = await exchange({
      url: parts.url(reached.endpoint),
      method,
      headers: { authorization: `Bearer ${parts.key}`, accept: ACCEPT[method], ...(more.headers ?? headers()) },
      ...(more.body === undefined ? {} : { body: more.body }),
      signal,
      ...(more.onHeaders === undefined ? {} : { onHeaders: more.onHeaders }),
      onMessage: more.onMessage ?? (async () => {}),
    });
    if (came.kind === 'unreachable') app.lost();
    return came;
  }

  /** Hears what the app says by itself, for as long as there is a session, over every restart of the app. */
  async function listen(): Promise<void> {
    listening?.abort();
    const own = new AbortController();
    listening = own;
    let wait = FIRST_PAUSE_MS;
    while (!own.signal.aborted) {
      const came = await ask('GET', own.signal, {
        onMessage: parts.emit,
        onHeaders: (status) => {
          if (status === 200) wait = FIRST_PAUSE_MS;
        },
      });
      if (came.kind === 'aborted') return;
      if (came.kind === 'refused' && came.status === 404) return void (await renew());
      if (came.kind === 'refused' && came.status === 401) return parts.unauthorized();
      if (came.kind === 'refused' && came.status === 405) return;
      await pause(wait, undefined, { signal: own.signal }).catch(() => {});
      wait = Math.min(LONGEST_PAUSE_MS, wait * 2);
    }
  }

  async function reopen(): Promise<boolean> {
    if (current === null) return false;
    const { hello } = current;
    const { signal } = new AbortController();
    let id: string | undefined;
    let revision: string | null = null;
    const came = await ask('POST', signal, {
      body: hello.bytes,
      headers: {},
      onHeaders: (_status, answered) => {
        const given = answered['mcp-session-id'];
        if (typeof given === 'string') id = given;
      },
      onMessage: async (message) => {
        revision = revisionIn(message) ?? revision;
      },
    });
    if (came.kind !== 'ended' || id === undefined) return false;
    current = { id, hello, revision };
    if (introduction !== null) {
      await ask('POST', signal, { body: introduction.bytes });
      void listen();
    }
    return true;
  }

  function renew(): Promise<boolean> {
    renewing ??= reopen().finally(() => {
      renewing = null;
    });
    return renewing;
  }

  return {
    headers,
    opened(hello, id) {
      listening?.abort();
      introduction = null;
      current = { id, hello, revision: null };
    },
    agreed(revision) {
      if (current !== null) current.revision = revision;
    },
    introduced(line) {
      introduction = line;
      if (current !== null) void listen();
    },
    renew,
    async close() {
      listening?.abort();
      if (current === null) return;
      await ask('DELETE', AbortSignal.timeout(GOODBYE_MS));
      current = null;
    },
  };
}

/** The revision in an answer to `initialize`. */
export function revisionIn(message: Buffer): string | null {
  const { result } = parseMessage(message);
  const revision =
    typeof result === 'object' && result !== null && 'protocolVersion' in result ? result.protocolVersion : null;
  return typeof revision === 'string' ? revision : null;
}

const ACCEPT = {
  POST: 'application/json, text/event-stream',
  GET: 'text/event-stream',
  DELETE: 'application/json',
} as const;
