import { randomBytes } from 'node:crypto';
import type BetterSqlite3 from 'better-sqlite3';
import type { StandingApprovalView, StandingScope } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';

/** `tool` lasts until it is revoked; the other scopes are trust in the moment and live in memory alone. */
export const standingSchema = `
CREATE TABLE standing_approvals (
  id TEXT PRIMARY KEY,
  client_id TEXT NOT NULL,
  client TEXT NOT NULL,
  key_id TEXT NOT NULL,
  upstream_id TEXT NOT NULL,
  upstream TEXT NOT NULL,
  connection TEXT,
  tool TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  used_count INTEGER NOT NULL
) STRICT;
`;

/** What a call must be for a standing approval to hold for it. */
export interface Bound {
  readonly clientId: string;
  readonly sessionId: string | null;
  readonly upstreamId: string;
  readonly connection: string | null;
  readonly tool: string;
  readonly fingerprint: string;
}

export interface StandingApproval extends Bound {
  readonly id: string;
  readonly client: string;
  readonly keyId: string;
  readonly upstream: string;
  readonly scope: Exclude<StandingScope, 'once'>;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  /** Monotonic, so that setting the clock back does not make trust last longer. */
  readonly deadline: number | null;
}

export interface Standing {
  /** A new one, kept nowhere yet. */
  draft(
    from: Bound & { readonly client: string; readonly keyId: string; readonly upstream: string },
    scope: StandingApproval['scope'],
  ): StandingApproval;
  /** Writes what lasts beyond this run; for the caller's transaction. */
  write(approval: StandingApproval): void;
  /** From here on it holds. */
  keep(approval: StandingApproval): void;
  /** The one that holds for this call, counted as a use of it. */
  use(call: Bound): string | null;
  list(): readonly StandingApprovalView[];
  /** Ends those chosen; true when there were any. */
  end(which: (approval: StandingApproval) => boolean): boolean;
}

export function createStanding({
  db,
  clock,
}: {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
}): Standing {
  const insert = db.prepare<[Row]>(
    `INSERT INTO standing_approvals VALUES (@id, @client_id, @client, @key_id, @upstream_id, @upstream, @connection, @tool,
       @fingerprint, @created_at, @used_count)`,
  );
  const remove = db.prepare<[string]>('DELETE FROM standing_approvals WHERE id = ?');
  const count = db.prepare<[number, string]>('UPDATE standing_approvals SET used_count = ? WHERE id = ?');
  const rows = db.prepare<[], Row>('SELECT * FROM standing_approvals').all();

  const kept = new Map<string, StandingApproval>(rows.map((row) => [row.id, fromRow(row)]));
  const used = new Map<string, number>(rows.map((row) => [row.id, row.used_count]));
  const uncounted = new Set<string>();

  const over = ({ deadline, expiresAt }: StandingApproval) =>
    (deadline !== null && clock.monotonic() >= deadline) || (expiresAt !== null && clock.now() >= expiresAt);

  function end(which: (approval: StandingApproval) => boolean): boolean {
    const ending = [...kept.values()].filter(which);
    for (const { id, scope } of ending) {
      kept.delete(id);
      used.delete(id);
      uncounted.delete(id);
      if (scope === 'tool') remove.run(id);
    }
    return ending.length > 0;
  }

  /** Uses are written a minute late, together: a call must not wait for a disk flush that only counts. */
  function countSoon(id: string): void {
    if (uncounted.size === 0) clock.after(60_000, writeCounts);
    uncounted.add(id);
  }

  function writeCounts(): void {
    const ids = [...uncounted];
    uncounted.clear();
    if (!db.open) return;
    try {
      db.transaction(() => {
        for (const id of ids) count.run(used.get(id) ?? 0, id);
      }).immediate();
    } catch {
      // A full disk must not end the process over a number that is only shown; the next use tries again.
    }
  }

  return {
    draft(from, scope) {
      const lasts = scope === 'minutes15' ? 15 * 60_000 : null;
      return {
        id: randomBytes(16).toString('base64url'),
        clientId: from.clientId,
        client: from.client,
        keyId: from.keyId,
        sessionId: scope === 'session' ? from.sessionId : null,
        upstreamId: from.upstreamId,
        upstream: from.upstream,
        connection: from.connection,
        tool: from.tool,
        fingerprint: from.fingerprint,
        scope,
        createdAt: clock.now(),
        expiresAt: lasts === null ? null : clock.now() + lasts,
        deadline: lasts === null ? null : clock.monotonic() + lasts,
      };
    },
    write(approval) {
      if (approval.scope === 'tool') insert.run(toRow(approval));
    },
    keep(approval) {
      kept.set(approval.id, approval);
      used.set(approval.id, 0);
    },
    use(call) {
      end(over);
      const holding = [...kept.values()].find(
        (approval) =>
          approval.clientId === call.clientId &&
          approval.upstreamId === call.upstreamId &&
          approval.connection === call.connection &&
          approval.tool === call.tool &&
          approval.fingerprint === call.fingerprint &&
          (approval.scope !== 'session' || approval.sessionId === call.sessionId),
      );
      if (!holding) return null;
      used.set(holding.id, (used.get(holding.id) ?? 0) + 1);
      if (holding.scope === 'tool') countSoon(holding.id);
      return holding.id;
    },
    list() {
      end(over);
      return [...kept.values()].map((approval) => toView(approval, used.get(approval.id) ?? 0));
    },
    end,
  };
}

interface Row {
  readonly id: string;
  readonly client_id: string;
  readonly client: string;
  readonly key_id: string;
  readonly upstream_id: string;
  readonly upstream: string;
  readonly connection: string | null;
  readonly tool: string;
  readonly fingerprint: string;
  readonly created_at: number;
  readonly used_count: number;
}

function toRow(approval: StandingApproval): Row {
  return {
    id: approval.id,
    client_id: approval.clientId,
    client: approval.client,
    key_id: approval.keyId,
    upstream_id: approval.upstreamId,
    upstream: approval.upstream,
    connection: approval.connection,
    tool: approval.tool,
    fingerprint: approval.fingerprint,
    created_at: approval.createdAt,
    used_count: 0,
  };
}

function fromRow(row: Row): StandingApproval {
  return {
    id: row.id,
    clientId: row.client_id,
    client: row.client,
    keyId: row.key_id,
    sessionId: null,
    upstreamId: row.upstream_id,
    upstream: row.upstream,
    connection: row.connection,
    tool: row.tool,
    fingerprint: row.fingerprint,
    scope: 'tool',
    createdAt: row.created_at,
    expiresAt: null,
    deadline: null,
  };
}

function toView(approval: StandingApproval, usedCount: number): StandingApprovalView {
  const { id, client, upstream, tool, fingerprint, scope, createdAt, expiresAt } = approval;
  return { id, client, upstream, tool, fingerprint, scope, createdAt, expiresAt, usedCount };
}
