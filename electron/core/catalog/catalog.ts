import type { Client, ToolDefinition, UpstreamView } from '../../../shared/model.ts';
import { closest } from './closest.ts';
import type { Inventory, Tool } from './inventory.ts';
import { searchIn } from './search.ts';
import { createSegment, type Segment } from './search-segment.ts';

/** What the catalog asks of the upstreams. */
export interface KnownUpstreams {
  list(workspaceId: string): readonly UpstreamView[];
  get(id: string): UpstreamView | null;
  byName(workspaceId: string, name: string): UpstreamView | null;
}

/** What of a client decides what it can see. */
export type Viewer = Pick<Client, 'workspaceId' | 'upstreams' | 'scopeTags'>;

export interface Located {
  readonly tool: Tool;
  readonly upstream: UpstreamView;
}

export interface FoundTool extends Located {
  /** The reviewed text, the only one agents are shown. */
  readonly definition: ToolDefinition;
  readonly score: number;
}

export interface SearchResult {
  readonly found: readonly FoundTool[];
  /** Sentences for the agent: why something may be missing. They name upstreams by our label, never by their own text. */
  readonly notes: readonly string[];
}

/** What one client can see. Names are met exactly: no folding, trimming or normalising (security row H5). */
export interface Catalog {
  /**
   * Null for unknown names, for upstreams that the client may not see and for upstreams of which nothing was ever
   * reviewed, without a difference. The tool's state is for the caller to judge.
   */
  find(client: Viewer, exposedName: string): Located | null;
  /** By the upstream's label and the tool's own name, as `call_external_tool` and `/u/<upstream>/mcp` say it. */
  findDirect(client: Viewer, upstreamName: string, toolName: string): Located | null;
  /** The label's upstream, where the client may see it. */
  upstream(client: Viewer, upstreamName: string): UpstreamView | null;
  /** Every upstream the client may see, by name. */
  upstreams(client: Viewer): readonly UpstreamView[];
  /**
   * Upstream tools for `tools/list`: those that scope tags or pins ask for, in a fixed order, renamed to their exposed
   * names, with the reviewed text. Calls that are never allowed are left out.
   */
  listed(
    client: Viewer,
    pins: readonly string[],
    neverAllowed: (tool: Tool, upstream: UpstreamView) => boolean,
  ): readonly { readonly exposedName: string; readonly definition: ToolDefinition }[];
  /** All reviewed tools of one upstream under their own names, for `/u/<upstream>/mcp`. */
  listedOf(
    client: Viewer,
    upstreamName: string,
    neverAllowed: (tool: Tool, upstream: UpstreamView) => boolean,
  ): readonly ToolDefinition[];
  /** Best first; an empty query lists. Searches what agents are shown: reviewed text of upstreams that are enabled. */
  search(client: Viewer, query: string, limit: number, upstreamName?: string): SearchResult;
}

