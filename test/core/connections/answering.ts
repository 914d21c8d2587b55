import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Answering {
  readonly origin: string;
  readonly seen: readonly { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: string }[];
}

/** An endpoint of a vendor that answers every request like this; a text as it is, else as JSON. */
export async function answering(
  answer: (origin: string, turn: number) => { readonly status?: number; readonly body: unknown },
): Promise<Answering> {
  const seen: { path: string; headers: IncomingHttpHeaders; body: string }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      seen.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() });
      const { status = 200, body } = answer(origin, seen.length);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { origin, seen };
}
