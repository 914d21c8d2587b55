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

/** All rows of the table that need a seal: by id, what is to be sealed of them. */
export function rowsOf(db: BetterSqlite3.Database, sealed: SealedTable): ReadonlyMap<string, string> {
  const rows = db
    .prepare<[], { id: string; text: string | null }>(
      `SELECT ${over(sealed.id, sealed.table)} AS id, ${textOver(sealed, sealed.table)} AS text FROM ${sealed.table}`,
    )
    .all();
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
      ${put(textOver(sealed, 'OLD'))}
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
