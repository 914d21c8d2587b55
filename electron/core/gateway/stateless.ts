import { createMcpHandler, type McpHttpHandler } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { ownChoice } from '../call/connection.ts';
import { type Arrival, arrivalOf, authInfoOf } from './arrival.ts';
import { capabilitiesOf, createMcpServer, type McpServerParts } from './mcp-server.ts';
import { parameterMismatch } from './parameter-check.ts';

/** Requests of 2026-07-28: one server per request, one listen bus per client, so that no client hears of another's changes. */
export interface Stateless {
  /** Whether this endpoint has the method at all. */
  knows(arrival: Arrival, method: string): boolean;
  serve(arrival: Arrival, request: Request, message: unknown): Promise<Response>;
  listChanged(clientId: string | null): void;
  /** To the clients of these subscribers, where they listen for this URI; a subscriber is a request of `serve`. */
  resourceUpdated(uri: string, subscribers: readonly string[]): void;
  close(): Promise<void>;
}

/**
 * What a stateless client may ask of us, by the capability it takes. Anything else is 404 with -32601 before a handler
 * sees it (security.md C16).
 */
const METHODS: Readonly<Record<string, string | null>> = {
  'server/discover': null,
  'subscriptions/listen': null,
  'notifications/cancelled': null,
  'tools/list': 'tools',
  'tools/call': 'tools',
  'prompts/list': 'prompts',
  'prompts/get': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'resources',
  'resources/read': 'resources',
  'completion/complete': 'completions',
};

export function createStateless(parts: McpServerParts, maxSubscriptions: number): Stateless {
  const handlers = new Map<string, McpHttpHandler>();
  /** By request: the client that listens with it. */
  const listeners = new Map<string, string>();

  function handlerOf(clientId: string): McpHttpHandler {
    let handler = handlers.get(clientId);
    if (handler === undefined) {
      handler = createMcpHandler(({ authInfo }) => createMcpServer(parts, 'modern', arrivalOf(authInfo)), {
        legacy: 'reject',
        maxSubscriptions,
        onerror: (error) => parts.log.debug('stateless_error', { reason: error.name }),
      });
      handlers.set(clientId, handler);
    }
    return handler;
  }

  /** Upstream subscriptions last as long as the stream that listens for them. */
  async function subscribe(arrival: Arrival, uris: readonly string[]): Promise<void> {
    const { gone, client, onlyUpstream, requestId } = arrival;
    listeners.set(requestId, client.id);
    const leave = () => {
      listeners.delete(requestId);
      parts.upstreams.forgetSession(requestId);
    };
    gone.addEventListener('abort', leave, { once: true });
    for (const uri of uris) {
      const upstream = parts.resources.find(client, onlyUpstream, uri);
      if (upstream === null) continue;
      const own = ownChoice(parts.connections, client, upstream.id);
      await parts.upstreams.subscribe(upstream.id, uri, requestId, own);
    }
  }

  return {
    knows(arrival, method) {
      const needs = Object.hasOwn(METHODS, method) ? METHODS[method] : undefined;
      return needs === null || (needs !== undefined && capabilitiesOf(parts, arrival)[needs] !== undefined);
    },
    async serve(arrival, request, message) {
      const mismatch = parameterMismatch(message, request.headers, (tool) => inputSchemaOf(parts, arrival, tool));
      if (mismatch !== null) return mismatch;
      const uris = subscribedIn(message);
      if (uris.length > 0) await subscribe(arrival, uris);
      return handlerOf(arrival.client.id).fetch(request, { parsedBody: message, authInfo: authInfoOf(arrival) });
    },
    listChanged(clientId) {
      for (const [id, { notify }] of handlers) {
        if (clientId !== null && clientId !== id) continue;
        notify.toolsChanged();
        notify.promptsChanged();
        notify.resourcesChanged();
      }
    },
    resourceUpdated(uri, subscribers) {
      for (const clientId of new Set(subscribers.map((subscriber) => listeners.get(subscriber)))) {
        if (clientId !== undefined) handlers.get(clientId)?.notify.resourceUpdated(uri);
      }
    },
    async close() {
      await Promise.all([...handlers.values()].map((handler) => handler.close()));
      handlers.clear();
    },
  };
}

const listenSchema = z.looseObject({
  method: z.literal('subscriptions/listen'),
  params: z.looseObject({
    notifications: z.looseObject({ resourceSubscriptions: z.array(z.string().max(10_000)).max(1_000) }),
  }),
});

/** The resources a listen request names (2026-07-28, subscriptions). */
function subscribedIn(message: unknown): readonly string[] {
  const read = listenSchema.safeParse(message);
  return read.success ? read.data.params.notifications.resourceSubscriptions : [];
}

/** The schema that was accepted, which is the one the caller was shown. */
function inputSchemaOf({ catalog }: McpServerParts, { client, onlyUpstream }: Arrival, tool: string): unknown {
  const found = onlyUpstream === null ? catalog.find(client, tool) : catalog.findDirect(client, onlyUpstream, tool);
  return found?.tool.reviewed?.inputSchema ?? null;
}
