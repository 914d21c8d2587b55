import type Database from 'better-sqlite3';
import type { CommitRow, EntryRow } from '../audit/entry.ts';
import { chainOf } from '../audit/rows.ts';
import type { Batch } from './destination.ts';

/** The audit log as sinks read it: what is signed and durable, in order. */
export interface Source {
  /** Hash of the log's first entry: which log this is. Null while it has none. */
  chain(): string | null;
  /** The last entry that is durable; 0 while there is none. */
  head(): number;
  /** The first entry that is still there; 0 while there is none. */
  oldest(): number;
  /** Null: there is no such entry. */
  hashAt(seq: number): string | null;
  /** What follows entry `after`, at most `most` entries and about 2 MB; null when nothing does. */
  batch(chain: string, after: number, most: number): Batch | null;
}

/** Characters of detail that one batch holds; an entry that is longer goes alone. */
const MOST_CHARACTERS = 2_000_000;

/** Every entry has its signed head in the same transaction, and a transaction is seen only after it was synced. */
export function createSource(db: Database.Database): Source {
  const head = db.prepare<[], number>('SELECT coalesce(max(seq), 0) FROM commits').pluck();
  const oldest = db.prepare<[], number>('SELECT coalesce(min(seq), 0) FROM entries').pluck();
  const hashAt = db.prepare<[number], string>('SELECT hash FROM entries WHERE seq = ?').pluck();
  const entries = db.prepare<[number, number, number], EntryRow>(
    'SELECT * FROM entries WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?',
  );
  const commits = db.prepare<[number, number], CommitRow>(
    'SELECT * FROM commits WHERE seq > ? AND seq <= ? ORDER BY seq',
  );

  return {
    chain: () => chainOf(db),
    head: () => head.get() ?? 0,
    oldest: () => oldest.get() ?? 0,
    hashAt: (seq) => hashAt.get(seq) ?? null,
    batch(chain, after, most) {
      const rows: EntryRow[] = [];
      let characters = 0;
      for (const row of entries.iterate(after, head.get() ?? 0, most)) {
        characters += row.detail.length;
        if (rows.length > 0 && characters > MOST_CHARACTERS) break;
        rows.push(row);
      }
      const last = rows.at(-1);
      if (last === undefined) return null;
      return { chain, entries: rows, commits: commits.all(after, last.seq), last: { seq: last.seq, hash: last.hash } };
    },
  };
}
