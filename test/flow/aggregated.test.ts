import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addReviewed, type Listening, startListening, untilReady } from '../support/fixture-upstream.ts';
import { eventually, startGatehouse, type TestGatehouse, type TestKey } from '../support/gatehouse.ts';
import { openLegacySession } from '../support/legacy-session.ts';
import { connectPeer, type Peer } from '../support/peers/clients.ts';
import { GREETED, type Json, PAGE, PROMPTS, RESOURCES, TEMPLATES, TOOLS, WATCHED } from '../support/peers/offer.ts';
import { MODERN_META } from '../support/target.ts';

/* What all upstreams together look like at /mcp: names, resources, order, and what is told of changes. */

const script = fileURLToPath(new URL('../support/peers/legacy-server.ts', import.meta.url));

let gatehouse: TestGatehouse;
let key: TestKey;
let limited: TestKey;
const running: Listening[] = [];

beforeAll(async () => {
  gatehouse = await startGatehouse();
  await gatehouse.ask('policyImport', { yaml: JSON.stringify({ defaultEffect: 'allow', rules: [] }) });
  key = await gatehouse.key({ name: 'agent', scopeTags: ['*'] });
  limited = await gatehouse.key({ name: 'limited', scopeTags: ['*'], upstreams: ['zulu'] });
  // Not in the order of their names.
  await addReviewed(gatehouse, 'zulu', { kind: 'stdio', command: process.execPath, args: [script, 'stdio'] });
  const http = await startListening('peers/modern-server.ts', 'http');
  const fixture = await startListening('conformance/fixture/server.ts');
  running.push(http, fixture);
  await addReviewed(gatehouse, 'alpha', http.url);
  await addReviewed(gatehouse, 'fix', fixture.url);
  await gatehouse.ask('upstreamAdd', {
    name: 'unreviewed',
    transport: { kind: 'stdio', command: process.execPath, args: [script, 'stdio'] },
  });
  await untilReady(gatehouse, 'unreviewed');
}, 60_000);
afterAll(async () => {
  await gatehouse.close();
  for (const each of running) await each[Symbol.asyncDispose]();
});

const LISTS = [
  ['tools/list', 'tools'],
  ['prompts/list', 'prompts'],
  ['resources/list', 'resources'],
  ['resources/templates/list', 'resourceTemplates'],
] as const;
const listOf = async (peer: Peer, method: string, member: string) => (await peer.request(method))[member] as Json[];
const textsOf = (result: Json) => (result.contents as { text: string }[]).map(({ text }) => text);

