import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';

export interface Asked {
  readonly method: 'GET' | 'POST';
  /** Path and query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Answered {
  readonly status: number;
  readonly location: string | null;
  /** JSON; null where there is none. */
  readonly body: unknown;
}

/**
 * One request to a handler of Node's HTTP, within this process: what it is given is what our listener has let through and
 * read, and of its answer only status, target and JSON come back. No header or page of the library reaches a program.
 */
export async function exchange(
  handle: (request: IncomingMessage, response: ServerResponse) => unknown,
  asked: Asked,
): Promise<Answered> {
  const request = new IncomingMessage(new Socket());
  request.method = asked.method;
  request.url = asked.target;
  request.headers = {
    ...asked.headers,
    ...(asked.body === '' ? {} : { 'content-length': String(Buffer.byteLength(asked.body)) }),
  };
  if (asked.body !== '') request.push(asked.body);
  request.push(null);
  const response = new Kept(request);
  await handle(request, response);
  await response.ended;
  const location = response.getHeader('location');
  return {
    status: response.statusCode,
    location: typeof location === 'string' ? location : null,
    body: jsonIn(Buffer.concat(response.chunks).toString('utf8')),
  };
}

/** A response that is written nowhere. */
class Kept extends ServerResponse {
  readonly chunks: Buffer[] = [];
  readonly ended = new Promise<void>((resolve) => this.once('kept', resolve));

  override write(chunk: unknown): boolean {
    if (typeof chunk === 'string' || Buffer.isBuffer(chunk)) this.chunks.push(Buffer.from(chunk));
    return true;
  }

  override end(chunk?: unknown): this {
    this.write(chunk);
    this.emit('kept');
    return super.end();
  }
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
