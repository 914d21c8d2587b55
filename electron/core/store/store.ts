import type BetterSqlite3 from 'better-sqlite3';

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
  readonly kind: 'newer' | 'corrupt' | 'not_writable' | 'locked';
  readonly message: string;
};
