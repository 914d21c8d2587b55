import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addReviewed } from '../support/fixture-upstream.ts';
import { type Answer, eventually } from '../support/gatehouse.ts';
import { openLegacySession } from '../support/legacy-session.ts';
import { jsonLines } from '../support/lines.ts';
import { connectPeer } from '../support/peers/clients.ts';
import { goodHeaders, MODERN_META, openTarget, rawRequest, statusOf, type Target } from '../support/target.ts';

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target[Symbol.asyncDispose]());

const modern = (method: string, name?: string) => ({
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': method,
  ...(name === undefined ? {} : { 'mcp-name': name }),
});
const callOf = (name: string, id?: number) => ({
  jsonrpc: '2.0',
  ...(id === undefined ? {} : { id }),
  method: 'tools/call',
  params: { name, arguments: { text: 'attack' }, _meta: MODERN_META },
});
const errorOf = (answer: Answer) => answer.message?.error;
/** Bytes as they stand, over a bare socket, with a head that would be served. */
const sendBytes = (body: Uint8Array, ...lines: readonly string[]) => {
  const own = lines.map((line) => line.split(':')[0]?.toLowerCase());
  const head = rawRequest('POST /mcp HTTP/1.1', [
    `Host: 127.0.0.1:${target.gatehouse.port}`,
    ...goodHeaders(target.k1.secret, '')
      .filter((line) => !own.includes(line.split(':')[0]?.toLowerCase()))
      .map((line) => (line.startsWith('Content-Length') ? `Content-Length: ${body.length}` : line)),
    ...lines,
    'Connection: close',
  ]);
  return target.gatehouse.raw(Buffer.concat([Buffer.from(head), body]), 5000);
};
const errorIn = (received: string) => JSON.parse(received.slice(received.indexOf('\r\n\r\n') + 4)).error;

describe('C3: header against body', () => {
  test.each([
    ['Mcp-Name of another tool', { 'mcp-name': 'fs__read' }, callOf('sh__exec', 1)],
    ['Mcp-Name of another tool that exists', { 'mcp-name': 'rec__delete_all' }, callOf('rec__echo', 1)],
    ['Mcp-Name that differs in case', { 'mcp-name': 'REC__echo' }, callOf('rec__echo', 1)],
    ['Mcp-Method of another method', { 'mcp-name': 'rec__echo', 'mcp-method': 'tools/list' }, callOf('rec__echo', 1)],
    ['a revision that is not that of the body', { 'mcp-protocol-version': '2025-11-25' }, callOf('rec__echo', 1)],
  ])('C3: %s: 400 with -32020, nothing ran', async (_what, headers, body) => {
    const answer = await target.refuses({ kind: 'message_rejected', client: 'attacker' }, () =>
      target.gatehouse.post(target.k1.secret, body, {
        headers: { ...modern('tools/call', body.params.name), ...headers },
      }),
    );
    expect([answer.status, errorOf(answer)?.code], answer.text).toEqual([400, -32020]);
  });
});

test.each(['modern', 'legacy'] as const)(
  'C5 (design: in every revision): a batch is 400 with -32600 (%s)',
  async (era) => {
    const { gatehouse, k1 } = target;
    const session = await openLegacySession(gatehouse, k1.secret);
    const headers =
      era === 'modern'
        ? modern('tools/call', 'rec__echo')
        : { 'mcp-session-id': session.id, 'mcp-protocol-version': '2025-03-26' };
    for (const batch of [[callOf('rec__echo', 1), callOf('rec__delete_all', 2)], [callOf('rec__echo', 1)], []]) {
      const answer = await target.refuses({ kind: 'message_rejected', client: 'attacker' }, () =>
        gatehouse.post(k1.secret, batch, { headers }),
      );
      expect([answer.status, errorOf(answer)?.code]).toEqual([400, -32600]);
    }
  },
);

