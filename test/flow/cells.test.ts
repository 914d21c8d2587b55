import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fakeClock } from '../support/fake-clock.ts';
import { addReviewed, type Listening, startListening } from '../support/fixture-upstream.ts';
import { eventually, type Recorder, startGatehouse, type TestGatehouse, type TestKey } from '../support/gatehouse.ts';
import { wholeLines } from '../support/lines.ts';
import { ALL, ANSWERS, connectPeer, type Peer } from '../support/peers/clients.ts';
import { GREETED, type Json, PROMPTS, RESOURCES, SHOWN, TEMPLATES, TOOLS, WATCHED } from '../support/peers/offer.ts';
import { MODERN_META } from '../support/target.ts';

/*
 * Each client era against each kind of upstream, with the official SDK on both ends: the first line (v1) where an end is
 * legacy, the second (v2) where it is modern. docs/protocol.md is the table of what these tests hold.
 */

const script = (name: string) => fileURLToPath(new URL(`../support/peers/${name}`, import.meta.url));
const stdio = (name: string, ...words: string[]) => ({
  kind: 'stdio' as const,
  command: process.execPath,
  args: [script(name), 'stdio', ...words],
});

let gatehouse: TestGatehouse;
let key: TestKey;
const running: Listening[] = [];

beforeAll(async () => {
  gatehouse = await startGatehouse();
  key = await gatehouse.key({ name: 'agent' });
  await gatehouse.ask('policyImport', { yaml: JSON.stringify({ defaultEffect: 'allow', rules: [] }) });
  for (const era of ['legacy', 'modern']) {
    const http = await startListening(`peers/${era}-server.ts`, 'http');
    running.push(http);
    await addReviewed(gatehouse, `${era}-http`, http.url);
    await addReviewed(gatehouse, `${era}-stdio`, stdio(`${era}-server.ts`));
  }
  await addReviewed(gatehouse, 'dual-stdio', stdio('modern-server.ts', 'dual'));
  const dual = await startListening('conformance/fixture/server.ts');
  running.push(dual);
  await addReviewed(gatehouse, 'dual-http', dual.url);
}, 60_000);
afterAll(async () => {
  await gatehouse.close();
  for (const each of running) await each[Symbol.asyncDispose]();
});

const endpoint = (upstream: string) => `http://127.0.0.1:${gatehouse.port}/u/${upstream}/mcp`;
const call = (peer: Peer, name: string, args: Json = {}, options = {}) =>
  peer.request('tools/call', { name, arguments: args }, options);
