import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  canonical,
  discoverResource,
  discoverServer,
  scopesToAsk,
} from '../../../electron/core/connections/discovery.ts';
import { errandTo } from './errand-rig.ts';

type Page = { readonly status?: number; readonly body?: unknown; readonly headers?: Record<string, string> };

/** A server of pages, by path; `asked` is every path that was asked for. */
async function pages(of: (origin: string) => Readonly<Record<string, Page>>) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const page = of(origin)[path] ?? { status: 404 };
    response.writeHead(page.status ?? 200, { 'content-type': 'application/json', ...page.headers });
    response.end(typeof page.body === 'string' ? page.body : JSON.stringify(page.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { origin, asked, url: `${origin}/a/mcp` };
}

const PRM = '/.well-known/oauth-protected-resource';
const challengeTo = (url: string, more = '') => `Bearer resource_metadata="${url}"${more}`;

describe('resource metadata', () => {
  test('is looked for where the challenge says, then beneath the path, then at the root', async () => {
    const { url, origin, asked } = await pages(() => ({}));
    const found = await discoverResource(errandTo(url), { url, challenge: challengeTo(`${origin}/there`) });
    expect(asked).toEqual(['/there', `${PRM}/a/mcp`, PRM]);
    expect(found).toMatchObject({ kind: 'resource', described: false, servers: [origin], indicator: url });
  });

  test('without a challenge the upstream is asked for one, with a request that does nothing', async () => {
    const { url, origin, asked } = await pages((self) => ({
      '/a/mcp': { status: 401, headers: { 'www-authenticate': challengeTo(`${self}/there`, ', scope="x y"') } },
      '/there': { body: { resource: `${self}/a/mcp`, authorization_servers: ['https://as.test'] } },
    }));
    const errand = errandTo(url);
    const found = await discoverResource(errand, { url, challenge: null });
    expect(asked).toEqual(['/a/mcp', '/there']);
    expect(found).toMatchObject({ described: true, servers: ['https://as.test'], challengedScopes: ['x', 'y'] });
    expect(errand.trace.steps()[0]).toMatchObject({
      name: 'challenge',
      status: 401,
      read: [`resource_metadata: ${origin}/there`, 'scope: x y'],
    });
  });

  test('a server that lets anybody in at first is believed in what it said when it was called', async () => {
    const { url, origin, asked } = await pages((self) => ({
      '/a/mcp': { body: { jsonrpc: '2.0', id: 1, result: {} } },
      '/there': { body: { resource: `${self}/a/mcp`, authorization_servers: ['https://as.test'] } },
    }));
    const errand = errandTo(url);
    const lastChallenge = challengeTo(`${origin}/there`, ', scope="x"');
    const found = await discoverResource(errand, { url, challenge: null, lastChallenge });
    expect(asked).toEqual(['/a/mcp', '/there']);
    expect(found).toMatchObject({ servers: ['https://as.test'], challengedScopes: ['x'] });
    expect(errand.trace.steps().map(({ message }) => message)).toContain(
      'It asked for a sign-in when it was called before.',
    );
  });

  test('its resource is kept to the letter', async () => {
    const { url, origin } = await pages((self) => ({ [`${PRM}/a/mcp`]: { body: { resource: `${self}/a/` } } }));
    const found = await discoverResource(errandTo(url), { url, challenge: 'Bearer' });
    expect(found).toMatchObject({ indicator: `${origin}/a/`, servers: [origin], described: true });
  });

  test.each([
    ['another origin', () => 'https://other.test/a/mcp'],
    ['another path', (self: string) => `${self}/b`],
    ['the beginning of a name', (self: string) => `${self}/a/m`],
    ['more than it', (self: string) => `${self}/a/mcp/more`],
    ['no address', () => 'here'],
  ])('of %s is refused', async (_, resource) => {
    const { url } = await pages((self) => ({ [`${PRM}/a/mcp`]: { body: { resource: resource(self) } } }));
    const found = await discoverResource(errandTo(url), { url, challenge: 'Bearer' });
    expect(found).toMatchObject({ kind: 'fault', code: 'resource_mismatch', next: { act: 'check_url' } });
  });

  test.each<[string, Page]>([
    ['a page for people', { body: '<!doctype html><title>Hello</title>' }],
    ['nothing in it', { body: {} }],
    ['a list', { body: [] }],
    ['a resource that is no text', { body: { resource: 1 } }],
  ])('%s where it could be is none', async (_, page) => {
    const { url, asked } = await pages(() => ({ [`${PRM}/a/mcp`]: page }));
    expect(await discoverResource(errandTo(url), { url, challenge: 'Bearer' })).toMatchObject({ described: false });
    expect(asked).toContain(PRM);
  });

  test('a server that has a fault just there is not taken for one without', async () => {
    const { url } = await pages(() => ({ [`${PRM}/a/mcp`]: { status: 500, body: 'canary-content' } }));
    const errand = errandTo(url);
    const found = await discoverResource(errand, { url, challenge: 'Bearer' });
    expect(found).toMatchObject({ code: 'unreachable', message: expect.stringContaining('HTTP 500') });
    expect(JSON.stringify([found, errand.trace.steps()])).not.toContain('canary');
  });
});

describe('server metadata', () => {
  const good = (self: string, more: object = {}) => ({
    issuer: self,
    authorization_endpoint: `${self}/authorize`,
    token_endpoint: `${self}/token`,
    code_challenge_methods_supported: ['S256'],
    ...more,
  });
  const resource = (described = true) =>
    ({
      kind: 'resource',
      indicator: '',
      servers: [],
      described,
      challengedScopes: null,
      scopesSupported: null,
    }) as const;
  const OAUTH = '/.well-known/oauth-authorization-server';
  const OPENID = '/.well-known/openid-configuration';

  test.each([
    ['', [OAUTH, OPENID]],
    ['/', [OAUTH, OPENID]],
    ['/t/1', [`${OAUTH}/t/1`, `${OPENID}/t/1`, `/t/1${OPENID}`]],
    ['/t/1/', [`${OAUTH}/t/1`, `${OPENID}/t/1`, `/t/1${OPENID}`]],
  ])('of an issuer with the path "%s" is looked for in this order', async (path, order) => {
    const { origin, url, asked } = await pages(() => ({}));
    const found = await discoverServer(errandTo(url), resource(), `${origin}${path}`, { allowNoPkce: false });
    expect(asked).toEqual(order);
    expect(found).toMatchObject({ code: 'no_server_metadata', next: { act: 'use_classic_oauth' } });
  });

  test('of OIDC keeps the address for revocation', async () => {
    const { origin, url } = await pages((self) => ({
      [OPENID]: { body: good(self, { revocation_endpoint: `${self}/r` }) },
    }));
    const found = await discoverServer(errandTo(url), resource(), origin, { allowNoPkce: false });
    expect(found).toMatchObject({ revokeUrl: `${origin}/r`, issuer: origin });
  });

  test('missing, of a server without resource metadata, means the addresses of 2025-03-26', async () => {
    const { origin, url } = await pages(() => ({}));
    const found = await discoverServer(errandTo(url), resource(false), origin, { allowNoPkce: false });
    expect(found).toEqual({
      issuer: origin,
      authorizeUrl: `${origin}/authorize`,
      tokenUrl: `${origin}/token`,
      registerUrl: `${origin}/register`,
      revokeUrl: null,
      metadata: null,
    });
  });

  test('may lack one slash that writers of addresses add, and no other character', async () => {
    const { origin, url } = await pages((self) => ({ [OAUTH]: { body: good(self) } }));
    const asked = (issuer: string) => discoverServer(errandTo(url), resource(), issuer, { allowNoPkce: false });
    expect(await asked(`${origin}/`)).toMatchObject({ issuer: origin });
    const other = await pages((self) => ({ [OAUTH]: { body: good(self, { issuer: `${self}/` }) } }));
    expect(await discoverServer(errandTo(other.url), resource(), other.origin, { allowNoPkce: false })).toMatchObject({
      code: 'issuer_mismatch',
    });
  });

  test.each(['authorization_endpoint', 'token_endpoint', 'registration_endpoint', 'revocation_endpoint'])(
    'with an %s that is not https is refused',
    async (endpoint) => {
      for (const address of ['http://as.example.test/x', 'javascript:alert(1)', 'https://me@as.test/', '/relative']) {
        const { origin, url } = await pages((self) => ({ [OAUTH]: { body: good(self, { [endpoint]: address }) } }));
        const found = await discoverServer(errandTo(url), resource(), origin, { allowNoPkce: false });
        expect(found).toMatchObject({ code: 'insecure_address' });
      }
    },
  );

  test('whose lists are no lists says nothing with them', async () => {
    const { origin, url } = await pages((self) => ({
      [OAUTH]: { body: good(self, { scopes_supported: 'all', token_endpoint_auth_methods_supported: 7 }) },
    }));
    expect(await discoverServer(errandTo(url), resource(), origin, { allowNoPkce: false })).toMatchObject({
      metadata: { scopes_supported: null, token_endpoint_auth_methods_supported: null },
    });
  });

  test.each(['javascript:alert(1)', 'http://as.example.test', 'smb://x'])(
    'of the issuer %s is not asked for',
    async (issuer) => {
      const found = await discoverServer(errandTo('http://127.0.0.1:1/mcp'), resource(), issuer, {
        allowNoPkce: false,
      });
      expect(found).toMatchObject({ code: 'insecure_address' });
    },
  );
});

describe('what is asked for', () => {
  const server = (scopes: readonly string[] | null) =>
    ({
      issuer: '',
      authorizeUrl: '',
      tokenUrl: '',
      registerUrl: null,
      revokeUrl: null,
      metadata: scopes === null ? null : { issuer: '', token_endpoint: '', scopes_supported: [...scopes] },
    }) as Parameters<typeof scopesToAsk>[1];
  const said = (challenged: string[] | null, supported: string[] | null) => ({
    challengedScopes: challenged,
    scopesSupported: supported,
  });
  const fifty = Array.from({ length: 50 }, (_, at) => `s${at}`);

  test.each([
    ['only the challenge', said(['a'], fifty), { set: null, had: null }, ['a']],
    ['all it knows, where nothing was challenged', said(null, ['a', 'b']), { set: null, had: null }, ['a', 'b']],
    ['nothing, where nothing is said', said(null, null), { set: null, had: null }, null],
    ['what the person set', said(['a'], fifty), { set: ['x'], had: null }, ['x']],
    ['what it had and what was challenged', said(['b'], fifty), { set: null, had: ['a'] }, ['a', 'b']],
    ['what it had, set and challenged', said(['b'], fifty), { set: ['x'], had: ['a'] }, ['a', 'x', 'b']],
    ['what it had, where nothing new is wanted', said(null, fifty), { set: null, had: ['a'] }, ['a']],
  ])('%s', (_, resource, wanted, expected) => {
    expect(scopesToAsk(resource, server([]), wanted)).toEqual(expected);
  });

  test('offline_access where the server offers it, unless the person set what to ask for or nothing is asked for', () => {
    const offers = server(['offline_access']);
    expect(scopesToAsk(said(['a'], null), offers, { set: null, had: null })).toEqual(['a', 'offline_access']);
    expect(scopesToAsk(said(['a'], null), offers, { set: ['x'], had: null })).toEqual(['x']);
    expect(scopesToAsk(said(null, null), offers, { set: null, had: null })).toBeNull();
    expect(scopesToAsk(said(['a'], null), server(null), { set: null, had: null })).toEqual(['a']);
  });
});

test.each([
  ['https://Mcp.Example.test/mcp#x', 'https://mcp.example.test/mcp'],
  ['https://mcp.example.test/', 'https://mcp.example.test'],
  ['https://mcp.example.test/mcp/?a=b', 'https://mcp.example.test/mcp/?a=b'],
])('as an audience %s is %s', (address, expected) => expect(canonical(address)).toBe(expected));
