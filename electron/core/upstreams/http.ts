import type { LookupFunction } from 'node:net';
import {
  type JSONRPCMessage,
  type RequestId,
  SSEClientTransport,
  StreamableHTTPClientTransport,
  type Transport,
  type TransportSendOptions,
} from '@modelcontextprotocol/client';
import type { Dispatcher } from 'undici';
import { sealed, unsealed } from '../exact-text.ts';
import type { Clock } from '../platform.ts';
import type { Channel, Failure } from './channel.ts';
import { type Credentials, NotLetIn, type Presented } from './credentials.ts';
import type { Environment } from './environment.ts';
import { eventStream } from './event-stream.ts';
import { type Origin, openOrigin } from './origin.ts';

export interface HttpParts {
  readonly url: string;
  /** From the vault: they go to the upstream's own origin and nowhere else. */
  readonly secretHeaders: Readonly<Record<string, string>>;
  /** The account that requests go out as: presented with each of them. */
  readonly credentials: Credentials;
  /** `WWW-Authenticate` of a 401; null: without one. */
  noteChallenge(challenge: string | null): void;
  readonly userAgent: string;
  /** For proxies and certificate authorities. */
  readonly environment: Environment;
  readonly allowPrivate: boolean;
  readonly lookup: LookupFunction | undefined;
  readonly clock: Clock;
  readonly limits: { readonly messageBytes: number; readonly ceilingMs: number };
  /** What is for the SDK of a message; null: it is no MCP message. */
  hear(text: string): JSONRPCMessage | null;
  onTooLarge(id: RequestId | null): void;
  /** The response to this request ended; if its answer was not in it, none will come. */
  onStreamEnded(id: RequestId): void;
  /** The standing event stream was opened again; what was said meanwhile may be lost. */
  onStreamAgain(): void;
  /** Aborted when nobody waits for this answer any more. */
  signalFor(id: RequestId): AbortSignal | null;
}

/**
 * An upstream over HTTP: Streamable HTTP, or the two endpoints of 2024-11-05 with `style: 'sse'`. The SDK speaks the
 * protocol; every byte goes through our own `fetch`, which knows one origin only.
 */
export function openHttp(parts: HttpParts, style: 'streamable' | 'sse'): Channel {
  const url = new URL(parts.url);
  let ending: string | null = null;
  let standing = 0;
  let refused: NotLetIn | null = null;
  const connections = openOrigin({ ...parts, url });

  const ownFetch = async (target: string | URL, init?: RequestInit): Promise<Response> => {
    const to = new URL(target);
    if (to.origin !== url.origin) throw new Error('a request to another origin was refused');
    const method = (init?.method ?? 'GET') as Dispatcher.HttpMethod;
    const body = typeof init?.body === 'string' ? unsealed(init.body) : null;
    const id = body === null ? null : requestIn(body);
    if (style === 'sse' && method === 'GET') standing += 1;
    // The SDK's event source would connect again by itself, to a session that was never initialized.
    if (style === 'sse' && standing > 1) throw new Error('the event stream ended');
    const signals = [init?.signal, id === null ? null : parts.signalFor(id)].filter((signal) => signal != null);
    const answer = await presenting({
      path: to.pathname + to.search,
      method,
      headers: headersOf(init?.headers, parts),
      body: body?.text ?? null,
      // A server that answers with plain JSON sends no header before the call has ended, nor a stream before its first event.
      headersTimeout: method === 'GET' ? 0 : parts.limits.ceilingMs + SLACK_MS,
      ...(signals.length === 0 ? {} : { signal: AbortSignal.any(signals) }),
    });
    if (style === 'streamable' && method === 'GET') streamOpened(answer.statusCode);
    const isStream = mediaType(answer.headers['content-type']) === 'text/event-stream';
    const onTooLarge = () => parts.onTooLarge(id);
    const content = isStream
      ? eventStream(answer.body, parts.limits.messageBytes, {
          hear: parts.hear,
          onTooLarge,
          onEnd: (resumable) => streamEnded(id, resumable),
        })
      : forSdk(await whole(answer.body, parts.limits.messageBytes, onTooLarge), parts);
    return response(answer, content);
  };

  /** As the account, and once more where that has something newer to present. */
  async function presenting(request: OriginRequest): Promise<Dispatcher.ResponseData> {
    for (let isLast = false; ; isLast = true) {
      const found = await parts.credentials.present();
      if (found.kind === 'failure') throw notLetIn(found);
      const { presented } = found;
      const path = withQuery(request.path, presented);
      const headers = { ...request.headers, ...presented.headers };
      const answer = await connections.request({ ...request, path, headers });
      const challenge = headerOf(answer, 'www-authenticate');
      const status = refusedWith(answer.statusCode, challenge);
      if (status === null) return answer;
      if (status === 401) parts.noteChallenge(challenge);
      answer.body.on('error', () => {}).destroy();
      const next = await parts.credentials.refused({ status, challenge }, presented, isLast);
      if (next.kind === 'failure') throw notLetIn(next);
      if (isLast) throw new Error('the account was asked for more than once');
    }
  }

  function notLetIn(failure: Failure): NotLetIn {
    refused = new NotLetIn(failure);
    return refused;
  }

  function streamOpened(status: number): void {
    if (status === 404 && standing > 0) {
      // It was there before, so it is our session that is gone.
      ending ??= 'no longer knows our session';
      void transport.close();
    }
    if (status !== 200) return;
    standing += 1;
    if (standing > 1) parts.onStreamAgain();
  }

  function streamEnded(id: RequestId | null, resumable: boolean): void {
    if (style === 'sse') {
      ending ??= 'closed its event stream';
      void transport.close();
    }
    // Events with ids: the SDK takes such a stream up again where it broke off.
    if (id === null || resumable) return;
    parts.clock.after(PARSE_MS, () => parts.onStreamEnded(id));
  }

  const options = { fetch: ownFetch, redirectPolicy: 'same-origin' } as const;
  const transport =
    style === 'sse'
      ? new SSEClientTransport(url, options)
      : new StreamableHTTPClientTransport(url, {
          ...options,
          onInsufficientScope: 'throw',
          reconnectionOptions: RECONNECTION,
        });

  if (style === 'sse') {
    const start = transport.start.bind(transport);
    // The SDK's event source keeps what its `fetch` threw to itself.
    transport.start = () => start().catch((error) => Promise.reject(refused ?? error));
  }
  const send: Transport['send'] = transport.send.bind(transport);
  // The SDK's transports write messages by `JSON.stringify`.
  transport.send = (message: JSONRPCMessage | JSONRPCMessage[], options?: TransportSendOptions) =>
    send(sealed(message) as JSONRPCMessage, options);

  let closing: Promise<void> | null = null;
  async function close(): Promise<void> {
    if (transport instanceof StreamableHTTPClientTransport && transport.sessionId !== undefined && ending === null) {
      await atMost(transport.terminateSession(), parts.clock, GOODBYE_MS);
    }
    ending ??= 'was disconnected';
    await transport.close();
    await connections.destroy();
  }

  return {
    transport,
    pid: null,
    close: () => {
      closing ??= close();
      return closing;
    },
    ending: () => ending,
    garbage: () => 0,
  };
}

