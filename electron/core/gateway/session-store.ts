import { createHash } from 'node:crypto';
import type BetterSqlite3 from 'better-sqlite3';
import { z } from 'zod';
import type { Clock } from '../platform.ts';

/**
 * What it takes to take a session up again: whose it is, where it was opened, and what was agreed in it. The id is a
 * hash, so that whoever reads the file can go on with nobody's session. Capabilities and name are the client's own JSON.
 */
export const sessionsSchema = `
  CREATE TABLE sessions (
    id_sha256 BLOB PRIMARY KEY CHECK (length(id_sha256) = 32),
    key_id TEXT NOT NULL REFERENCES keys (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    upstream TEXT,
    revision TEXT NOT NULL,
    capabilities TEXT NOT NULL CHECK (json_type(capabilities) = 'object'),
    client_info TEXT NOT NULL CHECK (json_type(client_info) = 'object'),
    log_level TEXT CHECK (log_level IN ('debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency')),
    subscriptions TEXT NOT NULL DEFAULT '[]' CHECK (json_type(subscriptions) = 'array'),
    opened_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sessions_of_key ON sessions (key_id, used_at);
`;

/** RFC 5424, as in `logging/setLevel` of MCP 2025-11-25. */
export const logLevel = z.enum(['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']);
export type LogLevel = z.infer<typeof logLevel>;

/** What the client said of itself in `initialize`. */
export interface Hello {
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly clientInfo: Readonly<Record<string, unknown>>;
}

/** A resource that the session is told of when it changes, and the upstream that has it. */
export interface Subscription {
  readonly uri: string;
  readonly upstreamId: string;
}

export interface StoredSession extends Hello {
  readonly keyId: string;
  readonly clientId: string;
  readonly workspaceId: string;
  /** The one upstream of `/u/<upstream>/mcp`; null on `/mcp`. */
  readonly upstream: string | null;
  /** The protocol revision that was agreed. */
  readonly revision: string;
  readonly logLevel: LogLevel | null;
  readonly subscriptions: readonly Subscription[];
  /** Wall clock, milliseconds: to the hour or so, because nothing is written per request. */
  readonly usedAt: number;
}

export interface SessionStore {
  /** Null as well for one that was not used for 30 days. */
  find(id: string): StoredSession | null;
  /** All or none; new ones and changes to known ones. Throws what SQLite throws. */
  save(sessions: readonly (StoredSession & { readonly id: string })[]): void;
  forget(id: string): void;
  forgetOfKey(keyId: string): void;
}

/** A session unused for so long is forgotten. */
export const FORGET_AFTER_MS = 30 * 24 * 3_600_000;
/** Sessions remembered per key; beyond it those unused for longest are forgotten. */
const REMEMBERED_PER_KEY = 1000;
/** A client that says more of itself than this starts anew after a restart. */
const LONGEST_HELLO = 64 * 1024;

export function createSessionStore({
  db,
  clock,
}: {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
}): SessionStore {
  const sql = {
    find: db.prepare<[Buffer, number], Row>('SELECT * FROM sessions WHERE id_sha256 = ? AND used_at >= ?'),
    save: db.prepare(
      `INSERT INTO sessions (id_sha256, key_id, client_id, workspace_id, upstream, revision, capabilities, client_info,
         log_level, subscriptions, opened_at, used_at)
       VALUES (@id, @keyId, @clientId, @workspaceId, @upstream, @revision, @capabilities, @clientInfo, @logLevel,
         @subscriptions, @usedAt, @usedAt)
       ON CONFLICT (id_sha256) DO UPDATE SET log_level = excluded.log_level, subscriptions = excluded.subscriptions,
         used_at = excluded.used_at`,
    ),
    forget: db.prepare<[Buffer]>('DELETE FROM sessions WHERE id_sha256 = ?'),
    forgetOfKey: db.prepare<[string]>('DELETE FROM sessions WHERE key_id = ?'),
    forgetOld: db.prepare<[number]>('DELETE FROM sessions WHERE used_at < ?'),
    forgetSurplus: db.prepare<{ keyId: string; kept: number }>(
      `DELETE FROM sessions WHERE key_id = @keyId AND id_sha256 NOT IN
         (SELECT id_sha256 FROM sessions WHERE key_id = @keyId ORDER BY used_at DESC LIMIT @kept)`,
    ),
  };
  const oldest = () => clock.now() - FORGET_AFTER_MS;

  const saveAll = db.transaction((sessions: readonly (StoredSession & { readonly id: string })[]) => {
    sql.forgetOld.run(oldest());
    for (const session of sessions) {
      const capabilities = JSON.stringify(session.capabilities);
      const clientInfo = JSON.stringify(session.clientInfo);
      if (capabilities.length + clientInfo.length > LONGEST_HELLO) continue;
      const subscriptions = JSON.stringify(session.subscriptions);
      sql.save.run({ ...session, id: digest(session.id), capabilities, clientInfo, subscriptions });
    }
    for (const keyId of new Set(sessions.map((session) => session.keyId)))
      sql.forgetSurplus.run({ keyId, kept: REMEMBERED_PER_KEY });
  });

  return {
    find(id) {
      const row = sql.find.get(digest(id), oldest());
      return row === undefined ? null : sessionOf(row);
    },
    save: (sessions) => saveAll(sessions),
    forget: (id) => void sql.forget.run(digest(id)),
    forgetOfKey: (keyId) => void sql.forgetOfKey.run(keyId),
  };
}

interface Row {
  readonly key_id: string;
  readonly client_id: string;
  readonly workspace_id: string;
  readonly upstream: string | null;
  readonly revision: string;
  readonly capabilities: string;
  readonly client_info: string;
  readonly log_level: LogLevel | null;
  readonly subscriptions: string;
  readonly used_at: number;
}

function sessionOf(row: Row): StoredSession {
  return {
    keyId: row.key_id,
    clientId: row.client_id,
    workspaceId: row.workspace_id,
    upstream: row.upstream,
    revision: row.revision,
    capabilities: JSON.parse(row.capabilities),
    clientInfo: JSON.parse(row.client_info),
    logLevel: row.log_level,
    subscriptions: JSON.parse(row.subscriptions),
    usedAt: row.used_at,
  };
}

/** Ids are 256 random bits: a plain hash is as good as a slow one. */
function digest(id: string): Buffer {
  return createHash('sha256').update(id, 'utf8').digest();
}
