import { createHash } from 'node:crypto';
import type BetterSqlite3 from 'better-sqlite3';
import { DEFINITION_KINDS, wordFor } from '../../../shared/kinds.ts';
import type { DefinitionKind, Risk, ToolView } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import { MAX_NAME } from './definitions.ts';
import { type Entry, entryOf, viewOf } from './entry.ts';
import { exposedNameFor } from './exposed-names.ts';
import { createListReader } from './listed.ts';
import { type ByLook, lookAlikeOf, lookOf, type Named } from './look-alikes.ts';
import { createToolTable, type StoredTool } from './tool-table.ts';

export type { Entry, Prompt, ResourceTemplate, Tool } from './entry.ts';

export interface ToolAcceptance {
  /** A tool when left out. */
  readonly kind?: DefinitionKind;
  readonly name: string;
  readonly fingerprint: string;
  readonly risk: Risk;
}

export type ReviewResult =
  | { readonly kind: 'done'; readonly accepted: number }
  | { readonly kind: 'refused' /** E.g. the tool changed again while it was being read. */; readonly message: string };

/** Everything that is reviewed: tools, prompts and resource templates. Where no kind is given, tools are meant. */
export interface Inventory {
  /**
   * Takes in all that an upstream listed of one kind just now. `endpoint` is its command line or URL and part of every
   * fingerprint. Definitions that are not usable (no object schema, impossible name) are left out and named in `problems`.
   */
  takeIn(
    upstreamId: string,
    endpoint: string,
    listed: readonly unknown[],
    kind?: DefinitionKind,
  ): { readonly changed: boolean; readonly problems: readonly string[] };
  /** What can be done of `takeIn` before it, for the very same list, a part in each turn of the event loop. */
  readAhead(endpoint: string, listed: readonly unknown[], kind: DefinitionKind): Promise<void>;
  /** By name. */
  tools<K extends DefinitionKind = 'tool'>(upstreamId: string, kind?: K): readonly Entry<K>[];
  /** `name` is the URI template where a resource template is looked for. */
  find<K extends DefinitionKind = 'tool'>(upstreamId: string, name: string, kind?: K): Entry<K> | null;
  /** Tools and prompts have name spaces of their own; resource templates are never found. */
  byExposedName<K extends DefinitionKind = 'tool'>(workspaceId: string, exposedName: string, kind?: K): Entry<K> | null;
  /** Every kind: by upstream, then kind, then name. */
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
 * All tools, prompts and resource templates known, in memory in front of `state.db`: every look-up on the way of a call
 * is a few map reads. `upstreamName` is asked only while definitions are taken in.
 */
export function createInventory(parts: {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
  readonly upstreamName: (upstreamId: string) => UpstreamName | null;
}): Inventory {
  const table = createToolTable(parts.db);
  const reader = createListReader();
  const byUpstream = new Map<string, ByKind<Shelf>>();
  const byExposed = new Map<string, ByKind<Map<string, Entry>>>();
  const listeners = new Set<(upstreamId: string) => void>();
  /** Made when first asked for after a change. */
  let names = byKind<ReadonlyMap<string, ByLook> | null>(() => null);

  for (const stored of table.all()) put(stored);

  function put(stored: StoredTool): void {
    const entry = entryOf(stored);
    const shelves = byUpstream.get(stored.upstreamId) ?? byKind(newShelf);
    byUpstream.set(stored.upstreamId, shelves);
    const shelf = shelves[stored.kind];
    shelf.kept.set(stored.name, { stored, entry, view: null });
    shelf.sorted = null;
    if (stored.exposedName === null) return;
    const names = byExposed.get(stored.workspaceId) ?? byKind(() => new Map<string, Entry>());
    byExposed.set(stored.workspaceId, names);
    names[stored.kind].set(stored.exposedName, entry);
  }

  function drop(stored: StoredTool): void {
    const shelf = byUpstream.get(stored.upstreamId)?.[stored.kind];
    if (shelf) {
      shelf.kept.delete(stored.name);
      shelf.sorted = null;
    }
    if (stored.exposedName !== null) byExposed.get(stored.workspaceId)?.[stored.kind].delete(stored.exposedName);
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
    names = byKind(() => null);
    for (const listener of [...listeners]) listener(upstreamId);
    return true;
  }

  function keptOf(upstreamId: string, kind: DefinitionKind): ReadonlyMap<string, Kept> {
    return byUpstream.get(upstreamId)?.[kind].kept ?? NOTHING;
  }

  /** The name agents will know it by: the one it had, or a new one beside those of this listing (in lower case). */
  function freshName(
    upstream: UpstreamName,
    kind: DefinitionKind,
    name: string,
    named: ReadonlySet<string>,
  ): string | null {
    if (kind === 'resource_template') return null;
    const taken = (lower: string) => named.has(lower) || table.nameTaken(upstream.workspaceId, kind, lower);
    return table.nameOf(upstream, kind, name) ?? exposedNameFor(upstream.name, name, taken);
  }

  function allKeptOf(upstreamId: string): readonly Kept[] {
    const shelves = byUpstream.get(upstreamId);
    return shelves ? DEFINITION_KINDS.flatMap((kind) => [...shelves[kind].kept.values()]) : [];
  }

  /** Whether its name can be taken for another's depends on all the others: looked up anew, for what was never accepted. */
  function withLookAlike(view: ToolView, { workspaceId, kind, state }: StoredTool): ToolView {
    if (state !== 'awaiting_review') return view;
    names[kind] ??= namesByLook(kind);
    const flag = lookAlikeOf(view, names[kind].get(workspaceId) ?? NO_NAMES);
    return flag === null ? view : { ...view, flags: [flag, ...view.flags] };
  }

  function namesByLook(kind: DefinitionKind): ReadonlyMap<string, ByLook> {
    const looks = new Map<string, Map<string, Named[]>>();
    for (const shelves of byUpstream.values()) {
      for (const { stored } of shelves[kind].kept.values()) {
        if (stored.state === 'gone') continue;
        const ofWorkspace = looks.get(stored.workspaceId) ?? new Map<string, Named[]>();
        looks.set(stored.workspaceId, ofWorkspace);
        const look = lookOf(stored.name);
        ofWorkspace.set(look, [...(ofWorkspace.get(look) ?? []), stored]);
      }
    }
    return looks;
  }

  return {
    readAhead: (endpoint, listed, kind) => reader.ahead(listed, endpoint, kind),

    takeIn(upstreamId, endpoint, listed, kind = 'tool') {
      const upstream = parts.upstreamName(upstreamId);
      if (!upstream) return { changed: false, problems: ['Nothing was taken in: the upstream has been removed.'] };
      const { usable, problems } = reader.read(listed, endpoint, kind);
      const kept = keptOf(upstreamId, kind);
      const named = new Set<string>();
      const changes: Changes = { put: [], dropped: [] };
      const endpointHash = createHash('sha256').update(endpoint).digest('hex');
      for (const name of [...usable.keys()].sort()) {
        const { definition, text, fingerprint } = usable.get(name)!;
        const offered = { text, definition, fingerprint, endpointHash };
        const before = kept.get(name)?.stored ?? null;
        const exposedName = before ? before.exposedName : freshName(upstream, kind, name, named);
        if (exposedName !== null) named.add(exposedName.toLowerCase());
        const after: StoredTool = before
          ? offeredAgain(before, offered)
          : {
              upstreamId,
              upstream: upstream.name,
              workspaceId: upstream.workspaceId,
              kind,
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

    tools<K extends DefinitionKind = 'tool'>(upstreamId: string, kind?: K) {
      const shelf = byUpstream.get(upstreamId)?.[kind ?? 'tool'];
      if (!shelf) return [];
      shelf.sorted ??= [...shelf.kept.values()].map(({ entry }) => entry).sort(byName);
      return shelf.sorted as readonly Entry<K>[];
    },

    find<K extends DefinitionKind = 'tool'>(upstreamId: string, name: string, kind?: K) {
      return (keptOf(upstreamId, kind ?? 'tool').get(name)?.entry ?? null) as Entry<K> | null;
    },

    byExposedName<K extends DefinitionKind = 'tool'>(workspaceId: string, exposedName: string, kind?: K) {
      return (byExposed.get(workspaceId)?.[kind ?? 'tool'].get(exposedName) ?? null) as Entry<K> | null;
    },

    view(upstreamId) {
      return (upstreamId === undefined ? [...byUpstream.keys()] : [upstreamId])
        .flatMap(allKeptOf)
        .map((kept) => {
          kept.view ??= viewOf(kept.stored);
          return withLookAlike(kept.view, kept.stored);
        })
        .sort((a, b) => compare(a.upstream, b.upstream) || byKindOf(a, b) || byName(a, b));
    },

    review(upstreamId, accept) {
      const accepted = new Map<string, StoredTool>();
      for (const { kind = 'tool', name, fingerprint, risk } of accept) {
        const stored = keptOf(upstreamId, kind).get(name)?.stored;
        const shown = stored && (stored.offered ?? (stored.state === 'gone' ? null : stored.reviewed));
        if (!stored || !shown) {
          const what = kind === 'tool' ? quoted(name) : `the ${wordFor(kind)} ${quoted(name)}`;
          return { kind: 'refused', message: `Nothing was accepted: the upstream no longer lists ${what}.` };
        }
        if (shown.fingerprint !== fingerprint) {
          const message = `Nothing was accepted: ${quoted(name)} changed while it was being read; look at it again.`;
          return { kind: 'refused', message };
        }
        accepted.set(`${kind} ${name}`, acceptedAs(stored, risk, parts.clock.now()));
      }
      settle(upstreamId, { put: [...accepted.values()], dropped: [] });
      return { kind: 'done', accepted: accepted.size };
    },

    acceptBuiltIn(upstreamId, risks) {
      // Only what was never reviewed: when the demo changes a definition, that waits for the person like any other.
      const put = [...keptOf(upstreamId, 'tool').values()].flatMap(({ stored }) => {
        const risk = Object.hasOwn(risks, stored.name) ? risks[stored.name] : undefined;
        if (risk === undefined || stored.state !== 'awaiting_review') return [];
        return [acceptedAs(stored, risk, parts.clock.now())];
      });
      settle(upstreamId, { put, dropped: [] });
    },

    forget(upstreamId) {
      const dropped = allKeptOf(upstreamId).map(({ stored }) => stored);
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
  readonly entry: Entry;
  /** Made when first asked for: flags and proposals cost more than a look-up. */
  view: ToolView | null;
}

interface Shelf {
  readonly kept: Map<string, Kept>;
  sorted: readonly Entry[] | null;
}

interface Changes {
  readonly put: StoredTool[];
  readonly dropped: StoredTool[];
}

const NOTHING: ReadonlyMap<string, Kept> = new Map();

const NO_NAMES: ByLook = new Map();

const newShelf = (): Shelf => ({ kept: new Map(), sorted: null });

type ByKind<T> = Record<DefinitionKind, T>;

const byKind = <T>(make: () => T): ByKind<T> => ({ tool: make(), prompt: make(), resource_template: make() });

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => compare(a.name, b.name);

const byKindOf = (a: { readonly kind: DefinitionKind }, b: { readonly kind: DefinitionKind }): number =>
  DEFINITION_KINDS.indexOf(a.kind) - DEFINITION_KINDS.indexOf(b.kind);

/** What a tool, prompt or template is after its upstream listed it again; the same object when nothing is new. */
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

/** A name within a sentence; names have neither control nor invisible characters (`definitions.ts`). */
const quoted = (name: string): string => JSON.stringify(name.slice(0, MAX_NAME));
