import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { RedirectSetting } from '../../../shared/connections.ts';
import { inertPage, type RedirectPage, redirectHeaders } from './redirect-page.ts';
import type { RedirectPorts } from './redirect-ports.ts';

/** Where the browser comes back to at the end of ONE sign-in (RFC 8252, 7.3). Nothing but one visit does anything. */
export interface Redirect {
  /** As the vendor is told it, to the letter. */
  readonly uri: string;
  /**
   * From now on the visit with this state is waited for; every other one gets a page that does nothing. `arrived` is
   * called once, with the whole query, and the page it resolves with is what the browser shows.
   */
  expect(state: string, arrived: (query: URLSearchParams) => Promise<RedirectPage>): void;
  /** Closes the port at once; the page of the one visit is still sent. */
  close(): void;
}

/** Why a visit is not the one: it gets a page that does nothing, and the sign-in goes on. */
export type Stray = 'wrong_state' | 'other_host' | 'other_path' | 'other_method';

export type OpenedRedirect =
  | { readonly kind: 'opened'; readonly redirect: Redirect }
  | { readonly kind: 'unavailable'; readonly message: string };

/**
 * Listens on the literal 127.0.0.1, also where the vendor is told `localhost`: at the port that the person set, else the
 * one of last time, else any that is free.
 */
export async function openRedirect(parts: {
  readonly upstreamId: string;
  readonly setting: RedirectSetting;
  readonly ports: RedirectPorts;
  onStray(why: Stray): void;
}): Promise<OpenedRedirect> {
  const { upstreamId, setting, ports } = parts;
  const remembered = ports.of(upstreamId);
  const wanted = setting.port === null ? [remembered ?? 0, 0] : [setting.port];
  let problem = '';
  for (const port of wanted) {
    const listening = await listen(port, setting.host, parts.onStray);
    if (typeof listening !== 'string') {
      if (setting.port === null && listening.port !== remembered) ports.remember(upstreamId, listening.port);
      return { kind: 'opened', redirect: listening.redirect };
    }
    problem = listening;
  }
  const at = setting.port === null ? 'any port' : `port ${setting.port}`;
  const then = setting.port === null ? '' : ' End the program that uses it, or set another redirect port.';
  return {
    kind: 'unavailable',
    message: `Gatehouse cannot listen on ${at} of this machine for the end of the sign-in (${problem}).${then}`,
  };
}

interface Listening {
  readonly port: number;
  readonly redirect: Redirect;
}

/** The system's code where it cannot. */
function listen(
  wanted: number,
  host: RedirectSetting['host'],
  onStray: (why: Stray) => void,
): Promise<Listening | string> {
  const sockets = new Set<Socket>();
  let authority = '';
  let waiting: { readonly state: string; readonly arrived: (query: URLSearchParams) => Promise<RedirectPage> } | null =
    null;
  let answering: Socket | null = null;

  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES,
      headersTimeout: PATIENCE_MS,
      requestTimeout: PATIENCE_MS,
      connectionsCheckingInterval: 1_000,
    },
    (request, response) => {
      // A body is never read: the connection ends with the answer.
      response.shouldKeepAlive = false;
      const visit = read(request);
      if (typeof visit === 'string' || waiting === null || !isState(visit, waiting.state)) {
        const why = typeof visit === 'string' ? visit : 'wrong_state';
        send(response, inertPage(STATUS[why]));
        onStray(why);
        return;
      }
      const { arrived } = waiting;
      waiting = null;
      answering = request.socket;
      void arrived(visit).then((page) => send(response, page));
    },
  );
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // Whoever holds connections open keeps the browser out for no longer than it takes to open one.
    const oldest = sockets.size > MAX_SOCKETS ? [...sockets].find((each) => each !== answering) : undefined;
    oldest?.destroy();
  });
  server.on('clientError', (_error, socket) => socket.destroy());

  function read(request: IncomingMessage): URLSearchParams | Stray {
    // Another name that leads here is somebody else's page in the person's browser (DNS rebinding).
    const hosts = request.headersDistinct.host ?? [];
    if (hosts.length !== 1 || hosts[0] !== authority) return 'other_host';
    const [path, query = ''] = splitOnce(request.url ?? '', '?');
    if (path !== '/callback') return 'other_path';
    return request.method === 'GET' ? new URLSearchParams(query) : 'other_method';
  }

  return new Promise((resolve) => {
    // After that it is one connection's trouble, and no answer to it is owed.
    server.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(wanted, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : wanted;
      authority = `${host}:${port}`;
      resolve({
        port,
        redirect: {
          uri: `http://${authority}/callback`,
          expect(state, arrived) {
            waiting = { state, arrived };
          },
          close() {
            waiting = null;
            server.close();
            for (const socket of sockets) if (socket !== answering) socket.destroy();
          },
        },
      });
    });
  });
}

function send(response: ServerResponse, { status, html }: RedirectPage): void {
  response.writeHead(status, { ...redirectHeaders(), ...(status === 405 ? { allow: 'GET' } : {}) });
  response.end(html);
}

/** Compared in constant time; a query with two states has none. */
function isState(query: URLSearchParams, state: string): boolean {
  const [given, ...more] = query.getAll('state');
  if (given === undefined || more.length > 0) return false;
  return timingSafeEqual(digest(given), digest(state));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function splitOnce(text: string, by: string): readonly [string, string?] {
  const at = text.indexOf(by);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

const STATUS = { wrong_state: 400, other_host: 403, other_path: 404, other_method: 405 } as const;
/** A code may be a whole JWT. */
const HEADER_BYTES = 32_768;
const PATIENCE_MS = 10_000;
const MAX_SOCKETS = 64;
