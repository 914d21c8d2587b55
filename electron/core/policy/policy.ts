import { createHash } from 'node:crypto';
import type BetterSqlite3 from 'better-sqlite3';
import type { Policy } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import type { SealedTable } from '../seals/sealed-table.ts';
import { parsePolicy } from './schema.ts';
import { parseYaml, toYaml } from './yaml.ts';

export type PolicyResult =
  | { readonly kind: 'done'; readonly policy: Policy }
  | { readonly kind: 'refused'; readonly message: string; readonly line?: number; readonly column?: number };

/** The policies in `state.db`, one per workspace, parsed when saved. */
export interface Policies {
  /** Null policy: there is none, everything is denied. `problem`: it is stored but unreadable, everything is denied. */
  get(workspaceId: string): {
    readonly policy: Policy | null;
    readonly problem: string | null;
    /** Number of the save, and the first digits of the SHA-256 of what was saved: which policy decided. */
    readonly version: string;
  };
  set(workspaceId: string, policy: Policy): void;
  /** Parses and validates; saves nothing. */
  parseYaml(yaml: string): PolicyResult;
  toYaml(policy: Policy): string;
  onChange(listener: (workspaceId: string) => void): () => void;
}

/** What a new workspace starts with: reading runs, everything else is asked for. */
export const starterPolicy: Policy = {
  defaultEffect: 'require_approval',
  rules: [{ name: 'read-tools-run', effect: 'allow', match: { risk: ['read'] } }],
};

/** `revision` counts the saves of one workspace's policy. */
export const policiesSchema = `
CREATE TABLE policies (
  workspace_id TEXT PRIMARY KEY,
  policy TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision > 0),
  saved_at INTEGER NOT NULL
) STRICT;
`;

export const sealedPolicies: SealedTable = {
  table: 'policies',
  id: '{row}.workspace_id',
  members: { policy: '{row}.policy' },
  whole: true,
  mend: {
    setBack: "UPDATE policies SET policy = @row ->> 'policy', revision = revision + 1 WHERE workspace_id = @id",
    // No policy denies everything.
    withdraw: 'DELETE FROM policies WHERE workspace_id = @id',
  },
};

export function createPolicies({
  db,
  clock,
}: {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
}): Policies {
  const select = db.prepare<[string], { policy: string; revision: number }>(
    'SELECT policy, revision FROM policies WHERE workspace_id = ?',
  );
  const upsert = db.prepare<[string, string, number]>(
    `INSERT INTO policies (workspace_id, policy, revision, saved_at) VALUES (?, ?, 1, ?)
     ON CONFLICT (workspace_id) DO UPDATE
     SET policy = excluded.policy, revision = revision + 1, saved_at = excluded.saved_at`,
  );
  const read = new Map<string, ReturnType<Policies['get']>>();
  const listeners = new Set<(workspaceId: string) => void>();

  return {
    get(workspaceId) {
      const known = read.get(workspaceId);
      if (known) return known;
      const row = select.get(workspaceId);
      const fresh = row ? { ...fromStored(row.policy), version: versionOf(row) } : NONE;
      // A workspace without a policy is not remembered: ids that do not exist must not fill the memory.
      if (row) read.set(workspaceId, fresh);
      return fresh;
    },
    set(workspaceId, policy) {
      const parsed = parsePolicy(policy);
      if (parsed.kind === 'faulty') throw new Error(`a policy that was not parsed: ${parsed.faults[0].message}`);
      upsert.run(workspaceId, JSON.stringify(parsed.policy), clock.now());
      read.delete(workspaceId);
      for (const listener of listeners) listener(workspaceId);
    },
    parseYaml,
    toYaml,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const NONE = { policy: null, problem: null, version: '0' } as const;

/** The number alone could stand for two policies, after `state.db` was put back from a copy. */
function versionOf({ policy, revision }: { readonly policy: string; readonly revision: number }): string {
  return `${revision}-${createHash('sha256').update(policy).digest('hex').slice(0, 12)}`;
}

function fromStored(text: string): { readonly policy: Policy | null; readonly problem: string | null } {
  const parsed = parsePolicy(jsonOf(text));
  if (parsed.kind === 'parsed') return { policy: parsed.policy, problem: null };
  const [{ message }] = parsed.faults;
  return {
    policy: null,
    problem: `The stored policy cannot be read, so every call is denied. ${message} Import a policy to replace it.`,
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
