import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Accounts, addVendor, connect } from '../support/accounts.ts';
import { startGatehouse, type TestGatehouse, type TestKey } from '../support/gatehouse.ts';
import type { PreRegistered, VendorProfile } from '../support/vendors/profile.ts';

/** By what client id vendors are asked, and for what. */
let gatehouse: TestGatehouse;
let key: TestKey;
let count = 0;

beforeAll(async () => {
  gatehouse = await startGatehouse();
  key = await gatehouse.key();
});
afterAll(() => gatehouse.close());

async function vendorOf(profile: VendorProfile, run: (accounts: Accounts) => Promise<void>): Promise<void> {
  count += 1;
  await using accounts = await addVendor(gatehouse, key, `vendor${count}`, profile);
  await run(accounts);
}

describe('client ids', () => {
  test('registered once, as a native program, and kept for the next account', () =>
    vendorOf({}, async (accounts) => {
      await connect(accounts);
      const registrations = () => accounts.vendor.seen.filter(({ path }) => path === '/register');
      expect(registrations()).toHaveLength(1);
      expect(JSON.parse(registrations()[0]?.body ?? '')).toMatchObject({
        application_type: 'native',
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: [expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/callback$/)],
      });
      expect(await accounts.signIn({ account: 'grace' }, { label: 'personal' })).toMatchObject({ state: 'connected' });
      expect(registrations()).toHaveLength(1);
      expect(await accounts.whoami('personal')).toMatchObject({ account: 'grace' });
      expect(await accounts.whoami('work')).toMatchObject({ account: 'ada' });
      expect(await accounts.whoami()).toMatchObject({ account: 'ada' });
    }));

  test.each<readonly [string, PreRegistered]>([
    ['a public client', { id: 'by-hand' }],
    ['a client with a secret in the header', { id: 'by-hand', secret: 's3cret' }],
    ['a client with a secret in the body', { id: 'by-hand', secret: 's3cret', auth: 'client_secret_post' }],
  ])('%s, pasted because nobody gives one', (_, client) =>
    vendorOf({ registration: 'off', clients: [client] }, async (accounts) => {
      const asked = await accounts.signIn();
      expect(asked).toMatchObject({ state: 'needs_client_id', next: { act: 'paste_client_id' } });
      expect(asked.redirectUri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/);
      await gatehouse.ask('signInCancel', { signIn: asked.id });
      await connect(accounts, { client: { clientId: client.id, clientSecret: client.secret ?? null } });
      expect(await accounts.whoami()).toMatchObject({ client: 'by-hand' });
    }),
  );

  test('a client secret goes to the server that it was given for: another one that the upstream names later gets nothing', () =>
    vendorOf(
      { registration: 'off', authorizationServers: 2, clients: [{ id: 'by-hand', secret: 's3cret' }] },
      async (accounts) => {
        const { issuers, seen } = accounts.vendor;
        const given = { client: { clientId: 'by-hand', clientSecret: 's3cret' } };
        const first = (servers: readonly string[]) => servers.find((one) => one === issuers[0]) ?? '';
        const second = (servers: readonly string[]) => servers.find((one) => one === issuers[1]) ?? '';
        await connect(accounts, { ...given, choose: first });
        const before = seen.length;
        const stopped = await accounts.signIn({ choose: second }, { label: 'elsewhere' });
        expect(stopped).toMatchObject({ state: 'needs_client_id', next: { act: 'paste_client_id' } });
        expect(stopped.message).toContain(`was given for ${issuers[0]}, and was not sent`);
        expect(seen.slice(before).filter(({ path }) => /token|authorize/.test(path))).toEqual([]);
        await gatehouse.ask('signInCancel', { signIn: stopped.id });
        // At the first one it still works, and given anew it is the second one's.
        expect(await accounts.signIn({ choose: first }, { label: 'again' })).toMatchObject({ state: 'connected' });
        await gatehouse.ask('upstreamSignIn', {
          upstream: accounts.upstreamId,
          signIn: { kind: 'mcp_oauth', clientId: 'by-hand' },
          clientSecret: 's3cret',
        });
        const moved = await accounts.signIn({ choose: second }, { label: 'elsewhere' });
        expect(moved).toMatchObject({ state: 'connected' });
      },
    ));

  test('a vendor that knows none of its resources’ scopes registers when none is named', () =>
    vendorOf({ registration: 'without scopes' }, async (accounts) => {
      await connect(accounts);
      const registrations = accounts.vendor.seen.filter(({ path }) => path === '/register');
      expect(registrations.map(({ body }) => 'scope' in JSON.parse(body))).toEqual([true, false]);
      expect(await accounts.whoami()).toMatchObject({ scopes: ['notes:read'] });
    }));

  test('a vendor that knows only localhost is sent there once the person says so', () =>
    vendorOf({ redirects: 'localhost' }, async (accounts) => {
      const refused = await accounts.signIn();
      expect(refused).toMatchObject({ state: 'failed', next: { act: 'set_redirect' } });
      expect(refused.message).toContain('redirect_uris must use http://localhost');
      const done = await gatehouse.ask('upstreamSignIn', {
        upstream: accounts.upstreamId,
        signIn: { kind: 'mcp_oauth', redirect: { host: 'localhost' } },
      });
      expect(done).toMatchObject({ kind: 'done' });
      await connect(accounts);
      const [exchange] = accounts.vendor.tokenRequests('authorization_code');
      expect(exchange?.form.get('redirect_uri')).toMatch(/^http:\/\/localhost:\d+\/callback$/);
    }));
});

