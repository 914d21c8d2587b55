import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { MAX_BODY } from '../../electron/core/gateway/body.ts';
import { MAX_STREAMS_PER_KEY } from '../../electron/core/gateway/http.ts';
import { eventually } from '../support/gatehouse.ts';
import { caller, quantile } from '../support/load.ts';
import { startLoopWatch } from '../support/loop-watch.ts';
import {
  echoBody,
  goodHeaders,
  MODERN_META,
  openSocket,
  openTarget,
  rawRequest,
  statusOf,
  type Target,
} from '../support/target.ts';

describe('D1: a large body', () => {
  const MB = 1024 * 1024;
  const head = (target: Target, lines: readonly string[], more: readonly string[]) =>
    rawRequest('POST /mcp HTTP/1.1', [
      `Host: 127.0.0.1:${target.gatehouse.port}`,
      ...lines.filter((line) => !line.startsWith('Content-Length')),
      ...more,
    ]);

  /** Sends a head and then body, a KiB every few milliseconds, until the other side has closed. */
  async function sendSlowly(target: Target, start: string): Promise<{ received: string; sent: number; grown: number }> {
    const before = process.memoryUsage.rss();
    const { socket, closed } = await openSocket(target.gatehouse.port);
    socket.write(start);
    const timer = setInterval(() => socket.writable && socket.write('x'.repeat(1024)), 5);
    const received = await closed;
    clearInterval(timer);
    return { received, sent: socket.bytesWritten - start.length, grown: process.memoryUsage.rss() - before };
  }

  test.each([
    ['without a key', (target: Target) => goodHeaders(target.k1.secret, '').slice(1), 401, 'unauthorized'],
    ['with a wrong key', (target: Target) => goodHeaders(`${target.k1.secret}x`, ''), 401, 'unauthorized'],
    ['with a key', (target: Target) => goodHeaders(target.k1.secret, ''), 413, 'body_too_large'],
  ] as const)('D1: a gigabyte announced %s is refused before it is read', async (_what, headers, status, kind) => {
    await using target = await openTarget();
    const start = head(target, headers(target), ['Content-Length: 1000000000']);
    const { received, sent, grown } = await target.refuses({ kind }, () => sendSlowly(target, start));
    expect(statusOf(received)).toBe(status);
    expect(received).not.toContain('100 Continue');
    // The connection was closed under the sender's hands.
    expect(sent).toBeLessThan(MB);
    expect(grown).toBeLessThan(20 * MB);
  });

  test('D1: the announced length is in the audit', async () => {
    await using target = await openTarget();
    const start = head(target, goodHeaders(target.k1.secret, ''), ['Content-Length: 1000000000']);
    const reason = expect.stringContaining('announced: 1000000000');
    await target.refuses(
      { kind: 'body_too_large', client: 'attacker', detail: expect.objectContaining({ reason }) },
      () => sendSlowly(target, start),
    );
  });

  test('D1: nobody is asked for a body before every check is made', async () => {
    await using target = await openTarget();
    const expects = ['Expect: 100-continue', 'Connection: close'];
    const refused = [
      [goodHeaders('x', ''), ['Content-Length: 10'], 401],
      [goodHeaders(target.k1.secret, ''), ['Content-Length: 1000000000'], 413],
    ] as const;
    for (const [lines, more, status] of refused) {
      const received = await target.gatehouse.raw(head(target, lines, [...more, ...expects]), 2000);
      expect(statusOf(received)).toBe(status);
    }
    // And somebody whose request is fine gets leave, and an answer.
    const body = echoBody();
    const { socket, received, closed } = await openSocket(target.gatehouse.port);
    socket.write(head(target, goodHeaders(target.k1.secret, body), [`Content-Length: ${body.length}`, ...expects]));
    await eventually(
      () => (received().startsWith('HTTP/1.1 100 Continue\r\n\r\n') ? true : null),
      'the leave to go on',
    );
    socket.write(body);
    expect(await closed).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  });

  test('D1: a body whose length is not announced is cut at the cap', async () => {
    await using target = await openTarget();
    const start = head(target, goodHeaders(target.k1.secret, ''), ['Transfer-Encoding: chunked']);
    const { result, rows } = await target.refusals(async () => {
      const before = process.memoryUsage.rss();
      const { socket, closed } = await openSocket(target.gatehouse.port);
      socket.write(start);
      const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
      for (let sent = 0; sent < 400 && socket.writable; sent += 1) {
        socket.write(chunk);
        await new Promise((resolve) => setImmediate(resolve));
      }
      return { received: await closed, grown: process.memoryUsage.rss() - before };
    });
    expect(rows).toMatchObject([{ kind: 'body_too_large' }]);
    expect(statusOf(result.received)).toBe(413);
    // What the test itself has still to send is in this process too.
    expect(result.grown).toBeLessThan(64 * MB);
  });

  test('D1: the cap itself is served', async () => {
    await using target = await openTarget();
    const room = MAX_BODY - echoBody('').length;
    const body = echoBody('x'.repeat(room));
    expect(body.length).toBe(MAX_BODY);
    const answer = await target.gatehouse.post(target.k1.secret, body, {
      headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'rec__echo' },
    });
    expect(answer.status).toBe(200);
    const over = await target.refuses({ kind: 'body_too_large' }, () =>
      target.gatehouse.post(target.k1.secret, `${body} `),
    );
    expect(over.status).toBe(413);
    expect(over.message?.error?.message).toContain(String(MAX_BODY));
  });
});

