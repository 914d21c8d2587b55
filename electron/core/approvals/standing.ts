import { randomBytes } from 'node:crypto';
import type BetterSqlite3 from 'better-sqlite3';
import type { ConnectionRef } from '../../../shared/connections.ts';
import type { StandingApprovalView, StandingScope } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import type { SealedTable } from '../seals/sealed-table.ts';
import { codeOf } from '../store/files.ts';
import { fitsPins, type Pin, pinsOf } from './pins.ts';

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

/** Since version 2 of `state.db`: `values` lasts as `tool` does, for calls with the same values of some arguments. */
export const standingPinsSchema = `
ALTER TABLE standing_approvals ADD COLUMN scope TEXT NOT NULL DEFAULT 'tool' CHECK (scope IN ('tool', 'values'));
ALTER TABLE standing_approvals ADD COLUMN pins TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(pins));
`;

export const sealedStanding: SealedTable = {
  table: 'standing_approvals',
  id: '{row}.id',
  members: {
    client: '{row}.client_id',
    key: '{row}.key_id',
    upstream: '{row}.upstream_id',
    connection: '{row}.connection',
    tool: '{row}.tool',
    fingerprint: '{row}.fingerprint',
    scope: '{row}.scope',
    pins: '{row}.pins',
  },
  // Given again with one click, where it is still wanted.
  mend: {
    setBack: 'DELETE FROM standing_approvals WHERE id = @id',
    withdraw: 'DELETE FROM standing_approvals WHERE id = @id',
  },
};

/** What a call must be for a standing approval to hold for it, apart from its arguments. */
export interface Bound {
  readonly clientId: string;
  readonly sessionId: string | null;
  readonly upstreamId: string;
  /** Null: no account. Its label says nothing: it may be another account's by now. */
  readonly connection: Pick<ConnectionRef, 'id'> | null;
  readonly tool: string;
  readonly fingerprint: string;
}

export interface StandingApproval extends Bound {
  readonly id: string;
  readonly client: string;
  readonly keyId: string;
  readonly upstream: string;
  readonly scope: Exclude<StandingScope, 'once'>;
  /** Of scope `values` alone. */
  readonly pins: readonly Pin[];
  readonly createdAt: number;
  readonly expiresAt: number | null;
  /** Monotonic, so that setting the clock back does not make trust last longer. */
  readonly deadline: number | null;
}

export interface Standing {
  /** A new one, kept nowhere yet; a sentence when its pins do not fit the arguments. */
  draft(from: Trustee, scope: StandingApproval['scope'], pointers: readonly string[]): StandingApproval | string;
  /** Writes what lasts beyond this run; for the caller's transaction. */
  write(approval: StandingApproval): void;
  /** From here on it holds. */
  keep(approval: StandingApproval): void;
  /** The one that holds for this call, counted as a use of it. Without its arguments no pinned one holds. */
  use(call: Bound & { readonly argumentsText?: string }): string | null;
  list(): readonly StandingApprovalView[];
  view(approval: StandingApproval): StandingApprovalView;
  /** Ends those chosen, and says how many there were. */
  end(which: (approval: StandingApproval) => boolean): number;
}

/** The call that a yes for longer was given to. */
export interface Trustee extends Bound {
  readonly client: string;
  readonly keyId: string;
  readonly upstream: string;
  readonly argumentsText: string;
}

const REMOVE_AGAIN_MS = 5_000;
/** It covers nothing any more, and is gone once its removal is noticed. */
const REMOVED = 'removed account';

