import type BetterSqlite3 from 'better-sqlite3';
import { z } from 'zod';
import type { ConnectionState, SignInMode } from '../../../shared/connections.ts';
import type { Clock } from '../platform.ts';
import type { SealedTable } from '../seals/sealed-table.ts';
import { codeOf } from '../store/files.ts';

/** One account, without what is secret about it. */
export interface Connection {
  readonly id: string;
  readonly upstreamId: string;
  readonly label: string;
  readonly mode: Exclude<SignInMode, 'none'>;
  /** What is known for good; whether it is `locked` is found out anew each time. */
  readonly state: Exclude<ConnectionState, 'locked'>;
  readonly reason: string | null;
  readonly issuer: string | null;
  /** Where its secret goes, as the vault says it too: what is here is for display. */
  readonly usedAt: string;
  readonly scopes: readonly string[] | null;
  readonly asksFor: readonly string[] | null;
  /** Sign-ins for more scopes, since `steppedUpAt` was a day ago. */
  readonly stepUps: number;
  readonly steppedUpAt: number | null;
  readonly expiresAt: number | null;
  readonly renews: boolean;
  readonly isDefault: boolean;
  readonly createdAt: number;
  readonly connectedAt: number | null;
  readonly lastUsedAt: number | null;
}

/** The accounts of all upstreams: read once, and from memory from then on. */
export interface ConnectionTable {
  all(): Iterable<Connection>;
  get(id: string): Connection | null;
  of(upstreamId: string): readonly Connection[];
  defaultOf(upstreamId: string): Connection | null;
  /** Throws when the disk does not take it: then nothing has happened. */
  put(connection: Connection): void;
  /** Holds from now on, also where the disk takes it only later. */
  note(id: string, change: Partial<Pick<Connection, Noted>>): void;
  remove(id: string): void;
  makeDefault(id: string): void;
  choice(clientId: string, upstreamId: string): string | null;
  choose(clientId: string, connection: Pick<Connection, 'id' | 'upstreamId'>): void;
  choosers(id: string): readonly string[];
}

/** What becomes of an account by itself; the rest is the person's to decide. */
type Noted =
  | 'state'
  | 'reason'
  | 'scopes'
  | 'asksFor'
  | 'stepUps'
  | 'steppedUpAt'
  | 'expiresAt'
  | 'renews'
  | 'lastUsedAt';

/**
 * Accounts by upstream and label. What is secret about one is in the vault, with everything it may be used for. One label
 * and one default of each upstream are not for SQL to hold: rows are set back one by one (seals.ts).
 */
export const connectionsSchema = `
CREATE TABLE connections (
  id TEXT PRIMARY KEY,
  upstream_id TEXT NOT NULL,
  label TEXT NOT NULL COLLATE NOCASE,
  mode TEXT NOT NULL CHECK (mode IN ('api_key', 'mcp_oauth', 'oauth', 'client_credentials')),
  state TEXT NOT NULL CHECK (state IN ('connected', 'reconnect', 'more_scopes', 'signed_out')),
  reason TEXT,
  issuer TEXT,
  used_at TEXT NOT NULL,
  scopes TEXT CHECK (json_type(scopes) = 'array'),
  asks_for TEXT CHECK (json_type(asks_for) = 'array'),
  step_ups INTEGER NOT NULL,
  stepped_up_at INTEGER,
  expires_at INTEGER,
  renews INTEGER NOT NULL CHECK (renews IN (0, 1)),
  is_default INTEGER NOT NULL CHECK (is_default IN (0, 1)),
  created_at INTEGER NOT NULL,
  connected_at INTEGER,
  last_used_at INTEGER
) STRICT;
CREATE TABLE connection_choices (
  client_id TEXT NOT NULL,
  upstream_id TEXT NOT NULL,
  connection_id TEXT NOT NULL,
  PRIMARY KEY (client_id, upstream_id)
) STRICT;
`;

