import { expect, test } from 'vitest';
import { fakeClock } from '../../support/fake-clock.ts';
import { tokenVendor } from './token-vendor.ts';
import { world } from './world.ts';

const wants = (scope: string) =>
  ({ status: 403, challenge: `Bearer error="insufficient_scope", scope="${scope}"` }) as const;
const messageOf = (outcome: unknown) => (outcome as { readonly message?: string }).message ?? '';

test('a call that needs more than was granted says which, and the next sign-in asks for both together', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor, vendor.grant({ scopes: ['read', 'profile'] }));
  vendor.refuseCalls = wants('write read');
  const outcome = await it.rig.call(upstreamId, 'echo');
  expect(outcome).toMatchObject({ kind: 'failed', errorClass: 'auth_required' });
  expect(messageOf(outcome)).toBe(
    'auth_required: vendor wants more access for this (scopes: write read). The person can grant it by signing in again.',
  );
  expect(it.connections.get(connection.id)).toMatchObject({
    state: 'more_scopes',
    asksFor: ['read', 'profile', 'write'],
  });
  expect(vendor.tokenRequests()).toBe(0);
  // What needs no more goes on.
  vendor.refuseCalls = null;
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'answered' });
  expect(it.rig.upstreams.get(upstreamId)?.needsSignIn).toBe(false);
});

test('a server that always wants more sends the person to sign in twice, and then the call says that it is not asked again', async () => {
  const clock = fakeClock(Date.now());
  const it = world({ clock });
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor, vendor.grant({ now: clock.now() }));
  vendor.refuseCalls = wants('write');
  const again = () => {
    const asked = it.connections.get(connection.id)?.asksFor ?? [];
    const grant = vendor.grant({ now: clock.now(), scopes: asked });
    return it.connect({ upstreamId, label: 'work', connectionId: connection.id, grant });
  };
  for (const _round of ['first', 'second']) {
    expect(messageOf(await it.rig.call(upstreamId, 'echo'))).toContain('The person can grant it by signing in again.');
    expect((await again()).state).toBe('connected');
    await it.rig.until(upstreamId, 'ready');
  }
  expect(messageOf(await it.rig.call(upstreamId, 'echo'))).toBe(
    'auth_required: vendor wants more access for this (scopes: write), although the person has signed in twice for more. It is not asked for again today.',
  );
  expect(it.connections.get(connection.id)).toMatchObject({ state: 'more_scopes', asksFor: null });
  await clock.advance(25 * 60 * 60_000);
  expect(messageOf(await it.rig.call(upstreamId, 'echo'))).toContain('by signing in again');
});

test('a 403 that is not about the account is the answer of the server, and the account stays as it is', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  vendor.refuseCalls = { status: 403, challenge: null };
  expect(await it.rig.call(upstreamId, 'echo')).toEqual({
    kind: 'failed',
    errorClass: 'upstream_unreachable',
    message: 'vendor answered with HTTP 403.',
  });
  expect(it.connections.get(connection.id)?.state).toBe('connected');
});

test('scopes of a challenge are names and nothing else: what no scope may hold is left out', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  vendor.refuseCalls = wants('write qu\\"ote back\\\\slash');
  const message = messageOf(await it.rig.call(upstreamId, 'echo'));
  expect(message).toContain('scopes: write');
  expect(message).not.toMatch(/quote|slash/);
  expect(it.connections.get(connection.id)?.asksFor).toContain('write');
});
