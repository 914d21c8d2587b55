import type { IncomingMessage, ServerResponse } from 'node:http';
import { verifyBearerToken } from '@modelcontextprotocol/server';
import { type AuthorizationServer, startAuthorizationServer } from './authorization-server.ts';
import { type Arrived, answer, type Front, json, type SeenRequest, startFront } from './front.ts';
import { createMcpServer } from './mcp-server.ts';
import type { Refusal, VendorProfile } from './profile.ts';

/**
 * A vendor as the field has them: a real MCP server of the official SDK, and in front of it a real `oidc-provider`, both on
 * loopback ports of their own. The switches change how it behaves while it runs.
 */
export interface Vendor extends AsyncDisposable {
  readonly mcpUrl: string;
  readonly issuer: string;
  /** All of them, in the order of the resource metadata. */
  readonly issuers: readonly string[];
  /** Every request that reached the authorization server or the MCP server, in order. */
  readonly seen: readonly SeenRequest[];
  /** Requests to the token endpoints, all or those of one `grant_type`. */
  tokenRequests(grantType?: string): readonly SeenRequest[];
  /** Messages of one JSON-RPC method that got past the sign-in, or requests of one HTTP method without a message. */
  served(method: string): number;
  /** Every token it ever gave. */
  tokens(): readonly string[];

  expireAccessTokens(): void;
  revokeGrants(): void;
  forgetClients(): void;
  /** What every refresh is answered from now on; null: as it should be. */
  refuseRefresh(refusal: Refusal | null): void;
  /** The next `count` requests with a live token are answered 401 `invalid_token`. */
  refuseLiveTokens(count: number): void;
  /** What a tool needs from now on; a call without is answered 403 `insufficient_scope`. */
  requireScopes(tool: string, scopes: readonly string[]): void;
  /** The same answer, whatever the token has. */
  neverContent(tool: string, scopes: readonly string[]): void;
  /** The MCP server's clock is so far ahead of the authorization server's: it takes tokens for expired early. */
  skew(seconds: number): void;
  /** Every answer of the authorization servers comes so much later. */
  slowDown(ms: number): void;
  stop(): Promise<void>;
}

