import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { type EntryRow, entryHash } from '../../electron/core/audit/entry.ts';
import { systemClock } from '../../electron/core/platform.ts';
import type { RequestInput } from '../../shared/api.ts';
import type { SinkView } from '../../shared/model.ts';
import { eventually, startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';
import { createMemoryKeychain } from '../support/memory-keychain.ts';
import { refuses, startCollector, takes } from '../support/otlp-collector.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';

const CLI = { origin: 'cli', label: 'cli' } as const;

test('JSON lines: every entry is there once, in order, whole and private, also after a restart', async () => {
  const base = folder();
  const path = join(base, 'audit.jsonl');
  const again = { folder: join(base, 'data'), platform: { keychain: createMemoryKeychain() } };
  const first = await startGatehouse(again);
  await addSink(first, 'file', { kind: 'jsonl', path });
  const key = await called(first, 3);
  await upToDate(first, 'file');
  await first.close();
  expect(statSync(path).mode & 0o777).toBe(0o600);

  const second = await startGatehouse(again);
  onTestFinished(() => second.close());
  await second.call(key, 'demo__list_notes');
  const isCall = ({ type, phase, kind }: Line) => type === 'entry' && phase === 'ended' && kind === 'tool_call';
  const lines = await eventually(() => {
    const all = linesOf(path);
    return all.filter(isCall).length === 4 ? all : null;
  }, 'the entry of the fourth call');
  const entries = lines.filter(({ type }) => type === 'entry');
  expectWholeChain(entries);
  expect(entries.filter(({ kind }) => kind === 'sink_added')).toHaveLength(1);
  expect(new Set(lines.map(({ chain }) => chain)).size).toBe(1);
  expect(lines.filter(({ type }) => type === 'commit').length).toBeGreaterThan(2);

  // While no app runs, one command says how far it is, and delivers nothing.
  await second.close();
  const held = linesOf(path).length;
  const command = await startGatehouse({ ...again, listen: false, approver: false });
  const [sink] = await command.ask('sinksList');
  expect(sink).toMatchObject({
    name: 'file',
    state: 'stopped',
    deliveredSeq: Math.max(...linesOf(path).map(({ seq }) => seq)),
  });
  expect(sink?.waiting).toBe((sink?.headSeq ?? 0) - (sink?.deliveredSeq ?? 0));
  await command.close();
  expect(linesOf(path)).toHaveLength(held);
}, 60_000);

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
    const response = await fetch(`http://127.0.0.1:${gatehouse.port}/health`, {
      headers: { authorization: `Bearer ${admin.secret}` },
    });
    const { sinks } = (await response.json()) as { readonly sinks: readonly { readonly waiting: number }[] };
    return sinks[0] !== undefined && sinks[0].waiting >= 40 ? sinks[0] : null;
  }, 'the entries that wait');
  expect(health).toMatchObject({ name: 'silent', kind: 'otlp', state: 'delivering', delivered: 0, missed: 0 });
  const plain = await (await fetch(`http://127.0.0.1:${gatehouse.port}/health`)).json();
  expect(plain).toEqual({ status: 'ok' });
  const answer = await gatehouse.call(key, 'demo__list_notes');
  expect(answer.status).toBe(200);
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

test('a secret is never in the address: PostgreSQL and OTLP addresses with one are refused, and nothing is stored', async () => {
  await using gatehouse = await startGatehouse();
  const withPassword = await gatehouse.ask('sinkAdd', {
    name: 'central',
    target: { kind: 'otlp', url: 'https://me:canary-2@collector.invalid/v1/logs' },
  });
  expect(withPassword).toMatchObject({ kind: 'refused', message: expect.stringContaining('Give them as a header') });
  const withQuery = await gatehouse.ask('sinkAdd', {
    name: 'central',
    target: { kind: 'otlp', url: 'https://collector.invalid/v1/logs?key=canary-2' },
  });
  expect(withQuery).toMatchObject({
    kind: 'refused',
    message: expect.stringContaining('give what is secret as a header'),
  });
  const plain = await gatehouse.ask('sinkAdd', {
    name: 'central',
    target: { kind: 'postgres', host: 'db.invalid', database: 'd', user: 'u', tls: 'off' },
  });
  expect(plain).toMatchObject({ kind: 'refused', message: expect.stringContaining('without encryption') });
  expect(await gatehouse.ask('sinksList')).toEqual([]);
});

