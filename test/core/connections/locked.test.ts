import { expect, test } from 'vitest';
import { eventually } from '../../support/gatehouse.ts';
import { createMemoryKeychain } from '../../support/memory-keychain.ts';
import { tokenVendor } from './token-vendor.ts';
import { world } from './world.ts';

test('a locked keychain locks the accounts and ends none: they come back by themselves when it is unlocked', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  await it.rig.upstreams.stopAll();
  it.connections.close();
  it.keychain.mood = 'locked';
  const later = world({ folder: it.folder, keychain: it.keychain });
  await eventually(async () => (later.connections.get(connection.id)?.state === 'locked' ? true : null), 'locked');
  expect(later.connections.get(connection.id)?.reason).toBe('The stand-in keychain is locked.');
  expect(await later.rig.call(upstreamId, 'echo')).toMatchObject({
    kind: 'failed',
    errorClass: 'secret_unavailable',
    message: 'vendor needs the account "work", whose secret cannot be read. The stand-in keychain is locked.',
  });
  expect(later.connections.get(connection.id)?.state).toBe('locked');
  it.keychain.mood = 'open';
  await eventually(
    async () => (later.connections.get(connection.id)?.state === 'connected' ? true : null),
    'open',
    8_000,
  );
  const answer = await eventually(
    async () => {
      const outcome = await later.rig.call(upstreamId, 'echo');
      return outcome.kind === 'answered' ? outcome : null;
    },
    'an answer',
    8_000,
  );
  expect(answer.kind).toBe('answered');
  expect(vendor.tokenRequests()).toBe(0);
});

test('a keychain that lost its key is said, and nothing that is stored is thrown away', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  await it.rig.upstreams.stopAll();
  it.connections.close();
  const later = world({ folder: it.folder, keychain: createMemoryKeychain() });
  await eventually(
    () => (later.connections.get(connection.id)?.state === 'reconnect' ? true : null),
    'that it is said, though nobody used the account',
  );
  expect(await later.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'failed', errorClass: 'secret_unavailable' });
  const view = later.connections.get(connection.id);
  expect(view?.state).toBe('reconnect');
  expect(view?.reason).toContain('is no longer in');
  expect(view?.reason).toMatch(/begin-anew\. Then connect the account again\.$/);
  expect(later.vault.has(`connection/${connection.id}/grant`)).toBe(true);

  // Begun anew, it is gone, and one sign-in brings the account back under its label and id.
  let told = 0;
  later.connections.onChange(() => void told++);
  expect(await later.vault.beginAnew()).toMatchObject({ kind: 'ready' });
  await eventually(() => (told > 0 ? true : null), 'that the windows are told');
  expect(later.connections.get(connection.id)).toMatchObject({
    state: 'reconnect',
    reason: 'Its secret is not in the vault any more. Connect the account again.',
    label: 'work',
    isDefault: true,
  });
  const grant = vendor.grant({ now: Date.now() });
  await later.connect({ upstreamId, label: 'work', connectionId: connection.id, grant });
  expect(later.connections.get(connection.id)).toMatchObject({ state: 'connected', reason: null });
  await eventually(
    async () => ((await later.rig.call(upstreamId, 'echo')).kind === 'answered' ? true : null),
    'an answer',
    8_000,
  );
});
