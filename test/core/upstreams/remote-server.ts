import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface RemoteServer {
  readonly port: number;
  /** Requests as they came: `GET`, or the method of the message. */
  readonly seen: readonly { readonly what: string; readonly host: string; readonly socket: number }[];
  setTools(names: readonly string[]): void;
  /** Breaks every standing event stream. */
  dropStreams(): void;
  /** The next `count` requests for a stream are answered with 503. */
  refuseStreams(count: number): void;
  /** No session it gave is known any more. */
  forgetSessions(): void;
  streams(): number;
}

/** A legacy server over HTTP in this process: sessions, a standing event stream, one tool that answers. */
export async function remoteServer(tls?: { readonly key: string; readonly cert: string }): Promise<RemoteServer> {
  const seen: { what: string; host: string; socket: number }[] = [];
  const sockets = new Map<unknown, number>();
  const streams = new Set<ServerResponse>();
  let tools = ['echo'];
  let session = 0;
  let refusals = 0;
  let known = new Set<string>();

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const message = chunks.length === 0 ? null : JSON.parse(Buffer.concat(chunks).toString());
      const socket = sockets.get(request.socket) ?? sockets.size;
      sockets.set(request.socket, socket);
      seen.push({ what: message?.method ?? request.method, host: request.headers.host ?? '', socket });
      const id = request.headers['mcp-session-id'];
      if (id !== undefined && !known.has(String(id))) return void response.writeHead(404).end();
      if (request.method === 'GET') {
        refusals -= 1;
        if (refusals >= 0) return void response.writeHead(503).end();
        response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
        streams.add(response);
        return response.on('close', () => streams.delete(response));
      }
      if (request.method === 'DELETE' || message.id === undefined) return void response.writeHead(202).end();
      const answer = (body: object) => response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...body }));
      response.setHeader('content-type', 'application/json');
      switch (message.method) {
        case 'initialize': {
          session += 1;
          known.add(`s${session}`);
          response.setHeader('mcp-session-id', `s${session}`);
          const capabilities = { tools: { listChanged: true } };
          return answer({
            result: { protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 'r', version: '1' } },
          });
        }
        case 'tools/list':
          return answer({ result: { tools: tools.map((name) => ({ name, inputSchema: { type: 'object' } })) } });
        case 'tools/call':
          return answer({ result: { content: [{ type: 'text', text: 'here' }] } });
        default:
          return answer({ error: { code: -32601, message: 'Method not found' } });
      }
    });
  }

  const server: Server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    setTools(names) {
      tools = [...names];
    },
    dropStreams() {
      for (const stream of streams) stream.destroy();
    },
    refuseStreams(count) {
      refusals = count;
    },
    forgetSessions() {
      known = new Set();
    },
    streams: () => streams.size,
  };
}
