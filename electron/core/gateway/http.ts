import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { isLegacyRequest } from '@modelcontextprotocol/server';
import { ERRORS } from '../../../shared/errors.ts';
import type { Clients } from '../clients/clients.ts';
import type { Log } from '../diagnosis/log.ts';
import { readExactJson } from '../exact-json.ts';
import type { Clock } from '../platform.ts';
import { type Admission, createAdmission } from './admission.ts';
import { type Arrival, EXACT_PATHS } from './arrival.ts';
import { authenticate } from './authenticate.ts';
import { newRequestId } from './mcp-server.ts';
import { openPage } from './open-page.ts';
import type { Rejections } from './rejections.ts';
import { rawResponse, sendError, sendJson, sendPage } from './responses.ts';
import { destinationOf } from './routes.ts';
import type { Sessions } from './sessions.ts';
import { STATELESS_METHODS, type Stateless } from './stateless.ts';
import { toWebRequest, writeWebResponse } from './web.ts';

/** Largest body of one message, bytes. */
export const MAX_BODY = 4 * 1024 * 1024;
/** Streams (GET, `subscriptions/listen`) one key may hold open. */
export const MAX_STREAMS_PER_KEY = 32;
/** A socket that has not sent its headers, or its whole body, by then is closed. */
const HEADERS_MS = 10_000;
const REQUEST_MS = 60_000;

export interface HttpParts {
  readonly clients: Clients;
  readonly sessions: Sessions;
  readonly stateless: Stateless;
  readonly rejections: Rejections;
  /** Without a key: `{status}` alone; with an admin key everything. */
  readonly health: (detailed: boolean) => unknown;
  readonly open: { readonly dashboardUrl: () => string | null; readonly focus: (page: string) => void };
  readonly clock: Clock;
  readonly log: Log;
}

export interface Gateway {
  readonly port: number;
  readonly admission: Admission;
  close(): Promise<void>;
}

export type Listening =
  | { readonly kind: 'listening'; readonly gateway: Gateway }
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused'; readonly reason: string };

/** Listens on 127.0.0.1 and nowhere else. The checks stand in `serve` in the design's order. */
export function listen(parts: HttpParts, port: number): Promise<Listening> {
  const server = createServer({
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: 65_000,
    connectionsCheckingInterval: 1000,
  });
  const admission = createAdmission();
  const responses = new Map<string, Set<ServerResponse>>();
  const streams = new Map<string, number>();
  server.on('request', (request, response) => {
    serve({ ...parts, admission, responses, streams, port: portOf(server) }, request, response).catch(
      (error: unknown) => {
        parts.log.error('request_failed', {
          reason: error instanceof Error ? `${error.name}: ${error.message}` : 'unknown',
        });
        sendError(
          response,
          500,
          { code: ERRORS.internal.code, message: `internal: ${ERRORS.internal.what}` },
          { close: true },
        );
      },
    );
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
    parts.rejections.record({ kind: 'malformed_http', reason: late ? 'headers_timeout' : (error.code ?? 'malformed') });
    socket.end(
      rawResponse(
        late
          ? '408 Request Timeout'
          : error.code === 'HPE_HEADER_OVERFLOW'
            ? '431 Request Header Fields Too Large'
            : '400 Bad Request',
      ),
    );
  });
  const stopListening = parts.clients.onKeyEnded((keyId) => {
    parts.sessions.endOfKey(keyId);
    for (const response of responses.get(keyId) ?? []) response.destroy();
  });

  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      stopListening();
      resolve(error.code === 'EADDRINUSE' ? { kind: 'taken' } : { kind: 'refused', reason: error.message });
    });
    server.listen(port, '127.0.0.1', () => {
      resolve({
        kind: 'listening',
        gateway: {
          port: portOf(server),
          admission,
          async close() {
            stopListening();
            const closed = new Promise<void>((done) => server.close(() => done()));
            for (const held of responses.values()) for (const response of held) response.destroy();
            server.closeAllConnections();
            await closed;
          },
        },
      });
    });
  });
}

interface Serving extends HttpParts {
  readonly admission: Admission;
  readonly responses: Map<string, Set<ServerResponse>>;
  readonly streams: Map<string, number>;
  readonly port: number;
}

