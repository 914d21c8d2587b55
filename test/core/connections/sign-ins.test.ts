import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { usualSignIn } from '../../../electron/core/upstreams/sign-in.ts';
import type { SignIn } from '../../../shared/connections.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { followAsBrowser } from '../../support/vendors/browser.ts';
import type { VendorProfile } from '../../support/vendors/profile.ts';
import { startVendor, type Vendor } from '../../support/vendors/vendor.ts';
import { account, signInRig } from './rig.ts';

async function vendorOf(profile: VendorProfile = {}): Promise<Vendor> {
  const vendor = await startVendor(profile);
  onTestFinished(() => vendor.stop());
  return vendor;
}

const USUAL: Extract<SignIn, { kind: 'mcp_oauth' }> = {
  kind: 'mcp_oauth',
  clientId: null,
  clientSecret: false,
  scopes: null,
  issuer: null,
  redirect: { host: '127.0.0.1', port: null },
  allowNoPkce: false,
};

test('one click: discovered, registered, signed in at the vendor, connected; the page says which account', async () => {
  const vendor = await vendorOf();
  const { start, until, connected, refreshed, events } = signInRig(vendor.mcpUrl);
  const { id, state, link } = start({ label: 'work' });
  expect([state, link]).toEqual(['working', null]);
  const waiting = await until(id, 'waiting', 'failed');
  expect(waiting).toMatchObject({ state: 'waiting', scopes: ['notes:read', 'offline_access'], newScopes: [] });
  expect(waiting.redirectUri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/);
  const page = await followAsBrowser(waiting.link ?? '');
  expect(page.text).toContain('The account <b>work</b> is now connected at <b>notes</b>.');
  const done = await until(id, 'connected', 'failed');
  expect(done).toMatchObject({ state: 'connected', connectionId: 'c1', link: null, code: null });
  expect(done.steps.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
    'challenge ok',
    'resource_metadata ok',
    'server_metadata ok',
    'redirect ok',
    'client_id ok',
    'authorize waiting',
    'callback ok',
    'token ok',
  ]);
  const [grant] = connected;
  expect(grant).toMatchObject({
    upstreamId: 'u',
    label: 'work',
    connectionId: null,
    grant: {
      kind: 'tokens',
      by: 'code',
      usedAt: new URL(vendor.mcpUrl).origin,
      resource: vendor.mcpUrl,
      issuer: vendor.issuer,
      scopes: ['notes:read'],
    },
  });
  expect(refreshed).toEqual(['u']);
  expect(events.map(({ kind, outcome, detail }) => ({ kind, outcome, detail }))).toEqual([
    { kind: 'sign_in_started', detail: { account: 'work', mode: 'mcp_oauth', by: 'test', renews: false } },
    {
      kind: 'sign_in_connected',
      outcome: 'done',
      detail: {
        account: 'work',
        mode: 'mcp_oauth',
        issuer: vendor.issuer,
        scopes: ['notes:read'],
        connection: 'c1',
      },
    },
  ]);
  // Nothing of it that could be used by somebody else is anywhere but in the grant.
  const shown = JSON.stringify([done, events]);
  for (const token of vendor.tokens()) expect(shown).not.toContain(token);
  const back = new URL(page.url).searchParams;
  for (const secret of [back.get('code'), back.get('state')]) {
    expect(secret?.length).toBeGreaterThan(20);
    expect(shown).not.toContain(secret);
  }
});

test('a person who says no at the vendor ends it, and is told so on the page and in the trace', async () => {
  const vendor = await vendorOf();
  const { start, until, connected } = signInRig(vendor.mcpUrl);
  const { id } = start({ label: 'work' });
  const { link } = await until(id, 'waiting', 'failed');
  const page = await followAsBrowser(link ?? '', { answer: 'deny' });
  expect(page.status).toBe(400);
  expect(page.text).toContain('The account <b>work</b> was not connected at <b>notes</b>.');
  const failed = await until(id, 'failed');
  expect(failed).toMatchObject({ code: 'access_denied', next: { act: 'try_again' } });
  expect(failed.steps.at(-1)).toMatchObject({ name: 'callback', outcome: 'failed' });
  expect(connected).toEqual([]);
  expect(vendor.tokenRequests()).toEqual([]);
});

