import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** One request that reached a vendor, and what it was answered. */
export interface SeenRequest {
  readonly at: 'authorization server' | 'mcp server';
  readonly origin: string;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The body as a form; empty when it is none. */
  readonly form: URLSearchParams;
  /** Null until it is answered. Text of an MCP server's answer is not kept. */
  readonly answer: Answered | null;
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

/** A listener on any free port of 127.0.0.1, which reads every request whole before it is handled. */
export interface Front {
  readonly origin: string;
  stop(): Promise<void>;
}

export type Arrived = SeenRequest & { answer: Answered | null };

export async function startFront(
  at: SeenRequest['at'],
  seen: SeenRequest[],
  handle: (arrived: Arrived, request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<Front> {
  const server = createServer(async (incoming, response) => {
    const url = new URL(incoming.url ?? '/', origin);
    // A client that hangs up in the middle of its request is no request.
    const body = await buffer(incoming).catch(() => null);
    if (body === null) return;
    const text = body.toString('utf8');
    const isForm = incoming.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true;
    const arrived: Arrived = {
      at,
      origin,
      method: incoming.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams,
      headers: incoming.headers,
      body: text,
      form: new URLSearchParams(isForm ? text : ''),
      answer: null,
    };
    seen.push(arrived);
    await handle(arrived, incoming, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function answer(arrived: Arrived, response: ServerResponse, answered: Answered): void {
  arrived.answer = answered;
  for (const [name, value] of Object.entries(answered.headers)) {
    if (value !== undefined) response.setHeader(name, value);
  }
  response.writeHead(answered.status).end(answered.body);
}

export function json(status: number, body: unknown, headers: Answered['headers'] = {}): Answered {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

/** The same request, but for its target, at another port of this machine, Host included, and its whole answer. */
export function passOn(arrived: Arrived, target: string, port: number): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: '127.0.0.1',
      port,
      method: arrived.method,
      path: target,
      headers: { ...arrived.headers, connection: 'close' },
    });
    outgoing.on('error', reject);
    outgoing.on('response', async (response) => {
      const body = (await buffer(response)).toString('utf8');
      const { connection: _, 'transfer-encoding': __, 'content-length': ___, ...headers } = response.headers;
      resolve({ status: response.statusCode ?? 502, headers, body });
    });
    outgoing.end(arrived.body);
  });
}
