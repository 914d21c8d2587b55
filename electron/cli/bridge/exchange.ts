import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { createByteLines } from './lines.ts';

/** One HTTP request to the running app and what came of it. */
export interface Asked {
  readonly url: URL;
  readonly method: 'POST' | 'GET' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly signal: AbortSignal;
  onHeaders?(status: number, headers: IncomingHttpHeaders): void;
  /** One message of the answer, as it came and on one line; the next one is read when this has resolved. */
  onMessage(bytes: Buffer): Promise<void>;
}

export type Came =
  /** The answer came to its end. */
  | { readonly kind: 'ended' }
  /** HTTP 4xx or 5xx: `body` says why. */
  | { readonly kind: 'refused'; readonly status: number; readonly body: Buffer }
  /** Nothing of the message was sent. */
  | { readonly kind: 'unreachable' }
  /** The connection broke: whether the message was read is not known. */
  | { readonly kind: 'broken' }
  | { readonly kind: 'aborted' };

/** Larger bodies wait for leave: a refusal could not be read by a sender that is still writing. */
const LARGE = 64 * 1024;
/** The app bounds what it sends; this only keeps a stranger on the port from filling the memory. */
const LONGEST_MESSAGE = 512 * 1024 * 1024;

/** Never rejects. Every request has a connection of its own, so none is lost on one that was about to be closed. */
export async function exchange(asked: Asked): Promise<Came> {
  const { signal, body } = asked;
  const isLarge = body !== undefined && body.length > LARGE;
  let sent = false;
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sending = request(asked.url, {
        method: asked.method,
        headers: {
          ...asked.headers,
          ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
          ...(isLarge ? { expect: '100-continue' } : {}),
        },
        agent: false,
        signal,
      });
      sending.on('error', reject);
      sending.on('response', resolve);
      if (isLarge) {
        sending.on('continue', () => {
          sent = true;
          sending.end(body);
        });
        sending.flushHeaders();
        return;
      }
      sending.once('socket', (socket) =>
        socket.once('connect', () => {
          sent = true;
        }),
      );
      sending.end(body);
    });
    const status = response.statusCode ?? 0;
    asked.onHeaders?.(status, response.headers);
    if (status >= 400) return { kind: 'refused', status, body: await whole(response) };
    const type = response.headers['content-type'] ?? '';
    if (type.startsWith('text/event-stream')) {
      for await (const message of eventsOf(response)) await asked.onMessage(message);
    } else {
      const answer = await whole(response);
      if (answer.length > 0) await asked.onMessage(onOneLine(answer));
    }
    return { kind: 'ended' };
  } catch (error) {
    if (signal.aborted) return { kind: 'aborted' };
    if (!(error instanceof Error && 'code' in error)) throw error;
    return { kind: sent ? 'broken' : 'unreachable' };
  }
}

async function whole(response: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The data of each event (HTML standard, 9.2.6). Ids and names of events mean nothing to a client on stdio. */
async function* eventsOf(response: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const ready: Buffer[] = [];
  let data: Buffer[] = [];
  const read = createByteLines((line) => {
    if (line.length === 0) {
      if (data.length > 0) ready.push(data.length === 1 ? (data[0] ?? line) : onOneLine(Buffer.concat(data)));
      data = [];
      return;
    }
    if (line.subarray(0, DATA.length).equals(DATA)) {
      const value = line.subarray(line[DATA.length] === SPACE ? DATA.length + 1 : DATA.length);
      data.push(...(data.length > 0 ? [LINE_END, value] : [value]));
    }
  }, LONGEST_MESSAGE);
  for await (const chunk of response) {
    read(chunk);
    yield* ready.splice(0);
  }
}

/** Line ends in JSON stand between its parts and never inside them, so a blank says the same. */
function onOneLine(json: Buffer): Buffer {
  if (!json.includes(LINE_END) && !json.includes(CARRIAGE_RETURN)) return json;
  return Buffer.from(json.map((byte) => (byte === LINE_END[0] || byte === CARRIAGE_RETURN[0] ? SPACE : byte)));
}

const DATA = Buffer.from('data:');
const LINE_END = Buffer.from('\n');
const CARRIAGE_RETURN = Buffer.from('\r');
const SPACE = 0x20;
