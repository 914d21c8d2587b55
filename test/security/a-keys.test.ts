import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROUTES } from '../../electron/core/gateway/routes.ts';
import { filesUnder, sweep } from '../support/canary.ts';
import { eventually } from '../support/gatehouse.ts';
import { openRealDashboard } from '../support/real-dashboard.ts';
import { echoBody, goodHeaders, headersOf, MODERN_META, openTarget, rawRequest, statusOf } from '../support/target.ts';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];

/** Every route there is, a path for it, and the methods that need no key. A route that is not here fails the test. */
const WITHOUT_KEY: Readonly<
  Record<string, { readonly path: string; readonly open: Readonly<Record<string, number>> }>
> = {
  '/mcp': { path: '/mcp', open: {} },
  '/u/:upstream/mcp': { path: '/u/rec/mcp', open: {} },
  '/w/:workspace/mcp': { path: '/w/personal/mcp', open: {} },
  '/w/:workspace/u/:upstream/mcp': { path: '/w/personal/u/rec/mcp', open: {} },
  '/health': { path: '/health', open: { GET: 200, HEAD: 200 } },
  '/open/:page': { path: '/open/approvals', open: { GET: 200, HEAD: 200 } },
  '/open/connections/:upstream': { path: '/open/connections/rec', open: { GET: 200, HEAD: 200 } },
  '/open/*': { path: '/open/anything', open: { GET: 404, HEAD: 404 } },
  '/.well-known/oauth-protected-resource': {
    path: '/.well-known/oauth-protected-resource',
    open: { GET: 200, HEAD: 200 },
  },
  '/.well-known/oauth-protected-resource/*': {
    path: '/.well-known/oauth-protected-resource/w/personal/mcp',
    open: { GET: 200, HEAD: 200 },
  },
  '/.well-known/oauth-authorization-server': {
    path: '/.well-known/oauth-authorization-server',
    open: { GET: 200, HEAD: 200 },
  },
  '/.well-known/*': { path: '/.well-known/openid-configuration', open: { GET: 404, HEAD: 404 } },
  // Each of them refuses what the test sends, which is no sign-in: a call, as JSON.
  '/oauth/register': { path: '/oauth/register', open: { POST: 400 } },
  '/oauth/authorize': { path: '/oauth/authorize', open: { GET: 400 } },
  '/oauth/authorize/:uid': { path: `/oauth/authorize/${'u'.repeat(43)}`, open: { GET: 303 } },
  '/oauth/sign-in/:uid': { path: `/oauth/sign-in/${'u'.repeat(43)}`, open: { GET: 404 } },
  '/oauth/sign-in/:uid/answer': { path: `/oauth/sign-in/${'u'.repeat(43)}/answer`, open: { GET: 200 } },
  '/oauth/waiting.js': { path: '/oauth/waiting.js', open: { GET: 200 } },
  '/oauth/token': { path: '/oauth/token', open: { POST: 415 } },
  '/oauth/revoke': { path: '/oauth/revoke', open: { POST: 415 } },
  '/oauth/callback': { path: '/oauth/callback', open: { GET: 404, HEAD: 404 } },
  '/register': { path: '/register', open: { POST: 404 } },
};

test('A12 (design: /health, /open/*, /.well-known/*, client sign-in, /oauth/callback and /register are public): every other route and method is 401 without a key', async () => {
  expect(ROUTES.map((route) => route.pattern).toSorted()).toEqual(Object.keys(WITHOUT_KEY).toSorted());
  const absent = { '(no route)': { path: '/api/status', open: {} }, '(root)': { path: '/', open: {} } };
  const all = [...Object.values(WITHOUT_KEY), ...Object.values(absent)];
  // In two halves: of more than a hundred refusals a minute some are only counted.
  for (const half of [all.slice(0, all.length / 2), all.slice(all.length / 2)]) await knockAt(half);
});

