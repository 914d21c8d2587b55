import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newSecret, sweep } from '../support/canary.ts';
import { type SignInRow, startSignInRow } from '../support/sign-in-row.ts';
import { startSocketSpy } from '../support/socket-spy.ts';
import { startWickedVendor } from '../support/wicked-vendor.ts';

let row: SignInRow;
beforeAll(async () => {
  row = await startSignInRow();
});
afterAll(() => row[Symbol.asyncDispose]());

describe('I18 registration', () => {
  test('I18 says native, and exactly the redirect that is used then', async () => {
    const vendor = await startWickedVendor();
    const waiting = await row.begin(vendor.mcpUrl);
    const [sent] = vendor.bodies('/register');
    expect(JSON.parse(sent ?? '')).toMatchObject({
      application_type: 'native',
      redirect_uris: [waiting.redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    });
    expect(waiting.redirectUri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/);
    expect(new URL(waiting.link ?? '').searchParams.get('redirect_uri')).toBe(waiting.redirectUri);
  });

  test.each<[string, (mine: string) => readonly string[]]>([
    ['another redirect', () => ['https://evil.example/callback']],
    ['one more redirect', (mine) => [mine, 'https://evil.example/callback']],
    ['no redirect', () => []],
    ['the same at every port', () => ['http://127.0.0.1/callback']],
  ])('I18 a vendor that registers %s is not signed in at', async (_, redirects) => {
    const vendor = await startWickedVendor(() => ({
      register(response) {
        const [mine] = JSON.parse(vendor.bodies('/register').at(-1) ?? '').redirect_uris;
        response.writeHead(201).end(JSON.stringify({ client_id: 'given-id', redirect_uris: redirects(mine) }));
      },
    }));
    const asks = await row.begin(vendor.mcpUrl);
    expect(asks).toMatchObject({ state: 'needs_client_id', link: null });
    expect(asks.message).toContain('dynamic_registration_failed: it registered other redirect addresses');
    expect(asks.next).toMatchObject({ act: 'paste_client_id' });
    await row.gatehouse.ask('signInCancel', { signIn: asks.id });
  });

  test('I18 a secret of a megabyte is not kept', async () => {
    const secret = 'S'.repeat(1_000_000);
    const vendor = await startWickedVendor(() => ({
      register: { status: 201, body: { client_id: 'given-id', client_secret: secret } },
    }));
    const asks = await row.begin(vendor.mcpUrl);
    expect(asks).toMatchObject({ state: 'needs_client_id', message: expect.stringContaining('no usable client id') });
    expect(JSON.stringify(asks).length).toBeLessThan(10_000);
    await row.gatehouse.ask('signInCancel', { signIn: asks.id });
  });

  test('I18 registration_client_uri is not asked, wherever it leads', async () => {
    const spy = await startSocketSpy();
    const vendor = await startWickedVendor(() => ({
      register: {
        status: 201,
        body: {
          client_id: 'given-id',
          registration_client_uri: `http://127.0.0.1:${spy.port}/latest/meta-data/`,
          registration_access_token: 'x',
        },
      },
    }));
    const waiting = await row.begin(vendor.mcpUrl);
    const { view } = await row.comeBack(waiting, [
      ['code', 'the-code'],
      ['iss', vendor.origin],
    ]);
    expect(view).toMatchObject({ state: 'connected' });
    expect(spy.connects()).toBe(0);
  });

  test('I18 the secret is in the vault alone, and is shown to no other issuer', async () => {
    const secret = newSecret('registered-client');
    const other = await startWickedVendor();
    let moved = false;
    const vendor = await startWickedVendor(({ mcpUrl, origin }) => ({
      resource(response) {
        const authorization_servers = [moved ? other.origin : origin];
        response.writeHead(200).end(JSON.stringify({ resource: mcpUrl, authorization_servers }));
      },
      register: { status: 201, body: { client_id: 'given-id', client_secret: secret } },
    }));
    const first = await row.begin(vendor.mcpUrl);
    const connected = await row.comeBack(first, [
      ['code', 'the-code'],
      ['iss', vendor.origin],
    ]);
    expect(connected.view).toMatchObject({ state: 'connected' });
    const basic = vendor.seen.find(({ path }) => path === '/token')?.headers.authorization ?? '';
    const [id, shown = ''] = Buffer.from(basic.replace('Basic ', ''), 'base64').toString().split(':');
    expect([id, decodeURIComponent(shown.replaceAll('+', ' '))]).toEqual(['given-id', secret]);
    expect(sweep(row.gatehouse.folder, secret)).toEqual([]);
    expect(JSON.stringify([await row.gatehouse.ask('signInsList'), await row.gatehouse.audit()])).not.toContain(secret);

    moved = true;
    const second = await row.again(first);
    expect(new URL(second.link ?? '').origin).toBe(other.origin);
    await row.comeBack(second, [
      ['code', 'the-code'],
      ['iss', other.origin],
    ]);
    expect(other.bodies('/register')).toHaveLength(1);
    expect(JSON.stringify(other.seen)).not.toContain(secret);
    expect(JSON.stringify(other.seen)).not.toContain(basic);
  });
});
