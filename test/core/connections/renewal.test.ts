import { rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { createVault } from '../../../electron/core/secrets/vault.ts';
import { PHRASES } from '../../../shared/errors.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { CAN_MOUNT, fill, mountTmpfs, unmount } from '../../support/tmpfs.ts';
import { newFolder, waitFor } from '../upstreams/rig.ts';
import { tokenVendor } from './token-vendor.ts';
import { type World, world } from './world.ts';

const DEAD = 'auth_required';
const dead = PHRASES.grantExpired;

/** Ten calls of five sessions of clients at once. */
const tenCalls = (it: World, upstreamId: string) =>
  Promise.all(
    Array.from({ length: 10 }, (_, at) => it.rig.call(upstreamId, 'echo', `{"n":${at}}`, { clientId: `c${at % 5}` })),
  );

test('ten calls with a token that the vendor no longer takes make one renewal, and all succeed', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  // Each session has its own link by now, so that all ten find out for themselves.
  await tenCalls(it, upstreamId);
  expect(vendor.tokenRequests()).toBe(0);
  vendor.expire();
  const outcomes = await tenCalls(it, upstreamId);
  expect(outcomes.map(({ kind }) => kind)).toEqual(Array(10).fill('answered'));
  expect(vendor.tokenRequests()).toBe(1);
  expect(vendor.calls().filter(({ status }) => status === 401).length).toBeGreaterThan(1);
  expect(it.connections.get(connection.id)?.state).toBe('connected');
  expect(
    vendor
      .calls()
      .filter(({ status }) => status === 200)
      .slice(10),
  ).toHaveLength(10);
});

test('a token that ends soon is renewed before it is used: no call is refused on the way', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId } = await it.connected(vendor);
  const wanted = { upstreamId, label: 'old', connectionId: null };
  const old = await it.connect({ ...wanted, grant: vendor.grant({ expiresIn: 50, now: Date.now() - 3_600_000 }) });
  it.connections.makeDefault(old.id, null);
  vendor.seen.length = 0;
  const outcomes = await tenCalls(it, upstreamId);
  expect(outcomes.map(({ kind }) => kind)).toEqual(Array(10).fill('answered'));
  expect(vendor.tokenRequests()).toBe(1);
  expect(vendor.seen.filter(({ status }) => status === 401)).toEqual([]);
  expect(it.connections.get(old.id)?.expiresAt).toBeGreaterThan(Date.now() + 3_000_000);
});

test('the new refresh token is on disk before the new access token is used, and is used after a restart', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  const stored: string[] = [];
  vendor.beforeAnswer = async (bearer) => {
    if (bearer !== 'access-2-canary') return;
    const file = new Database(join(it.folder, 'state.db'), { readonly: true });
    const vault = createVault({ db: file, keychain: it.keychain, clock: fakeClock(), masterKeyFile: null });
    const read = await vault.get(`connection/${connection.id}/grant`);
    stored.push(read.kind === 'found' ? (JSON.parse(read.value) as { refreshToken: string }).refreshToken : read.kind);
    file.close();
  };
  vendor.expire();
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'answered' });
  expect(stored[0]).toBe('refresh-2-canary');

  await it.rig.upstreams.stopAll();
  it.connections.close();
  vendor.expire();
  const later = world({ folder: it.folder, keychain: it.keychain });
  expect(await later.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'answered' });
  expect(vendor.tokenRequests()).toBe(2);
});

test('a vendor that took the grant back is asked once, and every call says so in the words of the seeds', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  vendor.expire();
  vendor.endGrants();
  const outcomes = await tenCalls(it, upstreamId);
  expect(new Set(outcomes.map((one) => JSON.stringify(one)))).toEqual(
    new Set([JSON.stringify({ kind: 'failed', errorClass: DEAD, message: dead('vendor') })]),
  );
  expect(vendor.tokenRequests()).toBe(1);
  expect(it.connections.get(connection.id)).toMatchObject({ state: 'reconnect' });
  expect(it.rig.upstreams.get(upstreamId)?.needsSignIn).toBe(true);
  const ends = it.rig.events.filter(({ kind }) => kind === 'connection_ended');
  expect(ends).toMatchObject([{ upstream: 'vendor', detail: { connection: 'work' } }]);
  const before = vendor.seen.length;
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ message: dead('vendor') });
  expect(vendor.seen.length).toBe(before);

  await it.connect({ upstreamId, label: 'work', connectionId: connection.id, grant: vendor.grant() });
  await it.rig.until(upstreamId, 'ready');
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'answered' });
});

