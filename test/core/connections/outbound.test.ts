import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fakeClock } from '../../support/fake-clock.ts';
import { hasOpenssl, nameServer, startNamedHost } from '../../support/named-host.ts';
import { startSocketSpy } from '../../support/socket-spy.ts';
import { errandTo } from './errand-rig.ts';

async function serve(handle: RequestListener): Promise<string> {
  const server = createServer({ maxHeaderSize: 64 * 1024 }, handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const json = (response: ServerResponse, body: unknown) =>
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));

describe('private addresses', () => {
  test.each([
    'https://127.0.0.1:%/',
    'https://127.1:%/',
    'https://127.0.0.2:%/',
    'https://2130706433:%/',
    'https://0x7f000001:%/',
    'https://0x7f.1:%/',
    'https://017700000001:%/',
    'https://0.0.0.0:%/',
    'https://[::1]:%/',
    'https://[::]:%/',
    'https://[::ffff:127.0.0.1]:%/',
    'https://[::ffff:7f00:1]:%/',
    'https://[::127.0.0.1]:%/',
    'https://[64:ff9b::127.0.0.1]:%/',
    'https://localhost:%/',
    'https://LOCALHOST:%/',
    'https://localhost.:%/',
    'https://x.localhost:%/',
    'http://127.0.0.1:%/',
    'http://localhost:%/',
    'https://leads-home.test:%/',
    'https://leads-both-ways.test:%/',
    'https://leads-home-6.test:%/',
    'https://leads-nowhere.test:%/',
    'https://10.0.0.1:%/',
    'https://192.168.1.1:%/',
    'https://169.254.169.254/latest/meta-data/',
    'http://169.254.169.254/latest/meta-data/',
    'https://[fe80::1]:%/',
    'https://[fd00:ec2::254]:%/',
    'https://100.64.0.1:%/',
  ])('%s is not contacted', async (address) => {
    const spy = await startSocketSpy();
    const lookup = nameServer({
      'leads-home.test': [['127.0.0.1']],
      'leads-both-ways.test': [['93.184.215.14', '127.0.0.1']],
      'leads-home-6.test': [['::ffff:127.0.0.1']],
      'leads-nowhere.test': [['0.0.0.0']],
      // Whoever runs the name server of the machine has no say in this either.
      'x.localhost': [['127.0.0.1']],
    });
    const { outbound } = errandTo('https://mcp.example.test/mcp', { lookup });
    const answer = await outbound({ url: address.replace('%', String(spy.port)), method: 'GET' });
    expect(answer).toMatchObject({ kind: 'fault', code: 'host_not_allowed', next: { act: 'allow_host' } });
    expect(spy.connects()).toBe(0);
  });

  test('a name that leads elsewhere the second time is seen the second time', async () => {
    const spy = await startSocketSpy();
    const lookup = nameServer({ 'turns.test': [['192.0.2.1'], ['127.0.0.1']] });
    const { outbound } = errandTo('https://mcp.example.test/mcp', { lookup });
    const url = `https://turns.test:${spy.port}/`;
    expect(await outbound({ url, method: 'GET' })).toMatchObject({ code: 'host_not_allowed' });
    expect(await outbound({ url, method: 'GET' })).toMatchObject({ code: 'host_not_allowed' });
    expect(lookup.asked).toEqual(['turns.test', 'turns.test']);
    expect(spy.connects()).toBe(0);
  });

  test('an upstream on this machine may use a server on this machine, and none in the network', async () => {
    const server = await serve((_, response) => json(response, { here: true }));
    const { outbound } = errandTo('http://localhost:3999/mcp');
    expect(await outbound({ url: server, method: 'GET' })).toMatchObject({ kind: 'answer', text: '{"here":true}' });
    expect(await outbound({ url: 'https://10.0.0.1/', method: 'GET' })).toMatchObject({ code: 'host_not_allowed' });
  });

  test('the name of this machine leads to this machine, whatever the name server says', async () => {
    const lookup = nameServer({ localhost: [['192.168.1.1']] });
    const { outbound } = errandTo('http://localhost:3999/mcp', { lookup, allowPrivate: true });
    expect(await outbound({ url: 'http://localhost:9/', method: 'GET' })).toMatchObject({ code: 'host_not_allowed' });
  });

  test('who writes an address down is served from that address', async () => {
    const { outbound } = errandTo('https://10.255.255.1:9/mcp', { signal: AbortSignal.abort() });
    // Past the check of addresses: what is left is that nobody waits for it.
    expect(await outbound({ url: 'https://10.255.255.1:9/x', method: 'GET' })).toMatchObject({ code: 'cancelled' });
    expect(await outbound({ url: 'https://10.255.255.2:9/x', method: 'GET' })).toMatchObject({
      code: 'host_not_allowed',
    });
  });

  test.each(['10.0.0.1', '172.16.0.1', '192.168.0.1', '100.64.0.1', '[fd12::1]'])(
    'where private addresses are allowed, %s is one',
    async (host) => {
      const allowed = errandTo('https://mcp.example.test/mcp', { allowPrivate: true, signal: AbortSignal.abort() });
      expect(await allowed.outbound({ url: `https://${host}/`, method: 'GET' })).toMatchObject({ code: 'cancelled' });
    },
  );

  describe.skipIf(!hasOpenssl)('by an upstream that is allowed to be in a private network (needs openssl)', () => {
    test('its own host is reached, this machine and metadata services are not', async () => {
      const spy = await startSocketSpy();
      const own = await startNamedHost('mcp.corp.test', (_, response) => json(response, { own: true }));
      const lookup = nameServer({
        'mcp.corp.test': [['127.0.0.1']],
        'other.corp.test': [['127.0.0.1']],
        'meta.corp.test': [['169.254.169.254']],
        'nat.corp.test': [['64:ff9b::a9fe:a9fe']],
        'aws.corp.test': [['fd00:ec2::254']],
      });
      const bounds = { lookup, environment: own.environment };
      const allowed = errandTo(`${own.origin}/mcp`, { ...bounds, allowPrivate: true });
      expect(await allowed.outbound({ url: `${own.origin}/x`, method: 'GET' })).toMatchObject({ text: '{"own":true}' });
      for (const host of [
        `other.corp.test:${spy.port}`,
        `127.0.0.1:${spy.port}`,
        'meta.corp.test',
        'nat.corp.test',
        'aws.corp.test',
        '169.254.169.254',
      ]) {
        const answer = await allowed.outbound({ url: `https://${host}/`, method: 'GET' });
        expect(answer).toMatchObject({ code: 'host_not_allowed' });
      }
      const not = errandTo(`${own.origin}/mcp`, bounds);
      expect(await not.outbound({ url: `${own.origin}/x`, method: 'GET' })).toMatchObject({ code: 'host_not_allowed' });
      expect(spy.connects()).toBe(0);
    });
  });

  test('by a proxy, a name that we can look up is looked up first', async () => {
    const spy = await startSocketSpy();
    const lookup = nameServer({ 'leads-home.test': [['127.0.0.1']] });
    const environment = { HTTPS_PROXY: `http://127.0.0.1:${spy.port}` };
    const { outbound } = errandTo('https://mcp.example.test/mcp', { lookup, environment });
    const refused = await outbound({ url: 'https://leads-home.test/', method: 'GET' });
    expect(refused).toMatchObject({ code: 'host_not_allowed' });
    expect(spy.connects()).toBe(0);
  });
});