describe('C7: prototype pollution', () => {
  test.each(['{"__proto__":{"polluted":1}}', '{"constructor":{"prototype":{"polluted":1}}}'])(
    'C7: %s is shown, hashed and forwarded as it stands, and pollutes nothing',
    async (text) => {
      const { gatehouse, k1 } = target;
      const name = text.includes('__proto__') ? 'proto' : 'ctor';
      const gated = await gatehouse.recorder(name, { risk: 'write' });
      const answering = gatehouse.call(k1.secret, `${name}__echo`, text);
      const card = await gatehouse.card(({ upstream }) => upstream === name);
      expect(card.argumentsText).toBe(text);
      await gatehouse.approve(card);
      await answering;
      expect(gated.calls()).toEqual([expect.stringContaining(`"arguments":${text}`)]);
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
      const entries = await gatehouse.audit((all) =>
        all.some((entry) => entry.phase === 'ended' && entry.upstream === name),
      );
      expect(
        JSON.stringify(entries.find(({ upstream, phase }) => upstream === name && phase === 'asked')?.detail),
      ).toContain('polluted');
      await target.stillServes();
    },
  );

  test('C7: nor does it anywhere else in a message', async () => {
    const { gatehouse, k1 } = target;
    const meta = JSON.stringify(MODERN_META).slice(1);
    for (const body of [
      `{"jsonrpc":"2.0","id":1,"__proto__":{"polluted":1},"method":"tools/call","params":{"name":"rec__echo","arguments":{},"_meta":{${meta}}}`,
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rec__echo","__proto__":{"polluted":1},"arguments":{},"_meta":{${meta}}}`,
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rec__echo","arguments":{},"_meta":{"__proto__":{"polluted":1},${meta}}}`,
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"call_external_tool","arguments":{"upstream":"rec","tool":"echo","__proto__":{"polluted":1},"arguments":{}},"_meta":{${meta}}}`,
    ]) {
      const name = body.includes('call_external_tool') ? 'call_external_tool' : 'rec__echo';
      const answer = await gatehouse.post(k1.secret, body, { headers: modern('tools/call', name) });
      expect([200, 400]).toContain(answer.status);
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    }
    await target.stillServes();
  });
});

test.each(['modern', 'legacy'] as const)('C13: a tools/call without an id is not run (%s)', async (era) => {
  const { gatehouse, k1 } = target;
  const session = await openLegacySession(gatehouse, k1.secret);
  const headers =
    era === 'modern'
      ? modern('tools/call', 'rec__echo')
      : { 'mcp-session-id': session.id, 'mcp-protocol-version': '2025-11-25' };
  const answer = await target.refuses({ kind: 'message_rejected', client: 'attacker' }, () =>
    gatehouse.post(k1.secret, callOf('rec__echo'), { headers }),
  );
  expect([answer.status, errorOf(answer)?.code]).toEqual([400, -32600]);
});

describe('C15: bad encodings', () => {
  const good = JSON.stringify(callOf('rec__echo', 1));
  const utf8 = (text: string) => Buffer.from(text, 'utf8');
  /** The text with the first `attack` in it in other bytes. */
  const inside = (...bytes: readonly number[]) => {
    const [before = '', after = ''] = good.split('attack');
    return Buffer.concat([utf8(before), Buffer.from(bytes), utf8(after)]);
  };
  test.each<readonly [string, Uint8Array]>([
    ['ff fe', Buffer.from([0xff, 0xfe])],
    ['ff fe inside a string', inside(0xff, 0xfe)],
    ['an overlong slash', inside(0xc0, 0xaf)],
    ['an overlong quotation mark', inside(0xe0, 0x80, 0xa2)],
    ['half of a surrogate pair in UTF-8', inside(0xed, 0xa0, 0x80)],
    ['a character that is cut off', inside(0xe2, 0x82)],
    ['UTF-16LE', Buffer.from(good, 'utf16le')],
    ['UTF-16LE with its mark', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(good, 'utf16le')])],
    ['a byte order mark before the JSON', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), utf8(good)])],
    ['NaN', utf8('{"a":NaN}')],
    ['NaN among the arguments', utf8(good.replace('"attack"', 'NaN'))],
    ['Infinity', utf8(good.replace('"attack"', '-Infinity'))],
    ['a trailing comma', utf8(good.replace('"attack"}', '"attack",}'))],
    ['a comment', utf8(`/* */${good}`)],
    ['single quotes', utf8(good.replaceAll('"', "'"))],
    ['text after the end', utf8(`${good} x`)],
    ['nothing', utf8('')],
  ])('C15: %s: 400 with -32700', async (_what, body) => {
    const received = await target.refuses({ kind: 'message_rejected', client: 'attacker' }, () => sendBytes(body));
    expect(statusOf(received)).toBe(400);
    expect(errorIn(received)).toMatchObject({ code: -32700 });
  });
});

describe('C16: unknown methods', () => {
  const METHODS = [
    'admin/exec',
    'tools/CALL',
    'tools/call ',
    'rpc.discover',
    'tools/call/',
    '__proto__',
    'constructor',
    'resources/subscribe',
    'logging/setLevel',
    'tasks/list',
    '',
  ];
  test.each(METHODS)('C16: 2026-07-28 %j: 404 with -32601', async (method) => {
    const answer = await target.refuses({ kind: 'message_rejected', client: 'attacker' }, () =>
      target.gatehouse.post(
        target.k1.secret,
        { ...callOf('rec__echo', 1), method },
        { headers: { ...modern(method.trim() === '' ? 'x' : method.trim(), 'rec__echo') } },
      ),
    );
    expect([answer.status, errorOf(answer)?.code], answer.text).toEqual([404, -32601]);
  });

  test.each(METHODS.filter((method) => method !== 'resources/subscribe' && method !== 'logging/setLevel'))(
    'C16: in a session %j is -32601 and reaches nobody',
    async (method) => {
      const { gatehouse, k1 } = target;
      const session = await openLegacySession(gatehouse, k1.secret);
      const before = target.recorder.events().length;
      const answer = await gatehouse.post(
        k1.secret,
        { jsonrpc: '2.0', id: 1, method, params: { name: 'rec__echo', arguments: {} } },
        { headers: { 'mcp-session-id': session.id, 'mcp-protocol-version': '2025-11-25' } },
      );
      expect(errorOf(answer)?.code, answer.text).toBe(-32601);
      expect(target.recorder.events()).toHaveLength(before);
      await target.stillServes();
    },
  );
});

describe('C17: requests of an upstream that it may not send', () => {
  const ASKS = ['sampling/createMessage', 'roots/list', 'elicitation/create', 'ping', 'admin/exec'];

  test('C17: outside any call each is refused, none reaches a client that could be asked, and it is recorded', async () => {
    const { gatehouse, k2 } = target;
    const folder = gatehouse.folder;
    const script = join(folder, 'asker.mjs');
    const replies = join(folder, 'asker.jsonl');
    writeFileSync(script, ASKER);
    await using client = await connectPeer('legacy', gatehouse.core.endpoint, k2.secret);
    await addReviewed(gatehouse, 'asker', { kind: 'stdio', command: process.execPath, args: [script, replies] });
    const read = async () => jsonLines<{ id: string; error?: { code: number }; result?: unknown }>(replies);
    const answers = await eventually(async () => {
      const got = await read();
      return got.length >= ASKS.length ? got : null;
    }, 'the replies');
    // A ping is for us and is answered by us.
    for (const { id, error, result } of answers) {
      if (id === 'ping') expect(result).toEqual({});
      else expect(error, id).toMatchObject({ code: -32601 });
    }
    expect(client.asked).toEqual([]);
    const rows = await gatehouse.audit((all) => all.some(({ kind }) => kind === 'upstream_request_refused'));
    const refused = rows.filter(({ kind, upstream }) => kind === 'upstream_request_refused' && upstream === 'asker');
    expect(refused.map(({ detail }) => detail.method)).toEqual(ASKS.filter((method) => method !== 'ping'));
    await target.stillServes();
  });

  test('C17: on a shared process, while calls of two clients are in flight, nobody is asked; with one alone, that one', async () => {
    const { gatehouse, k1, k2 } = target;
    await gatehouse.ask('policyImport', { yaml: JSON.stringify({ defaultEffect: 'allow', rules: [] }) });
    await gatehouse.recorder('shared', { risk: 'read' });
    await using able = await connectPeer('legacy', gatehouse.core.endpoint, k1.secret);
    await using other = await connectPeer('legacy', gatehouse.core.endpoint, k2.secret);
    const asking = (method: string) => ({
      name: 'shared__ask_client',
      arguments: { method, params: ASK_PARAMS[method] },
    });
    const said = (result: { readonly [key: string]: unknown }) =>
      JSON.parse((result.content as { text: string }[])[0]?.text ?? 'null');
    const leave = new AbortController();
    const beside = other.request('tools/call', { name: 'shared__never', arguments: {} }, { signal: leave.signal });
    beside.catch(() => {});
    await eventually(
      async () => ((await gatehouse.ask('upstreamsList')).some(({ name }) => name === 'shared') ? true : null),
      'the upstream',
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const method of ['sampling/createMessage', 'elicitation/create', 'roots/list']) {
      expect(said(await able.request('tools/call', asking(method)))).toMatchObject({ code: -32601 });
    }
    expect([...able.asked, ...other.asked]).toEqual([]);
    const rows = await gatehouse.audit();
    const refused = rows.filter(({ kind, upstream }) => kind === 'upstream_request_refused' && upstream === 'shared');
    expect(refused).toHaveLength(3);
    leave.abort();
    await eventually(async () => {
      const answer = said(await able.request('tools/call', asking('roots/list')));
      return answer.roots === undefined ? null : true;
    }, 'the only caller to be asked');
    expect(able.asked.map(({ method }) => method)).toEqual(['roots/list']);
    expect(other.asked).toEqual([]);
  });

  test('C17: a client that has not declared it is not asked', async () => {
    const { gatehouse, k2 } = target;
    await using plain = await connectPeer('legacy', gatehouse.core.endpoint, k2.secret, { elicitation: { form: {} } });
    for (const method of ['sampling/createMessage', 'roots/list']) {
      const result = await plain.request('tools/call', {
        name: 'rec__ask_client',
        arguments: { method, params: ASK_PARAMS[method] },
      });
      expect(JSON.stringify(result)).toContain('-32601');
    }
    const url = { mode: 'url', message: 'x', url: 'https://example.com', elicitationId: '1' };
    const result = await plain.request('tools/call', {
      name: 'rec__ask_client',
      arguments: { method: 'elicitation/create', params: url },
    });
    expect(JSON.stringify(result)).toContain('-32601');
    expect(plain.asked).toEqual([]);
  });
});

const ASK_PARAMS: Readonly<Record<string, object>> = {
  'sampling/createMessage': { messages: [{ role: 'user', content: { type: 'text', text: 'x' } }], maxTokens: 1 },
  'elicitation/create': { mode: 'form', message: 'x', requestedSchema: { type: 'object', properties: {} } },
  'roots/list': {},
};

/** A server that asks as soon as it is initialized, and writes down what it is answered. */
const ASKER = `
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n');
const asks = ${JSON.stringify(['sampling/createMessage', 'roots/list', 'elicitation/create', 'ping', 'admin/exec'])};
const tool = { name: 'echo', inputSchema: { type: 'object' } };
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params, ...answer } = JSON.parse(line);
  if (method === undefined) return appendFileSync(process.argv[2], JSON.stringify({ id, ...answer }) + '\\n');
  if (method === 'server/discover') return send({ id, error: { code: -32601, message: 'none' } });
  if (method === 'initialize') return send({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'asker', version: '1' } } });
  if (method === 'notifications/initialized') return asks.forEach((ask) => send({ id: ask, method: ask, params: { messages: [], maxTokens: 1, message: 'x', requestedSchema: { type: 'object', properties: {} } } }));
  if (method === 'tools/list') return send({ id, result: { tools: [tool] } });
  if (id !== undefined) send({ id, result: {} });
});
`;

describe('C18: compressed requests', () => {
  // 10 MB of zeros in 10 kB: unpacked a thousand times over it would be the 10 GB of the row.
  const zeros = Buffer.alloc(10_000_000);
  const bomb = gzipSync(zeros);
  test.each<readonly [string, Uint8Array]>([
    ['gzip', bomb],
    ['gzip, gzip', gzipSync(bomb)],
    ['br', brotliCompressSync(zeros)],
    ['deflate', deflateSync(zeros)],
    ['x-gzip', bomb],
    ['GZIP', gzipSync(JSON.stringify(callOf('rec__echo', 1)))],
    ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ])('C18: Content-Encoding %s: 415, unread', async (encoding, body) => {
    const before = process.memoryUsage().rss;
    const received = await target.refuses({ kind: 'unsupported_media_type', client: 'attacker' }, () =>
      sendBytes(body, `Content-Encoding: ${encoding}`),
    );
    expect(statusOf(received)).toBe(415);
    expect(process.memoryUsage().rss - before).toBeLessThan(20_000_000);
  });
});
