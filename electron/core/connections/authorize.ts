import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { AuthorizationServer, ClientRegistration, SignInFault } from './authorization-server.ts';
import type { Errand } from './errand.ts';
import { fault, vendorWords } from './faults.ts';
import { refuseAddress } from './outbound.ts';

export interface Wanted {
  readonly server: AuthorizationServer;
  readonly client: Pick<ClientRegistration, 'clientId'>;
  readonly redirectUri: string;
  /** Null: none named. */
  readonly scopes: readonly string[] | null;
  /** RFC 8707; null for classic OAuth, whose servers may refuse a parameter they do not know. */
  readonly resource: string | null;
  readonly pkce: boolean;
}

/** What the answer in the browser must fit to. Kept in memory for one sign-in, and for one answer. */
export interface Expected {
  readonly state: string;
  /** Null: PKCE is not used. */
  readonly verifier: string | null;
  /** As the server's metadata said it before the browser was sent there; null: it has none, so there is nothing to compare. */
  readonly issuer: string | null;
  /** It says that it always sends `iss` (RFC 9207). */
  readonly sendsIssuer: boolean;
  readonly redirectUri: string;
  /** The vendor's host, for sentences. */
  readonly host: string;
}

export interface Authorization {
  readonly kind: 'authorization';
  /** For the browser. */
  readonly url: string;
  readonly expected: Expected;
}

/** The page of the vendor where the person signs in (RFC 6749, 4.1.1, with PKCE by S256 and a state of 256 bits). */
export function authorization(errand: Errand, wanted: Wanted): Authorization | SignInFault {
  const { server, client, redirectUri, scopes, resource, pkce } = wanted;
  const { upstream, trace } = errand;
  if (server.authorizeUrl === null) {
    const detail = 'It has no page where a person signs in.';
    const found = fault('authorization_failed', { upstream, where: server.issuer, detail });
    trace.step({ name: 'authorize', outcome: 'failed', message: found.message });
    return found;
  }
  const refused = refuseAddress(server.authorizeUrl, upstream);
  if (refused !== null) {
    trace.step({ name: 'authorize', outcome: 'failed', message: refused.message });
    return refused;
  }
  const url = new URL(server.authorizeUrl);
  const state = randomBytes(32).toString('base64url');
  const verifier = pkce ? randomBytes(48).toString('base64url') : null;
  const parameters: readonly (readonly [name: string, value: string | null])[] = [
    ['response_type', 'code'],
    ['client_id', client.clientId],
    ['redirect_uri', redirectUri],
    ['state', state],
    ['code_challenge', verifier === null ? null : createHash('sha256').update(verifier).digest('base64url')],
    ['code_challenge_method', verifier === null ? null : 'S256'],
    ['scope', scopes === null || scopes.length === 0 ? null : scopes.join(' ')],
    // OpenID Connect Core, 11: without it `offline_access` is ignored.
    ['prompt', scopes?.includes('offline_access') ? 'consent' : null],
    ['resource', resource],
  ];
  for (const [name, value] of parameters) if (value !== null) url.searchParams.set(name, value);
  url.hash = '';
  trace.hide(state);
  trace.hide(verifier);
  return {
    kind: 'authorization',
    url: url.href,
    expected: {
      state,
      verifier,
      issuer: server.metadata?.issuer ?? null,
      sendsIssuer: server.metadata?.authorization_response_iss_parameter_supported === true,
      redirectUri,
      host: url.host,
    },
  };
}

/**
 * Whether an answer in the browser is the one that was waited for: the state of this sign-in, the issuer that was asked
 * (RFC 9207, compared character by character, also on errors), one code. Where it is not, nothing of it is shown.
 */
export function checkCallback(
  errand: Errand,
  query: URLSearchParams,
  expected: Expected,
): { readonly kind: 'code'; readonly code: string } | SignInFault {
  const { upstream, trace } = errand;
  const failed = (found: SignInFault): SignInFault => {
    trace.step({ name: 'callback', outcome: 'failed', message: found.message });
    return found;
  };
  for (const name of ['code', 'state']) for (const value of query.getAll(name)) trace.hide(value);
  const [state, ...moreStates] = query.getAll('state');
  if (state === undefined || moreStates.length > 0 || !isSame(state, expected.state)) {
    return failed(fault('state_mismatch', { upstream }));
  }
  if (!isFrom(query.getAll('iss'), expected)) {
    return failed(fault('issuer_mismatch', { upstream, where: expected.host }));
  }
  const [error] = query.getAll('error');
  if (error !== undefined) {
    const said = vendorWords(error, query.get('error_description'));
    const code = ERRORS[error] ?? 'authorization_failed';
    return failed(fault(code, { upstream, where: expected.host, said }));
  }
  const codes = query.getAll('code');
  const [code] = codes;
  if (code === undefined || code === '' || codes.length > 1 || code.length > LONGEST_CODE) {
    const detail = 'Its answer in the browser holds no code, or more than one.';
    return failed(fault('authorization_failed', { upstream, where: expected.host, detail }));
  }
  const read = query.has('iss') ? [`iss: ${query.get('iss')}`] : [];
  trace.step({ name: 'callback', outcome: 'ok', message: 'The browser came back with a code.', read });
  return { kind: 'code', code };
}

/** RFC 9207, 2.4, and the table of the MCP specification. */
function isFrom(given: readonly string[], { issuer, sendsIssuer }: Expected): boolean {
  const [iss, ...more] = given;
  if (more.length > 0) return false;
  // No metadata: the server is known by its addresses alone, and there is nothing honest to compare with.
  if (issuer === null) return true;
  return iss === undefined ? !sendsIssuer : iss === issuer;
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [given, expected].map((text) => createHash('sha256').update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}

const ERRORS: Readonly<Record<string, 'access_denied' | 'scope_refused' | 'client_refused' | 'redirect_rejected'>> = {
  access_denied: 'access_denied',
  invalid_scope: 'scope_refused',
  unauthorized_client: 'client_refused',
  invalid_client: 'client_refused',
  invalid_redirect_uri: 'redirect_rejected',
  redirect_uri_mismatch: 'redirect_rejected',
};
const LONGEST_CODE = 16 * 1024;