test('D5: streams beyond the cap are 429 with Retry-After, and another key notices nothing', async () => {
  await using target = await openTarget();
  const { gatehouse, k1, k2 } = target;
  const abort = new AbortController();
  const listen = async (key: string, id: number, until = abort) => {
    const response = await fetch(`http://127.0.0.1:${gatehouse.port}/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'subscriptions/listen',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id,
        method: 'subscriptions/listen',
        params: { notifications: { toolsListChanged: true }, _meta: MODERN_META },
      }),
      signal: until.signal,
    });
    if (response.status !== 200)
      return { status: response.status, retry: response.headers.get('retry-after'), text: await response.text() };
    return { status: 200, retry: null, text: '' };
  };
  const { result: answers, rows } = await target.refusals(() =>
    Promise.all(Array.from({ length: 200 }, (_, id) => listen(k1.secret, id))),
  );
  const refused = answers.filter(({ status }) => status !== 200);
  expect(answers.length - refused.length).toBe(MAX_STREAMS_PER_KEY);
  for (const { status, retry, text } of refused) {
    expect(status).toBe(429);
    expect(Number(retry)).toBeGreaterThan(0);
    expect(JSON.parse(text).error).toMatchObject({ code: 41016 });
  }
  expect(rows.every((row) => row.kind === 'too_many_streams' && row.client === 'attacker')).toBe(true);
  // The first 120 of a minute have a row each; the rest are counted.
  expect(rows).toHaveLength(Math.min(200 - MAX_STREAMS_PER_KEY, 120));

  // The same key may still call; another key may still listen.
  expect((await gatehouse.call(k1.secret, 'rec__echo')).status).toBe(200);
  expect((await listen(k2.secret, 1)).status).toBe(200);
  // And what is closed is free again.
  abort.abort();
  const fresh = new AbortController();
  await eventually(async () => ((await listen(k1.secret, 1, fresh)).status === 200 ? true : null), 'a free place');
  fresh.abort();
  await target.stillServes();
});

describe('D7: a pattern that backtracks for ever', () => {
  test.each([
    ['as in the row', { pattern: '^(a+)+$' }],
    ['with a look-ahead, which the linear-time engine does not know', { pattern: '^(?=(a+)+$)a' }],
    ['with a back-reference', { pattern: '^(a+)+\\1$' }],
    ['in a definition that is tried 2^26 times', { $ref: '#/$defs/d0' }],
  ])('D7: %s: an error within 200 ms, and the loop is not held up', async (_what, field) => {
    await using target = await openTarget();
    const next = (at: number) => ({ $ref: `#/$defs/d${at + 1}` });
    const $defs = Object.fromEntries([
      ...Array.from({ length: 26 }, (_, at) => [`d${at}`, { anyOf: [next(at), next(at)] }] as const),
      ['d26', { type: 'number' }] as const,
    ]);
    const schema = { type: 'object', properties: { s: { type: 'string', ...field } }, $defs };
    await target.gatehouse.recorder('evil', { risk: 'read', args: [`--schema=${JSON.stringify(schema)}`] });
    const text = JSON.stringify({ s: `${'a'.repeat(28)}!` });
    let least = Number.POSITIVE_INFINITY;
    // On a busy machine the loop also waits for others: the best of three.
    for (let round = 0; round < 3 && least >= 200; round += 1) {
      const watch = startLoopWatch();
      const answer = await target.refuses({ kind: 'tool_call', errorClass: 'invalid_arguments', tool: 'shaped' }, () =>
        target.gatehouse.call(target.k1.secret, 'evil__shaped', text),
      );
      least = Math.min(least, watch.stop());
      expect(answer.message?.result).toMatchObject({ isError: true, _meta: { 'gatehouse/code': 41020 } });
    }
    expect(least).toBeLessThan(200);
  });

  test('D7: a text that does match is passed on', async () => {
    await using target = await openTarget();
    const schema = { type: 'object', properties: { s: { type: 'string', pattern: '^(a+)+$' } } };
    const evil = await target.gatehouse.recorder('evil', {
      risk: 'read',
      args: [`--schema=${JSON.stringify(schema)}`],
    });
    const answer = await target.gatehouse.call(target.k1.secret, 'evil__shaped', '{"s":"aaaa"}');
    expect(answer.message?.result).toMatchObject({ content: [{ text: '{"s":"aaaa"}' }] });
    expect(evil.calls()).toHaveLength(1);
  });
});

