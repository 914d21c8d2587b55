import { z } from 'zod';
import {
  type AuthorizationServer,
  type ServerMetadata,
  type SignInFault,
  serverMetadataSchema,
} from './authorization-server.ts';
import { readChallenge } from './challenge.ts';
import type { Errand } from './errand.ts';
import { fault } from './faults.ts';
import { jsonOf } from './oauth-answer.ts';
import { refuseAddress } from './outbound.ts';
import type { Told } from './trace.ts';

/** What an upstream says about how to sign in to it. */
export interface Resource {
  readonly kind: 'resource';
  /** RFC 8707: what every request for a token names, character by character as the resource metadata says it. */
  readonly indicator: string;
  /** Issuers. One: that is it. Several: the person chooses. */
  readonly servers: readonly string[];
  /** It has resource metadata (RFC 9728); without, it is as servers of 2025-03-26 are. */
  readonly described: boolean;
  readonly challengedScopes: readonly string[] | null;
  readonly scopesSupported: readonly string[] | null;
}

/**
 * Where accounts of an upstream sign in (MCP authorization, RFC 9728): by the address in the last challenge, else beneath
 * its own path, else at the root. `challenge` is `WWW-Authenticate`; null: it is asked for one, and where it lets anybody in
 * at first, the last one that a call was answered with counts.
 */
export async function discoverResource(
  errand: Errand,
  {
    url,
    challenge,
    lastChallenge = null,
  }: { readonly url: string; readonly challenge: string | null; readonly lastChallenge?: string | null },
): Promise<Resource | SignInFault> {
  const asked = challenge === null ? await askForChallenge(errand, url) : { kind: 'challenge' as const, challenge };
  if (asked.kind === 'fault') return asked;
  const said = readChallenge(asked.challenge) ?? saidBefore(errand, url, lastChallenge);
  const common = { challengedScopes: said?.scopes ?? null };
  for (const address of resourceAddresses(url, said?.resourceMetadata ?? null)) {
    const found = await readDocument(errand, 'resource_metadata', address, resourceSchema);
    if (found.kind === 'fault') return found;
    if (found.kind === 'none') continue;
    const { resource, authorization_servers: named, scopes_supported: scopes } = found.document;
    if (!describes(resource, url)) return failed(errand, 'resource_metadata', 'resource_mismatch', resource);
    const servers = [...new Set(named ?? [])].slice(0, MOST_SERVERS);
    const [none] = servers.filter((issuer) => !URL.canParse(issuer));
    if (none !== undefined) return failed(errand, 'resource_metadata', 'insecure_address', none);
    // Named none: RFC 9728 lets it, and then it is where 2025-03-26 had it.
    const issuers = servers.length === 0 ? [new URL(url).origin] : servers;
    return {
      kind: 'resource',
      indicator: resource,
      servers: issuers,
      described: true,
      ...common,
      scopesSupported: scopes ?? null,
    };
  }
  errand.trace.step({
    name: 'resource_metadata',
    outcome: 'skipped',
    message: 'It has no resource metadata: its own origin is asked, as servers from before 2025-06-18 expect it.',
  });
  const servers = [new URL(url).origin];
  return { kind: 'resource', indicator: canonical(url), servers, described: false, ...common, scopesSupported: null };
}

/**
 * What the authorization server says about itself (RFC 8414, then OpenID Connect Discovery, in the order of the MCP
 * specification), checked: it is the one that was asked for, its addresses are safe to open, it knows PKCE.
 */
export async function discoverServer(
  errand: Errand,
  resource: Resource,
  issuer: string,
  { allowNoPkce }: { readonly allowNoPkce: boolean },
): Promise<AuthorizationServer | SignInFault> {
  const refused = refuseAddress(issuer, errand.upstream);
  if (refused !== null) return told(errand, 'server_metadata', refused);
  for (const address of serverAddresses(issuer)) {
    const found = await readDocument(errand, 'server_metadata', address, serverMetadataSchema);
    if (found.kind === 'fault') return found;
    if (found.kind === 'none') continue;
    return checked(errand, issuer, found.document, allowNoPkce);
  }
  if (resource.described) return failed(errand, 'server_metadata', 'no_server_metadata', issuer);
  errand.trace.step({
    name: 'server_metadata',
    outcome: 'skipped',
    message: 'It does not describe itself: the usual addresses of 2025-03-26 are used.',
  });
  const at = (path: string) => new URL(path, issuer).href;
  return {
    issuer: new URL(issuer).origin,
    authorizeUrl: at('/authorize'),
    tokenUrl: at('/token'),
    registerUrl: at('/register'),
    revokeUrl: null,
    metadata: null,
  };
}

