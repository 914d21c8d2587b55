import type { Keychain, KeychainRead, KeychainWrite } from '../../../electron/core/platform.ts';

export interface TestKeychain extends Keychain {
  readonly items: Map<string, string>;
  /** What every question is answered with instead; null: it works. */
  fault: { readonly kind: 'locked' | 'absent'; readonly reason: string } | null;
  readonly writes: string[];
}

/** A keychain in memory that can be locked and unlocked. */
export function testKeychain(fault: TestKeychain['fault'] = null): TestKeychain {
  const items = new Map<string, string>();
  const writes: string[] = [];
  const keychain: TestKeychain = {
    items,
    fault,
    writes,
    async read(item): Promise<KeychainRead> {
      if (keychain.fault) return keychain.fault;
      const value = items.get(item);
      return value === undefined ? { kind: 'missing' } : { kind: 'found', value };
    },
    async write(item, value): Promise<KeychainWrite> {
      if (keychain.fault) return keychain.fault;
      items.set(item, value);
      writes.push(item);
      return { kind: 'written' };
    },
    async remove(item): Promise<KeychainWrite> {
      if (keychain.fault) return keychain.fault;
      items.delete(item);
      return { kind: 'written' };
    },
  };
  return keychain;
}

export const LOCKED = { kind: 'locked', reason: 'The keychain is locked. Unlock it, then try again.' } as const;
export const ABSENT = { kind: 'absent', reason: 'No keychain runs on this machine.' } as const;