test('of several servers the person chooses, and the account keeps its own when it is renewed', async () => {
  const vendor = await vendorOf({ authorizationServers: 2 });
  const { signIns, start, until, accounts, connected } = signInRig(vendor.mcpUrl);
  const { id } = start({ label: 'work' });
  const asking = await until(id, 'choose_server', 'failed');
  expect(asking.servers).toEqual(vendor.issuers);
  const [, second = ''] = vendor.issuers;
  expect(signIns.answer(id, 'confirm_scopes', 'confirmed')).toMatchObject({ kind: 'refused' });
  expect(signIns.answer(id, 'choose_server', second)).toMatchObject({ kind: 'done' });
  const { link } = await until(id, 'waiting', 'failed');
  expect(new URL(link ?? '').origin).toBe(second);
  await followAsBrowser(link ?? '');
  await until(id, 'connected', 'failed');
  expect(connected[0]?.grant).toMatchObject({ issuer: second });

  accounts.push(account({ id: 'c1', issuer: second, scopes: ['notes:read'] }));
  const again = start({ connectionId: 'c1' });
  const renewing = await until(again.id, 'waiting', 'choose_server', 'failed');
  expect(renewing.state).toBe('waiting');
  expect(new URL(renewing.link ?? '').origin).toBe(second);
});

test('a vendor that registers nobody: the pasted client id is used, and kept as that of the upstream', async () => {
  const vendor = await vendorOf({ registration: 'off', clients: [{ id: 'by-hand', secret: 'its secret' }] });
  const { signIns, start, until, upstream, secrets, connected } = signInRig(vendor.mcpUrl);
  const { id } = start();
  const asking = await until(id, 'needs_client_id', 'failed');
  expect(asking.message).toContain('MCP OAuth setup failed for notes: no_registration_endpoint');
  expect(asking.next).toMatchObject({ act: 'paste_client_id' });
  signIns.answer(id, 'needs_client_id', { clientId: 'by-hand', clientSecret: 'its secret' });
  const { link } = await until(id, 'waiting', 'failed');
  await followAsBrowser(link ?? '');
  const done = await until(id, 'connected', 'failed');
  expect(done).toMatchObject({ state: 'connected', label: 'main', message: null, next: null });
  expect(connected[0]?.grant).toMatchObject({ clientId: 'by-hand', tokenAuth: 'basic' });
  expect(upstream().signIn).toMatchObject({ clientId: 'by-hand' });
  // With the server that it is for.
  expect([...secrets.values()]).toEqual(['its secret', vendor.issuer]);
  expect(JSON.stringify(done)).not.toContain('its secret');
});

test('more scopes than before are shown before the vendor is asked, together with those of before', async () => {
  const vendor = await vendorOf({ scopes: ['notes:read', 'notes:write'], announcedScopes: null });
  const { signIns, start, until, accounts, connected } = signInRig(vendor.mcpUrl);
  accounts.push(
    account({ id: 'c1', state: 'more_scopes', scopes: ['notes:read'], asksFor: ['notes:read', 'notes:write'] }),
  );
  const { id } = start({ connectionId: 'c1' });
  const asking = await until(id, 'confirm_scopes', 'waiting', 'failed');
  expect(asking).toMatchObject({
    state: 'confirm_scopes',
    scopes: ['notes:read', 'notes:write', 'offline_access'],
    newScopes: ['notes:write'],
    link: null,
  });
  signIns.answer(id, 'confirm_scopes', 'confirmed');
  const { link } = await until(id, 'waiting', 'failed');
  expect(new URL(link ?? '').searchParams.get('scope')).toBe('notes:read notes:write offline_access');
  await followAsBrowser(link ?? '');
  await until(id, 'connected', 'failed');
  expect(connected[0]).toMatchObject({ connectionId: 'c1', grant: { scopes: ['notes:read', 'notes:write'] } });
});

