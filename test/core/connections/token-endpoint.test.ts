import { describe, expect, test } from 'vitest';
import type { ClientRegistration } from '../../../electron/core/connections/authorization-server.ts';
import { revoke } from '../../../electron/core/connections/revocation.ts';
import {
  exchangeCode,
  type GivenTokens,
  renew,
  type TokenParty,
} from '../../../electron/core/connections/token-endpoint.ts';
import { FAKE_START, fakeClock } from '../../support/fake-clock.ts';
import { type Answering, answering } from './answering.ts';
import { errandTo, REDIRECT } from './errand-rig.ts';

const GOOD = { access_token: 'the-access-token', token_type: 'Bearer' };
const PUBLIC: ClientRegistration = { how: 'registered', clientId: 'me', clientSecret: null, tokenAuth: 'none' };

function partyOf({ origin }: Answering, client: ClientRegistration = PUBLIC): TokenParty {
  const server = { issuer: origin, tokenUrl: `${origin}/token`, revokeUrl: `${origin}/revoke` };
  return {
    server,
    client,
    resource: 'https://mcp.example.test/mcp',
    usedAt: 'https://mcp.example.test',
    scopes: ['a'],
  };
}

function tokensOf({ origin }: Answering, own: Partial<GivenTokens> = {}): GivenTokens {
  return {
    kind: 'tokens',
    by: 'code',
    usedAt: 'https://mcp.example.test',
    resource: 'https://mcp.example.test/mcp',
    issuer: origin,
    tokenUrl: `${origin}/token`,
    revokeUrl: `${origin}/revoke`,
    clientId: 'me',
    clientSecret: null,
    tokenAuth: 'none',
    accessToken: 'old-access-token',
    refreshToken: 'old-refresh-token',
    expiresAt: 1,
    obtainedAt: 0,
    scopes: ['a'],
    ...own,
  };
}

const exchange = (vendor: Answering, client?: ClientRegistration) => {
  const errand = errandTo(`${vendor.origin}/mcp`, { clock: fakeClock() });
  const back = { code: 'the-code', verifier: 'the-verifier', redirectUri: REDIRECT };
  return exchangeCode(errand, partyOf(vendor, client), back);
};

const form = (vendor: Answering, at = 0) => Object.fromEntries(new URLSearchParams(vendor.seen[at]?.body));

describe('a code', () => {
  test('is shown once, with everything it is bound to', async () => {
    const vendor = await answering(() => ({
      body: { ...GOOD, expires_in: 60, refresh_token: 'r-token', scope: 'a b' },
    }));
    expect(await exchange(vendor)).toEqual({
      kind: 'tokens',
      tokens: {
        ...tokensOf(vendor),
        accessToken: 'the-access-token',
        refreshToken: 'r-token',
        expiresAt: FAKE_START + 60_000,
        obtainedAt: FAKE_START,
        scopes: ['a', 'b'],
      },
    });
    expect(vendor.seen).toHaveLength(1);
    expect(form(vendor)).toEqual({
      grant_type: 'authorization_code',
      code: 'the-code',
      code_verifier: 'the-verifier',
      redirect_uri: REDIRECT,
      resource: 'https://mcp.example.test/mcp',
      client_id: 'me',
    });
    expect(vendor.seen[0]?.headers).toMatchObject({ accept: 'application/json', 'user-agent': 'gatehouse/test' });
    expect(vendor.seen[0]?.headers.authorization).toBeUndefined();
  });

  test.each([
    ['basic', { authorization: `Basic ${Buffer.from('a+client:100%25+%2B').toString('base64')}` }, {}],
    ['post', {}, { client_id: 'a client', client_secret: '100% +' }],
  ] as const)('is shown by a client with a secret: %s', async (tokenAuth, headers, inForm) => {
    const vendor = await answering(() => ({ body: GOOD }));
    await exchange(vendor, { how: 'registered', clientId: 'a client', clientSecret: '100% +', tokenAuth });
    expect(vendor.seen[0]?.headers).toMatchObject(headers);
    expect(form(vendor)).toMatchObject(inForm);
    if (tokenAuth === 'basic') expect(vendor.seen[0]?.body).not.toContain('client_');
  });

  test('the other way of showing a secret is tried once, for a client that the person registered', async () => {
    const vendor = await answering((_, turn) =>
      turn === 1 ? { status: 401, body: { error: 'invalid_client' } } : { body: GOOD },
    );
    const client = { how: 'by_hand', clientId: 'me', clientSecret: 'a-secret', tokenAuth: 'basic' } as const;
    expect(await exchange(vendor, client)).toMatchObject({ kind: 'tokens', tokens: { tokenAuth: 'post' } });
    const refusing = await answering(() => ({ status: 401, body: { error: 'invalid_client' } }));
    expect(await exchange(refusing, client)).toMatchObject({
      code: 'client_refused',
      next: { act: 'paste_client_id' },
    });
    expect(refusing.seen).toHaveLength(2);
  });

  test.each<[string, object, readonly string[] | null]>([
    ['nothing about scopes', {}, ['a']],
    ['scopes with commas', { scope: 'repo,gist' }, ['repo', 'gist']],
    ['an empty scope', { scope: '' }, ['a']],
    ['scopes as a list', { scope: ['b'] }, ['a']],
  ])('%s', async (_, more, scopes) => {
    const vendor = await answering(() => ({ body: { ...GOOD, ...more } }));
    expect(await exchange(vendor)).toMatchObject({ kind: 'tokens', tokens: { scopes } });
  });

  test.each([
    [null, null],
    ['120', FAKE_START + 120_000],
    [120.9, FAKE_START + 120_000],
    [0, FAKE_START],
  ])('a life of %j seconds', async (expires_in, expiresAt) => {
    const vendor = await answering(() => ({ body: { ...GOOD, expires_in } }));
    expect(await exchange(vendor)).toMatchObject({ kind: 'tokens', tokens: { expiresAt } });
  });

  test.each<[string, number, unknown, string, RegExp]>([
    [
      'a used code',
      400,
      { error: 'invalid_grant', error_description: 'used' },
      'token_refused',
      /says: "invalid_grant: used"/,
    ],
    ['an error with HTTP 200', 200, { error: 'bad_verification_code' }, 'token_refused', /bad_verification_code/],
    ['a scope', 400, { error: 'invalid_scope' }, 'scope_refused', /invalid_scope/],
    ['a page', 502, '<html>canary</html>', 'token_refused', /HTTP 502/],
    ['a page as success', 200, '<html>canary</html>', 'token_unusable', /not an answer of OAuth/],
    ['an empty answer', 200, '', 'token_unusable', /not an answer of OAuth/],
  ])('refused because of %s', async (_, status, body, code, message) => {
    const vendor = await answering(() => ({ status, body }));
    const ended = await exchange(vendor);
    expect(ended).toMatchObject({ kind: 'fault', code, message: expect.stringMatching(message) });
    expect(JSON.stringify(ended)).not.toContain('canary');
  });
});

