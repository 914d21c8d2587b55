import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { isLegacyRequest } from '@modelcontextprotocol/server';
import { ERRORS } from '../../../shared/errors.ts';
import type { ClientSignIn } from '../client-sign-in/client-sign-in.ts';
import { METADATA, type Resource, resourceAt } from '../client-sign-in/resource.ts';
import type { Clients } from '../clients/clients.ts';
import { faultFields } from '../diagnosis/fault.ts';
import type { Log } from '../diagnosis/log.ts';
import { readExactJson } from '../exact-json.ts';
import type { Clock } from '../platform.ts';
import { type Admission, createAdmission } from './admission.ts';
import { type Arrival, EXACT_PATHS } from './arrival.ts';
import { authenticate } from './authenticate.ts';
import { MAX_BODY, readBody } from './body.ts';
import { withAnswerText } from './client-answer.ts';
import { unsealedMessage } from './exact-answers.ts';
import { foreign, short } from './foreign.ts';
import { newRequestId } from './mcp-server.ts';
import { type Message, messageOf } from './message.ts';
import { openPage } from './open-page.ts';
import type { Rejections } from './rejections.ts';
import { rawResponse, sendError, sendJson, sendPage } from './responses.ts';
import { isSignIn, routeOf } from './routes.ts';
import type { Sessions } from './sessions.ts';
import { createSignInDoor, type SignInDoor } from './sign-in.ts';
import type { Stateless } from './stateless.ts';
import { toWebRequest, withRequestId, writeWebResponse } from './web.ts';

/** Connections at once; one more is closed unanswered, so that no caller can use up the machine's file descriptors. */
export const MAX_CONNECTIONS = 1024;
/** Streams (GET, `subscriptions/listen`) one key may hold open. */
export const MAX_STREAMS_PER_KEY = 32;
/** A socket that has not sent its headers, or its whole body, by then is closed. */
const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
/** Why an arrival's `gone` aborts. */
const GONE = 'the connection was closed';

export interface HttpParts {
  readonly clients: Clients;
  readonly sessions: Sessions;
  readonly stateless: Stateless;
  readonly rejections: Rejections;
  /** Programs that sign in by themselves. */
  readonly signIn: ClientSignIn;
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
    // Node would answer a missing Host by itself, without our headers and unrecorded.
    requireHostHeader: false,
  });
  server.maxConnections = MAX_CONNECTIONS;
  const admission = createAdmission(parts.clock);
  const responses = new Map<string, Set<ServerResponse>>();
  const streams = new Map<string, number>();
  const door = createSignInDoor(parts);
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    const requestId = newRequestId();
    serve({ ...parts, door, admission, responses, streams, port: portOf(server), requestId }, request, response).catch(
      (error: unknown) => {
        parts.log.error('request_failed', { requestId, ...faultFields(error) });
        const message = `internal: ${ERRORS.internal.what} ${ERRORS.internal.fix} request ${requestId}`;
        sendError(response, 500, { code: ERRORS.internal.code, message }, { close: true, requestId });
      },
    );
  };
  server.on('request', onRequest);
  // Node would ask for the body before a single check was made.
  server.on('checkContinue', onRequest);
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    parts.rejections.record({ kind: 'malformed_http', reason: 'unknown expectation' });
    sendError(response, 417, { code: -32600, message: 'Send no Expect header but 100-continue.' }, { close: true });
  });
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    parts.rejections.record({ kind: 'method_not_allowed', reason: 'CONNECT' });
    socket.end(rawResponse('405 Method Not Allowed'));
  });
  server.on('drop', () => parts.rejections.record({ kind: 'too_many_connections', reason: `over ${MAX_CONNECTIONS}` }));
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
  readonly door: SignInDoor;
  readonly admission: Admission;
  readonly responses: Map<string, Set<ServerResponse>>;
  readonly streams: Map<string, number>;
  readonly port: number;
  readonly requestId: string;
}