async function serve(parts: Serving, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { rejections } = parts;
  const hosts = request.headersDistinct.host ?? [];
  if (hosts.length !== 1) {
    rejections.record({
      kind: 'host_rejected',
      reason: 'not exactly one Host header',
      detail: { hosts: hosts.map(short) },
    });
    return sendError(response, 400, { code: -32600, message: 'Send exactly one Host header.' }, { close: true });
  }
  if (!isOurHost(hosts[0] ?? '', parts.port)) {
    rejections.record({ kind: 'host_rejected', reason: 'foreign Host', detail: { host: short(hosts[0] ?? '') } });
    return sendError(response, 403, { code: -32600, message: 'This Host is not allowed.' }, { close: true });
  }
  const origins = request.headersDistinct.origin ?? [];
  if (origins.length > 1 || (origins[0] !== undefined && !isOurOrigin(origins[0], parts.port))) {
    rejections.record({
      kind: 'origin_rejected',
      reason: 'foreign Origin',
      detail: { origin: short(origins.join(', ')) },
    });
    return sendError(response, 403, { code: -32600, message: 'This Origin is not allowed.' }, { close: true });
  }

  const destination = destinationOf(request.url ?? '');
  const method = request.method ?? '';
  const reads = method === 'GET' || method === 'HEAD';
  if (destination.kind === 'open' && reads)
    return sendPage(response, 200, openPage(destination.page, request, parts.open));
  if (destination.kind === 'absent' && destination.public && (reads || method === 'POST'))
    return sendJson(response, 404, { error: 'not_found' });
  if (destination.kind === 'health' && reads && request.headersDistinct.authorization === undefined)
    return sendJson(response, 200, parts.health(false));

  const caller = authenticate(parts.clients, request, destination.kind === 'mcp' ? destination.workspace : null);
  if (caller.kind === 'refused') {
    rejections.record({ kind: 'unauthorized', reason: caller.why, keyPrefix: caller.keyPrefix });
    return sendUnauthorized(request, response);
  }
  const who = {
    workspace: caller.workspace.name,
    clientId: caller.client.id,
    client: caller.client.name,
    keyPrefix: caller.key.prefix,
  };

  switch (destination.kind) {
    case 'health':
      if (!reads) return notAllowed(parts, response, who, method, 'GET');
      return sendJson(response, 200, parts.health(caller.key.role === 'admin'));
    case 'open':
      return notAllowed(parts, response, who, method, 'GET');
    case 'absent':
      rejections.record({ kind: 'route_absent', reason: 'no such route', ...who });
      return sendError(response, 404, { code: -32600, message: 'There is nothing here. MCP is at /mcp.' });
    case 'mcp':
      break;
  }
  if (caller.key.role === 'admin') {
    rejections.record({ kind: 'forbidden', reason: 'admin keys see health and never call', ...who });
    return sendError(response, 403, {
      code: -32600,
      message: 'A key with the role admin sees detailed health and never lists or calls. Use an executor key.',
    });
  }
  if (method !== 'POST' && method !== 'GET' && method !== 'DELETE')
    return notAllowed(parts, response, who, method, 'POST, GET, DELETE');

  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const arrival: Omit<Arrival, 'slices'> = {
    requestId: newRequestId(),
    workspace: caller.workspace,
    client: caller.client,
    key: caller.key,
    onlyUpstream: destination.upstream,
    gone: gone.signal,
  };
  hold(parts.responses, caller.key.id, response);
  if (method === 'POST') return post(parts, arrival, request, response);
  return stream(parts, arrival, request, response);
}

async function post(
  parts: Serving,
  arrival: Omit<Arrival, 'slices'>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { rejections, admission } = parts;
  const who = whoOf(arrival);
  const refuse = (
    status: number,
    kind: Parameters<Rejections['record']>[0]['kind'],
    code: number,
    message: string,
    id?: string | number | null,
    headers?: Record<string, string>,
  ) => {
    rejections.record({ kind, reason: message, ...who, detail: { requestId: arrival.requestId } });
    sendError(
      response,
      status,
      { code, message },
      { ...(id === undefined ? {} : { id }), ...(headers ? { headers } : {}), close: !request.complete },
    );
  };

  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type))
    return refuse(415, 'unsupported_media_type', -32600, 'Send content-type: application/json.');
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    return refuse(415, 'unsupported_media_type', -32600, 'Send the body without content-encoding.');
  const announced = Number(request.headers['content-length'] ?? 0);
  const tooLarge = () =>
    refuse(
      413,
      'body_too_large',
      -32600,
      `The body is larger than ${MAX_BODY} bytes${announced > 0 ? ` (announced: ${announced})` : ''}.`,
    );
  if (announced > MAX_BODY) return tooLarge();

  const entered = admission.enter(arrival.key.id);
  if (entered === 'full') {
    return refuse(
      429,
      'rate_limited',
      ERRORS.rate_limited.code,
      `rate_limited: ${ERRORS.rate_limited.what} ${ERRORS.rate_limited.fix}`,
      undefined,
      { 'retry-after': '1' },
    );
  }
  const leave = await entered;
  try {
    const body = await readBody(request, MAX_BODY);
    if (body === 'too_large') return tooLarge();
    if (body === 'broken') return;
    const read = readExactJson(body, EXACT_PATHS);
    if (read.kind === 'refused')
      return refuse(
        400,
        'message_rejected',
        read.why === 'duplicate_key' || read.why === 'depth' ? -32600 : -32700,
        read.message,
      );
    const message = messageOf(read.value);
    if (message.kind === 'none') return refuse(400, 'message_rejected', -32600, message.why);
    if (message.kind === 'notification' && message.method === 'tools/call') {
      return refuse(400, 'message_rejected', -32600, 'A tools/call without an id is not run.');
    }
    await dispatch(parts, { ...arrival, slices: read.slices }, message, request, response, refuse, leave);
  } finally {
    leave();
  }
}