const textOf = (result: Json) => JSON.parse((result.content as { text: string }[])[0]?.text ?? 'null');
/** What each hop adds of its own. */
function withoutOurs(given: unknown): unknown {
  if (Array.isArray(given)) return given.map(withoutOurs);
  if (typeof given !== 'object' || given === null) return given;
  const { _meta, ttlMs, cacheScope, resultType, ...rest } = given as Json;
  if (_meta === undefined) return rest;
  const meta = Object.fromEntries(
    Object.entries(_meta as Json).filter(([name]) => !/^(gatehouse|io\.modelcontextprotocol)\//.test(name)),
  );
  return Object.keys(meta).length === 0 ? rest : { ...rest, _meta: meta };
}
const form = {
  mode: 'form',
  message: 'Who?',
  requestedSchema: { type: 'object', properties: { name: { type: 'string' } } },
};
const QUESTIONS = {
  form: { method: 'elicitation/create', params: form },
  url: {
    method: 'elicitation/create',
    params: { mode: 'url', message: 'There.', url: 'https://example.com/a?b=c', elicitationId: 'e1' },
  },
  sampled: {
    method: 'sampling/createMessage',
    params: {
      messages: [{ role: 'user', content: { type: 'text', text: 'Say.' } }],
      maxTokens: 5,
      tools: [{ name: 'look', inputSchema: { type: 'object' } }],
      toolChoice: { mode: 'auto' },
    },
  },
  roots: { method: 'roots/list', params: {} },
} as const;

const CELLS = (['legacy', 'modern'] as const).flatMap((client) =>
  ['legacy-http', 'legacy-stdio', 'modern-http', 'modern-stdio', 'dual-stdio'].map((upstream) => ({
    client,
    upstream,
  })),
);

describe.each(CELLS)('a $client client with $upstream', ({ client, upstream }) => {
  let peer: Peer;
  beforeAll(async () => {
    peer = await connectPeer(client, endpoint(upstream), key.secret);
  });
  afterAll(() => peer[Symbol.asyncDispose]());

  test('tools, prompts, resources and templates are listed with every member they have', async () => {
    const lists = [
      ['tools/list', 'tools', TOOLS],
      ['prompts/list', 'prompts', PROMPTS],
      ['resources/list', 'resources', RESOURCES],
      ['resources/templates/list', 'resourceTemplates', TEMPLATES],
    ] as const;
    for (const [method, member, offered] of lists) {
      const listed = (await peer.request(method))[member] as Json[];
      const byName = (all: readonly Json[]) => all.toSorted((a, b) => (String(a.name) < String(b.name) ? -1 : 1));
      expect(byName(listed).map(withoutOurs)).toEqual(byName(offered));
    }
    expect(peer.capabilities()).toMatchObject({
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      completions: {},
      logging: {},
    });
  });

  test('a result comes through with structured content, unknown content types and unknown members', async () => {
    // The second line of the SDK takes no content type it does not know, so its client is not the one that looks.
    const shown =
      client === 'legacy'
        ? await call(peer, 'show')
        : (await gatehouse.call(key.secret, 'show', '{}', { path: `/u/${upstream}/mcp` })).message?.result;
    expect(withoutOurs(shown)).toEqual(SHOWN);
  });

  test('what the client sends comes through: arguments, _meta, and nothing of the hop before', async () => {
    const sent = { text: 'x', deep: [{ unheardOf: null }] };
    const result = await peer.request('tools/call', {
      name: 'received',
      arguments: sent,
      _meta: { 'example.com/trace': { id: 1 } },
    });
    expect(textOf(result)).toMatchObject({
      params: { name: 'received', arguments: sent },
      meta: { 'example.com/trace': { id: 1 } },
    });
  });

  test('prompts, resources and completions are answered as the upstream answers', async () => {
    expect(withoutOurs(await peer.request('prompts/get', { name: 'greet', arguments: { who: 'Ada' } }))).toEqual(
      GREETED,
    );
    expect(withoutOurs(await peer.request('resources/read', { uri: 'peer://items/7' }))).toMatchObject({
      contents: [{ uri: 'peer://items/7', text: 'of peer://items/7', unheardOf: 1 }],
    });
    const completion = await peer.request('completion/complete', {
      ref: { type: 'ref/prompt', name: 'greet' },
      argument: { name: 'who', value: 'A' },
      context: { arguments: { other: 'x' } },
    });
    const { values } = completion.completion as { values: string[] };
    expect(JSON.parse(values[0] ?? '')).toMatchObject({
      ref: { type: 'ref/prompt', name: 'greet' },
      argument: { name: 'who', value: 'A' },
      context: { arguments: { other: 'x' } },
    });
  });

  test("the upstream's own error comes through with code, words and data", async () => {
    const failing = call(peer, 'error');
    await expect(failing).rejects.toMatchObject({ code: -32050, message: expect.stringContaining('Its own words.') });
  });

  test('progress is told step by step, and only to whoever asked for it', async () => {
    const told: Json[] = [];
    const result = await call(peer, 'steps', {}, { onprogress: (progress: Json) => void told.push(progress) });
    expect(textOf(result)).toBe('done');
    expect(told).toMatchObject([1, 2, 3].map((progress) => ({ progress, total: 3, message: `step ${progress}` })));
  });

  test('a call that its client cancels is cancelled upstream', async () => {
    const before = textOf(await call(peer, 'was_cancelled'));
    const leave = new AbortController();
    const hanging = call(peer, 'hang', {}, { signal: leave.signal });
    setTimeout(() => leave.abort(), 200);
    await expect(hanging).rejects.toBeDefined();
    await eventually(
      async () => (textOf(await call(peer, 'was_cancelled')) > before ? true : null),
      'the cancellation',
    );
  });

  test('form, URL, sampling with tools and roots are asked of the client, and its answers come back', async () => {
    const from = peer.asked.length;
    const result = await call(peer, 'ask', { questions: QUESTIONS });
    expect(withoutOurs(textOf(result))).toEqual({
      form: ANSWERS['elicitation/create'],
      url: ANSWERS['elicitation/create'],
      sampled: ANSWERS['sampling/createMessage'],
      roots: ANSWERS['roots/list'],
    });
    const asked = peer.asked.slice(from).map(({ method, params }) => ({ method, params: withoutOurs(params) }));
    for (const question of [QUESTIONS.form, QUESTIONS.sampled])
      expect(asked).toContainEqual({ method: question.method, params: question.params });
    expect(asked).toContainEqual({
      method: 'elicitation/create',
      params: expect.objectContaining({ mode: 'url', message: 'There.', url: 'https://example.com/a?b=c' }),
    });
    expect(asked.filter(({ method }) => method === 'roots/list')).toHaveLength(1);
  });

  test('a second question may follow the first answer', async () => {
    const result = await call(peer, 'ask_twice', { question: QUESTIONS.form });
    expect(withoutOurs(textOf(result))).toEqual({
      one: ANSWERS['elicitation/create'],
      two: ANSWERS['elicitation/create'],
    });
  });

  test('log messages arrive from the level on that the client asked for', async () => {
    await peer.setLevel('warning');
    const from = peer.heard.length;
    await call(peer, 'log');
    const levels = () =>
      peer.heard
        .slice(from)
        .filter(({ method }) => method === 'notifications/message')
        .map(({ params }) => params);
    await eventually(() => (levels().length >= 2 ? true : null), 'the messages');
    expect(levels()).toMatchObject(
      ['warning', 'error'].map((level) => ({ level, logger: 'peer', data: { level }, unheardOf: 1 })),
    );
  });

  test('a resource that is watched is told of when it changes', async () => {
    await peer.watch(WATCHED);
    // A listening stream is open a moment after it was asked for.
    await eventually(async () => {
      await call(peer, 'touch', { uri: WATCHED });
      return peer.heard.some(({ method }) => method === 'notifications/resources/updated') ? true : null;
    }, 'the update');
    const updates = peer.heard.filter(({ method }) => method === 'notifications/resources/updated');
    expect(new Set(updates.map(({ params }) => params.uri))).toEqual(new Set([WATCHED]));
  });

  test('a client that declared nothing is asked nothing, and the upstream is told so', async () => {
    await using plain = await connectPeer(client, endpoint(upstream), key.secret, {});
    const asking = call(plain, 'ask', { questions: { form: QUESTIONS.form } });
    const outcome = await asking.then(textOf, (error: { code: number }) => error.code);
    expect(outcome).toEqual(upstream.startsWith('legacy') ? { form: { refused: -32601 } } : -32021);
    expect(plain.asked).toEqual([]);
    if (upstream === 'legacy-stdio') return;
    const { capabilities } = textOf(await call(plain, 'received'));
    expect(capabilities).toEqual({});
    expect(textOf(await call(peer, 'received')).capabilities).toEqual(ALL);
  });
});

test.each(['legacy', 'modern'] as const)(
  'an upstream over HTTP that speaks both eras is called in the era of a %s client',
  async (client) => {
    await using peer = await connectPeer(client, endpoint('dual-http'), key.secret);
    const result = await call(peer, 'test_input_required_result_elicitation');
    expect(result.content).toMatchObject([{ text: 'Hello, Ada!' }]);

    const file = join(gatehouse.folder, `dual-${client}.jsonl`);
    await using recorder = await startListening('recorder-http.mjs', file, '--era=dual');
    await addReviewed(gatehouse, `eras-${client}`, recorder.url);
    await using other = await connectPeer(client, endpoint(`eras-${client}`), key.secret);
    await call(other, 'echo', { text: 'which' });
    const sent = wholeLines(file)
      .filter((line) => line.includes('which'))
      .map((line) => JSON.parse(line) as { headers: Record<string, string>; body: string });
    expect(sent).toHaveLength(1);
    expect(sent[0]?.headers['mcp-protocol-version']).toBe(client === 'modern' ? '2026-07-28' : '2025-11-25');
    expect('mcp-session-id' in (sent[0]?.headers ?? {})).toBe(client === 'legacy');
    expect(sent[0]?.body.includes('io.modelcontextprotocol/protocolVersion')).toBe(client === 'modern');
  },
);

test('a change of roots is told to the legacy upstream links of that session, if its client declared that it may', async () => {
  const CHANGED = 'notifications/roots/list_changed';
  const file = join(gatehouse.folder, 'roots.jsonl');
  await using recorder = await startListening('recorder-http.mjs', file);
  await addReviewed(gatehouse, 'roots', recorder.url);
  await using one = await connectPeer('legacy', endpoint('roots'), key.secret);
  await using other = await connectPeer('legacy', endpoint('roots'), key.secret);
  await using silent = await connectPeer('legacy', endpoint('roots'), key.secret, { roots: {} });
  await call(one, 'echo', { text: 'of one' });
  await call(other, 'echo', { text: 'of other' });
  await call(silent, 'echo', { text: 'of silent' });
  const sessionsOf = (what: string) =>
    wholeLines(file)
      .filter((line) => line.includes(what))
      .map((line) => (JSON.parse(line) as { headers: Record<string, string> }).headers['mcp-session-id']);
  await silent.notify(CHANGED);
  await one.notify(CHANGED);
  await eventually(async () => (sessionsOf(CHANGED).length > 0 ? true : null), 'the change of roots');
  await call(silent, 'echo', { text: 'after' });
  expect(sessionsOf(CHANGED)).toEqual(sessionsOf('of one'));
  expect(new Set(['of one', 'of other', 'of silent'].flatMap(sessionsOf)).size).toBe(3);
});

describe('a call of a modern client that a legacy upstream asks something', () => {
  const asking =
    '{"method":"elicitation/create","params":{"mode":"form","message":"Who?","requestedSchema":{"type":"object","properties":{}}}}';
  const meta = { 'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } } };
  const ask = (g: TestGatehouse, secret: string) => g.call(secret, 'rec__ask_client', asking, { meta });
  const retry = (g: TestGatehouse, secret: string, state: unknown, inputResponses: Json, more: Json = {}) =>
    g.post(
      secret,
      {
        jsonrpc: '2.0',
        id: 77,
        method: 'tools/call',
        params: {
          name: 'rec__ask_client',
          arguments: JSON.parse(asking),
          requestState: state,
          inputResponses,
          _meta: { ...MODERN_META, ...meta },
          ...more,
        },
      },
      { headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'rec__ask_client' } },
    );
  async function setUp(clock = fakeClock()) {
    const g = await startGatehouse({ clock });
    const recorder = await g.recorder('rec', { risk: 'read' });
    const { secret } = await g.key({ name: 'modern' });
    return { g, clock, recorder, secret };
  }
  const answersTo = (result: Json | undefined): Json =>
    Object.fromEntries(
      Object.keys((result?.inputRequests ?? {}) as Json).map((name) => [name, { action: 'accept', content: { a: 1 } }]),
    );
  const cancelled = (recorder: Recorder) =>
    recorder.events().filter(({ raw }) => raw?.includes('notifications/cancelled'));
  const ofCall = async (g: TestGatehouse) =>
    (await g.audit()).filter(({ kind, phase }) => kind === 'tool_call' && phase !== 'event');

  test('is parked, and goes on with the retry: one call upstream, one record', async () => {
    const { g, clock, recorder, secret } = await setUp();
    const first = (await ask(g, secret)).message?.result;
    expect(first).toMatchObject({ resultType: 'input_required', requestState: expect.any(String) });
    expect(Object.values((first?.inputRequests ?? {}) as Json)).toMatchObject([
      { method: 'elicitation/create', params: { message: 'Who?' } },
    ]);
    // A person may think for longer than the upstream may be silent.
    await clock.advance(200_000);
    const second = (await retry(g, secret, first?.requestState, answersTo(first))).message?.result;
    expect(second?.content).toMatchObject([{ text: '{"action":"accept","content":{"a":1}}' }]);
    expect(recorder.calls()).toHaveLength(1);
    const entries = await eventually(async () => {
      const own = await ofCall(g);
      return own.some(({ phase }) => phase === 'ended') ? own : null;
    }, 'the record');
    expect(entries.map(({ phase, outcome }) => [phase, outcome])).toEqual([
      ['forwarded', null],
      ['ended', 'answered'],
    ]);
    await g.close();
  });

  test('is ended by the time limit: cancelled upstream, its record closed, and the state good for nothing', async () => {
    const { g, clock, recorder, secret } = await setUp();
    const first = (await ask(g, secret)).message?.result;
    await clock.advance(299_000);
    expect(cancelled(recorder)).toEqual([]);
    expect((await ofCall(g)).map(({ phase }) => phase)).toEqual(['forwarded']);
    await clock.advance(1_000);
    await eventually(() => (cancelled(recorder).length === 1 ? true : null), 'the cancellation');
    const entries = await eventually(async () => {
      const own = await ofCall(g);
      return own.some(({ phase }) => phase === 'ended') ? own : null;
    }, 'the record');
    expect(entries.at(-1)).toMatchObject({ phase: 'ended', outcome: 'cancelled' });
    const late = await retry(g, secret, first?.requestState, answersTo(first));
    expect(late.message?.error).toMatchObject({ code: -32602, message: expect.stringContaining('requestState') });
    expect(recorder.calls()).toHaveLength(1);
    await g.close();
  });

  test('is denied on its retry when a rule denies it by then, and ends upstream', async () => {
    const { g, recorder, secret } = await setUp();
    const first = (await ask(g, secret)).message?.result;
    await g.ask('policyImport', { yaml: JSON.stringify({ defaultEffect: 'deny', rules: [] }) });
    const second = await retry(g, secret, first?.requestState, answersTo(first));
    expect(second.message?.result?._meta).toMatchObject({ 'gatehouse/class': 'policy_denied' });
    await eventually(() => (cancelled(recorder).length === 1 ? true : null), 'the cancellation');
    await g.close();
  });

  test('ends at once when its key is revoked: cancelled upstream, and its record is closed', async () => {
    const { g, recorder, secret } = await setUp();
    const spared = await g.recorder('spared', { risk: 'read' });
    const other = await g.key({ name: 'other' });
    expect((await ask(g, secret)).message?.result).toMatchObject({ resultType: 'input_required' });
    const kept = await g.call(other.secret, 'spared__ask_client', asking, { meta });
    expect(kept.message?.result).toMatchObject({ resultType: 'input_required' });
    const began = performance.now();
    expect(await g.ask('keyRevoke', { key: secret.slice(0, 11) })).toMatchObject({ kind: 'done' });
    await eventually(() => (cancelled(recorder).length === 1 ? true : null), 'the cancellation');
    expect(performance.now() - began).toBeLessThan(2000);
    const isEnd = ({ phase }: { phase: string }) => phase === 'ended';
    const entries = await g.audit((all) => all.some(isEnd));
    expect(entries.filter(isEnd)).toMatchObject([{ client: 'modern', tool: 'ask_client', outcome: 'cancelled' }]);
    // That of another key waits on.
    expect(cancelled(spared)).toEqual([]);
    await g.close();
  });

  test('cannot hold every place at its upstream: at most 16 of one client wait, and another client is served', async () => {
    const { g, secret } = await setUp();
    for (let n = 0; n < 16; n += 1) expect((await ask(g, secret)).message?.result?.resultType).toBe('input_required');
    const over = await ask(g, secret);
    expect(over.message?.result?._meta).toMatchObject({ 'gatehouse/class': 'too_many_pending' });
    const other = await g.key({ name: 'other' });
    const served = await g.call(other.secret, 'rec__echo', '{"text":"served"}');
    expect(served.message?.result).toMatchObject({ content: [{ text: '{"text":"served"}' }] });
    await g.close();
  });
});