async function knockAt(
  paths: readonly { readonly path: string; readonly open: Readonly<Record<string, number>> }[],
): Promise<void> {
  await using target = await openTarget();
  const { port } = target.gatehouse;
  const expected: Record<string, number> = {};
  const { result, rows } = await target.refusals(async () => {
    const seen: Record<string, number> = {};
    for (const { path, open } of paths) {
      for (const method of METHODS) {
        const lines = goodHeaders('', echoBody()).filter((line) => !line.startsWith('Authorization'));
        const received = await target.gatehouse.raw(
          rawRequest(
            `${method} ${path} HTTP/1.1`,
            [`Host: 127.0.0.1:${port}`, 'Connection: close', ...lines],
            echoBody(),
          ),
        );
        const status = statusOf(received);
        seen[`${method} ${path}`] = status;
        expected[`${method} ${path}`] = open[method] ?? 401;
        if (status === 401) expect(headersOf(received).get('www-authenticate')).toMatch(/^Bearer\b/);
      }
    }
    return seen;
  });
  expect(result).toEqual(expected);
  const unauthorized = rows.filter(({ kind }) => kind === 'unauthorized');
  expect(unauthorized).toHaveLength(Object.values(expected).filter((status) => status === 401).length);
  expect(unauthorized.every((row) => row.detail.reason === 'missing')).toBe(true);
  // What is public and refuses what was sent has its own entry.
  const refused = Object.entries(expected).filter(
    ([what, status]) => [400, 415].includes(status) || (status === 404 && what.includes('/sign-in/')),
  );
  expect(rows).toHaveLength(unauthorized.length + refused.length);
  const health = await fetch(`http://127.0.0.1:${port}/health`);
  expect(await health.json()).toEqual({ status: 'ok' });
}

test('A12 (design: `/`, `/api/*` and `/approvals` are the port of the dashboard): without sign-in nothing but the page itself', async () => {
  await using target = await openTarget();
  await using real = await openRealDashboard(target.gatehouse);
  const status = async (method: string, path: string) => {
    const answer = await fetch(real.dashboard.url + path, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(method === 'GET' || method === 'HEAD' ? {} : { body: '{}' }),
    });
    if (answer.status === 401) expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    return answer.status;
  };
  for (const path of [
    '/api/status',
    '/api/clientsList',
    '/api/approvalApprove',
    '/api/stream',
    '/api/',
    '/api/none',
    '/sign-out',
  ])
    for (const method of METHODS) expect(await status(method, path), `${method} ${path}`).toBe(401);
  for (const path of ['/', '/approvals', '/audit']) {
    for (const method of METHODS) {
      const reads = method === 'GET' || method === 'HEAD';
      expect(await status(method, path), `${method} ${path}`).toBe(reads ? 200 : 405);
    }
  }
  const page = await (await fetch(`${real.dashboard.url}/approvals`)).text();
  expect(page).not.toContain('rec');
  expect(await status('POST', '/sign-in')).toBe(400);
  await target.stillServes();
});

test('A14: whatever stands in Authorization, the answer is the same 401', async () => {
  await using target = await openTarget();
  const { secret } = target.k1;
  const accented = `${secret.slice(0, -1)}é`;
  const vectors: readonly (readonly [string, readonly string[]])[] = [
    ['one character', ['Authorization: Bearer a']],
    ['one too few', [`Authorization: Bearer ${secret.slice(0, -1)}`]],
    ['one too many', [`Authorization: Bearer ${secret}a`]],
    ['10 000', [`Authorization: Bearer ${'a'.repeat(10_000)}`]],
    ['the right prefix and 10 000', [`Authorization: Bearer ${secret}${'a'.repeat(10_000)}`]],
    ['same characters, other bytes', [`Authorization: Bearer ${accented}`]],
    ['the last character another', [`Authorization: Bearer ${secret.slice(0, -1)}${secret.endsWith('A') ? 'B' : 'A'}`]],
    ['Basic', ['Authorization: Basic x']],
    ['Basic with the key', [`Authorization: Basic ${Buffer.from(`u:${secret}`).toString('base64')}`]],
    ['two spaces', [`Authorization: Bearer  ${secret}`]],
    ['a tab', [`Authorization: Bearer\t${secret}`]],
    ['no scheme', [`Authorization: ${secret}`]],
    ['empty', ['Authorization: ']],
    ['Bearer alone', ['Authorization: Bearer']],
    ['two headers, wrong first', ['Authorization: Bearer x', `Authorization: Bearer ${secret}`]],
    ['two headers, right first', [`Authorization: Bearer ${secret}`, 'Authorization: Bearer x']],
    ['the right one twice', [`Authorization: Bearer ${secret}`, `Authorization: Bearer ${secret}`]],
    ['a comma', [`Authorization: Bearer ${secret}, Bearer x`]],
    ['Proxy-Authorization', [`Proxy-Authorization: Bearer ${secret}`]],
    ['a cookie', [`Cookie: authorization=Bearer ${secret}; key=${secret}`]],
    ['X-Api-Key', [`X-Api-Key: ${secret}`]],
  ];
  const answers = new Set<string>();
  for (const [what, lines] of vectors) {
    const rest = goodHeaders('', echoBody()).filter((line) => !line.startsWith('Authorization'));
    const head = [`Host: 127.0.0.1:${target.gatehouse.port}`, 'Connection: close', ...lines, ...rest];
    const received = await target.refuses({ kind: 'unauthorized', outcome: 'refused' }, () =>
      target.gatehouse.raw(rawRequest('POST /mcp HTTP/1.1', head, echoBody())),
    );
    expect(statusOf(received), what).toBe(401);
    answers.add(received.replace(/^Date: .*$/im, ''));
  }
  expect([...answers]).toHaveLength(1);
  // The scheme's case is free (RFC 9110), so that is no refusal.
  const answer = await target.gatehouse.call(secret, 'rec__echo', '{}', {
    headers: { authorization: `bearer ${secret}` },
  });
  expect(answer.status).toBe(200);
});

