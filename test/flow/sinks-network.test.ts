import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { EntryRow } from '../../electron/core/audit/entry.ts';
import { systemClock } from '../../electron/core/platform.ts';
import { eventually, startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';
import { createMemoryKeychain } from '../support/memory-keychain.ts';
import { refuses, startCollector, takes } from '../support/otlp-collector.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { addSink, called, expectWholeChain, folder, numbered, postgresTarget, upToDate } from '../support/sinks.ts';

const CLI = { origin: 'cli', label: 'cli' } as const;

test('adding a sink is confirmed with the exact place, is recorded, and what it sends is not before', async () => {
  await using gatehouse = await startGatehouse();
  await using collector = await startCollector();
  const target = { kind: 'otlp' as const, url: new URL(collector.url).origin, secretHeaders: ['x-api-key'] };
  const adding = gatehouse.ask('sinkAdd', { name: 'central', target, secrets: { 'x-api-key': 'canary-1' } }, CLI);
  const asked = await eventually(async () => (await gatehouse.ask('confirmationsList'))[0] ?? null, 'a confirmation');
  expect(asked).toMatchObject({ kind: 'sink', title: 'Send every entry of the audit to "central"' });
  expect(asked.lines).toContainEqual({ label: 'OpenTelemetry collector', value: collector.url });
  expect(JSON.stringify(asked)).not.toContain('canary-1');
  expect(collector.requests).toHaveLength(0);
  await gatehouse.ask('confirmationAnswer', { confirmation: asked.id, answer: 'confirm' });
  expect(await adding).toMatchObject({ kind: 'done' });
  await upToDate(gatehouse, 'central');

  expect(collector.requests[0]?.headers['x-api-key']).toBe('canary-1');
  expect(
    collector
      .taken()
      .map((log) => log.body)
      .join(),
  ).not.toContain('canary-1');
  const entries = await gatehouse.audit((all) => all.some(({ kind }) => kind === 'sink_added'));
  expect(entries.find(({ kind }) => kind === 'sink_added')?.detail).toEqual({
    sink: 'central',
    to: 'otlp',
    place: collector.url,
  });
  for (const file of ['state.db', 'state.db-wal', 'sinks.db', 'audit.db-wal'])
    expect(readFileSync(join(gatehouse.folder, file), 'latin1')).not.toContain('canary-1');
}, 60_000);

test('OpenTelemetry: records with severity, names and the line of the export, through 429, 503, garbage and silence', async () => {
  await using gatehouse = await startGatehouse();
  await using collector = await startCollector();
  collector.answer(
    refuses(503),
    refuses(429, { 'retry-after': '1' }),
    // 200 from something that is no collector: a sign-in page of a network.
    (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in</html>'),
    (response) => void response.destroy(),
    takes,
  );
  await addSink(gatehouse, 'central', { kind: 'otlp', url: collector.url });
  const key = await called(gatehouse, 2);
  await gatehouse.call(key, 'demo__no_such_tool');
  await upToDate(gatehouse, 'central', (sink) => sink.deliveredSeq > 8);

  const logs = collector.taken().filter((log) => log.body.startsWith('{"type":"entry"'));
  const bySeq = new Map(logs.map((log) => [log.attributes['gatehouse.seq'], log]));
  expectWholeChain([...bySeq.values()].map((log) => JSON.parse(log.body)).toSorted((a, b) => a.seq - b.seq));
  const call = [...bySeq.values()].find((log) => log.attributes['gatehouse.outcome'] === 'answered');
  expect(call).toMatchObject({
    severityText: 'INFO',
    severityNumber: 9,
    eventName: 'gatehouse.call.tool_call',
    attributes: {
      'mcp.method.name': 'tools/call',
      'gen_ai.tool.name': 'list_notes',
      'gen_ai.operation.name': 'execute_tool',
      'gatehouse.upstream': 'demo',
      'gatehouse.effect': 'allow',
    },
    resource: { 'service.name': 'gatehouse', 'service.version': '0.0.0-test' },
  });
  const refused = [...bySeq.values()].find((log) => log.attributes['error.type'] === 'unknown_tool');
  expect(refused).toMatchObject({ severityText: 'WARN' });
  for (const log of logs) {
    const entry = JSON.parse(log.body) as EntryRow & { readonly chain: string };
    expect(log.attributes['log.record.uid']).toBe(`${entry.chain}/${entry.seq}`);
    expect(log.timeUnixNano).toBe(`${entry.at}000000`);
  }
}, 30_000);

test('a sink that never answers: calls go on, /health says how many wait, and all arrive when it answers', async () => {
  await using gatehouse = await startGatehouse();
  const open: Socket[] = [];
  // It takes the connection and everything that is sent, and says nothing.
  const silent = createServer((socket) => void open.push(socket.on('error', () => {}).resume()));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    silent.close();
  });
  const { port } = silent.address() as { readonly port: number };
  await addSink(gatehouse, 'silent', { kind: 'otlp', url: `http://127.0.0.1:${port}/v1/logs` });
  await eventually(() => (open.length > 0 ? true : null), 'the delivery that hangs');

  const key = await called(gatehouse, 20);
  // All twenty were answered while the delivery hung, in the middle of which it still is.
  expect(open.filter((socket) => !socket.destroyed)).toHaveLength(1);
  const admin = await gatehouse.key({ role: 'admin' });
  const health = await eventually(async () => {
    const sink = await inHealth(gatehouse, admin.secret);
    return sink.waiting >= 40 ? sink : null;
  }, 'the entries that wait');
  expect(health).toMatchObject({ name: 'silent', kind: 'otlp', state: 'delivering', delivered: 0, missed: 0 });
  const plain = await (await fetch(`http://127.0.0.1:${gatehouse.port}/health`)).json();
  expect(plain).toEqual({ status: 'ok' });
  const answer = await gatehouse.call(key, 'demo__list_notes');
  expect(answer.status).toBe(200);
}, 60_000);

