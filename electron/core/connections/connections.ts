import type { ConnectionView } from '../../../shared/connections.ts';
import type { CredentialsFor } from '../upstreams/credentials.ts';
import type { Grant } from './grant.ts';

export type ConnectionResult =
  | { readonly kind: 'done'; readonly connection: ConnectionView }
  | { readonly kind: 'refused'; readonly message: string };

/** The accounts of all upstreams. */
export interface Connections {
  list(upstreamId?: string): readonly ConnectionView[];
  get(id: string): ConnectionView | null;
  byLabel(upstreamId: string, label: string): ConnectionView | null;
  /**
   * What a call goes out with: the account it names, else the client's own choice, else the default one. `none`: the
   * upstream has no accounts, or needs none. `unknown`: no account of that label; `labels` are those there are.
   */
  choose(
    clientId: string,
    upstreamId: string,
    label: string | null,
  ):
    | { readonly kind: 'chosen'; readonly connection: ConnectionView }
    | { readonly kind: 'none' }
    | { readonly kind: 'unknown'; readonly labels: readonly string[] };
  /**
   * An account was signed in: kept durably, in the vault first, before this resolves. `connectionId` null: a new one; the
   * first of an upstream is its default. The grant is given without its ids, which this knows.
   */
  connect(wanted: {
    readonly upstreamId: string;
    readonly label: string;
    readonly connectionId: string | null;
    readonly grant:
      | Omit<Extract<Grant, { kind: 'tokens' }>, 'upstreamId' | 'connectionId'>
      | Omit<Extract<Grant, { kind: 'api_key' }>, 'upstreamId' | 'connectionId'>;
  }): Promise<ConnectionResult>;
  rename(id: string, label: string): ConnectionResult;
  /** Ends the grant here at once, and then at the vendor (RFC 7009); `note`: what the vendor did not do. */
  signOut(id: string): Promise<ConnectionResult & { readonly note?: string | null }>;
  remove(
    id: string,
  ): Promise<
    { readonly kind: 'done'; readonly note: string | null } | { readonly kind: 'refused'; readonly message: string }
  >;
  /** `clientId` null: of every client without a choice of its own. */
  makeDefault(id: string, clientId: string | null): ConnectionResult;
  /** The upstream was removed: its accounts go with it. */
  forgetUpstream(upstreamId: string): Promise<void>;
  readonly credentialsFor: CredentialsFor;
  onChange(listener: (upstreamId: string) => void): () => void;
}

/** Accounts by upstream and label. What is secret about one is in the vault, with everything it may be used for. */
export const connectionsSchema = `
CREATE TABLE connections (
  id TEXT PRIMARY KEY,
  upstream_id TEXT NOT NULL,
  label TEXT NOT NULL,
  mode TEXT NOT NULL CHECK (mode IN ('api_key', 'mcp_oauth', 'oauth', 'client_credentials')),
  created_at INTEGER NOT NULL,
  UNIQUE (upstream_id, label)
) STRICT;
`;
