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
  expect(await later.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'failed', errorClass: 'secret_unavailable' });
  const view = later.connections.get(connection.id);
  expect(view?.state).toBe('reconnect');
  expect(view?.reason).toContain('is no longer in');
  expect(later.vault.has(`connection/${connection.id}/grant`)).toBe(true);
});