describe('what is asked of a vendor', () => {
  test('PKCE, state and the resource, in each request that has them', () =>
    vendorOf({}, async (accounts) => {
      await connect(accounts);
      const { vendor } = accounts;
      const asked = vendor.seen.find(({ path }) => path === '/authorize')?.query;
      expect(asked?.get('code_challenge_method')).toBe('S256');
      expect(asked?.get('code_challenge')).toMatch(/^[\w-]{43}$/);
      expect((asked?.get('state') ?? '').length).toBeGreaterThanOrEqual(22);
      expect(asked?.get('resource')).toBe(vendor.mcpUrl);
      expect(vendor.tokenRequests().map(({ form }) => form.get('resource'))).toEqual([vendor.mcpUrl]);
    }));

  test('several authorization servers: the person chooses, and no other hears of it', () =>
    vendorOf({ authorizationServers: 2 }, async (accounts) => {
      const [, second = ''] = accounts.vendor.issuers;
      let offered: readonly string[] = [];
      await connect(accounts, {
        choose(servers) {
          offered = servers;
          return second;
        },
      });
      expect(offered).toEqual(accounts.vendor.issuers);
      expect(await accounts.whoami()).toMatchObject({ issuer: second });
      const elsewhere = accounts.vendor.seen.filter(
        ({ at, origin, method }) => at === 'authorization server' && method === 'POST' && origin !== second,
      );
      expect(elsewhere).toEqual([]);
    }));

  test('a program that signs in for itself', () => {
    const clients = [{ id: 'robot', secret: 's3cret', grants: ['client_credentials' as const] }];
    return vendorOf({ registration: 'off', clients }, async (accounts) => {
      const done = await gatehouse.ask('upstreamSignIn', {
        upstream: accounts.upstreamId,
        signIn: { kind: 'client_credentials', clientId: 'robot', scopes: ['notes:read'] },
        clientSecret: 's3cret',
      });
      expect(done).toMatchObject({ kind: 'done' });
      await connect(accounts);
      expect(await accounts.whoami()).toMatchObject({ client: 'robot', scopes: ['notes:read'] });
      // It gets no refresh token, and needs none.
      accounts.vendor.expireAccessTokens();
      expect(await accounts.whoami()).toMatchObject({ client: 'robot' });
    });
  });

  test('classic OAuth, by addresses that were given by hand', () =>
    vendorOf(
      {
        registration: 'off',
        clients: [{ id: 'by-hand', secret: 's3cret' }],
        resourceOptional: true,
        resourceMetadata: 'none',
      },
      async (accounts) => {
        const { issuer } = accounts.vendor;
        const done = await gatehouse.ask('upstreamSignIn', {
          upstream: accounts.upstreamId,
          signIn: {
            kind: 'oauth',
            authorizeUrl: `${issuer}/authorize`,
            tokenUrl: `${issuer}/token`,
            revokeUrl: `${issuer}/revoke`,
            clientId: 'by-hand',
            scopes: ['notes:read'],
            tokenAuth: 'basic',
          },
          clientSecret: 's3cret',
        });
        expect(done).toMatchObject({ kind: 'done' });
        await connect(accounts);
        expect(await accounts.whoami()).toMatchObject({ account: 'ada', client: 'by-hand', scopes: ['notes:read'] });
      },
    ));
});
