import type { CommitRow, EntryRow } from '../../../electron/core/audit/entry.ts';
import { entryHash } from '../../../electron/core/audit/entry.ts';
import type { Batch } from '../../../electron/core/sinks/destination.ts';
import type { Source } from '../../../electron/core/sinks/source.ts';

/** Entries `from` to `to` of a log that begins with `detail` of the first. */
export function rowsOf(from: number, to: number, seed = 'a'): readonly EntryRow[] {
  const rows: EntryRow[] = [];
  let prev = '0'.repeat(64);
  for (let seq = 1; seq <= to; seq += 1) {
    const row = { ...EMPTY, seq, at: 1_900_000_000_000 + seq, detail: JSON.stringify({ seed, seq }), prev };
    prev = entryHash(row);
    rows.push({ ...row, hash: prev });
  }
  return rows.slice(from - 1);
}

export function batchOf(rows: readonly EntryRow[]): Batch {
  const last = rows.at(-1);
  if (last === undefined) throw new Error('a batch holds at least one entry');
  const commit: CommitRow = { number: 1, seq: last.seq, hash: last.hash, key_id: 'k', signature: 's' };
  return { chain: 'c'.repeat(64), entries: rows, commits: [commit], last: { seq: last.seq, hash: last.hash } };
}

/** A log that the test changes as it likes. */
export interface TestSource extends Source {
  rows: readonly EntryRow[];
}

export function sourceOf(rows: readonly EntryRow[]): TestSource {
  const source: TestSource = {
    rows,
    chain: () => rowsOf(1, 1, seedOf(source.rows))[0]?.hash ?? null,
    head: () => source.rows.at(-1)?.seq ?? 0,
    oldest: () => source.rows[0]?.seq ?? 0,
    hashAt: (seq) => source.rows.find((row) => row.seq === seq)?.hash ?? null,
    batch(chain, after, most) {
      const entries = source.rows.filter((row) => row.seq > after).slice(0, most);
      return entries.length === 0 ? null : { ...batchOf(entries), chain };
    },
  };
  return source;
}

function seedOf(rows: readonly EntryRow[]): string {
  return (JSON.parse(rows[0]?.detail ?? '{"seed":"a"}') as { readonly seed: string }).seed;
}

const EMPTY = {
  phase: 'event',
  kind: 'test',
  request_id: null,
  workspace: null,
  client_id: null,
  client: null,
  key_prefix: null,
  upstream: null,
  tool: null,
  effect: null,
  rule: null,
  outcome: null,
  error_class: null,
} as const;
