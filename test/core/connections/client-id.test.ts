import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { AuthorizationServer, ServerMetadata } from '../../../electron/core/connections/authorization-server.ts';
import {
  type ClientWanted,
  METADATA_REDIRECTS,
  obtainClient,
  refuseMetadataUrl,
} from '../../../electron/core/connections/client-id.ts';
import { FAKE_START, fakeClock } from '../../support/fake-clock.ts';
import { answering } from './answering.ts';
import { errandTo, REDIRECT, realRegistrations } from './errand-rig.ts';

function serverAt(origin: string, metadata: Partial<ServerMetadata> | null = {}): AuthorizationServer {
  return {
    issuer: origin,
    authorizeUrl: `${origin}/authorize`,
    tokenUrl: `${origin}/token`,
    registerUrl: `${origin}/register`,
    revokeUrl: null,
    metadata:
      metadata === null ? null : ({ issuer: origin, token_endpoint: `${origin}/token`, ...metadata } as ServerMetadata),
  };
}

const wantedAt = (server: AuthorizationServer, own: Partial<ClientWanted> = {}): ClientWanted => ({
  upstreamId: 'u',
  server,
  redirectUri: REDIRECT,
  byHand: null,
  metadataUrl: null,
  scopes: ['a', 'b'],
  ...own,
});

const errandAt = ({ issuer }: AuthorizationServer) => errandTo(`${issuer}/mcp`, { clock: fakeClock() });

describe('the order', () => {
  const URL_ = 'https://gatehouse.example.test/client.json';
  const by = { clientId: 'mine', clientSecret: null, tokenAuth: 'auto' } as const;

  test('by hand, by document, by registration, and then the person is asked', async () => {
    const vendor = await answering(() => ({ status: 201, body: { client_id: 'given' } }));
    const { registrations } = realRegistrations();
    const documents = serverAt(vendor.origin, { client_id_metadata_document_supported: true });
    const obtain = async (own: Partial<ClientWanted>, server = documents) => {
      const client = await obtainClient(errandAt(server), registrations, wantedAt(server, own));
      return 'kind' in client ? client.code : `${client.how} ${client.clientId}`;
    };
    expect(await obtain({ byHand: by, metadataUrl: URL_ })).toBe('by_hand mine');
    expect(await obtain({ metadataUrl: URL_ })).toBe(`metadata_document ${URL_}`);
    expect(vendor.seen).toEqual([]);
    expect(await obtain({ metadataUrl: URL_ }, serverAt(vendor.origin))).toBe('registered given');
    expect(await obtain({})).toBe('registered given');
    expect(vendor.seen).toHaveLength(1);
    expect(await obtain({}, { ...documents, issuer: `${vendor.origin}/2`, registerUrl: null })).toBe(
      'no_registration_endpoint',
    );
  });

  test.each([
    [['client_secret_basic', 'client_secret_post'], 'basic'],
    [['client_secret_post'], 'post'],
    [null, 'basic'],
  ] as const)('a secret by hand is shown as a server with %j takes it', async (methods, tokenAuth) => {
    const server = serverAt('http://127.0.0.1:1', {
      token_endpoint_auth_methods_supported: methods === null ? null : [...methods],
    });
    const byHand = { clientId: 'mine', clientSecret: 'secret', tokenAuth: 'auto' } as const;
    expect(
      await obtainClient(errandAt(server), realRegistrations().registrations, wantedAt(server, { byHand })),
    ).toMatchObject({ tokenAuth });
  });
});

