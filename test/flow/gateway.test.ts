import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { expect, test } from 'vitest';
import { eventually, startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';

const META = ['find_tools', 'call_external_tool', 'pin_tool', 'unpin_tool', 'list_pinned_tools'];
const DEMO = [
  'always_fails',
  'change_my_definition',
  'delete_all_notes',
  'list_notes',
  'read_note',
  'slow_count',
  'write_note',
];

async function legacy(gatehouse: TestGatehouse, key: string, path = '/mcp'): Promise<LegacyClient> {
  const client = new LegacyClient({ name: 'old-agent', version: '1' });
  await client.connect(
    new LegacyTransport(new URL(path, gatehouse.core.endpoint), {
      requestInit: { headers: { authorization: `Bearer ${key}` } },
    }),
  );
  return client;
}

async function modern(gatehouse: TestGatehouse, key: string, path = '/mcp'): Promise<ModernClient> {
  const client = new ModernClient(
    { name: 'new-agent', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  await client.connect(
    new ModernTransport(new URL(path, gatehouse.core.endpoint), {
      requestInit: { headers: { authorization: `Bearer ${key}` } },
    }),
  );
  return client;
}

const CONNECTS = [
  ['a client of 2025', legacy],
  ['a client of 2026-07-28', modern],
] as const;

test.each(CONNECTS)('%s lists the five tools, finds one and calls it', async (_era, connect) => {
  await using gatehouse = await startGatehouse();
  const client = await connect(gatehouse, (await gatehouse.key()).secret);
  expect((await client.listTools()).tools.map((tool) => tool.name)).toEqual(META);
  const found = await client.callTool({ name: 'find_tools', arguments: { query: 'list the notes', limit: 1 } });
  expect(found.structuredContent).toMatchObject({
    tools: [{ upstream: 'demo', tool: 'list_notes', decision: 'allow', risk: 'read' }],
  });
  const called = await client.callTool({
    name: 'call_external_tool',
    arguments: { upstream: 'demo', tool: 'list_notes', arguments: {} },
  });
  expect(called.structuredContent).toEqual({ titles: ['welcome', 'shopping'] });
  await client.close();
});

test.each(CONNECTS)('%s reaches one upstream alone under its own names at /u/<upstream>/mcp', async (_era, connect) => {
  await using gatehouse = await startGatehouse();
  const client = await connect(gatehouse, (await gatehouse.key()).secret, '/u/demo/mcp');
  expect((await client.listTools()).tools.map((tool) => tool.name).sort()).toEqual(DEMO);
  expect((await client.callTool({ name: 'list_notes', arguments: {} })).structuredContent).toEqual({
    titles: ['welcome', 'shopping'],
  });
  await expect(client.callTool({ name: 'find_tools', arguments: {} })).rejects.toMatchObject({ code: -32602 });
  await client.close();
});

test.each(CONNECTS)('%s gets progress of a slow tool, and its own sessions and answers', async (_era, connect) => {
  await using gatehouse = await startGatehouse();
  const client = await connect(gatehouse, (await gatehouse.key()).secret, '/u/demo/mcp');
  const told: number[] = [];
  const result = await client.callTool(
    { name: 'slow_count', arguments: { to: 2 } },
    ...(progressOptions(client, (progress) => told.push(progress)) as [never]),
  );
  expect(result.isError ?? false).toBe(false);
  expect(told).toEqual([1, 2]);
  await client.close();
});

/** The two SDKs take the options of a call in different places. */
function progressOptions(client: unknown, onprogress: (progress: number) => void): unknown[] {
  const options = { onprogress: ({ progress }: { progress: number }) => onprogress(progress) };
  return client instanceof LegacyClient ? [undefined, options] : [options];
}

test('a key is good for the address of its own workspace only', async () => {
  await using gatehouse = await startGatehouse();
  await gatehouse.ask('workspaceCreate', { name: 'Work' });
  const personal = await gatehouse.key();
  const work = await gatehouse.key({ workspace: 'Work' });
  const list = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
  };
  expect((await gatehouse.post(personal.secret, list, { path: '/w/personal/mcp' })).status).toBe(200);
  expect((await gatehouse.post(work.secret, list, { path: '/w/work/mcp' })).status).toBe(200);
  expect((await gatehouse.post(work.secret, list, { path: '/w/personal/mcp' })).status).toBe(401);
  const client = await modern(gatehouse, work.secret);
  expect((await client.callTool({ name: 'find_tools', arguments: {} })).structuredContent).toMatchObject({ tools: [] });
  await client.close();
  const [refused] = (await gatehouse.audit((entries) => entries.some((entry) => entry.kind === 'unauthorized'))).filter(
    (entry) => entry.kind === 'unauthorized',
  );
  expect(refused).toMatchObject({ keyPrefix: work.prefix, detail: { reason: 'other_workspace' } });
});

test('wrong, revoked, expired and another workspace: one and the same 401, told apart in the audit', async () => {
  await using gatehouse = await startGatehouse();
  await gatehouse.ask('workspaceCreate', { name: 'Work' });
  const revoked = await gatehouse.key();
  await gatehouse.ask('keyRevoke', { key: revoked.prefix });
  const expired = await gatehouse.key({ expiresInMs: 1_500 });
  const other = await gatehouse.key({ workspace: 'Work' });
  await new Promise((resolve) => setTimeout(resolve, 1_600));
  const wrong = `${revoked.secret.slice(0, -4)}AAAA`;
  const answers = [];
  for (const key of [wrong, revoked.secret, expired.secret, other.secret]) {
    const answer = await gatehouse.post(key, { jsonrpc: '2.0', id: 1, method: 'ping' }, { path: '/w/personal/mcp' });
    answers.push({ status: answer.status, text: answer.text, challenge: answer.headers.get('www-authenticate') });
  }
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect(answers[0]).toMatchObject({
    status: 401,
    text: expect.stringContaining('401 unauthorized'),
    challenge: expect.stringContaining('Bearer'),
  });
  const entries = await gatehouse.audit((all) => all.filter((entry) => entry.kind === 'unauthorized').length === 4);
  expect(entries.filter((entry) => entry.kind === 'unauthorized').map((entry) => entry.detail.reason)).toEqual([
    'wrong',
    'revoked',
    'expired',
    'other_workspace',
  ]);
});

test('a reader lists and finds but does not call; an admin sees health and nothing else', async () => {
  await using gatehouse = await startGatehouse();
  const reader = await gatehouse.key({ role: 'reader' });
  const admin = await gatehouse.key({ role: 'admin' });
  const client = await modern(gatehouse, reader.secret);
  expect((await client.listTools()).tools).toHaveLength(5);
  expect((await client.callTool({ name: 'find_tools', arguments: {} })).isError ?? false).toBe(false);
  const called = await client.callTool({
    name: 'call_external_tool',
    arguments: { upstream: 'demo', tool: 'list_notes' },
  });
  expect(called).toMatchObject({ isError: true, _meta: { 'gatehouse/class': 'policy_denied' } });
  await client.close();

  expect((await gatehouse.call(admin.secret, 'find_tools')).status).toBe(403);
  const health = async (key?: string) =>
    (
      await fetch(new URL('/health', gatehouse.core.endpoint), {
        headers: key ? { authorization: `Bearer ${key}` } : {},
      })
    ).json();
  expect(await health()).toEqual({ status: 'ok' });
  expect(await health(reader.secret)).toEqual({ status: 'ok' });
  expect(await health(admin.secret)).toMatchObject({
    status: 'ok',
    upstreams: [{ name: 'demo', status: 'ready' }],
    database: {},
    queues: {},
    eventLoopDelayMs: {},
    memory: {},
    version: '0.0.0-test',
  });
});

test('scope tags and pins put tools into the list, and a client limited to other upstreams knows nothing of them', async () => {
  await using gatehouse = await startGatehouse();
  const all = await modern(gatehouse, (await gatehouse.key({ scopeTags: ['*'] })).secret);
  const tagged = await modern(gatehouse, (await gatehouse.key({ scopeTags: ['demo'] })).secret);
  const none = await modern(gatehouse, (await gatehouse.key()).secret);
  const limited = await modern(gatehouse, (await gatehouse.key({ scopeTags: ['*'], upstreams: ['other'] })).secret);
  const names = async (client: ModernClient) => (await client.listTools()).tools.map((tool) => tool.name);
  const exposed = DEMO.map((tool) => `demo__${tool}`);
  expect((await names(all)).sort()).toEqual([...META, ...exposed].sort());
  expect((await names(tagged)).sort()).toEqual([...META, ...exposed].sort());
  expect(await names(none)).toEqual(META);
  expect(await names(limited)).toEqual(META);

  await none.callTool({ name: 'pin_tool', arguments: { upstream: 'demo', tool: 'read_note' } });
  expect(await names(none)).toEqual([...META, 'demo__read_note']);
  expect((await none.callTool({ name: 'list_pinned_tools', arguments: {} })).structuredContent).toEqual({
    pinned: ['demo__read_note'],
  });
  await none.callTool({ name: 'unpin_tool', arguments: { upstream: 'demo', tool: 'read_note' } });
  expect(await names(none)).toEqual(META);

  const hidden = await gatehouse.call((await gatehouse.key({ upstreams: ['other'] })).secret, 'demo__list_notes');
  const absent = await gatehouse.call((await gatehouse.key()).secret, 'demo__no_such_tool');
  expect(hidden.message?.error).toEqual({
    code: -32602,
    message: expect.stringContaining('Unknown tool: demo__list_notes'),
    data: { 'gatehouse/requestId': expect.stringMatching(/^[A-Za-z0-9_-]{22}$/) },
  });
  expect(absent.message?.error?.message.replace('no_such_tool', 'list_notes')).toBe(hidden.message?.error?.message);
  await Promise.all([all, tagged, none, limited].map((client) => client.close()));
});

test.each(CONNECTS)('%s hears within a second that reviewed tools are there', async (era, connect) => {
  await using gatehouse = await startGatehouse();
  const { secret } = await gatehouse.key({ scopeTags: ['*'] });
  const client = await connect(gatehouse, secret);
  let changes = 0;
  if (client instanceof LegacyClient) {
    const { ToolListChangedNotificationSchema } = await import('@modelcontextprotocol/sdk/types.js');
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => void changes++);
  } else {
    client.setNotificationHandler('notifications/tools/list_changed', () => void changes++);
    await client.listen({ toolsListChanged: true });
  }
  await gatehouse.recorder('rec');
  await eventually(() => (changes > 0 ? true : null), `a change told to ${era}`, 1000);
  expect((await client.listTools()).tools.map((tool) => tool.name)).toContain('rec__echo');
  await client.close();
});

test('two clients with equal request ids get each their own answers', async () => {
  await using gatehouse = await startGatehouse();
  await gatehouse.recorder('rec', { risk: 'read' });
  const clients = await Promise.all([0, 1].map(async () => legacy(gatehouse, (await gatehouse.key()).secret)));
  await Promise.all(
    clients.flatMap((client, who) =>
      Array.from({ length: 100 }, async (_, index) => {
        const marker = `${who}-${index}`;
        const result = await client.callTool({
          name: 'rec__echo',
          arguments: { text: marker, delayMs: Math.floor(Math.random() * 20) },
        });
        expect(JSON.stringify(result.content)).toContain(marker);
      }),
    ),
  );
  await Promise.all(clients.map((client) => client.close()));
});

test("another key's session does not exist, and a session ends with its key", async () => {
  await using gatehouse = await startGatehouse();
  const mine = await gatehouse.key();
  const other = await gatehouse.key();
  const opened = await gatehouse.post(
    mine.secret,
    {
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
    },
    { headers: { 'mcp-session-id': 'attacker-known' } },
  );
  const session = opened.headers.get('mcp-session-id') ?? '';
  expect(session).toMatch(/^[A-Za-z0-9_-]{43}$/);
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
  const headers = { 'mcp-session-id': session };
  expect((await gatehouse.post(mine.secret, ping, { headers })).status).toBe(200);
  const foreign = await gatehouse.post(other.secret, ping, { headers });
  const unknown = await gatehouse.post(other.secret, ping, { headers: { 'mcp-session-id': 'A'.repeat(43) } });
  const apartFromItsId = (text: string) => text.replace(/"gatehouse\/requestId":"[^"]+"/, '');
  expect([foreign.status, apartFromItsId(foreign.text)]).toEqual([404, apartFromItsId(unknown.text)]);
  expect((await gatehouse.post(mine.secret, ping, { headers, path: '/u/demo/mcp' })).status).toBe(404);

  const stream = await fetch(gatehouse.core.endpoint, {
    headers: { authorization: `Bearer ${mine.secret}`, accept: 'text/event-stream', ...headers },
  });
  expect(stream.status).toBe(200);
  const ended = stream.text().then(
    () => 'ended',
    () => 'ended',
  );
  await gatehouse.ask('keyRevoke', { key: mine.prefix });
  expect(await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 2000, 'still open'))])).toBe('ended');
  expect((await gatehouse.post(mine.secret, ping, { headers })).status).toBe(401);
});
