import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, request as send } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { proxyFor } from '../../../electron/core/upstreams/proxy.ts';
import { remoteServer } from './remote-server.ts';
import { newFolder, rig, waitFor } from './rig.ts';

const http = (url: string) => ({ kind: 'http', url, secretHeaders: [] }) as const;

/** A proxy that takes every name for this machine. */
async function proxy(): Promise<{ url: string; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    const target = new URL(request.url ?? '');
    seen.push(`${request.method} ${target.host}`);
    const { port, pathname: path } = target;
    const onward = send({ host: '127.0.0.1', port, path, method: request.method, headers: request.headers }, (answer) =>
      answer.pipe(response.writeHead(answer.statusCode ?? 502, answer.headers)),
    );
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  server.on('connect', (request, socket) => {
    seen.push(`CONNECT ${request.url}`);
    const onward = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    for (const end of [socket, onward]) end.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

/** A certificate authority of ourselves and a certificate for mcp.example.test. */
function certificate(): { file: string; key: string; cert: string } {
  const folder = newFolder();
  const [file, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout ${key} -out ${file} -subj /CN=mcp.example.test -addext subjectAltName=DNS:mcp.example.test,DNS:localhost`;
  execFileSync('openssl', words.split(' '), { stdio: 'ignore' });
  return { file, key: readFileSync(key, 'utf8'), cert: readFileSync(file, 'utf8') };
}
const hasOpenssl = ['/usr/bin/openssl', '/bin/openssl', '/usr/local/bin/openssl'].some((path) => existsSync(path));

describe('which proxy an address is reached by', () => {
  const P = 'http://proxy.test:8080';
  test.each([
    ['http://a.test/', { HTTP_PROXY: P }, `${P}/`],
    ['https://a.test/', { HTTPS_PROXY: P }, `${P}/`],
    ['https://a.test/', { HTTP_PROXY: P }, null],
    ['https://a.test/', { https_proxy: 'proxy.test:8080', HTTPS_PROXY: 'http://other.test' }, `${P}/`],
    ['https://a.test/', { HTTPS_PROXY: P, NO_PROXY: '*' }, null],
    ['https://a.test/', { HTTPS_PROXY: P, NO_PROXY: 'b.test, a.test' }, null],
    ['https://x.a.test/', { HTTPS_PROXY: P, no_proxy: '.a.test' }, null],
    ['https://xa.test/', { HTTPS_PROXY: P, NO_PROXY: 'a.test' }, `${P}/`],
    ['https://a.test/', { HTTPS_PROXY: P, NO_PROXY: 'a.test:8443' }, `${P}/`],
    ['https://a.test:8443/', { HTTPS_PROXY: P, NO_PROXY: 'a.test:8443' }, null],
    ['http://10.1.2.3/', { HTTP_PROXY: P, NO_PROXY: '10.0.0.0/8' }, null],
    ['http://11.1.2.3/', { HTTP_PROXY: P, NO_PROXY: '10.0.0.0/8' }, `${P}/`],
    ['http://127.0.0.1/', { HTTP_PROXY: P }, null],
    ['http://localhost/', { HTTP_PROXY: P }, null],
    ['http://[::1]/', { HTTP_PROXY: P }, null],
    ['http://a.test/', { HTTP_PROXY: 'ftp://proxy.test' }, null],
    ['http://a.test/', { HTTP_PROXY: '' }, null],
  ])('%s with %j: %s', (url, environment, expected) => {
    expect(proxyFor(new URL(url), environment)?.href ?? null).toBe(expected);
  });
});

describe('a proxy that the environment names', () => {
  test('is used for http, and what it cannot reach is its own to say', async () => {
    const server = await remoteServer();
    const { url, seen } = await proxy();
    const it = rig({ environment: { ...process.env, HTTP_PROXY: url } });
    const view = await it.addReady('x', http(`http://mcp.example.test:${server.port}/mcp`));
    expect(await it.call(view.id, 'echo')).toMatchObject({ kind: 'answered' });
    expect(seen).toContain(`POST mcp.example.test:${server.port}`);
    expect(new Set(server.seen.map(({ host }) => host))).toEqual(new Set([`mcp.example.test:${server.port}`]));
  });

  test('is never used for loopback', async () => {
    const server = await remoteServer();
    const it = rig({ environment: { ...process.env, HTTP_PROXY: 'http://127.0.0.1:9' } });
    await it.addReady('x', http(`http://127.0.0.1:${server.port}/mcp`));
  });

  test('that does not answer is named as the reason, without its password', async () => {
    const it = rig({ environment: { ...process.env, HTTP_PROXY: 'http://me:canary-password@127.0.0.1:9' } });
    const { id } = await it.add('x', http('http://mcp.example.test/mcp'));
    const { reason } = await it.until(id, 'failed');
    expect(reason).toBe(
      'x is not reachable: the proxy that HTTP_PROXY or HTTPS_PROXY names does not answer, or does not let us through to mcp.example.test (EPROXY).',
    );
  });
});

describe.skipIf(!hasOpenssl)('certificates (needs openssl)', () => {
  test('an authority in NODE_EXTRA_CA_CERTS is trusted, one that is not there is not', async () => {
    const { file, key, cert } = certificate();
    const server = await remoteServer({ key, cert });
    const url = `https://localhost:${server.port}/mcp`;
    const plain = rig({ environment: { PATH: process.env.PATH } });
    const refused = await plain.add('x', http(url));
    expect((await plain.until(refused.id, 'failed')).reason).toMatch(/^x has no valid certificate \(/);
    expect(server.seen).toEqual([]);
    const trusting = rig({ environment: { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: file } });
    const view = await trusting.addReady('x', http(url));
    expect(await trusting.call(view.id, 'echo')).toMatchObject({ kind: 'answered' });
  });

  test('through a proxy as well, by CONNECT', async () => {
    const { file, key, cert } = certificate();
    const server = await remoteServer({ key, cert });
    const { url, seen } = await proxy();
    const it = rig({ environment: { ...process.env, HTTPS_PROXY: url, NODE_EXTRA_CA_CERTS: file } });
    await it.addReady('x', http(`https://mcp.example.test:${server.port}/mcp`));
    expect(seen).toContain(`CONNECT mcp.example.test:${server.port}`);
  });

  test('a file that is none is no reason to fail', async () => {
    const file = join(newFolder(), 'cert.pem');
    writeFileSync(file, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    const server = await remoteServer();
    const it = rig({ environment: { ...process.env, NODE_EXTRA_CA_CERTS: file } });
    await it.addReady('x', http(`http://localhost:${server.port}/mcp`));
  });
});

test('connections are kept between calls', async () => {
  const server = await remoteServer();
  const it = rig();
  const view = await it.addReady('x', http(`http://127.0.0.1:${server.port}/mcp`));
  for (let i = 0; i < 10; i += 1) await it.call(view.id, 'echo');
  const calls = server.seen.filter(({ what }) => what === 'tools/call').map(({ socket }) => socket);
  expect(calls).toHaveLength(10);
  // The event stream may still be opening when the first call is made.
  expect(new Set(calls).size).toBeLessThanOrEqual(2);
});

describe('an event stream that breaks', () => {
  test('is opened again each time, and what changed meanwhile is seen', async () => {
    const server = await remoteServer();
    const it = rig();
    const view = await it.addReady('x', http(`http://127.0.0.1:${server.port}/mcp`));
    expect(view.toolCount).toBe(1);
    for (let round = 1; round <= 4; round += 1) {
      await waitFor(() => server.streams() === 1, 'the stream');
      server.setTools(Array.from({ length: round + 1 }, (_, index) => `tool_${index}`));
      server.dropStreams();
      await waitFor(() => it.upstreams.get(view.id)?.toolCount === round + 1, 'the new list');
    }
    expect(server.seen.filter(({ what }) => what === 'initialize')).toHaveLength(1);
    expect(it.upstreams.get(view.id)?.status).toBe('ready');
  }, 20_000);

  test('is opened again however often that fails first', async () => {
    const server = await remoteServer();
    const it = rig();
    const view = await it.addReady('x', http(`http://127.0.0.1:${server.port}/mcp`));
    await waitFor(() => server.streams() === 1, 'the stream');
    server.setTools(['a', 'b']);
    server.refuseStreams(3);
    server.dropStreams();
    await waitFor(() => it.upstreams.get(view.id)?.toolCount === 2, 'the new list', 20_000);
    expect(server.seen.filter(({ what }) => what === 'GET')).toHaveLength(5);
  }, 30_000);

  test('and whose session is gone is followed by a new session', async () => {
    const server = await remoteServer();
    const it = rig();
    const view = await it.addReady('x', http(`http://127.0.0.1:${server.port}/mcp`));
    await waitFor(() => server.streams() === 1, 'the stream');
    server.forgetSessions();
    server.dropStreams();
    await waitFor(() => server.seen.filter(({ what }) => what === 'initialize').length === 2, 'the new session');
    await it.until(view.id, 'ready');
    expect(await it.call(view.id, 'echo')).toMatchObject({ kind: 'answered' });
  });
});
