import { generateKeyPairSync } from 'node:crypto';
import type { Adapter, Configuration, JWK, KoaContextWithOIDC, Provider } from 'oidc-provider';
import { z } from 'zod';
import type { Vault } from '../secrets/vault.ts';
import { PATHS, SCOPE } from './metadata.ts';
import { resourceNamed } from './resource.ts';

export type { Provider } from 'oidc-provider';

export type ProviderMade =
  | { readonly kind: 'made'; readonly provider: Provider }
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface ProviderParts {
  /** `http://127.0.0.1:<port>` */
  readonly issuer: string;
  readonly port: number;
  readonly vault: Pick<Vault, 'get' | 'put'>;
  readonly adapter: (model: string) => Adapter;
  /** False once the person or the program has ended the sign-in. */
  readonly isLive: (keyId: string) => boolean;
  /** Tokens were given out for it. */
  readonly used: (keyId: string) => void;
  /** A fault of the library or of ours, never something a program did. */
  readonly failed: (error: unknown) => void;
}

export const ACCESS_SECONDS = 3600;
/** A sign-in lasts while it is used within this time. */
export const UNUSED_SECONDS = 30 * 24 * 3600;
export const CODE_SECONDS = 60;
/** Longer than the question to the person waits. */
export const SIGN_IN_SECONDS = 600;

/**
 * The certified library with everything off that MCP does not need: public clients, the code flow with PKCE, opaque access
 * tokens for one resource, refresh tokens that rotate. It is loaded here, at the first sign-in, not when Gatehouse starts.
 */
export async function createProvider(parts: ProviderParts): Promise<ProviderMade> {
  const key = await signingKey(parts.vault);
  if (key.kind === 'unavailable') return key;
  const library = await loadQuietly();
  const provider = new library.Provider(parts.issuer, configuration(parts, library, key.jwk));
  // Koa would print what it calls an error to the terminal, with a stack.
  provider.silent = true;
  provider.on('server_error', (_ctx, error) => parts.failed(error));
  provider.on('grant.success', ({ oidc }: KoaContextWithOIDC) => {
    const keyId = oidc.entities.Account?.accountId;
    if (keyId !== undefined) parts.used(keyId);
  });
  return { kind: 'made', provider };
}

type Library = typeof import('oidc-provider');

function configuration({ port, adapter, isLive }: ProviderParts, { errors }: Library, jwk: JWK): Configuration {
  const off = { enabled: false } as const;
  return {
    adapter,
    jwks: { keys: [jwk] },
    // No cookie is ever set or sent: see `resume`.
    cookies: { keys: [], short: { signed: false }, long: { signed: false } },
    routes: {
      authorization: PATHS.authorize,
      token: PATHS.token,
      registration: PATHS.register,
      revocation: PATHS.revoke,
    },
    scopes: [],
    claims: {},
    responseTypes: ['code'],
    subjectTypes: ['public'],
    clientAuthMethods: ['none'],
    clientDefaults: {
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      id_token_signed_response_alg: 'ES256',
    },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    // Every code is bound to its verifier (OAuth 2.1 section 4.1.1).
    pkce: { required: () => true },
    allowOmittingSingleRegisteredRedirectUri: false,
    conformIdTokenClaims: true,
    clientBasedCORS: () => false,
    features: {
      devInteractions: off,
      dPoP: off,
      userinfo: off,
      rpInitiatedLogout: off,
      pushedAuthorizationRequests: off,
      registration: { enabled: true, issueRegistrationAccessToken: false },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_ctx, _client, oneOf) => oneOf ?? [],
        useGrantedResource: () => true,
        getResourceServerInfo(_ctx, indicator) {
          const resource = resourceNamed(indicator, port);
          if (resource === null) throw new errors.InvalidTarget('this address is no MCP endpoint of this Gatehouse');
          return { scope: SCOPE, audience: resource.path, accessTokenFormat: 'opaque', accessTokenTTL: ACCESS_SECONDS };
        },
      },
    },
    // Without this no refresh token is given to who did not ask for `offline_access`.
    issueRefreshToken: () => true,
    rotateRefreshToken: () => true,
    expiresWithSession: () => false,
    revokeGrantPolicy: () => true,
    ttl: {
      AccessToken: ACCESS_SECONDS,
      AuthorizationCode: CODE_SECONDS,
      Interaction: SIGN_IN_SECONDS,
      RefreshToken: UNUSED_SECONDS,
      // The key in `keys` says when a sign-in ends.
      Grant: 10 * 365 * 24 * 3600,
      Session: SIGN_IN_SECONDS,
      IdToken: CODE_SECONDS,
    },
    interactions: { url: (_ctx, interaction) => `${PATHS.signIn}/${interaction.uid}` },
    findAccount: (_ctx, keyId) => (isLive(keyId) ? { accountId: keyId, claims: () => ({ sub: keyId }) } : undefined),
    renderError(ctx, { error, error_description }) {
      ctx.body = { error, error_description };
    },
  };
}

/** With DEBUG set the library would write requests and answers to the terminal. */
async function loadQuietly(): Promise<Library> {
  const { DEBUG } = process.env;
  delete process.env.DEBUG;
  try {
    return await import('oidc-provider');
  } finally {
    if (DEBUG !== undefined) process.env.DEBUG = DEBUG;
  }
}

const PLACE = 'client-sign-in/signing-key';

const jwkSchema = z.record(z.string(), z.string());

type SigningKey =
  | { readonly kind: 'found'; readonly jwk: JWK }
  | { readonly kind: 'unavailable'; readonly reason: string };

/** Made once, kept in the vault. */
async function signingKey(vault: Pick<Vault, 'get' | 'put'>): Promise<SigningKey> {
  const kept = await vault.get(PLACE);
  if (kept.kind === 'unavailable') return kept;
  if (kept.kind === 'found') return { kind: 'found', jwk: jwkSchema.parse(JSON.parse(kept.value)) };
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...jwkSchema.parse(privateKey.export({ format: 'jwk' })), use: 'sig', alg: 'ES256' };
  const written = await vault.put(PLACE, JSON.stringify(jwk));
  return written.kind === 'unavailable' ? written : { kind: 'found', jwk };
}
