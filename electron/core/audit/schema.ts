import type { Migration } from '../store/store.ts';

/**
 * The tables of `audit.db`: entries, and the signed head of every group commit. Both refuse change. The triggers keep
 * mistakes out; what keeps a person with a database tool out is the chain (`docs/audit-format.md`).
 */
export const AUDIT_MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    statements: [
      `CREATE TABLE entries (
        seq         INTEGER PRIMARY KEY CHECK (seq > 0),
        at          INTEGER NOT NULL,
        phase       TEXT NOT NULL CHECK (phase IN ('asked', 'forwarded', 'ended', 'event')),
        kind        TEXT NOT NULL,
        request_id  TEXT,
        workspace   TEXT,
        client_id   TEXT,
        client      TEXT,
        key_prefix  TEXT,
        upstream    TEXT,
        tool        TEXT,
        effect      TEXT CHECK (effect IN ('allow', 'deny', 'require_approval')),
        rule        TEXT,
        outcome     TEXT,
        error_class TEXT,
        detail      TEXT NOT NULL,
        prev        TEXT NOT NULL UNIQUE CHECK (length(prev) = 64),
        hash        TEXT NOT NULL CHECK (length(hash) = 64)
      ) STRICT`,
      `CREATE TABLE commits (
        seq        INTEGER PRIMARY KEY REFERENCES entries (seq),
        number     INTEGER NOT NULL CHECK (number > 0),
        hash       TEXT NOT NULL,
        key_id     TEXT NOT NULL,
        signature  TEXT NOT NULL
      ) STRICT`,
      // A record's entries, and "has this call ended?", by one look-up.
      'CREATE INDEX entries_by_request ON entries (request_id, phase) WHERE request_id IS NOT NULL',
      'CREATE INDEX entries_by_client ON entries (client, seq) WHERE client IS NOT NULL',
      // Every index is one more page in every commit, so there is one for both.
      'CREATE INDEX entries_by_tool ON entries (upstream, tool, seq) WHERE upstream IS NOT NULL',
      'CREATE INDEX entries_by_error_class ON entries (error_class, seq) WHERE error_class IS NOT NULL',
      "CREATE INDEX entries_of_the_log ON entries (kind, seq) WHERE kind IN ('audit_opened', 'chain_started', 'signing_key_changed')",
      ...['entries', 'commits'].flatMap((table) => [
        `CREATE TRIGGER ${table}_refuse_update BEFORE UPDATE ON ${table} BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END`,
        `CREATE TRIGGER ${table}_refuse_delete BEFORE DELETE ON ${table} BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END`,
      ]),
      // INSERT OR REPLACE deletes without asking the trigger above.
      `CREATE TRIGGER entries_refuse_replace BEFORE INSERT ON entries WHEN NEW.seq <= (SELECT max(seq) FROM entries)
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END`,
      `CREATE TRIGGER commits_refuse_replace BEFORE INSERT ON commits WHEN NEW.seq <= (SELECT max(seq) FROM commits)
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END`,
    ],
  },
  {
    // Retention: what lies before a checkpoint, and nothing else, may be deleted.
    version: 2,
    statements: [
      `CREATE TABLE checkpoints (
        seq        INTEGER PRIMARY KEY CHECK (seq > 0),
        hash       TEXT NOT NULL CHECK (length(hash) = 64),
        number     INTEGER NOT NULL CHECK (number > 0),
        chain      TEXT NOT NULL CHECK (length(chain) = 64),
        public_key TEXT NOT NULL
      ) STRICT`,
      `CREATE TRIGGER checkpoints_refuse_update BEFORE UPDATE ON checkpoints BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END`,
      `CREATE TRIGGER checkpoints_refuse_delete BEFORE DELETE ON checkpoints BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END`,
      ...['entries', 'commits'].flatMap((table) => [
        `DROP TRIGGER IF EXISTS ${table}_refuse_delete`,
        `CREATE TRIGGER ${table}_refuse_delete BEFORE DELETE ON ${table}
          WHEN OLD.seq > coalesce((SELECT max(seq) FROM checkpoints), 0)
          BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END`,
      ]),
    ],
  },
];

/** Kinds that the log writes about itself. */
export const LOG_KINDS = {
  /** First entry of every chain: the public key, and what was there before. */
  chainStarted: 'chain_started',
  /** From here on another key signs. */
  keyChanged: 'signing_key_changed',
  /** A start of Gatehouse. Calls that an earlier run left open were closed just before it. */
  opened: 'audit_opened',
  /** At a start, the log was not as it had been left. */
  tampering: 'tampering_found',
  /** Nothing could be written for a while; no call ran meanwhile. */
  outage: 'audit_unavailable_gap',
  /** Retention removed the beginning of the log; the checkpoint to go on from. */
  purged: 'audit_purged',
  /** Entries about things that happened anyway were too many to keep; tells how many. */
  lost: 'audit_gap',
} as const;
