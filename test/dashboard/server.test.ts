import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AuditInput } from '../../electron/core/audit/audit.ts';
import { silentLog } from '../../electron/core/diagnosis/log.ts';
import { type Dashboard, startDashboard } from '../../electron/dashboard/server.ts';
import { type FakeClock, fakeClock } from '../support/fake-clock.ts';
import { anApproval, createFakeCore, type FakeCore } from '../support/fake-core.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

let folder: string;
let core: FakeCore;
let clock: FakeClock;
let dashboard: Dashboard;
let recorded: AuditInput[];
let port: number;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-pages-'));
  await mkdir(path.join(folder, 'assets'));
  await writeFile(path.join(folder, 'index.html'), '<meta name="csp-nonce" nonce="GATEHOUSE_CSP_NONCE">');
  await writeFile(path.join(folder, 'approval.html'), 'desktop only');
  await writeFile(path.join(folder, 'assets', 'main.js'), 'run()');
  await writeFile(path.join(folder, 'assets', 'main.js.map'), 'sources');
  core = createFakeCore();
  clock = fakeClock();
  recorded = [];
  const record = (entry: AuditInput) => recorded.push(entry);
  dashboard = await startDashboard({ core, rendererFolder: folder, clock, log: silentLog, record });
  port = Number(new URL(dashboard.url).port);
});
afterEach(async () => {
  await dashboard.close();
  await rm(folder, { recursive: true, force: true });
});

type Headers = Readonly<Record<string, string>>;
const JSON_TYPE = { 'content-type': 'application/json' };

function ask(method: string, url: string, headers: Headers = {}, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, method, path: url, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const tokenOf = (link: string) => new URL(link).hash.slice('#sign-in='.length);
const exchange = (token: string, headers: Headers = {}) =>
  ask('POST', '/sign-in', { ...JSON_TYPE, ...headers }, JSON.stringify({ token }));

async function signIn(): Promise<{ readonly cookie: string; readonly authorization: string }> {
  const answer = await exchange(tokenOf(dashboard.link()));
  const { token } = JSON.parse(answer.body) as { token: string };
  const cookie = String(answer.headers['set-cookie']).split(';', 1)[0] ?? '';
  return { cookie, authorization: `Bearer ${token}` };
}

const askApi = (name: string, headers: Headers, input: unknown = {}) =>
  ask('POST', `/api/${name}`, { ...JSON_TYPE, ...headers }, JSON.stringify(input));

/** Opens the live stream and hands out what arrived so far. */
function openStream(headers: Headers): Promise<{ text(): string; ended: Promise<void>; leave(): void }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, path: '/api/stream', headers, agent: false }, (response) => {
      if (response.statusCode !== 200) return reject(new Error(`status ${response.statusCode}`));
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString('utf8');
      });
      const ended = new Promise<void>((end) => response.once('close', end));
      resolve({ text: () => text, ended, leave: () => sent.destroy() });
    });
    sent.on('error', (error) => (sent.destroyed ? undefined : reject(error)));
    sent.end();
  });
}