test('a token that was just renewed and is refused again is dead: one renewal, one more try', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  vendor.refuseCalls = { status: 401, challenge: 'Bearer error="invalid_token"' };
  expect(await it.rig.call(upstreamId, 'echo')).toEqual({ kind: 'failed', errorClass: DEAD, message: dead('vendor') });
  expect(vendor.tokenRequests()).toBe(1);
  expect(vendor.calls()).toHaveLength(2);
  expect(it.connections.get(connection.id)?.state).toBe('reconnect');
});

test('a grant that nothing renews is used for as long as the vendor takes it, whatever our clock says, and then dead', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const grant = vendor.grant({ refresh: false, expiresIn: -60 });
  const { upstreamId, connection } = await it.connected(vendor, grant);
  expect(connection.renews).toBe(false);
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'answered' });
  vendor.expire();
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'failed', message: dead('vendor') });
  expect(vendor.tokenRequests()).toBe(0);
});

test.each([
  [500, 'HTTP 500'],
  [429, 'HTTP 429'],
] as const)(
  'a token endpoint that answers %s ends no grant: calls say what is wrong, it is asked seldom, and then all goes on',
  async (status, said) => {
    const clock = fakeClock(Date.now());
    const it = world({ clock });
    const vendor = await tokenVendor();
    const { upstreamId, connection } = await it.connected(vendor, vendor.grant({ now: clock.now() }));
    vendor.expire();
    vendor.tokens = status;
    let isOver = false;
    const calls = tenCalls(it, upstreamId).finally(() => {
      isOver = true;
    });
    // Whoever comes right after the first refusal waits a moment for a second try.
    while (!isOver) await clock.advance(20);
    for (const outcome of await calls) {
      expect(outcome).toMatchObject({ kind: 'failed', errorClass: 'upstream_unreachable' });
      expect((outcome as { message: string }).message).toContain(said);
      expect((outcome as { message: string }).message).toContain('could not be renewed');
    }
    expect(vendor.tokenRequests()).toBeLessThanOrEqual(2);
    expect(it.connections.get(connection.id)?.state).toBe('connected');
    vendor.tokens = 'ok';
    await clock.advance(2_100);
    expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'answered' });
  },
);

test('a call that comes right after the vendor stumbled waits a moment for it, and then fails no more', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId } = await it.connected(vendor);
  vendor.expire();
  vendor.tokens = 503;
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'failed' });
  vendor.tokens = 'ok';
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'answered' });
});

test('while the vendor cannot be asked, a token that still lives goes on being used', async () => {
  const clock = fakeClock(Date.now());
  const it = world({ clock });
  const vendor = await tokenVendor();
  const { upstreamId } = await it.connected(vendor, vendor.grant({ now: clock.now() }));
  vendor.tokens = 503;
  // Less than a minute is left: due, and not over.
  await clock.advance(3_570_000);
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'answered' });
  expect(vendor.tokenRequests()).toBe(1);
  await clock.advance(40_000);
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'failed', errorClass: 'upstream_unreachable' });
});

test('what a renewal gives after the person signed out is ended at the vendor too, and kept nowhere', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  vendor.expire();
  let letGo = () => {};
  const asked = new Promise<void>((resolve) => {
    vendor.beforeTokens = () =>
      new Promise((go) => {
        letGo = go;
        resolve();
      });
  });
  const call = it.rig.call(upstreamId, 'echo');
  await asked;
  const ending = it.connections.signOut(connection.id);
  letGo();
  expect(await ending).toMatchObject({ kind: 'done', note: null });
  expect(await call).toMatchObject({ kind: 'failed' });
  expect(vendor.revoked).toEqual(['refresh-2-canary', 'access-2-canary']);
  expect(it.vault.has(`connection/${connection.id}/grant`)).toBe(false);
  expect(vendor.calls().filter(({ headers }) => headers.authorization === 'Bearer access-2-canary')).toEqual([]);
});

