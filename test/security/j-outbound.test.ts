import type { AddressInfo } from 'node:net';
import { createServer, type Socket as NetSocket, Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { discoverResource } from '../../electron/core/connections/discovery.ts';
import { errandTo } from '../core/connections/errand-rig.ts';
import { hasOpenssl, nameServer, startNamedHost } from '../support/named-host.ts';
import { type SignInRow, startSignInRow } from '../support/sign-in-row.ts';
import { startSocketSpy } from '../support/socket-spy.ts';
import { startWickedVendor } from '../support/wicked-vendor.ts';

let row: SignInRow;
beforeAll(async () => {
  row = await startSignInRow();
});
afterAll(() => row[Symbol.asyncDispose]());

/** Every host and port that anything in this process begins to connect to. */
function watchConnects(): () => readonly string[] {
  const spy = vi.spyOn(Socket.prototype, 'connect');
  onTestFinished(() => void spy.mockRestore());
  return () =>
    spy.mock.calls.flatMap(([first]) => {
      const options: unknown = Array.isArray(first) ? first[0] : first;
      if (typeof options !== 'object' || options === null || !('port' in options)) return [];
      return [`${'host' in options ? String(options.host) : ''}:${String(options.port)}`];
    });
}

/** A server of raw bytes: what no HTTP library would send. */
async function rawServer(
  speak: (socket: NetSocket) => void,
): Promise<{ readonly url: string; readonly written: () => number }> {
  const sockets: NetSocket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.once('data', () => speak(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metadata`;
  return { url, written: () => sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0) };
}

/** An upstream whose challenge names this as the place of its metadata. */
const challengingWith = (address: string) =>
  startWickedVendor(() => ({
    mcp: { status: 401, headers: { 'www-authenticate': `Bearer resource_metadata="${address}"` } },
  }));

describe('J1 a challenge that names a metadata service', () => {
  test.each([
    ['http://169.254.169.254/latest/meta-data/', 'host_not_allowed'],
    ['https://169.254.169.254/latest/meta-data/', 'host_not_allowed'],
    ['http://2852039166/latest/meta-data/', 'host_not_allowed'],
    ['http://0xa9fea9fe/', 'host_not_allowed'],
    ['http://[::ffff:169.254.169.254]/', 'host_not_allowed'],
    ['https://[fd00:ec2::254]/', 'host_not_allowed'],
    ['https://10.0.0.1/', 'host_not_allowed'],
    ['http://metadata.google.internal/', 'insecure_address'],
    ['file:///etc/passwd', 'insecure_address'],
  ] as const)('J1 %s', async (address, code) => {
    const vendor = await challengingWith(address);
    const connects = watchConnects();
    const view = await row.begin(vendor.mcpUrl);
    const entry = await row.refused(view, code);
    const { host } = new URL(vendor.mcpUrl);
    expect(connects()).toContain(host);
    // The other client's calls come to us over loopback too.
    expect(connects().filter((to) => !to.startsWith('127.0.0.1:'))).toEqual([]);
    expect(JSON.stringify(entry)).not.toMatch(/meta-data|passwd/);
    expect(view.steps.at(-1)).toMatchObject({ name: 'resource_metadata', outcome: 'failed' });
  });
});

describe('J3 a redirect to this machine', () => {
  test.each([301, 302, 303, 307, 308])('J3 of the resource metadata, by %i', async (status) => {
    const spy = await startSocketSpy();
    const vendor = await startWickedVendor(() => ({
      resource: { status, headers: { location: `http://127.0.0.1:${spy.port}/` }, body: 'canary-content' },
    }));
    const view = await row.begin(vendor.mcpUrl);
    await row.refused(view, 'host_not_allowed');
    expect(JSON.stringify(view)).not.toContain('canary');
    expect(spy.connects()).toBe(0);
  });

  test('J3 of the metadata of the authorization server', async () => {
    const spy = await startSocketSpy();
    const vendor = await startWickedVendor(() => ({
      metadata: { status: 302, headers: { location: `http://localhost:${spy.port}/` } },
    }));
    await row.refused(await row.begin(vendor.mcpUrl), 'host_not_allowed');
    expect(spy.connects()).toBe(0);
  });

  test('J3 of the request for a token: nobody else gets the code', async () => {
    const spy = await startSocketSpy();
    const vendor = await startWickedVendor(() => ({
      token: { status: 307, headers: { location: `http://127.0.0.1:${spy.port}/` } },
    }));
    const waiting = await row.begin(vendor.mcpUrl);
    const { view } = await row.comeBack(waiting, [
      ['code', 'the-code'],
      ['iss', vendor.origin],
    ]);
    await row.refused(view, 'unreachable');
    expect(spy.connects()).toBe(0);
  });

  test.skipIf(!hasOpenssl)('J3 by a public host, to a port or a name of this machine (needs openssl)', async () => {
    const spy = await startSocketSpy();
    for (const target of [
      'http://127.0.0.1:%/',
      'https://127.0.0.1:%/',
      'http://[::1]:%/',
      'https://localhost:%/',
      'https://inside.test:%/',
      'https://2130706433:%/',
    ]) {
      const host = await startNamedHost('public.test', (_, response) => {
        response.writeHead(302, { location: target.replace('%', String(spy.port)) }).end();
      });
      const lookup = nameServer({ 'public.test': [['127.0.0.1']], 'inside.test': [['127.0.0.1']] });
      // The test host is on this machine, so it is allowed to be: it, and nothing else of it.
      const errand = errandTo(`${host.origin}/mcp`, { lookup, environment: host.environment, allowPrivate: true });
      const found = await discoverResource(errand, { url: `${host.origin}/mcp`, challenge: 'Bearer' });
      expect(found, target).toMatchObject({ kind: 'fault', code: 'host_not_allowed' });
    }
    expect(spy.connects()).toBe(0);
  });
});

