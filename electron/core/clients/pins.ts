import type BetterSqlite3 from 'better-sqlite3';

export const pinsSchema = `
  CREATE TABLE pins (
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    exposed_name TEXT NOT NULL,
    PRIMARY KEY (client_id, exposed_name)
  ) STRICT, WITHOUT ROWID;
`;

/** Tools that a client wants in its `tools/list`, by exposed name, in the order they were pinned. */
export function createPins(db: BetterSqlite3.Database) {
  const sql = {
    of: db.prepare<[string], string>('SELECT exposed_name FROM pins WHERE client_id = ? ORDER BY position').pluck(),
    clear: db.prepare('DELETE FROM pins WHERE client_id = ?'),
    add: db.prepare('INSERT OR IGNORE INTO pins (client_id, position, exposed_name) VALUES (?, ?, ?)'),
  };
  return {
    of: (clientId: string): readonly string[] => sql.of.all(clientId),
    set: db.transaction((clientId: string, names: readonly string[]): void => {
      sql.clear.run(clientId);
      for (const [position, name] of names.entries()) sql.add.run(clientId, position, name);
    }),
  };
}
