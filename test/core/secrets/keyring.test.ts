import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type KeyringMode, missingKeyringPackages, runUnderKeyring } from '../../support/keyring.ts';

const missing = missingKeyringPackages();
const LOCKED = { kind: 'locked', reason: 'The keychain is locked. Unlock it, then try again.' };
const NO_KEYCHAIN =
  'No keychain on this machine, so secrets are not stored. Start a keyring (for example gnome-keyring), or set GATEHOUSE_MASTER_KEY_FILE to a file only you can read.';

function seen(mode: KeyringMode, scenario: string): unknown {
  return runUnderKeyring(mode, fileURLToPath(new URL('keyring-scenario.ts', import.meta.url)), [scenario]);
}

// Elsewhere the real keyring may be missing; where everything must be tested it may not.
test('the Debian packages of the real keyring are installed', (context) => {
  if (process.env.CI !== 'true' && missing.length > 0) context.skip(`needs ${missing.join(' ')}`);
  expect(missing, `install: ${missing.join(' ')}`).toEqual([]);
});

describe.skipIf(missing.length > 0)(`a real gnome-keyring${missing.length > 0 ? ` (needs ${missing})` : ''}`, () => {
  test('an item is missing, written, found and removed, and its text comes back as it was', () => {
    expect(seen('unlocked', 'items')).toEqual({
      before: { kind: 'missing' },
      written: { kind: 'written' },
      after: { kind: 'found', value: 'Schlüssel ✓' },
      removed: { kind: 'written' },
      removedAgain: { kind: 'written' },
      gone: { kind: 'missing' },
    });
  });

  test('a secret comes back after a restart, opened by a 256-bit key that only the keyring holds', () => {
    expect(seen('unlocked', 'vault')).toEqual({
      put: { kind: 'written' },
      state: { kind: 'ready', by: 'keychain' },
      got: { kind: 'found', value: 'Geheimnis ✓' },
      keyBytes: 32,
      probe: { kind: 'missing' },
    });
  });

  test('a locked keyring is never an empty one: no new key, nothing stored, and all is there after unlocking', () => {
    const unavailable = { kind: 'unavailable', reason: LOCKED.reason };
    expect(seen('unlocked', 'locked')).toEqual({
      locked: {
        read: LOCKED,
        write: LOCKED,
        remove: LOCKED,
        state: LOCKED,
        get: unavailable,
        put: unavailable,
        freshState: LOCKED,
        freshPut: unavailable,
        rows: [1, 0],
      },
      state: { kind: 'ready', by: 'keychain' },
      get: { kind: 'found', value: 'one' },
      freshPut: { kind: 'written' },
      sameKey: true,
    });
  });

  test('a keyring that is locked at the very first use gets its key when it is unlocked, without a restart', () => {
    expect(seen('unlocked', 'lockedBeforeFirstUse')).toEqual({
      locked: { state: LOCKED, put: { kind: 'unavailable', reason: LOCKED.reason } },
      between: { kind: 'missing' },
      put: { kind: 'written' },
      state: { kind: 'ready', by: 'keychain' },
      get: { kind: 'found', value: 'one' },
    });
  });

  test.for(['absent', 'no-bus'] as const)(
    'L17: %s: without a keychain nothing is stored, unless a key file is named',
    (mode) => {
      expect(seen(mode, 'without')).toMatchObject({
        read: { kind: 'absent' },
        write: { kind: 'absent' },
        state: { kind: 'absent', reason: NO_KEYCHAIN },
        put: { kind: 'unavailable', reason: NO_KEYCHAIN },
        rows: 0,
        byFile: {
          put: { kind: 'written' },
          state: { kind: 'ready', by: 'file' },
          get: { kind: 'found', value: 'one' },
        },
      });
    },
  );

  test('a keyring without any collection stores nothing and says what to do', () => {
    const reason =
      'The keyring has no default collection to store in yet. Log in to the desktop once, or create one in your password manager, or set GATEHOUSE_MASTER_KEY_FILE to a file only you can read.';
    expect(seen('empty', 'without')).toMatchObject({
      read: { kind: 'missing' },
      write: { kind: 'absent' },
      state: { kind: 'absent', reason },
      put: { kind: 'unavailable', reason },
      rows: 0,
    });
  });
});
