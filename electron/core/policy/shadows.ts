import { randomBytes } from 'node:crypto';
import type BetterSqlite3 from 'better-sqlite3';
import type { Policy, ShadowDecision } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import { decide } from './decide.ts';
import type { CallFacts } from './facts.ts';
import { parsePolicy } from './schema.ts';

/** A draft that is asked about every call beside the policy, and never heard. */
export interface Shadow {
  /** Of this run: what it said stands in the record of each call under it. */
  readonly id: string;
  readonly policy: Policy;
  readonly startedAt: number;
  readonly by: string;
}

/** At most one for each workspace; kept over a restart until it is stopped. */
export interface Shadows {
  get(workspaceId: string): Shadow | null;
  /** Takes the place of the one that ran before. The policy must have been parsed. */
  start(workspaceId: string, policy: Policy, by: string): Shadow;
  /** False when none ran. */
  stop(workspaceId: string): boolean;
  /** What it would decide; null where none runs. */
  judge(workspaceId: string, call: CallFacts): ShadowDecision | null;
  onChange(listener: () => void): () => void;
}

export const shadowsSchema = `
CREATE TABLE shadow_policies (
  workspace_id TEXT PRIMARY KEY REFERENCES workspaces (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  policy TEXT NOT NULL CHECK (json_valid(policy)),
  started_at INTEGER NOT NULL,
  started_by TEXT NOT NULL
) STRICT;
`;

export function createShadows({ db, clock }: { readonly db: BetterSqlite3.Database; readonly clock: Clock }): Shadows {
  const upsert = db.prepare<[Row]>(
    `INSERT INTO shadow_policies VALUES (@workspace_id, @id, @policy, @started_at, @started_by)
     ON CONFLICT (workspace_id) DO UPDATE
     SET id = excluded.id, policy = excluded.policy, started_at = excluded.started_at, started_by = excluded.started_by`,
  );
  const remove = db.prepare<[string]>('DELETE FROM shadow_policies WHERE workspace_id = ?');
  const rows = db
    .prepare<[], Row>('SELECT workspace_id, id, policy, started_at, started_by FROM shadow_policies')
    .all();
  // One that a later version can no longer read rules nothing, so it is left out; it can be started again.
  const shadows = new Map<string, Shadow>(
    rows.flatMap((row) => {
      const parsed = parsePolicy(JSON.parse(row.policy));
      if (parsed.kind === 'faulty') return [];
      return [[row.workspace_id, { id: row.id, policy: parsed.policy, startedAt: row.started_at, by: row.started_by }]];
    }),
  );
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of listeners) listener();
  };

  return {
    get: (workspaceId) => shadows.get(workspaceId) ?? null,
    start(workspaceId, policy, by) {
      const shadow = { id: randomBytes(8).toString('hex'), policy, startedAt: clock.now(), by };
      upsert.run({
        workspace_id: workspaceId,
        id: shadow.id,
        policy: JSON.stringify(policy),
        started_at: shadow.startedAt,
        started_by: by,
      });
      shadows.set(workspaceId, shadow);
      tell();
      return shadow;
    },
    stop(workspaceId) {
      if (!shadows.has(workspaceId)) return false;
      remove.run(workspaceId);
      shadows.delete(workspaceId);
      tell();
      return true;
    },
    judge(workspaceId, call) {
      const shadow = shadows.get(workspaceId);
      if (shadow === undefined) return null;
      const { effect, rule } = decide(shadow.policy, call);
      return { id: shadow.id, effect, rule };
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

interface Row {
  readonly workspace_id: string;
  readonly id: string;
  readonly policy: string;
  readonly started_at: number;
  readonly started_by: string;
}