test('A16: a key in the address is not looked at, and is written nowhere', async () => {
  await using target = await openTarget();
  const { secret } = target.k1;
  const { port } = target.gatehouse;
  const lines = goodHeaders('', echoBody()).filter((line) => !line.startsWith('Authorization'));
  const userinfo = `Authorization: Basic ${Buffer.from(`u:${secret}`).toString('base64')}`;
  const vectors: readonly (readonly [string, readonly string[]])[] = [
    [`/mcp?api_key=${secret}`, []],
    [`/mcp?access_token=${secret}`, []],
    [`/mcp/${secret}`, []],
    [`/w/${secret}/mcp`, []],
    [`/mcp#${secret}`, []],
    // What a client makes of http://u:KEY@127.0.0.1/mcp, and what a careless one would.
    ['/mcp', [userinfo]],
    [`http://u:${secret}@127.0.0.1:${port}/mcp`, []],
  ];
  for (const [path, more] of vectors) {
    const received = await target.refuses({ kind: 'unauthorized' }, () =>
      target.gatehouse.raw(
        rawRequest(
          `POST ${path} HTTP/1.1`,
          [`Host: 127.0.0.1:${port}`, 'Connection: close', ...more, ...lines],
          echoBody(),
        ),
      ),
    );
    expect(statusOf(received), path).toBe(401);
    expect(received).not.toContain(secret);
  }
  // With the right header beside it the address still decides nothing, and is still not written down.
  const answer = await target.gatehouse.call(secret, 'rec__echo', '{}', { path: `/mcp?api_key=${secret}` });
  expect(answer.status).toBe(200);
  const { path } = await target.gatehouse.ask('auditExport');
  expect(readFileSync(path, 'utf8')).toContain('unauthorized');
  expect(JSON.stringify(await target.gatehouse.audit())).not.toContain(secret);
  expect(sweep(target.gatehouse.folder, secret)).toEqual([]);
  expect(sweep(target.gatehouse.folder, secret.slice(-43))).toEqual([]);
});

test('A17: a key is stored as a hash alone and shown once', async () => {
  await using target = await openTarget();
  const { secret, prefix } = target.k1;
  await target.gatehouse.call(secret, 'rec__echo', '{}');
  await target.gatehouse.ask('auditExport');
  const files = filesUnder(target.gatehouse.folder).map((file) => file.slice(target.gatehouse.folder.length + 1));
  expect(files).toEqual(
    expect.arrayContaining(['state.db', 'state.db-wal', 'audit.db', join('logs', 'gatehouse.log')]),
  );
  expect(sweep(target.gatehouse.folder, secret)).toEqual([]);
  // The secret half alone, as it would stand in a file that keeps prefix and rest apart.
  expect(sweep(target.gatehouse.folder, secret.slice(prefix.length + 1))).toEqual([]);
  // The prefix is there, so the sweep looked at the right files.
  expect(sweep(target.gatehouse.folder, prefix).length).toBeGreaterThan(0);

  await using real = await openRealDashboard(target.gatehouse);
  const { token: _token, ...headers } = await real.signIn();
  const listed = await fetch(`${real.dashboard.url}/api/clientsList`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: '{}',
  });
  const text = await listed.text();
  expect(text).toContain(prefix);
  expect(text).not.toContain(secret.slice(prefix.length + 1));
  expect(text).not.toMatch(/"(salt|hash)"/);
});