export async function startVendor(profile: VendorProfile = {}): Promise<Vendor> {
  const seen: SeenRequest[] = [];
  const servers: AuthorizationServer[] = [];
  const fronts: Front[] = [];
  const mcp = createMcpServer(profile.server ?? 'v1');
  const served: string[] = [];
  const toolScopes = new Map(Object.entries(profile.toolScopes ?? {}));
  const discontent = new Set<string>();
  let refusals = 0;

  const front = await startFront('mcp server', seen, handleMcp);
  fronts.push(front);
  const mcpUrl = `${front.origin}/mcp`;
  const resource = profile.resource ?? mcpUrl;
  if (profile.old === true) {
    servers.push(await startAuthorizationServer(profile, { origin: front.origin, resource }));
  } else {
    for (let count = profile.authorizationServers ?? 1; count > 0; count -= 1) await addAuthorizationServer();
  }

  async function addAuthorizationServer(): Promise<void> {
    const at = servers.length;
    const own = await startFront('authorization server', seen, async (arrived, _, response) => {
      const handled = await servers[at]?.handle(arrived, response);
      if (handled !== true) answer(arrived, response, { status: 404, headers: {}, body: '' });
    });
    fronts.push(own);
    servers.push(await startAuthorizationServer(profile, { origin: own.origin, resource }));
  }

  /** Path at which the resource metadata are, and whether a 401 names it. */
  const places = {
    path: { path: '/.well-known/oauth-protected-resource/mcp', named: true },
    header: { path: '/about/this-resource.json', named: true },
    'unnamed-path': { path: '/.well-known/oauth-protected-resource/mcp', named: false },
    root: { path: '/.well-known/oauth-protected-resource', named: false },
    none: { path: null, named: false },
  };
  const place = places[profile.old === true ? 'none' : (profile.resourceMetadata ?? 'path')];

  function resourceMetadata(): unknown {
    const scopes = profile.announcedScopes === undefined ? ['notes:read'] : profile.announcedScopes;
    return {
      resource,
      authorization_servers: servers.map(({ issuer }) => issuer),
      bearer_methods_supported: ['header'],
      ...(scopes === null ? {} : { scopes_supported: scopes }),
    };
  }

  function refuse(
    arrived: Arrived,
    response: ServerResponse,
    status: number,
    error: string,
    scope: string | null,
  ): void {
    const members = [
      ...(arrived.headers.authorization === undefined ? [] : [`error="${error}"`]),
      ...(scope === null ? [] : [`scope="${scope}"`]),
      ...(place.named ? [`resource_metadata="${front.origin}${place.path}"`] : []),
    ];
    const header = { 'www-authenticate': `Bearer ${members.join(', ')}`.trim() };
    answer(arrived, response, json(status, { error }, profile.challenge === false ? {} : header));
  }

  async function handleMcp(arrived: Arrived, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (arrived.path === place.path) return answer(arrived, response, json(200, resourceMetadata()));
    if (profile.old === true && (await servers[0]?.handle(arrived, response)) === true) return;
    if (arrived.path !== '/mcp') return answer(arrived, response, { status: 404, headers: {}, body: '' });
    const auth = await Promise.any(
      servers.map(({ verifier }) =>
        verifyBearerToken(arrived.headers.authorization, { verifier, expectedResource: new URL(resource) }),
      ),
    ).catch(() => null);
    if (auth === null) return refuse(arrived, response, 401, 'invalid_token', profile.challengeScope ?? null);
    if (refusals > 0) {
      refusals -= 1;
      return refuse(arrived, response, 401, 'invalid_token', null);
    }
    const message = arrived.body === '' ? undefined : (JSON.parse(arrived.body) as Message);
    const tool = message?.method === 'tools/call' ? (message.params?.name ?? '') : '';
    const needed = toolScopes.get(tool) ?? [];
    if (discontent.has(tool) || needed.some((scope) => !auth.scopes.includes(scope))) {
      return refuse(arrived, response, 403, 'insufficient_scope', needed.join(' '));
    }
    served.push(message?.method ?? arrived.method);
    response.once('finish', () => {
      arrived.answer = { status: response.statusCode, headers: {}, body: '' };
    });
    await mcp.handle(request, response, message, auth);
  }

  const all = (act: (server: AuthorizationServer) => void) => () => servers.forEach(act);
  const vendor: Vendor = {
    mcpUrl,
    issuer: servers[0]?.issuer ?? '',
    issuers: servers.map(({ issuer }) => issuer),
    seen,
    tokenRequests: (grantType) =>
      seen.filter(
        ({ method, path, form }) =>
          method === 'POST' &&
          path.endsWith('/token') &&
          (grantType === undefined || form.get('grant_type') === grantType),
      ),
    served: (method) => served.filter((one) => one === method).length,
    tokens: () => servers.flatMap((server) => server.tokens()),
    expireAccessTokens: all((server) => server.expireAccessTokens()),
    revokeGrants: all((server) => server.revokeGrants()),
    forgetClients: all((server) => server.forgetClients()),
    refuseRefresh: (refusal) => all((server) => server.refuseRefresh(refusal))(),
    refuseLiveTokens(count) {
      refusals = count;
    },
    requireScopes: (tool, scopes) => void toolScopes.set(tool, scopes),
    neverContent(tool, scopes) {
      toolScopes.set(tool, scopes);
      discontent.add(tool);
    },
    skew: (seconds) => all((server) => server.skew(seconds))(),
    slowDown: (ms) => all((server) => server.slowDown(ms))(),
    async stop() {
      await mcp.close();
      for (const each of fronts) await each.stop();
      for (const server of servers) await server.stop();
    },
    async [Symbol.asyncDispose]() {
      await vendor.stop();
    },
  };
  return vendor;
}

interface Message {
  readonly method: string;
  readonly params?: { readonly name?: string };
}