test('a grant that turns out to be dead after the person signed out stays signed out, and one that was connected again stays so', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  vendor.expire();
  let letGo = () => {};
  const asked = new Promise<void>((resolve) => {
    vendor.beforeTokens = () =>
      new Promise((go) => {
        letGo = go;
        resolve();
      });
  });
  const call = it.rig.call(upstreamId, 'echo');
  await asked;
  vendor.endGrants();
  const ending = it.connections.signOut(connection.id);
  letGo();
  await Promise.all([ending, call]);
  expect(it.connections.get(connection.id)?.state).toBe('signed_out');

  vendor.beforeTokens = async () => {};
  await it.connect({ upstreamId, label: 'work', connectionId: connection.id, grant: vendor.grant() });
  await it.rig.until(upstreamId, 'ready');
  vendor.expire();
  const askedAgain = new Promise<void>((resolve) => {
    vendor.beforeTokens = () =>
      new Promise((go) => {
        letGo = go;
        resolve();
      });
  });
  const second = it.rig.call(upstreamId, 'echo');
  await askedAgain;
  vendor.endGrants();
  const again = it.connect({ upstreamId, label: 'work', connectionId: connection.id, grant: vendor.grant() });
  letGo();
  await Promise.all([again, second]);
  expect(it.connections.get(connection.id)?.state).toBe('connected');
  await it.rig.until(upstreamId, 'ready');
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'answered' });
});

// Whoever may not mount cannot have a disk of two megabytes.
const onDisk = CAN_MOUNT ? test : () => {};
onDisk('on a full disk nothing is renewed, since what comes in place of the old token could not be kept', async () => {
  const folder = newFolder();
  mountTmpfs(folder, 'size=2m');
  onTestFinished(() => unmount(folder));
  const it = world({ folder });
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  vendor.expire();
  fill(join(folder, 'ballast'));
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({
    kind: 'failed',
    errorClass: 'secret_unavailable',
    message: expect.stringMatching(/is not renewed before .* The disk .* is full\. Free some space on it\./),
  });
  expect(vendor.tokenRequests()).toBe(0);
  rmSync(join(folder, 'ballast'));
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'answered' });
  expect(it.connections.get(connection.id)?.state).toBe('connected');
  it.db.close();
});

test('a disk that fills up between asking and keeping loses nothing: the new tokens wait in memory, used by nobody', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId } = await it.connected(vendor);
  vendor.expire();
  vendor.beforeTokens = async () => {
    it.db.exec("CREATE TRIGGER no_room BEFORE INSERT ON secrets BEGIN SELECT RAISE(ABORT, 'no room'); END");
  };
  for (const _call of ['first', 'second'])
    expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'failed', errorClass: 'secret_unavailable' });
  expect(vendor.seen.filter(({ headers }) => headers.authorization === 'Bearer access-2-canary')).toEqual([]);
  it.db.exec('DROP TRIGGER no_room');
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'answered' });
  expect(vendor.tokenRequests()).toBe(1);
});

test('client credentials are asked for again by themselves, without a refresh token', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const signIn = {
    kind: 'client_credentials',
    tokenUrl: `${vendor.origin}/token`,
    clientId: 'gatehouse',
    clientSecret: false,
    scopes: [],
    tokenAuth: 'none',
  } as const;
  const upstreamId = await it.add('vendor', { kind: 'http', url: vendor.url, secretHeaders: [] }, signIn);
  const grant = { ...vendor.grant({ refresh: false }), by: 'client_credentials' as const };
  const connection = await it.connect({ upstreamId, label: 'itself', connectionId: null, grant });
  expect(connection.renews).toBe(true);
  await it.rig.until(upstreamId, 'ready');
  vendor.expire();
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'answered' });
  expect(vendor.seen.filter(({ url }) => url === '/token').map(({ body }) => body)).toEqual([
    expect.stringContaining('grant_type=client_credentials'),
  ]);
});

test('a grant that has rested for a day is renewed by itself, once a day, unless its upstream is switched off', async () => {
  const clock = fakeClock(Date.now());
  const it = world({ clock });
  const vendor = await tokenVendor();
  const { upstreamId } = await it.connected(vendor, vendor.grant({ now: clock.now() }));
  const day = 24 * 60 * 60_000;
  await clock.advance(day);
  expect(vendor.tokenRequests()).toBe(0);
  await clock.advance(60 * 60_000);
  await waitFor(() => vendor.tokenRequests() === 1, 'the renewal');
  await waitFor(() => it.connections.list()[0]?.expiresAt === clock.now() + 3_600_000, 'the new tokens');
  await clock.advance(20 * 60 * 60_000);
  expect(vendor.tokenRequests()).toBe(1);
  await it.rig.upstreams.setEnabled(upstreamId, false);
  await clock.advance(5 * day);
  expect(vendor.tokenRequests()).toBe(1);
});
