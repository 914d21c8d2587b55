import { execFileSync } from 'node:child_process';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { eventually } from '../support/gatehouse.ts';
import { openRealDashboard } from '../support/real-dashboard.ts';
import { echoBody, goodHeaders, openTarget, rawRequest, type Target } from '../support/target.ts';
import { startVendor } from '../support/vendors/vendor.ts';

test.skipIf(process.platform !== 'linux')(
  'A19: every socket we listen on is loopback, and the address of the network is refused',
  async () => {
    await using target = await openTarget();
    await using real = await openRealDashboard(target.gatehouse);
    await using vendor = await startVendor();
    const back = await redirectPort(target, vendor.mcpUrl);
    const listening = listenersOf(process.pid);
    for (const port of [target.gatehouse.port, real.port, back]) expect(listening).toContain(`127.0.0.1:${port}`);
    expect(listening.filter((address) => !/^(127\.0\.0\.1|\[::1\]):\d+$/.test(address))).toEqual([]);
    // The children too: an upstream we started is ours to answer for.
    const { pid } = target.recorder.events()[0] ?? { pid: 0 };
    expect(listenersOf(pid)).toEqual([]);

    // Where the machine has no address but loopback, 127.0.0.2 stands in: it is not the one we bind.
    for (const address of [...lanAddresses(), '127.0.0.2']) {
      for (const port of [target.gatehouse.port, real.port, back])
        expect(await connectTo(address, port), `${address}:${port}`).toBe('ECONNREFUSED');
    }
    expect(await connectTo('127.0.0.1', target.gatehouse.port)).toBe('connected');
    await target.stillServes();
  },
);

/** Where the browser of a sign-in that is under way is to come back to. */
async function redirectPort({ gatehouse }: Target, url: string): Promise<number> {
  await gatehouse.ask('upstreamAdd', { name: 'vendor', transport: { kind: 'http', url } });
  const started = await gatehouse.ask('signInStart', { upstream: 'vendor', label: 'work' });
  if (started.kind !== 'done') throw new Error(started.message);
  return eventually(async () => {
    const found = await gatehouse.ask('signInGet', { signIn: started.signIn.id });
    const back = found.kind === 'done' && found.signIn.state === 'waiting' ? found.signIn.redirectUri : null;
    return back === null ? null : Number(new URL(back).port);
  }, 'the vendor’s page');
}

const EVERYWHERE = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};
const PAGE_POLICY = {
  'default-src': "'none'",
  'script-src': "'self'",
  'img-src': "'self' data:",
  'connect-src': "'self'",
  'frame-ancestors': "'none'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'object-src': "'none'",
};

