/**
 * How accounts are connected at upstreams, as every process sees it. Types only, without a secret in any of them.
 * All times are milliseconds since 1970 (`…At`).
 */

/** Where an API key goes: with each request to an address, or into the environment of a process. */
export type KeyPlace =
  | { readonly in: 'header'; readonly name: string /** Before the key, such as `Bearer `. */; readonly prefix: string }
  | { readonly in: 'query'; readonly name: string }
  | { readonly in: 'environment'; readonly name: string };

/** Where the vendor sends the browser back to: the path is always `/callback`. */
export interface RedirectSetting {
  /** The literal address, or the name for vendors that know only that one (RFC 8252, section 7.3 and 8.3). */
  readonly host: '127.0.0.1' | 'localhost';
  /** Null: one that is free, remembered for the next time. */
  readonly port: number | null;
}

/** How a client proves itself at the token endpoint (RFC 6749, section 2.3). `auto`: as the server's metadata says. */
export type TokenAuth = 'auto' | 'basic' | 'post' | 'none';

/** How accounts sign in at an upstream, as the person set it. The value of a `clientSecret` is in the vault. */
export type SignIn =
  | { readonly kind: 'none' }
  /** The key is the account: each connection has its own. */
  | { readonly kind: 'api_key'; readonly place: KeyPlace }
  /** As the MCP specification says; asks for nothing until the server does. The usual mode of an address. */
  | {
      readonly kind: 'mcp_oauth';
      /** Registered with the vendor by hand; null: Gatehouse gets one itself. */
      readonly clientId: string | null;
      readonly clientSecret: boolean;
      /** Null: what the server asks for. */
      readonly scopes: readonly string[] | null;
      /** Which of several authorization servers; null: the only one, or the person is asked. */
      readonly issuer: string | null;
      readonly redirect: RedirectSetting;
      /** Its metadata does not say S256, and the person lets it pass (design section 9, I3). */
      readonly allowNoPkce: boolean;
    }
  /** Addresses by hand, for vendors from before MCP. */
  | {
      readonly kind: 'oauth';
      readonly authorizeUrl: string;
      readonly tokenUrl: string;
      readonly revokeUrl: string | null;
      readonly clientId: string;
      readonly clientSecret: boolean;
      readonly scopes: readonly string[];
      readonly pkce: boolean;
      readonly tokenAuth: TokenAuth;
      readonly redirect: RedirectSetting;
    }
  /** No person and no browser: the client itself is the account. */
  | {
      readonly kind: 'client_credentials';
      /** Null: found as MCP OAuth finds it. */
      readonly tokenUrl: string | null;
      readonly clientId: string;
      readonly clientSecret: boolean;
      readonly scopes: readonly string[];
      readonly tokenAuth: TokenAuth;
    };

export type SignInMode = SignIn['kind'];

/**
 * `connected`: its calls go out. `reconnect`: the grant is dead, one click signs in again. `more_scopes`: it works, and the
 * server wants more for some call. `locked`: its secrets cannot be read now. `signed_out`: by the person; the label stays.
 */
export type ConnectionState = 'connected' | 'reconnect' | 'more_scopes' | 'locked' | 'signed_out';

/** One account on one upstream. */
export interface ConnectionView {
  readonly id: string;
  readonly workspaceId: string;
  readonly upstreamId: string;
  readonly upstream: string;
  /** The person's name for it, unique within its upstream: `work`, `personal`. */
  readonly label: string;
  readonly mode: SignInMode;
  readonly state: ConnectionState;
  /** One sentence for any state but `connected`. Our words. */
  readonly reason: string | null;
  /** Who gave the grant; null where nobody did (API keys). */
  readonly issuer: string | null;
  /** As granted; null: nobody said. */
  readonly scopes: readonly string[] | null;
  /** What the next sign-in will ask for: granted and wanted together. Null: nothing more than now. */
  readonly asksFor: readonly string[] | null;
  /** When the access token ends; null: unknown, or it does not. */
  readonly expiresAt: number | null;
  /** It is renewed without the person. */
  readonly renews: boolean;
  /** What calls use that name no connection, by clients without a choice of their own. */
  readonly isDefault: boolean;
  /** Ids of the clients whose calls use it when they name none. */
  readonly defaultFor: readonly string[];
  readonly connectedAt: number | null;
  readonly lastUsedAt: number | null;
}

