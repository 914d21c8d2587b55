import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { z } from 'zod';
import type { AuditInput } from '../core/audit/audit.ts';
import type { Core } from '../core/core.ts';
import { faultFields } from '../core/diagnosis/fault.ts';
import type { Log } from '../core/diagnosis/log.ts';
import type { Clock } from '../core/platform.ts';
import { readBody } from './body.ts';
import { contentSecurityPolicy, PLAIN_HEADERS } from './headers.ts';
import { HTML, type Page, readPages, render } from './pages.ts';
import { createSignIn, type SignIn, type Tab } from './sign-in.ts';
import { openStream } from './stream.ts';

export interface DashboardOptions {
  readonly core: Core;
  /** The built renderer: holds `index.html` and `assets/`. */
  readonly rendererFolder: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Wanted port; 0 or none takes any free one, and so does a port that is taken. */
  readonly port?: number;
  /** Records refusals that the person should be able to find later. */
  readonly record?: (entry: AuditInput) => void;
}

export interface Dashboard {
  /** `http://127.0.0.1:<port>`, no slash at its end: a sign-in page and nothing else to whoever has no link. */
  readonly url: string;
  /** A one-time link, good for ten minutes. The token stands in the fragment, which no browser sends to a server. */
  link(): string;
  close(): Promise<void>;
}

