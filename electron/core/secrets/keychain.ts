import type { AsyncEntry } from '@napi-rs/keyring';
import { type Clock, type Keychain, type KeychainRead, type KeychainWrite, systemClock } from '../platform.ts';

export interface KeychainOptions {
  /** What the person sees in their password manager. */
  readonly service?: string;
  /** Opens one item of the store; tests give their own. The default imports the native module at the first use. */
  readonly open?: (service: string, item: string) => Promise<KeychainEntry>;
  /** After so long without an answer the keychain counts as locked. Milliseconds. */
  readonly timeLimitMs?: number;
  readonly clock?: Clock;
}

/** What we use of one item of `@napi-rs/keyring`. */
export type KeychainEntry = Pick<AsyncEntry, 'getPassword' | 'setPassword' | 'deletePassword'>;

/**
 * The operating system's secret store: macOS Keychain, Windows Credential Manager, the Secret Service on Linux.
 *
 * On Linux the store is pinned: unpinned, the library falls back without a word to the kernel keyring, which is empty
 * after a reboot. One question at a time, so that a desktop never shows two unlock windows, and so that a write which
 * still waits for the person cannot be overtaken by a read that says `missing`.
 */
export function createKeychain(options: KeychainOptions = {}): Keychain {
  const { service = 'Gatehouse', open = openNative, timeLimitMs = 5_000, clock = systemClock } = options;
  let last: Promise<unknown> = Promise.resolve();

  function ask<T>(item: string, question: (entry: KeychainEntry) => Promise<T>): Promise<T | Failure> {
    return new Promise((resolve) => {
      let late = false;
      const forget = clock.after(timeLimitMs, () => {
        late = true;
        resolve({ kind: 'locked', reason: NO_ANSWER });
      });
      const turn = last.then(async () => {
        // Whoever was told "locked" must not have the write happen later all the same.
        if (late) return;
        const answer = await attempt(() => open(service, item), question);
        forget();
        resolve(answer);
      });
      last = turn;
    });
  }

  return {
    read: (item) =>
      ask<KeychainRead>(item, async (entry) => {
        const value = await entry.getPassword();
        return value === null || value === undefined ? { kind: 'missing' } : { kind: 'found', value };
      }).then((answer) => (answer.kind === 'no_result' ? { kind: 'missing' } : answer)),
    write: (item, value) =>
      ask<KeychainWrite>(item, async (entry) => {
        await entry.setPassword(value);
        return { kind: 'written' };
      }).then((answer) => (answer.kind === 'no_result' ? { kind: 'absent', reason: NO_COLLECTION } : answer)),
    remove: (item) =>
      ask<KeychainWrite>(item, async (entry) => {
        await entry.deletePassword();
        return { kind: 'written' };
      }).then((answer) => (answer.kind === 'no_result' ? { kind: 'written' } : answer)),
  };
}

/** A machine without a keychain, or one that was told not to use it. `reason` is a sentence that says what to do. */
export function createAbsentKeychain(reason: string = NO_KEYCHAIN): Keychain {
  const absent = { kind: 'absent', reason } as const;
  return { read: async () => absent, write: async () => absent, remove: async () => absent };
}

type Failure = { readonly kind: 'locked' | 'absent'; readonly reason: string } | { readonly kind: 'no_result' };

const NO_ANSWER = 'The keychain does not answer. If a window asks you to unlock it, unlock it there, then try again.';
const LOCKED = 'The keychain is locked. Unlock it, then try again.';
const NO_KEYCHAIN =
  'No keychain on this machine, so secrets are not stored. Start a keyring (for example gnome-keyring).';
const NO_MODULE = 'The keychain cannot be used: its library does not load on this machine. Install Gatehouse again.';
const NO_COLLECTION =
  'The keyring has no default collection to store in yet. Log in to the desktop once, or create one in your password manager.';

async function openNative(service: string, item: string): Promise<KeychainEntry> {
  const keyring = await import('@napi-rs/keyring').catch((error: unknown) => {
    throw new ModuleMissing(String(error));
  });
  return new keyring.AsyncEntry(service, item, { linux: { store: 'secret-service' } });
}

class ModuleMissing extends Error {}

async function attempt<T>(
  open: () => Promise<KeychainEntry>,
  question: (entry: KeychainEntry) => Promise<T>,
): Promise<T | Failure> {
  try {
    return await question(await open());
  } catch (error) {
    return error instanceof ModuleMissing ? { kind: 'absent', reason: NO_MODULE } : failureOf(error);
  }
}

/**
 * The messages of `@napi-rs/keyring` 2.1.2 as measured against gnome-keyring 42 and a bus without it. It has no error
 * codes. What is not known counts as locked: that answer alone destroys nothing, whatever the truth is.
 */
function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (/no result found/i.test(message)) return { kind: 'no_result' };
  if (/prompt was dismissed|IsLocked|locked collection|interaction is not allowed/i.test(message)) {
    return { kind: 'locked', reason: LOCKED };
  }
  if (
    /not provided by any \.service|ServiceUnknown|DBUS_SESSION_BUS_ADDRESS|autolaunch|connect to socket/i.test(message)
  ) {
    return { kind: 'absent', reason: NO_KEYCHAIN };
  }
  return { kind: 'locked', reason: `The keychain gave an answer that is not understood: ${message.slice(0, 200)}` };
}
