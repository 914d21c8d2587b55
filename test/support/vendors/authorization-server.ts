import { generateKeyPairSync } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type AuthInfo, OAuthError, OAuthErrorCode, type OAuthTokenVerifier } from '@modelcontextprotocol/server';
import { type AccessToken, type ClientCredentials, Provider } from 'oidc-provider';
import { watchSecret } from '../canary.ts';
import { type Answered, type Arrived, answer, passOn } from './front.ts';
import { interact } from './interactions.ts';
import { alteredCallback, alteredMetadata, refusalOf, words } from './misbehaviour.ts';
import { faultPage } from './pages.ts';
import type { Refusal, VendorProfile } from './profile.ts';
import { configurationOf, DEFAULT_SCOPES, metadataOf, providerPath, ROUTES } from './provider.ts';
import { createRecords } from './records.ts';
import { liveToken } from './tokens.ts';

/** A real `oidc-provider` behind a front that changes the one answer in which a profile misbehaves. */
export interface AuthorizationServer {
  readonly issuer: string;
  /** What is told the MCP server of a token: whose it is and for what, or that it is none. */
  readonly verifier: OAuthTokenVerifier;
  /** Handles a request to this issuer's origin; false when it is none of its. */
  handle(arrived: Arrived, response: ServerResponse): Promise<boolean>;
  /** No access token given so far is accepted any more; refresh tokens are. */
  expireAccessTokens(): void;
  /** Nothing that was granted so far counts any more, refresh tokens included. */
  revokeGrants(): void;
  /** No client is known any more, registered or pre-registered. */
  forgetClients(): void;
  /** What every refresh is answered from now on; null: as it should be. */
  refuseRefresh(refusal: Refusal | null): void;
  slowDown(ms: number): void;
  /** How far the clock of the MCP server is ahead of the authorization server's. */
  skew(seconds: number): void;
  /** Every access and refresh token it gave, for tests that look for them where they must not be. */
  tokens(): readonly string[];
  stop(): Promise<void>;
}

