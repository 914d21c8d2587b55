import type BetterSqlite3 from 'better-sqlite3';
import type { Definition, DefinitionKind, Risk, ToolState } from '../../../shared/model.ts';
import type { SealedTable } from '../seals/sealed-table.ts';

/**
 * Tools, prompts and resource templates; a template's name is its URI template, and it has no exposed name.
 * `exposed_names` outlives them: a name that agents have seen never comes to mean another tool. Endpoints are stored as
 * hashes, since a command line or URL may hold what nobody should read here.
 */
export const inventorySchema = `
CREATE TABLE tools (
  upstream_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('tool', 'prompt', 'resource_template')),
  name TEXT NOT NULL,
  upstream TEXT NOT NULL,
  workspace_id TEXT NOT NULL,
  exposed_name TEXT,
  state TEXT NOT NULL CHECK (state IN ('awaiting_review', 'reviewed', 'changed', 'gone')),
  risk TEXT CHECK (risk IN ('read', 'write', 'destructive')),
  reviewed TEXT,
  reviewed_fingerprint TEXT,
  reviewed_endpoint TEXT,
  offered TEXT,
  offered_fingerprint TEXT,
  offered_endpoint TEXT,
  seen_at INTEGER NOT NULL,
  reviewed_at INTEGER,
  PRIMARY KEY (upstream_id, kind, name),
  CHECK ((kind = 'resource_template') = (exposed_name IS NULL)),
  CHECK ((state = 'awaiting_review') = (reviewed IS NULL)),
  CHECK ((state IN ('awaiting_review', 'changed')) = (offered IS NOT NULL)),
  CHECK ((reviewed IS NULL) = (risk IS NULL))
) STRICT;
CREATE TABLE exposed_names (
  workspace_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('tool', 'prompt')),
  lower_case TEXT NOT NULL,
  exposed_name TEXT NOT NULL,
  upstream TEXT NOT NULL,
  tool TEXT NOT NULL,
  seen_by_agents INTEGER NOT NULL CHECK (seen_by_agents IN (0, 1)),
  PRIMARY KEY (workspace_id, kind, lower_case),
  UNIQUE (workspace_id, upstream, kind, tool)
) STRICT;
`;

/** What was reviewed, as what risk, and the name that agents know it by. */
export const sealedTools: SealedTable = {
  table: 'tools',
  id: "{row}.upstream_id || ' ' || {row}.kind || ' ' || {row}.name",
  members: {
    workspace: '{row}.workspace_id',
    upstream: '{row}.upstream',
    exposedName: '{row}.exposed_name',
    risk: '{row}.risk',
    reviewed: '{row}.reviewed',
    fingerprint: '{row}.reviewed_fingerprint',
    endpoint: '{row}.reviewed_endpoint',
  },
  exempt: '{row}.reviewed IS NULL',
  whole: true,
  mend: {
    setBack: `
      UPDATE tools SET workspace_id = @row ->> 'workspace', upstream = @row ->> 'upstream',
        exposed_name = @row ->> 'exposedName', risk = @row ->> 'risk', reviewed = @row ->> 'reviewed',
        reviewed_fingerprint = @row ->> 'fingerprint', reviewed_endpoint = @row ->> 'endpoint'
      WHERE upstream_id || ' ' || kind || ' ' || name = @id`,
    withdraw: `
      UPDATE tools SET state = 'awaiting_review', offered = ifnull(offered, reviewed),
        offered_fingerprint = ifnull(offered_fingerprint, reviewed_fingerprint),
        offered_endpoint = ifnull(offered_endpoint, reviewed_endpoint),
        risk = NULL, reviewed = NULL, reviewed_fingerprint = NULL, reviewed_endpoint = NULL, reviewed_at = NULL
      WHERE upstream_id || ' ' || kind || ' ' || name = @id`,
  },
};

/** A definition as it arrived, with what it was fingerprinted as. */
export interface StoredDefinition {
  readonly text: string;
  readonly definition: Definition;
  readonly fingerprint: string;
  readonly endpointHash: string;
}

export interface StoredTool {
  readonly upstreamId: string;
  readonly upstream: string;
  readonly workspaceId: string;
  readonly kind: DefinitionKind;
  readonly name: string;
  /** Null for resource templates, and only for them. */
  readonly exposedName: string | null;
  readonly state: ToolState;
  /** Confirmed at review; null before. */
  readonly risk: Risk | null;
  readonly reviewed: StoredDefinition | null;
  readonly offered: StoredDefinition | null;
  readonly seenAt: number;
  readonly reviewedAt: number | null;
}

