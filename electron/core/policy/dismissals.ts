import type BetterSqlite3 from 'better-sqlite3';
import type { Clock } from '../platform.ts';

/** Suggestions that the person does not want to see again. */
export interface Dismissals {
  has(suggestion: string): boolean;
  add(suggestion: string, by: string): void;
}

export const dismissalsSchema = `
CREATE TABLE dismissed_suggestions (
  suggestion TEXT PRIMARY KEY,
  dismissed_at INTEGER NOT NULL,
  dismissed_by TEXT NOT NULL
) STRICT;
`;

export function createDismissals({
  db,
  clock,
}: {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
}): Dismissals {
  const select = db.prepare<[string], { n: number }>('SELECT 1 AS n FROM dismissed_suggestions WHERE suggestion = ?');
  const insert = db.prepare<[string, number, string]>('INSERT OR IGNORE INTO dismissed_suggestions VALUES (?, ?, ?)');
  return {
    has: (suggestion) => select.get(suggestion) !== undefined,
    add: (suggestion, by) => void insert.run(suggestion, clock.now(), by),
  };
}
