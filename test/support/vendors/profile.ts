/**
 * How a vendor behaves. What is left out is what a good vendor of today does: registration, PKCE announced, refresh tokens
 * that rotate, the issuer in the callback, metadata where the specifications look first.
 */
export interface VendorProfile {
  /** Line of the official SDK behind the sign-in: `v1` is 2025-11-25 with sessions, `v2` is 2026-07-28. Default `v1`. */
  readonly server?: 'v1' | 'v2';

  /**
   * RFC 7591. `off` also leaves it out of the metadata; `without scopes` refuses who names some; otherwise what it answers to
   * every registration.
   */
  readonly registration?: 'open' | 'off' | 'without scopes' | Refusal;
  readonly clients?: readonly PreRegistered[];
  /** Client ids that are https URLs are fetched, from hosts whose certificate this authority signed (PEM). */
  readonly metadataDocuments?: { readonly authority: string };

  /** What the vendor compares redirect URIs by: any port of loopback (RFC 8252), every character, or `localhost` alone. */
  readonly redirects?: 'loopback' | 'exact' | 'localhost';

  /** When a refresh token is given. Default `always`. */
  readonly refreshTokens?: 'always' | 'offline_access' | 'never';
  /** Default true: a refresh token serves once, and showing a used one revokes the whole grant. */
  readonly rotation?: boolean;
  /** Default `opaque`. */
  readonly tokens?: 'opaque' | 'jwt';
  /** Bytes of one more claim in every JWT. */
  readonly padding?: number;
  /** How long an access token lives, in seconds. Default 3600. */
  readonly accessTokenSeconds?: number;
  /** `resource` (RFC 8707) may be left out. Default false: such a token is not accepted by the MCP server. */
  readonly resourceOptional?: boolean;
  /** RFC 7009. Default true. */
  readonly revocation?: boolean;

  /** `code_challenge_methods_supported`. Default `S256`. */
  readonly pkce?: 'S256' | 'plain' | 'absent';
  /** The `issuer` of the metadata; default the real one. */
  readonly metadataIssuer?: string;
  /** RFC 9207: announced and sent, neither, announced and left out, sent and not announced, or another issuer's. */
  readonly iss?: 'sent' | 'silent' | 'missing' | 'unannounced' | 'wrong' | 'wrong-unannounced';
  /** Path of the issuer, such as `/tenant`. Default none. */
  readonly issuerPath?: string;
  /** Which of the places of the authorization server's metadata answer: RFC 8414, OIDC inserted, OIDC appended. */
  readonly serverMetadata?: readonly ('oauth' | 'openid' | 'openid-appended')[];

  /**
   * Where the resource metadata (RFC 9728) is: named in the 401 alone (`header`), at the well-known place with the path or at the
   * root, or nowhere. Default `path`, named in the 401 too.
   */
  readonly resourceMetadata?: 'path' | 'header' | 'unnamed-path' | 'root' | 'none';
  /** What the resource metadata call the resource; default the real URL. */
  readonly resource?: string;
  /** How many authorization servers the resource metadata name; each is a real one. Default 1. */
  readonly authorizationServers?: number;
  /** A 401 says `WWW-Authenticate`. Default true. */
  readonly challenge?: boolean;
  /** A server of 2025-03-26: `/authorize`, `/token`, `/register` at its own origin, and no metadata at all. */
  readonly old?: boolean;

  /** Scopes that exist. Default `notes:read notes:write`. */
  readonly scopes?: readonly string[];
  /** `scopes_supported` of the resource metadata; null leaves it out. Default `notes:read`. */
  readonly announcedScopes?: readonly string[] | null;
  /** `scope` of the 401; null leaves it out. Default null. */
  readonly challengeScope?: string | null;
  /** What a tool needs, over being signed in. */
  readonly toolScopes?: Readonly<Record<string, readonly string[]>>;

  /** Every answer of the authorization server comes so much later. */
  readonly slowMs?: number;
}

/** An answer of RFC 6749 section 5.2 or RFC 7591 section 3.2.2, in the vendor's own words. */
export interface Refusal {
  readonly error: string;
  readonly description?: string;
  /** Default 400. */
  readonly status?: number;
}

export interface PreRegistered {
  readonly id: string;
  /** Left out: a public client. */
  readonly secret?: string;
  /** Default `client_secret_basic` with a secret, `none` without. */
  readonly auth?: 'client_secret_basic' | 'client_secret_post' | 'none';
  /** Default the loopback redirects of {@link LOOPBACK_REDIRECTS}. */
  readonly redirectUris?: readonly string[];
  /** Default `authorization_code` and `refresh_token`. */
  readonly grants?: readonly ('authorization_code' | 'refresh_token' | 'client_credentials')[];
}

/** Without a port, as a native client of RFC 8252 is registered. */
export const LOOPBACK_REDIRECTS: readonly string[] = [
  'http://127.0.0.1/oauth/callback',
  'http://127.0.0.1/callback',
  'http://localhost/oauth/callback',
  'http://localhost/callback',
];
