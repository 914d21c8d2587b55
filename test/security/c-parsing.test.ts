import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLoopWatch } from '../support/loop-watch.ts';
import { goodHeaders, MODERN_META, openTarget, rawRequest, statusOf, type Target } from '../support/target.ts';

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target[Symbol.asyncDispose]());

/** A body as it stands, over a bare socket. */
const send = (body: string, key = target.k1.secret, name = 'rec__echo') =>
  target.gatehouse.raw(
    rawRequest(
      'POST /mcp HTTP/1.1',
      [
        `Host: 127.0.0.1:${target.gatehouse.port}`,
        ...goodHeaders(key, body).map((line) => line.replace('rec__echo', name)),
        'Connection: close',
      ],
      body,
    ),
    5000,
  );
const meta = `"_meta":${JSON.stringify(MODERN_META)}`;
const message = (received: string) => JSON.parse(received.slice(received.indexOf('\r\n\r\n') + 4));

describe('C1: duplicate keys', () => {
  const DUPLICATES = [
    [
      'two names',
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rec__echo","name":"rec__delete_all","arguments":{},${meta}}}`,
    ],
    [
      'as in the row',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"fs__read","name":"sh__exec","arguments":{}}}',
    ],
    [
      'one written with an escape',
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rec__echo","n\\u0061me":"rec__delete_all","arguments":{},${meta}}}`,
    ],
    [
      'two methods',
      `{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"rec__echo","arguments":{},${meta}}}`,
    ],
    [
      'two params',
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rec__echo","arguments":{},${meta}},"params":{"name":"rec__delete_all","arguments":{},${meta}}}`,
    ],
    [
      'two arguments',
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rec__echo","arguments":{"text":"a"},"arguments":{"text":"b"},${meta}}}`,
    ],
    [
      'inside the arguments',
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rec__echo","arguments":{"text":"a","text":"b"},${meta}}}`,
    ],
    [
      'deep inside the arguments',
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rec__echo","arguments":{"x":[{"y":{"z":1,"z":2}}]},${meta}}}`,
    ],
    [
      'two __proto__',
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rec__echo","arguments":{"__proto__":1,"__proto__":2},${meta}}}`,
    ],
  ] as const;

  test.each(DUPLICATES)('C1: %s: 400 with -32600, nothing ran', async (_what, body) => {
    const received = await target.refuses({ kind: 'message_rejected', client: 'attacker' }, () => send(body));
    expect(statusOf(received)).toBe(400);
    expect(message(received).error).toMatchObject({ code: -32600, message: expect.stringContaining('stands twice') });
  });

  test('C1: a member beside params whose name looks like the path to the arguments is refused', async () => {
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rec__echo","arguments":{},${meta}},"params/arguments":{"text":"false"}}`;
    const received = await target.refuses({ kind: 'message_rejected', client: 'attacker' }, () => send(body));
    expect(statusOf(received)).toBe(400);
  });

  test('C1: such a member inside params does not take the place of the arguments of call_external_tool', async () => {
    const inner = '{"upstream":"rec","tool":"echo","arguments":{"text":"true"}}';
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"call_external_tool","arguments":${inner},${meta},"arguments/arguments":{"text":"false"}}}`;
    const before = target.recorder.calls().length;
    const received = await send(body, target.k1.secret, 'call_external_tool');
    expect(statusOf(received)).toBe(200);
    expect(target.recorder.calls().slice(before)).toEqual([expect.stringContaining('"arguments":{"text":"true"}')]);
  });
});

test('C3: a header that names another tool than the body is refused, and that is recorded', async () => {
  const answer = await target.refuses({ kind: 'message_rejected', client: 'attacker' }, () =>
    target.gatehouse.call(target.k1.secret, 'rec__delete_all', '{}', { headers: { 'mcp-name': 'rec__echo' } }),
  );
  expect(answer.status).toBe(400);
  expect(answer.message?.error).toMatchObject({ code: -32020 });
});

describe('C9: lossy numbers', () => {
  test('C9: 9007199254740993 goes through a gated tool digit by digit, shown, hashed and run', async () => {
    const gated = await target.gatehouse.recorder('gated', { risk: 'write' });
    const text = '{"id":9007199254740993}';
    const answering = target.gatehouse.call(target.k1.secret, 'gated__echo', text);
    const card = await target.gatehouse.card();
    expect(card.argumentsText).toBe(text);
    const digest = createHash('sha256').update(text).digest('hex');
    expect(card.argumentsSha256).toBe(digest);
    await target.gatehouse.approve(card);
    await answering;

    expect(gated.calls()).toEqual([expect.stringContaining(`"arguments":${text}`)]);
    const entries = await target.gatehouse.audit((all) =>
      all.some((entry) => entry.phase === 'ended' && entry.upstream === 'gated'),
    );
    const own = entries.filter((entry) => entry.kind === 'tool_call' && entry.upstream === 'gated');
    expect(own.map((entry) => entry.phase)).toEqual(['asked', 'forwarded', 'ended']);
    expect(own[0]?.detail).toMatchObject({ argumentsSha256: digest, arguments: text });
    expect(own[1]?.detail).toMatchObject({ forwardedSha256: digest });
    await target.stillServes();
  });

  test.each(['1.0', '1e2', '-0', '0.1000000000000000055511151231257827', '123456789012345678901234567890', '1E400'])(
    'C9: %s arrives as it was written',
    async (number) => {
      const before = target.recorder.calls().length;
      await target.gatehouse.call(target.k1.secret, 'rec__echo', `{"n":${number}}`);
      expect(target.recorder.calls().slice(before)).toEqual([expect.stringContaining(`"arguments":{"n":${number}}`)]);
    },
  );

  test.each(['9007199254740993', '1.5', '1e400', '-9007199254740993', 'null', 'true', '{}'])(
    'C9: a JSON-RPC id of %s could not be answered as it was written, so it is refused',
    async (id) => {
      const body = `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"rec__echo","arguments":{},${meta}}}`;
      const received = await target.refuses({ kind: 'message_rejected' }, () => send(body));
      expect(statusOf(received)).toBe(400);
      expect(message(received).error).toMatchObject({ code: -32600, message: expect.stringContaining('id must be') });
    },
  );
});

describe('C11: depth and width', () => {
  const call = (text: string) =>
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rec__echo","arguments":${text},${meta}}}`;
  const wrap = (depth: number) => `{"x":${'['.repeat(depth)}${']'.repeat(depth)}}`;

  test.each([
    ['100 000 nested [', call(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)],
    ['100 000 [ that never close', call('['.repeat(100_000))],
    ['100 000 nested objects', call(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`)],
    ['one level over 64', call(wrap(62))],
    [
      'outside the arguments',
      `{"jsonrpc":"2.0","x":${'['.repeat(100_000)}${']'.repeat(100_000)},"id":1,"method":"tools/list"}`,
    ],
  ])('C11: %s: 400 with -32600 at once', async (_what, body) => {
    const { stall, received } = await leastStall(() =>
      target.refuses({ kind: 'message_rejected', client: 'attacker' }, () => send(body)),
    );
    expect(statusOf(received)).toBe(400);
    expect(message(received).error).toMatchObject({
      code: -32600,
      message: 'The message is nested deeper than 64 levels.',
    });
    expect(stall).toBeLessThan(200);
  });

  test('C11: 64 levels are served', async () => {
    const received = await send(call(wrap(61)));
    expect(statusOf(received)).toBe(200);
  });

  test('C11: four million bytes of different names are refused before the parser sees them', async () => {
    const names = Array.from({ length: 380_000 }, (_, at) => `"${at.toString(36)}":1`).join(',');
    const { stall, received } = await leastStall(() =>
      target.refuses({ kind: 'message_rejected', client: 'attacker' }, () => send(call(`{${names}}`))),
    );
    expect(statusOf(received)).toBe(400);
    expect(message(received).error).toMatchObject({
      code: -32600,
      message: expect.stringContaining('20000 different'),
    });
    expect(stall).toBeLessThan(200);
  });

  test('C11: a table of many rows is no bomb', async () => {
    const rows = Array.from({ length: 20_000 }, (_, at) => `{"id":${at},"name":"row ${at}"}`).join(',');
    const received = await send(call(`{"text":"rows","rows":[${rows}]}`));
    expect(statusOf(received)).toBe(200);
  });

  /** The best of three: on a busy machine the loop also waits for others. */
  async function leastStall(
    vector: () => Promise<string>,
  ): Promise<{ readonly stall: number; readonly received: string }> {
    let best: { readonly stall: number; readonly received: string } | null = null;
    for (let round = 0; round < 3 && (best === null || best.stall >= 200); round += 1) {
      const watch = startLoopWatch();
      const received = await vector();
      const stall = watch.stop();
      if (best === null || stall < best.stall) best = { stall, received };
    }
    return best!;
  }
});