/**
 * What the vendor is asked for: what the person set; else what the challenge wants, else what the resource knows, and
 * `offline_access` where the server offers it; null: nothing is named, and the vendor gives what it usually does.
 * `had`: of the account so far, so that a wider sign-in takes nothing away (step-up).
 */
export function scopesToAsk(
  resource: Pick<Resource, 'challengedScopes' | 'scopesSupported'> | null,
  server: AuthorizationServer,
  { set, had }: { readonly set: readonly string[] | null; readonly had: readonly string[] | null },
): readonly string[] | null {
  const wanted = set ?? resource?.challengedScopes ?? (had === null ? (resource?.scopesSupported ?? null) : null);
  // Together with another step's: what was set stays, and what a call was refused for is added to it.
  const all = [
    ...new Set([...(had ?? []), ...(wanted ?? []), ...(had === null ? [] : (resource?.challengedScopes ?? []))]),
  ];
  if (all.length === 0) return null;
  const offersOffline = server.metadata?.scopes_supported?.includes('offline_access') === true;
  return offersOffline && set === null && !all.includes('offline_access') ? [...all, 'offline_access'] : all;
}

/** The server as the audience of tokens where it does not say one itself (MCP authorization, canonical server URI). */
export function canonical(address: string): string {
  const url = new URL(address);
  url.hash = '';
  url.username = '';
  url.password = '';
  // The form without a trailing slash is the one to prefer.
  return url.pathname === '/' && url.search === '' ? url.origin : url.href;
}

function saidBefore(errand: Errand, url: string, lastChallenge: string | null): ReturnType<typeof readChallenge> {
  const said = readChallenge(lastChallenge);
  if (said === null) return null;
  errand.trace.step({
    name: 'challenge',
    outcome: 'ok',
    message: 'It asked for a sign-in when it was called before.',
    request: { method: 'POST', url },
    status: 401,
    read: lines({ resource_metadata: said.resourceMetadata, scope: said.scopes?.join(' '), error: said.error }),
  });
  return said;
}

type Challenged = { readonly kind: 'challenge'; readonly challenge: string | null };

/** A request that does nothing: whoever wants a sign-in says so before it is read. */
async function askForChallenge(errand: Errand, url: string): Promise<Challenged | SignInFault> {
  const answer = await errand.outbound({
    url,
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: PING,
    ignoreBody: true,
  });
  const request = { method: 'POST', url };
  if (answer.kind === 'fault') {
    errand.trace.step({ name: 'challenge', outcome: 'failed', message: answer.message, request });
    return answer;
  }
  const said = readChallenge(answer.challenge);
  const wants =
    answer.status === 401 ? 'It wants a sign-in' : `It answered with HTTP ${answer.status} and asks for no sign-in`;
  errand.trace.step({
    name: 'challenge',
    outcome: answer.status === 401 ? 'ok' : 'skipped',
    message: `${wants}${said === null ? ', and does not say where' : ''}.`,
    request,
    status: answer.status,
    read: lines({ resource_metadata: said?.resourceMetadata, scope: said?.scopes?.join(' '), error: said?.error }),
  });
  return { kind: 'challenge', challenge: answer.challenge };
}

function resourceAddresses(address: string, challenged: string | null): readonly string[] {
  const { origin, pathname, search } = new URL(address);
  const path = pathname.replace(/\/$/, '');
  const beneath = `${origin}${RESOURCE}${path}${search}`;
  // The first as it was said, even where that is no address: what is refused is seen in the trace.
  return [...new Set([...(challenged === null ? [] : [challenged]), beneath, `${origin}${RESOURCE}`])];
}

function serverAddresses(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const inserted = [`${origin}${OAUTH}${path}`, `${origin}${OPENID}${path}`];
  return path === '' ? inserted : [...inserted, `${origin}${path}${OPENID}`];
}

/** It is the same server, or a part of its path stands for it (as the SDK and common servers take it). */
function describes(resource: string, address: string): boolean {
  if (!URL.canParse(resource)) return false;
  const [named, asked] = [new URL(resource), new URL(address)];
  const withSlash = (path: string) => (path.endsWith('/') ? path : `${path}/`);
  return named.origin === asked.origin && withSlash(asked.pathname).startsWith(withSlash(named.pathname));
}

