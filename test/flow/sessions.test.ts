import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cuttable } from '../support/cuttable.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { addReviewed, startFixture, startListening } from '../support/fixture-upstream.ts';
import {
  eventually,
  startGatehouse,
  type TestGatehouse,
  type TestKey,
  type TestOptions,
} from '../support/gatehouse.ts';
import { openLegacySession } from '../support/legacy-session.ts';
import { wholeLines } from '../support/lines.ts';
import { createMemoryKeychain } from '../support/memory-keychain.ts';

/** The folder outlives each Gatehouse in it, and its keychain does too. */
let folder: string;
let platform: NonNullable<TestOptions['platform']>;
let gatehouse: TestGatehouse;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-sessions-'));
  platform = { keychain: createMemoryKeychain() };
});
afterEach(async () => {
  await gatehouse.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: TestOptions = {}): Promise<TestGatehouse> {
  gatehouse = await startGatehouse({ folder, platform, ...options });
  return gatehouse;
}

/** The whole core closes, and another opens the same folder at the same port. */
async function restart(options: TestOptions = {}): Promise<TestGatehouse> {
  const { port } = gatehouse;
  await gatehouse.close();
  return start({ port, ...options });
}

const PING = { jsonrpc: '2.0', id: 1, method: 'ping' };
const within = (id: string) => ({ headers: { 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' } });
const ping = (key: TestKey, id: string, path = '/mcp') => gatehouse.post(key.secret, PING, { ...within(id), path });

/** The stream of a session, read line by line as it comes. */
async function listen(key: TestKey, id: string): Promise<{ readonly lines: string[]; close(): void }> {
  const leave = new AbortController();
  const response = await fetch(gatehouse.core.endpoint, {
    headers: { authorization: `Bearer ${key.secret}`, accept: 'text/event-stream', ...within(id).headers },
    signal: leave.signal,
  });
  expect(response.status).toBe(200);
  const lines: string[] = [];
  const read = async () => {
    for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) lines.push(...text.split('\n'));
  };
  // It ends by our own hand.
  read().catch(() => {});
  return { lines, close: () => leave.abort() };
}

const listChanges = (lines: readonly string[]) =>
  lines.filter((line) => line.includes('notifications/tools/list_changed'));

/** What lies in the database, straight from the file. */
function stored(): Record<string, unknown>[] {
  const db = new Database(join(folder, 'state.db'), { readonly: true });
  try {
    return db.prepare<[], Record<string, unknown>>('SELECT * FROM sessions').all();
  } finally {
    db.close();
  }
}

test('a client goes on after a restart with the session it has', async () => {
  await start();
  await gatehouse.recorder('rec', { risk: 'read' });
  const key = await gatehouse.key({ name: 'agent' });
  const session = await openLegacySession(gatehouse, key.secret, 'my-agent');
  await session.call('rec__echo', '{"text":"before"}');

  await restart();
  await eventually(
    async () =>
      (await gatehouse.ask('upstreamsList')).find(({ name }) => name === 'rec')?.status === 'ready' ? true : null,
    'the upstream',
  );
  const again = await gatehouse.post(
    key.secret,
    '{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"rec__echo","arguments":{"text":"after"}}}',
    within(session.id),
  );
  expect([again.status, again.message?.result], again.text).toMatchObject([
    200,
    { content: [{ text: '{"text":"after"}' }] },
  ]);
  expect(again.headers.get('mcp-session-id')).toBe(session.id);
  expect((await gatehouse.ask('clientsList')).map(({ callsItself }) => callsItself)).toEqual(['my-agent']);
  const ended = (await gatehouse.audit()).filter(({ phase }) => phase === 'ended');
  expect(new Set(ended.map(({ detail }) => detail.session)).size).toBe(1);
  expect((await gatehouse.audit()).filter(({ outcome }) => outcome === 'refused')).toEqual([]);
});

test('a real client of 2025 notices nothing but its stream: calls work, and changes of the list arrive again', async () => {
  await start();
  const key = await gatehouse.key({ scopeTags: ['*'] });
  const transport = new StreamableHTTPClientTransport(new URL(gatehouse.core.endpoint), {
    requestInit: { headers: { authorization: `Bearer ${key.secret}` } },
    reconnectionOptions: {
      initialReconnectionDelay: 50,
      maxReconnectionDelay: 200,
      reconnectionDelayGrowFactor: 1,
      maxRetries: 100,
    },
  });
  const client = new Client({ name: 'old-agent', version: '1' });
  let changes = 0;
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => void changes++);
  await client.connect(transport);
  const { sessionId } = transport;
  await eventually(async () => {
    await client.callTool({
      name: changes % 2 === 0 ? 'pin_tool' : 'unpin_tool',
      arguments: { upstream: 'demo', tool: 'read_note' },
    });
    return changes > 0 ? true : null;
  }, 'a change told on the stream');

  await restart();
  changes = 0;
  const found = await client.callTool({ name: 'find_tools', arguments: {} });
  expect(found.isError ?? false).toBe(false);
  await eventually(() => (changes > 0 ? true : null), 'that the list may have changed meanwhile');
  changes = 0;
  await gatehouse.recorder('rec');
  await eventually(() => (changes > 0 ? true : null), 'the change of the list');
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain('rec__echo');
  expect(transport.sessionId).toBe(sessionId);
  await client.close();
});

test('the stream of an old session is there at once, says that the list may be another, and then what changes', async () => {
  await start();
  const key = await gatehouse.key();
  const { id } = await openLegacySession(gatehouse, key.secret);
  await restart();
  // The changes of the start itself are over by then.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect((await ping(key, id)).status).toBe(200);
  const stream = await listen(key, id);
  await eventually(() => (listChanges(stream.lines).length > 0 ? true : null), 'the first change');
  const before = listChanges(stream.lines).length;
  const other = await gatehouse.key({ name: 'other' });
  await gatehouse.call(key.secret, 'pin_tool', '{"upstream":"demo","tool":"read_note"}');
  await eventually(() => (listChanges(stream.lines).length > before ? true : null), 'the pin');
  const own = listChanges(stream.lines).length;
  await gatehouse.call(other.secret, 'pin_tool', '{"upstream":"demo","tool":"read_note"}');
  await gatehouse.call(other.secret, 'list_pinned_tools');
  expect(listChanges(stream.lines)).toHaveLength(own);
  stream.close();
});

test('requests that come back all at once share one session', async () => {
  await start();
  const key = await gatehouse.key();
  const { id } = await openLegacySession(gatehouse, key.secret);
  await restart();
  const leave = new AbortController();
  const headers = { authorization: `Bearer ${key.secret}`, accept: 'text/event-stream', ...within(id).headers };
  const [pings, streams] = await Promise.all([
    Promise.all(Array.from({ length: 20 }, (_, n) => gatehouse.post(key.secret, { ...PING, id: n }, within(id)))),
    Promise.all(Array.from({ length: 5 }, () => fetch(gatehouse.core.endpoint, { headers, signal: leave.signal }))),
  ]);
  expect(pings.map(({ status, message }) => [status, message?.id])).toEqual(
    Array.from({ length: 20 }, (_, n) => [200, n]),
  );
  // One session has one stream; two sessions of one id would have two.
  expect(streams.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409]);
  leave.abort();
});

test("after a restart another key's session does not exist either, nor at another address, nor without a key", async () => {
  await start();
  const mine = await gatehouse.key();
  const other = await gatehouse.key();
  const { id } = await openLegacySession(gatehouse, mine.secret);
  await restart();
  const apartFromItsId = (text: string) => text.replace(/"gatehouse\/requestId":"[^"]+"/, '');
  const foreign = await ping(other, id);
  const unknown = await ping(other, 'A'.repeat(43));
  expect([foreign.status, apartFromItsId(foreign.text)]).toEqual([404, apartFromItsId(unknown.text)]);
  expect((await ping(mine, id, '/u/demo/mcp')).status).toBe(404);
  expect((await gatehouse.post('', PING, within(id))).status).toBe(401);
  // Once it is taken up, nothing of that changes.
  expect((await ping(mine, id)).status).toBe(200);
  expect((await ping(other, id)).status).toBe(404);
  expect((await ping(mine, id, '/u/demo/mcp')).status).toBe(404);
});

test('a session of one upstream alone is taken up there', async () => {
  await start();
  const key = await gatehouse.key();
  const opened = await gatehouse.post(
    key.secret,
    {
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: { protocolVersion: '2025-06-18', capabilities: { roots: {} }, clientInfo: { name: 'x', version: '1' } },
    },
    { path: '/u/demo/mcp' },
  );
  const id = opened.headers.get('mcp-session-id') ?? '';
  await restart();
  expect((await ping(key, id)).status).toBe(404);
  expect((await ping(key, id, '/u/demo/mcp')).status).toBe(200);
  expect(stored()).toMatchObject([{ upstream: 'demo', revision: '2025-06-18', capabilities: '{"roots":{}}' }]);
});

test('a session that its client ended, or whose key was revoked, does not come back', async () => {
  await start();
  const key = await gatehouse.key();
  const revoked = await gatehouse.key();
  const ended = await openLegacySession(gatehouse, key.secret);
  const kept = await openLegacySession(gatehouse, key.secret);
  await openLegacySession(gatehouse, revoked.secret);
  await eventually(() => (stored().length === 3 ? true : null), 'the sessions in the file');
  const bye = await fetch(gatehouse.core.endpoint, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${key.secret}`, ...within(ended.id).headers },
  });
  expect(bye.status).toBe(200);
  await gatehouse.ask('keyRevoke', { key: revoked.prefix });
  expect(stored()).toHaveLength(1);
  await restart();
  expect((await ping(key, ended.id)).status).toBe(404);
  expect((await ping(key, kept.id)).status).toBe(200);
});

test('the file holds no id that somebody could go on with', async () => {
  await start();
  const key = await gatehouse.key();
  const { id } = await openLegacySession(gatehouse, key.secret);
  await restart();
  const [row] = stored();
  expect(row?.id_sha256).toHaveLength(32);
  expect(JSON.stringify(row)).not.toContain(id);
  expect(JSON.stringify(row)).not.toContain(Buffer.from(id, 'base64url').toString('hex'));
  expect((await ping(key, Buffer.from(row?.id_sha256 as Buffer).toString('base64url'))).status).toBe(404);
});

test('what a client set in its session is kept: its log level', async () => {
  await start();
  const key = await gatehouse.key();
  const { id } = await openLegacySession(gatehouse, key.secret);
  await gatehouse.post(
    key.secret,
    { jsonrpc: '2.0', id: 5, method: 'logging/setLevel', params: { level: 'warning' } },
    within(id),
  );
  await restart();
  expect(stored()).toMatchObject([{ log_level: 'warning' }]);
  expect((await ping(key, id)).status).toBe(200);
  await restart();
  expect(stored()).toMatchObject([{ log_level: 'warning' }]);
});

test('nothing is written per request', async () => {
  await start();
  const key = await gatehouse.key();
  const { id } = await openLegacySession(gatehouse, key.secret);
  await eventually(() => (stored().length === 1 ? true : null), 'the session in the file');
  const db = new Database(join(folder, 'state.db'), { readonly: true });
  const version = () => db.pragma('data_version', { simple: true });
  const before = version();
  for (let n = 0; n < 20; n += 1) expect((await ping(key, id)).status).toBe(200);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(version()).toBe(before);
  db.close();
});

test('a session used within 30 days is there; one unused for longer is forgotten, running or not', async () => {
  const clock = fakeClock();
  const day = 24 * 3_600_000;
  await start({ clock });
  const key = await gatehouse.key();
  const used = await openLegacySession(gatehouse, key.secret);
  const unused = await openLegacySession(gatehouse, key.secret);
  await clock.advance(20 * day);
  expect((await ping(key, used.id)).status).toBe(200);
  await clock.advance(29 * day);
  expect((await ping(key, unused.id)).status).toBe(404);
  await restart({ clock });
  expect((await ping(key, used.id)).status).toBe(200);
  expect((await ping(key, unused.id)).status).toBe(404);
  expect(stored()).toHaveLength(2);
  await clock.advance(1000);
  // With the next one that is written, the old one goes.
  expect(stored()).toHaveLength(1);
});

test('a machine that slept for eight hours, by whichever clock, goes on with its session and hears what changes', async () => {
  const clock = fakeClock();
  await start({ clock });
  const key = await gatehouse.key({ scopeTags: ['*'] });
  const { id, call } = await openLegacySession(gatehouse, key.secret);
  const stream = await listen(key, id);
  await gatehouse.ask('policyImport', { yaml: JSON.stringify({ defaultEffect: 'allow', rules: [] }) });
  // Some machines count a sleep into the time since their start, others do not: then only the date has moved.
  clock.set(clock.now() + 8 * 3_600_000);
  expect((await ping(key, id)).status).toBe(200);
  await clock.advance(8 * 3_600_000);
  expect((await call('demo__list_notes')).message?.result, 'no new handshake').toMatchObject({
    content: expect.anything(),
  });
  const before = listChanges(stream.lines).length;
  const tools = await gatehouse.ask('toolsList', { upstream: 'demo' });
  expect((await call('pin_tool', `{"upstream":"demo","tool":"${tools[0]?.name}"}`)).message?.result).toBeDefined();
  await eventually(() => (listChanges(stream.lines).length > before ? true : null), 'the change on the old stream');
  stream.close();
});

test('after a change of network every connection is another, and the session goes on: nothing is told to connect anew', async () => {
  await start();
  await gatehouse.ask('policyImport', { yaml: JSON.stringify({ defaultEffect: 'allow', rules: [] }) });
  const key = await gatehouse.key({ scopeTags: ['*'] });
  const record = join(folder, 'remote.jsonl');
  await using server = await startListening('recorder-http.mjs', record);
  await using way = await cuttable(Number(new URL(server.url).port));
  await addReviewed(gatehouse, 'remote', `http://127.0.0.1:${way.port}/mcp`);
  const { id, call } = await openLegacySession(gatehouse, key.secret);
  const stream = await listen(key, id);
  const echo = async (text: string) => (await call('remote__echo', `{"text":"${text}"}`)).message?.result;
  expect(await echo('before')).toMatchObject({ content: [{ text: '{"text":"before"}' }] });

  expect(way.cut()).toBeGreaterThan(0);
  stream.close();

  expect(await echo('after')).toMatchObject({ content: [{ text: '{"text":"after"}' }] });
  const calls = wholeLines(record).filter((line) => line.includes('\\"after\\"'));
  expect(calls, 'made once').toHaveLength(1);
  const again = await listen(key, id);
  await eventually(() => (listChanges(again.lines).length > 0 ? true : null), 'that the list may be another');
  const before = listChanges(again.lines).length;
  await gatehouse.ask('upstreamDisable', { upstream: 'remote' });
  await eventually(() => (listChanges(again.lines).length > before ? true : null), 'the change on the new stream');
  again.close();
});

test('a change that nobody heard is told once when the stream is taken up, the first time and again', async () => {
  // Time stands still, so that no change but these is told.
  await start({ clock: fakeClock() });
  const key = await gatehouse.key({ scopeTags: ['*'] });
  const { id, call } = await openLegacySession(gatehouse, key.secret);
  const pin = async (name: 'pin_tool' | 'unpin_tool') =>
    expect((await call(name, '{"upstream":"demo","tool":"read_note"}')).message?.result).not.toHaveProperty('isError');
  const TOLD = ['tools', 'prompts', 'resources'].map((what) => `notifications/${what}/list_changed`);
  for (const name of ['pin_tool', 'unpin_tool'] as const) {
    await pin(name);
    // One session has one stream: the gateway may not have seen yet that the last one ended.
    const stream = await eventually(() => listen(key, id).catch(() => null), 'the stream');
    const told = () =>
      stream.lines.flatMap((line) => (line.startsWith('data: {') ? [JSON.parse(line.slice(6)).method] : []));
    await eventually(() => (told().length >= 3 ? true : null), `what ${name} changed`);
    expect(told()).toEqual(TOLD);
    stream.close();
  }
});

test('a database that cannot be written costs a session its survival, not its life', async () => {
  await start();
  const key = await gatehouse.key();
  const db = new Database(join(folder, 'state.db'));
  db.exec('ALTER TABLE sessions RENAME TO hidden');
  const { id } = await openLegacySession(gatehouse, key.secret);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect((await ping(key, id)).status).toBe(200);
  db.exec('ALTER TABLE hidden RENAME TO sessions');
  db.close();
  expect(stored()).toEqual([]);
  await restart();
  expect((await ping(key, id)).status).toBe(404);
});

describe('an id that is still in flight', () => {
  test('is refused in its session, and the call that has it gets its answer; afterwards it is free', async () => {
    await start();
    const recorder = await gatehouse.recorder('rec', { risk: 'read' });
    const key = await gatehouse.key({ name: 'agent' });
    const session = await openLegacySession(gatehouse, key.secret);
    const first = session.call('rec__slow', '{"ms":600}', 7);
    await eventually(() => (recorder.calls().length > 0 ? true : null), 'the first call');
    const second = await session.call('rec__echo', '{"text":"second"}', 7);
    expect([second.status, second.message]).toMatchObject([
      400,
      { id: 7, error: { code: -32600, message: 'A request with this id is still in flight in this session.' } },
    ]);
    // The same number as text is another id.
    const asText = await gatehouse.post(key.secret, { ...PING, id: '7' }, within(session.id));
    expect([asText.status, asText.message?.id]).toEqual([200, '7']);
    expect((await first).message).toMatchObject({ id: 7, result: { content: [{ text: 'took 600' }] } });
    expect(recorder.calls()).toHaveLength(1);
    const third = await session.call('rec__echo', '{"text":"third"}', 7);
    expect(third.message).toMatchObject({ id: 7, result: { content: [{ text: '{"text":"third"}' }] } });
    const refused = (await gatehouse.audit()).filter(({ outcome }) => outcome === 'refused');
    expect(refused).toMatchObject([{ kind: 'message_rejected', client: 'agent' }]);
  });

  test('does not matter to another session of the same key', async () => {
    await start();
    const recorder = await gatehouse.recorder('rec', { risk: 'read' });
    const key = await gatehouse.key();
    const [one, other] = [
      await openLegacySession(gatehouse, key.secret),
      await openLegacySession(gatehouse, key.secret),
    ];
    const first = one.call('rec__slow', '{"ms":400}', 7);
    await eventually(() => (recorder.calls().length > 0 ? true : null), 'the first call');
    const second = await other.call('rec__echo', '{"text":"mine"}', 7);
    expect(second.message?.result).toMatchObject({ content: [{ text: '{"text":"mine"}' }] });
    expect((await first).message?.result).toMatchObject({ content: [{ text: 'took 400' }] });
  });

  test('is free again once the call was cancelled, whose stream ends without an answer', async () => {
    await start();
    const recorder = await gatehouse.recorder('rec', { risk: 'read' });
    const key = await gatehouse.key();
    const session = await openLegacySession(gatehouse, key.secret);
    const first = session.call('rec__never', '{}', 7);
    await eventually(() => (recorder.calls().length > 0 ? true : null), 'the first call');
    const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } };
    expect((await gatehouse.post(key.secret, cancel, within(session.id))).status).toBe(202);
    expect(await first).toMatchObject({ status: 200, message: null });
    const again = await session.call('rec__echo', '{"text":"again"}', 7);
    expect(again.message?.result).toMatchObject({ content: [{ text: '{"text":"again"}' }] });
  });

  test('is free again when the message was refused before it became a request', async () => {
    await start();
    const key = await gatehouse.key();
    const { id } = await openLegacySession(gatehouse, key.secret);
    const { headers } = within(id);
    const unfit = await gatehouse.post(key.secret, PING, { headers: { ...headers, accept: 'text/plain' } });
    expect(unfit.status).toBe(406);
    expect((await ping(key, id)).status).toBe(200);
  });
});

