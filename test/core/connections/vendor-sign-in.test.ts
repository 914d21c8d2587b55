import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { revoke } from '../../../electron/core/connections/revocation.ts';
import { clientCredentials, renew } from '../../../electron/core/connections/token-endpoint.ts';
import { startDocumentHost } from '../../support/vendors/document-host.ts';
import type { VendorProfile } from '../../support/vendors/profile.ts';
import { startVendor, type Vendor } from '../../support/vendors/vendor.ts';
import { errandTo, type SignedIn, signInAt } from './errand-rig.ts';

/** The parts of a sign-in, one after the other, against certified servers with a real MCP server behind them. */
async function at(profile: VendorProfile, run: (vendor: Vendor) => Promise<void>): Promise<void> {
  await using vendor = await startVendor(profile);
  await run(vendor);
}

async function signedIn(vendor: Vendor, own: Parameters<typeof signInAt>[1] = {}): Promise<SignedIn> {
  const ended = await signInAt(vendor.mcpUrl, own);
  if ('kind' in ended) throw new Error(`${ended.code}: ${ended.message}`);
  return ended;
}

/** What the MCP server answers to whoever presents the token. */
async function statusWith(vendor: Vendor, token: string): Promise<number> {
  const response = await fetch(vendor.mcpUrl, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}',
  });
  await response.body?.cancel();
  return response.status;
}

describe('a sign-in ends with a token that the MCP server takes', () => {
  test.each<[name: string, profile: VendorProfile]>([
    ['as a good vendor of today', {}],
    ['metadata named in the challenge alone', { resourceMetadata: 'header' }],
    ['metadata beneath the path, not named', { resourceMetadata: 'unnamed-path' }],
    ['metadata at the root', { resourceMetadata: 'root' }],
    ['no challenge header at all', { challenge: false }],
    ['an issuer with a path, RFC 8414', { issuerPath: '/tenant', serverMetadata: ['oauth'] }],
    ['an issuer with a path, OIDC inserted', { issuerPath: '/tenant', serverMetadata: ['openid'] }],
    ['an issuer with a path, OIDC appended', { issuerPath: '/tenant', serverMetadata: ['openid-appended'] }],
    ['OIDC alone', { serverMetadata: ['openid'] }],
    ['a server of 2025-03-26', { old: true }],
    ['no issuer in the callback', { iss: 'silent' }],
    ['the issuer in the callback, not announced', { iss: 'unannounced' }],
    ['long JWTs', { tokens: 'jwt', padding: 4000 }],
  ])('%s', (_, profile) =>
    at(profile, async (vendor) => {
      const { tokens } = await signedIn(vendor);
      expect(await statusWith(vendor, tokens.accessToken)).toBe(200);
      expect(tokens).toMatchObject({ by: 'code', usedAt: new URL(vendor.mcpUrl).origin, issuer: vendor.issuer });
    }),
  );

  test('the resource is named in every request, as the metadata write it', () =>
    at({}, async (vendor) => {
      const { tokens, asked } = await signedIn(vendor);
      expect(new URL(asked.url).searchParams.get('resource')).toBe(vendor.mcpUrl);
      await renew(errandTo(vendor.mcpUrl), tokens);
      expect(vendor.tokenRequests().map(({ form }) => form.get('resource'))).toEqual([vendor.mcpUrl, vendor.mcpUrl]);
    }));

  test.each([
    { id: 'public-one' },
    { id: 'basic-one', secret: 'a secret: with % and +' },
    { id: 'post-one', secret: 'a secret', auth: 'client_secret_post' as const },
  ])('by hand, the client $id', (client) =>
    at({ registration: 'off', clients: [client] }, async (vendor) => {
      const byHand = { clientId: client.id, clientSecret: client.secret ?? null };
      const { tokens } = await signedIn(vendor, { byHand });
      expect(await statusWith(vendor, tokens.accessToken)).toBe(200);
    }),
  );

  test.skipIf(!existsSync('/usr/bin/openssl'))(
    'by a metadata document, before a registration (needs openssl)',
    async () => {
      await using host = await startDocumentHost((url) => ({
        client_id: url,
        client_name: 'Gatehouse',
        redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback'],
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        application_type: 'native',
      }));
      await at({ metadataDocuments: { authority: host.authority } }, async (vendor) => {
        const { tokens } = await signedIn(vendor, { metadataUrl: host.url });
        expect(tokens.clientId).toBe(host.url);
        expect(vendor.seen.some(({ path }) => path === '/register')).toBe(false);
        expect(await statusWith(vendor, tokens.accessToken)).toBe(200);
      });
    },
  );
});

