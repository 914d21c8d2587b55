import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Forwarder {
  readonly origin: string;
  close(): Promise<void>;
}

/**
 * The runner cannot send a key, so it talks to this loopback port, which adds one and changes nothing else. A Host or an
 * Origin that names exactly this port becomes the one of the gateway: the runner means "the server I was pointed at" by
 * it, and the gateway, rightly, knows no other port than its own. Every other Host and Origin goes on as it came, so that
 * the gateway is the one that has to refuse it.
 */
export async function startForwarder(gateway: string, key: string): Promise<Forwarder> {
  const to = new URL(gateway);
  const server = createServer((incoming, response) => forward(incoming, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  function forward(incoming: IncomingMessage, response: ServerResponse): void {
    const outgoing = request({
      host: to.hostname,
      port: to.port,
      method: incoming.method,
      path: incoming.url,
      headers: [...withoutHop(incoming.rawHeaders, renamed), 'Authorization', `Bearer ${key}`],
    });
    outgoing.on('response', (answer) => {
      response.writeHead(
        answer.statusCode ?? 502,
        answer.statusMessage,
        withoutHop(answer.rawHeaders, (value) => value),
      );
      response.flushHeaders();
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    outgoing.on('error', () => response.destroy());
    // A client that hangs up cancels its call: the gateway must see it.
    response.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  }

  function renamed(value: string, name: string): string {
    const scheme = name === 'origin' ? 'http://' : '';
    if (name !== 'host' && name !== 'origin') return value;
    for (const host of ['127.0.0.1', 'localhost'])
      if (value === `${scheme}${host}:${port}`) return `${scheme}${host}:${to.port}`;
    return value;
  }

  return {
    origin: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Name, value, name, value …, without what belongs to one connection. */
function withoutHop(raw: readonly string[], change: (value: string, name: string) => string): string[] {
  const kept: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    if (HOP.has(name.toLowerCase())) continue;
    kept.push(name, change(raw[at + 1] ?? '', name.toLowerCase()));
  }
  return kept;
}

const HOP = new Set(['connection', 'keep-alive', 'transfer-encoding']);
