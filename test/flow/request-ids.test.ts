import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { type Answer, eventually, startGatehouse, type TestGatehouse, type TestOptions } from '../support/gatehouse.ts';
import { openLegacySession } from '../support/legacy-session.ts';
import { createMemoryKeychain } from '../support/memory-keychain.ts';

/** Lines of the log about one request. */
function logged(gatehouse: TestGatehouse, requestId: string): readonly Record<string, unknown>[] {
  return readFileSync(join(gatehouse.folder, 'logs/gatehouse.log'), 'utf8')
    .split('\n')
    .filter((line) => line.includes(JSON.stringify(requestId)))
    .map((line) => JSON.parse(line));
}

/** The id that a person can quote: of a result that is an error, or of an error. */
function quoted({ message, text }: Answer): string {
  const { result, error } = (message ?? {}) as {
    result?: { _meta?: Record<string, unknown> };
    error?: { data?: Record<string, unknown> };
  };
  const id = result?._meta?.['gatehouse/requestId'] ?? error?.data?.['gatehouse/requestId'];
  expect(id, text).toMatch(/^[A-Za-z0-9_-]{22}$/);
  return String(id);
}

/** With the tools of the demo upstream there. */
async function startWithDemo(options: TestOptions = {}): Promise<TestGatehouse> {
  const gatehouse = await startGatehouse(options);
  const tools = async () => ((await gatehouse.ask('toolsList', { upstream: 'demo' })).length > 0 ? true : null);
  await eventually(tools, 'the tools of the demo upstream');
  return gatehouse;
}

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
};

test('the id of a refused call leads to its line in the log and its record in the audit', async () => {
  await using gatehouse = await startWithDemo({ approver: false });
  const { secret } = await gatehouse.key({ name: 'agent' });
  const answer = await gatehouse.call(secret, 'demo__write_note', '{"title":"x","text":"y"}');
  const requestId = quoted(answer);
  expect(answer.message?.result, answer.text).toMatchObject({ isError: true });
  expect(logged(gatehouse, requestId)).toMatchObject([
    {
      event: 'call_ended',
      client: 'agent',
      upstream: 'demo',
      tool: 'write_note',
      outcome: 'refused',
      errorClass: 'approval_unavailable',
      ms: expect.any(Number),
    },
  ]);
  const entries = await gatehouse.audit((all) => all.some((entry) => entry.requestId === requestId));
  expect(entries.filter((entry) => entry.requestId === requestId)).toMatchObject([
    { phase: 'ended', errorClass: 'approval_unavailable' },
  ]);
});

test('a call that was answered has a line as well', async () => {
  await using gatehouse = await startWithDemo();
  const { secret } = await gatehouse.key();
  await gatehouse.call(secret, 'demo__list_notes');
  const [entry] = await gatehouse
    .audit((all) => all.some(({ phase }) => phase === 'ended'))
    .then((all) => all.filter(({ phase }) => phase === 'ended'));
  expect(logged(gatehouse, entry?.requestId ?? '')).toMatchObject([{ event: 'call_ended', outcome: 'answered' }]);
});

test.each([
  [
    'a tool that does not exist',
    200,
    -32602,
    'call_ended',
    (g: TestGatehouse, key: string) => g.call(key, 'no_such_tool'),
  ],
  [
    'arguments that call_external_tool cannot read',
    200,
    -32602,
    null,
    (g: TestGatehouse, key: string) => g.call(key, 'call_external_tool', '{"upstream":1}'),
  ],
  ['a body that is no JSON', 400, -32700, 'refused', (g: TestGatehouse, key: string) => g.post(key, '{')],
  [
    'a session that is none',
    404,
    -32001,
    'refused',
    (g: TestGatehouse, key: string) =>
      g.post(key, { jsonrpc: '2.0', id: 1, method: 'ping' }, { headers: { 'mcp-session-id': 'A' } }),
  ],
  [
    'a revision that is none',
    400,
    -32022,
    'refused',
    (g: TestGatehouse, key: string) =>
      g.call(key, 'find_tools', '{}', {
        headers: { 'mcp-protocol-version': '2027-01-01' },
        meta: { 'io.modelcontextprotocol/protocolVersion': '2027-01-01' },
      }),
  ],
  [
    'a path that is none',
    404,
    -32600,
    'refused',
    (g: TestGatehouse, key: string) => g.post(key, INITIALIZE, { path: '/nothing' }),
  ],
  [
    'a type that is none',
    415,
    -32600,
    'refused',
    (g: TestGatehouse, key: string) => g.post(key, INITIALIZE, { headers: { 'content-type': 'text/plain' } }),
  ],
] as const)('the JSON-RPC error of %s carries an id that the log has', async (_what, status, code, event, vector) => {
  await using gatehouse = await startGatehouse();
  const { secret } = await gatehouse.key({ name: 'agent' });
  const answer = await vector(gatehouse, secret);
  expect(answer.status, answer.text).toBe(status);
  expect(answer.message?.error?.code).toBe(code);
  const requestId = quoted(answer);
  if (event === null) return;
  expect(logged(gatehouse, requestId)).toMatchObject([{ event, client: 'agent' }]);
  await gatehouse.audit((all) => all.some((entry) => entry.requestId === requestId));
});

