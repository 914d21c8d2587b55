import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { Server as LegacyServer } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { type AuthInfo, createMcpHandler, Server as ModernServer } from '@modelcontextprotocol/server';

/** A real MCP server whose answers tell who was signed in when it was asked. */
export interface McpServer {
  handle(request: IncomingMessage, response: ServerResponse, body: unknown, auth: AuthInfo): Promise<void>;
  close(): Promise<void>;
}

/** `v1` keeps sessions and speaks up to 2025-11-25; `v2` speaks 2026-07-28 alone. */
export function createMcpServer(line: 'v1' | 'v2'): McpServer {
  return line === 'v1' ? legacy() : modern();
}

const TOOLS = [
  {
    name: 'whoami',
    description: 'Says which account is signed in, through which client, with which scopes.',
    inputSchema: { type: 'object' as const },
    annotations: { readOnlyHint: true },
  },
  {
    name: 'read_notes',
    description: 'Lists the notes of the account.',
    inputSchema: { type: 'object' as const },
    annotations: { readOnlyHint: true },
  },
  {
    name: 'write_note',
    description: 'Writes a note.',
    inputSchema: { type: 'object' as const, properties: { text: { type: 'string' } }, required: ['text'] },
    annotations: { readOnlyHint: false },
  },
];

/** What `whoami` answers, as JSON text. */
export interface WhoAmI {
  readonly account: string;
  readonly issuer: string;
  readonly client: string;
  readonly scopes: readonly string[];
}

function call(name: string, args: Readonly<Record<string, unknown>> = {}, auth: AuthInfo | undefined) {
  const { account, issuer } = { ...auth?.extra } as { account: string; issuer: string };
  const who: WhoAmI = { account, issuer, client: auth?.clientId ?? '', scopes: auth?.scopes ?? [] };
  const texts: Readonly<Record<string, string>> = {
    whoami: JSON.stringify(who),
    read_notes: `notes of ${account}`,
    write_note: `written for ${account}: ${args.text}`,
  };
  return { content: [{ type: 'text' as const, text: texts[name] ?? `no tool ${name}` }], isError: !(name in texts) };
}

function legacy(): McpServer {
  const sessions = new Map<string, StreamableHTTPServerTransport>();

  async function opened(): Promise<StreamableHTTPServerTransport> {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (session) => void sessions.set(session, transport),
    });
    const server = new LegacyServer({ name: 'vendor', version: '1.0.0' }, { capabilities: { tools: {} } });
    server.setRequestHandler(ListToolsRequestSchema, async () => ({ tools: TOOLS }));
    server.setRequestHandler(CallToolRequestSchema, async ({ params }, { authInfo }) =>
      call(params.name, params.arguments, authInfo as AuthInfo | undefined),
    );
    await server.connect(transport as never);
    return transport;
  }

  return {
    async handle(request, response, body, auth) {
      const id = request.headers['mcp-session-id'];
      const known = typeof id === 'string' ? sessions.get(id) : undefined;
      if (id !== undefined && known === undefined) return void response.writeHead(404).end();
      const transport = known ?? (await opened());
      await transport.handleRequest(Object.assign(request, { auth }) as never, response, body);
    },
    async close() {
      for (const transport of sessions.values()) await transport.close();
    },
  };
}

function modern(): McpServer {
  const handler = createMcpHandler(
    () => {
      const server = new ModernServer({ name: 'vendor', version: '1.0.0' }, { capabilities: { tools: {} } });
      server.setRequestHandler('tools/list', async () => ({ tools: TOOLS }));
      server.setRequestHandler('tools/call', async ({ params }, { http }) =>
        call(params.name, params.arguments, http?.authInfo),
      );
      return server;
    },
    { legacy: 'reject' },
  );
  const handle = toNodeHandler(handler);
  return {
    handle: async (request, response, body, auth) => handle(Object.assign(request, { auth }), response, body),
    close: async () => {},
  };
}