/** An account as calls are bound to it and as the person calls it. A label may be another account's later, an id never is. */
export type ConnectionRef = Pick<ConnectionView, 'id' | 'label'>;

/** What a sign-in does at one step. */
export type TraceName =
  | 'challenge'
  | 'resource_metadata'
  | 'server_metadata'
  | 'choice'
  | 'client_id'
  | 'redirect'
  | 'authorize'
  | 'callback'
  | 'token'
  | 'refresh'
  | 'revoke'
  | 'check';

export interface TraceStep {
  readonly at: number;
  readonly name: TraceName;
  readonly outcome: 'ok' | 'skipped' | 'failed' | 'waiting';
  /** What was done and what came of it, one sentence. The vendor's words are quoted. */
  readonly message: string;
  /** Without its query where that could hold a secret. */
  readonly request: { readonly method: string; readonly url: string } | null;
  readonly status: number | null;
  /** What was read, a line each (`issuer: https://…`), bounded. Untrusted text; secrets are left out. */
  readonly read: readonly string[];
}

/** Why a sign-in failed. The seed's three come first; each has its sentence and its next step (`connections/faults.ts`). */
export type SignInCode =
  | 'no_registration_endpoint'
  | 'dynamic_registration_failed'
  | 'no_protected_resource_metadata'
  | 'no_server_metadata'
  | 'issuer_mismatch'
  | 'resource_mismatch'
  | 'pkce_unsupported'
  | 'redirect_rejected'
  | 'redirect_unavailable'
  | 'state_mismatch'
  | 'access_denied'
  | 'authorization_failed'
  | 'token_refused'
  | 'token_unusable'
  | 'client_refused'
  | 'host_not_allowed'
  | 'insecure_address'
  | 'unreachable'
  | 'too_large'
  | 'timeout'
  | 'scope_refused'
  | 'key_refused'
  | 'secret_unavailable'
  | 'cancelled';

/** The one thing to do next; `text` says it in a sentence. */
export interface NextStep {
  readonly act:
    | 'paste_client_id'
    | 'use_classic_oauth'
    | 'check_url'
    | 'allow_host'
    | 'allow_no_pkce'
    | 'set_redirect'
    | 'try_again'
    | 'paste_key'
    | 'unlock_keychain'
    | 'ask_vendor';
  readonly text: string;
}

/**
 * `working`: requests are under way. `choose_server`: several, the person says which. `needs_client_id`: the vendor gives
 * none by itself. `confirm_scopes`: more than before, shown before it is asked. `waiting`: for the person in the browser.
 */
export type SignInState =
  | 'working'
  | 'choose_server'
  | 'needs_client_id'
  | 'confirm_scopes'
  | 'waiting'
  | 'connected'
  | 'failed'
  | 'cancelled';

/** One sign-in, from the click to the connection, and kept after it. */
export interface SignInView {
  readonly id: string;
  readonly workspaceId: string;
  readonly upstreamId: string;
  readonly upstream: string;
  readonly label: string;
  /** The connection it renews or has made. */
  readonly connectionId: string | null;
  readonly mode: SignInMode;
  readonly state: SignInState;
  /** The page of the vendor, while `waiting`: opened by a click, or copied where there is no browser. */
  readonly link: string | null;
  /** The authorization servers to choose from, while `choose_server`. */
  readonly servers: readonly string[];
  /** What the vendor is asked for; null: nothing named. */
  readonly scopes: readonly string[] | null;
  /** Of `scopes`, what the connection did not have before. */
  readonly newScopes: readonly string[];
  /** Where the vendor is to send the browser; a vendor may want it registered. */
  readonly redirectUri: string | null;
  readonly steps: readonly TraceStep[];
  readonly code: SignInCode | null;
  /** Why it failed, one or two sentences; the vendor's words are quoted. */
  readonly message: string | null;
  readonly next: NextStep | null;
  readonly startedAt: number;
  /** A sign-in that nobody ends is ended then. */
  readonly endsAt: number;
}

/** A vendor whose addresses are known: fills in the form of classic OAuth. */
export interface OAuthPreset {
  readonly name: string;
  readonly authorizeUrl: string;
  readonly tokenUrl: string;
  readonly revokeUrl: string | null;
  readonly scopes: readonly string[];
  readonly pkce: boolean;
  readonly tokenAuth: TokenAuth;
  /** Where the vendor registers clients, for the person. */
  readonly registerAt: string;
}
