import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../electron/core/platform.ts';
import { eventually, startGatehouse } from '../support/gatehouse.ts';
import { createMemoryKeychain } from '../support/memory-keychain.ts';
import { addSink, called, expectWholeChain, folder, type Line, linesOf, upToDate } from '../support/sinks.ts';

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

test('retention: what it removes before it was delivered is counted and recorded, and a sink added later begins after it', async () => {
  const base = folder();
  const [old, fresh] = [join(base, 'old.jsonl'), join(base, 'fresh.jsonl')];
  let ago = 3 * 86_400_000;
  await using gatehouse = await startGatehouse({ clock: { ...systemClock, now: () => Date.now() - ago } });
  await addSink(gatehouse, 'old', { kind: 'jsonl', path: old });
  const { deliveredSeq } = await upToDate(gatehouse, 'old');
  await gatehouse.ask('sinkPause', { sink: 'old' });
  // No calls: retention parts none, and one that ends in the commit in which the next begins would keep both.
  for (let n = 0; n < 5; n += 1) await gatehouse.key();
  await gatehouse.audit((all) => all.filter(({ kind }) => kind === 'key_created').length === 5);
  ago = 0;
  await called(gatehouse, 1);
  const purged = await gatehouse.ask('auditPurge', { olderThanMs: 86_400_000 });
  if (purged.kind !== 'done' || purged.upTo === null) throw new Error(JSON.stringify(purged));
  expect(purged.upTo).toBeGreaterThan(deliveredSeq);

  await gatehouse.ask('sinkResume', { sink: 'old' });
  await addSink(gatehouse, 'fresh', { kind: 'jsonl', path: fresh });
  const missed = purged.upTo - deliveredSeq;
  expect(await upToDate(gatehouse, 'old', (sink) => sink.missed > 0 && sink.waiting === 0)).toMatchObject({ missed });
  expect(await upToDate(gatehouse, 'fresh')).toMatchObject({ missed: 0 });
  const entries = await gatehouse.audit((all) => all.some(({ kind }) => kind === 'sink_gap'));
  expect(entries.filter(({ kind }) => kind === 'sink_gap').map(({ detail }) => detail)).toEqual([
    {
      sink: 'old',
      from: deliveredSeq + 1,
      to: purged.upTo,
      entries: missed,
      reason: 'Retention removed them before they were delivered.',
    },
  ]);
  const seqs = (path: string) => linesOf(path).flatMap(({ type, seq }) => (type === 'entry' ? [seq] : []));
  expect(seqs(fresh)[0]).toBe(purged.upTo + 1);
  expect(seqs(old).slice(0, deliveredSeq + 1)).toEqual([
    ...Array.from({ length: deliveredSeq }, (_, n) => n + 1),
    purged.upTo + 1,
  ]);
  // Still the same log, for everybody who has the rest of it.
  expect(new Set([...linesOf(old), ...linesOf(fresh)].map(({ chain }) => chain)).size).toBe(1);
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

test('a sinks.db that cannot be opened is said, calls go on, and delivery goes on once it can', async () => {
  const base = folder();
  const path = join(base, 'audit.jsonl');
  await using gatehouse = await startGatehouse({ folder: join(base, 'data') });
  const own = join(base, 'data', 'sinks.db');
  mkdirSync(own);
  await addSink(gatehouse, 'file', { kind: 'jsonl', path });
  const sink = await upToDate(gatehouse, 'file', ({ state }) => state === 'failing');
  expect(sink.reason).toContain(`${own} cannot be written`);
  expect(await gatehouse.ask('sinkTest', { sink: 'file' })).toMatchObject({ kind: 'refused' });
  await called(gatehouse, 2);
  rmdirSync(own);
  await upToDate(gatehouse, 'file');
  expectWholeChain(linesOf(path).filter(({ type }) => type === 'entry'));
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
  // The last word counts, however long the vault took to answer the one before.
  await Promise.all([gatehouse.ask('sinkResume', { sink: 'file' }), gatehouse.ask('sinkPause', { sink: 'file' })]);
  const before = linesOf(path).length;
  await called(gatehouse, 3);
  const paused = await upToDate(gatehouse, 'file', ({ state, waiting }) => state === 'paused' && waiting > 5);
  expect(linesOf(path)).toHaveLength(before);
  await gatehouse.ask('sinkResume', { sink: 'file' });
  await upToDate(gatehouse, 'file', (sink) => sink.deliveredSeq > paused.headSeq);
  expectWholeChain(linesOf(path).filter(({ type }) => type === 'entry'));
  const again = { name: 'file', target: { kind: 'jsonl', path: `${path}.other` } } as const;
  expect(await gatehouse.ask('sinkAdd', again)).toMatchObject({
    message: expect.stringContaining('already a sink "file"'),
  });
  const twin = { name: 'twin', target: { kind: 'jsonl', path } } as const;
  expect(await gatehouse.ask('sinkAdd', twin)).toMatchObject({
    message: 'The sink "file" delivers there already.',
  });
  await gatehouse.ask('sinkRemove', { sink: 'file' });
  const kinds = (await gatehouse.audit((all) => all.some(({ kind }) => kind === 'sink_removed'))).map(
    ({ kind }) => kind,
  );
  expect(kinds.filter((kind) => kind.startsWith('sink_'))).toEqual([
    'sink_added',
    'sink_paused',
    'sink_resumed',
    'sink_paused',
    'sink_resumed',
    'sink_removed',
  ]);
  expect(await gatehouse.ask('sinksList')).toEqual([]);
}, 60_000);