/**
 * Serves renderer and API to the browser of a headless machine, on its own loopback port with its own sign-in (design
 * section 4). The caller hands the result to `core.setDashboard`.
 */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const pages = await readPages(options.rendererFolder);
  const signIn = createSignIn(options);
  const streams = new Map<Tab, Set<() => void>>();
  signIn.onEnd((tab) => {
    for (const end of streams.get(tab) ?? []) end();
  });
  const server = createServer({ requireHostHeader: false, headersTimeout: 15_000, requestTimeout: 30_000 });
  server.maxConnections = 256;
  const port = await listen(server, options.port ?? 0, options.log);
  const parts: Parts = { ...options, pages, signIn, streams, hosts: hostsOf(port), cookieName: `gatehouse-${port}` };
  server.on('request', (request, response) => {
    handle(request, response, parts).catch((error: unknown) => fail(response, error, options.log));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    recordRefusal(parts, 'malformed_http', { reason: error.code ?? 'malformed' });
    const headers = Object.entries(PLAIN_HEADERS).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 400 Bad Request\r\n${headers.join('')}content-length: 0\r\nconnection: close\r\n\r\n`);
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    link: () => `${url}/#sign-in=${signIn.mintLink()}`,
    close: () =>
      new Promise((resolve) => {
        for (const ends of streams.values()) for (const end of ends) end();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Parts extends DashboardOptions {
  readonly pages: ReadonlyMap<string, Page>;
  readonly signIn: SignIn;
  readonly streams: Map<Tab, Set<() => void>>;
  readonly hosts: ReadonlySet<string>;
  readonly cookieName: string;
}

const STREAMS_PER_TAB = 4;
const SIGN_IN_BODY = z.object({ token: z.string().min(1).max(200) });

async function handle(request: IncomingMessage, response: ServerResponse, parts: Parts): Promise<void> {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  const refusal = foreign(request, path, parts);
  if (refusal) {
    recordRefusal(parts, refusal.kind, { path: path.slice(0, 200) });
    return answer(response, refusal.status, { message: refusal.message });
  }
  if (path === '/sign-in') return exchangeLink(request, response, parts);
  if (path === '/sign-out' || path.startsWith('/api/')) return signedIn(request, response, path, parts);
  if (request.method !== 'GET' && request.method !== 'HEAD') return methodNotAllowed(response, 'GET, HEAD');
  const page = parts.pages.get(path);
  if (!page) return answer(response, 404, { message: 'There is no such page.' });
  const nonce = randomBytes(16).toString('base64url');
  const headers: Record<string, string> = { ...PLAIN_HEADERS, 'content-type': page.contentType };
  if (page.contentType === HTML) headers['content-security-policy'] = contentSecurityPolicy(nonce);
  const body = render(page, nonce);
  response.writeHead(200, { ...headers, 'content-length': String(body.length) });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function recordRefusal({ record }: Parts, kind: string, detail: Readonly<Record<string, unknown>>): void {
  record?.({
    phase: 'event',
    kind,
    outcome: 'refused',
    errorClass: kind,
    detail: { where: 'dashboard', ...detail },
  });
}

interface Refusal {
  readonly status: 400 | 403;
  readonly kind: 'host_rejected' | 'origin_rejected' | 'key_on_dashboard';
  readonly message: string;
}

/** Rebound names, other web pages and agents: refused before anything else is read. */
function foreign(request: IncomingMessage, path: string, { hosts }: Parts): Refusal | null {
  const host = request.headersDistinct.host ?? [];
  if (host.length !== 1) return { status: 400, kind: 'host_rejected', message: 'One Host header is needed.' };
  if (!hosts.has(host[0]!.toLowerCase())) {
    return { status: 403, kind: 'host_rejected', message: 'This address is not the dashboard.' };
  }
  const origins = request.headersDistinct.origin ?? [];
  if (origins.some((origin) => origin !== `http://${host[0]!.toLowerCase()}`)) {
    return { status: 403, kind: 'origin_rejected', message: 'Other pages may not use the dashboard.' };
  }
  const site = request.headers['sec-fetch-site'];
  const doesSomething = path.startsWith('/api/') || (request.method !== 'GET' && request.method !== 'HEAD');
  if (doesSomething && (site === 'cross-site' || site === 'same-site')) {
    return { status: 403, kind: 'origin_rejected', message: 'Other pages may not use the dashboard.' };
  }
  if ((request.headersDistinct.authorization ?? []).some((value) => /^bearer\s+gh_/i.test(value.trim()))) {
    return { status: 403, kind: 'key_on_dashboard', message: 'A client key opens nothing here.' };
  }
  return null;
}

async function exchangeLink(request: IncomingMessage, response: ServerResponse, parts: Parts): Promise<void> {
  if (request.method !== 'POST') return methodNotAllowed(response, 'POST');
  const body = await readBody(request, 4096);
  if (body.kind !== 'json') return answer(response, body.status, { message: body.message });
  const wanted = SIGN_IN_BODY.safeParse(body.value);
  if (!wanted.success) return answer(response, 400, { message: 'A token is needed.' });
  const exchange = parts.signIn.exchange(wanted.data.token, cookieOf(request, parts.cookieName));
  if (exchange.kind === 'signed_in') {
    parts.log.info('dashboard_signed_in');
    parts.record?.({ phase: 'event', kind: 'dashboard_signed_in', outcome: 'done' });
    const cookie = `${parts.cookieName}=${exchange.cookie}; Path=/; HttpOnly; SameSite=Strict`;
    return answer(response, 200, { token: exchange.token }, { 'set-cookie': cookie });
  }
  if (exchange.kind === 'too_many') {
    const wait = { 'retry-after': String(exchange.retryAfterSeconds) };
    return answer(response, 429, { message: 'Too many wrong links. Wait a minute and try again.' }, wait);
  }
  recordRefusal(parts, 'dashboard_link_refused', {});
  const message = 'This link was used already or is older than ten minutes. Run "gatehouse dashboard" for a new one.';
  return answer(response, 401, { message });
}

async function signedIn(request: IncomingMessage, response: ServerResponse, path: string, parts: Parts): Promise<void> {
  const tab = parts.signIn.tab(cookieOf(request, parts.cookieName), bearerOf(request));
  if (!tab) {
    recordRefusal(parts, 'unauthorized', { path: path.slice(0, 200) });
    const message = 'This tab is not signed in. Run "gatehouse dashboard" for a one-time link.';
    return answer(response, 401, { message }, { 'www-authenticate': 'Bearer' });
  }
  if (path === '/api/stream') {
    if (request.method !== 'GET') return methodNotAllowed(response, 'GET');
    return stream(response, tab, parts);
  }
  if (request.method !== 'POST') return methodNotAllowed(response, 'POST');
  if (path === '/sign-out') {
    parts.signIn.signOut(tab);
    return answer(response, 200, {});
  }
  const body = await readBody(request, 2 * 1024 * 1024);
  if (body.kind !== 'json') return answer(response, body.status, { message: body.message });
  // Signed out while the body arrived: the request must not outlive the sign-in.
  if (!parts.signIn.tab(cookieOf(request, parts.cookieName), bearerOf(request))) {
    recordRefusal(parts, 'unauthorized', { path: path.slice(0, 200) });
    return answer(response, 401, { message: 'This tab was signed out.' });
  }
  const caller = { origin: 'dashboard', label: 'dashboard' } as const;
  const answered = await parts.core.api.request(path.slice('/api/'.length), body.value, caller);
  switch (answered.kind) {
    case 'answered':
      return answer(response, 200, { result: answered.result });
    case 'bad_request':
      return answer(response, 400, { message: answered.message });
    case 'forbidden':
      return answer(response, 403, { message: answered.message });
    case 'unknown_request':
      return answer(response, 404, { message: answered.message });
    case 'failed':
      return answer(response, 500, { message: answered.message });
  }
}

function stream(response: ServerResponse, tab: Tab, parts: Parts): void {
  const ends = parts.streams.get(tab) ?? new Set<() => void>();
  if (ends.size >= STREAMS_PER_TAB) {
    answer(response, 429, { message: 'This tab has enough live streams.' });
    return;
  }
  parts.streams.set(tab, ends);
  const end = openStream(response, PLAIN_HEADERS, parts);
  ends.add(end);
  response.once('close', () => {
    ends.delete(end);
    if (ends.size === 0) parts.streams.delete(tab);
  });
}

function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const bytes = Buffer.from(JSON.stringify(body), 'utf8');
  // A refused body is not read to its end, so the connection cannot be used again.
  const close: Record<string, string> = status >= 400 ? { connection: 'close' } : {};
  response.writeHead(status, {
    ...PLAIN_HEADERS,
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(bytes.length),
    ...close,
    ...headers,
  });
  response.end(response.req.method === 'HEAD' ? undefined : bytes);
}

function methodNotAllowed(response: ServerResponse, allow: string): void {
  answer(response, 405, { message: `Use ${allow}.` }, { allow });
}

function fail(response: ServerResponse, error: unknown, log: Log): void {
  const requestId = randomBytes(8).toString('hex');
  log.error('dashboard_failed', { requestId, ...faultFields(error) });
  if (response.headersSent) response.destroy();
  else answer(response, 500, { message: `Gatehouse failed. The log has more under request ${requestId}.` });
}

function cookieOf(request: IncomingMessage, name: string): string | undefined {
  const parts = (request.headers.cookie ?? '').split(';').map((part) => part.trim());
  return parts.find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1);
}

function bearerOf(request: IncomingMessage): string | undefined {
  return /^Bearer ([A-Za-z0-9_-]{1,200})$/.exec(request.headers.authorization ?? '')?.[1];
}

function hostsOf(port: number): ReadonlySet<string> {
  return new Set(['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port}`));
}

/** Binds to 127.0.0.1 only; a wanted port that is taken is replaced by a free one, because the link names it anyway. */
async function listen(server: Server, wanted: number, log: Log): Promise<number> {
  const attempt = (port: number) =>
    new Promise<boolean>((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error));
      server.once('error', onError);
      server.listen(port, '127.0.0.1', () => {
        server.off('error', onError);
        resolve(true);
      });
    });
  if (!(await attempt(wanted))) {
    log.warn('dashboard_port_taken', { port: wanted });
    await attempt(0);
  }
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The dashboard has no port.');
  return address.port;
}