test('a sink changed on disk while Gatehouse is stopped gets nothing until it is added again', async () => {
  const base = folder();
  const [mine, theirs] = [join(base, 'mine.jsonl'), join(base, 'theirs.jsonl')];
  const again = { folder: join(base, 'data'), platform: { keychain: createMemoryKeychain() } };
  const first = await startGatehouse(again);
  await addSink(first, 'file', { kind: 'jsonl', path: mine });
  await upToDate(first, 'file');
  await first.close();
  const db = new Database(join(base, 'data', 'state.db'));
  expect(db.prepare('UPDATE sinks SET target = replace(target, ?, ?)').run(mine, theirs).changes).toBe(1);
  db.close();

  const second = await startGatehouse(again);
  onTestFinished(() => second.close());
  const sink = await upToDate(second, 'file', ({ state }) => state === 'failing');
  expect(sink.reason).toContain('changed in the settings database by something else');
  await second.ask('sinkPause', { sink: 'file' });
  await second.ask('sinkResume', { sink: 'file' });
  await upToDate(second, 'file', ({ state }) => state === 'failing');
  expect(existsSync(theirs)).toBe(false);
}, 60_000);

test('a broken sinks.db is set aside, and everything is delivered again with the same numbers', async () => {
  const base = folder();
  const path = join(base, 'audit.jsonl');
  const again = { folder: join(base, 'data'), platform: { keychain: createMemoryKeychain() } };
  const first = await startGatehouse(again);
  await addSink(first, 'file', { kind: 'jsonl', path });
  await upToDate(first, 'file');
  await first.close();
  const before = linesOf(path);
  writeFileSync(
    join(base, 'data', 'sinks.db'),
    'this is no database, and long enough to be looked at as one'.repeat(40),
  );

  const second = await startGatehouse(again);
  onTestFinished(() => second.close());
  await upToDate(second, 'file');
  const after = linesOf(path);
  expect(after.slice(0, before.length)).toEqual(before);
  expect(after.slice(before.length, 2 * before.length)).toEqual(before);
  const byNumber = Map.groupBy(
    after.filter(({ type }) => type === 'entry'),
    ({ seq }) => seq,
  );
  expectWholeChain([...byNumber.values()].map(([entry]) => entry as Line));
  expect(readdirSync(join(base, 'data')).some((name) => name.startsWith('sinks.db.broken-'))).toBe(true);
}, 60_000);

test('a file that holds something else is left as it is, and after five minutes a banner says that nothing arrives', async () => {
  const path = join(folder(), 'notes.txt');
  writeFileSync(path, 'my own notes\n');
  let later = 0;
  await using gatehouse = await startGatehouse({ clock: { ...systemClock, now: () => Date.now() + later } });
  await addSink(gatehouse, 'file', { kind: 'jsonl', path });
  const sink = await upToDate(gatehouse, 'file', ({ state }) => state === 'failing');
  expect(sink.reason).toContain('already holds something that is no audit of Gatehouse');
  expect(readFileSync(path, 'utf8')).toBe('my own notes\n');

  const banners = async () => (await gatehouse.ask('status')).banners.join();
  expect(await banners()).not.toContain('not delivered');
  later = 5 * 60_000;
  expect(await banners()).toContain('The audit is not delivered to "file"');
});

