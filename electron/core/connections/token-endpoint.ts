import { z } from 'zod';
import type { AuthorizationServer, ClientRegistration, SignInFault } from './authorization-server.ts';
import { words } from './challenge.ts';
import { jsonOf } from './discovery.ts';
import type { Errand } from './errand.ts';
import { fault, vendorWords } from './faults.ts';
import type { Tokens } from './grant.ts';
import type { OutboundAnswer } from './outbound.ts';
import type { Told } from './trace.ts';

/**
 * Requests to the token and revocation endpoints (RFC 6749, RFC 8707, RFC 7009). Not the SDK's: its errors hold the raw
 * answer, it takes any `expires_in` and `token_type`, and it writes HTTP Basic without the encoding of RFC 6749, 2.3.1.
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

/** Ends a grant at the vendor (RFC 7009), as far as the vendor lets us; here it ends in any case. */
export async function revoke(
  errand: Errand,
  tokens: GivenTokens,
): Promise<{ readonly kind: 'revoked' } | { readonly kind: 'not_revoked'; readonly note: string }> {
  const { upstream, trace } = errand;
  const notRevoked = (why: string, told: Partial<Told> = {}) => {
    const note = `${why} To end it there too, remove Gatehouse in the account settings of the vendor.`;
    trace.step({ name: 'revoke', outcome: 'skipped', message: note, ...told });
    return { kind: 'not_revoked' as const, note };
  };
  if (tokens.revokeUrl === null) return notRevoked(`${upstream} offers no way to end a sign-in from here.`);
  // The refresh token first: with it most servers end the whole grant.
  const ending = [
    { token: tokens.refreshToken, hint: 'refresh_token' },
    { token: tokens.accessToken, hint: 'access_token' },
  ];
  for (const { token, hint } of ending) {
    if (token === null) continue;
    trace.hide(token);
    const answer = await post(errand, tokens.revokeUrl, tokens, { token, token_type_hint: hint });
    const request = { method: 'POST', url: tokens.revokeUrl };
    if (answer.kind === 'fault') return notRevoked(answer.message, { outcome: 'failed', request });
    const { status } = answer;
    if (status !== 200 && status !== 204) {
      // RFC 7009, 2.2.1: a server need not know how to end an access token; with the refresh token the grant has ended.
      if (hint === 'access_token' && tokens.refreshToken !== null) break;
      return notRevoked(`${hostOf(tokens.revokeUrl)} did not end it (HTTP ${status}).`, {
        outcome: 'failed',
        request,
        status,
      });
    }
    trace.step({ name: 'revoke', outcome: 'ok', message: `The ${hint.replace('_', ' ')} was ended.`, request, status });
  }
  return { kind: 'revoked' };
}

type Given =
  | { readonly kind: 'given'; readonly tokens: Omit<GivenTokens, 'by'> }
  /** By the server itself, with an error of RFC 6749, 5.2. */
  | { readonly kind: 'refused'; readonly error: string; readonly fault: SignInFault }
  | { readonly kind: 'failed'; readonly fault: SignInFault };

type Form = Readonly<Record<string, string | null>>;

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
  const answer = await post(errand, server.tokenUrl, client, { ...form, resource });
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
  const parsed = answerSchema.safeParse(jsonOf(answer));
  if (!parsed.success) {
    const detail = sentences(parsed.error);
    return { kind: 'failed', fault: failed(fault('token_unusable', { upstream, where, detail }), status) };
  }
  const { access_token, refresh_token, expires_in, scope } = parsed.data;
  trace.hide(access_token);
  trace.hide(refresh_token ?? null);
  const scopes = granted(scope, party.scopes);
  const read = [
    `expires_in: ${expires_in === null ? 'not said' : `${expires_in} s`}`,
    `refresh_token: ${refresh_token == null ? 'none' : 'given'}`,
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
      accessToken: access_token,
      refreshToken: refresh_token ?? null,
      // From before the request: a slow answer must not make a token seem to live longer.
      expiresAt: expires_in === null ? null : asked + expires_in * 1000,
      obtainedAt: clock.now(),
      scopes: scopes === null ? null : [...scopes],
    },
  };
}

type Secretive = Pick<ClientRegistration, 'clientId' | 'clientSecret' | 'tokenAuth'>;

/** A form to an endpoint of the authorization server, by the client as it proves itself there (RFC 6749, 2.3.1). */
function post(
  errand: Errand,
  url: string,
  { clientId, clientSecret, tokenAuth }: Secretive,
  form: Form,
): Promise<OutboundAnswer | SignInFault> {
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(form)) if (value !== null) body.set(name, value);
  const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' };
  if (tokenAuth === 'basic' && clientSecret !== null) {
    const pair = `${formEncoded(clientId)}:${formEncoded(clientSecret)}`;
    headers.authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
  } else {
    body.set('client_id', clientId);
    if (tokenAuth === 'post' && clientSecret !== null) body.set('client_secret', clientSecret);
  }
  return errand.outbound({ url, method: 'POST', headers, body: body.toString() });
}

function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}

/** What the server says went wrong. Some say so with HTTP 200. */
function errorOf(answer: OutboundAnswer): { readonly error: string; readonly words: string | null } | null {
  const parsed = errorSchema.safeParse(jsonOf(answer));
  if (!parsed.success) return null;
  const { error, error_description: description } = parsed.data;
  return { error, words: vendorWords(error, description) };
}

function granted(said: string | null, asked: readonly string[] | null): readonly string[] | null {
  if (said === null) return asked;
  // GitHub and others write commas.
  const isList = !/\s/.test(said) && said.includes(',') && !asked?.includes(said);
  return words(isList ? said.replaceAll(',', ' ') : said) ?? asked;
}

function sentences(error: z.ZodError): string {
  const said = error.issues.map(({ message, code }) =>
    code === 'custom' || message.endsWith('.') ? message : UNREADABLE,
  );
  return [...new Set(said)].slice(0, 2).join(' ');
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

const UNREADABLE = 'It is not an answer of OAuth.';
const HEADER_TOKEN = /^[\x21-\x7e]+$/;
const text = (name: string, most: number) =>
  z
    .string({ error: `It holds no ${name}.` })
    .min(1, `It holds no ${name}.`)
    .max(most, `Its ${name} is too long to be one.`)
    .regex(HEADER_TOKEN, `Its ${name} holds characters that no token may have.`);

/** What RFC 6749, 5.1 lets a server say, and no more of it than can be used (security.md I20). */
const answerSchema = z.object({
  access_token: text('access token', 32 * 1024),
  token_type: z
    .string({ error: 'It does not say what kind of token it gave.' })
    .regex(/^bearer$/i, 'Its token is not a Bearer token, and Gatehouse uses no other.'),
  refresh_token: text('refresh token', 64 * 1024).nullish(),
  expires_in: z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^\d{1,10}$/)
          .transform(Number),
      ],
      {
        error: 'It does not say in a usable way how long its token lives.',
      },
    )
    .nullish()
    .transform((seconds) => seconds ?? null)
    .refine((seconds) => seconds === null || (seconds >= 0 && seconds <= A_CENTURY), {
      message: 'It does not say in a usable way how long its token lives.',
    })
    .transform((seconds) => (seconds === null ? null : Math.floor(seconds))),
  scope: z
    .string()
    .max(16 * 1024)
    .nullish()
    .catch(null)
    .transform((scope) => scope ?? null),
});
const errorSchema = z.object({ error: z.string().min(1), error_description: z.string().nullish().catch(null) });

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
const A_CENTURY = 100 * 366 * 24 * 60 * 60;
