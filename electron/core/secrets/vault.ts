export type SecretRead =
  | { readonly kind: 'found'; readonly value: string }
  | { readonly kind: 'missing' }
  /** Locked or absent keychain, or a value that does not decrypt: one sentence with what to do. */
  | { readonly kind: 'unavailable'; readonly reason: string };

export type SecretWrite = { readonly kind: 'written' } | { readonly kind: 'unavailable'; readonly reason: string };

export type VaultState =
  | { readonly kind: 'ready'; readonly by: 'keychain' | 'file' }
  | { readonly kind: 'locked' | 'absent' | 'lost'; readonly reason: string };

/**
 * Everything secret: AES-256-GCM under one random master key (keychain, or GATEHOUSE_MASTER_KEY_FILE), in `state.db`,
 * with its place as associated data, so that a sealed value copied to another place does not open.
 */
export interface Vault {
  /** Tries again when it was locked. */
  state(): Promise<VaultState>;
  /** `place` is a path such as `upstream/<id>/env/GITHUB_TOKEN`. */
  put(place: string, value: string): Promise<SecretWrite>;
  get(place: string): Promise<SecretRead>;
  remove(place: string): void;
  removeAll(prefix: string): void;
  has(place: string): boolean;
}
