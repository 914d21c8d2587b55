import { join } from 'node:path';
import { expect, test } from 'vitest';
import { httpRecorder, recorded } from '../core/upstreams/rig.ts';
import { accountsOf, openConnected } from '../support/accounts.ts';
import { sweep } from '../support/canary.ts';
import { eventually } from '../support/gatehouse.ts';
import { targetOf } from '../support/target.ts';

test('I15 ten parallel calls with an expired token at a vendor that rotates and revokes on reuse: one POST /token, all ten succeed', async () => {
  await using accounts = await openConnected({ rotation: true });
  const { gatehouse, vendor } = accounts;
  const other = accountsOf(gatehouse, vendor, await gatehouse.key(), await accounts.upstream());
  await Promise.all([accounts.whoami(), other.whoami()]);
  const ten = () => Promise.all(Array.from({ length: 10 }, (_, at) => (at % 2 === 0 ? accounts : other).whoami()));
  for (const round of [1, 2]) {
    vendor.expireAccessTokens();
    expect((await ten()).map(({ account }) => account)).toEqual(Array(10).fill('ada'));
    expect(vendor.tokenRequests('refresh_token')).toHaveLength(round);
  }
  // Each refresh token was shown once: a second time would have ended the whole grant.
  const shown = vendor.tokenRequests('refresh_token').map(({ form }) => form.get('refresh_token'));
  expect(new Set(shown).size).toBe(2);
  expect(await accounts.connection()).toMatchObject({ state: 'connected' });
});

test('I17 a server that wants one scope is asked for that one, not for the fifty it knows, and is shown before', async () => {
  const fifty = Array.from({ length: 50 }, (_, at) => `scope:${at}`);
  await using accounts = await openConnected({
    scopes: ['notes:read', ...fifty],
    announcedScopes: ['notes:read', ...fifty],
    challengeScope: 'notes:read',
  });
  const asked =
    accounts.vendor.seen
      .filter(({ path }) => path === '/authorize')
      .at(-1)
      ?.query.get('scope') ?? '';
  expect(asked.split(' ').filter((scope) => scope !== 'offline_access')).toEqual(['notes:read']);
  const [signIn] = await accounts.gatehouse.ask('signInsList', { upstream: accounts.upstreamId });
  expect(signIn?.scopes).toEqual(asked.split(' '));
});

test('I17 a server that always answers insufficient_scope is signed in to for more twice, and then calls say that it is over', async () => {
  const scopes = ['notes:read', 'a', 'b', 'c'];
  await using accounts = await openConnected({ scopes, announcedScopes: scopes, challengeScope: scopes.join(' ') });
  const { gatehouse, vendor } = accounts;
  const rec = await gatehouse.recorder('rec', { risk: 'read' });
  const target = targetOf(gatehouse, rec, accounts.key, await gatehouse.key());
  vendor.requireScopes('write_note', ['never:granted']);
  const { id } = await accounts.connection();
  const authorizations = () => vendor.seen.filter(({ path }) => path === '/authorize').length;
  const before = authorizations();
  for (const round of [1, 2]) {
    const called = await accounts.call('write_note', { text: 'x' });
    expect(called.text).toContain('wants more access for this (scopes: never:granted)');
    expect((await accounts.connection()).asksFor).toContain('never:granted');
    const confirmed: (readonly string[])[] = [];
    await accounts.signIn({ confirm: ({ newScopes }) => confirmed.push(newScopes) > 0 }, { connection: id });
    expect(confirmed).toEqual([['never:granted']]);
    expect(authorizations()).toBeGreaterThanOrEqual(before + round);
  }
  const last = await accounts.call('write_note', { text: 'x' });
  expect(last.text).toContain('although the person has signed in twice for more');
  expect(last.meta).toMatchObject({ 'gatehouse/class': 'auth_required', 'gatehouse/code': 41019 });
  expect((await accounts.connection()).asksFor).toBeNull();
  expect(await accounts.whoami()).toMatchObject({ account: 'ada' });
  await target.stillServes();
});

test('I19 tokens stand nowhere but in the vault, and go to no other origin, also when the upstream leads there', async () => {
  await using accounts = await openConnected();
  const { gatehouse, vendor, upstreamId } = accounts;
  await accounts.whoami();
  vendor.expireAccessTokens();
  await accounts.whoami();
  const tokens = vendor.tokens();
  expect(tokens.length).toBeGreaterThan(3);
  const file = join(gatehouse.folder, 'evil.jsonl');
  const evil = await httpRecorder(file);
  const changed = await gatehouse.ask('upstreamChange', {
    upstream: upstreamId,
    transport: { kind: 'http', url: evil.url },
  });
  expect(changed.kind).toBe('done');
  await eventually(
    async () => ((await accounts.connection()).state === 'reconnect' ? true : null),
    'the account to be let go',
  );
  const called = await accounts.call('whoami');
  expect(called.isError).toBe(true);
  const seen = JSON.stringify(recorded(file));
  expect(seen).not.toContain('Bearer');
  for (const token of tokens) {
    expect(seen).not.toContain(token);
    expect(sweep(gatehouse.folder, token), 'a token on disk').toEqual([]);
  }
});