describe('J5 metadata without an end', () => {
  test('J5 endless JSON is cut at 1 MiB', async () => {
    const endless = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"resource":"');
      const chunk = Buffer.alloc(64 * 1024, 'x');
      const more = () => {
        while (socket.writable && socket.write(chunk));
      };
      socket.on('drain', more);
      more();
    });
    const vendor = await challengingWith(endless.url);
    await row.refused(await row.begin(vendor.mcpUrl), 'too_large');
    // What the sockets of both sides hold on the way comes on top.
    expect(endless.written()).toBeLessThan(32 * 1024 * 1024);
  });

  test('J5 an announced gigabyte is not waited for', async () => {
    const huge = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1073741824\r\n\r\n{');
    });
    const vendor = await challengingWith(huge.url);
    await row.refused(await row.begin(vendor.mcpUrl), 'too_large');
  });

  test('J5 never-ending headers are cut', async () => {
    const headers = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const chunk = `x-more: ${'y'.repeat(1000)}\r\n`.repeat(100);
      const more = () => {
        while (socket.writable && socket.write(chunk));
      };
      socket.on('drain', more);
      more();
    });
    const vendor = await challengingWith(headers.url);
    await row.refused(await row.begin(vendor.mcpUrl), 'too_large');
  });

  test('J5 a byte each second, in the body or in the headers, is given up after ten seconds', async () => {
    const slowly = (beginning: string) =>
      rawServer((socket) => {
        socket.write(beginning);
        const timer = setInterval(() => socket.write('x'), 1_000);
        socket.on('close', () => clearInterval(timer));
      });
    const body = await slowly('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"a":"');
    const header = await slowly('HTTP/1.1 200 OK\r\nx-slow: ');
    const vendors = [await challengingWith(body.url), await challengingWith(header.url)];
    const before = performance.now();
    const views = await Promise.all(vendors.map(({ mcpUrl }) => row.begin(mcpUrl)));
    expect(performance.now() - before).toBeGreaterThan(9_000);
    for (const view of views) await row.refused(view, 'timeout');
  }, 40_000);
});
