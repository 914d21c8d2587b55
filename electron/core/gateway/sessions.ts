import { randomBytes } from 'node:crypto';
import { type Server, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Client } from '../../../shared/model.ts';
import { ownChoice } from '../call/connection.ts';
import { faultFields } from '../diagnosis/fault.ts';
import { exactly, type Written } from '../exact-text.ts';
import type { Clock } from '../platform.ts';
import { type Arrival, authInfoOf } from './arrival.ts';
import { type InFlight, watchInFlight } from './in-flight.ts';
import { createMcpServer, type McpServerParts } from './mcp-server.ts';
import {
  FORGET_AFTER_MS,
  type Hello,
  type LogLevel,
  logLevel,
  type SessionStore,
  type StoredSession,
  type Subscription,
} from './session-store.ts';
import { subscribing } from './subscribing.ts';

/**
 * Sessions of the 2025 revisions, ours and apart per client: random id, bound to the key and endpoint that opened it.
 * With another key a session does not exist (security.md B4). After a restart the first request of a session takes it up
 * again as it was, so that no client has to connect anew (design section 3).
 */
export interface Sessions {
  /** `initialize`: a client-chosen session id is not looked at. */
  open(arrival: Arrival, request: Request, message: unknown): Promise<Response>;
  /**
   * `unknown`: no such session for this key and endpoint; the caller answers 404. `in_flight`: the session still works on
   * another request of this id; the caller answers 400.
   */
  serve(
    arrival: Arrival,
    sessionId: string,
    request: Request,
    message: unknown,
  ): Promise<Response | 'unknown' | 'in_flight'>;
  /** `tools/list` of this client (null: of everybody) changed. */
  listChanged(clientId: string | null): void;
  /** To this session alone; nothing happens when it is gone. */
  tell(sessionId: string, method: string, params: Written): void;
  endOfKey(keyId: string): void;
  count(): number;
  close(): Promise<void>;
}

/** Sessions of one key held open; beyond it the one unused for longest is let go, and taken up again when it is used. */
const OPEN_PER_KEY = 100;
/** New and changed sessions are written together, and no request waits for the disk. Milliseconds. */
const SAVE_AFTER_MS = 100;
/** That a session is used is written at most this often. */
const MARK_EVERY_MS = 3_600_000;

interface Session {
  readonly id: string;
  readonly keyId: string;
  readonly client: Client;
  readonly workspaceId: string;
  readonly upstream: string | null;
  readonly hello: Hello;
  readonly server: Server;
  readonly transport: WebStandardStreamableHTTPServerTransport;
  readonly inFlight: InFlight;
  /** By URI: which upstream told that it watches it. */
  readonly subscriptions: Map<string, string>;
  logLevel: LogLevel | null;
  usedAt: number;
  /** Wall clock of the last use that was written, or is about to be. */
  markedAt: number;
  /** Something may have been told while nobody listened: whoever opens the stream next is told once to look again. */
  mayHaveMissed: boolean;
}

