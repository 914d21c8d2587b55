import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Tokens } from '../../../electron/core/connections/grant.ts';

/** A request that reached the vendor. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** Of JSON-RPC requests. */
  readonly rpc: string | null;
  readonly status: number;
}

/**
 * An MCP server over HTTP with its own token endpoint, in one small real server whose state the test can set: refresh
 * tokens rotate, and a second use of one ends the whole family, as vendors with reuse detection do.
 */
export interface TokenVendor {
  readonly url: string;
  readonly origin: string;
  readonly seen: Seen[];
  /** What a sign-in would have given. `expiresIn` in seconds; the token itself is good until `expire()`. */
  grant(options?: {
    readonly expiresIn?: number;
    readonly scopes?: readonly string[];
    readonly refresh?: boolean;
    readonly now?: number;
  }): Omit<Tokens, 'upstreamId' | 'connectionId'>;
  /** No access token given so far is good any more; refresh tokens are. */
  expire(): void;
  /** Every refresh token is refused from now on. */
  endGrants(): void;
  /** How the token endpoint answers: as it should, or with this status to everybody; `hang`: never. */
  tokens: 'ok' | 'hang' | number;
  /** What the MCP endpoint answers to `tools/call` in place of a result. */
  refuseCalls: { readonly status: 401 | 403; readonly challenge: string | null } | null;
  /** Waited for before each answer of the MCP endpoint. */
  beforeAnswer: (bearer: string, rpc: string | null) => Promise<void>;
  /** As a server of 2024-11-05: an event stream at GET, messages elsewhere. */
  isSseOnly: boolean;
  /** As servers of 2025 with sessions do: a new id with each `initialize`. */
  givesSessions: boolean;
  /** Waited for before each answer of the token endpoint. */
  beforeTokens: () => Promise<void>;
  /** API keys it lets in, by header `x-key` or query `key`. */
  readonly keys: Set<string>;
  /** Whether anybody is let in without a token. */
  isOpen: boolean;
  tokenRequests(): number;
  calls(): readonly Seen[];
  readonly revoked: string[];
}