describe('a renewal', () => {
  const renewAt = (vendor: Answering, own: Partial<GivenTokens> = {}) =>
    renew(errandTo(`${vendor.origin}/mcp`, { clock: fakeClock() }), tokensOf(vendor, own));

  test('keeps what is not said anew, and the ids of its owner', async () => {
    const vendor = await answering(() => ({ body: { ...GOOD, expires_in: 60 } }));
    const old = { ...tokensOf(vendor, { scopes: ['a', 'b'] }), upstreamId: 'u', connectionId: 'c' };
    const renewed = await renew(errandTo(`${vendor.origin}/mcp`, { clock: fakeClock() }), old);
    expect(renewed).toEqual({
      kind: 'renewed',
      tokens: { ...old, accessToken: 'the-access-token', expiresAt: FAKE_START + 60_000, obtainedAt: FAKE_START },
    });
    // RFC 6749, 6: what is not asked for stays as it was.
    expect(form(vendor)).toEqual({
      grant_type: 'refresh_token',
      refresh_token: 'old-refresh-token',
      resource: 'https://mcp.example.test/mcp',
      client_id: 'me',
    });
  });

  test('without a refresh token asks nobody', async () => {
    const vendor = await answering(() => ({ body: GOOD }));
    expect(await renewAt(vendor, { refreshToken: null })).toMatchObject({ kind: 'dead', clientRefused: false });
    expect(vendor.seen).toEqual([]);
  });

  test.each<[kind: string, status: number, body: unknown, more: object]>([
    ['dead', 400, { error: 'invalid_grant' }, { clientRefused: false }],
    ['dead', 401, { error: 'invalid_client' }, { clientRefused: true }],
    ['dead', 400, { error: 'unauthorized_client' }, { clientRefused: true }],
    ['dead', 400, { error: 'invalid_scope' }, { clientRefused: false }],
    ['later', 400, { error: 'slow_down' }, {}],
    ['later', 400, 'no', {}],
    ['later', 404, { message: 'not here' }, {}],
    ['later', 429, { error: 'too_many_requests' }, {}],
    ['later', 500, { error: 'server_error' }, {}],
    ['later', 503, '<html>', {}],
    ['later', 200, '<html>', {}],
    ['later', 200, { ...GOOD, token_type: 'mac' }, {}],
    ['later', 500, { error: 'invalid_grant' }, {}],
  ])('is %s after HTTP %i %j', async (kind, status, body, more) => {
    const vendor = await answering(() => ({ status, body }));
    expect(await renewAt(vendor)).toMatchObject({ kind, ...more, message: expect.stringMatching(/\.$|"$/) });
    expect(vendor.seen).toHaveLength(1);
  });
});

describe('a sign-out', () => {
  const revokeAt = (vendor: Answering, own: Partial<GivenTokens> = {}) =>
    revoke(errandTo(`${vendor.origin}/mcp`), tokensOf(vendor, own));

  test('ends both tokens, as the client they were given to', async () => {
    const vendor = await answering(() => ({ body: '' }));
    expect(await revokeAt(vendor)).toEqual({ kind: 'revoked' });
    expect([form(vendor, 0), form(vendor, 1)]).toEqual([
      { token: 'old-refresh-token', token_type_hint: 'refresh_token', client_id: 'me' },
      { token: 'old-access-token', token_type_hint: 'access_token', client_id: 'me' },
    ]);
  });

  test('has ended the grant when the refresh token has ended', async () => {
    const vendor = await answering((_, turn) =>
      turn === 1 ? { body: '' } : { status: 400, body: { error: 'unsupported_token_type' } },
    );
    expect(await revokeAt(vendor)).toEqual({ kind: 'revoked' });
  });

  test('that the vendor does not make says so, and where it can be made', async () => {
    const vendor = await answering(() => ({ status: 500, body: 'canary' }));
    expect(await revokeAt(vendor)).toEqual({
      kind: 'not_revoked',
      note: `${new URL(vendor.origin).host} did not end it (HTTP 500). To end it there too, remove Gatehouse in the account settings of the vendor.`,
    });
    expect(await revokeAt(vendor, { revokeUrl: null })).toMatchObject({ kind: 'not_revoked' });
    expect(await revokeAt(vendor, { revokeUrl: 'http://127.0.0.1:1/revoke' })).toMatchObject({
      kind: 'not_revoked',
      note: expect.stringContaining('Nothing listens there.'),
    });
  });
});
