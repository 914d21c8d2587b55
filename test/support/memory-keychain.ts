import type { Keychain } from '../../electron/core/platform.ts';

/**
 * `hiding` is a keyring that shows no items while it is locked and lets the next write open it (the person unlocks it in
 * the window that the write brings up).
 */
export type KeychainMood = 'open' | 'locked' | 'absent' | 'hiding';

/** A stand-in for the system's keychain, for tests that are not about the keychain. Nothing outlives the process. */
export interface MemoryKeychain extends Keychain {
  readonly items: Map<string, string>;
  /** Every question so far, such as `read master-key`. */
  readonly asked: readonly string[];
  mood: KeychainMood;
}

export function createMemoryKeychain(mood: KeychainMood = 'open'): MemoryKeychain {
  const items = new Map<string, string>();
  const asked: string[] = [];

  function closed(): { readonly kind: 'locked' | 'absent'; readonly reason: string } | null {
    if (keychain.mood === 'locked') return { kind: 'locked', reason: 'The stand-in keychain is locked.' };
    if (keychain.mood === 'absent') return { kind: 'absent', reason: 'There is no stand-in keychain.' };
    return null;
  }

  const keychain: MemoryKeychain = {
    items,
    asked,
    mood,
    async read(item) {
      asked.push(`read ${item}`);
      const value = keychain.mood === 'hiding' ? undefined : items.get(item);
      return closed() ?? (value === undefined ? { kind: 'missing' } : { kind: 'found', value });
    },
    async write(item, value) {
      asked.push(`write ${item}`);
      const refusal = closed();
      if (refusal) return refusal;
      keychain.mood = 'open';
      items.set(item, value);
      return { kind: 'written' };
    },
    async remove(item) {
      asked.push(`remove ${item}`);
      const refusal = closed();
      if (refusal) return refusal;
      items.delete(item);
      return { kind: 'written' };
    },
  };
  return keychain;
}
