import type { IncomingMessage } from 'node:http';

/** A request that no program of this machine would send: refused before anything else of it is read. */
export interface Foreign {
  readonly status: 400 | 403;
  readonly kind: 'host_rejected' | 'origin_rejected';
  readonly reason: string;
  /** For the caller. */
  readonly message: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/**
 * Rebound names and other web pages (P2). `Host` stops a name that resolves to us, `Origin` a page's script or form, and
 * `Sec-Fetch-Site` the requests that a page makes without an Origin (`<img>`, `<script>`, `no-cors`). A person may still
 * follow a link to us: what a navigation can reach is public and does nothing.
 */
export function foreign(request: IncomingMessage, port: number): Foreign | null {
  const hosts = request.headersDistinct.host ?? [];
  if (hosts.length !== 1) {
    return {
      status: 400,
      kind: 'host_rejected',
      reason: 'not exactly one Host header',
      message: 'Send exactly one Host header.',
      detail: { hosts: hosts.slice(0, 4).map(short) },
    };
  }
  const host = hosts[0] ?? '';
  if (!isOurHost(host, port)) {
    return {
      status: 403,
      kind: 'host_rejected',
      reason: 'foreign Host',
      message: 'This Host is not allowed.',
      detail: { host: short(host) },
    };
  }
  const origins = request.headersDistinct.origin ?? [];
  if (origins.length > 1 || (origins[0] !== undefined && !isOurOrigin(origins[0], port))) {
    return {
      status: 403,
      kind: 'origin_rejected',
      reason: 'foreign Origin',
      message: 'This Origin is not allowed.',
      detail: { origin: short(origins.join(', ')) },
    };
  }
  const site = request.headers['sec-fetch-site'];
  if ((site === 'cross-site' || site === 'same-site') && !isNavigation(request)) {
    return {
      status: 403,
      kind: 'origin_rejected',
      reason: 'from a page of another site',
      message: 'Pages of other sites may not use this address.',
      detail: { site },
    };
  }
  return null;
}

/** Foreign text in an audit entry: enough to recognise it, never enough to fill the disk. */
export function short(text: string): string {
  return text.slice(0, 200);
}

/** A whole tab opening the address; a frame has another destination. */
function isNavigation({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
}

function isOurHost(host: string, port: number): boolean {
  return host === `127.0.0.1:${port}` || host === `localhost:${port}` || host === `[::1]:${port}`;
}

/** Only pages of this very port: another port of the same machine is another site (P2). */
function isOurOrigin(origin: string, port: number): boolean {
  return origin.startsWith('http://') && isOurHost(origin.slice('http://'.length), port);
}