describe('a registration', () => {
  test.each([
    [null, 'none'],
    [['none', 'client_secret_basic'], 'none'],
    [['client_secret_post', 'client_secret_basic'], 'client_secret_basic'],
    [['client_secret_post'], 'client_secret_post'],
  ])('asks, of a server that knows %j, for %s', async (methods, method) => {
    const vendor = await answering(() => ({ status: 201, body: { client_id: 'given' } }));
    const server = serverAt(vendor.origin, { token_endpoint_auth_methods_supported: methods });
    await obtainClient(errandAt(server), realRegistrations().registrations, wantedAt(server));
    expect(JSON.parse(vendor.seen[0]?.body ?? '')).toMatchObject({ token_endpoint_auth_method: method });
  });

  test('asks again with a secret, of a server that names no way and wants one', async () => {
    const refusal = { status: 400, body: { error: 'invalid_client_metadata', error_description: 'no public clients' } };
    const vendor = await answering((_, turn) =>
      turn === 1 ? refusal : { status: 201, body: { client_id: 'given', client_secret: 'a-secret' } },
    );
    const obtain = (server: AuthorizationServer) =>
      obtainClient(errandAt(server), realRegistrations().registrations, wantedAt(server));
    expect(await obtain(serverAt(vendor.origin))).toMatchObject({ clientSecret: 'a-secret', tokenAuth: 'basic' });
    expect(JSON.parse(vendor.seen[1]?.body ?? '')).toMatchObject({ token_endpoint_auth_method: 'client_secret_basic' });
    const stubborn = await answering(() => refusal);
    expect(await obtain(serverAt(stubborn.origin))).toMatchObject({
      code: 'dynamic_registration_failed',
      message: expect.stringContaining('no public clients'),
    });
    expect(stubborn.seen).toHaveLength(2);
  });

  test('names no scopes where the vendor knows none of them, and is good for those nevertheless', async () => {
    const vendor = await answering((_, turn) =>
      turn === 1
        ? { status: 400, body: { error: 'invalid_client_metadata', error_description: 'scope must only contain ours' } }
        : { status: 201, body: { client_id: 'given' } },
    );
    const { registrations } = realRegistrations();
    const server = serverAt(vendor.origin);
    for (const _ of ['first', 'second']) {
      expect(await obtainClient(errandAt(server), registrations, wantedAt(server))).toMatchObject({
        clientId: 'given',
      });
    }
    const sent = vendor.seen.map(({ body }) => JSON.parse(body));
    expect(sent.map(({ scope }) => scope)).toEqual(['a b', undefined]);
    expect(sent[1].token_endpoint_auth_method).toBe('none');
  });

  test('is made again for another redirect, another issuer and another upstream, and not for the same', async () => {
    const vendor = await answering((_, turn) => ({ status: 201, body: { client_id: `given-${turn}` } }));
    const { registrations } = realRegistrations();
    const server = serverAt(vendor.origin);
    const obtain = async (own: Partial<ClientWanted>) => {
      const client = await obtainClient(errandAt(server), registrations, wantedAt(server, own));
      return 'kind' in client ? client.code : client.clientId;
    };
    expect(await obtain({})).toBe('given-1');
    expect(await obtain({ redirectUri: 'http://127.0.0.1:44444/callback' })).toBe('given-2');
    expect(await obtain({ server: { ...server, issuer: `${vendor.origin}/other` } })).toBe('given-3');
    expect(await obtain({ upstreamId: 'v' })).toBe('given-4');
    expect(await obtain({})).toBe('given-1');
    registrations.forget('u', vendor.origin);
    expect(await obtain({})).toBe('given-5');
    registrations.forgetUpstream('u');
    expect(await obtain({})).toBe('given-6');
    expect(await obtain({ upstreamId: 'v' })).toBe('given-4');
  });

  test('is made again before its secret runs out', async () => {
    const clock = fakeClock();
    const at = (ms: number) => Math.floor((FAKE_START + ms) / 1000);
    const vendor = await answering((_, turn) => ({
      status: 201,
      body: {
        client_id: `given-${turn}`,
        client_secret: 'a-secret',
        client_secret_expires_at: turn === 1 ? at(3_600_000) : 0,
      },
    }));
    const { registrations } = realRegistrations(clock);
    const server = serverAt(vendor.origin);
    const obtain = () => obtainClient(errandTo(`${vendor.origin}/mcp`, { clock }), registrations, wantedAt(server));
    expect(await obtain()).toMatchObject({ clientId: 'given-1', clientSecret: 'a-secret', tokenAuth: 'basic' });
    await clock.advance(3_600_000 - 15 * 60_000 - 1);
    expect(await obtain()).toMatchObject({ clientId: 'given-1' });
    await clock.advance(1);
    expect(await obtain()).toMatchObject({ clientId: 'given-2' });
    await clock.advance(400 * 24 * 3_600_000);
    expect(await obtain()).toMatchObject({ clientId: 'given-2' });
  });

  test('whose row another program pointed elsewhere is not shown there', async () => {
    const vendor = await answering((_, turn) => ({
      status: 201,
      body: { client_id: `given-${turn}`, client_secret: 'a-secret' },
    }));
    const { registrations, db } = realRegistrations();
    const server = serverAt(vendor.origin);
    await obtainClient(errandAt(server), registrations, wantedAt(server));
    const evil = { ...server, issuer: `${vendor.origin}/evil` };
    db.prepare('UPDATE client_registrations SET issuer = ?').run(evil.issuer);
    expect(await obtainClient(errandAt(evil), registrations, wantedAt(evil))).toMatchObject({ clientId: 'given-2' });
  });

  test('waits for the keychain', async () => {
    const vendor = await answering(() => ({ status: 201, body: { client_id: 'given' } }));
    const { registrations, keychain } = realRegistrations();
    keychain.mood = 'locked';
    const server = serverAt(vendor.origin);
    const ended = await obtainClient(errandAt(server), registrations, wantedAt(server));
    expect(ended).toMatchObject({ code: 'secret_unavailable', next: { act: 'unlock_keychain' } });
  });

  test.each<[string, number, unknown, string, RegExp, string]>([
    [
      'the vendor says no',
      400,
      { error: 'invalid_client_metadata', error_description: 'no natives' },
      'dynamic_registration_failed',
      /: invalid_client_metadata: no natives$/,
      'paste_client_id',
    ],
    [
      'the redirect is not liked',
      400,
      { error: 'invalid_redirect_uri' },
      'dynamic_registration_failed',
      /: invalid_redirect_uri$/,
      'set_redirect',
    ],
    ['it gives no reason', 403, '<html>canary</html>', 'dynamic_registration_failed', /: HTTP 403$/, 'paste_client_id'],
    [
      'it gives no id',
      201,
      { client_name: 'x' },
      'dynamic_registration_failed',
      /no usable client id/,
      'paste_client_id',
    ],
    [
      'its id is no text',
      201,
      { client_id: 7 },
      'dynamic_registration_failed',
      /no usable client id/,
      'paste_client_id',
    ],
    [
      'its secret has run out',
      201,
      { client_id: 'x', client_secret: 'y', client_secret_expires_at: 1 },
      'dynamic_registration_failed',
      /already run out/,
      'paste_client_id',
    ],
  ])('%s', async (_, status, body, code, message, act) => {
    const vendor = await answering(() => ({ status, body }));
    const server = serverAt(vendor.origin);
    const { registrations, db } = realRegistrations();
    const ended = await obtainClient(errandAt(server), registrations, wantedAt(server));
    expect(ended).toMatchObject({ kind: 'fault', code, message: expect.stringMatching(message), next: { act } });
    expect(JSON.stringify(ended)).not.toContain('canary');
    expect(db.prepare('SELECT count(*) FROM client_registrations').pluck().get()).toBe(0);
  });

  test.each<[number, unknown]>([
    [404, ''],
    [405, { message: 'no' }],
    [401, ''],
    [200, '<!doctype html><title>Welcome</title>'],
    [200, { ok: true }],
  ])(
    'a server that neither describes itself nor registers is none of MCP OAuth (HTTP %i, %j)',
    async (status, body) => {
      const vendor = await answering(() => ({ status, body }));
      const server = serverAt(vendor.origin, null);
      const ended = await obtainClient(errandAt(server), realRegistrations().registrations, wantedAt(server));
      expect(ended).toMatchObject({ code: 'no_protected_resource_metadata', next: { act: 'check_url' } });
    },
  );

  test.each<[number, unknown, string]>([
    [400, { error: 'invalid_client_metadata' }, 'dynamic_registration_failed'],
    [201, { client_id: 7 }, 'dynamic_registration_failed'],
    [503, '', 'dynamic_registration_failed'],
  ])('one that does not describe itself, and answers HTTP %i %j, is one', async (status, body, code) => {
    const vendor = await answering(() => ({ status, body }));
    const server = serverAt(vendor.origin, null);
    const ended = await obtainClient(errandAt(server), realRegistrations().registrations, wantedAt(server));
    expect(ended).toMatchObject({ code });
  });

  test('what the person is to register is said with the rest', async () => {
    const server = { ...serverAt('https://as.example.test'), registerUrl: null };
    const ended = await obtainClient(errandAt(server), realRegistrations().registrations, wantedAt(server));
    expect(ended).toMatchObject({
      code: 'no_registration_endpoint',
      next: {
        act: 'paste_client_id',
        text: `Register Gatehouse as an application with as.example.test, with the redirect address ${REDIRECT}. Then paste the client id that it gives you here.`,
      },
    });
  });
});

test('the document in assets is one that can be hosted', () => {
  const document = JSON.parse(readFileSync('assets/client-metadata.json', 'utf8'));
  expect(refuseMetadataUrl(document.client_id)).toBeNull();
  expect(document).toMatchObject({
    application_type: 'native',
    redirect_uris: METADATA_REDIRECTS,
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  });
});

test.each([
  'http://x.test/c.json',
  'https://x.test/',
  'https://x.test',
  'https://x.test/c#d',
  'https://me@x.test/c',
  'c.json',
  '',
])('%s cannot be a client id', (address) =>
  expect(refuseMetadataUrl(address)).toContain('GATEHOUSE_CLIENT_METADATA_URL'),
);