export function createCatalog(parts: { readonly inventory: Inventory; readonly upstreams: KnownUpstreams }): Catalog {
  const { inventory } = parts;
  /** By upstream; made when first searched and again after its tools changed. */
  const shelves = new Map<string, Shelf>();
  inventory.onChange((upstreamId) => shelves.delete(upstreamId));

  function shelfOf(upstream: UpstreamView): Shelf {
    const known = shelves.get(upstream.id);
    if (known) return known;
    const tools = inventory.tools(upstream.id);
    const shown = tools.flatMap((tool): readonly Shown[] => {
      const definition = shownOf(tool);
      return definition ? [{ tool, definition }] : [];
    });
    const shelf: Shelf = {
      shown,
      segment: null,
      reviewed: tools.some((tool) => tool.reviewed !== null),
      awaiting: tools.filter((tool) => tool.state === 'awaiting_review').length,
      changed: tools.filter((tool) => tool.state === 'changed').length,
    };
    shelves.set(upstream.id, shelf);
    return shelf;
  }

  function segmentOf(upstream: UpstreamView, shelf: Shelf): Segment {
    shelf.segment ??= createSegment(
      shelf.shown.map(({ tool, definition }) => ({
        upstream: upstream.name,
        name: tool.name,
        ...(definition.title === undefined ? {} : { title: definition.title }),
        description: definition.description ?? '',
        inputSchema: definition.inputSchema,
      })),
    );
    return shelf.segment;
  }

  const upstreams = (client: Viewer): readonly UpstreamView[] =>
    parts.upstreams
      .list(client.workspaceId)
      .filter((upstream) => sees(client, upstream))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));

  const upstream = (client: Viewer, name: string): UpstreamView | null => {
    const known = parts.upstreams.byName(client.workspaceId, name);
    return known && sees(client, known) ? known : null;
  };

  return {
    upstream,
    upstreams,

    find(client, exposedName) {
      const tool = inventory.byExposedName(client.workspaceId, exposedName);
      const of = tool && parts.upstreams.get(tool.upstreamId);
      if (!tool || !of || !sees(client, of) || !shelfOf(of).reviewed) return null;
      return { tool, upstream: of };
    },

    findDirect(client, upstreamName, toolName) {
      const of = upstream(client, upstreamName);
      const tool = of && inventory.find(of.id, toolName);
      return tool ? { tool, upstream: of } : null;
    },

    listed(client, pins, neverAllowed) {
      const pinned = new Set(pins);
      return upstreams(client)
        .filter((of) => of.enabled)
        .flatMap((of) => {
          const whole = inScope(client, of);
          return shelfOf(of)
            .shown.filter(({ tool }) => (whole || pinned.has(tool.exposedName)) && !neverAllowed(tool, of))
            .map(({ tool, definition }) => ({
              exposedName: tool.exposedName,
              definition: asShown(definition, tool.exposedName, of.name),
            }));
        });
    },

    listedOf(client, upstreamName, neverAllowed) {
      const of = upstream(client, upstreamName);
      if (!of?.enabled) return [];
      return shelfOf(of)
        .shown.filter(({ tool }) => !neverAllowed(tool, of))
        .map(({ tool, definition }) => asShown(definition, tool.name, of.name));
    },

    search(client, query, limit, upstreamName) {
      const visible = upstreams(client);
      const wanted = upstreamName === undefined ? visible : visible.filter(({ name }) => name === upstreamName);
      if (upstreamName !== undefined && wanted.length === 0) {
        return { found: [], notes: [unknownUpstream(upstreamName, visible)] };
      }
      const open = wanted.filter((of) => of.enabled).map((of) => ({ of, shelf: shelfOf(of) }));
      const notes = wanted.flatMap((of) => noteOn(of, shelfOf(of)));
      if (visible.length === 0) return { found: [], notes: [NOTHING_CONNECTED] };

      const all = open.flatMap(({ of, shelf }) => shelf.shown.map((shown) => ({ ...shown, upstream: of })));
      if (query.trim() === '') {
        const found = all.slice(0, limit).map((shown) => ({ ...shown, score: 0 }));
        return { found, notes: [...restOf(all.length, found.length), ...notes] };
      }
      const segments = open.map(({ of, shelf }) => segmentOf(of, shelf));
      const found = searchIn(segments, query.slice(0, MAX_QUERY), limit).flatMap(({ segment, index, score }) => {
        const from = open[segment];
        const shown = from?.shelf.shown[index];
        return from && shown ? [{ ...shown, upstream: from.of, score }] : [];
      });
      if (found.length > 0) return { found, notes };
      const names = nearest(query, all);
      return { found: [], notes: [nothingFound(all.length, names), ...notes] };
    },
  };
}

/** Characters of a query that count. */
const MAX_QUERY = 1_000;

interface Shown {
  readonly tool: Tool;
  readonly definition: ToolDefinition;
}

interface Shelf {
  readonly shown: readonly Shown[];
  readonly reviewed: boolean;
  readonly awaiting: number;
  readonly changed: number;
  segment: Segment | null;
}

