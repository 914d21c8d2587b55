import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../electron/core/platform.ts';
import { type Accounts, accountsOf, addVendor, connect, openConnected } from '../support/accounts.ts';
import { eventually, startGatehouse, type TestGatehouse, type TestKey } from '../support/gatehouse.ts';
import type { VendorProfile } from '../support/vendors/profile.ts';

let gatehouse: TestGatehouse;
let key: TestKey;
let count = 0;

beforeAll(async () => {
  gatehouse = await startGatehouse();
  key = await gatehouse.key();
});
afterAll(() => gatehouse.close());

/** One more vendor of one Gatehouse, with `ada` signed in. */
async function connected(profile: VendorProfile = {}): Promise<Accounts> {
  count += 1;
  const accounts = await addVendor(gatehouse, key, `kept${count}`, profile);
  await connect(accounts);
  return accounts;
}

/** The phrase of the seeds. */
async function deadPhrase(accounts: Accounts): Promise<string> {
  const { name } = await accounts.upstream();
  return `auth_required: ${name} grant expired and refresh failed; user must re-authorize.`;
}

describe('an account is kept alive in silence', () => {
  test.each(['v1', 'v2'] as const)(
    'ten calls with an expired token make one refresh, and all succeed (%s)',
    async (server) => {
      await using accounts = await connected({ server });
      // Twice: the vendor takes each refresh token once, and a used one for theft.
      for (const times of [1, 2]) {
        accounts.vendor.expireAccessTokens();
        const calls = await Promise.all(Array.from({ length: 10 }, () => accounts.call('whoami')));
        const found = calls.map(({ isError, text }) => (isError ? text : JSON.parse(text).account));
        expect(found).toEqual(Array(10).fill('ada'));
        expect(accounts.vendor.tokenRequests('refresh_token')).toHaveLength(times);
        expect(accounts.vendor.served('tools/call')).toBe(times * 10);
      }
    },
  );

  test('also with two clients, each in sessions of its own', async () => {
    await using accounts = await connected();
    const other = accountsOf(
      accounts.gatehouse,
      accounts.vendor,
      await accounts.gatehouse.key(),
      await accounts.upstream(),
    );
    await Promise.all([accounts.whoami(), other.whoami()]);
    accounts.vendor.expireAccessTokens();
    const both = [accounts, other];
    await Promise.all(Array.from({ length: 10 }, (_, at) => both[at % 2]?.whoami()));
    expect(accounts.vendor.tokenRequests('refresh_token')).toHaveLength(1);
  });

  test('before it expires, without a refused call', async () => {
    let aheadMs = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
    await using accounts = await openConnected({ accessTokenSeconds: 3600 }, { clock });
    await accounts.whoami();
    expect(accounts.vendor.tokenRequests('refresh_token')).toEqual([]);
    aheadMs = 3_570_000;
    const before = accounts.vendor.seen.length;
    await accounts.whoami();
    expect(accounts.vendor.tokenRequests('refresh_token')).toHaveLength(1);
    expect(accounts.vendor.seen.slice(before).filter(({ answer }) => answer?.status === 401)).toEqual([]);
  });

  test('a live token that is called invalid is renewed, and the call made once more', async () => {
    await using accounts = await connected();
    accounts.vendor.refuseLiveTokens(1);
    expect(await accounts.whoami()).toMatchObject({ account: 'ada' });
    expect(accounts.vendor.tokenRequests('refresh_token')).toHaveLength(1);
  });

  test('a server that takes no token of it any more is not asked for ever', async () => {
    await using accounts = await connected();
    accounts.vendor.refuseLiveTokens(1000);
    const called = await accounts.call('whoami');
    expect(called).toMatchObject({ isError: true });
    expect(called.meta['gatehouse/code']).toBe(41019);
    expect(accounts.vendor.tokenRequests('refresh_token')).toHaveLength(1);
  });

  test('a server whose clock is a minute ahead is no fault', async () => {
    await using accounts = await connected({ accessTokenSeconds: 90 });
    accounts.vendor.skew(60);
    expect(await accounts.whoami()).toMatchObject({ account: 'ada' });
  });

  test('a restart is not noticed, nor a token that expired meanwhile', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-test-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const accounts = await openConnected({}, { folder });
    onTestFinished(() => accounts.vendor.stop());
    await accounts.gatehouse.close();
    accounts.vendor.expireAccessTokens();
    await using gatehouse = await startGatehouse({ folder });
    const again = accountsOf(gatehouse, accounts.vendor, accounts.key, { id: accounts.upstreamId, name: 'vendor' });
    await eventually(async () => ((await again.upstream()).status === 'ready' ? true : null), 'the upstream');
    expect(await again.whoami()).toMatchObject({ account: 'ada' });
    expect(accounts.vendor.tokenRequests('authorization_code')).toHaveLength(1);
  });

  test('a vendor that is down for a moment kills no grant', async () => {
    await using accounts = await connected();
    accounts.vendor.expireAccessTokens();
    accounts.vendor.refuseRefresh({ error: 'server_error', status: 503 });
    expect(await accounts.call('whoami')).toMatchObject({ isError: true });
    expect(await accounts.connection()).toMatchObject({ state: 'connected' });
    accounts.vendor.refuseRefresh(null);
    // It is not asked again at once, but within a second or two.
    await eventually(async () => ((await accounts.call('whoami')).isError ? null : true), 'the next try');
    expect(await accounts.whoami()).toMatchObject({ account: 'ada' });
  });
});