test('a locked keychain: the sink says so and sends nothing, and goes on with its secret once it is unlocked', async () => {
  const keychain = createMemoryKeychain();
  const data = folder();
  let shift = 0;
  const clock = { ...systemClock, monotonic: () => performance.now() + shift };
  const again = { folder: data, clock, platform: { keychain } };
  await using collector = await startCollector();
  const first = await startGatehouse(again);
  const target = { kind: 'otlp' as const, url: collector.url, secretHeaders: ['x-api-key'] };
  await addSink(first, 'central', target, { 'x-api-key': 'canary-4' });
  await upToDate(first, 'central');
  await first.close();
  const before = collector.requests.length;

  keychain.mood = 'locked';
  const second = await startGatehouse(again);
  onTestFinished(() => second.close());
  const sink = await upToDate(second, 'central', ({ state }) => state === 'failing');
  expect(sink.reason).toContain('locked');
  expect(collector.requests).toHaveLength(before);
  keychain.mood = 'open';
  shift = 60_000;
  await second.ask('sinkPause', { sink: 'central' });
  await second.ask('sinkResume', { sink: 'central' });
  await upToDate(second, 'central');
  expect(collector.requests.at(-1)?.headers['x-api-key']).toBe('canary-4');
}, 60_000);

test('PostgreSQL: killed in the middle and started again, nothing is lost and nothing is there twice', async () => {
  await using postgres = await startPostgres();
  await using gatehouse = await startGatehouse();
  await addSink(gatehouse, 'db', postgresTarget(postgres), { password: postgres.password });
  const key = await called(gatehouse, 5);
  await upToDate(gatehouse, 'db');

  // Held at the lock, the delivery is in the middle of its transaction when the server goes down.
  const locked = holdTable(postgres);
  await locked.held;
  for (let n = 0; n < 10; n += 1) await gatehouse.call(key, 'demo__list_notes');
  await eventually(async () => {
    const [row] = await postgres.query<{ waiting: string }>(
      "SELECT count(*) AS waiting FROM pg_stat_activity WHERE application_name = 'gatehouse' AND wait_event_type = 'Lock'",
    );
    return row?.waiting === '1' ? true : null;
  }, 'a delivery that waits for the lock');
  await postgres.stop('immediate');
  await locked.over;
  const failing = await upToDate(gatehouse, 'db', ({ state }) => state === 'failing');
  expect(failing.reason).toMatch(/PostgreSQL/);
  expect(failing.waiting).toBeGreaterThan(10);
  const admin = await gatehouse.key({ role: 'admin' });
  expect(await inHealth(gatehouse, admin.secret)).toMatchObject({
    state: 'failing',
    lastError: expect.stringMatching(/PostgreSQL/),
    nextTryAt: expect.any(Number),
  });

  await postgres.start();
  // Found well, it is not waited for until the end of the back-off.
  expect(await gatehouse.ask('sinkTest', { sink: 'db' })).toMatchObject({ kind: 'done' });
  const done = await upToDate(gatehouse, 'db', ({ state, waiting }) => state === 'up_to_date' && waiting === 0);
  expect(done).toMatchObject({ missed: 0, reason: null });
  const rows = await postgres.query<EntryRow>('SELECT * FROM gatehouse_audit ORDER BY seq');
  expectWholeChain(rows.map(numbered));
  expect(rows.length).toBe(done.deliveredSeq);
  const calls = rows.filter(({ phase, kind }) => phase === 'ended' && kind === 'tool_call');
  expect(calls).toHaveLength(15);
}, 60_000);