async function serve(parts: Serving, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { rejections, requestId } = parts;
  const stranger = foreign(request, parts.port);
  if (stranger !== null) {
    const { status, kind, reason, message, detail } = stranger;
    rejections.record({ kind, reason, requestId, detail });
    return sendError(response, status, { code: -32600, message }, { close: true });
  }

  const method = request.method ?? '';
  const routed = routeOf(request.url ?? '', method);
  const { destination } = routed;
  if (routed.public) {
    if (destination.kind === 'open') return sendPage(response, 200, openPage(destination, request, parts.open));
    if (isSignIn(destination)) return parts.door.serve(destination, request, response, requestId);
    if (destination.kind === 'absent') return sendJson(response, 404, { error: 'not_found' });
    if (destination.kind === 'health' && request.headersDistinct.authorization === undefined)
      return sendJson(response, 200, parts.health(false));
  }

  const resource = destination.kind === 'mcp' ? resourceAt(pathOf(request)) : null;
  const caller = authenticate(parts, request, resource);
  if (caller.kind === 'refused') {
    rejections.record({ kind: 'unauthorized', reason: caller.why, requestId, keyPrefix: caller.keyPrefix });
    return sendUnauthorized(parts, request, response, resource);
  }
  if (caller.kind === 'locked') {
    rejections.record({ kind: 'sign_in_locked', reason: 'the keychain is locked', requestId });
    // The next try finds it open, once the person has unlocked it.
    await parts.signIn.state();
    const message =
      'Your sign-in cannot be checked while the keychain of this machine is locked. Unlock it and try again.';
    return sendError(response, 503, { code: -32600, message }, { headers: { 'retry-after': '5' } });
  }
  const who = {
    requestId,
    workspace: caller.workspace.name,
    clientId: caller.client.id,
    client: caller.client.name,
    keyPrefix: caller.key.prefix,
  };

  switch (destination.kind) {
    case 'health':
      if (!routed.public) return notAllowed(parts, response, who, method, 'GET');
      return sendJson(response, 200, parts.health(caller.key.role === 'admin'));
    case 'open':
    case 'resource':
    case 'server':
    case 'authorize':
    case 'resume':
    case 'waiting':
    case 'answer':
    case 'script':
      return notAllowed(parts, response, who, method, 'GET');
    case 'register':
    case 'token':
    case 'revoke':
      return notAllowed(parts, response, who, method, 'POST');
    case 'absent':
      rejections.record({ kind: 'route_absent', reason: 'no such route', ...who });
      return sendError(
        response,
        404,
        { code: -32600, message: 'There is nothing here. MCP is at /mcp.' },
        { requestId },
      );
    case 'mcp':
      break;
  }
  if (caller.key.role === 'admin') {
    rejections.record({ kind: 'forbidden', reason: 'admin keys see health and never call', ...who });
    const message = 'A key with the role admin sees detailed health and never lists or calls. Use an executor key.';
    return sendError(response, 403, { code: -32600, message }, { requestId });
  }
  if (method !== 'POST' && method !== 'GET' && method !== 'DELETE')
    return notAllowed(parts, response, who, method, 'POST, GET, DELETE');

  const gone = new AbortController();
  // With a reason of our own: every answered request ends here, and the default one carries a stack.
  response.once('close', () => gone.abort(GONE));
  const arrival: Omit<Arrival, 'slices'> = {
    requestId,
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
    rejections.record({ kind, reason: message, ...who });
    sendError(
      response,
      status,
      { code, message },
      { requestId: arrival.requestId, ...(id === undefined ? {} : { id }), ...(headers ? { headers } : {}) },
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
    const body = await readBody(request, response, MAX_BODY);
    if (body === 'too_large') return tooLarge();
    if (body === 'broken') return;
    const read = readExactJson(body, EXACT_PATHS);
    if (read.kind === 'refused')
      return refuse(
        400,
        'message_rejected',
        read.why === 'encoding' || read.why === 'syntax' ? -32700 : -32600,
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
  const web = toWebRequest(request, null);
  const id = message.kind === 'request' ? message.id : undefined;
  if (!(await isLegacyRequest(web, message.value))) {
    if (message.kind !== 'response' && !parts.stateless.knows(arrival, message.method))
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
    const followed = toWebRequest(request, arrival.gone);
    return deliver(parts, arrival, response, await parts.stateless.serve(arrival, followed, message.value));
  }

  if (message.kind === 'request' && message.method === 'initialize') {
    return deliver(
      parts,
      arrival,
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
  const value = message.kind === 'response' ? withAnswerText(message.value, arrival.slices) : message.value;
  const served = await parts.sessions.serve(arrival, sessionId, web, value);
  if (served === 'unknown') return refuse(404, 'session_unknown', -32001, 'Session not found', id);
  if (served === 'in_flight')
    return refuse(400, 'message_rejected', -32600, 'A request with this id is still in flight in this session.', id);
  return deliver(parts, arrival, response, served);
}

/** Writes a handler's answer; a refusal by the protocol's own rules is recorded like ours. */
async function deliver(
  parts: Serving,
  arrival: Omit<Arrival, 'slices'>,
  response: ServerResponse,
  answer: Response,
): Promise<void> {
  if (answer.status >= 400) {
    const reason = short(unsealedMessage(Buffer.from(await answer.clone().arrayBuffer())).toString('utf8'));
    parts.rejections.record({ kind: 'message_rejected', reason, ...whoOf(arrival), detail: { status: answer.status } });
    return writeWebResponse(response, await withRequestId(answer, arrival.requestId));
  }
  return writeWebResponse(response, answer);
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
      { headers: { allow: 'POST' }, requestId: arrival.requestId },
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
      { headers: { 'retry-after': '5' }, requestId: arrival.requestId },
    );
  }
  const served = await parts.sessions.serve(
    { ...arrival, slices: new Map() },
    sessionId,
    toWebRequest(request, arrival.gone),
    undefined,
  );
  // GET and DELETE carry no request, so nothing can be in flight under its id.
  if (served === 'unknown' || served === 'in_flight') {
    rejections.record({ kind: 'session_unknown', reason: 'unknown session', ...who });
    return sendError(response, 404, { code: -32001, message: 'Session not found' }, { requestId: arrival.requestId });
  }
  return deliver(parts, arrival, response, served);
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

/** Tells a client where it can sign in by itself (RFC 9728 section 5.1), as far as it can. */
function sendUnauthorized(
  { signIn }: Serving,
  request: IncomingMessage,
  response: ServerResponse,
  resource: Resource | null,
): void {
  const where =
    resource === null || !signIn.isOn()
      ? ''
      : `, resource_metadata="http://${request.headers.host}${METADATA}${resource.path}"`;
  const headers = { 'www-authenticate': `Bearer realm="gatehouse"${where}` };
  sendError(response, 401, { code: -32600, message: '401 unauthorized' }, { headers });
}

function notAllowed(
  parts: Serving,
  response: ServerResponse,
  who: { readonly requestId: string },
  method: string,
  allow: string,
): void {
  parts.rejections.record({ kind: 'method_not_allowed', reason: short(method), ...who });
  sendError(
    response,
    405,
    { code: -32600, message: `This address takes ${allow}.` },
    { headers: { allow }, close: true, requestId: who.requestId },
  );
}

function whoOf(arrival: Omit<Arrival, 'slices'>): {
  requestId: string;
  workspace: string;
  clientId: string;
  client: string;
  keyPrefix: string;
} {
  return {
    requestId: arrival.requestId,
    workspace: arrival.workspace.name,
    clientId: arrival.client.id,
    client: arrival.client.name,
    keyPrefix: arrival.key.prefix,
  };
}

function pathOf({ url = '' }: IncomingMessage): string {
  const question = url.indexOf('?');
  return question < 0 ? url : url.slice(0, question);
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
