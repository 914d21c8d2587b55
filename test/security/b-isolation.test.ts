import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { newRequestId } from '../../electron/core/gateway/mcp-server.ts';
import { addReviewed, startListening } from '../support/fixture-upstream.ts';
import { type Answer, eventually, startGatehouse, type TestGatehouse, type TestKey } from '../support/gatehouse.ts';
import { openLegacySession } from '../support/legacy-session.ts';
import { jsonLines } from '../support/lines.ts';
import { MODERN_META, openTarget } from '../support/target.ts';

const SLOW = 120_000;
const errorOf = (answer: Answer) => answer.message?.error;
const textOf = (answer: Answer) =>
  ((answer.message?.result?.content ?? []) as readonly { readonly text?: string }[])[0]?.text ?? answer.text;
/** What differs between any two answers, and nothing else. */
const withoutId = (text: string) => text.replace(/"gatehouse\/requestId":"[^"]+"/, '').replace(/"id":\d+/, '');

describe('B1', () => {
  /** At most so many at once, so that the bound on requests in flight is not what is tested. */
  async function pairs(send: (who: 'a' | 'b', id: number, text: string) => Promise<Answer>): Promise<number> {
    let mismatches = 0;
    let next = 0;
    const worker = async () => {
      for (let id = next++; id < 1000; id = next++) {
        const delay = () => Math.floor(Math.random() * 50);
        const [a, b] = await Promise.all(
          (['a', 'b'] as const).map((who) => send(who, id, `{"text":"${who}-${id}","delayMs":${delay()}}`)),
        );
        for (const [who, answer] of [
          ['a', a],
          ['b', b],
        ] as const) {
          const own = answer?.message?.id === id && textOf(answer).startsWith(`{"text":"${who}-${id}",`);
          if (!own) mismatches += 1;
        }
      }
    };
    await Promise.all(Array.from({ length: 40 }, worker));
    return mismatches;
  }

  test(
    'B1: 1 000 pairs of concurrent calls of two sessions with the same ids: each gets its own result',
    async () => {
      await using target = await openTarget();
      const { gatehouse, k1, k2 } = target;
      const sessions = {
        a: await openLegacySession(gatehouse, k1.secret),
        b: await openLegacySession(gatehouse, k2.secret),
      };
      expect(await pairs((who, id, text) => sessions[who].call('rec__echo', text, id))).toBe(0);
      await target.stillServes();
    },
    SLOW,
  );

  test(
    'B1: the same without sessions',
    async () => {
      await using target = await openTarget();
      const { gatehouse, k1, k2 } = target;
      const send = (who: 'a' | 'b', id: number, text: string) =>
        gatehouse.post(
          who === 'a' ? k1.secret : k2.secret,
          `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"rec__echo","arguments":${text},"_meta":${JSON.stringify(MODERN_META)}}}`,
          { headers: modernHeaders('tools/call', 'rec__echo') },
        );
      expect(await pairs(send)).toBe(0);
      await target.stillServes();
    },
    SLOW,
  );
});

function modernHeaders(method: string, name?: string): Record<string, string> {
  return {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    ...(name === undefined ? {} : { 'mcp-name': name }),
  };
}

