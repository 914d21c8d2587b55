import { connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { openRedirect, type Redirect, type Stray } from '../../../electron/core/connections/redirect.ts';
import { connectedPage, failedPage } from '../../../electron/core/connections/redirect-page.ts';
import { createRedirectPorts, redirectPortsSchema } from '../../../electron/core/connections/redirect-ports.ts';
import type { RedirectSetting } from '../../../shared/connections.ts';
import { eventually, rawExchange } from '../../support/gatehouse.ts';

function rig() {
  const db = new Database(':memory:');
  db.exec(redirectPortsSchema);
  const ports = createRedirectPorts(db);
  const strays: Stray[] = [];
  async function open(setting: RedirectSetting = { host: '127.0.0.1', port: null }, upstreamId = 'u') {
    const opened = await openRedirect({ upstreamId, setting, ports, onStray: (why) => void strays.push(why) });
    if (opened.kind === 'opened') onTestFinished(() => opened.redirect.close());
    return opened;
  }
  return {
    ports,
    strays,
    open,
    async redirect(setting?: RedirectSetting): Promise<Redirect> {
      const opened = await open(setting);
      if (opened.kind !== 'opened') throw new Error(opened.message);
      return opened.redirect;
    },
  };
}

const portOf = ({ uri }: Redirect) => Number(new URL(uri).port);

/** Somebody else has the port. */
async function occupy(port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
}

test('the visit with the state is taken once, and its page is what the sign-in came to', async () => {
  const { redirect, strays } = rig();
  const at = await redirect();
  const taken: string[] = [];
  at.expect('the-state', async (query) => {
    taken.push(query.toString());
    return connectedPage('github', 'work');
  });
  const answer = await fetch(`${at.uri}?code=c&state=the-state&iss=https%3A%2F%2Fas.example`);
  expect(answer.status).toBe(200);
  expect(await answer.text()).toContain('The account <b>work</b> is now connected at <b>github</b>.');
  expect((await fetch(`${at.uri}?code=c&state=the-state`)).status).toBe(400);
  expect(taken).toEqual(['code=c&state=the-state&iss=https%3A%2F%2Fas.example']);
  expect(strays).toEqual(['wrong_state']);
});

test('a page says nothing that came in the address, and lets nothing run, load or lead away', async () => {
  const { redirect } = rig();
  const at = await redirect();
  at.expect('s', async () => failedPage('<img src=x onerror=alert(1)>', 'a"b'));
  const answer = await fetch(`${at.uri}?state=s&error=x&error_description=%3Cscript%3Ealert(1)%3C%2Fscript%3E`);
  const page = await answer.text();
  expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-[^']+';/);
  expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  expect(page).not.toContain('script');
  expect(page).not.toContain('<img');
  expect(page).toContain('&#60;img src=x onerror=alert(1)&#62;');
});

test('only GET /callback with the host of the redirect address is read at all', async () => {
  const { redirect, strays } = rig();
  const at = await redirect();
  at.expect('s', async () => connectedPage('github', 'work'));
  const port = portOf(at);
  const statusOf = async (request: string) => (await rawExchange(port, request, 3000)).split('\r\n')[0];
  const get = (target: string, host = `127.0.0.1:${port}`) =>
    statusOf(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  expect(await get('/callback?state=s', 'evil.test')).toBe('HTTP/1.1 403 Forbidden');
  expect(await get('/callback?state=s', `localhost:${port}`)).toBe('HTTP/1.1 403 Forbidden');
  expect(await statusOf('GET /callback?state=s HTTP/1.1\r\n\r\n')).toBe('HTTP/1.1 400 Bad Request');
  expect(await statusOf(`GET /callback?state=s HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nHost: evil.test\r\n\r\n`)).toBe(
    'HTTP/1.1 403 Forbidden',
  );
  for (const target of [
    '/',
    '/callback/',
    '/callback2?state=s',
    '/favicon.ico',
    `http://127.0.0.1:${port}/callback?state=s`,
  ])
    expect(await get(target), target).toBe('HTTP/1.1 404 Not Found');
  for (const method of ['POST', 'HEAD', 'OPTIONS', 'PUT'])
    expect(
      await statusOf(`${method} /callback?state=s HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: 0\r\n\r\n`),
      method,
    ).toBe('HTTP/1.1 405 Method Not Allowed');
  expect(strays).not.toContain('wrong_state');
  expect(new Set(strays)).toEqual(new Set(['other_host', 'other_path', 'other_method']));
  expect((await fetch(`${at.uri}?state=s`)).status).toBe(200);
});

test('two states in one visit are none', async () => {
  const { redirect, strays } = rig();
  const at = await redirect();
  at.expect('s', async () => connectedPage('github', 'work'));
  expect((await fetch(`${at.uri}?state=s&state=s`)).status).toBe(400);
  expect((await fetch(`${at.uri}?state=`)).status).toBe(400);
  expect(strays).toEqual(['wrong_state', 'wrong_state']);
});

test('it listens on 127.0.0.1 and on no other address of this machine', async () => {
  const { redirect } = rig();
  const at = await redirect({ host: 'localhost', port: null });
  expect(at.uri).toBe(`http://localhost:${portOf(at)}/callback`);
  const others = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .map(({ address, family, scopeid }) => (family === 'IPv6' ? (scopeid ? null : `[${address}]`) : address))
    .filter((address) => address !== null && address !== '127.0.0.1');
  for (const address of others) {
    await expect(fetch(`http://${address}:${portOf(at)}/callback`), String(address)).rejects.toThrow('fetch failed');
  }
});

test('once it is closed nobody is answered, however they are connected', async () => {
  const { redirect } = rig();
  const at = await redirect();
  const idle = rawExchange(portOf(at), 'GET /callback', 5000);
  // Connections are taken in their order.
  expect((await fetch(new URL('/', at.uri))).status).toBe(404);
  at.close();
  expect(await idle).toBe('');
  await expect(fetch(at.uri)).rejects.toThrow('fetch failed');
});

test('an upstream keeps its port as long as that is free, and remembers the next one where it is not', async () => {
  const { redirect, ports } = rig();
  const first = await redirect();
  const port = portOf(first);
  expect(ports.of('u')).toBe(port);
  first.close();
  const second = await redirect();
  expect(portOf(second)).toBe(port);
  second.close();
  await occupy(port);
  const third = await redirect();
  expect(portOf(third)).not.toBe(port);
  expect(ports.of('u')).toBe(portOf(third));
});

test('a port that the person set is that port or none', async () => {
  const { open, redirect, ports } = rig();
  const free = await redirect();
  const port = portOf(free);
  free.close();
  const fixed = await redirect({ host: '127.0.0.1', port });
  expect(fixed.uri).toBe(`http://127.0.0.1:${port}/callback`);
  fixed.close();
  await occupy(port);
  expect(await open({ host: '127.0.0.1', port })).toEqual({
    kind: 'unavailable',
    message: `Gatehouse cannot listen on port ${port} of this machine for the end of the sign-in (EADDRINUSE). End the program that uses it, or set another redirect port.`,
  });
  expect(ports.of('u')).toBe(port);
});

test('of connections that say nothing the oldest are ended, so the browser always gets in', async () => {
  const { redirect } = rig();
  const at = await redirect();
  at.expect('s', async () => connectedPage('github', 'work'));
  let ended = 0;
  for (let count = 0; count < 200; count += 1) {
    const socket = connect(portOf(at), '127.0.0.1', () => socket.write('GET '));
    socket.on('error', () => {});
    socket.on('close', () => {
      ended += 1;
    });
    onTestFinished(() => void socket.destroy());
  }
  await eventually(() => (ended >= 136 ? true : null), 'the end of all but 64');
  expect((await fetch(`${at.uri}?state=s`)).status).toBe(200);
});
