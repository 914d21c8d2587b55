import { existsSync } from 'node:fs';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { launchChromium } from '../chromium.ts';
import { startDocumentHost } from './document-host.ts';
import { connectOfficial } from './official-client.ts';
import type { VendorProfile } from './profile.ts';
import { signInWithPage } from './real-browser.ts';
import { startVendor, type Vendor } from './vendor.ts';

// The SDK's client says on the console what it does about a refused token; what it does is asserted.
beforeAll(() => void vi.spyOn(console, 'warn').mockImplementation(() => {}));

/** A vendor that misbehaves in a test must misbehave as it says: here the official SDK's own client meets each of them. */
async function vendorOf(profile: VendorProfile, run: (vendor: Vendor) => Promise<void>): Promise<void> {
  await using vendor = await startVendor(profile);
  await run(vendor);
}

const paths = (vendor: Vendor) => vendor.seen.map(({ method, path }) => `${method} ${path}`);

describe('vendors as they should be', () => {
  test.each(['v1', 'v2'] as const)('an account signs in and calls, with a server of SDK %s', (server) =>
    vendorOf({ server }, async (vendor) => {
      await using client = await connectOfficial(vendor, { line: server, person: { account: 'grace' } });
      expect(await client.whoami()).toEqual({
        account: 'grace',
        issuer: vendor.issuer,
        client: client.clientId(),
        scopes: ['notes:read'],
      });
      expect(paths(vendor)).toContain('POST /register');
      const [exchange] = vendor.tokenRequests('authorization_code');
      expect(exchange?.form.get('resource')).toBe(vendor.mcpUrl);
      expect(vendor.tokens()).toContain(client.tokens()?.access_token);
    }),
  );

  test('the pages work in a real browser', () =>
    vendorOf({}, async (vendor) => {
      const browser = await launchChromium();
      try {
        const inBrowser = async (link: string) => signInWithPage(await browser.newPage(), link, { account: 'grace' });
        await using client = await connectOfficial(vendor, { follow: inBrowser });
        expect(await client.whoami()).toMatchObject({ account: 'grace', scopes: ['notes:read'] });
      } finally {
        await browser.close();
      }
    }));

  test('a person who says no is heard', () =>
    vendorOf({}, async (vendor) => {
      await expect(connectOfficial(vendor, { person: { answer: 'deny' } })).rejects.toThrow(/access_denied|said no/);
      expect(vendor.tokenRequests()).toEqual([]);
    }));

  test.each([
    { id: 'public-one' },
    { id: 'basic-one', secret: 'a secret' },
    { id: 'post-one', secret: 'a secret', auth: 'client_secret_post' as const },
  ])('the pre-registered $id', (registered) =>
    vendorOf({ registration: 'off', clients: [registered] }, async (vendor) => {
      const { id, secret } = registered;
      const preRegistered = { client_id: id, ...(secret === undefined ? {} : { client_secret: secret }) };
      await using client = await connectOfficial(vendor, { preRegistered });
      expect(await client.whoami()).toMatchObject({ client: id });
      expect(paths(vendor)).not.toContain('POST /register');
    }),
  );

  test('a wrong secret is not taken', () =>
    vendorOf({ registration: 'off', clients: [{ id: 'c', secret: 'right' }] }, async (vendor) => {
      const preRegistered = { client_id: 'c', client_secret: 'wrong' };
      await expect(connectOfficial(vendor, { preRegistered })).rejects.toThrow(/client authentication failed/);
    }));

  const hasOpenssl = existsSync('/usr/bin/openssl');
  test.skipIf(!hasOpenssl)('a client id that is a document on the web (needs openssl)', async () => {
    await using host = await startDocumentHost((url) => ({
      client_id: url,
      client_name: 'documented',
      application_type: 'native',
      redirect_uris: ['http://127.0.0.1/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    }));
    await vendorOf({ registration: 'off', metadataDocuments: { authority: host.authority } }, async (vendor) => {
      await using client = await connectOfficial(vendor, { metadataUrl: host.url });
      expect(await client.whoami()).toMatchObject({ client: host.url });
      expect(host.fetched()).toBe(1);
    });
  });

  test('signed tokens are as big as they are asked to be, and are checked', () =>
    vendorOf({ tokens: 'jwt', padding: 2600 }, async (vendor) => {
      await using client = await connectOfficial(vendor);
      expect(await client.whoami()).toMatchObject({ account: 'ada' });
      const token = client.tokens()?.access_token ?? '';
      expect(token.length).toBeGreaterThan(2560);
      const forged = `${token.slice(0, -4)}AAAA`;
      const asked = (bearer: string) =>
        fetch(vendor.mcpUrl, { method: 'POST', body: '{}', headers: { authorization: `Bearer ${bearer}` } });
      expect((await asked(forged)).status).toBe(401);
      expect((await asked(token)).status).not.toBe(401);
    }));

  test('a token for nobody else: without `resource` it is not accepted', () =>
    vendorOf({ resourceMetadata: 'none', serverMetadata: ['oauth'] }, async (vendor) => {
      // The SDK finds nothing and asks the MCP server's own origin, where nobody is.
      await expect(connectOfficial(vendor)).rejects.toThrow();
      expect(vendor.tokenRequests()).toEqual([]);
    }));

  test('one account is known again by the cookies of its browser', () =>
    vendorOf({}, async (vendor) => {
      const cookies = new Map();
      await using _first = await connectOfficial(vendor, { person: { account: 'grace', cookies } });
      await using again = await connectOfficial(vendor, { person: { account: 'somebody else', cookies } });
      expect(await again.whoami()).toMatchObject({ account: 'grace' });
    }));

  test('revocation ends a refresh token (RFC 7009)', () =>
    vendorOf({}, async (vendor) => {
      await using client = await connectOfficial(vendor);
      const body = new URLSearchParams({
        token: client.tokens()?.refresh_token ?? '',
        client_id: client.clientId() ?? '',
      });
      expect((await fetch(`${vendor.issuer}/revoke`, { method: 'POST', body })).status).toBe(200);
      vendor.expireAccessTokens();
      expect(await refreshed(vendor, client)).toMatchObject({ error: 'invalid_grant' });
    }));

  test('a program signs in for itself (client credentials)', () => {
    const clients = [{ id: 'robot', secret: 's', grants: ['client_credentials' as const] }];
    return vendorOf({ registration: 'off', clients }, async (vendor) => {
      const response = await fetch(`${vendor.issuer}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa('robot:s')}` },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          resource: vendor.mcpUrl,
          scope: 'notes:read',
        }),
      });
      const given = (await response.json()) as { access_token: string; refresh_token?: string };
      expect(given).toMatchObject({ scope: 'notes:read' });
      expect(given.refresh_token).toBeUndefined();
      const asked = await fetch(vendor.mcpUrl, {
        method: 'POST',
        body: '{}',
        headers: { authorization: `Bearer ${given.access_token}` },
      });
      expect(asked.status).not.toBe(401);
    });
  });
});

