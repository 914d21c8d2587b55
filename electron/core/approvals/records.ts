import type BetterSqlite3 from 'better-sqlite3';
import type { ApprovalState, ApprovalView, Risk } from '../../../shared/model.ts';

/**
 * Approvals in `state.db`. The arguments are not among them: they may hold secrets, and a waiting call that outlives a
 * restart is expired anyway, so only their hash is kept. The trigger is the state machine, whatever the code above does:
 * nothing is answered twice and nothing is redeemed twice.
 */
export const recordsSchema = `
CREATE TABLE approvals (
  id TEXT PRIMARY KEY,
  request_id TEXT NOT NULL,
  workspace TEXT NOT NULL,
  client_id TEXT NOT NULL,
  client TEXT NOT NULL,
  calls_itself TEXT,
  upstream TEXT NOT NULL,
  connection TEXT,
  tool TEXT NOT NULL,
  title TEXT,
  risk TEXT NOT NULL CHECK (risk IN ('read', 'write', 'destructive')),
  fingerprint TEXT NOT NULL,
  rule TEXT,
  reason TEXT NOT NULL,
  arguments_sha256 TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'approved', 'redeemed', 'denied', 'expired', 'cancelled')),
  caller_left INTEGER NOT NULL CHECK (caller_left IN (0, 1)),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  decided_at INTEGER,
  decided_by TEXT,
  deny_reason TEXT
) STRICT;
CREATE INDEX approvals_by_creation ON approvals (created_at);
CREATE TRIGGER approvals_only_go_forward BEFORE UPDATE OF state ON approvals
WHEN NOT (
  (OLD.state = 'waiting' AND NEW.state IN ('approved', 'denied', 'expired', 'cancelled'))
  OR (OLD.state = 'approved' AND NEW.state IN ('redeemed', 'expired', 'cancelled'))
)
BEGIN
  SELECT RAISE(ABORT, 'an approval cannot go back');
END;
`;

/** Since version 2 of `state.db`: that the person changed the arguments before the yes. */
export const recordsEditedSchema = `
ALTER TABLE approvals ADD COLUMN edited_sha256 TEXT;
`;

export interface Records {
  insert(approval: ApprovalView): void;
  /** Throws unless the row stands in `from` at this moment: then memory and database disagree, and nothing may run. */
  move(from: ApprovalState, approval: ApprovalView): void;
  find(id: string): ApprovalView | null;
  /** The latest that are over, newest first, without the text of their arguments. */
  ended(limit: number): readonly ApprovalView[];
}

/** Nobody waits for what waited before a restart: it is expired, never a yes. */
export function createRecords(db: BetterSqlite3.Database): Records {
  db.transaction(() => {
    db.exec(`UPDATE approvals SET state = 'expired' WHERE state IN ('waiting', 'approved')`);
    db.prepare<[number]>(
      'DELETE FROM approvals WHERE id NOT IN (SELECT id FROM approvals ORDER BY created_at DESC LIMIT ?)',
    ).run(KEPT);
  }).immediate();

  const insert = db.prepare<[Row]>(
    `INSERT INTO approvals (id, request_id, workspace, client_id, client, calls_itself, upstream, connection, tool, title,
       risk, fingerprint, rule, reason, arguments_sha256, state, caller_left, created_at, expires_at, decided_at, decided_by,
       deny_reason)
     VALUES (@id, @request_id, @workspace, @client_id, @client, @calls_itself, @upstream, @connection,
       @tool, @title, @risk, @fingerprint, @rule, @reason, @arguments_sha256, @state, @caller_left, @created_at, @expires_at,
       @decided_at, @decided_by, @deny_reason)`,
  );
  const move = db.prepare<[Row & { from: ApprovalState }]>(
    `UPDATE approvals SET state = @state, caller_left = @caller_left, expires_at = @expires_at, decided_at = @decided_at,
       decided_by = @decided_by, deny_reason = @deny_reason, edited_sha256 = @edited_sha256
     WHERE id = @id AND state = @from`,
  );
  const find = db.prepare<[string], Row>('SELECT * FROM approvals WHERE id = ?');
  const ended = db.prepare<[number], Row>(
    `SELECT * FROM approvals WHERE state NOT IN ('waiting', 'approved') ORDER BY created_at DESC, rowid DESC LIMIT ?`,
  );

  return {
    insert(approval) {
      insert.run(toRow(approval));
    },
    move(from, approval) {
      const { changes } = move.run({ ...toRow(approval), from });
      if (changes !== 1) throw new Error(`approval ${approval.id} is not ${from} in the database`);
    },
    find(id) {
      const row = find.get(id);
      return row ? toView(row) : null;
    },
    ended: (limit) => ended.all(limit).map(toView),
  };
}

/** Enough to look back on; the audit keeps all. */
const KEPT = 1000;

interface Row {
  readonly id: string;
  readonly request_id: string;
  readonly workspace: string;
  readonly client_id: string;
  readonly client: string;
  readonly calls_itself: string | null;
  readonly upstream: string;
  readonly connection: string | null;
  readonly tool: string;
  readonly title: string | null;
  readonly risk: Risk;
  readonly fingerprint: string;
  readonly rule: string | null;
  readonly reason: string;
  readonly arguments_sha256: string;
  readonly state: ApprovalState;
  readonly caller_left: number;
  readonly created_at: number;
  readonly expires_at: number;
  readonly decided_at: number | null;
  readonly decided_by: string | null;
  readonly deny_reason: string | null;
  readonly edited_sha256: string | null;
}

function toRow(approval: ApprovalView): Row {
  return {
    id: approval.id,
    request_id: approval.requestId,
    workspace: approval.workspace,
    client_id: approval.clientId,
    client: approval.client,
    calls_itself: approval.callsItself,
    upstream: approval.upstream,
    connection: approval.connection,
    tool: approval.tool,
    title: approval.title,
    risk: approval.risk,
    fingerprint: approval.fingerprint,
    rule: approval.rule,
    reason: approval.reason,
    arguments_sha256: approval.argumentsSha256,
    state: approval.state,
    caller_left: approval.callerLeft ? 1 : 0,
    created_at: approval.createdAt,
    expires_at: approval.expiresAt,
    decided_at: approval.decidedAt,
    decided_by: approval.decidedBy,
    deny_reason: approval.denyReason,
    edited_sha256: approval.editedSha256,
  };
}

function toView(row: Row): ApprovalView {
  return {
    id: row.id,
    requestId: row.request_id,
    group: '',
    workspace: row.workspace,
    clientId: row.client_id,
    client: row.client,
    callsItself: row.calls_itself,
    session: null,
    upstream: row.upstream,
    connection: row.connection,
    tool: row.tool,
    title: row.title,
    risk: row.risk,
    fingerprint: row.fingerprint,
    rule: row.rule,
    reason: row.reason,
    argumentsText: '',
    argumentsSha256: row.arguments_sha256,
    editable: false,
    editedSha256: row.edited_sha256,
    previous: null,
    held: null,
    state: row.state,
    callerLeft: row.caller_left === 1,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    decidedAt: row.decided_at,
    decidedBy: row.decided_by,
    denyReason: row.deny_reason,
  };
}