export async function startAuthorizationServer(
  profile: VendorProfile,
  { origin, resource }: { readonly origin: string; readonly resource: string },
): Promise<AuthorizationServer> {
  const prefix = profile.issuerPath ?? '';
  const issuer = `${origin}${prefix}`;
  const usualScope = (profile.scopes ?? DEFAULT_SCOPES)[0] ?? '';
  const records = createRecords();
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const dead = new Set<string>();
  const given = new Set<string>();
  const deadGrants = new Set<string>();
  /** JWTs are not among the records of the provider. */
  const grantOf = new Map<string, string>();
  let refreshRefusal: Refusal | null = null;
  let slowMs = profile.slowMs ?? 0;
  let skewSeconds = 0;
  let isStopping = false;

  for (const client of profile.clients ?? []) records.put('Client', client.id, metadataOf(client));
  const provider = new Provider(
    issuer,
    configurationOf(
      profile,
      resource,
      records.adapter,
      keys.privateKey.export({ format: 'jwk' }),
      new URL(origin).port,
    ),
  );
  const remember = (token: AccessToken | ClientCredentials) => {
    if ('grantId' in token && token.grantId !== undefined) grantOf.set(token.jti, token.grantId);
  };
  provider.on('access_token.issued', remember);
  const handleByProvider = provider.callback();

  const inner = createServer(async (request, response) => {
    const whole = request as IncomingMessage & { originalUrl?: string };
    whole.originalUrl = request.url ?? '/';
    request.url = whole.originalUrl.slice(prefix.length);
    const [, uid, step] = /^\/interaction\/([^/?]+)(?:\/(\w+))?/.exec(request.url) ?? [];
    if (uid === undefined) return handleByProvider(request, response);
    try {
      await interact(provider, prefix, step, request, response);
    } catch (error) {
      response.writeHead(400, { 'content-type': 'text/html' });
      response.end(faultPage(error instanceof Error ? error.message : String(error)));
    }
  });
  await new Promise<void>((resolve) => inner.listen(0, '127.0.0.1', resolve));
  const { port } = inner.address() as AddressInfo;

  /** Who asks for no scope gets the vendor's usual one (RFC 6749 section 3.3); the provider would grant nothing. */
  function queryOf({ path, query }: Arrived): string {
    const whole = new URLSearchParams(query);
    if (path.slice(prefix.length) === ROUTES.authorization && !whole.has('scope')) whole.set('scope', usualScope);
    return whole.size === 0 ? '' : `?${whole}`;
  }

  function altered(arrived: Arrived, answered: Answered): Answered {
    if (arrived.path.includes('/.well-known/')) return { ...answered, body: alteredMetadata(profile, answered) };
    if (arrived.path.slice(prefix.length) === ROUTES.token && answered.status === 200) {
      const { access_token, refresh_token } = JSON.parse(answered.body) as Record<string, string | undefined>;
      for (const token of [access_token, refresh_token]) if (token !== undefined) given.add(watchSecret(token));
    }
    if (arrived.path.slice(prefix.length) === ROUTES.registration && answered.status === 201) {
      const { client_secret } = JSON.parse(answered.body) as { readonly client_secret?: string };
      if (client_secret !== undefined) watchSecret(client_secret);
    }
    const location = answered.headers.location;
    if (typeof location !== 'string' || new URL(location, origin).origin === origin) return answered;
    return { ...answered, headers: { ...answered.headers, location: alteredCallback(profile, location) } };
  }

  async function verifyAccessToken(token: string): Promise<AuthInfo> {
    const found = dead.has(token) ? null : await liveToken(provider, keys.publicKey.export({ format: 'jwk' }), token);
    const grant = found === null ? undefined : grantOf.get(found.id);
    if (found === null || (grant !== undefined && deadGrants.has(grant))) {
      throw new OAuthError(OAuthErrorCode.InvalidToken, 'The access token is expired, revoked or unknown');
    }
    const { account, clientId, scopes, audience, endsAt } = found;
    const named = audience.includes(resource) ? new URL(resource) : undefined;
    const accepted = profile.resourceOptional === true || profile.old === true ? new URL(resource) : named;
    return {
      token,
      clientId,
      scopes: [...scopes],
      expiresAt: endsAt - skewSeconds,
      extra: { account, issuer },
      ...(accepted === undefined ? {} : { resource: accepted }),
    };
  }

  return {
    issuer,
    verifier: { verifyAccessToken },
    async handle(arrived, response) {
      const path = providerPath(profile, prefix, arrived.path);
      if (path === null) return false;
      for (const secret of secretsIn(arrived)) watchSecret(secret);
      if (slowMs > 0) await pause(slowMs);
      const at = arrived.path.slice(prefix.length);
      const refreshes = at === ROUTES.token && arrived.form.get('grant_type') === 'refresh_token';
      const refused =
        refreshes && refreshRefusal !== null ? words(refreshRefusal) : refusalOf(profile, records, at, arrived);
      if (refused !== null) {
        answer(arrived, response, refused);
        return true;
      }
      let answered: Answered;
      try {
        answered = await passOn(arrived, `${path}${queryOf(arrived)}`, port);
      } catch (error) {
        if (!isStopping) throw error;
        // Whoever asks a vendor that is being stopped, such as for the end of a grant, gets no answer.
        response.destroy();
        return true;
      }
      answer(arrived, response, altered(arrived, answered));
      return true;
    },
    expireAccessTokens() {
      for (const token of given) dead.add(token);
    },
    revokeGrants() {
      for (const grant of grantOf.values()) deadGrants.add(grant);
      for (const model of ['Grant', 'AccessToken', 'RefreshToken', 'AuthorizationCode', 'Session'])
        records.forget(model);
    },
    forgetClients: () => records.forget('Client'),
    refuseRefresh(refusal) {
      refreshRefusal = refusal;
    },
    slowDown(ms) {
      slowMs = ms;
    },
    skew(seconds) {
      skewSeconds = seconds;
    },
    tokens: () => [...given],
    async stop() {
      isStopping = true;
      inner.closeAllConnections();
      await new Promise((resolve) => inner.close(resolve));
    },
  };
}

/** What a client proves itself with, and what it gets tokens for: no Gatehouse may write any of it down. */
function secretsIn({ form, headers }: Arrived): readonly string[] {
  const basic = /^Basic (.+)$/.exec(headers.authorization ?? '')?.[1];
  const password =
    basic === undefined
      ? ''
      : Buffer.from(basic, 'base64')
          .toString('utf8')
          .replace(/^[^:]*:/, '');
  const sent = ['code', 'code_verifier', 'refresh_token', 'client_secret'].flatMap((name) => form.getAll(name));
  return [...sent, password].filter((secret) => secret.length >= 16);
}