test('what stands in the environment is not sent: no header, password or address that nobody confirmed', async () => {
  const ours = { OTEL_EXPORTER_OTLP_HEADERS: 'x-leak=canary-3', OTEL_EXPORTER_OTLP_LOGS_HEADERS: 'x-leak2=canary-3' };
  Object.assign(process.env, ours);
  onTestFinished(() => {
    for (const name of Object.keys(ours)) delete process.env[name];
  });
  await using gatehouse = await startGatehouse();
  await using collector = await startCollector();
  await addSink(gatehouse, 'central', { kind: 'otlp', url: collector.url });
  await upToDate(gatehouse, 'central');
  expect(collector.requests.length).toBeGreaterThan(0);
  expect(JSON.stringify(collector.requests)).not.toContain('canary-3');
}, 60_000);

/** The first sink, as `/health` tells of it to an admin key. */
async function inHealth(gatehouse: TestGatehouse, secret: string): Promise<{ readonly waiting: number }> {
  const headers = { authorization: `Bearer ${secret}` };
  const response = await fetch(`http://127.0.0.1:${gatehouse.port}/health`, { headers });
  const { sinks } = (await response.json()) as { readonly sinks: readonly { readonly waiting: number }[] };
  const [sink] = sinks;
  if (sink === undefined) throw new Error('/health has no sink');
  return sink;
}

function holdTable(postgres: TestPostgres): { readonly held: Promise<void>; readonly over: Promise<void> } {
  const held = Promise.withResolvers<void>();
  const over = postgres
    .query('BEGIN; LOCK TABLE gatehouse_audit IN EXCLUSIVE MODE; SELECT pg_notify($$held$$, $$$$); SELECT pg_sleep(60)')
    .then(
      () => {},
      () => {},
    );
  const look = async () => {
    const rows = await postgres.query<{ mode: string }>(
      "SELECT mode FROM pg_locks WHERE relation = 'gatehouse_audit'::regclass AND mode = 'ExclusiveLock' AND granted",
    );
    if (rows.length > 0) held.resolve();
    else setTimeout(look, 20);
  };
  void look();
  return { held: held.promise, over };
}