describe.each(['legacy', 'modern'] as const)('at /mcp, for a %s client', (era) => {
  let peer: Peer;
  beforeAll(async () => {
    peer = await connectPeer(era, gatehouse.core.endpoint, key.secret);
  });
  afterAll(() => peer[Symbol.asyncDispose]());

  test('lists are merged by upstream, in the same order every time', async () => {
    for (const [method, member] of LISTS) {
      const first = await listOf(peer, method, member);
      for (let n = 0; n < 3; n += 1) expect(await listOf(peer, method, member)).toEqual(first);
      await using other = await connectPeer(era, gatehouse.core.endpoint, key.secret);
      expect(await listOf(other, method, member)).toEqual(first);
    }
    const prompts = (await listOf(peer, 'prompts/list', 'prompts')).map(({ name }) => String(name));
    expect(prompts.filter((name) => name.endsWith('__greet'))).toEqual(['alpha__greet', 'zulu__greet']);
    expect(prompts.map((name) => name.split('__')[0])).toEqual(prompts.map((name) => name.split('__')[0]).toSorted());
    const tools = (await listOf(peer, 'tools/list', 'tools')).map(({ name }) => String(name));
    for (const { name } of TOOLS) expect(tools).toEqual(expect.arrayContaining([`alpha__${name}`, `zulu__${name}`]));
    // Two upstreams have each of these: one URI is listed once.
    const uris = (await listOf(peer, 'resources/list', 'resources')).map(({ uri }) => uri);
    for (const { uri } of RESOURCES) expect(uris.filter((one) => one === uri)).toHaveLength(1);
  });

  test('a prompt is got by its exposed name, and completed by it; by its own name there is none', async () => {
    const { messages } = await peer.request('prompts/get', { name: 'zulu__greet', arguments: { who: 'Ada' } });
    expect(messages).toEqual(GREETED.messages);
    const completed = await peer.request('completion/complete', {
      ref: { type: 'ref/prompt', name: 'zulu__greet' },
      argument: { name: 'who', value: 'A' },
    });
    const { values } = completed.completion as { values: string[] };
    expect(JSON.parse(values[0] ?? '').ref).toEqual({ type: 'ref/prompt', name: 'greet' });
    await expect(peer.request('prompts/get', { name: 'greet' })).rejects.toMatchObject({ code: -32602 });
    expect(PROMPTS).toHaveLength(1);
  });

  test('resources resolve: listed, from a template, a page of an app, linked in a result; an unknown one does not', async () => {
    for (const uri of ['peer://plain', 'peer://items/9', PAGE, 'test://static-text']) {
      const read = await peer.request('resources/read', { uri });
      expect(textsOf(read)[0], uri).toMatch(uri === 'test://static-text' ? /^This is the content/ : /^of /);
    }
    const unlinked = era === 'legacy' ? await freshPeer() : peer;
    for (const uri of ['peer://prompted-by-nobody', 'other://x'])
      await expect(unlinked.request('resources/read', { uri })).rejects.toMatchObject({ code: -32602 });
    await unlinked.request('prompts/get', { name: 'zulu__greet', arguments: {} });
    expect(textsOf(await unlinked.request('resources/read', { uri: 'peer://prompted' }))).toEqual([
      'of peer://prompted',
    ]);
    await gatehouse.call(key.secret, 'zulu__show');
    for (const uri of ['peer://linked', 'peer://embedded'])
      expect(textsOf(await unlinked.request('resources/read', { uri }))).toEqual([`of ${uri}`]);
    if (unlinked !== peer) await unlinked[Symbol.asyncDispose]();
  });
  const freshPeer = () => connectPeer(era, gatehouse.core.endpoint, key.secret);

  test('what was linked for one client is not resolved for another', async () => {
    const own = await gatehouse.key({ name: `own-${era}` });
    await using other = await connectPeer(era, gatehouse.core.endpoint, own.secret);
    await expect(other.request('resources/read', { uri: 'peer://linked' })).rejects.toMatchObject({ code: -32602 });
  });

  test('an upstream that was never reviewed shows and does nothing', async () => {
    for (const [method, member] of LISTS)
      expect(JSON.stringify(await listOf(peer, method, member))).not.toContain('unreviewed');
    await using alone = await connectPeer(era, `http://127.0.0.1:${gatehouse.port}/u/unreviewed/mcp`, key.secret);
    for (const [method, member] of LISTS) expect(await listOf(alone, method, member)).toEqual([]);
    await expect(alone.request('resources/read', { uri: 'peer://plain' })).rejects.toMatchObject({ code: -32602 });
    await expect(peer.request('prompts/get', { name: 'unreviewed__greet' })).rejects.toMatchObject({ code: -32602 });
    await expect(alone.request('prompts/get', { name: 'greet' })).rejects.toBeDefined();
  });

  test('a client that sees one upstream lists, reads and hears that one alone', async () => {
    await using one = await connectPeer(era, gatehouse.core.endpoint, limited.secret);
    const names = (await listOf(one, 'prompts/list', 'prompts')).map(({ name }) => name);
    expect(names).toEqual(['zulu__greet']);
    expect(await listOf(one, 'resources/templates/list', 'resourceTemplates')).toHaveLength(TEMPLATES.length);
    await expect(one.request('resources/read', { uri: 'test://static-text' })).rejects.toMatchObject({ code: -32602 });
    await one.watch(WATCHED);
    const updates = () => one.heard.filter(({ method }) => method === 'notifications/resources/updated');
    // The same URI at an upstream it may not see.
    await peer.watch(WATCHED);
    for (let n = 0; n < 3; n += 1) await gatehouse.call(key.secret, 'alpha__touch');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(updates()).toEqual([]);
    await gatehouse.call(key.secret, 'zulu__touch');
    await eventually(() => (updates().length > 0 ? true : null), 'the update');
  });
});

test.each(['legacy', 'modern'] as const)(
  'a change of lists reaches a %s client within a second, and a burst of 20 is told a few times',
  async (era) => {
    const told: { readonly method: string; readonly at: number }[] = [];
    const leave = new AbortController();
    const lines = await listening(era, leave.signal, (method) => told.push({ method, at: performance.now() }));
    const { secret } = await gatehouse.key({ name: `changing-${era}` });
    await eventually(() => (lines.open() ? true : null), 'the stream');
    // Whatever the set-up has changed is told by then.
    await new Promise((resolve) => setTimeout(resolve, 500));
    told.length = 0;
    const trigger = () => gatehouse.call(secret, 'fix__test_trigger_tool_change');
    const burst = Array.from({ length: 20 }, trigger);
    // The tool answers after it has said that its list changed; twenty calls may take a busy machine a second by themselves.
    await Promise.race(burst);
    const changedAt = performance.now();
    await Promise.all(burst);
    const changes = () => told.filter(({ method }) => method === 'notifications/tools/list_changed');
    await eventually(() => (changes().length > 0 ? true : null), 'the change');
    expect((changes()[0]?.at ?? 0) - changedAt).toBeLessThan(1000);
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(changes().length).toBeLessThanOrEqual(5);
    leave.abort();
  },
);

/** The standing stream of a client, read from the wire: of its session, or `subscriptions/listen`. */
async function listening(era: 'legacy' | 'modern', signal: AbortSignal, hear: (method: string) => void) {
  const headers: Record<string, string> = {
    authorization: `Bearer ${key.secret}`,
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
  };
  let response: Response;
  if (era === 'legacy') {
    const { id } = await openLegacySession(gatehouse, key.secret);
    const within = { ...headers, 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' };
    response = await fetch(gatehouse.core.endpoint, { headers: within, signal });
  } else {
    const body = {
      jsonrpc: '2.0',
      id: 'l',
      method: 'subscriptions/listen',
      params: { notifications: { toolsListChanged: true }, _meta: MODERN_META },
    };
    response = await fetch(gatehouse.core.endpoint, {
      method: 'POST',
      headers: { ...headers, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' },
      body: JSON.stringify(body),
      signal,
    });
  }
  const read = async () => {
    for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? [])
      for (const found of text.matchAll(/"method":"([^"]+)"/g)) hear(found[1] ?? '');
  };
  // It ends by our own hand.
  read().catch(() => {});
  return { open: () => response.ok };
}