test("A21 (design: style-src 'self' and a nonce, font-src 'self'): every answer of the agents' port carries the headers", async () => {
  await using target = await openTarget();
  const { port } = target.gatehouse;
  const host = `Host: 127.0.0.1:${port}`;
  const body = echoBody();
  const good = goodHeaders(target.k1.secret, body);
  const post = (lines: readonly string[], text = body, path = '/mcp') =>
    target.gatehouse.raw(rawRequest(`POST ${path} HTTP/1.1`, [...lines, 'Connection: close'], text), 3000);
  const get = (path: string, method = 'GET') =>
    target.gatehouse.raw(rawRequest(`${method} ${path} HTTP/1.1`, [host, 'Connection: close']), 3000);
  const changed = (from: string, to: string) => good.map((line) => (line.startsWith(from) ? to : line));

  const answers: Record<string, readonly [number, () => Promise<string>]> = {
    'a call': [200, () => post([host, ...good])],
    health: [200, () => get('/health')],
    'a page': [200, () => get('/open/approvals')],
    'a page by HEAD': [200, () => get('/open/approvals', 'HEAD')],
    'callback page': [404, () => get('/oauth/callback?code=x&state=y')],
    'well-known': [404, () => get('/.well-known/openid-configuration')],
    'how to sign in': [200, () => get('/.well-known/oauth-protected-resource/mcp')],
    'sign-in refused': [400, () => get('/oauth/authorize?client_id=nobody')],
    'sign-in over': [404, () => get(`/oauth/sign-in/${'u'.repeat(43)}`)],
    'back to the program': [303, () => get(`/oauth/authorize/${'u'.repeat(43)}`)],
    'token refused': [
      400,
      () => post([host, 'Content-Type: application/x-www-form-urlencoded', 'Content-Length: 1'], 'x', '/oauth/token'),
    ],
    'bad message': [400, () => post([host, ...changed('Content-Length', 'Content-Length: 1')], '{')],
    'two hosts': [400, () => post([host, host, ...good])],
    'malformed HTTP': [400, () => target.gatehouse.raw('nonsense\r\n\r\n')],
    'no key': [401, () => post([host, ...good.slice(1)])],
    'foreign host': [403, () => post(['Host: evil.example', ...good])],
    'foreign origin': [403, () => post([host, 'Origin: https://evil.example', ...good])],
    'no route': [404, () => post([host, ...good], body, '/nothing')],
    'no session': [404, () => post([host, ...legacyHeaders(target), 'Mcp-Session-Id: none'], LEGACY_LIST)],
    method: [
      405,
      () => target.gatehouse.raw(rawRequest('PUT /mcp HTTP/1.1', [host, ...good, 'Connection: close'], body)),
    ],
    connect: [405, () => target.gatehouse.raw(rawRequest('CONNECT x:1 HTTP/1.1', [host]))],
    'too large': [413, () => post([host, ...changed('Content-Length', 'Content-Length: 5000000')], '')],
    'media type': [415, () => post([host, ...changed('Content-Type', 'Content-Type: text/plain')])],
    expectation: [417, () => post([host, 'Expect: nothing', ...good])],
    'head too large': [431, () => post([host, `X-Long: ${'a'.repeat(40_000)}`, ...good])],
  };

  for (const [what, [status, ask]] of Object.entries(answers)) check(what, await ask(), status);

  // A fault of ours: the table of keys is gone for a moment.
  await without(target, 'keys', async () => {
    const received = await post([host, ...good]);
    check('a fault', received, 500);
    expect(received).toMatch(/request [A-Za-z0-9_-]{22}/);
    expect(received).not.toMatch(/SQLITE|no such table|keys_away|at \w+ \(/i);
  });
  await target.stillServes();
});

test("A21 (design: style-src 'self' and a nonce, font-src 'self'): every answer of the dashboard's port carries the headers", async () => {
  await using target = await openTarget();
  await using real = await openRealDashboard(target.gatehouse);
  const { token: _token, ...signedIn } = await real.signIn();
  const { url } = real.dashboard;
  const json = { 'content-type': 'application/json' };
  const asset = /\/assets\/[\w.-]+\.js/.exec(await (await fetch(url)).text())?.[0] ?? '';
  expect(asset).not.toBe('');
  const answers: Record<string, readonly [number, string, RequestInit]> = {
    page: [200, '/', {}],
    'page by HEAD': [200, '/approvals', { method: 'HEAD' }],
    asset: [200, asset, {}],
    api: [200, '/api/status', { method: 'POST', headers: { ...json, ...signedIn }, body: '{}' }],
    'bad request': [400, '/api/auditList', { method: 'POST', headers: { ...json, ...signedIn }, body: '{"limit":0}' }],
    'no sign-in': [401, '/api/status', { method: 'POST', headers: json, body: '{}' }],
    'wrong link': [401, '/sign-in', { method: 'POST', headers: json, body: '{"token":"x"}' }],
    'foreign origin': [403, '/', { headers: { origin: 'https://evil.example' } }],
    'no page': [404, '/nothing', {}],
    'no request': [404, '/api/nothing', { method: 'POST', headers: { ...json, ...signedIn }, body: '{}' }],
    method: [405, '/', { method: 'DELETE' }],
    'too large': [
      413,
      '/api/status',
      { method: 'POST', headers: { ...json, ...signedIn }, body: ' '.repeat(3_000_000) },
    ],
    'media type': [415, '/api/status', { method: 'POST', headers: signedIn, body: 'x' }],
  };
  for (const [what, [status, path, init]] of Object.entries(answers)) {
    const answer = await fetch(url + path, init);
    await answer.arrayBuffer();
    checkHeaders(`dashboard: ${what}`, answer.status, answer.headers, status);
  }
  await without(target, 'clients', async () => {
    const answer = await fetch(`${url}/api/clientsList`, {
      method: 'POST',
      headers: { ...json, ...signedIn },
      body: '{}',
    });
    checkHeaders('dashboard: a fault', answer.status, answer.headers, 500);
    expect(await answer.text()).not.toMatch(/SQLITE|no such table/i);
  });
  await target.stillServes();
});

const LEGACY_LIST = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
const legacyHeaders = (target: Target) => [
  `Authorization: Bearer ${target.k1.secret}`,
  'Content-Type: application/json',
  'Accept: application/json, text/event-stream',
  `Content-Length: ${LEGACY_LIST.length}`,
];

function check(what: string, received: string, status: number): void {
  const [head = ''] = received.split('\r\n\r\n', 1);
  const [line = '', ...lines] = head.split('\r\n');
  const headers = new Headers(
    lines.map((text) => [text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1).trim()]),
  );
  checkHeaders(what, Number(line.split(' ')[1]), headers, status);
}

