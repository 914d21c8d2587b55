import { afterEach, describe, expect, test, vi } from 'vitest';
import { createAbsentKeychain, createKeychain, type KeychainEntry } from '../../../electron/core/secrets/keychain.ts';
import { fakeClock } from '../../support/fake-clock.ts';

/** An item whose every question fails with the message, as `@napi-rs/keyring` fails. */
function failing(message: string): KeychainEntry {
  const fail = () => Promise.reject(new Error(message));
  return { getPassword: fail, setPassword: fail, deletePassword: fail };
}

describe('what the library answers and what it means', () => {
  const platform = "Couldn't access platform storage: Secret Service:";
  test.for([
    [`${platform} no result found`, 'missing', 'absent'],
    [`${platform} unlock prompt was dismissed`, 'locked', 'locked'],
    ['org.freedesktop.Secret.Error.IsLocked', 'locked', 'locked'],
    ['Cannot create an item in a locked collection', 'locked', 'locked'],
    [
      'Platform failure: DBus error: The name org.freedesktop.secrets was not provided by any .service files',
      'absent',
      'absent',
    ],
    [
      'Platform failure: DBus error: Using X11 for dbus-daemon autolaunch was disabled at compile time, set your DBUS_SESSION_BUS_ADDRESS instead',
      'absent',
      'absent',
    ],
    ['something never seen before', 'locked', 'locked'],
  ] as const)('“%s” is %s when reading and %s when writing', async ([message, reading, writing]) => {
    const keychain = createKeychain({ open: async () => failing(message) });
    expect((await keychain.read('item')).kind).toBe(reading);
    expect((await keychain.write('item', 'value')).kind).toBe(writing);
  });

  test('an answer that is not understood is shown in short, and counts as locked', async () => {
    const keychain = createKeychain({ open: async () => failing(`odd ${'x'.repeat(1000)}`) });
    const answer = await keychain.read('item');
    expect(answer).toMatchObject({ kind: 'locked', reason: expect.stringMatching(/not understood: odd x{196}$/) });
  });
});

test('a keychain that does not answer in five seconds counts as locked', async () => {
  const clock = fakeClock();
  const never = new Promise<never>(() => {});
  const keychain = createKeychain({ clock, open: async () => ({ ...failing(''), getPassword: () => never }) });
  const answer = keychain.read('item');
  await clock.advance(4_999);
  expect(await Promise.race([answer, 'waiting'])).toBe('waiting');
  await clock.advance(1);
  expect(await answer).toMatchObject({ kind: 'locked', reason: expect.stringContaining('does not answer') });
});

test('a write that was answered “locked” because its turn never came does not happen later', async () => {
  const clock = fakeClock();
  let release = (_value: string | null) => {};
  const written: string[] = [];
  const keychain = createKeychain({
    clock,
    open: async () => ({
      getPassword: () => new Promise<string | null>((resolve) => (release = resolve)),
      setPassword: async (value: string) => void written.push(value),
      deletePassword: async () => true,
    }),
  });
  const read = keychain.read('item');
  const write = keychain.write('item', 'late');
  await clock.advance(5_000);
  expect([(await read).kind, (await write).kind]).toEqual(['locked', 'locked']);
  release(null);
  await clock.advance(1);
  expect(written).toEqual([]);
  expect(await keychain.write('item', 'now')).toEqual({ kind: 'written' });
  expect(written).toEqual(['now']);
});

test('no read overtakes a write that still waits for the person, so a key is not taken for missing', async () => {
  const clock = fakeClock();
  let kept: string | null = null;
  let unlock = () => {};
  const keychain = createKeychain({
    clock,
    open: async () => ({
      getPassword: async () => kept,
      setPassword: (value: string) =>
        new Promise<void>((resolve) => {
          unlock = () => {
            kept = value;
            resolve();
          };
        }),
      deletePassword: async () => true,
    }),
  });
  const write = keychain.write('master-key', 'first');
  await clock.advance(5_000);
  expect((await write).kind).toBe('locked');
  const read = keychain.read('master-key');
  await clock.advance(1_000);
  unlock();
  expect(await read).toEqual({ kind: 'found', value: 'first' });
  expect(clock.pending()).toBe(0);
});

describe('no keychain', () => {
  afterEach(() => vi.doUnmock('@napi-rs/keyring'));

  test('a machine on which the native library does not load starts, and has no keychain', async () => {
    vi.doMock('@napi-rs/keyring', () => {
      throw new Error('Cannot find native binding.');
    });
    const reason = 'The keychain cannot be used: its library does not load on this machine. Install Gatehouse again.';
    const keychain = createKeychain();
    expect(await keychain.read('item')).toEqual({ kind: 'absent', reason });
    expect(await keychain.write('item', 'x')).toEqual({ kind: 'absent', reason });
  });

  test('an absent keychain answers everything with its reason', async () => {
    const keychain = createAbsentKeychain('Told not to.');
    const absent = { kind: 'absent', reason: 'Told not to.' };
    expect(await keychain.read('item')).toEqual(absent);
    expect(await keychain.write('item', 'x')).toEqual(absent);
    expect(await keychain.remove('item')).toEqual(absent);
  });
});
