import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';

/** Pages come from `app://ui/` and never from `file://`, so that they have an origin of their own and no reach into the disk. */
export const SCHEME = 'app';
export const PAGE_ORIGIN = `${SCHEME}://ui`;

/** For `protocol.registerSchemesAsPrivileged`, which must be called before `ready`. */
export const PAGE_SCHEME = {
  scheme: SCHEME,
  // SECURITY: standard and secure give the pages a real origin; nothing else is granted (no CSP bypass, no service worker).
  privileges: { standard: true, secure: true, supportFetchAPI: true },
} as const;

/**
 * Serves the built renderer, for `protocol.handle`. The files are listed once: what is not in the list does not exist,
 * whatever the path says, so no path is ever put together from a request (security.md L10).
 */
export function createPageHandler(root: string): (request: Request) => Promise<Response> {
  const files = listFiles(root);

  return async (request) => {
    const url = new URL(request.url);
    if (url.protocol !== `${SCHEME}:` || url.host !== 'ui') return notFound();
    if (request.method !== 'GET') return new Response(null, { status: 405 });
    const file = files.get(url.pathname);
    if (file === undefined) return notFound();

    const nonce = randomBytes(16).toString('base64');
    const bytes = await readFile(file.path);
    const body = file.type.startsWith('text/html') ? withNonce(bytes.toString('utf8'), nonce) : new Uint8Array(bytes);
    return new Response(body, { headers: { 'content-type': file.type, ...pageHeaders(nonce) } });
  };
}

/** The headers of every response: the same policy as the dashboard's (design section 9, row A21). */
export function pageHeaders(nonce: string): Readonly<Record<string, string>> {
  return {
    // SECURITY: no inline script, no eval, no other origin; inline style only with this response's nonce.
    'content-security-policy': [
      "default-src 'none'",
      "script-src 'self'",
      `style-src 'self' 'nonce-${nonce}'`,
      "font-src 'self'",
      "img-src 'self' data:",
      "connect-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'none'",
      "object-src 'none'",
    ].join('; '),
    'x-content-type-options': 'nosniff',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  };
}

/** Gives the page its nonce; the pages say where (renderer/*.html). */
export function withNonce(html: string, nonce: string): string {
  return html.replaceAll('GATEHOUSE_CSP_NONCE', nonce);
}

interface PageFile {
  readonly path: string;
  readonly type: string;
}

/** Every file under `root` by the path of its URL; `/` is the main page. */
function listFiles(root: string): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const type = TYPES[extname(entry.name)];
    // A kind of file that no page needs (a source map, say) is not served.
    if (type === undefined) continue;
    files.set(`/${relative(root, path).split(sep).map(encodeURIComponent).join('/')}`, { path, type });
  }
  const index = files.get('/index.html');
  if (index !== undefined) files.set('/', index);
  return files;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};

const notFound = (): Response => new Response('Not found', { status: 404, headers: pageHeaders('none') });