export function createStanding({
  db,
  clock,
  labelOf,
}: {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
  /** What the person calls an account now; null: there is none of that id. */
  labelOf(connectionId: string): string | null;
}): Standing {
  const toView = (approval: StandingApproval, usedCount: number): StandingApprovalView => {
    const { id, clientId, client, upstream, connection, tool, fingerprint, scope, createdAt, expiresAt } = approval;
    return {
      id,
      clientId,
      client,
      upstream,
      connection: connection === null ? null : (labelOf(connection.id) ?? REMOVED),
      tool,
      fingerprint,
      scope,
      pins: approval.pins.map(({ pointer, shown }) => ({ pointer, shown })),
      createdAt,
      expiresAt,
      usedCount,
    };
  };
  const insert = db.prepare<[Row]>(
    `INSERT INTO standing_approvals (id, client_id, client, key_id, upstream_id, upstream, connection, tool, fingerprint,
       created_at, used_count, scope, pins)
     VALUES (@id, @client_id, @client, @key_id, @upstream_id, @upstream, @connection, @tool,
       @fingerprint, @created_at, @used_count, @scope, @pins)`,
  );
  const remove = db.prepare<[string]>('DELETE FROM standing_approvals WHERE id = ?');
  const count = db.prepare<[number, string]>('UPDATE standing_approvals SET used_count = ? WHERE id = ?');
  const rows = db.prepare<[], Row>('SELECT * FROM standing_approvals').all();

  const kept = new Map<string, StandingApproval>(rows.map((row) => [row.id, fromRow(row)]));
  const used = new Map<string, number>(rows.map((row) => [row.id, row.used_count]));
  const uncounted = new Set<string>();
  /** Ended, and still on disk. */
  const unremoved = new Set<string>();
  let stopRemoving = () => {};

  const over = ({ deadline, expiresAt }: StandingApproval) =>
    (deadline !== null && clock.monotonic() >= deadline) || (expiresAt !== null && clock.now() >= expiresAt);

  function end(which: (approval: StandingApproval) => boolean): number {
    const ending = [...kept.values()].filter(which);
    for (const { id, scope } of ending) {
      kept.delete(id);
      used.delete(id);
      uncounted.delete(id);
      if (isKept(scope)) unremoved.add(id);
    }
    removeRows();
    return ending.length;
  }

  /** SECURITY: what ended must not be back with the next start, so a full disk is asked again until it takes it. */
  function removeRows(): void {
    stopRemoving();
    if (!db.open) return;
    try {
      for (const id of unremoved) {
        remove.run(id);
        unremoved.delete(id);
      }
    } catch (error) {
      if (!codeOf(error).startsWith('SQLITE_')) throw error;
      stopRemoving = clock.after(REMOVE_AGAIN_MS, removeRows);
    }
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
    draft(from, scope, pointers) {
      const lasts = scope === 'minutes15' ? 15 * 60_000 : null;
      const id = randomBytes(16).toString('base64url');
      const pins = scope === 'values' ? pinsOf(id, from.argumentsText, pointers) : [];
      if (typeof pins === 'string') return pins;
      return {
        id,
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
        pins,
        createdAt: clock.now(),
        expiresAt: lasts === null ? null : clock.now() + lasts,
        deadline: lasts === null ? null : clock.monotonic() + lasts,
      };
    },
    write(approval) {
      if (isKept(approval.scope)) insert.run(toRow(approval));
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
          approval.connection?.id === call.connection?.id &&
          approval.tool === call.tool &&
          approval.fingerprint === call.fingerprint &&
          (approval.scope !== 'session' || approval.sessionId === call.sessionId) &&
          (approval.scope !== 'values' ||
            (call.argumentsText !== undefined && fitsPins(approval.id, approval.pins, call.argumentsText))),
      );
      if (!holding) return null;
      used.set(holding.id, (used.get(holding.id) ?? 0) + 1);
      if (isKept(holding.scope)) countSoon(holding.id);
      return holding.id;
    },
    list() {
      end(over);
      return [...kept.values()].map((approval) => toView(approval, used.get(approval.id) ?? 0));
    },
    view: (approval) => toView(approval, used.get(approval.id) ?? 0),
    end,
  };
}

/** Trust in the moment lives in memory alone. */
function isKept(scope: StandingApproval['scope']): scope is Row['scope'] {
  return scope === 'tool' || scope === 'values';
}

interface Row {
  readonly id: string;
  readonly client_id: string;
  readonly client: string;
  readonly key_id: string;
  readonly upstream_id: string;
  readonly upstream: string;
  /** The id of the account. */
  readonly connection: string | null;
  readonly tool: string;
  readonly fingerprint: string;
  readonly created_at: number;
  readonly used_count: number;
  readonly scope: 'tool' | 'values';
  readonly pins: string;
}

function toRow(approval: StandingApproval): Row {
  return {
    id: approval.id,
    client_id: approval.clientId,
    client: approval.client,
    key_id: approval.keyId,
    upstream_id: approval.upstreamId,
    upstream: approval.upstream,
    connection: approval.connection?.id ?? null,
    tool: approval.tool,
    fingerprint: approval.fingerprint,
    created_at: approval.createdAt,
    used_count: 0,
    scope: isKept(approval.scope) ? approval.scope : 'tool',
    pins: JSON.stringify(approval.pins),
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
    connection: row.connection === null ? null : { id: row.connection },
    tool: row.tool,
    fingerprint: row.fingerprint,
    scope: row.scope,
    pins: JSON.parse(row.pins) as readonly Pin[],
    createdAt: row.created_at,
    expiresAt: null,
    deadline: null,
  };
}