type Refuse = (
  status: number,
  kind: Parameters<Rejections['record']>[0]['kind'],
  code: number,
  message: string,
  id?: string | number | null,
  headers?: Record<string, string>,
) => void;

async function dispatch(
  parts: Serving,
  arrival: Arrival,
  message: Message & { kind: 'request' | 'notification' | 'response' },
  request: IncomingMessage,
  response: ServerResponse,
  refuse: Refuse,
  leave: () => void,
): Promise<void> {
  const web = toWebRequest(request, arrival.gone);
  const id = message.kind === 'request' ? message.id : undefined;
  if (!(await isLegacyRequest(web, message.value))) {
    if (message.kind !== 'response' && !STATELESS_METHODS.has(message.method))
      return refuse(404, 'message_rejected', -32601, 'Method not found', id);
    if (message.kind === 'request' && message.method === 'subscriptions/listen') {
      const release = takeStream(parts, arrival.key.id, response);
      if (release === 'full')
        return refuse(
          429,
          'too_many_streams',
          ERRORS.rate_limited.code,
          `rate_limited: at most ${MAX_STREAMS_PER_KEY} streams per key.`,
          id,
          { 'retry-after': '5' },
        );
      leave();
    }
    return writeWebResponse(response, await parts.stateless.serve(arrival, web, message.value));
  }

  if (message.kind === 'request' && message.method === 'initialize') {
    return writeWebResponse(
      response,
      await parts.sessions.open(arrival, toWebRequest(request, arrival.gone, ['mcp-session-id']), message.value),
    );
  }
  const sessionId = request.headers['mcp-session-id'];
  if (typeof sessionId !== 'string')
    return refuse(
      400,
      'message_rejected',
      -32600,
      'Start with initialize, or send the Mcp-Session-Id it answered.',
      id,
    );
  const served = parts.sessions.serve(arrival, sessionId, web, message.value);
  if (served === 'unknown') return refuse(404, 'session_unknown', -32001, 'Session not found', id);
  return writeWebResponse(response, await served);
}

/** GET opens the stream of a session, DELETE ends the session; both exist only in the 2025 revisions. */
async function stream(
  parts: Serving,
  arrival: Omit<Arrival, 'slices'>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { rejections } = parts;
  const who = whoOf(arrival);
  const sessionId = request.headers['mcp-session-id'];
  if (typeof sessionId !== 'string') {
    rejections.record({ kind: 'method_not_allowed', reason: 'no session', ...who });
    return sendError(
      response,
      405,
      { code: -32600, message: `${request.method} needs the Mcp-Session-Id of an initialized session.` },
      { headers: { allow: 'POST' } },
    );
  }
  const isGet = request.method === 'GET';
  const release = isGet ? takeStream(parts, arrival.key.id, response) : null;
  if (release === 'full') {
    rejections.record({ kind: 'too_many_streams', reason: `more than ${MAX_STREAMS_PER_KEY} streams`, ...who });
    return sendError(
      response,
      429,
      { code: ERRORS.rate_limited.code, message: `rate_limited: at most ${MAX_STREAMS_PER_KEY} streams per key.` },
      { headers: { 'retry-after': '5' } },
    );
  }
  const served = parts.sessions.serve(
    { ...arrival, slices: new Map() },
    sessionId,
    toWebRequest(request, arrival.gone),
    undefined,
  );
  if (served === 'unknown') {
    rejections.record({ kind: 'session_unknown', reason: 'unknown session', ...who });
    return sendError(response, 404, { code: -32001, message: 'Session not found' });
  }
  return writeWebResponse(response, await served);
}