export async function tokenVendor({ port = 0 }: { readonly port?: number } = {}): Promise<TokenVendor> {
  const access = new Set<string>();
  const refresh = new Map<string, 'live' | 'used'>();
  let serial = 0;
  let stream: ServerResponse | null = null;
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  function give(isRotated: boolean) {
    serial += 1;
    const token = `access-${serial}-canary`;
    access.add(token);
    const next = isRotated ? `refresh-${serial}-canary` : null;
    if (next !== null) refresh.set(next, 'live');
    return { token, next };
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    const path = new URL(request.url ?? '/', origin).pathname;
    const reply = (status: number, value: unknown, headers: Record<string, string> = {}) => {
      vendor.seen.push({
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body,
        rpc: path === '/mcp' ? rpcIn(body) : null,
        status,
      });
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(value === null ? '' : JSON.stringify(value));
    };
    if (path === '/token') await vendor.beforeTokens();
    else await vendor.beforeAnswer(bearerOf(request), rpcIn(body));
    if (path === '/token') return token(new URLSearchParams(body), reply);
    if (path === '/revoke') {
      vendor.revoked.push(new URLSearchParams(body).get('token') ?? '');
      return reply(200, {});
    }
    if (!vendor.isSseOnly) return mcp(request, body, reply);
    if (path === '/mcp' && request.method === 'POST') return reply(404, null);
    if (request.method !== 'GET') {
      return mcp(request, body, (status, value, headers) => {
        if (status !== 200) return reply(status, value, headers);
        stream?.write(`event: message\ndata: ${JSON.stringify(value)}\n\n`);
        return reply(202, null);
      });
    }
    if (!access.has(bearerOf(request))) return reply(401, null, { 'www-authenticate': 'Bearer' });
    stream = response.writeHead(200, { 'content-type': 'text/event-stream' });
    return stream.write('event: endpoint\ndata: /messages\n\n');
  }

  function token(form: URLSearchParams, reply: (status: number, value: unknown) => unknown): unknown {
    if (vendor.tokens === 'hang') return null;
    if (vendor.tokens !== 'ok') return reply(vendor.tokens, { sorry: true });
    if (form.get('grant_type') === 'client_credentials') {
      return reply(200, { access_token: give(false).token, token_type: 'Bearer', expires_in: 3600 });
    }
    const given = form.get('refresh_token') ?? '';
    if (refresh.get(given) === 'used') {
      // Somebody has a copy: whoever it is, nobody goes on.
      refresh.clear();
      access.clear();
    }
    if (refresh.get(given) !== 'live') return reply(400, { error: 'invalid_grant' });
    refresh.set(given, 'used');
    access.clear();
    const { token: next, next: rotated } = give(true);
    return reply(200, { access_token: next, refresh_token: rotated, token_type: 'Bearer', expires_in: 3600 });
  }

  function mcp(
    request: IncomingMessage,
    body: string,
    reply: (status: number, value: unknown, headers?: Record<string, string>) => unknown,
  ): unknown {
    if (request.method === 'DELETE') return reply(200, null);
    if (request.method !== 'POST') return reply(405, null);
    const query = new URL(request.url ?? '/', origin).searchParams;
    const bearer = bearerOf(request);
    const isKey = vendor.keys.has(String(request.headers['x-key'] ?? query.get('key') ?? ''));
    if (!vendor.isOpen && !access.has(bearer) && !isKey) {
      const error = bearer === '' ? '' : ', error="invalid_token"';
      return reply(401, null, { 'www-authenticate': `Bearer resource_metadata="${origin}/prm"${error}` });
    }
    const { id, method, params } = JSON.parse(body) as {
      id?: number;
      method: string;
      params?: { arguments?: unknown };
    };
    if (method === 'tools/call' && vendor.refuseCalls !== null) {
      const { status, challenge } = vendor.refuseCalls;
      return reply(status, null, challenge === null ? {} : { 'www-authenticate': challenge });
    }
    if (id === undefined) return reply(202, null);
    const session: Record<string, string> =
      method === 'initialize' && vendor.givesSessions ? { 'mcp-session-id': `session-${randomUUID()}` } : {};
    const result = RESULTS[method]?.(params?.arguments, bearer);
    return result === undefined
      ? reply(200, { jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } })
      : reply(200, { jsonrpc: '2.0', id, result }, session);
  }

  const vendor: TokenVendor = {
    url: `${origin}/mcp`,
    origin,
    seen: [],
    grant({ expiresIn = 3600, scopes = ['read'], refresh: isRenewed = true, now = Date.now() } = {}) {
      const { token: accessToken, next } = give(isRenewed);
      return {
        kind: 'tokens',
        by: 'code',
        usedAt: origin,
        resource: `${origin}/mcp`,
        issuer: origin,
        tokenUrl: `${origin}/token`,
        revokeUrl: `${origin}/revoke`,
        clientId: 'gatehouse',
        clientSecret: null,
        tokenAuth: 'none',
        accessToken,
        refreshToken: next,
        expiresAt: now + expiresIn * 1000,
        obtainedAt: now,
        scopes: [...scopes],
      };
    },
    expire: () => access.clear(),
    endGrants: () => refresh.clear(),
    tokens: 'ok',
    refuseCalls: null,
    beforeAnswer: async () => {},
    isSseOnly: false,
    givesSessions: false,
    beforeTokens: async () => {},
    keys: new Set(),
    isOpen: false,
    tokenRequests: () => vendor.seen.filter(({ url }) => url.startsWith('/token')).length,
    calls: () => vendor.seen.filter(({ rpc }) => rpc === 'tools/call'),
    revoked: [],
  };
  return vendor;
}

function rpcIn(body: string): string | null {
  return /"method":"([^"]+)"/.exec(body)?.[1] ?? null;
}

function bearerOf({ headers }: IncomingMessage): string {
  return /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
}

const RESULTS: Readonly<Record<string, (args: unknown, bearer: string) => unknown>> = {
  initialize: () => ({
    protocolVersion: '2025-06-18',
    capabilities: { tools: {} },
    serverInfo: { name: 'vendor', version: '1' },
  }),
  'tools/list': () => ({ tools: [{ name: 'echo', inputSchema: { type: 'object' } }] }),
  'tools/call': (args, bearer) => ({ content: [{ type: 'text', text: JSON.stringify({ args, bearer }) }] }),
};