type OriginRequest = Omit<Parameters<Origin['request']>[0], 'headers'> & {
  readonly headers: Readonly<Record<string, string>>;
};

/** The SDK's headers and ours. Nothing of a client can be among them: the SDK never sees one. */
function headersOf(given: RequestInit['headers'], parts: HttpParts): Record<string, string> {
  const headers = Object.fromEntries(given instanceof Headers ? given : new Headers(given ?? {}));
  // One name, one header, however it is written: what the account presents takes the place of any other.
  const secret = Object.entries(parts.secretHeaders).map(([name, value]) => [name.toLowerCase(), value] as const);
  return { 'user-agent': parts.userAgent, ...headers, ...Object.fromEntries(secret) };
}

function headerOf({ headers }: Dispatcher.ResponseData, name: string): string | null {
  const value = headers[name];
  return value === undefined ? null : Array.isArray(value) ? value.join(', ') : value;
}

/** A 403 is about the account only where it says so (RFC 6750, 3.1); any other is the server's answer. */
function refusedWith(status: number, challenge: string | null): 401 | 403 | null {
  if (status === 401) return status;
  return status === 403 && challenge !== null && INSUFFICIENT.test(challenge) ? status : null;
}

/** For this one request: an address is logged, quoted and redirected to, a key is not. */
function withQuery(path: string, { query }: Presented): string {
  return Object.entries(query).reduce((address, [name, value]) => {
    const pair = `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
    return `${address}${address.includes('?') ? '&' : '?'}${pair}`;
  }, path);
}

/** The request in a body that the SDK wrote. */
function requestIn({ id, method }: { readonly id?: unknown; readonly method?: unknown }): RequestId | null {
  if (method === undefined) return null;
  return typeof id === 'number' || typeof id === 'string' ? id : null;
}

function mediaType(header: string | string[] | undefined): string {
  return (String(header ?? '').split(';')[0] ?? '').trim().toLowerCase();
}

function response(
  answer: Dispatcher.ResponseData,
  content: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer>,
): Response {
  const headers = new Headers();
  for (const name of SHOWN_TO_THE_SDK) {
    const value = answer.headers[name];
    if (typeof value === 'string') headers.set(name, value);
  }
  const init = { status: answer.statusCode, headers };
  // These carry no body by definition, and `Response` refuses one.
  const isEmpty = [204, 205, 304].includes(answer.statusCode);
  return new Response(isEmpty ? null : content, init);
}

/** What the SDK is to read of an answer that is one message; anything else it gets as it is. */
function forSdk(body: Uint8Array<ArrayBuffer>, { hear }: HttpParts): Uint8Array<ArrayBuffer> {
  const message = hear(new TextDecoder().decode(body));
  return message === null ? body : new TextEncoder().encode(JSON.stringify(message));
}

async function whole(
  body: Dispatcher.ResponseData['body'],
  limit: number,
  onTooLarge: () => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) {
      onTooLarge();
      body.destroy();
      throw new Error('the answer is larger than the limit');
    }
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function atMost(promise: Promise<void>, clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve);
    const finish = () => {
      cancel();
      resolve();
    };
    promise.then(finish, finish);
  });
}

/** For as long as the upstream is in use: a laptop may sleep for a weekend. */
const RECONNECTION = {
  initialReconnectionDelay: 1_000,
  maxReconnectionDelay: 30_000,
  reconnectionDelayGrowFactor: 1.5,
  maxRetries: Number.MAX_SAFE_INTEGER,
};
const SLACK_MS = 30_000;
/** The SDK reads the last event in a few turns of the event loop after the stream has ended. */
const PARSE_MS = 50;
const GOODBYE_MS = 500;
const INSUFFICIENT = /\berror\s*=\s*"?insufficient_scope\b/i;
const SHOWN_TO_THE_SDK = ['content-type', 'mcp-session-id', 'www-authenticate', 'location'];