describe('signing in', () => {
  test('a link works once, and what it gives opens the API', async () => {
    const link = dashboard.link();
    expect(link.startsWith(`http://127.0.0.1:${port}/#sign-in=`)).toBe(true);
    const first = await exchange(tokenOf(link));
    expect(first.status).toBe(200);
    const set = String(first.headers['set-cookie']);
    expect(set).toMatch(new RegExp(`^gatehouse-${port}=[\\w-]{43}; Path=/; HttpOnly; SameSite=Strict$`));
    const { token } = JSON.parse(first.body) as { token: string };
    const signedIn = { cookie: set.split(';', 1)[0] ?? '', authorization: `Bearer ${token}` };
    expect((await askApi('status', signedIn)).status).toBe(200);
    const second = await exchange(tokenOf(link));
    expect([second.status, second.headers['set-cookie']]).toEqual([401, undefined]);
    expect(second.body).toContain('used already');
  });

  test('a link is good for ten minutes', async () => {
    const [inTime, late] = [dashboard.link(), dashboard.link()];
    await clock.advance(10 * 60_000);
    expect((await exchange(tokenOf(inTime))).status).toBe(200);
    await clock.advance(1);
    expect((await exchange(tokenOf(late))).status).toBe(401);
  });

  test('the cookie alone opens nothing, and neither does the token alone or that of another browser', async () => {
    const mine = await signIn();
    const other = await signIn();
    core.state.approvals.push(anApproval());
    const tries: Headers[] = [
      {},
      { cookie: mine.cookie },
      { authorization: mine.authorization },
      { cookie: mine.cookie, authorization: other.authorization },
      { cookie: mine.cookie, authorization: `${mine.authorization}x` },
      { cookie: mine.cookie, authorization: 'Bearer ' },
      { cookie: mine.cookie, authorization: mine.authorization.replace('Bearer', 'Basic') },
      { cookie: `gatehouse-1${mine.cookie.slice(mine.cookie.indexOf('='))}`, authorization: mine.authorization },
    ];
    const before = core.asked.length;
    for (const headers of tries) {
      const answer = await askApi('approvalsList', headers);
      expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, 'Bearer']);
      expect(answer.body).not.toContain('write_file');
      await expect(openStream(headers)).rejects.toThrow('status 401');
    }
    expect(core.asked.length).toBe(before);
    expect(core.approvers.present()).toBe(false);
  });

  test('wrong links are slowed down, and a right one still works meanwhile', async () => {
    for (let i = 0; i < 10; i++) expect((await exchange('x'.repeat(43))).status).toBe(401);
    const slowed = await exchange('x'.repeat(43));
    expect([slowed.status, slowed.headers['retry-after']]).toEqual([429, '60']);
    expect((await exchange(tokenOf(dashboard.link()))).status).toBe(200);
    await clock.advance(61_000);
    expect((await exchange('x'.repeat(43))).status).toBe(401);
  });

  test('a second link in the same browser keeps the first tab signed in', async () => {
    const first = await signIn();
    const answer = await exchange(tokenOf(dashboard.link()), { cookie: first.cookie });
    expect(String(answer.headers['set-cookie']).split(';', 1)[0]).toBe(first.cookie);
    expect((await askApi('status', first)).status).toBe(200);
  });

  test('signing out ends this tab and its live stream, not another', async () => {
    const mine = await signIn();
    const other = await signIn();
    const stream = await openStream(mine);
    expect((await ask('POST', '/sign-out', { ...JSON_TYPE, ...mine }, '{}')).status).toBe(200);
    await stream.ended;
    expect((await askApi('status', mine)).status).toBe(401);
    expect((await askApi('status', other)).status).toBe(200);
  });

  test('a restart signs everybody out', async () => {
    const mine = await signIn();
    await dashboard.close();
    dashboard = await startDashboard({ core, rendererFolder: folder, clock, log: silentLog, port });
    expect(dashboard.url).toBe(`http://127.0.0.1:${port}`);
    expect((await askApi('status', mine)).status).toBe(401);
  });
});

