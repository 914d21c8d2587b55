import type { IncomingMessage } from 'node:http';

export type Body =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'refused'; readonly status: 400 | 413 | 415; readonly message: string };

/** Reads a JSON body of at most `limit` bytes; an announced length over it is refused without reading. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Body> {
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
  // Also what keeps forms of other pages out: they cannot send this type without asking first.
  if (type !== 'application/json') return { kind: 'refused', status: 415, message: 'Send application/json.' };
  if (request.headers['content-encoding']) return { kind: 'refused', status: 415, message: 'Send it uncompressed.' };
  const tooLarge: Body = { kind: 'refused', status: 413, message: `The request is larger than ${limit} bytes.` };
  if (Number(request.headers['content-length'] ?? 0) > limit) return tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    // Destroying the request would close the connection before the refusal is sent.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) return tooLarge;
      chunks.push(chunk);
    }
  } catch {
    return { kind: 'refused', status: 400, message: 'The request ended early.' };
  }
  try {
    return { kind: 'json', value: JSON.parse(Buffer.concat(chunks).toString('utf8')) };
  } catch {
    return { kind: 'refused', status: 400, message: 'The body is not JSON.' };
  }
}
