import { createHash } from 'node:crypto';
import type BetterSqlite3 from 'better-sqlite3';
import type { Risk, ToolDefinition, ToolState, ToolView } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import { readDefinitions } from './definitions.ts';
import { exposedNameFor } from './exposed-names.ts';
import { fingerprintOf } from './fingerprint.ts';
import { flagsOf } from './flags.ts';
import { proposeRisk } from './proposed-risk.ts';
import { createToolTable, type StoredTool } from './tool-table.ts';

/** One tool of one upstream as the inventory knows it. */
export interface Tool {
  readonly upstreamId: string;
  readonly name: string;
  /** `<upstream>__<tool>`, resolved by table only. */
  readonly exposedName: string;
  readonly state: ToolState;
  readonly risk: Risk;
  /** Of the reviewed definition where there is one, else of the offered one. */
  readonly fingerprint: string;
  /** What agents are shown; null while nothing was reviewed. */
  readonly reviewed: ToolDefinition | null;
  readonly offered: ToolDefinition | null;
}

export interface ToolAcceptance {
  readonly name: string;
  readonly fingerprint: string;
  readonly risk: Risk;
}

export type ReviewResult =
  | { readonly kind: 'done'; readonly accepted: number }
  | { readonly kind: 'refused' /** E.g. the tool changed again while it was being read. */; readonly message: string };

export interface Inventory {
  /**
   * Takes in what an upstream listed just now. `endpoint` is its command line or URL and part of every fingerprint.
   * Definitions that are not usable (no object schema, impossible name) are left out and named in `problems`.
   */
  takeIn(
    upstreamId: string,
    endpoint: string,
    listed: readonly unknown[],
    kind?: 'tool' | 'prompt' | 'resource_template',
  ): { readonly changed: boolean; readonly problems: readonly string[] };
  tools(upstreamId: string): readonly Tool[];
  find(upstreamId: string, toolName: string): Tool | null;
  byExposedName(workspaceId: string, exposedName: string): Tool | null;
  view(upstreamId?: string): readonly ToolView[];
  review(upstreamId: string, accept: readonly ToolAcceptance[]): ReviewResult;
  /** Ships reviewed: only for the built-in demo upstream, and only for definitions that equal its own code's. */
  acceptBuiltIn(upstreamId: string, risks: Readonly<Record<string, Risk>>): void;
  forget(upstreamId: string): void;
  /** Told with the upstream's id whenever something agents or the person can see has changed. */
  onChange(listener: (upstreamId: string) => void): () => void;
}

export { inventorySchema } from './tool-table.ts';

/** What the inventory must know of an upstream when it takes in its tools. */
export interface UpstreamName {
  readonly name: string;
  readonly workspaceId: string;
}

/**
 * All tools known, in memory in front of `state.db`: every look-up on the way of a call is one or two map reads.
 * `upstreamName` is asked only while tools are taken in.
 */
