import type { JsonWebKey } from 'node:crypto';
import { type AdapterPayload, type Configuration, errors } from 'oidc-provider';
import { fetchByAuthority } from './document-host.ts';
import { faultPage } from './pages.ts';
import { LOOPBACK_REDIRECTS, type PreRegistered, type VendorProfile } from './profile.ts';

/** As the specification of 2025-03-26 expects them of a server without metadata. */
export const ROUTES = {
  authorization: '/authorize',
  token: '/token',
  registration: '/register',
  revocation: '/revoke',
  jwks: '/jwks',
};

export const DEFAULT_SCOPES = ['notes:read', 'notes:write'];
const ALGORITHM = 'ES256';

/** The configuration of `oidc-provider` for one profile; what it cannot do wrong itself is in `misbehaviour.ts`. */
export function configurationOf(
  profile: VendorProfile,
  resource: string,
  adapter: Configuration['adapter'],
  key: JsonWebKey,
  cookieSuffix: string,
): Configuration {
  const scopes = [...(profile.scopes ?? DEFAULT_SCOPES)];
  const lifetime = profile.accessTokenSeconds ?? 3600;
  const resourceServer = {
    scope: scopes.join(' '),
    audience: resource,
    accessTokenTTL: lifetime,
    accessTokenFormat: profile.tokens ?? 'opaque',
    ...(profile.tokens === 'jwt' ? { jwt: { sign: { alg: ALGORITHM } as const } } : {}),
  };
  const day = 24 * 60 * 60;
  return {
    ...(adapter === undefined ? {} : { adapter }),
    jwks: { keys: [{ ...key, alg: ALGORITHM, use: 'sig', kid: 'vendor' } as never] },
    routes: ROUTES,
    // Cookies of one host are shared by all its ports, and a test may run several vendors in one browser.
    cookies: {
      keys: ['a test vendor'],
      names: {
        session: `_session_${cookieSuffix}`,
        interaction: `_interaction_${cookieSuffix}`,
        resume: `_resume_${cookieSuffix}`,
      },
    },
    scopes: ['openid', 'offline_access', ...scopes],
    clientDefaults: { id_token_signed_response_alg: ALGORITHM },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: { url: (_, interaction) => `${profile.issuerPath ?? ''}/interaction/${interaction.uid}` },
    pkce: { required: () => false },
    rotateRefreshToken: profile.rotation ?? true,
    expiresWithSession: () => false,
    issueRefreshToken: (_, client, source) =>
      profile.refreshTokens !== 'never' &&
      client.grantTypeAllowed('refresh_token') &&
      (profile.refreshTokens !== 'offline_access' || source.scopes.has('offline_access')),
    extraTokenClaims: () => (profile.padding === undefined ? undefined : { padding: 'x'.repeat(profile.padding) }),
    clientBasedCORS: () => false,
    renderError: (ctx, out) => {
      ctx.type = 'html';
      ctx.body = faultPage(`${out.error}: ${out.error_description ?? ''}`);
    },
    ttl: {
      AccessToken: lifetime,
      ClientCredentials: lifetime,
      AuthorizationCode: 60,
      IdToken: lifetime,
      RefreshToken: 14 * day,
      Interaction: day,
      Session: day,
      Grant: 14 * day,
    },
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      clientCredentials: { enabled: true },
      registration: { enabled: profile.registration !== 'off' },
      revocation: {
        enabled: profile.revocation ?? true,
        allowedPolicy: (_, client, token) => token.clientId === client.clientId,
      },
      clientIdMetadataDocument: {
        enabled: profile.metadataDocuments !== undefined,
        ack: 'draft-02',
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_, __, oneOf) => {
          if (oneOf !== undefined) return oneOf;
          return profile.resourceOptional === true || profile.old === true ? resource : [];
        },
        useGrantedResource: () => true,
        getResourceServerInfo: (_, named) => {
          if (named !== resource) throw new errors.InvalidTarget();
          return resourceServer;
        },
      },
    },
    ...(profile.metadataDocuments === undefined
      ? {}
      : { fetch: fetchByAuthority(profile.metadataDocuments.authority) }),
  };
}

/** As the provider keeps a client. */
export function metadataOf(client: PreRegistered): AdapterPayload {
  const auth = client.auth ?? (client.secret === undefined ? 'none' : 'client_secret_basic');
  const grants = [...(client.grants ?? ['authorization_code', 'refresh_token'])];
  const redirects = grants.includes('authorization_code') ? [...(client.redirectUris ?? LOOPBACK_REDIRECTS)] : [];
  return {
    client_id: client.id,
    client_name: client.id,
    application_type: 'native' as const,
    token_endpoint_auth_method: auth,
    grant_types: grants,
    response_types: redirects.length > 0 ? ['code' as const] : [],
    redirect_uris: redirects,
    ...(client.secret === undefined ? {} : { client_secret: client.secret }),
  };
}

/** Where the provider has what is asked for here; null when nobody answers. */
export function providerPath(profile: VendorProfile, prefix: string, path: string): string | null {
  const places = { oauth: 'oauth-authorization-server', openid: 'openid-configuration' };
  const answering = profile.old === true ? [] : (profile.serverMetadata ?? ['oauth', 'openid']);
  for (const kind of answering) {
    const name = kind === 'oauth' ? places.oauth : places.openid;
    const outside = kind === 'openid-appended' ? `${prefix}/.well-known/${name}` : `/.well-known/${name}${prefix}`;
    if (path === outside) return `${prefix}/.well-known/${name}`;
  }
  if (path.includes('/.well-known/') || !path.startsWith(`${prefix}/`)) return null;
  const own = [...Object.values(ROUTES), '/interaction'];
  const at = path.slice(prefix.length);
  return own.some((route) => at === route || at.startsWith(`${route}/`)) ? path : null;
}
