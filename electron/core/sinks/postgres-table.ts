import { type EntryRow, HASHED } from '../audit/entry.ts';

/** The columns of an entry, as in `audit.db`: nothing is converted, so that its hash can be computed from the row. */
export const ENTRY_COLUMNS = [...HASHED, 'hash'] as const satisfies readonly (keyof EntryRow)[];
export const COMMIT_COLUMNS = ['number', 'seq', 'hash', 'key_id', 'signature'] as const;

const NUMBERS: ReadonlySet<string> = new Set(['seq', 'at', 'number']);
const NEVER_NULL: ReadonlySet<string> = new Set([
  ...['seq', 'at', 'phase', 'kind', 'detail', 'prev', 'hash'],
  ...COMMIT_COLUMNS,
]);

/** `schema.name` quoted, and the table of the signed heads beside it. `table` has only a-z, 0-9, _ and one dot. */
export function tableNames(table: string): { readonly entries: string; readonly commits: string } {
  const quoted = (name: string) =>
    name
      .split('.')
      .map((part) => `"${part}"`)
      .join('.');
  return { entries: quoted(table), commits: quoted(`${table}_commits`) };
}

/** What makes both tables where they are missing. One transaction; `time` is for people and not part of the hash. */
export function createStatements(table: string): readonly string[] {
  const { entries, commits } = tableNames(table);
  return [
    `CREATE TABLE IF NOT EXISTS ${entries} (
      machine text NOT NULL,
      chain   text NOT NULL,
      ${ENTRY_COLUMNS.map(columnDefinition).join(',\n      ')},
      time    timestamptz GENERATED ALWAYS AS (to_timestamp(at / 1000.0)) STORED,
      PRIMARY KEY (chain, seq)
    )`,
    `CREATE TABLE IF NOT EXISTS ${commits} (
      chain   text NOT NULL,
      ${COMMIT_COLUMNS.map(columnDefinition).join(',\n      ')},
      PRIMARY KEY (chain, seq)
    )`,
  ];
}

/** `$1` machine, `$2` chain, then one array for each column. What is there already is left as it is. */
export function insertEntries(table: string): string {
  return insert(tableNames(table).entries, ENTRY_COLUMNS, ['machine', 'chain']);
}

/** `$1` chain, then one array for each column. */
export function insertCommits(table: string): string {
  return insert(tableNames(table).commits, COMMIT_COLUMNS, ['chain']);
}

/** Without a list after ON CONFLICT the role needs no right but to insert. */
function insert(into: string, columns: readonly string[], same: readonly string[]): string {
  const arrays = columns.map((name, n) => `$${n + same.length + 1}::${typeOf(name)}[]`);
  const constants = same.map((_, n) => `$${n + 1}::text`);
  return `INSERT INTO ${into} (${[...same, ...columns].join(', ')})
    SELECT ${[...constants, 'rows.*'].join(', ')} FROM unnest(${arrays.join(', ')}) AS rows ON CONFLICT DO NOTHING`;
}

function columnDefinition(name: string): string {
  return `${name} ${typeOf(name)}${NEVER_NULL.has(name) ? ' NOT NULL' : ''}`;
}

function typeOf(name: string): string {
  return NUMBERS.has(name) ? 'bigint' : 'text';
}
