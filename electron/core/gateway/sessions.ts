import { randomBytes } from 'node:crypto';
import { type Server, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server';
import type { Client } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import { type Arrival, authInfoOf } from './arrival.ts';
import { createMcpServer, type McpServerParts } from './mcp-server.ts';

/**
 * Sessions of the 2025 revisions, ours and apart per client: random id, bound to the key and endpoint that opened it.
 * With another key a session does not exist (security.md B4).
 */
export interface Sessions {
  /** `initialize`: a client-chosen session id is not looked at. */
  open(arrival: Arrival, request: Request, message: unknown): Promise<Response>;
  /** `unknown`: no such session for this key and endpoint; the caller answers 404. */
  serve(arrival: Arrival, sessionId: string, request: Request, message: unknown): Promise<Response> | 'unknown';
  /** `tools/list` of this client (null: of everybody) changed. */
  listChanged(clientId: string | null): void;
  /** To this session alone; nothing happens when it is gone. */
  tell(sessionId: string, method: string, params: Readonly<Record<string, unknown>>): void;
  endOfKey(keyId: string): void;
  count(): number;
  close(): Promise<void>;
}

/** Sessions kept per key; beyond it the one unused for longest ends. */
const KEEP_PER_KEY = 100;

interface Session {
  readonly id: string;
  readonly keyId: string;
  readonly client: Client;
  readonly endpoint: string;
  readonly server: Server;
  readonly transport: WebStandardStreamableHTTPServerTransport;
  usedAt: number;
}

export function createSessions(parts: McpServerParts & { readonly clock: Clock }): Sessions {
  const { clock, log } = parts;
  const sessions = new Map<string, Session>();

  function endOldestOf(keyId: string): void {
    const own = [...sessions.values()].filter((session) => session.keyId === keyId);
    if (own.length < KEEP_PER_KEY) return;
    const oldest = own.reduce((a, b) => (a.usedAt <= b.usedAt ? a : b));
    end(oldest);
  }

  function end(session: Session): void {
    sessions.delete(session.id);
    parts.upstreams.forgetSession(session.id);
    void session.server.close();
  }

  return {
    async open(arrival, request, message) {
      endOldestOf(arrival.key.id);
      const server = createMcpServer(parts, 'legacy', arrival);
      const transport = new WebStandardStreamableHTTPServerTransport({
        sessionIdGenerator: () => randomBytes(32).toString('base64url'),
        onsessioninitialized: (id) => {
          sessions.set(id, {
            id,
            keyId: arrival.key.id,
            client: arrival.client,
            endpoint: endpointOf(arrival),
            server,
            transport,
            usedAt: clock.monotonic(),
          });
        },
        onsessionclosed: (id) => {
          sessions.delete(id);
          parts.upstreams.forgetSession(id);
        },
      });
      server.oninitialized = () => {
        const name = server.getClientVersion()?.name;
        if (name !== undefined) parts.callsItself(arrival.client, name);
      };
      server.onerror = (error) => log.debug('session_error', { requestId: arrival.requestId, reason: error.name });
      await server.connect(transport);
      return transport.handleRequest(request, { parsedBody: message, authInfo: authInfoOf(arrival) });
    },

    serve(arrival, sessionId, request, message) {
      const session = sessions.get(sessionId);
      if (session === undefined || session.keyId !== arrival.key.id || session.endpoint !== endpointOf(arrival))
        return 'unknown';
      session.usedAt = clock.monotonic();
      return session.transport.handleRequest(request, {
        ...(message === undefined ? {} : { parsedBody: message }),
        authInfo: authInfoOf(arrival),
      });
    },

    listChanged(clientId) {
      for (const session of sessions.values()) {
        if (clientId !== null && session.client.id !== clientId) continue;
        for (const changed of [
          session.server.sendToolListChanged(),
          session.server.sendPromptListChanged(),
          session.server.sendResourceListChanged(),
        ]) {
          changed.catch((error: unknown) => {
            // Not offered at this endpoint, or nobody listens now; the client lists again when it comes back.
            log.debug('list_changed_not_delivered', {
              client: session.client.name,
              reason: error instanceof Error ? error.name : 'unknown',
            });
          });
        }
      }
    },

    tell(sessionId, method, params) {
      const session = sessions.get(sessionId);
      session?.server.notification({ method, params: { ...params } }).catch((error: unknown) => {
        // Nobody listens on this session now.
        log.debug('notification_not_delivered', { reason: error instanceof Error ? error.name : 'unknown' });
      });
    },

    endOfKey(keyId) {
      for (const session of [...sessions.values()]) if (session.keyId === keyId) end(session);
    },

    count: () => sessions.size,

    async close() {
      const open = [...sessions.values()];
      sessions.clear();
      await Promise.all(open.map((session) => session.server.close()));
    },
  };
}

function endpointOf(arrival: Arrival): string {
  return `${arrival.workspace.id}/${arrival.onlyUpstream ?? ''}`;
}