test('A18: revoking a key ends its streams, its waiting call and its next request', async () => {
  await using target = await openTarget();
  const { gatehouse, k1, k2 } = target;
  const gated = await gatehouse.recorder('gated', { risk: 'write' });

  const modern = await openStream(gatehouse.port, k1.secret, {
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 'listen',
      method: 'subscriptions/listen',
      params: { notifications: { toolsListChanged: true }, _meta: MODERN_META },
    }),
    headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' },
  });
  const initialized = await gatehouse.post(k1.secret, {
    jsonrpc: '2.0',
    id: 0,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'old', version: '1' } },
  });
  const session = initialized.headers.get('mcp-session-id') ?? '';
  const legacy = await openStream(gatehouse.port, k1.secret, { headers: { 'mcp-session-id': session } });
  const bystander = await openStream(gatehouse.port, k2.secret, {
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 'listen',
      method: 'subscriptions/listen',
      params: { notifications: { toolsListChanged: true }, _meta: MODERN_META },
    }),
    headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' },
  });
  const waiting = gatehouse.call(k1.secret, 'gated__echo', '{"text":"never"}').then(
    () => 'answered',
    () => 'cut off',
  );
  const card = await gatehouse.card();
  expect([modern.ended(), legacy.ended()]).toEqual([false, false]);

  await gatehouse.ask('keyRevoke', { key: k1.keyId });
  await eventually(() => (modern.ended() && legacy.ended() ? true : null), 'the end of both streams', 2000);
  expect(await waiting).toBe('cut off');
  expect(await gatehouse.ask('approvalsList', { state: 'waiting' })).toEqual([]);
  const all = await gatehouse.ask('approvalsList', { state: 'all' });
  expect(all.find(({ id }) => id === card.id)?.state).toBe('cancelled');
  await expect(gatehouse.approve(card)).resolves.toMatchObject({ kind: 'refused' });
  expect(gated.calls()).toEqual([]);
  expect(bystander.ended()).toBe(false);

  for (const send of [
    () => gatehouse.call(k1.secret, 'rec__echo'),
    () =>
      gatehouse.post(
        k1.secret,
        { jsonrpc: '2.0', id: 9, method: 'tools/list' },
        { headers: { 'mcp-session-id': session } },
      ),
  ]) {
    const answer = await target.refuses(
      { kind: 'unauthorized', keyPrefix: k1.prefix, detail: { reason: 'revoked' } },
      send,
    );
    expect(answer.status).toBe(401);
  }
  const entries = await gatehouse.audit((list) =>
    list.some((entry) => entry.phase === 'ended' && entry.upstream === 'gated'),
  );
  expect(entries.find((entry) => entry.phase === 'ended' && entry.upstream === 'gated')).toMatchObject({
    outcome: 'refused',
    errorClass: 'approval_denied',
  });
  expect(entries.filter((entry) => entry.kind === 'key_revoked')).toHaveLength(1);
  bystander.close();
});

test('A18: a call that is with its upstream when the key is revoked gives its answer to nobody', async () => {
  await using target = await openTarget();
  const { gatehouse, k1, recorder } = target;
  const running = gatehouse.call(k1.secret, 'rec__slow', '{"ms":60000}').then(
    () => 'answered',
    () => 'cut off',
  );
  await eventually(() => (recorder.calls().length === 1 ? true : null), 'the call to reach the upstream');
  await gatehouse.ask('keyRevoke', { key: k1.keyId });
  expect(await running).toBe('cut off');
  await target.stillServes();
});

/** An open event stream of a client, until the other side ends it. */
async function openStream(
  port: number,
  key: string,
  wanted: { readonly body?: string; readonly headers: Readonly<Record<string, string>> },
): Promise<{ ended(): boolean; close(): void }> {
  const abort = new AbortController();
  const response = await fetch(`http://127.0.0.1:${port}/mcp`, {
    method: wanted.body === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      accept: wanted.body === undefined ? 'text/event-stream' : 'application/json, text/event-stream',
      ...(wanted.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...wanted.headers,
    },
    ...(wanted.body === undefined ? {} : { body: wanted.body }),
    signal: abort.signal,
  });
  expect(response.status).toBe(200);
  let ended = false;
  const drain = async () => {
    for await (const _chunk of response.body ?? []);
  };
  void drain().then(
    () => {
      ended = true;
    },
    () => {
      ended = true;
    },
  );
  return { ended: () => ended, close: () => abort.abort() };
}