export function createSessions(
  parts: McpServerParts & { readonly clock: Clock; readonly sessionStore: SessionStore },
): Sessions {
  const { clock, log, sessionStore: store } = parts;
  const sessions = new Map<string, Session>();
  const reviving = new Map<string, Promise<Session | null>>();
  const unsaved = new Set<Session>();
  let cancelSave: (() => void) | null = null;

  function saveSoon(session: Session): void {
    unsaved.add(session);
    cancelSave ??= clock.after(SAVE_AFTER_MS, save);
  }

  function save(): void {
    cancelSave = null;
    const now = clock.now();
    // Without an agreed revision there is nothing to take up again: `initialize` failed.
    const rows = [...unsaved].flatMap((session) => {
      const revision = session.server.getNegotiatedProtocolVersion();
      if (revision === undefined) return [];
      session.markedAt = now;
      const { id, keyId, client, workspaceId, upstream, hello, logLevel: level } = session;
      const { capabilities, clientInfo } = hello;
      const subscriptions = [...session.subscriptions].map(([uri, upstreamId]) => ({ uri, upstreamId }));
      return [
        {
          id,
          keyId,
          clientId: client.id,
          workspaceId,
          upstream,
          capabilities,
          clientInfo,
          revision,
          logLevel: level,
          subscriptions,
          usedAt: now,
        },
      ];
    });
    unsaved.clear();
    if (rows.length > 0) write(() => store.save(rows));
  }

  function write(change: () => void): void {
    try {
      change();
    } catch (error) {
      // A full disk must not end a session that works; at worst its client opens a new one after a restart.
      if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_'))) throw error;
      log.warn('sessions_not_saved', faultFields(error));
    }
  }

  function letGoOldestOf(keyId: string): void {
    const own = [...sessions.values()].filter((session) => session.keyId === keyId);
    if (own.length < OPEN_PER_KEY) return;
    const oldest = own.reduce((a, b) => (a.usedAt <= b.usedAt ? a : b));
    if (unsaved.has(oldest)) save();
    letGo(oldest);
  }

  function letGo(session: Session): void {
    sessions.delete(session.id);
    parts.upstreams.forgetSession(session.id);
    void session.server.close();
  }

  /** A server and its transport that have not shaken hands yet. */
  async function connect(arrival: Arrival, id: string, hello: Hello): Promise<Session> {
    letGoOldestOf(arrival.key.id);
    const subscriptions = new Map<string, string>();
    const noted = (change: () => void) => {
      change();
      saveSoon(session);
    };
    const server = createMcpServer(subscribing(parts, subscriptions, noted), 'legacy', arrival);
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => id,
      onsessioninitialized: () => {
        sessions.set(id, session);
      },
      onsessionclosed: () => {
        sessions.delete(id);
        parts.upstreams.forgetSession(id);
        unsaved.delete(session);
        write(() => store.forget(id));
      },
    });
    const session: Session = {
      id,
      keyId: arrival.key.id,
      client: arrival.client,
      workspaceId: arrival.workspace.id,
      upstream: arrival.onlyUpstream,
      hello,
      server,
      transport,
      inFlight: watchInFlight(transport),
      subscriptions,
      logLevel: null,
      usedAt: clock.monotonic(),
      markedAt: clock.now(),
      mayHaveMissed: false,
    };
    server.oninitialized = () => {
      const name = server.getClientVersion()?.name;
      if (name !== undefined) parts.callsItself(arrival.client, name);
    };
    server.onerror = (error) => log.debug('session_error', { requestId: arrival.requestId, reason: error.name });
    await server.connect(transport);
    return session;
  }

  /** The session as it was: what the client once said is said again, to a server of its own, and the answers go nowhere. */
  async function revive(arrival: Arrival, id: string, stored: StoredSession): Promise<Session | null> {
    const session = await connect(arrival, id, stored);
    session.logLevel = stored.logLevel;
    session.mayHaveMissed = true;
    for (const message of handshakeOf(stored)) {
      const answer = await session.transport.handleRequest(requestWithin(id, stored.revision), {
        parsedBody: message,
        authInfo: authInfoOf(arrival),
      });
      await answer.text();
      if (answer.ok) continue;
      letGo(session);
      return null;
    }
    for (const subscription of stored.subscriptions) resubscribe(arrival, session, subscription);
    saveSoon(session);
    return session;
  }

  /** Its upstream may still be starting; what the client may no longer see is left out. */
  function resubscribe({ client }: Arrival, session: Session, { uri, upstreamId }: Subscription): void {
    if (!parts.catalog.upstreams(client).some(({ id }) => id === upstreamId)) return;
    session.subscriptions.set(uri, upstreamId);
    parts.upstreams.resubscribe(upstreamId, uri, session.id, ownChoice(parts.connections, client, upstreamId));
  }

  async function find(arrival: Arrival, id: string): Promise<Session | null> {
    // Clients come back with several requests at once: none is served before the handshake was said to its end.
    const session = (await reviving.get(id)) ?? sessions.get(id);
    if (session !== undefined && clock.monotonic() - session.usedAt > FORGET_AFTER_MS) letGo(session);
    else if (session !== undefined) return isOf(session, arrival) ? session : null;
    const stored = ID.test(id) ? store.find(id) : null;
    if (stored === null || !isOf(stored, arrival)) return null;
    const revived = revive(arrival, id, stored).finally(() => reviving.delete(id));
    reviving.set(id, revived);
    return revived;
  }

  function tellListChanged(session: Session): void {
    // Before the first stream nobody hears it.
    session.mayHaveMissed = true;
    const { server } = session;
    tellAll(session, [server.sendToolListChanged(), server.sendPromptListChanged(), server.sendResourceListChanged()]);
  }

  /** Nobody knows what changed while nobody listened. */
  function tellMissed(session: Session): void {
    tellListChanged(session);
    tellAll(
      session,
      [...session.subscriptions.keys()].map((uri) => session.server.sendResourceUpdated({ uri })),
    );
  }

  function tellAll(session: Session, telling: readonly Promise<void>[]): void {
    for (const told of telling) {
      told.catch((error: unknown) => {
        // Not offered at this endpoint, or nobody listens now; the client lists again when it comes back.
        log.debug('change_not_delivered', {
          client: session.client.name,
          reason: error instanceof Error ? error.name : 'unknown',
        });
      });
    }
  }

  return {
    async open(arrival, request, message) {
      const session = await connect(arrival, randomBytes(32).toString('base64url'), helloOf(message));
      const answer = await session.transport.handleRequest(request, {
        parsedBody: message,
        authInfo: authInfoOf(arrival),
      });
      if (answer.ok) saveSoon(session);
      return answer;
    },

    async serve(arrival, sessionId, request, message) {
      const session = await find(arrival, sessionId);
      if (session === null) return 'unknown';
      session.usedAt = clock.monotonic();
      if (!session.inFlight.take(message)) return 'in_flight';
      const asked = setLevel.safeParse(message);
      const isNews = asked.success && asked.data.params.level !== session.logLevel;
      if (asked.success) session.logLevel = asked.data.params.level;
      if (isNews || clock.now() - session.markedAt > MARK_EVERY_MS) saveSoon(session);
      const answer = await session.transport.handleRequest(request, {
        ...(message === undefined ? {} : { parsedBody: message }),
        authInfo: authInfoOf(arrival),
      });
      if (!answer.ok) session.inFlight.drop(message);
      else if (rootsChanged.safeParse(message).success && mayTellRoots.safeParse(session.hello.capabilities).success)
        parts.upstreams.rootsChanged(session.id);
      await session.inFlight.endCancelled(message);
      if (request.method === 'GET' && answer.ok) {
        if (session.mayHaveMissed) tellMissed(session);
        // The next stream follows on one that ended, and what was told in between is lost.
        session.mayHaveMissed = true;
      }
      return answer;
    },

    listChanged(clientId) {
      for (const session of sessions.values())
        if (clientId === null || session.client.id === clientId) tellListChanged(session);
    },

    tell(sessionId, method, params) {
      const session = sessions.get(sessionId);
      session?.server.notification({ method, params: exactly(params.text) }).catch((error: unknown) => {
        // Nobody listens on this session now.
        log.debug('notification_not_delivered', { reason: error instanceof Error ? error.name : 'unknown' });
      });
    },

    endOfKey(keyId) {
      for (const session of [...sessions.values()]) if (session.keyId === keyId) letGo(session);
      for (const session of [...unsaved]) if (session.keyId === keyId) unsaved.delete(session);
      write(() => store.forgetOfKey(keyId));
    },

    count: () => sessions.size,

    async close() {
      cancelSave?.();
      save();
      const open = [...sessions.values()];
      sessions.clear();
      await Promise.all(open.map((session) => session.server.close()));
    },
  };
}

