import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Accounts, addVendor, connect } from '../support/accounts.ts';
import { startGatehouse, type TestGatehouse, type TestKey } from '../support/gatehouse.ts';
import type { VendorProfile } from '../support/vendors/profile.ts';

/** One Gatehouse, and a vendor of each kind: the account is wanted, signed in, and a call is made as it. */
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

const GOOD: readonly (readonly [what: string, profile: VendorProfile])[] = [
  ['a server of 2025-11-25 with sessions', { server: 'v1' }],
  ['a server of 2026-07-28', { server: 'v2' }],
  ['JSON web tokens of over 2.5 kB', { tokens: 'jwt', padding: 2600 }],
  ['a server of 2025-03-26: no metadata, everything at its origin', { old: true }],
  ['resource metadata that the 401 alone names', { resourceMetadata: 'header' }],
  ['resource metadata at the path, named by nobody', { resourceMetadata: 'unnamed-path' }],
  ['resource metadata at the root alone', { resourceMetadata: 'root' }],
  ['a 401 that says nothing', { challenge: false }],
  ['an issuer with a path', { issuerPath: '/tenant', serverMetadata: ['oauth'] }],
  ['an issuer with a path, OIDC inserted', { issuerPath: '/tenant', serverMetadata: ['openid'] }],
  ['an issuer with a path, OIDC appended', { issuerPath: '/tenant', serverMetadata: ['openid-appended'] }],
  ['an issuer known by OIDC alone', { serverMetadata: ['openid'] }],
  ['redirect URIs of which every character counts', { redirects: 'exact' }],
  ['an issuer that is silent in the callback', { iss: 'silent' }],
  ['an issuer that says so unannounced', { iss: 'unannounced' }],
  ['no refresh tokens', { refreshTokens: 'never' }],
  ['refresh tokens for offline access alone', { refreshTokens: 'offline_access' }],
  ['no scopes announced', { announcedScopes: null }],
  ['scopes of the 401', { challengeScope: 'notes:write' }],
  ['a slow vendor', { slowMs: 150 }],
];

test.each(GOOD)('%s', (_, profile) =>
  vendorOf(profile, async (accounts) => {
    await connect(accounts, { account: 'grace' });
    expect(await accounts.whoami()).toMatchObject({ account: 'grace', issuer: accounts.vendor.issuer });
    expect(await accounts.connection()).toMatchObject({ state: 'connected', issuer: accounts.vendor.issuer });
    expect((await accounts.upstream()).needsSignIn).toBe(false);
  }),
);
