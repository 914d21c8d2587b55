import type BetterSqlite3 from 'better-sqlite3';
import type { Clock } from '../platform.ts';
import { openDatabase } from './database.ts';

/** One step of the schema; never edited after release. Each noun keeps its SQL in its own file; `core/schema.ts` lists them. */
export interface Migration {
  readonly version: number;
  readonly statements: readonly string[];
}

/** Everything editable: `state.db`. */
export interface Store {
  readonly db: BetterSqlite3.Database;
  close(): void;
}

/** Why a database did not open, in one sentence for a person with what to do. */
export type StoreFault = {
  readonly kind: 'newer' | 'foreign' | 'corrupt' | 'not_writable' | 'locked';
  readonly message: string;
};

export type StoreOpened =
  | {
      readonly kind: 'opened';
      readonly store: Store;
      /** Where a broken file was moved to; null when nothing was broken. */
      readonly setAside: string | null;
    }
  | StoreFault;

/** @param path of `state.db`; @param migrations in ascending order of their version, starting at 1. */
export function openStore({
  path,
  migrations,
  clock,
}: {
  readonly path: string;
  readonly migrations: readonly Migration[];
  readonly clock: Clock;
}): StoreOpened {
  const opened = openDatabase({ path, migrations, synchronous: 'FULL', at: clock.now() });
  if (opened.kind !== 'open') return opened;
  const { db } = opened;
  return { kind: 'opened', store: { db, close: () => void db.close() }, setAside: opened.setAside };
}
