import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** What one address answers: a body as JSON or a text as it is, or the response by hand. */
export type Page =
  | { readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }
  | ((response: ServerResponse) => void);

/** Every address of a vendor, and what a good one answers there but for what is given. */
export interface WickedPages {
  readonly mcp?: Page;
  readonly resource?: Page;
  readonly metadata?: Page;
  readonly register?: Page;
  readonly token?: Page;
  readonly revoke?: Page;
}

export interface WickedVendor {
  readonly origin: string;
  readonly mcpUrl: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly seen: readonly Seen[];
  /** Bodies that came to one of its addresses. */
  bodies(path: string): readonly string[];
}

export interface Seen {
  readonly method: string;
  /** As it came, with its query. */
  readonly url: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/**
 * A vendor that is as wicked as a test wants: what no certified server can be made to do. There is no sign-in page: a test
 * plays the browser.
 */
export async function startWickedVendor(
  wicked: (good: WickedVendor) => WickedPages = () => ({}),
): Promise<WickedVendor> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { pathname } = new URL(request.url ?? '/', origin);
      const body = Buffer.concat(chunks).toString();
      seen.push({
        method: request.method ?? '',
        url: request.url ?? '',
        path: pathname,
        headers: request.headers,
        body,
      });
      const page = pages[pathname] ?? { status: 404 };
      if (typeof page === 'function') return page(response);
      response.writeHead(page.status ?? 200, { 'content-type': 'application/json', ...page.headers });
      response.end(typeof page.body === 'string' ? page.body : JSON.stringify(page.body ?? {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const metadata = {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
  };
  const vendor: WickedVendor = {
    origin,
    mcpUrl: `${origin}/mcp`,
    metadata,
    seen,
    bodies: (path) => seen.filter((one) => one.path === path).map(({ body }) => body),
  };
  const { mcp, resource, metadata: described, register, token, revoke } = wicked(vendor);
  const challenge = { 'www-authenticate': `Bearer resource_metadata="${origin}${RESOURCE}"` };
  const pages: Readonly<Record<string, Page>> = {
    '/mcp': mcp ?? { status: 401, headers: challenge },
    [RESOURCE]: resource ?? { body: { resource: vendor.mcpUrl, authorization_servers: [origin] } },
    '/.well-known/oauth-authorization-server': described ?? { body: metadata },
    '/register': register ?? { status: 201, body: { client_id: 'given-id' } },
    '/token': token ?? { body: { access_token: 'given-access-token', token_type: 'Bearer', expires_in: 3600 } },
    '/revoke': revoke ?? { status: 200 },
  };
  return vendor;
}

const RESOURCE = '/.well-known/oauth-protected-resource/mcp';
