/*
 * A server of 2025-11-25 on the official SDK's first line, over stdio or over HTTP with sessions.
 *
 *   node legacy-server.ts stdio | http
 *
 * Over HTTP it prints {"url": …} when it listens. It ends when its stdin closes.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { McpError, ResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { answer, CAPABILITIES, type Json, listed } from './offer.ts';

const servers = new Map<Server, Set<string>>();

function build(): Server {
  const server = new Server({ name: 'legacy-peer', version: '1.0.0' }, { capabilities: CAPABILITIES });
  const watched = new Set<string>();
  servers.set(server, watched);
  server.onclose = () => void servers.delete(server);
  server.fallbackRequestHandler = async ({ method, params = {} }, extra) => {
    const list = listed(method);
    if (list !== undefined) return { ...list };
    if (method === 'resources/subscribe') {
      watched.add(String(params.uri));
      return {};
    }
    if (method === 'resources/unsubscribe') {
      watched.delete(String(params.uri));
      return {};
    }
    const result = await answer({
      method,
      params,
      capabilities: { ...server.getClientCapabilities() },
      cancelled: extra.signal,
      notify: (name, about) => extra.sendNotification({ method: name, params: about } as never),
      async ask(questions) {
        const answers: Record<string, unknown> = {};
        for (const [name, { method: asked, params: about }] of Object.entries(questions)) {
          try {
            answers[name] = await extra.sendRequest({ method: asked, params: about } as never, ResultSchema);
          } catch (error) {
            if (!(error instanceof McpError)) throw error;
            answers[name] = { refused: error.code };
          }
        }
        return answers;
      },
      async updated(uri) {
        for (const [each, uris] of servers) if (uris.has(uri)) await each.sendResourceUpdated({ uri });
      },
    });
    if (result === undefined) throw new McpError(-32601, 'Method not found');
    return result as Json as Record<string, unknown>;
  };
  return server;
}

if (process.argv[2] === 'stdio') {
  await build().connect(new StdioServerTransport());
} else {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const http = createServer(async (request, response) => {
    const id = request.headers['mcp-session-id'];
    const known = typeof id === 'string' ? sessions.get(id) : undefined;
    const body = request.method === 'POST' ? await json(request) : undefined;
    if (known !== undefined) return known.handleRequest(request, response, body);
    if (id !== undefined) return response.writeHead(404).end();
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (session) => void sessions.set(session, transport),
    });
    await build().connect(transport as never);
    return transport.handleRequest(request, response, body);
  });
  http.listen(0, '127.0.0.1', () => {
    const { port } = http.address() as AddressInfo;
    process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${port}/mcp` })}\n`);
  });
  process.stdin.on('end', () => process.exit(0)).resume();
}