test.each([
  ['a method', 'no/such', {}, -32601],
  ['a prompt', 'prompts/get', { name: 'none' }, -32602],
  ['a resource', 'resources/read', { uri: 'none:none' }, -32602],
  ['a subscription', 'resources/subscribe', { uri: 'none:none' }, -32602],
])('in a session, the error of %s that is none carries an id as well', async (_what, method, params, code) => {
  await using gatehouse = await startGatehouse();
  const { secret } = await gatehouse.key();
  const session = await openLegacySession(gatehouse, secret);
  const asked = { jsonrpc: '2.0', id: 1, method, params };
  const answer = await gatehouse.post(secret, asked, { headers: { 'mcp-session-id': session.id } });
  expect(answer.message?.error, answer.text).toMatchObject({ code });
  quoted(answer);
});

test('what a refusal of the protocol itself carries is kept beside the id', async () => {
  await using gatehouse = await startGatehouse();
  const { secret } = await gatehouse.key();
  const later = { 'io.modelcontextprotocol/protocolVersion': '2027-01-01' };
  const answer = await gatehouse.call(secret, 'find_tools', '{}', {
    headers: { 'mcp-protocol-version': '2027-01-01' },
    meta: later,
  });
  expect(answer.message?.error).toMatchObject({
    data: { supported: ['2026-07-28'], 'gatehouse/requestId': expect.any(String) },
  });
});

test("an upstream's own error is relayed unchanged", async () => {
  await using gatehouse = await startGatehouse();
  await gatehouse.recorder('rec', { risk: 'read' });
  const { secret } = await gatehouse.key();
  const answer = await gatehouse.call(secret, 'rec__rpc_error');
  expect(answer.message?.error, answer.text).toEqual({ code: -32050, message: 'refused' });
  expect(answer.text).not.toContain('gatehouse/requestId');
});

test('whoever shows no key is told no id, and the log has one', async () => {
  await using gatehouse = await startGatehouse();
  const answer = await gatehouse.post('', INITIALIZE);
  expect(answer.status).toBe(401);
  expect(answer.text).not.toContain('gatehouse/requestId');
  const [entry] = (await gatehouse.audit((all) => all.some(({ kind }) => kind === 'unauthorized'))).filter(
    ({ kind }) => kind === 'unauthorized',
  );
  expect(logged(gatehouse, entry?.requestId ?? '')).toMatchObject([{ event: 'refused', kind: 'unauthorized' }]);
});

/** With a keychain a table that is gone is found before anything is looked up in it (core/seals). */
const UNCHECKED: TestOptions = { platform: { keychain: createMemoryKeychain('absent') } };

test('a fault of ours is a 500 with an id, and the log says where; the audit and the others go on', async () => {
  await using gatehouse = await startWithDemo(UNCHECKED);
  const { secret } = await gatehouse.key();
  const broken = new Database(join(gatehouse.folder, 'state.db'));
  broken.exec('ALTER TABLE keys RENAME TO hidden');
  const answer = await gatehouse.call(secret, 'demo__list_notes');
  broken.exec('ALTER TABLE hidden RENAME TO keys');
  broken.close();
  expect(answer.status).toBe(500);
  const requestId = quoted(answer);
  expect(answer.text).toContain(`request ${requestId}`);
  expect(answer.text).not.toContain('no such table');
  expect(logged(gatehouse, requestId)).toMatchObject([
    {
      level: 'error',
      event: 'request_failed',
      fault: 'SqliteError',
      code: 'SQLITE_ERROR',
      at: expect.stringContaining('clients.ts'),
    },
  ]);
  expect((await gatehouse.call(secret, 'demo__list_notes')).status).toBe(200);
});

test('a fault in mid-call is an ending with its class and id, recorded, and never the words of the bug', async () => {
  await using gatehouse = await startWithDemo(UNCHECKED);
  const { secret } = await gatehouse.key();
  const broken = new Database(join(gatehouse.folder, 'state.db'));
  broken.exec('ALTER TABLE policies RENAME TO hidden');
  const answer = await gatehouse.call(secret, 'demo__list_notes');
  broken.exec('ALTER TABLE hidden RENAME TO policies');
  broken.close();
  expect(answer.message?.result, answer.text).toMatchObject({
    isError: true,
    _meta: { 'gatehouse/class': 'internal' },
  });
  expect(answer.text).not.toContain('no such table');
  const requestId = quoted(answer);
  expect(logged(gatehouse, requestId).map(({ event }) => event)).toEqual(['request_failed', 'call_ended']);
  const entry = await eventually(
    async () => (await gatehouse.audit()).find((one) => one.requestId === requestId && one.phase === 'ended') ?? null,
    'the record',
  );
  expect(entry).toMatchObject({ outcome: 'failed', errorClass: 'internal' });
});