test('D9 (design: bounds are on requests in flight and queued): a flooding key is told 41016, and another key goes on as when it is idle', async () => {
  await using target = await openTarget();
  await target.gatehouse.recorder('other', { risk: 'read' });
  const bystander = caller(target.gatehouse.port, target.k2.secret, 'other__echo');
  const attacker = caller(target.gatehouse.port, target.k1.secret, 'rec__echo');
  await bystander.probe(60);

  const ratios: number[] = [];
  let refused = 0;
  // Ratios on a shared machine jump: one good round of a few shows what the gateway itself does to the bystander.
  while (ratios.length < 5 && !(refused > 0 && Math.min(...ratios) < 2)) {
    const idle = await bystander.probe(60);
    const flooding = attacker.flood(1000, 2000);
    await new Promise((resolve) => setTimeout(resolve, 700));
    const busy = await bystander.probe(60);
    const flood = await flooding;
    expect(Object.keys(busy.statuses)).toEqual(['200']);
    expect(busy.codes).toEqual({});
    expect(Object.keys(flood.statuses).filter((status) => status !== '200' && status !== '429')).toEqual([]);
    expect(flood.lost).toBe(0);
    expect(flood.statuses['429'] ?? 0).toBe(flood.codes['41016'] ?? 0);
    refused += flood.statuses['429'] ?? 0;
    ratios.push(quantile(busy, 0.5) / quantile(idle, 0.5));
  }
  expect(refused).toBeGreaterThan(0);
  expect(Math.min(...ratios), `ratios ${ratios}`).toBeLessThan(2);
  const { records } = await target.gatehouse.ask('auditList', { errorClass: 'rate_limited', limit: 10 });
  expect(records[0]?.entries).toMatchObject([{ kind: 'rate_limited', client: 'attacker', outcome: 'refused' }]);
  await target.stillServes();
});