describe('B3', () => {
  test('B3: a cancellation in one session, or with the id of another, does not touch a call of the other client', async () => {
    await using target = await openTarget();
    const { gatehouse, k1, k2 } = target;
    const [a, b] = [await openLegacySession(gatehouse, k1.secret), await openLegacySession(gatehouse, k2.secret)];
    const running = a.call('rec__slow', '{"ms":5000}', 1);
    await eventually(() => (target.recorder.calls().length > 0 ? true : null), 'the call');
    const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } };
    const within = (id: string) => ({ headers: { 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' } });
    expect((await gatehouse.post(k2.secret, cancel, within(b.id))).status).toBe(202);
    expect((await gatehouse.post(k2.secret, cancel, within(a.id))).status).toBe(404);
    // By the id the call has at the upstream, too.
    const upstreamId = JSON.parse(target.recorder.calls()[0] ?? '{}').id;
    const byThat = { ...cancel, params: { requestId: upstreamId } };
    await gatehouse.post(k2.secret, byThat, within(b.id));
    expect(textOf(await running)).toBe('took 5000');
    expect(target.recorder.events().filter(({ raw }) => raw?.includes('notifications/cancelled'))).toEqual([]);
  });

  test('B3: closing its own stream of the same id ends nothing of the other client', async () => {
    await using target = await openTarget();
    const { gatehouse, k1, k2 } = target;
    const send = (key: TestKey, ms: number, signal?: AbortSignal) =>
      gatehouse.post(
        key.secret,
        {
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/call',
          params: { name: 'rec__slow', arguments: { ms }, _meta: { ...MODERN_META, progressToken: 'p' } },
        },
        { headers: modernHeaders('tools/call', 'rec__slow'), ...(signal === undefined ? {} : { signal }) },
      );
    const running = send(k1, 5000);
    const leave = new AbortController();
    const own = send(k2, 5001, leave.signal);
    await eventually(() => (target.recorder.calls().length === 2 ? true : null), 'both calls');
    leave.abort();
    await expect(own).rejects.toThrow();
    expect(textOf(await running)).toBe('took 5000');
    const cancelled = target.recorder.events().filter(({ raw }) => raw?.includes('notifications/cancelled'));
    const ids = target.recorder.calls().map((raw) => JSON.parse(raw));
    const its = ids.find(({ params }) => params.arguments.ms === 5001);
    expect(cancelled.map(({ raw }) => JSON.parse(raw ?? '{}').params.requestId)).toEqual([its.id]);
  });
});

test('B4: the session of A with the key of B is 404 as if unknown, and without a key 401', async () => {
  await using target = await openTarget();
  const { gatehouse, k1, k2 } = target;
  const session = await openLegacySession(gatehouse, k1.secret);
  const send = (key: string, id: string) =>
    gatehouse.post(key, '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rec__echo","arguments":{}}}', {
      headers: { 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' },
    });
  const foreign = await target.refuses({ kind: 'session_unknown', client: 'bystander' }, () =>
    send(k2.secret, session.id),
  );
  const unknown = await target.refuses({ kind: 'session_unknown', client: 'bystander' }, () =>
    send(k2.secret, 'A'.repeat(43)),
  );
  expect([foreign.status, withoutId(foreign.text)]).toEqual([404, withoutId(unknown.text)]);
  const keyless = await target.refuses({ kind: 'unauthorized' }, () => send('', session.id));
  expect(keyless.status).toBe(401);
  for (const method of ['GET', 'DELETE']) {
    const answer = await target.refuses({ kind: 'session_unknown' }, () =>
      fetch(`${gatehouse.core.endpoint}`, {
        method,
        headers: {
          authorization: `Bearer ${k2.secret}`,
          accept: 'text/event-stream',
          'mcp-session-id': session.id,
          'mcp-protocol-version': '2025-11-25',
        },
      }),
    );
    expect(answer.status).toBe(404);
  }
  expect((await send(k1.secret, session.id)).status).toBe(200);
});

test('B6: an id the client brought along is nobody’s: initialize answers a new random one, and 2026-07-28 looks at none', async () => {
  await using target = await openTarget();
  const { gatehouse, k1 } = target;
  const bring = { 'mcp-session-id': 'attacker-known' };
  const opened = await gatehouse.post(
    k1.secret,
    {
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
    },
    { headers: bring },
  );
  const given = opened.headers.get('mcp-session-id') ?? '';
  expect(given).not.toContain('attacker');
  expect(Buffer.from(given, 'base64url')).toHaveLength(32);
  const used = await target.refuses({ kind: 'session_unknown' }, () =>
    gatehouse.post(k1.secret, { jsonrpc: '2.0', id: 1, method: 'ping' }, { headers: bring }),
  );
  expect(used.status).toBe(404);
  const modern = await gatehouse.call(k1.secret, 'rec__echo', '{"text":"modern"}', { headers: bring });
  expect(textOf(modern)).toBe('{"text":"modern"}');
  expect(modern.headers.get('mcp-session-id')).toBeNull();
  await target.stillServes();
});

describe('B7', () => {
  /** Spearman's rank correlation between when an id came and where it sorts. */
  function correlation(ids: readonly string[]): number {
    const ranks = new Map(ids.toSorted().map((id, rank) => [id, rank]));
    const n = ids.length;
    const squares = ids.reduce((sum, id, at) => sum + (at - (ranks.get(id) ?? 0)) ** 2, 0);
    return 1 - (6 * squares) / (n * (n * n - 1));
  }
  function expectRandom(ids: readonly string[], bits: number): void {
    expect(new Set(ids).size).toBe(ids.length);
    // Five times the deviation that chance has.
    expect(Math.abs(correlation(ids))).toBeLessThan(5 / Math.sqrt(ids.length - 1));
    for (const id of ids) {
      expect(id).not.toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[17]/);
      expect(Buffer.from(id, 'base64url').length * 8).toBeGreaterThanOrEqual(bits);
    }
    // Every bit is set about half of the time.
    const bytes = ids.map((id) => Buffer.from(id, 'base64url'));
    const chance = 0.5 + 6 / (2 * Math.sqrt(ids.length));
    for (let bit = 0; bit < bits; bit += 1) {
      const set = bytes.filter((each) => ((each[bit >> 3] ?? 0) >> (bit & 7)) & 1).length / ids.length;
      expect(Math.max(set, 1 - set)).toBeLessThan(chance);
    }
  }

  test('B7: 10 000 ids of requests, which the audit carries, are random', () => {
    expectRandom(
      Array.from({ length: 10_000 }, () => newRequestId()),
      128,
    );
  });

  test(
    'B7: ids of sessions and of approvals are random, as they are given out',
    async () => {
      await using target = await openTarget();
      const { gatehouse, k1 } = target;
      const sessions: string[] = [];
      for (let n = 0; n < 500; n += 1) sessions.push((await openLegacySession(gatehouse, k1.secret)).id);
      expectRandom(sessions, 256);
      await gatehouse.recorder('gated');
      const approvals: string[] = [];
      for (let n = 0; n < 40; n += 1) {
        const answering = gatehouse.call(k1.secret, 'gated__echo', `{"text":"${n}"}`);
        const card = await gatehouse.card();
        approvals.push(card.id);
        await gatehouse.approve(card);
        await answering;
      }
      expectRandom(approvals, 128);
    },
    SLOW,
  );
});

test('B9: a tool of an upstream that the client may not see is told from one that does not exist by nothing', async () => {
  await using target = await openTarget();
  const { gatehouse } = target;
  const hidden = target.watch(await gatehouse.recorder('y', { args: ['--tools=delete'], risk: 'read' }));
  const { secret } = await gatehouse.key({ name: 'limited', upstreams: ['rec'], scopeTags: ['*'] });
  const listed = await gatehouse.post(
    secret,
    { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: MODERN_META } },
    { headers: modernHeaders('tools/list') },
  );
  expect(listed.text).toContain('rec__echo');
  expect(listed.text).not.toContain('y__');
  expect((await gatehouse.call(secret, 'find_tools', '{"query":"delete"}')).text).not.toMatch(/y__|"y"|\by \//);
  const ways: readonly ((upstream: string) => Promise<Answer>)[] = [
    (upstream) => gatehouse.call(secret, `${upstream}__delete`),
    (upstream) =>
      gatehouse.call(secret, 'call_external_tool', `{"upstream":"${upstream}","tool":"delete","arguments":{}}`),
    (upstream) => gatehouse.call(secret, 'delete', '{}', { path: `/u/${upstream}/mcp` }),
  ];
  for (const way of ways) {
    const [existing, absent] = [
      await target.refuses({ errorClass: 'unknown_tool', client: 'limited' }, () => way('y')),
      await target.refuses({ errorClass: 'unknown_tool', client: 'limited' }, () => way('z')),
    ];
    expect(errorOf(existing)).toMatchObject({ code: -32602 });
    const plain = (answer: Answer, name: string) =>
      withoutId(answer.text).replaceAll(new RegExp(`\\b${name}(?=__| /)`, 'g'), '?');
    expect([existing.status, plain(existing, 'y')]).toEqual([absent.status, plain(absent, 'z')]);
  }
  const median = async (upstream: string) => {
    const times: number[] = [];
    for (let n = 0; n < 25; n += 1) {
      const began = performance.now();
      await gatehouse.call(secret, `${upstream}__delete`);
      times.push(performance.now() - began);
    }
    return times.toSorted((a, b) => a - b)[12] ?? 0;
  };
  const [there, nowhere] = [await median('y'), await median('z')];
  expect(Math.abs(there - nowhere)).toBeLessThan(Math.max(5, nowhere));
  expect(hidden.calls()).toEqual([]);
});

describe('B11', () => {
  const ASKING =
    '{"method":"elicitation/create","params":{"message":"Who?","requestedSchema":{"type":"object","properties":{}}}}';
  const meta = { ...MODERN_META, 'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } } };
  const round = (
    gatehouse: TestGatehouse,
    key: TestKey,
    tool: string,
    argumentsText: string,
    carried: Readonly<Record<string, unknown>>,
    path = '/mcp',
  ) => {
    const rest = JSON.stringify({ ...carried, _meta: meta }).slice(1);
    return gatehouse.post(
      key.secret,
      `{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"${tool}","arguments":${argumentsText},${rest}}`,
      { path, headers: modernHeaders('tools/call', tool) },
    );
  };

  /** The first round of A at two upstreams, one of each era; what is carried on is what an honest client would carry. */
  async function setUp() {
    const target = await openTarget();
    const { gatehouse, k1 } = target;
    const other = target.watch(await gatehouse.recorder('other', { risk: 'read' }));
    const first = await round(gatehouse, k1, 'rec__ask_client', ASKING, {});
    const { requestState, inputRequests } = (first.message?.result ?? {}) as {
      requestState: string;
      inputRequests: Readonly<Record<string, unknown>>;
    };
    expect(requestState, first.text).toEqual(expect.any(String));
    const inputResponses = Object.fromEntries(
      Object.keys(inputRequests).map((name) => [name, { action: 'accept', content: { who: 'A' } }]),
    );
    return { target, gatehouse, k1, other, carried: { requestState, inputResponses } };
  }
  const refusal = { kind: 'tool_call', outcome: 'refused', errorClass: 'invalid_state' } as const;

  test('B11: another client, other arguments, another tool and another server are refused; the rightful retry still works', async () => {
    const { target, gatehouse, k1, carried } = await setUp();
    const changed = ASKING.replace('Who?', 'What?');
    const vectors: readonly (() => Promise<Answer>)[] = [
      () => round(gatehouse, target.k2, 'rec__ask_client', ASKING, carried),
      () => round(gatehouse, k1, 'rec__ask_client', changed, carried),
      () => round(gatehouse, k1, 'rec__echo', ASKING, carried),
      () => round(gatehouse, k1, 'other__ask_client', ASKING, carried),
      () => round(gatehouse, k1, 'ask_client', ASKING, carried, '/u/other/mcp'),
    ];
    for (const vector of vectors) {
      const answer = await target.refuses(refusal, vector);
      expect(errorOf(answer)).toMatchObject({ code: -32602, message: expect.stringContaining('requestState') });
    }
    const rightful = await round(gatehouse, k1, 'rec__ask_client', ASKING, carried);
    expect(textOf(rightful)).toBe('{"action":"accept","content":{"who":"A"}}');
    await target[Symbol.asyncDispose]();
  });

  test('B11: a second key of the same client does not continue what the first began', async () => {
    const { target, gatehouse, k1, carried } = await setUp();
    const rotated = await gatehouse.ask('keyRotate', { key: k1.prefix });
    if (rotated.kind !== 'done') throw new Error(rotated.message);
    const answer = await target.refuses(refusal, () =>
      round(gatehouse, { ...k1, secret: rotated.secret }, 'rec__ask_client', ASKING, carried),
    );
    expect(errorOf(answer)).toMatchObject({ code: -32602 });
    await target[Symbol.asyncDispose]();
  });

  test('B11: a state is good once, and not when a byte of it is another', async () => {
    const { target, gatehouse, k1, carried } = await setUp();
    const { requestState } = carried;
    const [body = '', mac = ''] = requestState.split('.');
    const flip = (text: string) => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`;
    const forged = Buffer.from(JSON.stringify({ id: 'x', upstream: 'y', expiresAt: 9e15 })).toString('base64url');
    for (const other of [
      `${flip(body)}.${mac}`,
      `${body}.${flip(mac)}`,
      body,
      `${body}.`,
      `${forged}.${createHmac('sha256', '').update(forged).digest('base64url')}`,
      '',
      '.',
      'ä'.repeat(100),
    ]) {
      const answer = await target.refuses(refusal, () =>
        round(gatehouse, k1, 'rec__ask_client', ASKING, { ...carried, requestState: other }),
      );
      expect(errorOf(answer)).toMatchObject({ code: -32602 });
    }
    expect(textOf(await round(gatehouse, k1, 'rec__ask_client', ASKING, carried))).toContain('accept');
    const replayed = await target.refuses(refusal, () => round(gatehouse, k1, 'rec__ask_client', ASKING, carried));
    expect(errorOf(replayed)).toMatchObject({ code: -32602 });
    await target[Symbol.asyncDispose]();
  });
});

describe('B12 and B13', () => {
  test('B12: an upstream sees no key, cookie, session id or header of the client', async () => {
    await using target = await openTarget();
    const { gatehouse, k1 } = target;
    const file = join(gatehouse.folder, 'http.jsonl');
    await using http = await startListening('recorder-http.mjs', file, '--era=dual');
    await addReviewed(gatehouse, 'web', http.url);
    const extra = { cookie: 'a=b-canary', 'x-secret': '1-canary', 'x-forwarded-for': '10.1.2.3' };
    const session = await openLegacySession(gatehouse, k1.secret, 'canary-name');
    await gatehouse.post(
      k1.secret,
      '{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"web__echo","arguments":{"text":"legacy"}}}',
      { headers: { ...extra, 'mcp-session-id': session.id, 'mcp-protocol-version': '2025-11-25' } },
    );
    await gatehouse.call(k1.secret, 'web__echo', '{"text":"modern"}', { headers: extra });
    const seen = readFileSync(file, 'utf8');
    for (const text of ['legacy', 'modern']) expect(seen).toContain(`\\"text\\":\\"${text}\\"`);
    for (const secret of [k1.secret, k1.prefix, session.id, 'canary', '10.1.2.3', 'Bearer'])
      expect(seen, secret).not.toContain(secret);
    const headers = jsonLines<{ headers?: object }>(file).flatMap((event) => Object.keys(event.headers ?? {}));
    expect([...new Set(headers)].toSorted()).toEqual(
      expect.not.arrayContaining(['authorization', 'cookie', 'x-secret', 'x-forwarded-for', 'origin', 'referer']),
    );
    await target.stillServes();
  });

  test.each([
    ['401 with a challenge', ['--status-on-call=401', '--challenge=Bearer resource_metadata="https://evil.test/prm"']],
    ['403 with a challenge', ['--status-on-call=403', '--challenge=Bearer error="insufficient_scope", scope="evil"']],
    ['302 elsewhere', ['--redirect-on-call=https://evil.test/mcp', '--redirect-status=302']],
    ['307 elsewhere', ['--redirect-on-call=https://evil.test/mcp']],
    ['a cookie', ['--set-cookie=evil=1; Path=/']],
  ])('B13: of an upstream that answers %s the agent sees a plain answer', async (_what, words) => {
    await using target = await openTarget();
    const { gatehouse, k1 } = target;
    await using http = await startListening('recorder-http.mjs', join(gatehouse.folder, 'http.jsonl'), ...words);
    await addReviewed(gatehouse, 'web', http.url);
    const answer = await gatehouse.call(k1.secret, 'web__echo', '{"text":"x"}');
    expect(answer.status).toBe(200);
    for (const name of ['www-authenticate', 'set-cookie', 'location']) expect(answer.headers.get(name)).toBeNull();
    expect(answer.text).not.toContain('evil');
    const isCookie = words[0]?.startsWith('--set-cookie') === true;
    expect(answer.message?.result?.isError ?? false, answer.text).toBe(!isCookie);
    await target.stillServes();
  });
});

test('B14: a token of an upstream, a token for another audience, and a key of another Gatehouse are 401', async () => {
  await using target = await openTarget();
  await using elsewhere = await startGatehouse();
  const { gatehouse } = target;
  const foreign = await elsewhere.key({ name: 'attacker' });
  await using http = await startListening(
    'recorder-http.mjs',
    join(gatehouse.folder, 'http.jsonl'),
    '--token=upstream-token',
  );
  const added = await gatehouse.ask('upstreamAdd', {
    name: 'web',
    transport: { kind: 'http', url: http.url, secretHeaders: ['Authorization'] },
    secrets: { Authorization: 'Bearer upstream-token' },
  });
  expect(added.kind).toBe('done');
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { aud: 'https://other.example', iss: gatehouse.core.endpoint, exp: 9e9, sub: target.k1.clientId };
  const unsigned = `${part({ alg: 'none' })}.${part(claims)}.`;
  const signed = `${part({ alg: 'HS256' })}.${part({ ...claims, aud: gatehouse.core.endpoint })}`;
  const tokens = [
    'upstream-token',
    unsigned,
    `${signed}.${createHmac('sha256', target.k1.secret).update(signed).digest('base64url')}`,
    foreign.secret,
  ];
  for (const token of tokens) {
    const answer = await target.refuses({ kind: 'unauthorized' }, () => gatehouse.call(token, 'rec__echo'));
    expect(answer.status).toBe(401);
  }
  expect((await elsewhere.call(foreign.secret, 'find_tools')).status).toBe(200);
});
