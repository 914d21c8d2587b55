import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NextStep, SignInCode } from '../../shared/connections.ts';
import { type Accounts, addVendor } from '../support/accounts.ts';
import { eventually, startGatehouse, type TestGatehouse, type TestKey } from '../support/gatehouse.ts';
import { followAsBrowser, type Person } from '../support/vendors/browser.ts';
import type { VendorProfile } from '../support/vendors/profile.ts';

/** Vendors that are wrong, and persons who say no: each sign-in ends with its code, the failing step, and one next step. */
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
  await using accounts = await addVendor(gatehouse, key, `wrong${count}`, profile);
  await run(accounts);
}

interface Fault {
  readonly what: string;
  readonly profile: VendorProfile;
  readonly person?: Person;
  readonly code: SignInCode;
  readonly act: NextStep['act'];
  /** In the message. */
  readonly words?: RegExp;
  /** Whether the code was shown to the token endpoint. Default false. */
  readonly redeemed?: boolean;
}

const FAULTS: readonly Fault[] = [
  {
    what: 'no S256 among the PKCE methods',
    profile: { pkce: 'plain' },
    code: 'pkce_unsupported',
    act: 'allow_no_pkce',
  },
  {
    what: 'no PKCE methods at all in the metadata',
    profile: { pkce: 'absent' },
    code: 'pkce_unsupported',
    act: 'allow_no_pkce',
  },
  {
    what: 'metadata of another issuer',
    profile: { metadataIssuer: 'https://other.example' },
    code: 'issuer_mismatch',
    act: 'ask_vendor',
  },
  {
    what: 'a callback without the issuer it announced',
    profile: { iss: 'missing' },
    code: 'issuer_mismatch',
    act: 'ask_vendor',
  },
  { what: 'a callback of another issuer', profile: { iss: 'wrong' }, code: 'issuer_mismatch', act: 'ask_vendor' },
  {
    what: 'a callback of another issuer, unannounced',
    profile: { iss: 'wrong-unannounced' },
    code: 'issuer_mismatch',
    act: 'ask_vendor',
  },
  {
    what: 'metadata of another resource',
    profile: { resource: 'https://other.example/mcp' },
    code: 'resource_mismatch',
    act: 'check_url',
    words: /other\.example/,
  },
  { what: 'a person who says no', profile: {}, person: { answer: 'deny' }, code: 'access_denied', act: 'try_again' },
  {
    what: 'neither resource metadata nor anything else that signs in',
    profile: { resourceMetadata: 'none' },
    code: 'no_protected_resource_metadata',
    act: 'check_url',
  },
];

test.each(FAULTS)('$what', ({ profile, person, code, act, words, redeemed }) =>
  vendorOf(profile, async (accounts) => {
    const ended = await accounts.signIn(person);
    expect(ended, JSON.stringify(ended.steps, null, 1)).toMatchObject({ state: 'failed', code, next: { act } });
    expect(ended.message).toMatch(words ?? /\w/);
    expect(ended.steps.filter(({ outcome }) => outcome === 'failed')).toHaveLength(1);
    expect(accounts.vendor.tokenRequests()).toHaveLength(redeemed === true ? 1 : 0);
    expect(await gatehouse.ask('connectionsList', { upstream: accounts.upstreamId })).toEqual([]);
    expect(accounts.vendor.served('tools/list')).toBe(0);
  }),
);

describe('what goes on after it', () => {
  test('a vendor without S256 works once the person lets it pass', () =>
    vendorOf({ pkce: 'absent' }, async (accounts) => {
      expect(await accounts.signIn()).toMatchObject({ code: 'pkce_unsupported' });
      const signIn = { kind: 'mcp_oauth' as const, allowNoPkce: true };
      await gatehouse.ask('upstreamSignIn', { upstream: accounts.upstreamId, signIn });
      expect(await accounts.signIn()).toMatchObject({ state: 'connected' });
      const asked = accounts.vendor.seen.find(({ path }) => path === '/authorize');
      expect(asked?.query.get('code_challenge_method')).toBe('S256');
    }));

  test.each([
    [
      'refused, in the vendor’s own words',
      { error: 'access_denied', status: 403, description: 'By contract only' },
      /^MCP OAuth setup failed for wrong\d+: dynamic_registration_failed: access_denied: By contract only/,
    ],
    ['not there', 'off', /^MCP OAuth setup failed for wrong\d+: no_registration_endpoint/],
  ] as const)('registration is %s: a client id is asked for, and goes on with', (_, registration, words) =>
    vendorOf({ registration, clients: [{ id: 'agreed' }] }, async (accounts) => {
      const asked = await accounts.signIn();
      expect(asked).toMatchObject({ state: 'needs_client_id', next: { act: 'paste_client_id' } });
      expect(asked.message).toMatch(words);
      expect(asked.redirectUri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/);
      await gatehouse.ask('signInClient', { signIn: asked.id, clientId: 'agreed' });
      const waiting = await eventually(async () => {
        const answer = await gatehouse.ask('signInGet', { signIn: asked.id });
        return answer.kind === 'done' && answer.signIn.link !== null ? answer.signIn.link : null;
      }, 'the link');
      await followAsBrowser(waiting);
      const signedIn = await gatehouse.ask('signInGet', { signIn: asked.id });
      expect(signedIn).toMatchObject({ signIn: { state: 'connected' } });
    }),
  );
});

test('no trace, list or audit entry holds a token, a code, a verifier or a state', async () => {
  const secrets: string[] = [];
  await vendorOf({}, async (accounts) => {
    expect(await accounts.signIn()).toMatchObject({ state: 'connected' });
    const { vendor } = accounts;
    secrets.push(...vendor.tokens());
    for (const { form, query } of vendor.seen) {
      for (const name of ['code', 'code_verifier', 'refresh_token', 'client_secret'])
        secrets.push(form.get(name) ?? '');
      secrets.push(query.get('state') ?? '', query.get('code_challenge') ?? '');
    }
    const told = JSON.stringify([
      await gatehouse.ask('signInsList'),
      await gatehouse.ask('connectionsList'),
      await gatehouse.ask('upstreamsList'),
      await gatehouse.audit(),
    ]);
    const searched = secrets.filter((secret) => secret !== '');
    expect(searched.length).toBeGreaterThan(4);
    for (const secret of searched) expect(told.includes(secret), secret.slice(0, 6)).toBe(false);
  });
});