function checked(
  errand: Errand,
  issuer: string,
  metadata: ServerMetadata,
  allowNoPkce: boolean,
): AuthorizationServer | SignInFault {
  const name = 'server_metadata';
  // RFC 8414, 3.3. Tolerated is one slash that URL writers add to an issuer without a path; the host is asked either way.
  if (metadata.issuer !== issuer && `${metadata.issuer}/` !== issuer)
    return failed(errand, name, 'issuer_mismatch', issuer);
  const { authorization_endpoint, token_endpoint, registration_endpoint, revocation_endpoint } = metadata;
  for (const endpoint of [authorization_endpoint, token_endpoint, registration_endpoint, revocation_endpoint]) {
    const refused = endpoint == null ? null : refuseAddress(endpoint, errand.upstream);
    if (refused !== null) return told(errand, name, refused);
  }
  const knowsPkce = metadata.code_challenge_methods_supported?.includes('S256') === true;
  if (!knowsPkce && !allowNoPkce && authorization_endpoint !== undefined) {
    return failed(errand, name, 'pkce_unsupported', new URL(issuer).host);
  }
  return {
    issuer: metadata.issuer,
    authorizeUrl: authorization_endpoint ?? null,
    tokenUrl: token_endpoint,
    registerUrl: registration_endpoint ?? null,
    revokeUrl: revocation_endpoint ?? null,
    metadata,
  };
}

type Read<T> = { readonly kind: 'read'; readonly document: T } | { readonly kind: 'none' } | SignInFault;

/** One document at one address. `none`: it is not there, or it is another page, and the next place may have it. */
async function readDocument<T extends object>(
  errand: Errand,
  name: 'resource_metadata' | 'server_metadata',
  url: string,
  schema: z.ZodType<T>,
): Promise<Read<T>> {
  const request = { method: 'GET', url };
  // MCP 2025-03-26: servers of that time may describe themselves by version.
  const answer = await errand.outbound({ url, method: 'GET', headers: { 'mcp-protocol-version': VERSION } });
  if (answer.kind === 'fault') {
    errand.trace.step({ name, outcome: 'failed', message: answer.message, request });
    return answer;
  }
  const step = (outcome: Told['outcome'], message: string, read: readonly string[] = []) =>
    errand.trace.step({ name, outcome, message, request, status: answer.status, read });
  if (answer.status >= 500 && answer.status !== 502) {
    // It may well have one: what another place says instead is not to be trusted in its stead.
    step('failed', `It answered with HTTP ${answer.status}.`);
    return fault('unreachable', {
      upstream: errand.upstream,
      where: new URL(url).host,
      detail: `It answered with HTTP ${answer.status} where it describes itself.`,
    });
  }
  if (answer.status !== 200) {
    step('skipped', `Nothing here (HTTP ${answer.status}).`);
    return { kind: 'none' };
  }
  const parsed = schema.safeParse(jsonOf(answer));
  if (!parsed.success) {
    step('skipped', 'What is here is no description of it.', parsed.error.issues.slice(0, 3).map(issueLine));
    return { kind: 'none' };
  }
  step('ok', 'It was read.', lines(parsed.data));
  return { kind: 'read', document: parsed.data };
}

function failed(errand: Errand, name: Told['name'], code: Parameters<typeof fault>[0], where: string): SignInFault {
  return told(errand, name, fault(code, { upstream: errand.upstream, where }));
}

function told(errand: Errand, name: Told['name'], found: SignInFault): SignInFault {
  errand.trace.step({ name, outcome: 'failed', message: found.message });
  return found;
}

function lines(members: object): readonly string[] {
  return Object.entries(members)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => `${key}: ${Array.isArray(value) ? value.join(' ') : String(value)}`);
}

function issueLine({ path, message }: z.core.$ZodIssue): string {
  return `${path.join('.') || 'document'}: ${message}`;
}

const resourceSchema = z.object({
  resource: z.string().max(2048),
  authorization_servers: z.array(z.string().max(2048)).nullish(),
  scopes_supported: z.array(z.string()).nullish().catch(null),
});

const RESOURCE = '/.well-known/oauth-protected-resource';
const OAUTH = '/.well-known/oauth-authorization-server';
const OPENID = '/.well-known/openid-configuration';
const VERSION = '2025-11-25';
const MOST_SERVERS = 10;
const PING = '{"jsonrpc":"2.0","id":0,"method":"ping"}';
