import { createHash } from 'node:crypto';
import type { PriorDiscovery } from '@modelcontextprotocol/client';
import type BetterSqlite3 from 'better-sqlite3';
import type { Clock } from '../platform.ts';
import { codeOf } from '../store/files.ts';

/**
 * Which protocol era an upstream was found to speak, so that the next start needs no probe. An older verdict expires: a
 * server that was brought up to date would otherwise never be asked again.
 */
export interface Eras {
  /** `identity` is everything that decides which program answers. */
  known(identity: string): PriorDiscovery | null;
  note(identity: string, verdict: PriorDiscovery): void;
  forget(identity: string): void;
}

export const erasSchema = `
CREATE TABLE upstream_eras (
  identity TEXT PRIMARY KEY,
  era TEXT NOT NULL CHECK (era IN ('legacy', 'modern')),
  discover TEXT,
  noted_at INTEGER NOT NULL,
  CHECK ((era = 'modern') = (discover IS NOT NULL))
) STRICT;
`;

export function createEras(db: BetterSqlite3.Database, clock: Clock): Eras {
  const select = db.prepare('SELECT era, discover, noted_at FROM upstream_eras WHERE identity = ?');
  const insert = db.prepare(
    'INSERT OR REPLACE INTO upstream_eras (identity, era, discover, noted_at) VALUES (?, ?, ?, ?)',
  );
  const remove = db.prepare('DELETE FROM upstream_eras WHERE identity = ?');
  return {
    known(identity) {
      const row = select.get(hash(identity)) as { era: string; discover: string | null; noted_at: number } | undefined;
      if (!row || clock.now() - row.noted_at > KEPT_MS) return null;
      return row.discover === null ? { kind: 'legacy' } : { kind: 'modern', discover: JSON.parse(row.discover) };
    },
    note(identity, verdict) {
      const discover = verdict.kind === 'modern' ? JSON.stringify(verdict.discover) : null;
      ifWritable(() => insert.run(hash(identity), verdict.kind, discover, clock.now()));
    },
    forget: (identity) => ifWritable(() => remove.run(hash(identity))),
  };
}

/** What is not noted is asked for again, so a full disk costs a question and not the connection. */
function ifWritable(write: () => unknown): void {
  try {
    write();
  } catch (error) {
    if (!codeOf(error).startsWith('SQLITE_')) throw error;
  }
}

function hash(identity: string): string {
  return createHash('sha256').update(identity).digest('hex');
}

const KEPT_MS = 24 * 3_600_000;
