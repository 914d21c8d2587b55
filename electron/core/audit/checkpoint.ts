import type Database from 'better-sqlite3';
import { type EntryRow, type Head, NO_HEAD, parseDetail } from './entry.ts';
import { LOG_KINDS } from './schema.ts';

/**
 * Where the log begins after retention removed what was before: the last entry that may be gone, and what is needed to
 * go on from it. It proves nothing by itself; the signed entry `audit_purged`, written in the same commit, repeats it.
 */
export interface Checkpoint extends Head {
  /** Number of the commit that ends with this entry. */
  readonly number: number;
  /** Hash of the log's very first entry: which log this is. */
  readonly chain: string;
  /** In force after this entry, base64 SPKI. */
  readonly publicKey: string;
}

/** Where a walk along the chain begins: after an entry that is known to be right. */
export interface ChainStart extends Head {
  /** The public key in force there, base64 SPKI. */
  readonly publicKey: string | null;
  /** Number of the commit before; null: not known. */
  readonly number: number | null;
  /** Which log this is; null: not known. */
  readonly chain: string | null;
}

export const VERY_START: ChainStart = { ...NO_HEAD, publicKey: null, number: 0, chain: null };

/** Null: nothing was ever removed. */
export function checkpointOf(db: Database.Database): Checkpoint | null {
  // A log that an older version wrote is verified as it is.
  const isThere = db.prepare(`SELECT 1 FROM sqlite_schema WHERE name = 'checkpoints'`).get() !== undefined;
  if (!isThere) return null;
  return (
    db
      .prepare<[], Checkpoint>(
        'SELECT seq, hash, number, chain, public_key AS publicKey FROM checkpoints ORDER BY seq DESC LIMIT 1',
      )
      .get() ?? null
  );
}

/** Whether this entry is the one that tells of the checkpoint. */
export function tellsOf(row: EntryRow, checkpoint: Checkpoint): boolean {
  if (row.kind !== LOG_KINDS.purged) return false;
  const told = parseDetail(row.detail).checkpoint;
  if (typeof told !== 'object' || told === null) return false;
  const members = told as Readonly<Record<string, unknown>>;
  return (['seq', 'hash', 'number', 'chain', 'publicKey'] as const).every((name) => members[name] === checkpoint[name]);
}
