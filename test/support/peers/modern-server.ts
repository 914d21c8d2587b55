/*
 * A server of 2026-07-28 on the official SDK's second line, over stdio or HTTP; with `dual` it serves 2025 clients over
 * stdio as well.
 *
 *   node modern-server.ts stdio [dual] | http
 *
 * Over HTTP it prints {"url": …} when it listens. It ends when its stdin closes.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, type McpHttpHandler, ProtocolError, Server } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { answer, CAPABILITIES, type Json, listed } from './offer.ts';

/** Thrown through the answer: what is asked for in this round. */
class Asking extends Error {
  readonly result: Json;
  constructor(result: Json) {
    super('input required');
    this.result = result;
  }
}

let handler: McpHttpHandler | null = null;

function build(): Server {
  const server = new Server({ name: 'modern-peer', version: '1.0.0' }, { capabilities: CAPABILITIES });
  server.fallbackRequestHandler = async ({ method, params = {} }, { mcpReq }) => {
    const list = listed(method);
    if (list !== undefined) return { ...list, ttlMs: 0, cacheScope: 'private' };
    const envelope = (mcpReq.envelope ?? {}) as Json;
    const state = mcpReq.requestState();
    const before = (typeof state === 'string' ? JSON.parse(state) : {}) as Json;
    const given: Json = { ...before, ...mcpReq.inputResponses };
    const { _meta: meta } = mcpReq;
    try {
      const result = await answer({
        method,
        params: { ...params, ...(meta === undefined ? {} : { _meta: meta }) },
        capabilities: (envelope['io.modelcontextprotocol/clientCapabilities'] ?? {}) as Json,
        cancelled: mcpReq.signal,
        notify: (name, about) => mcpReq.notify({ method: name, params: { ...about } }),
        async ask(questions) {
          const missing = Object.entries(questions).filter(([name]) => given[name] === undefined);
          if (missing.length > 0)
            throw new Asking({
              resultType: 'input_required',
              inputRequests: Object.fromEntries(missing),
              requestState: JSON.stringify(given),
            });
          return Object.fromEntries(Object.keys(questions).map((name) => [name, given[name]]));
        },
        async updated(uri) {
          if (handler === null) await server.sendResourceUpdated({ uri });
          else handler.notify.resourceUpdated(uri);
        },
      });
      if (result === undefined) throw new ProtocolError(-32601, 'Method not found');
      return { ...result };
    } catch (error) {
      if (error instanceof Asking) return { ...error.result };
      throw error;
    }
  };
  return server;
}

if (process.argv[2] === 'stdio') {
  serveStdio(build, { legacy: process.argv[3] === 'dual' ? 'serve' : 'reject' });
} else {
  handler = createMcpHandler(build, { legacy: 'reject' });
  const http = createServer(toNodeHandler(handler));
  http.listen(0, '127.0.0.1', () => {
    const { port } = http.address() as AddressInfo;
    process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${port}/mcp` })}\n`);
  });
  process.stdin.on('end', () => process.exit(0)).resume();
}