describe('who may reach it', () => {
  test('A1 a foreign Host is refused although everything else is right', async () => {
    const mine = await signIn();
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1',
      `127.0.0.1:${port + 1}`,
      `127.0.0.2:${port}`,
    ]) {
      const answer = await askApi('status', { ...mine, host });
      expect([host, answer.status]).toEqual([host, 403]);
    }
    expect(recorded.filter((entry) => entry.kind === 'host_rejected')).toHaveLength(5);
    for (const host of [`localhost:${port}`, `[::1]:${port}`]) {
      expect((await askApi('status', { ...mine, host })).status).toBe(200);
    }
  });

  test('A3 two Host headers are refused', async () => {
    const answer = await raw(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nHost: evil.example\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(await raw('GET / HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('A5 A7 another origin is refused on every route, and no answer carries CORS headers', async () => {
    const mine = await signIn();
    for (const origin of [
      'https://evil.example',
      `http://127.0.0.1:${port + 1}`,
      'null',
      `https://127.0.0.1:${port}`,
    ]) {
      for (const [method, url] of [
        ['GET', '/'],
        ['GET', '/assets/main.js'],
        ['POST', '/api/status'],
        ['GET', '/api/stream'],
        ['OPTIONS', '/api/status'],
      ] as const) {
        const answer = await ask(method, url, { ...JSON_TYPE, ...mine, origin }, method === 'POST' ? '{}' : '');
        expect([origin, method, url, answer.status]).toEqual([origin, method, url, 403]);
        expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
      }
    }
    expect((await askApi('status', { ...mine, origin: `http://127.0.0.1:${port}` })).status).toBe(200);
  });

  test('a page of another port on this machine cannot act, whatever it sends', async () => {
    const mine = await signIn();
    expect((await askApi('status', { ...mine, 'sec-fetch-site': 'same-site' })).status).toBe(403);
    expect((await exchange(tokenOf(dashboard.link()), { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  });

  test('E9 a client key opens no route, and the attempt is recorded', async () => {
    const { cookie } = await signIn();
    core.state.approvals.push(anApproval());
    const authorization = 'Bearer gh_0123456789abcdef';
    for (const url of ['/', '/approvals', '/api/approvalApprove', '/api/stream', '/sign-in', '/nowhere']) {
      for (const method of ['GET', 'POST']) {
        const answer = await ask(method, url, { ...JSON_TYPE, cookie, authorization }, method === 'POST' ? '{}' : '');
        expect([method, url, answer.status]).toEqual([method, url, 403]);
      }
    }
    expect(recorded.filter((entry) => entry.kind === 'key_on_dashboard')).toHaveLength(12);
    expect(JSON.stringify(recorded)).not.toContain('0123456789abcdef');
    expect(core.state.approvals[0]?.state).toBe('waiting');
  });

  test('A8 only JSON is taken, only POST acts', async () => {
    const mine = await signIn();
    const text = await ask('POST', '/api/status', { ...mine, 'content-type': 'text/plain' }, '{}');
    expect(text.status).toBe(415);
    expect((await ask('GET', '/api/status', mine)).status).toBe(405);
    expect((await ask('PUT', '/', mine)).status).toBe(405);
    expect((await ask('POST', '/api/status', { ...JSON_TYPE, ...mine }, '{')).status).toBe(400);
    expect(core.asked).toEqual([]);
  });

  test('a body over two megabytes is refused, announced or not', async () => {
    const mine = await signIn();
    const announced = { ...JSON_TYPE, ...mine, 'content-length': String(2 * 1024 * 1024 + 1) };
    const head = Object.entries({ host: `127.0.0.1:${port}`, ...announced }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    expect(await raw(`POST /api/status HTTP/1.1\r\n${head.join('')}\r\n`)).toMatch(/^HTTP\/1\.1 413 /);
    const chunked = { ...JSON_TYPE, ...mine, 'transfer-encoding': 'chunked' };
    const big = await ask('POST', '/api/status', chunked, `"${'x'.repeat(2 * 1024 * 1024)}"`);
    expect(big.status).toBe(413);
    expect((await askApi('status', mine)).status).toBe(200);
  });

  test('A19 it listens on 127.0.0.1 only', async () => {
    await expect(
      new Promise((resolve, reject) => {
        const socket = connect(port, '127.0.0.2', () => resolve(socket.destroy()));
        socket.once('error', reject);
      }),
    ).rejects.toThrow('ECONNREFUSED');
  });
});

describe('what it serves', () => {
  test('A21 every response has the header set, errors included; pages carry the policy with a nonce of their own', async () => {
    const mine = await signIn();
    const answers = [
      await ask('GET', '/'),
      await ask('GET', '/assets/main.js'),
      await ask('GET', '/nowhere'),
      await ask('DELETE', '/'),
      await askApi('status', mine),
      await askApi('status', {}),
      await askApi('nothing', mine),
      await askApi('approvalDeny', mine),
      await ask('GET', '/', { host: 'evil.example' }),
      await ask('POST', '/api/status', mine),
    ];
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 404, 405, 200, 401, 404, 400, 403, 415]);
    for (const { headers } of answers) {
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
        'cross-origin-opener-policy': 'same-origin',
        'x-frame-options': 'DENY',
      });
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
      expect(headers['x-powered-by']).toBeUndefined();
    }
    const nonces = [answers[0]!, await ask('GET', '/')].map(({ headers, body }) => {
      const nonce = /nonce="([\w-]{22})"/.exec(body)?.[1];
      expect(headers['content-security-policy']).toBe(
        `default-src 'none'; script-src 'self'; style-src 'self' 'nonce-${nonce}'; font-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'`,
      );
      return nonce;
    });
    expect(nonces[0]).not.toBe(nonces[1]);
    expect(await raw('nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [\s\S]*x-frame-options: DENY/);
  });

  test('A21 a fault inside answers 500 with the headers and a number to find it by, and nothing of the fault', async () => {
    const mine = await signIn();
    core.state.upstreams = null as never;
    core.state.status = null as never;
    const answer = await askApi('toolsFind', mine, { query: 'x' });
    expect(answer.status).toBe(500);
    expect(answer.headers['x-frame-options']).toBe('DENY');
    expect(answer.body).toMatch(/^\{"message":"Gatehouse failed\. The log has more under request [0-9a-f]{16}\."\}$/);
  });

  test('no path leaves the table of built files', async () => {
    for (const url of [
      '/../package.json',
      '/assets/../../index.html',
      '/assets/%2e%2e/index.html',
      '/assets//main.js',
      '/approval.html',
      '/assets/main.js.map',
      '/assets/',
      '//',
    ]) {
      const answer = await raw(`GET ${url} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`);
      expect([url, answer.slice(0, 12)]).toEqual([url, 'HTTP/1.1 404']);
    }
    for (const url of ['/', '/approvals', '/tools', '/upstreams', '/audit', '/policy', '/clients', '/?x=1']) {
      expect([url, (await ask('GET', url)).status]).toEqual([url, 200]);
    }
  });

  test('a request reaches the core as one of the dashboard, and its refusals come back in words', async () => {
    const mine = await signIn();
    core.state.approvals.push(anApproval());
    const wrong = await askApi('approvalApprove', mine, { approval: 'a1', argumentsSha256: 'other' });
    expect(JSON.parse(wrong.body)).toEqual({
      result: { kind: 'refused', message: 'These are not the arguments that were shown.' },
    });
    expect(core.asked.at(-1)?.caller).toEqual({ origin: 'dashboard', label: 'dashboard' });
    const bad = await askApi('approvalDeny', mine, { approval: 7 });
    expect([bad.status, bad.body]).toEqual([400, expect.stringContaining('approval')]);
  });

  test('a broken installation says which command mends it', async () => {
    const wanted = startDashboard({ core, rendererFolder: path.join(folder, 'none'), clock, log: silentLog });
    await expect(wanted).rejects.toThrow('Run "npm run build"');
  });
});

describe('the live stream', () => {
  test('tells topics, counts as an approver while it is open, and beats', async () => {
    const mine = await signIn();
    expect(core.approvers.present()).toBe(false);
    const stream = await openStream(mine);
    await expect.poll(() => core.approvers.present()).toBe(true);
    core.tell('approvals');
    await expect.poll(() => stream.text()).toContain('data: approvals\n\n');
    await clock.advance(15_000);
    await expect.poll(() => stream.text()).toContain(': still here\n\n');
    stream.leave();
    await expect.poll(() => core.approvers.present()).toBe(false);
    await expect.poll(() => clock.pending()).toBe(0);
  });

  test('a tab has at most four', async () => {
    const mine = await signIn();
    const streams = await Promise.all([1, 2, 3, 4].map(() => openStream(mine)));
    await expect(openStream(mine)).rejects.toThrow('status 429');
    streams[0]?.leave();
    await expect.poll(() => openStream(mine).then(() => 'open', String)).toBe('open');
  });

  test('closing the dashboard ends every stream, and nobody is left as an approver', async () => {
    const stream = await openStream(await signIn());
    await dashboard.close();
    await stream.ended;
    expect(core.approvers.present()).toBe(false);
  });
});

/** Bytes written to a socket as they are; everything that came back. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.setTimeout(3000, () => socket.destroy());
    socket.on('data', (chunk) => {
      text += chunk.toString('utf8');
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(text));
  });
}