/** Reads and writes the rows; knows nothing of what a state means. */
export function createToolTable(db: BetterSqlite3.Database) {
  const all = db.prepare<[], Row>('SELECT * FROM tools ORDER BY upstream_id, kind, name');
  const save = db.prepare(`
    INSERT INTO tools VALUES (
      @upstream_id, @kind, @name, @upstream, @workspace_id, @exposed_name, @state, @risk,
      @reviewed, @reviewed_fingerprint, @reviewed_endpoint, @offered, @offered_fingerprint, @offered_endpoint,
      @seen_at, @reviewed_at
    ) ON CONFLICT (upstream_id, kind, name) DO UPDATE SET
      state = excluded.state, risk = excluded.risk, reviewed = excluded.reviewed,
      reviewed_fingerprint = excluded.reviewed_fingerprint, reviewed_endpoint = excluded.reviewed_endpoint,
      offered = excluded.offered, offered_fingerprint = excluded.offered_fingerprint,
      offered_endpoint = excluded.offered_endpoint, reviewed_at = excluded.reviewed_at`);
  const remove = db.prepare('DELETE FROM tools WHERE upstream_id = ? AND kind = ? AND name = ?');
  const keepName = db.prepare(`
    INSERT INTO exposed_names VALUES (@workspaceId, @kind, @lowerCase, @exposedName, @upstream, @name, @seen)
    ON CONFLICT (workspace_id, kind, lower_case) DO UPDATE SET seen_by_agents = max(seen_by_agents, excluded.seen_by_agents)`);
  const releaseName = db.prepare(`
    DELETE FROM exposed_names WHERE workspace_id = ? AND upstream = ? AND kind = ? AND tool = ? AND seen_by_agents = 0`);
  const nameOf = db
    .prepare<[string, string, DefinitionKind, string], string>(
      'SELECT exposed_name FROM exposed_names WHERE workspace_id = ? AND upstream = ? AND kind = ? AND tool = ?',
    )
    .pluck();
  const nameTaken = db
    .prepare<[string, DefinitionKind, string], number>(
      'SELECT 1 FROM exposed_names WHERE workspace_id = ? AND kind = ? AND lower_case = ?',
    )
    .pluck();

  return {
    all: (): readonly StoredTool[] => all.all().map(toolOfRow),

    save(tool: StoredTool): void {
      save.run(rowOf(tool));
      const { workspaceId, kind, exposedName, upstream, name } = tool;
      if (exposedName === null) return;
      const seen = tool.reviewed === null ? 0 : 1;
      keepName.run({ workspaceId, kind, lowerCase: exposedName.toLowerCase(), exposedName, upstream, name, seen });
    },

    /** The name stays kept once an agent may have seen it. */
    remove(tool: StoredTool): void {
      remove.run(tool.upstreamId, tool.kind, tool.name);
      releaseName.run(tool.workspaceId, tool.upstream, tool.kind, tool.name);
    },

    /** The exposed name that this tool or prompt of an upstream of this name has or had. */
    nameOf: (
      upstream: { readonly name: string; readonly workspaceId: string },
      kind: DefinitionKind,
      name: string,
    ): string | null => nameOf.get(upstream.workspaceId, upstream.name, kind, name) ?? null,

    nameTaken: (workspaceId: string, kind: DefinitionKind, lowerCase: string): boolean =>
      nameTaken.get(workspaceId, kind, lowerCase) !== undefined,
  };
}

interface Row {
  readonly upstream_id: string;
  readonly kind: DefinitionKind;
  readonly name: string;
  readonly upstream: string;
  readonly workspace_id: string;
  readonly exposed_name: string | null;
  readonly state: ToolState;
  readonly risk: Risk | null;
  readonly reviewed: string | null;
  readonly reviewed_fingerprint: string | null;
  readonly reviewed_endpoint: string | null;
  readonly offered: string | null;
  readonly offered_fingerprint: string | null;
  readonly offered_endpoint: string | null;
  readonly seen_at: number;
  readonly reviewed_at: number | null;
}

const rowOf = (tool: StoredTool): Row => ({
  upstream_id: tool.upstreamId,
  kind: tool.kind,
  name: tool.name,
  upstream: tool.upstream,
  workspace_id: tool.workspaceId,
  exposed_name: tool.exposedName,
  state: tool.state,
  risk: tool.risk,
  reviewed: tool.reviewed?.text ?? null,
  reviewed_fingerprint: tool.reviewed?.fingerprint ?? null,
  reviewed_endpoint: tool.reviewed?.endpointHash ?? null,
  offered: tool.offered?.text ?? null,
  offered_fingerprint: tool.offered?.fingerprint ?? null,
  offered_endpoint: tool.offered?.endpointHash ?? null,
  seen_at: tool.seenAt,
  reviewed_at: tool.reviewedAt,
});

const toolOfRow = (row: Row): StoredTool => ({
  upstreamId: row.upstream_id,
  upstream: row.upstream,
  workspaceId: row.workspace_id,
  kind: row.kind,
  name: row.name,
  exposedName: row.exposed_name,
  state: row.state,
  risk: row.risk,
  reviewed: definitionOf(row.reviewed, row.reviewed_fingerprint, row.reviewed_endpoint),
  offered: definitionOf(row.offered, row.offered_fingerprint, row.offered_endpoint),
  seenAt: row.seen_at,
  reviewedAt: row.reviewed_at,
});

function definitionOf(
  text: string | null,
  fingerprint: string | null,
  endpointHash: string | null,
): StoredDefinition | null {
  if (text === null || fingerprint === null || endpointHash === null) return null;
  return { text, definition: JSON.parse(text) as Definition, fingerprint, endpointHash };
}