describe('what changes while a vendor runs', () => {
  test('expired tokens are refreshed, once each: a used refresh token revokes the family', () =>
    vendorOf({}, async (vendor) => {
      await using client = await connectOfficial(vendor);
      const first = client.tokens();
      vendor.expireAccessTokens();
      expect(await client.whoami()).toMatchObject({ account: 'ada' });
      expect(vendor.tokenRequests('refresh_token')).toHaveLength(1);
      expect(client.tokens()?.refresh_token).not.toBe(first?.refresh_token);
      expect(await refreshed(vendor, client, first?.refresh_token)).toMatchObject({ error: 'invalid_grant' });
      expect(await refreshed(vendor, client), 'the newest one, too').toMatchObject({ error: 'invalid_grant' });
    }));

  test('without rotation a refresh token serves again and again', () =>
    vendorOf({ rotation: false }, async (vendor) => {
      await using client = await connectOfficial(vendor);
      expect(await refreshed(vendor, client)).toHaveProperty('access_token');
      expect(await refreshed(vendor, client)).toHaveProperty('access_token');
    }));

  test.each(['opaque', 'jwt'] as const)('a revoked grant ends access and refresh (%s)', (tokens) =>
    vendorOf({ tokens }, async (vendor) => {
      await using client = await connectOfficial(vendor);
      vendor.revokeGrants();
      expect(await refreshed(vendor, client)).toMatchObject({ error: 'invalid_grant' });
      await expect(client.whoami()).rejects.toThrow();
    }),
  );

  test('a forgotten client is an invalid one', () =>
    vendorOf({}, async (vendor) => {
      await using client = await connectOfficial(vendor);
      vendor.forgetClients();
      expect(await refreshed(vendor, client)).toMatchObject({ error: 'invalid_client' });
    }));

  test('a refusal of refreshes comes in its words, until it ends', () =>
    vendorOf({}, async (vendor) => {
      await using client = await connectOfficial(vendor);
      vendor.refuseRefresh({ error: 'invalid_grant', description: 'ask again tomorrow' });
      expect(await refreshed(vendor, client)).toMatchObject({ error_description: 'ask again tomorrow' });
      vendor.refuseRefresh(null);
      expect(await refreshed(vendor, client)).toHaveProperty('access_token');
    }));

  test('a live token can be refused', () =>
    vendorOf({}, async (vendor) => {
      await using client = await connectOfficial(vendor);
      vendor.refuseLiveTokens(1);
      expect(await client.whoami()).toMatchObject({ account: 'ada' });
      expect(vendor.tokenRequests('refresh_token')).toHaveLength(1);
    }));

  test('a tool can need more scopes', () =>
    vendorOf({}, async (vendor) => {
      await using client = await connectOfficial(vendor);
      vendor.requireScopes('write_note', ['notes:write']);
      await client.call('write_note', { text: 'x' }).catch(() => {});
      const refused = vendor.seen.find(({ answer }) => answer?.status === 403);
      expect(refused?.answer?.headers['www-authenticate']).toBe(
        `Bearer error="insufficient_scope", scope="notes:write", resource_metadata="${new URL(vendor.mcpUrl).origin}/.well-known/oauth-protected-resource/mcp"`,
      );
      expect(vendor.served('tools/call')).toBe(0);
    }));

  test('a clock that is ahead takes a live token for expired', () =>
    vendorOf({ accessTokenSeconds: 60 }, async (vendor) => {
      await using client = await connectOfficial(vendor);
      vendor.skew(61);
      const token = client.tokens()?.access_token;
      const asked = await fetch(vendor.mcpUrl, {
        method: 'POST',
        body: '{}',
        headers: { authorization: `Bearer ${token}` },
      });
      expect(asked.status).toBe(401);
      expect(asked.headers.get('www-authenticate')).toContain('error="invalid_token"');
    }));
});

