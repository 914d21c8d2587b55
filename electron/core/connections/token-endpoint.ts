import { type AuthorizationServer, type ClientRegistration, hostOf, type SignInFault } from './authorization-server.ts';
import { type Form, postAsClient } from './client-form.ts';
import type { Errand } from './errand.ts';
import { fault } from './faults.ts';
import type { Tokens } from './grant.ts';
import { errorOf } from './oauth-answer.ts';
import { readTokens } from './token-answer.ts';

/**
 * Requests to the token endpoint (RFC 6749, RFC 8707). Not the SDK's: its errors hold the raw answer, and it takes any
 * `expires_in` and `token_type`.
 */

/** Tokens that belong to no connection yet. */
export type GivenTokens = Omit<Tokens, 'upstreamId' | 'connectionId'>;

/** Who asks which server for tokens to be used where. */
export interface TokenParty {
  readonly server: Pick<AuthorizationServer, 'issuer' | 'tokenUrl' | 'revokeUrl'>;
  readonly client: ClientRegistration;
  /** RFC 8707; null for classic OAuth. */
  readonly resource: string | null;
  /** The origin of the upstream: the only one that will see the access token. */
  readonly usedAt: string;
  /** As asked for, which is what was granted where the server does not say otherwise (RFC 6749, 5.1). */
  readonly scopes: readonly string[] | null;
}

export type Exchanged = { readonly kind: 'tokens'; readonly tokens: GivenTokens } | SignInFault;

/** Turns the code of the browser into tokens. */
export async function exchangeCode(
  errand: Errand,
  party: TokenParty,
  {
    code,
    verifier,
    redirectUri,
  }: { readonly code: string; readonly verifier: string | null; readonly redirectUri: string },
): Promise<Exchanged> {
  errand.trace.hide(code);
  errand.trace.hide(verifier);
  const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier };
  const given = await askEitherWay(errand, party, form);
  return given.kind === 'given' ? { kind: 'tokens', tokens: { ...given.tokens, by: 'code' } } : given.fault;
}

/** Tokens for the client itself: no person, no browser (RFC 6749, 4.4). */
export async function clientCredentials(errand: Errand, party: TokenParty): Promise<Exchanged> {
  const form = { grant_type: 'client_credentials', scope: party.scopes?.join(' ') || null };
  const given = await askEitherWay(errand, party, form);
  if (given.kind !== 'given') return given.fault;
  // RFC 6749, 4.4.3: there should be no refresh token, and asking again needs none.
  return { kind: 'tokens', tokens: { ...given.tokens, by: 'client_credentials', refreshToken: null } };
}

/**
 * `dead`: the vendor took the grant back, or no longer knows the client (`clientRefused`: a registration is to be
 * forgotten); only a person mends it. `later`: nobody knows; the same can be tried again.
 */
export type Renewal<T extends GivenTokens> =
  | { readonly kind: 'renewed'; readonly tokens: T }
  | { readonly kind: 'dead'; readonly message: string; readonly clientRefused: boolean }
  | { readonly kind: 'later'; readonly message: string };

/**
 * Newer tokens for these. Everything of the old ones stays that the server does not say anew, the refresh token above all.
 * Asked at most once at a time for one grant: whoever rotates refresh tokens takes a second use for theft.
 */
export async function renew<T extends GivenTokens>(errand: Errand, tokens: T): Promise<Renewal<T>> {
  const { by, issuer, tokenUrl, revokeUrl, clientId, clientSecret, tokenAuth, refreshToken, scopes } = tokens;
  if (by === 'code' && refreshToken === null) {
    const message = `${errand.upstream} gave nothing to renew the sign-in with.`;
    errand.trace.step({ name: 'refresh', outcome: 'failed', message });
    return { kind: 'dead', message, clientRefused: false };
  }
  errand.trace.hide(refreshToken);
  errand.trace.hide(tokens.accessToken);
  const party: TokenParty = {
    server: { issuer, tokenUrl, revokeUrl },
    client: { how: 'by_hand', clientId, clientSecret, tokenAuth },
    resource: tokens.resource,
    usedAt: tokens.usedAt,
    scopes,
  };
  const form: Form =
    by === 'code'
      ? { grant_type: 'refresh_token', refresh_token: refreshToken }
      : { grant_type: 'client_credentials', scope: scopes?.join(' ') || null };
  const given = await ask(errand, 'refresh', party, form);
  if (given.kind === 'given') {
    const newer = by === 'code' ? (given.tokens.refreshToken ?? refreshToken) : null;
    return { kind: 'renewed', tokens: { ...tokens, ...given.tokens, by, refreshToken: newer } };
  }
  const { message } = given.fault;
  if (given.kind === 'refused' && FINAL.has(given.error)) {
    return { kind: 'dead', message, clientRefused: given.fault.code === 'client_refused' };
  }
  return { kind: 'later', message };
}