describe('addresses', () => {
  test.each([
    'http://as.example.test/token',
    'javascript:alert(1)',
    'file:///etc/passwd',
    'smb://evil/x',
    'data:text/html,x',
    'vscode://x',
    'ftp://as.example.test/',
    'https://me:pass@as.example.test/',
    'no address',
    '',
  ])('%s is not asked', async (url) => {
    const lookup = nameServer({});
    const { outbound } = errandTo('https://mcp.example.test/mcp', { lookup });
    expect(await outbound({ url, method: 'GET' })).toMatchObject({ kind: 'fault', code: 'insecure_address' });
    expect(lookup.asked).toEqual([]);
  });
});

describe('redirects', () => {
  test('of a reading request are followed within an origin, a few times', async () => {
    const origin = await serve((request, response) => {
      const hop = Number(request.url?.slice(1));
      if (hop >= 5) return json(response, { hop });
      return response.writeHead(302, { location: `/${hop + 1}` }).end();
    });
    const { outbound } = errandTo(`${origin}/mcp`);
    expect(await outbound({ url: `${origin}/0`, method: 'GET' })).toMatchObject({ text: '{"hop":5}' });
    let visits = 0;
    const endless = await serve((_, response) => {
      visits += 1;
      response.writeHead(302, { location: '/again' }).end();
    });
    expect(await outbound({ url: endless, method: 'GET' })).toMatchObject({ code: 'unreachable' });
    expect(visits).toBe(6);
  });

  test.each(['301', '302', '303', '307', '308'])('of a request with a secret are not followed (%s)', async (status) => {
    const spy = await startSocketSpy();
    const seen: IncomingMessage[] = [];
    const origin = await serve((request, response) => {
      seen.push(request);
      response.writeHead(Number(status), { location: '/elsewhere' }).end('canary-content');
    });
    const { outbound } = errandTo(`${origin}/mcp`);
    const answer = await outbound({ url: `${origin}/token`, method: 'POST', body: 'code=canary' });
    expect(answer).toMatchObject({ kind: 'fault', code: 'unreachable' });
    expect(JSON.stringify(answer)).not.toContain('canary');
    expect(seen.map(({ url }) => url)).toEqual(['/token']);
    expect(spy.connects()).toBe(0);
  });
});