describe('where metadata are', () => {
  test.each(['path', 'header', 'unnamed-path', 'root'] as const)('resource metadata: %s', (resourceMetadata) =>
    vendorOf({ resourceMetadata }, async (vendor) => {
      await using client = await connectOfficial(vendor);
      expect(await client.whoami()).toMatchObject({ account: 'ada' });
    }),
  );

  test.each([['oauth'], ['openid'], ['openid-appended']] as const)('of an issuer with a path: %s alone', (kind) =>
    vendorOf({ issuerPath: '/tenant', serverMetadata: [kind] }, async (vendor) => {
      expect(vendor.issuer).toMatch(/\/tenant$/);
      await using client = await connectOfficial(vendor);
      expect(await client.whoami()).toMatchObject({ issuer: vendor.issuer });
    }),
  );

  test('a 401 need not say anything', () =>
    vendorOf({ challenge: false }, async (vendor) => {
      await using client = await connectOfficial(vendor);
      expect(await client.whoami()).toMatchObject({ account: 'ada' });
      expect(vendor.seen[0]?.answer?.headers).not.toHaveProperty('www-authenticate');
    }));

  test('a server of 2025-03-26 has everything at its own origin, and no metadata', () =>
    vendorOf({ old: true }, async (vendor) => {
      expect(vendor.issuer).toBe(new URL(vendor.mcpUrl).origin);
      await using client = await connectOfficial(vendor);
      expect(await client.whoami()).toMatchObject({ account: 'ada' });
      const found = vendor.seen.filter(({ path, answer }) => path.includes('/.well-known/') && answer?.status === 200);
      expect(found).toEqual([]);
    }));

  test('several authorization servers, each with accounts of its own', () =>
    vendorOf({ authorizationServers: 2 }, async (vendor) => {
      expect(new Set(vendor.issuers).size).toBe(2);
      await using client = await connectOfficial(vendor);
      expect(await client.whoami()).toMatchObject({ issuer: vendor.issuers[0] });
      const second = await fetch(`${vendor.issuers[1]}/.well-known/oauth-authorization-server`);
      expect(await second.json()).toMatchObject({ issuer: vendor.issuers[1] });
    }));
});

