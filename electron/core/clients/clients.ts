import type { Client, ClientView, Key, Role, Workspace } from '../../../shared/model.ts';

/** The caller is told only `401 unauthorized`; the audit is told which. */
export type RefusedKey = 'missing' | 'malformed' | 'wrong' | 'revoked' | 'expired' | 'other_workspace';

export type Authentication =
  | { readonly kind: 'accepted'; readonly client: Client; readonly key: Key; readonly workspace: Workspace }
  | {
      readonly kind: 'refused';
      readonly why: RefusedKey /** Where the key is one of ours. */;
      readonly keyPrefix: string | null;
    };

export interface NewKey {
  readonly workspaceId: string;
  readonly role: Role;
  readonly name: string;
  readonly expiresAt: number | null;
  readonly upstreams: readonly string[] | null;
  readonly scopeTags: readonly string[];
}

export interface ClientChange {
  readonly name?: string;
  readonly callsItself?: string | null;
  readonly tags?: readonly string[];
  readonly upstreams?: readonly string[] | null;
  readonly scopeTags?: readonly string[];
  readonly holdMs?: number;
}

export type ClientsResult<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'refused'; readonly message: string };

export interface Clients {
  /** `header` is the raw Authorization header; `workspaceSlug` is set for `/w/<slug>/…`, null means any. */
  authenticate(header: string | undefined, workspaceSlug: string | null): Authentication;
  createKey(wanted: NewKey): ClientsResult<{ readonly secret: string; readonly key: Key; readonly client: Client }>;
  /** By id or by shown prefix. */
  revokeKey(key: string): ClientsResult<Key>;
  rotateKey(key: string): ClientsResult<{ readonly secret: string; readonly key: Key }>;
  /** True while the key is neither revoked nor expired. */
  keyIsLive(keyId: string): boolean;
  get(clientId: string): Client | null;
  list(workspaceId?: string): readonly ClientView[];
  set(clientId: string, change: ClientChange): ClientsResult<ClientView>;
  pins(clientId: string): readonly string[];
  /** Exposed names; pins shape listing only. */
  setPins(clientId: string, names: readonly string[]): void;
  workspaces(): readonly Workspace[];
  workspace(slugOrIdOrName: string): Workspace | null;
  /** The workspace used when none is named; created as "Personal" at first start. */
  defaultWorkspace(): Workspace;
  createWorkspace(name: string): ClientsResult<Workspace>;
  renameWorkspace(id: string, name: string): ClientsResult<Workspace>;
  /** Refused while it still has upstreams or live keys, and for the last one. */
  removeWorkspace(id: string): ClientsResult<Workspace>;
  /** Told of every key that ended (revoked, rotated away): open streams and waiting calls of it end. */
  onKeyEnded(listener: (keyId: string) => void): () => void;
  onChange(listener: () => void): () => void;
}
