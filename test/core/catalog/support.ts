import BetterSqlite3 from 'better-sqlite3';
import type { Inventory } from '../../../electron/core/catalog/inventory.ts';
import { createInventory, inventorySchema } from '../../../electron/core/catalog/inventory.ts';
import { usualLimits, usualSettings } from '../../../electron/core/upstreams/settings.ts';
import type {
  Definition,
  DefinitionKind,
  PromptDefinition,
  ResourceTemplateDefinition,
  Risk,
  ToolDefinition,
  UpstreamView,
} from '../../../shared/model.ts';
import { fakeClock } from '../../support/fake-clock.ts';

/** A database with the inventory's tables; reopen it by path to see what a restart would see. */
export function openTables(path = ':memory:'): BetterSqlite3.Database {
  const db = new BetterSqlite3(path);
  if (!db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'tools'").get()) db.exec(inventorySchema);
  return db;
}

/** Upstream ids are `<workspace>/<name>`. */
export function inventoryOn(db: BetterSqlite3.Database): Inventory {
  return createInventory({
    db,
    clock: fakeClock(),
    upstreamName: (id) => {
      const [workspaceId, name] = id.split('/');
      return workspaceId && name ? { workspaceId, name } : null;
    },
  });
}

export function definition(name: string, more: Record<string, unknown> = {}): ToolDefinition {
  return { name, description: `Does ${name}.`, inputSchema: { type: 'object' }, ...more };
}

export function prompt(name: string, more: Record<string, unknown> = {}): PromptDefinition {
  return { name, description: `Says ${name}.`, arguments: [{ name: 'topic', required: true }], ...more };
}

export function template(uriTemplate: string, more: Record<string, unknown> = {}): ResourceTemplateDefinition {
  return { uriTemplate, name: 'notes', description: 'One note.', mimeType: 'text/plain', ...more };
}

/** Takes in and reviews every tool that is offered now. */
export function reviewed(
  inventory: Inventory,
  upstreamId: string,
  definitions: readonly ToolDefinition[],
  risk: Risk = 'read',
): void {
  reviewedAs(inventory, upstreamId, 'tool', definitions, risk);
}

/** Takes in and reviews everything of one kind that is offered now. */
export function reviewedAs(
  inventory: Inventory,
  upstreamId: string,
  kind: DefinitionKind,
  definitions: readonly (Definition | Record<string, unknown>)[],
  risk: Risk = 'read',
): void {
  inventory.takeIn(upstreamId, ENDPOINT, definitions, kind);
  const accept = inventory
    .view(upstreamId)
    .filter((one) => one.kind === kind && one.offered !== null)
    .map(({ name, fingerprint }) => ({ kind, name, fingerprint, risk }));
  const result = inventory.review(upstreamId, accept);
  if (result.kind !== 'done') throw new Error(result.message);
}

export const ENDPOINT = 'node server.js';

export function upstreamView(id: string, more: Partial<UpstreamView> = {}): UpstreamView {
  const [workspaceId = 'w', name = 'up'] = id.split('/');
  return {
    id,
    workspaceId,
    name,
    transport: { kind: 'stdio', command: 'node', args: [], secretEnv: [], cwd: null },
    tags: [],
    enabled: true,
    settings: usualSettings,
    signIn: { kind: 'none' },
    limits: usualLimits,
    toConfirm: null,
    status: 'ready',
    reason: null,
    needsSignIn: false,
    era: null,
    pid: null,
    resolvedCommand: null,
    callsItself: null,
    toolCount: 0,
    awaitingReview: 0,
    leftOut: [],
    lastStderr: [],
    since: 0,
    ...more,
  };
}