/** Counts an open stream until its response closes. */
function takeStream(parts: Serving, keyId: string, response: ServerResponse): 'taken' | 'full' {
  const now = parts.streams.get(keyId) ?? 0;
  if (now >= MAX_STREAMS_PER_KEY) return 'full';
  parts.streams.set(keyId, now + 1);
  response.once('close', () => {
    const left = (parts.streams.get(keyId) ?? 1) - 1;
    if (left === 0) parts.streams.delete(keyId);
    else parts.streams.set(keyId, left);
  });
  return 'taken';
}

type Message =
  | { readonly kind: 'request'; readonly id: string | number; readonly method: string; readonly value: unknown }
  | { readonly kind: 'notification'; readonly method: string; readonly value: unknown }
  | { readonly kind: 'response'; readonly value: unknown }
  | { readonly kind: 'none'; readonly why: string };

/** One JSON-RPC message, or why it is none. Batches are refused in every revision (design section 9, C5). */
function messageOf(value: unknown): Message {
  if (Array.isArray(value)) return { kind: 'none', why: 'Batches are not accepted; send one message.' };
  if (typeof value !== 'object' || value === null) return { kind: 'none', why: 'The body is not a JSON-RPC message.' };
  const { jsonrpc, id, method, params } = value as Record<string, unknown>;
  if (jsonrpc !== '2.0') return { kind: 'none', why: 'jsonrpc must be "2.0".' };
  if (params !== undefined && (typeof params !== 'object' || params === null || Array.isArray(params)))
    return { kind: 'none', why: 'params must be an object.' };
  if (method === undefined) {
    const isResponse = (typeof id === 'string' || typeof id === 'number') && ('result' in value || 'error' in value);
    return isResponse ? { kind: 'response', value } : { kind: 'none', why: 'The body is not a JSON-RPC message.' };
  }
  if (typeof method !== 'string') return { kind: 'none', why: 'method must be a string.' };
  if (id === undefined) return { kind: 'notification', method, value };
  if (typeof id !== 'string' && typeof id !== 'number')
    return { kind: 'none', why: 'id must be a string or a number.' };
  return { kind: 'request', id, method, value };
}

function readBody(request: IncomingMessage, limit: number): Promise<Buffer | 'too_large' | 'broken'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        request.pause();
        resolve('too_large');
        return;
      }
      chunks.push(chunk);
    });
    request.on('end', () => resolve(Buffer.concat(chunks, size)));
    // The caller hung up before its message was whole: nothing is run and nobody is left to answer.
    request.on('error', () => resolve('broken'));
    request.on('close', () => resolve('broken'));
  });
}

function hold(open: Map<string, Set<ServerResponse>>, keyId: string, response: ServerResponse): void {
  let held = open.get(keyId);
  if (held === undefined) {
    held = new Set();
    open.set(keyId, held);
  }
  const own = held;
  own.add(response);
  response.once('close', () => {
    own.delete(response);
    if (own.size === 0 && open.get(keyId) === own) open.delete(keyId);
  });
}

/** The body was not read; the connection closes so that nobody sends it for nothing. */
function sendUnauthorized(request: IncomingMessage, response: ServerResponse): void {
  const headers = { 'www-authenticate': 'Bearer realm="gatehouse"' };
  const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
  sendError(response, 401, { code: -32600, message: '401 unauthorized' }, { headers, close: hasBody });
}

function notAllowed(parts: Serving, response: ServerResponse, who: object, method: string, allow: string): void {
  parts.rejections.record({ kind: 'method_not_allowed', reason: short(method), ...who });
  sendError(
    response,
    405,
    { code: -32600, message: `This address takes ${allow}.` },
    { headers: { allow }, close: true },
  );
}

function whoOf(arrival: Omit<Arrival, 'slices'>): {
  workspace: string;
  clientId: string;
  client: string;
  keyPrefix: string;
} {
  return {
    workspace: arrival.workspace.name,
    clientId: arrival.client.id,
    client: arrival.client.name,
    keyPrefix: arrival.key.prefix,
  };
}

function isOurHost(host: string, port: number): boolean {
  return host === `127.0.0.1:${port}` || host === `localhost:${port}` || host === `[::1]:${port}`;
}

/** Only pages of this very port: another port of the same machine is another site (P2). */
function isOurOrigin(origin: string, port: number): boolean {
  return origin.startsWith('http://') && isOurHost(origin.slice('http://'.length), port);
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Foreign text in an audit entry: enough to recognise it, never enough to fill the disk. */
function short(text: string): string {
  return text.slice(0, 200);
}
