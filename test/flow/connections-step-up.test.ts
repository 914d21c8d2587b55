import { expect, test } from 'vitest';
import { openAccounts, openConnected } from '../support/accounts.ts';

test('an agent hears that nobody is connected; after the sign-in and the review the tool is there', async () => {
  await using accounts = await openAccounts();
  const find = async () =>
    (await accounts.gatehouse.call(accounts.key.secret, 'find_tools', '{"query":"whoami"}')).text;
  expect(await find()).toMatch(/vendor.{0,40}not connected/);
  // It may name a tool from what it remembers: Gatehouse knows none of them yet.
  const remembered = await accounts.call('whoami');
  expect(remembered.text).toMatch(
    /^auth_required: vendor not connected\. Visit http:\/\/127\.0\.0\.1:\d+\/open\/connections\/vendor to authorize\./,
  );
  expect(remembered.meta).toMatchObject({ 'gatehouse/code': 41019, 'gatehouse/class': 'auth_required' });
  const blind = await accounts.gatehouse.key({ upstreams: ['demo'] });
  const hidden = '{"upstream":"vendor","tool":"whoami","arguments":{}}';
  const refused = await accounts.gatehouse.call(blind.secret, 'call_external_tool', hidden);
  expect(refused.message?.error, 'to whom it is hidden it is unknown').toMatchObject({ code: -32602 });
  expect(await accounts.signIn()).toMatchObject({ state: 'connected' });
  await accounts.review();
  expect(await find()).not.toContain('not connected');
  expect(await find()).toContain('whoami');
  expect(await accounts.whoami()).toMatchObject({ account: 'ada' });
});

test('a call that needs more scopes asks for those and the ones there are, shown before', async () => {
  await using accounts = await openConnected();
  accounts.vendor.requireScopes('write_note', ['notes:write']);
  const called = await accounts.call('write_note', { text: 'x' });
  expect(called).toMatchObject({ isError: true });
  expect(called.meta).toMatchObject({ 'gatehouse/code': 41019 });
  const { id, state, asksFor } = await accounts.connection();
  expect(state).toBe('more_scopes');
  expect(asksFor?.toSorted()).toEqual(['notes:read', 'notes:write']);
  expect(await accounts.whoami(), 'what was granted still works').toMatchObject({ scopes: ['notes:read'] });

  let shown: readonly string[] = [];
  const again = await accounts.signIn(
    {
      confirm(asked) {
        shown = asked.newScopes;
        return true;
      },
    },
    { connection: id },
  );
  expect(again, JSON.stringify(again.steps, null, 1)).toMatchObject({ state: 'connected' });
  expect(shown).toEqual(['notes:write']);
  const asked = accounts.vendor.seen.filter(({ path }) => path === '/authorize').at(-1);
  expect(asked?.query.get('scope')?.split(' ').toSorted()).toEqual(
    expect.arrayContaining(['notes:read', 'notes:write']),
  );
  expect((await accounts.call('write_note', { text: 'x' })).text).toBe('written for ada: x');
  expect((await accounts.whoami()).scopes.toSorted()).toEqual(['notes:read', 'notes:write']);
});

test('a server that is never content is signed in to twice, and then no more', async () => {
  await using accounts = await openConnected();
  accounts.vendor.neverContent('write_note', ['notes:write']);
  const write = () => accounts.call('write_note', { text: 'x' });
  for (let times = 0; times < 2; times += 1) {
    expect(await write()).toMatchObject({ isError: true });
    const { id, asksFor } = await accounts.connection();
    expect(asksFor).toContain('notes:write');
    expect(await accounts.signIn({}, { connection: id })).toMatchObject({ state: 'connected' });
  }
  expect(await write()).toMatchObject({ isError: true });
  expect(await accounts.connection()).toMatchObject({ state: 'more_scopes', asksFor: null });
  expect((await accounts.connection()).reason).toMatch(/not asked for again/);
  expect(await accounts.whoami(), 'everything else works').toMatchObject({ account: 'ada' });
  const asked = accounts.vendor.seen.filter(({ path }) => path === '/authorize');
  expect(asked).toHaveLength(3);
});

test('a vendor holds a client to the scopes it was registered for: more of them is another registration', async () => {
  await using accounts = await openConnected();
  const registered = () =>
    accounts.vendor.seen
      .filter(({ path }) => path === '/register')
      .map(({ body }) => JSON.parse(body).scope.split(' '));
  expect(registered()).toHaveLength(1);
  expect(registered()[0]).not.toContain('notes:write');
  accounts.vendor.requireScopes('write_note', ['notes:write']);
  await accounts.call('write_note', { text: 'x' });
  const { id } = await accounts.connection();
  expect(await accounts.signIn({}, { connection: id })).toMatchObject({ state: 'connected' });
  expect(registered()).toHaveLength(2);
  expect(registered()[1]).toEqual(expect.arrayContaining(['notes:read', 'notes:write']));
  // Less than that needs no third one.
  expect(await accounts.signIn({ account: 'grace' }, { label: 'personal' })).toMatchObject({ state: 'connected' });
  expect(registered()).toHaveLength(2);
});