describe('a sign-in that cannot be', () => {
  test.each<[code: string, profile: VendorProfile, message: RegExp]>([
    [
      'no_registration_endpoint',
      { registration: 'off' },
      /^MCP OAuth setup failed for Notes: no_registration_endpoint\./,
    ],
    [
      'dynamic_registration_failed',
      { registration: { error: 'invalid_client_metadata', description: 'software_statement is required' } },
      /^MCP OAuth setup failed for Notes: dynamic_registration_failed: invalid_client_metadata: software_statement is required$/,
    ],
    ['pkce_unsupported', { pkce: 'absent' }, /S256/],
    ['pkce_unsupported', { pkce: 'plain' }, /S256/],
    ['issuer_mismatch', { metadataIssuer: 'https://honest.example' }, /does not come from/],
    ['issuer_mismatch', { iss: 'wrong' }, /does not come from/],
    ['issuer_mismatch', { iss: 'wrong-unannounced' }, /does not come from/],
    ['issuer_mismatch', { iss: 'missing' }, /does not come from/],
    ['resource_mismatch', { resource: 'https://other.example/mcp' }, /https:\/\/other\.example\/mcp/],
  ])('%s', (code, profile, message) =>
    at(profile, async (vendor) => {
      const ended = await signInAt(vendor.mcpUrl);
      expect(ended).toMatchObject({ kind: 'fault', code, message: expect.stringMatching(message) });
      expect(vendor.tokenRequests()).toEqual([]);
      expect(ended.errand.trace.steps().at(-1)).toMatchObject({ outcome: 'failed' });
    }),
  );

  test('without announced PKCE it goes on where the person lets it, and PKCE is used nevertheless', () =>
    at({ pkce: 'absent' }, async (vendor) => {
      const { asked } = await signedIn(vendor, { allowNoPkce: true });
      expect(new URL(asked.url).searchParams.get('code_challenge_method')).toBe('S256');
    }));

  test('the person says no', () =>
    at({}, async (vendor) => {
      const ended = await signInAt(vendor.mcpUrl, { person: { answer: 'deny' } });
      expect(ended).toMatchObject({ code: 'access_denied' });
      expect(vendor.tokenRequests()).toEqual([]);
    }));
});

describe('afterwards', () => {
  test('it is renewed, by a new refresh token where one comes', () =>
    at({}, async (vendor) => {
      const { tokens } = await signedIn(vendor);
      vendor.expireAccessTokens();
      const renewed = await renew(errandTo(vendor.mcpUrl), tokens);
      if (renewed.kind !== 'renewed') throw new Error(renewed.message);
      expect(renewed.tokens.refreshToken).not.toBe(tokens.refreshToken);
      expect(await statusWith(vendor, renewed.tokens.accessToken)).toBe(200);
    }));

  test('a grant that was taken back is dead, one that nobody answers for is tried later', () =>
    at({}, async (vendor) => {
      const { tokens } = await signedIn(vendor);
      vendor.refuseRefresh({ error: 'temporarily_unavailable', status: 503 });
      expect(await renew(errandTo(vendor.mcpUrl), tokens)).toMatchObject({ kind: 'later' });
      vendor.refuseRefresh(null);
      vendor.revokeGrants();
      expect(await renew(errandTo(vendor.mcpUrl), tokens)).toMatchObject({ kind: 'dead', clientRefused: false });
      await vendor.stop();
      const later = await renew(errandTo(vendor.mcpUrl), tokens);
      expect(later).toMatchObject({ kind: 'later', message: expect.stringContaining('Nothing listens there.') });
    }));

  test('a client that is forgotten is said to be', () =>
    at({}, async (vendor) => {
      const { tokens } = await signedIn(vendor);
      vendor.forgetClients();
      expect(await renew(errandTo(vendor.mcpUrl), tokens)).toMatchObject({ kind: 'dead', clientRefused: true });
    }));

  test('it is ended at the vendor', () =>
    at({}, async (vendor) => {
      const { tokens } = await signedIn(vendor);
      expect(await revoke(errandTo(vendor.mcpUrl), tokens)).toEqual({ kind: 'revoked' });
      expect(await renew(errandTo(vendor.mcpUrl), tokens)).toMatchObject({ kind: 'dead' });
    }));

  test('a vendor without revocation is said to be one', () =>
    at({ revocation: false }, async (vendor) => {
      const { tokens } = await signedIn(vendor);
      expect(await revoke(errandTo(vendor.mcpUrl), tokens)).toMatchObject({ kind: 'not_revoked' });
    }));

  test('a client signs in by itself, and again', () =>
    at(
      {
        registration: 'off',
        clients: [{ id: 'robot', secret: 's3cret-s3cret', grants: ['client_credentials'], redirectUris: [] }],
      },
      async (vendor) => {
        const errand = errandTo(vendor.mcpUrl);
        const given = await clientCredentials(errand, {
          server: { issuer: vendor.issuer, tokenUrl: `${vendor.issuer}/token`, revokeUrl: null },
          client: { how: 'by_hand', clientId: 'robot', clientSecret: 's3cret-s3cret', tokenAuth: 'basic' },
          resource: vendor.mcpUrl,
          usedAt: new URL(vendor.mcpUrl).origin,
          scopes: ['notes:read'],
        });
        if (given.kind === 'fault') throw new Error(given.message);
        expect(await statusWith(vendor, given.tokens.accessToken)).toBe(200);
        expect(await renew(errand, given.tokens)).toMatchObject({ kind: 'renewed' });
      },
    ));
});

test('no secret of a sign-in stands in its trace', () =>
  at({}, async (vendor) => {
    const { tokens, asked, errand } = await signedIn(vendor);
    await renew(errand, tokens);
    await revoke(errand, tokens);
    const told = JSON.stringify(errand.trace.steps());
    for (const secret of [tokens.accessToken, tokens.refreshToken, asked.expected.state, asked.expected.verifier]) {
      expect(secret).toBeTypeOf('string');
      expect(told).not.toContain(secret);
    }
    expect(errand.trace.steps().map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
      'challenge ok',
      'resource_metadata ok',
      'server_metadata ok',
      'client_id ok',
      'callback ok',
      'token ok',
      'refresh ok',
      'revoke ok',
      'revoke ok',
    ]);
  }));