const sees = (client: Viewer, upstream: UpstreamView): boolean =>
  upstream.workspaceId === client.workspaceId &&
  (client.upstreams === null || client.upstreams.includes(upstream.name));

const inScope = (client: Viewer, upstream: UpstreamView): boolean =>
  client.scopeTags.includes('*') || client.scopeTags.some((tag) => upstream.tags.includes(tag));

/** What agents may read of a tool now: the reviewed text while the upstream still lists the tool. */
const shownOf = (tool: Tool): ToolDefinition | null =>
  tool.state === 'reviewed' || tool.state === 'changed' ? tool.reviewed : null;

/** The reviewed definition under the name the client calls it by. Members named like ours are never the server's. */
function asShown(definition: ToolDefinition, name: string, upstreamName: string): ToolDefinition {
  const given = definition._meta;
  const meta = typeof given === 'object' && given !== null && !Array.isArray(given) ? Object.entries(given) : [];
  return {
    ...definition,
    name,
    _meta: {
      ...Object.fromEntries(meta.filter(([key]) => !key.startsWith('gatehouse/'))),
      'gatehouse/upstream': upstreamName,
      'gatehouse/tool': definition.name,
    },
  };
}

/** Why tools of this upstream may be missing. Our words and our label only. */
function noteOn(upstream: UpstreamView, shelf: Shelf): readonly string[] {
  const { name } = upstream;
  if (!upstream.enabled) return [`${name}: disabled by the person; its tools are not available.`];
  const notes: string[] = [];
  if (upstream.status === 'starting') notes.push(`${name}: still starting; search again in a few seconds.`);
  if (upstream.status === 'failed') {
    notes.push(`${name}: failed to start or stopped answering; the person sees why on the Upstreams page.`);
  }
  if (upstream.status === 'stopped') notes.push(`${name}: not running; the person can start it on the Upstreams page.`);
  if (shelf.awaiting > 0) {
    const first = shelf.reviewed ? 'review' : 'first review';
    notes.push(
      `${name}: ${toolsAre(shelf.awaiting, 'await', 'awaits')} ${shelf.awaiting === 1 ? 'its' : 'their'} ${first} by the person.`,
    );
  }
  if (shelf.changed > 0) {
    notes.push(
      `${name}: ${toolsAre(shelf.changed, 'have', 'has')} changed and cannot be called before the person reviews the change.`,
    );
  }
  return notes;
}

const toolsAre = (count: number, many: string, one: string): string =>
  count === 1 ? `1 tool ${one}` : `${count} tools ${many}`;

const NOTHING_CONNECTED = 'No upstream is connected yet; the person adds one on the Upstreams page.';

function unknownUpstream(name: string, visible: readonly UpstreamView[]): string {
  const names = visible.map((of) => of.name);
  const near = closest(name, names);
  const unknown = `There is no upstream ${JSON.stringify(name.slice(0, 64))}.`;
  if (near.length > 0) return `${unknown} Did you mean ${near.join(' or ')}?`;
  return names.length > 0
    ? `${unknown} There are: ${names.slice(0, 30).join(', ')}.`
    : `${unknown} ${NOTHING_CONNECTED}`;
}

const restOf = (all: number, shown: number): readonly string[] =>
  all > shown ? [`${all - shown} more tools; say what you want to do to find the right one.`] : [];

/** Names that were perhaps meant: `reed file` for `read_file`. */
function nearest(query: string, shown: readonly Shown[]): readonly string[] {
  const wanted = query.trim().replace(/\s+/g, '_');
  const exposed = new Map(shown.map(({ tool }) => [tool.name, tool.exposedName]));
  return closest(wanted, [...exposed.keys()]).map((name) => exposed.get(name) ?? name);
}

function nothingFound(searched: number, near: readonly string[]): string {
  const none = `Nothing found among ${searched === 1 ? '1 tool' : `${searched} tools`}.`;
  const names = near.length > 0 ? ` Closest names: ${near.join(', ')}.` : '';
  return `${none}${names} Ask for one thing at a time, as "product: verb object", e.g. "github: list issues".`;
}
