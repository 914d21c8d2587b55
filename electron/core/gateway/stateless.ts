import { createMcpHandler, type McpHttpHandler } from '@modelcontextprotocol/server';
import { type Arrival, authInfoOf } from './arrival.ts';
import { createMcpServer, type McpServerParts } from './mcp-server.ts';
import { parameterMismatch } from './parameter-check.ts';

/** Requests of 2026-07-28: one server per request, one listen bus per client, so that no client hears of another's changes. */
export interface Stateless {
  serve(arrival: Arrival, request: Request, message: unknown): Promise<Response>;
  listChanged(clientId: string | null): void;
  close(): Promise<void>;
}

/** What a stateless client may ask of us. Anything else is 404 with -32601 before a handler sees it (security.md C16). */
export const STATELESS_METHODS: ReadonlySet<string> = new Set([
  'server/discover',
  'subscriptions/listen',
  'tools/list',
  'tools/call',
  'notifications/cancelled',
]);

export function createStateless(parts: McpServerParts, maxSubscriptions: number): Stateless {
  const handlers = new Map<string, McpHttpHandler>();

  function handlerOf(clientId: string): McpHttpHandler {
    let handler = handlers.get(clientId);
    if (handler === undefined) {
      handler = createMcpHandler(() => createMcpServer(parts, 'modern'), {
        legacy: 'reject',
        maxSubscriptions,
        onerror: (error) => parts.log.debug('stateless_error', { reason: error.name }),
      });
      handlers.set(clientId, handler);
    }
    return handler;
  }

  return {
    async serve(arrival, request, message) {
      const mismatch = parameterMismatch(message, request.headers, (tool) => inputSchemaOf(parts, arrival, tool));
      if (mismatch !== null) return mismatch;
      return handlerOf(arrival.client.id).fetch(request, { parsedBody: message, authInfo: authInfoOf(arrival) });
    },
    listChanged(clientId) {
      for (const [id, handler] of handlers) if (clientId === null || clientId === id) handler.notify.toolsChanged();
    },
    async close() {
      await Promise.all([...handlers.values()].map((handler) => handler.close()));
      handlers.clear();
    },
  };
}

/** The schema that was accepted, which is the one the caller was shown. */
function inputSchemaOf({ catalog }: McpServerParts, { client, onlyUpstream }: Arrival, tool: string): unknown {
  const found = onlyUpstream === null ? catalog.find(client, tool) : catalog.findDirect(client, onlyUpstream, tool);
  return found?.tool.reviewed?.inputSchema ?? null;
}