export function createInventory(parts: {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
  readonly upstreamName: (upstreamId: string) => UpstreamName | null;
}): Inventory {
  const table = createToolTable(parts.db);
  const byUpstream = new Map<string, Shelf>();
  const byExposed = new Map<string, Map<string, Tool>>();
  const listeners = new Set<(upstreamId: string) => void>();

  for (const stored of table.all()) put(stored);

  function put(stored: StoredTool): void {
    const tool = toolOf(stored);
    const shelf = byUpstream.get(stored.upstreamId) ?? newShelf();
    byUpstream.set(stored.upstreamId, shelf);
    shelf.kept.set(stored.name, { stored, tool, view: null });
    shelf.sorted = null;
    const names = byExposed.get(stored.workspaceId) ?? new Map<string, Tool>();
    byExposed.set(stored.workspaceId, names);
    names.set(stored.exposedName, tool);
  }

  function drop(stored: StoredTool): void {
    const shelf = byUpstream.get(stored.upstreamId);
    if (shelf) {
      shelf.kept.delete(stored.name);
      shelf.sorted = null;
    }
    byExposed.get(stored.workspaceId)?.delete(stored.exposedName);
  }

  /** Stores what came out of a change, all or nothing, then remembers it and tells the listeners. */
  function settle(upstreamId: string, changes: Changes): boolean {
    if (changes.put.length === 0 && changes.dropped.length === 0) return false;
    parts.db.transaction(() => {
      for (const stored of changes.dropped) table.remove(stored);
      for (const stored of changes.put) table.save(stored);
    })();
    for (const stored of changes.dropped) drop(stored);
    for (const stored of changes.put) put(stored);
    for (const listener of [...listeners]) listener(upstreamId);
    return true;
  }

  function keptOf(upstreamId: string): ReadonlyMap<string, Kept> {
    return byUpstream.get(upstreamId)?.kept ?? NOTHING;
  }

  return {
    takeIn(upstreamId, endpoint, listed) {
      const upstream = parts.upstreamName(upstreamId);
      if (!upstream) return { changed: false, problems: ['Nothing was taken in: the upstream has been removed.'] };
      const { usable, problems } = readDefinitions(listed);
      const kept = keptOf(upstreamId);
      const named = new Set<string>();
      const changes: Changes = { put: [], dropped: [] };
      const endpointHash = createHash('sha256').update(endpoint).digest('hex');
      for (const name of [...usable.keys()].sort()) {
        const { definition, text } = usable.get(name)!;
        const offered = { text, definition, fingerprint: fingerprintOf(definition, endpoint), endpointHash };
        const before = kept.get(name)?.stored ?? null;
        const exposedName =
          before?.exposedName ??
          table.nameOf(upstream, name) ??
          exposedNameFor(
            upstream.name,
            name,
            (lower) => named.has(lower) || table.nameTaken(upstream.workspaceId, lower),
          );
        named.add(exposedName.toLowerCase());
        const after: StoredTool = before
          ? offeredAgain(before, offered)
          : {
              upstreamId,
              upstream: upstream.name,
              workspaceId: upstream.workspaceId,
              name,
              exposedName,
              state: 'awaiting_review',
              risk: null,
              reviewed: null,
              offered,
              seenAt: parts.clock.now(),
              reviewedAt: null,
            };
        if (after !== before) changes.put.push(after);
      }
      for (const [name, { stored }] of kept) {
        if (usable.has(name)) continue;
        if (stored.reviewed === null) changes.dropped.push(stored);
        else if (stored.state !== 'gone') changes.put.push({ ...stored, state: 'gone', offered: null });
      }
      return { changed: settle(upstreamId, changes), problems };
    },

    tools(upstreamId) {
      const shelf = byUpstream.get(upstreamId);
      if (!shelf) return [];
      shelf.sorted ??= [...shelf.kept.values()].map(({ tool }) => tool).sort(byName);
      return shelf.sorted;
    },

    find: (upstreamId, toolName) => keptOf(upstreamId).get(toolName)?.tool ?? null,

    byExposedName: (workspaceId, exposedName) => byExposed.get(workspaceId)?.get(exposedName) ?? null,

    view(upstreamId) {
      const shelves = upstreamId === undefined ? [...byUpstream.values()] : [byUpstream.get(upstreamId) ?? newShelf()];
      return shelves
        .flatMap((shelf) => [...shelf.kept.values()])
        .map((kept) => {
          kept.view ??= viewOf(kept.stored);
          return kept.view;
        })
        .sort((a, b) => (a.upstream === b.upstream ? byName(a, b) : a.upstream < b.upstream ? -1 : 1));
    },

    review(upstreamId, accept) {
      const kept = keptOf(upstreamId);
      const accepted = new Map<string, StoredTool>();
      for (const { name, fingerprint, risk } of accept) {
        const stored = kept.get(name)?.stored;
        const shown = stored && (stored.offered ?? (stored.state === 'gone' ? null : stored.reviewed));
        if (!stored || !shown) {
          return { kind: 'refused', message: `Nothing was accepted: the upstream no longer lists ${quoted(name)}.` };
        }
        if (shown.fingerprint !== fingerprint) {
          const message = `Nothing was accepted: ${quoted(name)} changed while it was being read; look at it again.`;
          return { kind: 'refused', message };
        }
        accepted.set(name, acceptedAs(stored, risk, parts.clock.now()));
      }
      settle(upstreamId, { put: [...accepted.values()], dropped: [] });
      return { kind: 'done', accepted: accepted.size };
    },

    acceptBuiltIn(upstreamId, risks) {
      // Only what was never reviewed: when the demo changes a definition, that waits for the person like any other.
      const put = [...keptOf(upstreamId).values()].flatMap(({ stored }) => {
        const risk = Object.hasOwn(risks, stored.name) ? risks[stored.name] : undefined;
        if (risk === undefined || stored.state !== 'awaiting_review') return [];
        return [acceptedAs(stored, risk, parts.clock.now())];
      });
      settle(upstreamId, { put, dropped: [] });
    },

    forget(upstreamId) {
      const dropped = [...keptOf(upstreamId).values()].map(({ stored }) => stored);
      settle(upstreamId, { put: [], dropped });
      byUpstream.delete(upstreamId);
    },

    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

interface Kept {
  readonly stored: StoredTool;
  readonly tool: Tool;
  /** Made when first asked for: flags and proposals cost more than a look-up. */
  view: ToolView | null;
}

interface Shelf {
  readonly kept: Map<string, Kept>;
  sorted: readonly Tool[] | null;
}

interface Changes {
  readonly put: StoredTool[];
  readonly dropped: StoredTool[];
}

const NOTHING: ReadonlyMap<string, Kept> = new Map();

const newShelf = (): Shelf => ({ kept: new Map(), sorted: null });

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

/** What a tool is after its upstream listed it again; the same object when nothing is new. */
function offeredAgain(before: StoredTool, offered: NonNullable<StoredTool['offered']>): StoredTool {
  if (before.reviewed === null) {
    return before.offered?.fingerprint === offered.fingerprint ? before : { ...before, offered };
  }
  if (before.reviewed.fingerprint === offered.fingerprint) {
    return before.state === 'reviewed' ? before : { ...before, state: 'reviewed', offered: null };
  }
  if (before.state === 'changed' && before.offered?.fingerprint === offered.fingerprint) return before;
  return { ...before, state: 'changed', offered };
}

const acceptedAs = (stored: StoredTool, risk: Risk, now: number): StoredTool => ({
  ...stored,
  state: 'reviewed',
  risk,
  reviewed: stored.offered ?? stored.reviewed,
  offered: null,
  reviewedAt: now,
});

function toolOf(stored: StoredTool): Tool {
  const judged = (stored.reviewed ?? stored.offered)!;
  return {
    upstreamId: stored.upstreamId,
    name: stored.name,
    exposedName: stored.exposedName,
    state: stored.state,
    risk: stored.risk ?? proposeRisk(judged.definition),
    fingerprint: judged.fingerprint,
    reviewed: stored.reviewed?.definition ?? null,
    offered: stored.offered?.definition ?? null,
  };
}

/** As the person sees it: the fingerprint and the warnings are those of the text that waits, where one waits. */
function viewOf(stored: StoredTool): ToolView {
  const shown = (stored.offered ?? stored.reviewed)!;
  const proposedRisk = proposeRisk(shown.definition);
  const moved = stored.offered && stored.reviewed && stored.offered.endpointHash !== stored.reviewed.endpointHash;
  return {
    upstreamId: stored.upstreamId,
    upstream: stored.upstream,
    name: stored.name,
    exposedName: stored.exposedName,
    state: stored.state,
    risk: stored.risk ?? proposedRisk,
    proposedRisk,
    fingerprint: shown.fingerprint,
    reviewed: stored.reviewed?.definition ?? null,
    offered: stored.offered?.definition ?? null,
    flags: [...(moved ? [MOVED] : []), ...flagsOf(shown.definition)],
  };
}

const MOVED = 'The command or address of the upstream is not the one that was reviewed.';

/** A tool's name within a sentence; names have neither control nor invisible characters (`definitions.ts`). */
const quoted = (name: string): string => JSON.stringify(name.slice(0, 128));