test('an account signs in once at a time: who begins again is heard, the one before is cancelled and its port closed', async () => {
  const vendor = await vendorOf();
  const { start, until, signIns } = signInRig(vendor.mcpUrl);
  const first = start({ label: 'work' });
  const { redirectUri } = await until(first.id, 'waiting', 'failed');
  const other = start({ label: 'home' });
  await until(other.id, 'waiting', 'failed');
  const second = start({ label: 'work' });
  expect(signIns.get(first.id)).toMatchObject({
    state: 'cancelled',
    code: 'cancelled',
    message: 'Another sign-in of this account was begun.',
    link: null,
  });
  expect(signIns.get(other.id)).toMatchObject({ state: 'waiting' });
  const again = await until(second.id, 'waiting', 'failed');
  expect(again.state).toBe('waiting');
  if (again.redirectUri !== redirectUri) await expect(fetch(redirectUri ?? '')).rejects.toThrow('fetch failed');
  signIns.cancel(second.id);
  await expect(fetch(again.redirectUri ?? '')).rejects.toThrow('fetch failed');
  expect(signIns.get(second.id)).toMatchObject({ state: 'cancelled', message: 'You cancelled the sign-in.' });
});

test('ten minutes after the person could do something it ends, and nobody is answered any more', async () => {
  const vendor = await vendorOf();
  const clock = fakeClock();
  const { start, until, signIns, connected } = signInRig(vendor.mcpUrl, { clock });
  const { id } = start({ label: 'work' });
  const { link, endsAt } = await until(id, 'waiting', 'failed');
  expect(endsAt).toBe(clock.now() + 600_000);
  await clock.advance(600_000 - 1);
  expect(signIns.get(id)?.state).toBe('waiting');
  await clock.advance(1);
  expect(signIns.get(id)).toMatchObject({
    state: 'failed',
    code: 'timeout',
    message: 'The browser did not come back within ten minutes.',
  });
  await expect(followAsBrowser(link ?? '')).rejects.toThrow('fetch failed');
  expect([connected, vendor.tokenRequests()]).toEqual([[], []]);
  expect(clock.pending()).toBe(0);
});

test('a browser that came back without the mark of the sign-in is the reason when nothing better comes', async () => {
  const vendor = await vendorOf();
  const clock = fakeClock();
  const { start, until, signIns, events } = signInRig(vendor.mcpUrl, { clock });
  const { id } = start({ label: 'work' });
  const { redirectUri } = await until(id, 'waiting', 'failed');
  expect((await fetch(`${redirectUri}?code=c`)).status).toBe(400);
  await clock.advance(600_000);
  expect(signIns.get(id)).toMatchObject({ state: 'failed', code: 'state_mismatch', next: { act: 'try_again' } });
  expect(signIns.get(id)?.steps.slice(-2)).toMatchObject([
    { name: 'callback', outcome: 'skipped', status: 400 },
    { name: 'callback', outcome: 'failed' },
  ]);
  expect(events.at(-1)).toMatchObject({ kind: 'sign_in_failed', detail: { strayVisits: { wrong_state: 1 } } });
});

test('what a vendor has forgotten is registered anew, in the same sign-in', async () => {
  const vendor = await vendorOf();
  const { start, until, connected } = signInRig(vendor.mcpUrl);
  const first = start({ label: 'work' });
  await followAsBrowser((await until(first.id, 'waiting', 'failed')).link ?? '');
  await until(first.id, 'connected', 'failed');
  vendor.forgetClients();
  const second = start({ label: 'work' });
  const found = await until(second.id, 'waiting', 'failed');
  await followAsBrowser(found.link ?? '');
  const ended = await until(second.id, 'connected', 'failed');
  expect(ended.steps.map(({ name, outcome }) => `${name} ${outcome}`)).toContain('authorize failed');
  expect(connected).toHaveLength(2);
  expect(vendor.seen.filter(({ path }) => path === '/register')).toHaveLength(2);
});

test('a vendor that would not send the browser back says so before it is opened', async () => {
  const redirectUris = ['http://127.0.0.1:1/callback'];
  const vendor = await vendorOf({ registration: 'off', redirects: 'exact', clients: [{ id: 'mine', redirectUris }] });
  const signIn = {
    ...usualSignIn({ kind: 'http', url: vendor.mcpUrl, secretHeaders: [] }),
    clientId: 'mine',
  } as SignIn;
  const { start, until } = signInRig(vendor.mcpUrl, { signIn });
  expect(await until(start({ label: 'work' }).id, 'waiting', 'failed')).toMatchObject({
    state: 'failed',
    code: 'redirect_rejected',
    next: { act: 'set_redirect' },
  });
});