describe('an account that the vendor took back', () => {
  test.each([
    ['a revoked grant', (vendor: { revokeGrants(): void }) => vendor.revokeGrants()],
    [
      'a forgotten client',
      (vendor: { forgetClients(): void; expireAccessTokens(): void }) => {
        vendor.forgetClients();
        vendor.expireAccessTokens();
      },
    ],
  ] as const)('%s says so in the one phrase, and one click mends it', async (_, happen) => {
    await using accounts = await connected();
    happen(accounts.vendor);
    const called = await accounts.call('whoami');
    expect(called.text).toContain(await deadPhrase(accounts));
    expect(called.isError).toBe(true);
    const { id, state, reason } = await accounts.connection();
    expect(state).toBe('reconnect');
    expect(reason).toMatch(/\w/);
    const refreshes = accounts.vendor.tokenRequests('refresh_token').length;
    expect((await accounts.call('whoami')).text).toContain(await deadPhrase(accounts));
    expect(accounts.vendor.tokenRequests('refresh_token'), 'a dead grant is not tried again').toHaveLength(refreshes);

    expect(await accounts.signIn({}, { connection: id })).toMatchObject({ state: 'connected', connectionId: id });
    expect(await accounts.whoami()).toMatchObject({ account: 'ada' });
  });

  test('without a refresh token the end of the access token is the end', async () => {
    await using accounts = await connected({ refreshTokens: 'never' });
    accounts.vendor.expireAccessTokens();
    expect((await accounts.call('whoami')).text).toContain(await deadPhrase(accounts));
    expect(accounts.vendor.tokenRequests('refresh_token')).toEqual([]);
  });

  test('signing out ends it at the vendor, and the label stays', async () => {
    await using accounts = await connected();
    const { id } = await accounts.connection();
    expect(await accounts.gatehouse.ask('connectionSignOut', { connection: id })).toMatchObject({
      kind: 'done',
      note: null,
    });
    const revoked = accounts.vendor.seen.filter(({ path }) => path === '/revoke');
    expect(revoked.length).toBeGreaterThan(0);
    expect(revoked.every(({ answer }) => answer?.status === 200)).toBe(true);
    const called = await accounts.call('whoami');
    expect(called.text).toMatch(
      /^auth_required: kept\d+ not connected\. Visit http:\/\/127\.0\.0\.1:\d+\/open\/\S+ to authorize\./,
    );
    expect(await accounts.connection()).toMatchObject({ state: 'signed_out', label: 'work' });
    expect(accounts.vendor.served('tools/call')).toBe(0);
  });
});