describe('bounds', () => {
  test('an answer of exactly 1 MiB is read, one byte more is not', async () => {
    const limit = 1024 * 1024;
    const origin = await serve((request, response) => {
      const size = request.url === '/more' ? limit + 1 : limit;
      // Without its length said before.
      response.write('x');
      response.end('x'.repeat(size - 1));
    });
    const { outbound } = errandTo(`${origin}/mcp`);
    const whole = await outbound({ url: `${origin}/whole`, method: 'GET' });
    expect(whole.kind === 'answer' ? whole.text.length : whole).toBe(limit);
    expect(await outbound({ url: `${origin}/more`, method: 'GET' })).toMatchObject({ code: 'too_large' });
  });

  test('a redirect takes its time from the same ten seconds', async () => {
    const clock = fakeClock();
    const origin = await serve((request, response) => {
      if (request.url === '/0') return void response.writeHead(302, { location: '/1' }).end();
    });
    const { outbound } = errandTo(`${origin}/mcp`, { clock });
    const answered = outbound({ url: `${origin}/0`, method: 'GET' });
    await expect.poll(() => clock.pending()).toBe(1);
    await clock.advance(9_999);
    expect(await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, 50, 'still waiting'))])).toBe(
      'still waiting',
    );
    await clock.advance(1);
    expect(await answered).toMatchObject({ code: 'timeout', next: { act: 'try_again' } });
    expect(clock.pending()).toBe(0);
  });

  test('who gives up waits no longer', async () => {
    const origin = await serve(() => {});
    const giving = new AbortController();
    const { outbound } = errandTo(`${origin}/mcp`, { signal: giving.signal });
    const answered = outbound({ url: origin, method: 'GET' });
    giving.abort();
    expect(await answered).toMatchObject({ code: 'cancelled' });
  });

  test('an event stream that is not read does not hold anyone up', async () => {
    const origin = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': open\n\n');
    });
    const { outbound } = errandTo(`${origin}/mcp`);
    const answer = await outbound({ url: origin, method: 'POST', body: '{}', ignoreBody: true });
    expect(answer).toMatchObject({ kind: 'answer', status: 200, text: '' });
  });

  test('what does not answer is said in words', async () => {
    const lookup = nameServer({});
    const { outbound } = errandTo('https://mcp.example.test/mcp', { lookup });
    const answer = await outbound({ url: 'https://mcp.example.test/', method: 'GET' });
    expect(answer).toMatchObject({
      code: 'unreachable',
      message: 'mcp.example.test cannot be reached. Its name cannot be found.',
    });
  });
});