type Given =
  | { readonly kind: 'given'; readonly tokens: Omit<GivenTokens, 'by'> }
  /** By the server itself, with an error of RFC 6749, 5.2. */
  | { readonly kind: 'refused'; readonly error: string; readonly fault: SignInFault }
  | { readonly kind: 'failed'; readonly fault: SignInFault };

/**
 * The first time nobody may know which way of showing the secret the vendor set for a client registered by hand, and
 * metadata name all that the server can do. What it took is kept.
 */
async function askEitherWay(errand: Errand, party: TokenParty, form: Form): Promise<Given> {
  const given = await ask(errand, 'token', party, form);
  const { client } = party;
  const isWrongWay = given.kind === 'refused' && given.error === 'invalid_client' && client.how === 'by_hand';
  if (!isWrongWay || client.clientSecret === null || client.tokenAuth === 'none') return given;
  const tokenAuth = client.tokenAuth === 'basic' ? 'post' : 'basic';
  const again = await ask(errand, 'token', { ...party, client: { ...client, tokenAuth } }, form);
  return again.kind === 'given' ? again : given;
}

async function ask(errand: Errand, name: 'token' | 'refresh', party: TokenParty, form: Form): Promise<Given> {
  const { server, client, resource } = party;
  const { upstream, trace, clock } = errand;
  const where = hostOf(server.tokenUrl);
  const request = { method: 'POST', url: server.tokenUrl };
  trace.hide(client.clientSecret);
  const failed = (found: SignInFault, status: number | null = null): SignInFault => {
    trace.step({ name, outcome: 'failed', message: found.message, request, status });
    return found;
  };
  const asked = clock.now();
  const answer = await postAsClient(errand, server.tokenUrl, client, { ...form, resource });
  if (answer.kind === 'fault') return { kind: 'failed', fault: failed(answer) };
  const { status } = answer;
  // A server that has a fault knows nothing for certain, whatever it says.
  const said = status >= 500 ? null : errorOf(answer);
  if (said !== null) {
    const code = ERRORS[said.error] ?? 'token_refused';
    return {
      kind: 'refused',
      error: said.error,
      fault: failed(fault(code, { upstream, where, said: said.words }), status),
    };
  }
  if (status !== 200 && status !== 201) {
    const detail = `It answered with HTTP ${status}.`;
    return { kind: 'failed', fault: failed(fault('token_refused', { upstream, where, detail }), status) };
  }
  const found = readTokens(answer, party.scopes);
  if (found.kind === 'unusable') {
    const { detail } = found;
    return { kind: 'failed', fault: failed(fault('token_unusable', { upstream, where, detail }), status) };
  }
  const { accessToken, refreshToken, seconds, scopes } = found;
  trace.hide(accessToken);
  trace.hide(refreshToken);
  const read = [
    `expires_in: ${seconds === null ? 'not said' : `${seconds} s`}`,
    `refresh_token: ${refreshToken === null ? 'none' : 'given'}`,
    `scope: ${scopes?.join(' ') ?? 'not said'}`,
  ];
  trace.step({ name, outcome: 'ok', message: `${where} gave a token.`, request, status, read });
  return {
    kind: 'given',
    tokens: {
      kind: 'tokens',
      usedAt: party.usedAt,
      resource,
      issuer: server.issuer,
      tokenUrl: server.tokenUrl,
      revokeUrl: server.revokeUrl,
      clientId: client.clientId,
      clientSecret: client.clientSecret,
      tokenAuth: client.tokenAuth,
      accessToken,
      refreshToken,
      // From before the request: a slow answer must not make a token seem to live longer.
      expiresAt: seconds === null ? null : asked + seconds * 1000,
      obtainedAt: clock.now(),
      scopes: scopes === null ? null : [...scopes],
    },
  };
}

const ERRORS: Readonly<Record<string, 'client_refused' | 'scope_refused' | 'token_refused'>> = {
  invalid_client: 'client_refused',
  unauthorized_client: 'client_refused',
  invalid_scope: 'scope_refused',
};
/** Answers to a renewal that no second try changes. */
const FINAL = new Set([
  'invalid_grant',
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
]);
