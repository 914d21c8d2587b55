import { afterAll, beforeAll, expect, test } from 'vitest';
import { rawExchange } from '../support/gatehouse.ts';
import { openRealDashboard, type RealDashboard } from '../support/real-dashboard.ts';
import { headersOf, openTarget, rawRequest, statusOf, type Target } from '../support/target.ts';

// The rows of section A that name `/`, `/api/*` or static files concern the dashboard's port as well.

let target: Target;
let real: RealDashboard;
let signedIn: readonly string[];
beforeAll(async () => {
  target = await openTarget();
  real = await openRealDashboard(target.gatehouse);
  const { cookie, authorization } = await real.signIn();
  signedIn = [`Cookie: ${cookie}`, `Authorization: ${authorization}`];
});
afterAll(async () => {
  await real[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

const ours = () => `Host: 127.0.0.1:${real.port}`;
const send = (line: string, headers: readonly string[], body = '') =>
  rawExchange(real.port, rawRequest(line, [...headers, 'Connection: close'], body), 3000);
/** A request of a signed-in tab that would be answered. */
const status = (headers: readonly string[]) =>
  send(
    'POST /api/status HTTP/1.1',
    [...headers, ...signedIn, 'Content-Type: application/json', 'Content-Length: 2'],
    '{}',
  );

test('the request that every vector here changes in one place is itself answered', async () => {
  const received = await status([ours()]);
  expect(statusOf(received)).toBe(200);
  expect(received).toContain('"result"');
});

test.each(['evil.example', 'evil.example:PORT', '127.0.0.1:1', '0.0.0.0:PORT', '127.0.0.1.evil.example:PORT'])(
  'A1: the dashboard answers 403 to Host %s, signed in or not',
  async (host) => {
    const row = { kind: 'host_rejected', detail: { where: 'dashboard', path: '/api/status' } };
    const received = await target.refuses(row, () => status([`Host: ${host.replace('PORT', String(real.port))}`]));
    expect(statusOf(received)).toBe(403);
    expect(received).not.toContain('"result"');
  },
);

test('A3: the dashboard takes exactly one Host', async () => {
  for (const hosts of [[ours(), 'Host: evil.example'], ['Host: evil.example', ours()], []]) {
    const received = await target.refuses({ kind: 'host_rejected' }, () => status(hosts));
    expect(statusOf(received)).toBe(400);
    expect(headersOf(received).get('connection')).toBe('close');
  }
});

test.each([
  '/',
  '/approvals',
  '/api/status',
  '/api/approvalApprove',
  '/sign-in',
  '/sign-out',
  '/assets/index.js',
  '/oauth/callback',
])('A5: the dashboard answers 403 to another origin on %s, signed in or not', async (path) => {
  const json = ['Content-Type: application/json', 'Content-Length: 2'];
  for (const origin of ['https://evil.example', 'null', `http://127.0.0.1:${target.gatehouse.port}`]) {
    for (const method of ['GET', 'POST']) {
      const received = await target.refuses({ kind: 'origin_rejected' }, () =>
        send(`${method} ${path} HTTP/1.1`, [ours(), ...signedIn, `Origin: ${origin}`, ...json], '{}'),
      );
      expect(statusOf(received), `${method} ${path} ${origin}`).toBe(403);
      expect([...headersOf(received).keys()].filter((name) => name.startsWith('access-'))).toEqual([]);
    }
  }
});

test("A5: an agent's key opens nothing at the dashboard, and that is recorded", async () => {
  const received = await target.refuses({ kind: 'key_on_dashboard' }, () =>
    send('POST /api/status HTTP/1.1', [
      ours(),
      signedIn[0] ?? '',
      `Authorization: Bearer ${target.k1.secret}`,
      'Content-Type: application/json',
      'Content-Length: 0',
    ]),
  );
  expect(statusOf(received)).toBe(403);
});

test('A7: a preflight opens nothing at the dashboard', async () => {
  const received = await target.refuses({ kind: 'origin_rejected' }, () =>
    send('OPTIONS /api/approvalApprove HTTP/1.1', [
      ours(),
      'Origin: https://evil.example',
      'Access-Control-Request-Method: POST',
      'Access-Control-Request-Headers: authorization,content-type',
      'Access-Control-Request-Private-Network: true',
    ]),
  );
  expect(statusOf(received)).toBe(403);
  expect([...headersOf(received).keys()].filter((name) => name.startsWith('access-'))).toEqual([]);
});

test('A8: a form of a page cannot write to the dashboard', async () => {
  const plain = ['Content-Type: text/plain', 'Content-Length: 2'];
  expect(statusOf(await send('POST /api/status HTTP/1.1', [ours(), ...signedIn, ...plain], '{}'))).toBe(415);
});

test('A12: the cookie alone, which every port of 127.0.0.1 shares, opens nothing', async () => {
  const received = await target.refuses(
    { kind: 'unauthorized', detail: { where: 'dashboard', path: '/api/status' } },
    () =>
      send(
        'POST /api/status HTTP/1.1',
        [ours(), signedIn[0] ?? '', 'Content-Type: application/json', 'Content-Length: 2'],
        '{}',
      ),
  );
  expect(statusOf(received)).toBe(401);
});

test('A27: smuggling at the dashboard is 400 and the end of the connection', async () => {
  for (const lines of [
    ['Content-Length: 2', 'Transfer-Encoding: chunked'],
    ['Content-Length: 2', 'Content-Length: 3'],
    ['Transfer-Encoding: chunked, identity'],
    ['X-A: b', ' folded'],
  ]) {
    const received = await target.refuses({ kind: 'malformed_http' }, () =>
      send('POST /api/status HTTP/1.1', [ours(), ...signedIn, 'Content-Type: application/json', ...lines], '{}'),
    );
    expect(statusOf(received)).toBe(400);
    expect(headersOf(received).get('connection')).toBe('close');
  }
});

test('A28: a WebSocket from another site is refused on every route of the dashboard', async () => {
  for (const path of ['/', '/api/stream', '/api/status', '/approvals', '/assets/index.js']) {
    const received = await target.refuses({ kind: 'origin_rejected' }, () =>
      send(`GET ${path} HTTP/1.1`, [
        ours(),
        ...signedIn,
        'Origin: https://evil.example',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      ]),
    );
    expect(statusOf(received)).toBe(403);
  }
});