describe('subscriptions', () => {
  const subscribe = (key: TestKey, id: string, method: string, uri: string) =>
    gatehouse.post(key.secret, { jsonrpc: '2.0', id: 3, method, params: { uri } }, within(id));
  const updated = (lines: readonly string[]) =>
    lines.filter((line) => line.includes('notifications/resources/updated')).map((line) => line.slice('data: '.length));
  const WATCHED = 'test://watched-resource';

  test('are kept over a restart: nobody subscribes again, and changes arrive; what was given up stays so', async () => {
    await start();
    await using fixture = await startFixture();
    await addReviewed(gatehouse, 'fix', fixture.url);
    const key = await gatehouse.key();
    const [kept, ended] = [
      await openLegacySession(gatehouse, key.secret),
      await openLegacySession(gatehouse, key.secret),
    ];
    for (const { id } of [kept, ended])
      expect((await subscribe(key, id, 'resources/subscribe', WATCHED)).message).toMatchObject({ result: {} });
    expect((await subscribe(key, kept.id, 'resources/subscribe', 'test://none')).message).toMatchObject({
      error: { code: -32602 },
    });
    expect((await subscribe(key, ended.id, 'resources/unsubscribe', WATCHED)).message).toMatchObject({ result: {} });
    await eventually(
      () => (stored().every(({ subscriptions }) => subscriptions !== undefined) ? true : null),
      'the sessions in the file',
    );

    await restart();
    const streams = [await listen(key, kept.id), await listen(key, ended.id)] as const;
    // What changed while nobody listened is not known.
    await eventually(() => (updated(streams[0].lines).length === 1 ? true : null), 'that it may have changed');
    await eventually(
      async () =>
        (await gatehouse.ask('upstreamsList')).find(({ name }) => name === 'fix')?.status === 'ready' ? true : null,
      'the upstream',
    );
    await gatehouse.call(key.secret, 'fix__test_trigger_resource_change');
    await eventually(() => (updated(streams[0].lines).length === 2 ? true : null), 'the change');
    expect(updated(streams[0].lines).map((line) => JSON.parse(line).params)).toEqual([
      { uri: WATCHED },
      { uri: WATCHED },
    ]);
    expect(updated(streams[1].lines)).toEqual([]);
    for (const stream of streams) stream.close();
  });

  test('of an upstream that the client may no longer see are not taken up again', async () => {
    await start();
    await using fixture = await startFixture();
    await addReviewed(gatehouse, 'fix', fixture.url);
    const key = await gatehouse.key();
    const { id } = await openLegacySession(gatehouse, key.secret);
    await subscribe(key, id, 'resources/subscribe', WATCHED);
    await gatehouse.ask('clientSet', { client: key.clientId, upstreams: ['demo'] });
    await restart();
    const stream = await listen(key, id);
    await eventually(() => (listChanges(stream.lines).length > 0 ? true : null), 'the session');
    const other = await gatehouse.key({ name: 'other' });
    await eventually(
      async () =>
        (await gatehouse.ask('upstreamsList')).find(({ name }) => name === 'fix')?.status === 'ready' ? true : null,
      'the upstream',
    );
    await gatehouse.call(other.secret, 'fix__test_trigger_resource_change');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(updated(stream.lines)).toEqual([]);
    stream.close();
  });
});