test('paused, entries wait; resumed, they are delivered; removed, nothing is', async () => {
  const path = join(folder(), 'audit.jsonl');
  await using gatehouse = await startGatehouse();
  await addSink(gatehouse, 'file', { kind: 'jsonl', path });
  await upToDate(gatehouse, 'file');
  await gatehouse.ask('sinkPause', { sink: 'file' });
  const before = linesOf(path).length;
  await called(gatehouse, 3);
  const paused = await upToDate(gatehouse, 'file', ({ state, waiting }) => state === 'paused' && waiting > 5);
  expect(linesOf(path)).toHaveLength(before);
  await gatehouse.ask('sinkResume', { sink: 'file' });
  await upToDate(gatehouse, 'file', (sink) => sink.deliveredSeq > paused.headSeq);
  expectWholeChain(linesOf(path).filter(({ type }) => type === 'entry'));
  await gatehouse.ask('sinkRemove', { sink: 'file' });
  const kinds = (await gatehouse.audit((all) => all.some(({ kind }) => kind === 'sink_removed'))).map(
    ({ kind }) => kind,
  );
  expect(kinds.filter((kind) => kind.startsWith('sink_'))).toEqual([
    'sink_added',
    'sink_paused',
    'sink_resumed',
    'sink_removed',
  ]);
  expect(await gatehouse.ask('sinksList')).toEqual([]);
}, 60_000);

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'gatehouse-sinks-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

async function addSink(
  gatehouse: TestGatehouse,
  name: string,
  target: RequestInput<'sinkAdd'>['target'],
  secrets: Readonly<Record<string, string>> = {},
): Promise<void> {
  const added = await gatehouse.ask('sinkAdd', { name, target, secrets });
  if (added.kind !== 'done') throw new Error(added.message);
}

/** So many calls of the demo that were answered, from a client of its own; its key. */
async function called(gatehouse: TestGatehouse, times: number): Promise<string> {
  const tools = await gatehouse.ask('toolsList', {});
  const demo = tools.filter(({ upstream }) => upstream === 'demo');
  const [first] = demo;
  if (first === undefined) throw new Error('the demo lists nothing');
  await gatehouse.ask('toolsReview', {
    upstream: first.upstreamId,
    accept: demo.map(({ kind, name, fingerprint, proposedRisk }) => ({ kind, name, fingerprint, risk: proposedRisk })),
  });
  const key = await gatehouse.key();
  for (let n = 0; n < times; n += 1) {
    const answer = await gatehouse.call(key.secret, 'demo__list_notes');
    expect(answer.message?.result?.isError).not.toBe(true);
  }
  return key.secret;
}

/** The sink, once `until` holds of it; else once everything was delivered. */
function upToDate(
  gatehouse: TestGatehouse,
  name: string,
  until: (sink: SinkView) => boolean = ({ state, waiting, headSeq }) =>
    state === 'up_to_date' && waiting === 0 && headSeq > 0,
): Promise<SinkView> {
  let last: unknown = null;
  return eventually(
    async () => {
      const sink = (await gatehouse.ask('sinksList')).find((one) => one.name === name);
      last = sink;
      return sink !== undefined && until(sink) ? sink : null;
    },
    `the sink ${name}`,
    25_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify(last)}`);
  });
}

type Line = EntryRow & { readonly type: string; readonly chain: string };

function linesOf(path: string): readonly Line[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** From the first entry on, without a gap or a repetition, each hash that of its own content and of the one before. */
function expectWholeChain(entries: readonly EntryRow[]): void {
  expect(entries.length).toBeGreaterThan(0);
  let prev = '0'.repeat(64);
  entries.forEach((entry, n) => {
    expect(entry.seq).toBe(n + 1);
    expect(entry.prev).toBe(prev);
    expect(entryHash(entry)).toBe(entry.hash);
    prev = entry.hash;
  });
}

function numbered(row: EntryRow): EntryRow {
  return { ...row, seq: Number(row.seq), at: Number(row.at) };
}

function postgresTarget({ port, user, database }: TestPostgres): RequestInput<'sinkAdd'>['target'] {
  return { kind: 'postgres', host: '127.0.0.1', port, user, database, tls: 'off', password: true };
}