describe('D10: an oversized result', () => {
  const TOO_LARGE = { isError: true, _meta: { 'gatehouse/code': 41021, 'gatehouse/class': 'message_too_large' } };

  test.each([
    ['50 MB of text', '{"bytes":50000000}'],
    ['a 30 MB image', '{"bytes":30000000,"image":true}'],
    ['10 000 blocks of 2 kB', '{"bytes":2000,"blocks":10000}'],
  ])('D10: %s over stdio is an error that names the limit, and others go on', async (_what, args) => {
    await using target = await openTarget();
    const huge = await target.gatehouse.recorder('huge', { risk: 'read' });
    const answer = await target.gatehouse.call(target.k1.secret, 'huge__big', args);
    await target.stillServes();
    expect(answer.message?.result).toMatchObject(TOO_LARGE);
    expect(JSON.stringify(answer.message?.result)).toContain('10 MiB');
    expect(answer.text.length).toBeLessThan(4096);
    const entries = await target.gatehouse.audit((all) =>
      all.some((entry) => entry.phase === 'ended' && entry.tool === 'big'),
    );
    expect(entries.filter((entry) => entry.phase === 'ended' && entry.tool === 'big')).toMatchObject([
      { outcome: 'failed', errorClass: 'message_too_large', upstream: 'huge' },
    ]);
    // It ran once, and the upstream is there again.
    expect(huge.calls()).toHaveLength(1);
    await eventually(
      async () =>
        (await target.gatehouse.call(target.k1.secret, 'huge__echo')).message?.result?.isError === true ? null : true,
      'the upstream to be back',
    );
  });

  test('D10: 50 MB over HTTP is the same error', async () => {
    await using target = await openTarget();
    await using _huge = await httpRecorder(target, 'huge');
    for (const args of ['{"bytes":50000000}', '{"bytes":30000000,"image":true}']) {
      const answer = await target.gatehouse.call(target.k1.secret, 'huge__big', args);
      await target.stillServes();
      expect(answer.message?.result).toMatchObject(TOO_LARGE);
    }
  });

  test('D10: 10 000 small blocks and 9 MB of text arrive whole', async () => {
    await using target = await openTarget();
    const blocks = await target.gatehouse.call(target.k1.secret, 'rec__big', '{"blocks":10000,"bytes":5}');
    expect(blocks.message?.result?.content).toHaveLength(10_000);
    const text = await target.gatehouse.call(target.k1.secret, 'rec__big', '{"bytes":9000000}');
    expect(text.message?.result?.content).toEqual([{ type: 'text', text: 'x'.repeat(9_000_000) }]);
    await target.stillServes();
  });
});

/** A recorder over HTTP as upstream, its tools accepted as read. */
async function httpRecorder({ gatehouse }: Target, name: string): Promise<AsyncDisposable> {
  const script = fileURLToPath(new URL('../support/recorder-http.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, `${gatehouse.folder}/record-${name}.jsonl`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const first = await new Promise<string>((resolve) => child.stdout.once('data', (chunk) => resolve(String(chunk))));
  const { url } = JSON.parse(first) as { url: string };
  const added = await gatehouse.ask('upstreamAdd', { name, transport: { kind: 'http', url } });
  if (added.kind !== 'done') throw new Error(added.message);
  const upstream = added.upstream.id;
  const tools = await eventually(async () => {
    const listed = await gatehouse.ask('toolsList', { upstream });
    return listed.length > 0 ? listed : null;
  }, `the tools of ${name}`);
  await gatehouse.ask('toolsReview', {
    upstream,
    accept: tools.map((tool) => ({ name: tool.name, fingerprint: tool.fingerprint, risk: 'read' as const })),
  });
  return {
    async [Symbol.asyncDispose]() {
      child.stdin.end();
    },
  };
}
