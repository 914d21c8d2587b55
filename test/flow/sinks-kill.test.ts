import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { EntryRow } from '../../electron/core/audit/entry.ts';
import { eventually } from '../support/gatehouse.ts';
import { type Headless, newBase, startHeadless } from '../support/headless.ts';
import { startCollector } from '../support/otlp-collector.ts';
import { startPostgres } from '../support/postgres.ts';
import { expectWholeChain, numbered } from '../support/sinks.ts';

/** Milliseconds under load until the kill, the same in every run. */
const KILLS = [120, 310, 55];

test('kill -9 under load: each sink has every entry in the end, PostgreSQL each exactly once', async () => {
  await using postgres = await startPostgres();
  await using collector = await startCollector();
  const base = newBase();
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  const path = join(base, 'audit.jsonl');

  let gatehouse: Headless = await startHeadless({ base });
  await gatehouse.review('demo', 'read');
  const { port, user, database, password } = postgres;
  for (const [name, target, secrets] of [
    ['db', { kind: 'postgres', host: '127.0.0.1', port, user, database, tls: 'off', password: true }, { password }],
    ['otel', { kind: 'otlp', url: collector.url }, {}],
    ['file', { kind: 'jsonl', path }, {}],
  ] as const)
    expect(await gatehouse.ask('sinkAdd', { name, target, secrets })).toMatchObject({ kind: 'done' });
  const key = await gatehouse.key('agent');
  for (const ms of KILLS) {
    let over = false;
    const load = async () => {
      // The one that the kill meets fails; that is what is looked at.
      while (!over) await gatehouse.call(key, 'demo__list_notes').catch(() => {});
    };
    const running = [load(), load()];
    await new Promise((resolve) => setTimeout(resolve, ms));
    await gatehouse.stop('SIGKILL');
    over = true;
    await Promise.all(running);
    gatehouse = await startHeadless({ base });
  }
  const sinks = await eventually(
    async () => {
      const all = await gatehouse.ask('sinksList');
      return all.every(({ state, waiting }) => state === 'up_to_date' && waiting === 0) ? all : null;
    },
    'everything to be delivered',
    30_000,
  );
  await gatehouse.stop();
  expect(sinks.map(({ missed }) => missed)).toEqual([0, 0, 0]);
  const head = Math.min(...sinks.map(({ deliveredSeq }) => deliveredSeq));
  expect(head).toBeGreaterThan(20);

  const rows = await postgres.query<EntryRow>('SELECT * FROM gatehouse_audit WHERE seq <= $1 ORDER BY seq', [head]);
  expectWholeChain(rows.map(numbered));
  expectWholeChain(once(readFileSync(path, 'utf8').split('\n').filter(Boolean), head));
  expectWholeChain(
    once(
      collector.taken().map(({ body }) => body),
      head,
    ),
  );
}, 120_000);

/** The entries up to `head`, each once; what was sent twice must have been the same. */
function once(lines: readonly string[], head: number): readonly EntryRow[] {
  const entries = new Map<number, string>();
  for (const line of lines) {
    const { type, seq } = JSON.parse(line) as { readonly type: string; readonly seq: number };
    if (type !== 'entry' || seq > head) continue;
    expect(entries.get(seq) ?? line).toBe(line);
    entries.set(seq, line);
  }
  return [...entries].toSorted((a, b) => a[0] - b[0]).map(([, line]) => JSON.parse(line) as EntryRow);
}