/** Which account a name, and no name, stands for: rules and persons go by it. */
export const sealedConnections: SealedTable = {
  table: 'connections',
  id: '{row}.id',
  members: { upstream: '{row}.upstream_id', label: '{row}.label', isDefault: '{row}.is_default' },
  mend: {
    setBack: `
      UPDATE connections SET upstream_id = @row ->> 'upstream', label = @row ->> 'label', is_default = @row ->> 'isDefault'
      WHERE id = @id`,
    // Nothing goes out as an account that nobody signed in.
    withdraw: "UPDATE connections SET state = 'signed_out', is_default = 0 WHERE id = @id",
  },
};

export const sealedChoices: SealedTable = {
  table: 'connection_choices',
  id: "{row}.client_id || '/' || {row}.upstream_id",
  members: { connection: '{row}.connection_id' },
  mend: {
    setBack:
      "UPDATE connection_choices SET connection_id = @row ->> 'connection' WHERE client_id || '/' || upstream_id = @id",
    withdraw: "DELETE FROM connection_choices WHERE client_id || '/' || upstream_id = @id",
  },
};

export function createConnectionTable({
  db,
  clock,
}: {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
}): ConnectionTable {
  const sql = {
    put: db.prepare(
      `INSERT INTO connections (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map((name) => `@${name}`).join(', ')})
       ON CONFLICT (id) DO UPDATE SET ${COLUMNS.slice(1)
         .map((name) => `${name} = excluded.${name}`)
         .join(', ')}`,
    ),
    note: db.prepare(`UPDATE connections SET ${NOTED.map((name) => `${name} = @${name}`).join(', ')} WHERE id = @id`),
    remove: db.prepare('DELETE FROM connections WHERE id = ?'),
    removeChoices: db.prepare('DELETE FROM connection_choices WHERE connection_id = ?'),
    noDefault: db.prepare('UPDATE connections SET is_default = 0 WHERE upstream_id = ?'),
    setDefault: db.prepare('UPDATE connections SET is_default = 1 WHERE id = ?'),
    choose: db.prepare(
      `INSERT INTO connection_choices (client_id, upstream_id, connection_id) VALUES (?, ?, ?)
       ON CONFLICT (client_id, upstream_id) DO UPDATE SET connection_id = excluded.connection_id`,
    ),
  };
  const rows = new Map<string, Connection>(
    db
      .prepare(`SELECT ${COLUMNS.join(', ')} FROM connections ORDER BY created_at, id`)
      .all()
      .map((row) => {
        const connection = connectionOf(row);
        return [connection.id, connection];
      }),
  );
  const choices = new Map<string, string>(
    db
      .prepare<[], { client_id: string; upstream_id: string; connection_id: string }>(
        'SELECT client_id, upstream_id, connection_id FROM connection_choices',
      )
      .all()
      .map((row) => [choiceKey(row.client_id, row.upstream_id), row.connection_id]),
  );
  /** What the disk did not take yet. */
  const owed = new Set<string>();
  let isWaiting = false;

  function payOwed(): void {
    isWaiting = false;
    if (!db.open) return;
    for (const id of owed) {
      const row = rows.get(id);
      try {
        if (row !== undefined) sql.note.run(storedOf(row));
        owed.delete(id);
      } catch (error) {
        if (!codeOf(error).startsWith('SQLITE_')) throw error;
      }
    }
    if (owed.size === 0 || isWaiting) return;
    isWaiting = true;
    clock.after(AGAIN_MS, payOwed);
  }

  const of = (upstreamId: string) => [...rows.values()].filter((row) => row.upstreamId === upstreamId);

  return {
    all: () => rows.values(),
    get: (id) => rows.get(id) ?? null,
    of,
    defaultOf: (upstreamId) => of(upstreamId).find((row) => row.isDefault) ?? null,
    put(connection) {
      sql.put.run(storedOf(connection));
      rows.set(connection.id, connection);
    },
    note(id, change) {
      const row = rows.get(id);
      if (row === undefined) return;
      rows.set(id, { ...row, ...change });
      owed.add(id);
      payOwed();
    },
    remove(id) {
      db.transaction(() => {
        sql.remove.run(id);
        sql.removeChoices.run(id);
      })();
      rows.delete(id);
      owed.delete(id);
      for (const [key, chosen] of choices) if (chosen === id) choices.delete(key);
    },
    makeDefault(id) {
      const row = rows.get(id);
      if (row === undefined) return;
      db.transaction(() => {
        sql.noDefault.run(row.upstreamId);
        sql.setDefault.run(id);
      })();
      for (const other of of(row.upstreamId)) rows.set(other.id, { ...other, isDefault: other.id === id });
    },
    choice: (clientId, upstreamId) => choices.get(choiceKey(clientId, upstreamId)) ?? null,
    choose(clientId, { id, upstreamId }) {
      sql.choose.run(clientId, upstreamId, id);
      choices.set(choiceKey(clientId, upstreamId), id);
    },
    choosers: (id) =>
      [...choices].flatMap(([key, chosen]) => (chosen === id ? [(JSON.parse(key) as [string, string])[0]] : [])),
  };
}

