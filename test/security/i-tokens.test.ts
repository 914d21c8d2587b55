import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { watchSecret } from '../support/canary.ts';
import { type SignInRow, startSignInRow } from '../support/sign-in-row.ts';
import { startWickedVendor, type WickedPages, type WickedVendor } from '../support/wicked-vendor.ts';

let row: SignInRow;
beforeAll(async () => {
  row = await startSignInRow();
});
afterAll(() => row[Symbol.asyncDispose]());

/** A sign-in to its end, with a right answer in the browser. */
async function ended(pages: (good: WickedVendor) => WickedPages) {
  const vendor = await startWickedVendor(pages);
  const waiting = await row.begin(vendor.mcpUrl);
  if (waiting.state !== 'waiting') return { vendor, view: waiting };
  const { view } = await row.comeBack(waiting, [
    ['code', 'the-code'],
    ['iss', vendor.origin],
  ]);
  return { vendor, view };
}

const GOOD = { access_token: 'given-access-token', token_type: 'Bearer' };

describe('I20 the token endpoint', () => {
  test('I20 over http is not asked', async () => {
    const { vendor, view } = await ended(({ metadata }) => ({
      metadata: { body: { ...metadata, token_endpoint: 'http://as.example.test/token' } },
    }));
    await row.refused(view, 'insecure_address');
    expect(vendor.bodies('/register')).toEqual([]);
  });

  test('I20 is told the resource, also where nobody described one', async () => {
    const { vendor, view } = await ended(() => ({ mcp: { status: 401 }, resource: { status: 404 } }));
    expect(view).toMatchObject({ state: 'connected' });
    expect(new URLSearchParams(vendor.bodies('/token')[0]).get('resource')).toBe(vendor.mcpUrl);
  });

  test.each<[string, object, RegExp]>([
    ['a MAC token', { ...GOOD, token_type: 'mac' }, /not a Bearer token/],
    ['a token of no kind', { access_token: 'given-access-token' }, /what kind of token/],
    ['a life of -1', { ...GOOD, expires_in: -1 }, /how long its token lives/],
    ['a life of 1e12', { ...GOOD, expires_in: 1e12 }, /how long its token lives/],
    ['a life of "x"', { ...GOOD, expires_in: 'x' }, /how long its token lives/],
    ['a token of a megabyte', { ...GOOD, access_token: 'T'.repeat(1_000_000) }, /too long/],
    ['a token with a line break', { ...GOOD, access_token: 'given\r\nX-Evil: yes' }, /no token may have/],
    ['a refresh token with a line break', { ...GOOD, refresh_token: 'given\r\nX-Evil: yes' }, /no token may have/],
    ['an empty token', { ...GOOD, access_token: '' }, /no access token/],
    ['a token that is no text', { ...GOOD, access_token: { a: 1 } }, /no access token/],
    ['a list', [], /not an answer of OAuth/],
  ])('I20 %s is not used', async (_, body, message) => {
    const { view } = await ended(() => ({ token: { body } }));
    await row.refused(view, 'token_unusable');
    expect(view.message).toMatch(message);
    expect(JSON.stringify(view)).not.toMatch(/given-access-token|X-Evil|TTTT/);
  });

  test('I20 a life that nobody says is one that nobody knows', async () => {
    const { view } = await ended(() => ({ token: { body: GOOD } }));
    expect(view).toMatchObject({ state: 'connected' });
    const [connection] = await row.gatehouse.ask('connectionsList', { upstream: view.upstream });
    expect(connection).toMatchObject({ state: 'connected', expiresAt: null });
  });

  test('I20 a token that is wanted in the query goes in the header', async () => {
    const token = watchSecret(`canary-query-${randomUUID()}`);
    const { vendor, view } = await ended(({ mcpUrl, origin }) => ({
      resource: { body: { resource: mcpUrl, authorization_servers: [origin], bearer_methods_supported: ['query'] } },
      token: { body: { ...GOOD, access_token: token } },
    }));
    expect(view).toMatchObject({ state: 'connected' });
    const presented = () => vendor.seen.filter(({ headers }) => headers.authorization === `Bearer ${token}`);
    await expect.poll(() => presented().length, { timeout: 5_000 }).toBeGreaterThan(0);
    expect(JSON.stringify(vendor.seen.map(({ url }) => url))).not.toContain(token);
  });
});