test('traces outlive a restart, without the link; what was under way is cancelled', async () => {
  const vendor = await vendorOf();
  const before = signInRig(vendor.mcpUrl);
  const failed = before.start({ label: 'home' });
  const { link } = await before.until(failed.id, 'waiting', 'failed');
  await followAsBrowser(link ?? '', { answer: 'deny' });
  await before.until(failed.id, 'failed');
  const open = before.start({ label: 'work' });
  const waiting = await before.until(open.id, 'waiting', 'failed');
  const stored = String(before.db.prepare('SELECT group_concat(view) FROM sign_ins').pluck().get());
  expect(stored).toContain('client_id=');
  for (const name of ['state', 'code_challenge'])
    expect(stored).not.toContain(new URL(waiting.link ?? '').searchParams.get(name) ?? 'none');
  const after = signInRig(vendor.mcpUrl, { db: before.db });
  expect(after.signIns.list().map(({ label, state, code }) => [label, state, code])).toEqual([
    ['work', 'cancelled', 'cancelled'],
    ['home', 'failed', 'access_denied'],
  ]);
  expect(after.signIns.get(failed.id)?.steps.at(-1)).toMatchObject({ name: 'callback', outcome: 'failed' });
});

test('of each upstream the latest twenty are kept', async () => {
  const rig = signInRig('http://127.0.0.1:1/mcp');
  for (let count = 0; count < 25; count += 1) {
    const { id } = rig.start({ label: `account ${count}` });
    await rig.until(id, 'failed');
  }
  const labels = rig.signIns.list('u').map(({ label }) => label);
  expect(labels).toEqual(Array.from({ length: 20 }, (_, count) => `account ${24 - count}`));
  expect(rig.signIns.list('u')[0]).toMatchObject({ code: 'unreachable', next: { act: 'try_again' } });
});