function choiceKey(clientId: string, upstreamId: string): string {
  return JSON.stringify([clientId, upstreamId]);
}

const list = z
  .string()
  .nullable()
  .transform((text) => (text === null ? null : z.array(z.string()).parse(JSON.parse(text))));
const rowSchema = z.object({
  id: z.string(),
  upstream_id: z.string(),
  label: z.string(),
  mode: z.enum(['api_key', 'mcp_oauth', 'oauth', 'client_credentials']),
  state: z.enum(['connected', 'reconnect', 'more_scopes', 'signed_out']),
  reason: z.string().nullable(),
  issuer: z.string().nullable(),
  used_at: z.string(),
  scopes: list,
  asks_for: list,
  step_ups: z.number(),
  stepped_up_at: z.number().nullable(),
  expires_at: z.number().nullable(),
  renews: z.number(),
  is_default: z.number(),
  created_at: z.number(),
  connected_at: z.number().nullable(),
  last_used_at: z.number().nullable(),
});
const COLUMNS = Object.keys(rowSchema.shape);
const NOTED = [
  'state',
  'reason',
  'scopes',
  'asks_for',
  'step_ups',
  'stepped_up_at',
  'expires_at',
  'renews',
  'last_used_at',
];

function connectionOf(row: unknown): Connection {
  const read = rowSchema.parse(row);
  return {
    id: read.id,
    upstreamId: read.upstream_id,
    label: read.label,
    mode: read.mode,
    state: read.state,
    reason: read.reason,
    issuer: read.issuer,
    usedAt: read.used_at,
    scopes: read.scopes,
    asksFor: read.asks_for,
    stepUps: read.step_ups,
    steppedUpAt: read.stepped_up_at,
    expiresAt: read.expires_at,
    renews: read.renews === 1,
    isDefault: read.is_default === 1,
    createdAt: read.created_at,
    connectedAt: read.connected_at,
    lastUsedAt: read.last_used_at,
  };
}

function storedOf(connection: Connection): z.input<typeof rowSchema> {
  const text = (names: readonly string[] | null) => (names === null ? null : JSON.stringify(names));
  return {
    id: connection.id,
    upstream_id: connection.upstreamId,
    label: connection.label,
    mode: connection.mode,
    state: connection.state,
    reason: connection.reason,
    issuer: connection.issuer,
    used_at: connection.usedAt,
    scopes: text(connection.scopes),
    asks_for: text(connection.asksFor),
    step_ups: connection.stepUps,
    stepped_up_at: connection.steppedUpAt,
    expires_at: connection.expiresAt,
    renews: connection.renews ? 1 : 0,
    is_default: connection.isDefault ? 1 : 0,
    created_at: connection.createdAt,
    connected_at: connection.connectedAt,
    last_used_at: connection.lastUsedAt,
  };
}

const AGAIN_MS = 30_000;