/** 256 random bits in base64url. */
const ID = /^[A-Za-z0-9_-]{43}$/;

function isOf(session: Session | StoredSession, { key, workspace, onlyUpstream }: Arrival): boolean {
  return session.keyId === key.id && session.workspaceId === workspace.id && session.upstream === onlyUpstream;
}

const jsonObject = z.record(z.string(), z.unknown());
const initialize = z.object({ params: z.object({ capabilities: jsonObject, clientInfo: jsonObject }) });
const rootsChanged = z.object({ method: z.literal('notifications/roots/list_changed'), id: z.undefined().optional() });
const mayTellRoots = z.object({ roots: z.object({ listChanged: z.literal(true) }) });
const setLevel = z.object({ method: z.literal('logging/setLevel'), params: z.object({ level: logLevel }) });

function helloOf(message: unknown): Hello {
  const said = initialize.safeParse(message);
  return said.success ? said.data.params : { capabilities: {}, clientInfo: {} };
}

/** Everything a client says that changes its session, in the order it was said (MCP 2025-11-25, lifecycle and logging). */
function handshakeOf({ revision, capabilities, clientInfo, logLevel: level }: StoredSession): readonly object[] {
  const params = { protocolVersion: revision, capabilities, clientInfo };
  return [
    { jsonrpc: '2.0', id: 'initialize', method: 'initialize', params },
    { jsonrpc: '2.0', method: 'notifications/initialized' },
    ...(level === null ? [] : [{ jsonrpc: '2.0', id: 'level', method: 'logging/setLevel', params: { level } }]),
  ];
}

function requestWithin(sessionId: string, revision: string): Request {
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-session-id': sessionId,
    'mcp-protocol-version': revision,
  };
  return new Request('http://127.0.0.1/mcp', { method: 'POST', headers });
}