test('a key is tried before it is kept; one that is refused is not kept', async () => {
  const asked: { readonly url: string | undefined; readonly key: unknown }[] = [];
  const server = createServer((request, response) => {
    asked.push({ url: request.url, key: request.headers['x-key'] });
    response.statusCode = request.headers['x-key'] === 'Key right' ? 400 : 401;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp?a=b`;
  const signIn: SignIn = { kind: 'api_key', place: { in: 'header', name: 'X-Key', prefix: 'Key ' } };
  const { start, until, connected, signIns, upstream } = signInRig(address, { signIn });
  const unasked = signIns.start({ upstream: upstream(), label: null, connectionId: null, secret: null, by: 'test' });
  expect(unasked).toEqual({
    kind: 'refused',
    message: 'Give the key of the account: notes is signed in to with an API key.',
  });
  const wrong = start({ secret: 'wrong-key-of-mine' });
  expect(await until(wrong.id, 'connected', 'failed')).toMatchObject({
    code: 'key_refused',
    next: { act: 'paste_key' },
  });
  expect(connected).toEqual([]);
  const right = start({ secret: 'right' });
  expect(await until(right.id, 'connected', 'failed')).toMatchObject({ state: 'connected' });
  expect(connected[0]?.grant).toEqual({
    kind: 'api_key',
    usedAt: new URL(address).origin,
    place: { in: 'header', name: 'X-Key', prefix: 'Key ' },
    key: 'right',
  });
  expect(asked).toEqual([
    { url: '/mcp?a=b', key: 'Key wrong-key-of-mine' },
    { url: '/mcp?a=b', key: 'Key right' },
  ]);
  expect(JSON.stringify(signIns.list())).not.toContain('wrong-key-of-mine');
});

test('a key in the address stands in no trace', async () => {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp?team=a`;
  const signIn: SignIn = { kind: 'api_key', place: { in: 'query', name: 'key' } };
  const { start, until, db } = signInRig(address, { signIn });
  const { id } = start({ secret: 'of-the-person&team=b' });
  expect(await until(id, 'connected', 'failed')).toMatchObject({ state: 'connected' });
  expect(asked).toEqual(['/mcp?team=a&key=of-the-person%26team%3Db']);
  expect(String(db.prepare('SELECT group_concat(view) FROM sign_ins').pluck().get())).not.toContain('of-the-person');
});

test('client credentials need nobody: a token at once', async () => {
  const vendor = await vendorOf({
    clients: [{ id: 'machine', secret: 'of the machine', grants: ['client_credentials'] }],
  });
  const signIn: SignIn = {
    kind: 'client_credentials',
    tokenUrl: null,
    clientId: 'machine',
    clientSecret: true,
    scopes: ['notes:read'],
    tokenAuth: 'auto',
  };
  const { start, until, connected } = signInRig(vendor.mcpUrl, { signIn, clientSecret: 'of the machine' });
  const { id } = start({ label: 'ci' });
  expect(await until(id, 'connected', 'failed')).toMatchObject({ state: 'connected', redirectUri: null });
  expect(connected[0]?.grant).toMatchObject({
    by: 'client_credentials',
    refreshToken: null,
    scopes: ['notes:read'],
    resource: vendor.mcpUrl,
  });
});

test('classic OAuth goes straight to the addresses that were given', async () => {
  const vendor = await vendorOf({
    registration: 'off',
    clients: [{ id: 'classic', secret: 'classic secret', auth: 'client_secret_post' }],
    resourceOptional: true,
  });
  const metadata = await (await fetch(`${vendor.issuer}/.well-known/oauth-authorization-server`)).json();
  const { authorization_endpoint, token_endpoint } = metadata as Record<string, string>;
  const asked = vendor.seen.length;
  const signIn: SignIn = {
    kind: 'oauth',
    authorizeUrl: authorization_endpoint ?? '',
    tokenUrl: token_endpoint ?? '',
    revokeUrl: null,
    clientId: 'classic',
    clientSecret: true,
    scopes: ['notes:write'],
    pkce: true,
    tokenAuth: 'post',
    redirect: { host: '127.0.0.1', port: null },
  };
  const { start, until, connected } = signInRig(vendor.mcpUrl, { signIn, clientSecret: 'classic secret' });
  const { id } = start();
  const { link, scopes } = await until(id, 'waiting', 'failed');
  expect(scopes).toEqual(['notes:write']);
  // The page that will be opened is looked at, and nothing is looked for.
  expect(vendor.seen.slice(asked).map(({ path }) => path)).toEqual(['/authorize']);
  expect(new URL(link ?? '').searchParams.has('resource')).toBe(false);
  await followAsBrowser(link ?? '');
  await until(id, 'connected', 'failed');
  expect(connected[0]?.grant).toMatchObject({ clientId: 'classic', resource: null, scopes: ['notes:write'] });
});

test('where the port of last time is taken, the client is registered anew for the next one, and that is remembered', async () => {
  const vendor = await vendorOf({ redirects: 'exact' });
  const { start, until } = signInRig(vendor.mcpUrl);
  const redirects: (string | null)[] = [];
  const signIn = async () => {
    const { id } = start({ label: 'work' });
    const { link, redirectUri } = await until(id, 'waiting', 'failed');
    redirects.push(redirectUri);
    expect((await followAsBrowser(link ?? '')).status).toBe(200);
    expect(await until(id, 'connected', 'failed')).toMatchObject({ state: 'connected' });
  };
  const registered = () => vendor.seen.filter(({ path }) => path === '/register').length;
  await signIn();
  await signIn();
  expect([new Set(redirects).size, registered()]).toEqual([1, 1]);
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(Number(new URL(redirects[0] ?? '').port), '127.0.0.1', resolve));
  onTestFinished(() => void taken.close());
  await signIn();
  await signIn();
  expect([new Set(redirects).size, registered()]).toEqual([2, 2]);
});

test('a vendor that knows only localhost: the sign-in says what to set, and with that it works', async () => {
  const vendor = await vendorOf({ redirects: 'localhost' });
  const refused = signInRig(vendor.mcpUrl);
  const first = refused.start();
  expect(await refused.until(first.id, 'failed', 'waiting')).toMatchObject({
    code: 'dynamic_registration_failed',
    next: { act: 'set_redirect' },
    message: expect.stringContaining('redirect_uris must use http://localhost'),
  });
  const rig = signInRig(vendor.mcpUrl, { signIn: { ...USUAL, redirect: { host: 'localhost', port: null } } });
  const { id } = rig.start();
  const { link, redirectUri } = await rig.until(id, 'waiting', 'failed');
  expect(redirectUri).toMatch(/^http:\/\/localhost:\d+\/callback$/);
  expect((await followAsBrowser(link ?? '')).text).toContain('is now connected');
});

test('a redirect port that is taken says so, and which to free', async () => {
  const vendor = await vendorOf();
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as AddressInfo;
  const { start, until } = signInRig(vendor.mcpUrl, {
    signIn: { ...USUAL, redirect: { host: 'localhost', port } },
  });
  const { id } = start();
  expect(await until(id, 'failed')).toMatchObject({
    code: 'redirect_unavailable',
    next: { act: 'set_redirect' },
    message: expect.stringContaining(`port ${port}`),
  });
});

test.each(['locked', 'absent', 'lost'] as const)(
  'while the vault is %s, it is said before anybody is sent to the vendor',
  async (kind) => {
    const vendor = await vendorOf();
    const reason = 'What the keychain says.';
    const { start, until } = signInRig(vendor.mcpUrl, { vaultState: { kind, reason } });
    expect(await until(start().id, 'failed', 'waiting')).toMatchObject({
      state: 'failed',
      code: 'secret_unavailable',
      message: expect.stringContaining(reason),
      next: { act: 'unlock_keychain' },
      steps: [{ name: 'check', outcome: 'failed' }],
    });
    expect(vendor.seen).toEqual([]);
  },
);

test('what cannot be kept is not connected', async () => {
  const vendor = await vendorOf();
  const rig = signInRig(vendor.mcpUrl);
  rig.refuse('The keychain is locked.');
  const { id } = rig.start();
  const { link } = await rig.until(id, 'waiting', 'failed');
  const page = await followAsBrowser(link ?? '');
  expect(page.text).toContain('was not connected');
  expect(await rig.until(id, 'failed')).toMatchObject({
    code: 'secret_unavailable',
    message: expect.stringContaining('The keychain is locked.'),
  });
});

test('once the account is being kept the sign-in is not cancelled: nobody is told that an account is not there which is', async () => {
  const vendor = await vendorOf();
  const rig = signInRig(vendor.mcpUrl);
  const goOn = rig.holdConnect();
  const { id } = rig.start();
  const { link } = await rig.until(id, 'waiting', 'failed');
  const page = followAsBrowser(link ?? '');
  await goOn.reached;
  expect(rig.signIns.cancel(id)).toMatchObject({ kind: 'refused' });
  goOn.release();
  expect((await page).text).toContain('is now connected');
  expect(await rig.until(id, 'connected', 'cancelled')).toMatchObject({ state: 'connected' });
});

test('while the disk is full a sign-in goes on, and is shown', async () => {
  const vendor = await vendorOf();
  const rig = signInRig(vendor.mcpUrl);
  rig.db.exec("CREATE TRIGGER full BEFORE INSERT ON sign_ins BEGIN SELECT raise(ABORT, 'full'); END");
  const { id } = rig.start({ label: 'work' });
  const { link } = await rig.until(id, 'waiting', 'failed');
  expect(rig.signIns.list('u')).toMatchObject([{ id, state: 'waiting' }]);
  expect((await followAsBrowser(link ?? '')).text).toContain('is now connected');
  expect(rig.connected).toHaveLength(1);
});

test('a trace that another version wrote is left out, and keeps nothing from starting', async () => {
  const first = signInRig('http://127.0.0.1:1/mcp');
  const { id } = first.start({ label: 'work' });
  await first.until(id, 'failed');
  first.db.exec("UPDATE sign_ins SET view = json_set(view, '$.state', 'unheard of')");
  const second = signInRig('http://127.0.0.1:1/mcp', { db: first.db });
  expect(second.signIns.list()).toEqual([]);
  expect(second.signIns.get(id)).toBe(null);
});

test('an upstream that is removed takes its sign-ins with it', async () => {
  const vendor = await vendorOf();
  const { signIns, start, until } = signInRig(vendor.mcpUrl);
  const { id } = start();
  const { redirectUri } = await until(id, 'waiting', 'failed');
  signIns.forgetUpstream('u');
  expect(signIns.list()).toEqual([]);
  await expect(fetch(redirectUri ?? '')).rejects.toThrow('fetch failed');
});