function checkHeaders(what: string, status: number, headers: Headers, wanted: number): void {
  expect(status, what).toBe(wanted);
  for (const [name, value] of Object.entries(EVERYWHERE)) expect(headers.get(name), `${what}: ${name}`).toBe(value);
  expect(headers.get('x-powered-by'), what).toBeNull();
  expect(headers.get('server'), what).toBeNull();
  expect(
    [...headers.keys()].filter((name) => name.startsWith('access-control')),
    what,
  ).toEqual([]);
  // Nothing of ours may stand in a frame, whatever it is.
  expect(headers.get('x-frame-options'), what).toBe('DENY');
  const policy = Object.fromEntries(
    (headers.get('content-security-policy') ?? '').split(';').map((part) => {
      const [name = '', ...values] = part.trim().split(' ');
      return [name, values.join(' ')];
    }),
  );
  expect(policy, what).toMatchObject({ 'default-src': "'none'", 'frame-ancestors': "'none'" });
  if (headers.get('content-type')?.startsWith('text/html') !== true) return;
  const { 'style-src': style = '', 'font-src': font = "'self'", ...rest } = policy;
  expect(rest, what).toEqual(PAGE_POLICY);
  expect(style, what).toMatch(/^'self'( 'nonce-[\w-]{22}')?$/);
  expect(font, what).toBe("'self'");
  expect(headers.get('cross-origin-opener-policy'), what).toBe('same-origin');
}

/** Runs something while a table of the settings database has another name. */
async function without(target: Target, table: string, run: () => Promise<void>): Promise<void> {
  const db = new Database(join(target.gatehouse.folder, 'state.db'));
  try {
    db.pragma('legacy_alter_table = ON');
    db.exec(`ALTER TABLE ${table} RENAME TO ${table}_away`);
    await run();
  } finally {
    db.exec(`ALTER TABLE ${table}_away RENAME TO ${table}`);
    db.close();
  }
}

/** `address:port` of every TCP socket that a process listens on. */
function listenersOf(pid: number): readonly string[] {
  return execFileSync('ss', ['-Hltnp'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(`pid=${pid},`))
    .map((line) => line.trim().split(/\s+/)[3] ?? '');
}

function lanAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flat()
    .flatMap((one) => (one === undefined || one.internal || one.address.startsWith('fe80:') ? [] : [one.address]));
}

function connectTo(address: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: 3000 }, () => {
      socket.destroy();
      resolve('connected');
    });
    socket.on('timeout', () => socket.destroy(Object.assign(new Error('timeout'), { code: 'TIMEOUT' })));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}
