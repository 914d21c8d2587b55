import type BetterSqlite3 from 'better-sqlite3';

/**
 * What of a table's rows is the person's to decide: a change of it that was not made by Gatehouse has no effect. Every
 * member is a column, or an SQL expression over the columns of the row that is written `{row}`.
 */
export interface SealedTable {
  readonly table: string;
  /** SQL over `{row}`: which row it is. */
  readonly id: string;
  readonly members: Readonly<Record<string, string>>;
  /** SQL over `{row}`: rows that need no seal, since they open nothing; none when left out. */
  readonly exempt?: string;
  /** Every write gives all members, so that it confirms them whatever stood there before. */
  readonly whole?: true;
  /**
   * SQL that takes back what another program did; where it is left out the person is asked. `@id` names the row, `@row` is
   * what was confirmed of it as JSON, `@at` the time.
   */
  readonly mend?: {
    /** The row is as it was confirmed again. */
    readonly setBack: string;
    /** Nobody confirmed the row, or the proof is gone: it opens nothing any more. */
    readonly withdraw: string;
  };
}

/** The members of one row, as they are sealed. */
export type SealedRow = Readonly<Record<string, string | number | null>>;

/** Where the seal of a row is; also what the seal is bound to. */
export function placeOf(table: string, id: string): string {
  return `${table}/${id}`;
}

export const sealsSchema = `
CREATE TABLE seals (
  place TEXT PRIMARY KEY,
  sealed BLOB NOT NULL CHECK (length(sealed) >= 28)
) STRICT;
`;

/** The rows of the table that need a seal, or the one of this id: by id, what is to be sealed of them. */
export function rowsOf(db: BetterSqlite3.Database, sealed: SealedTable, only?: string): ReadonlyMap<string, string> {
  const id = over(sealed.id, sealed.table);
  const rows = db
    .prepare<[string | null], { id: string; text: string | null }>(
      `SELECT ${id} AS id, ${textOver(sealed, sealed.table)} AS text FROM ${sealed.table} WHERE ifnull(? = ${id}, TRUE)`,
    )
    .all(only ?? null);
  return new Map(rows.flatMap(({ id, text }) => (text === null ? [] : [[id, text] as const])));
}

/**
 * Has each change that this connection makes sealed within its own transaction, by the SQL function `seal(place, before,
 * after, sealed)`. Triggers of the connection, not of the file: what another program writes gets no seal.
 */
export function sealEveryChange(db: BetterSqlite3.Database, sealed: SealedTable): void {
  const { table, id, members } = sealed;
  const place = (row: string) => `'${table}/' || ${over(id, row)}`;
  const old = (row: string) => `(SELECT sealed FROM seals WHERE place = ${place(row)})`;
  const put = (before: string) => `
    INSERT INTO seals SELECT place, sealed FROM (
      SELECT ${place('NEW')} AS place, seal(${place('NEW')}, ${before}, ${textOver(sealed, 'NEW')}, ${old('NEW')}) AS sealed
    ) WHERE sealed IS NOT NULL
    ON CONFLICT (place) DO UPDATE SET sealed = excluded.sealed;`;
  const isOther = [...Object.values(members), ...(sealed.exempt === undefined ? [] : [sealed.exempt])]
    .map((member) => `${over(member, 'OLD')} IS NOT ${over(member, 'NEW')}`)
    .join(' OR ');
  db.exec(`
    CREATE TEMP TRIGGER seal_inserted_${table} AFTER INSERT ON ${table} BEGIN ${put('NULL')} END;
    CREATE TEMP TRIGGER seal_updated_${table} AFTER UPDATE ON ${table} WHEN ${isOther} BEGIN
      ${put(sealed.whole === true ? 'NULL' : textOver(sealed, 'OLD'))}
    END;
    CREATE TEMP TRIGGER seal_deleted_${table} AFTER DELETE ON ${table} BEGIN
      DELETE FROM seals WHERE place = ${place('OLD')};
    END;
  `);
}

const over = (expression: string, row: string) => `(${expression.replaceAll('{row}', row)})`;

/** The members as JSON, in the order they are given; null for a row that needs no seal. */
function textOver({ members, exempt }: SealedTable, row: string): string {
  const pairs = Object.entries(members).map(([name, expression]) => `'${name}', ${over(expression, row)}`);
  return `CASE WHEN ${exempt === undefined ? 'FALSE' : over(exempt, row)} THEN NULL ELSE json_object(${pairs.join(', ')}) END`;
}