describe('vendors that are wrong', () => {
  test.each([
    [
      'registration in its own words',
      { registration: { error: 'invalid_client_metadata', description: 'Ask sales' } },
      /Ask sales/,
    ],
    ['no registration', { registration: 'off' }, /does not support dynamic client registration/i],
    ['only plain PKCE', { pkce: 'plain' }, /code challenge/i],
    ['metadata of another issuer', { metadataIssuer: 'https://other.example' }, /issuer/i],
    ['iss announced and missing', { iss: 'missing' }, /iss/i],
    ['iss of another issuer', { iss: 'wrong' }, /iss/i],
    ['iss of another issuer, not announced', { iss: 'wrong-unannounced' }, /iss/i],
    ['another resource', { resource: 'https://other.example/mcp' }, /resource/i],
    ['localhost alone', { redirects: 'localhost' }, /must use http:\/\/localhost/],
  ] as const)('%s', (_, profile, words) =>
    vendorOf(profile, async (vendor) => {
      await expect(connectOfficial(vendor)).rejects.toThrow(words);
      expect(vendor.tokenRequests()).toEqual([]);
    }),
  );

  test.each([
    ['PKCE not announced', { pkce: 'absent' }],
    ['iss silent', { iss: 'silent' }],
    ['iss sent and not announced', { iss: 'unannounced' }],
  ] as const)('not so wrong that the SDK minds: %s', (_, profile) =>
    vendorOf(profile, async (vendor) => {
      await using client = await connectOfficial(vendor);
      expect(await client.whoami()).toMatchObject({ account: 'ada' });
    }),
  );

  test('redirect URIs of which every character counts, the port too', () =>
    vendorOf({ redirects: 'exact' }, async (vendor) => {
      await using client = await connectOfficial(vendor);
      const preRegistered = { client_id: client.clientId() ?? '' };
      const elsewhere = { preRegistered, redirectUrl: 'http://127.0.0.1:45998/callback' };
      await expect(connectOfficial(vendor, elsewhere)).rejects.toThrow(/redirect_uri_mismatch/);
    }));

  test('no refresh tokens, or only to who asks for offline access', async () => {
    await vendorOf({ refreshTokens: 'never' }, async (vendor) => {
      await using client = await connectOfficial(vendor);
      expect(client.tokens()?.refresh_token).toBeUndefined();
    });
    await vendorOf({ refreshTokens: 'offline_access' }, async (vendor) => {
      await using client = await connectOfficial(vendor);
      expect(client.tokens()?.refresh_token).toBeDefined();
      await using other = await connectOfficial(vendor, { grantTypes: ['authorization_code'] });
      expect(other.tokens()?.refresh_token).toBeUndefined();
    });
  });
});

/** One refresh by hand; with the newest refresh token when none is given. */
async function refreshed(
  vendor: Vendor,
  client: Awaited<ReturnType<typeof connectOfficial>>,
  token = client.tokens()?.refresh_token,
): Promise<unknown> {
  const body = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: token ?? '',
    client_id: client.clientId() ?? '',
    resource: vendor.mcpUrl,
  });
  return (await fetch(`${vendor.issuer}/token`, { method: 'POST', body })).json();
}
