import type Database from 'better-sqlite3';
import type { Migration } from '../store/store.ts';

/** How far one sink is, in which log. `hash` is that of the entry, so that a log put back to an older copy is noticed. */
export interface Cursor {
  readonly chain: string | null;
  readonly seq: number;
  readonly hash: string | null;
  readonly deliveredAt: number | null;
  /** Entries that never got there. */
  readonly missed: number;
}

/** `sinks.db`: only the worker that delivers writes it, so that `state.db` keeps its one writer. */
export interface Cursors {
  get(sinkId: string): Cursor | null;
  /** Durable when it returns. */
  set(sinkId: string, cursor: Cursor): void;
  /** Forgets every sink that is not among these. */
  keepOnly(sinkIds: readonly string[]): void;
}

export const CURSOR_MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    statements: [
      `CREATE TABLE cursors (
        sink_id      TEXT PRIMARY KEY,
        chain        TEXT CHECK (length(chain) = 64),
        seq          INTEGER NOT NULL CHECK (seq >= 0),
        hash         TEXT CHECK (length(hash) = 64),
        delivered_at INTEGER,
        missed       INTEGER NOT NULL CHECK (missed >= 0)
      ) STRICT`,
    ],
  },
];

export function createCursors(db: Database.Database): Cursors {
  const get = db.prepare<[string], Cursor>(
    'SELECT chain, seq, hash, delivered_at AS deliveredAt, missed FROM cursors WHERE sink_id = ?',
  );
  const set = db.prepare(
    `INSERT INTO cursors (sink_id, chain, seq, hash, delivered_at, missed) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (sink_id) DO UPDATE SET chain = excluded.chain, seq = excluded.seq, hash = excluded.hash,
       delivered_at = excluded.delivered_at, missed = excluded.missed`,
  );
  const keepOnly = db.prepare('DELETE FROM cursors WHERE sink_id NOT IN (SELECT value FROM json_each(?))');
  return {
    get: (sinkId) => get.get(sinkId) ?? null,
    set: (sinkId, { chain, seq, hash, deliveredAt, missed }) =>
      void set.run(sinkId, chain, seq, hash, deliveredAt, missed),
    keepOnly: (sinkIds) => void keepOnly.run(JSON.stringify(sinkIds)),
  };
}
