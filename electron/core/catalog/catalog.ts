import type {
  Client,
  Definition,
  DefinitionKind,
  PromptDefinition,
  ResourceTemplateDefinition,
  ToolDefinition,
  UpstreamView,
} from '../../../shared/model.ts';
import type { DefinitionOf, Entry } from './entry.ts';
import type { Inventory, Prompt, ResourceTemplate, Tool } from './inventory.ts';
import { searchIn } from './search.ts';
import {
  NOTHING_CONNECTED,
  nearest,
  noteOn,
  nothingFound,
  type Reviewing,
  restOf,
  unknownUpstream,
} from './search-notes.ts';
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

export interface LocatedPrompt {
  readonly prompt: Prompt;
  readonly upstream: UpstreamView;
}

/** Whether the policy refuses this whatever the arguments, so that it need not be listed. */
export type NeverAllowed<E extends Entry> = (entry: E, upstream: UpstreamView) => boolean;

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
    neverAllowed: NeverAllowed<Tool>,
  ): readonly { readonly exposedName: string; readonly definition: ToolDefinition }[];
  /** All reviewed tools of one upstream under their own names, for `/u/<upstream>/mcp`. */
  listedOf(client: Viewer, upstreamName: string, neverAllowed: NeverAllowed<Tool>): readonly ToolDefinition[];
  /** As `find`, for `prompts/get`. */
  findPrompt(client: Viewer, exposedName: string): LocatedPrompt | null;
  /** As `findDirect`, for `/u/<upstream>/mcp`. */
  findPromptDirect(client: Viewer, upstreamName: string, name: string): LocatedPrompt | null;
  /** All reviewed prompts, by upstream and name, under their exposed names, with the reviewed text. */
  listedPrompts(client: Viewer, neverAllowed?: NeverAllowed<Prompt>): readonly PromptDefinition[];
  /** All reviewed prompts of one upstream under their own names. */
  listedPromptsOf(
    client: Viewer,
    upstreamName: string,
    neverAllowed?: NeverAllowed<Prompt>,
  ): readonly PromptDefinition[];
  /**
   * All reviewed resource templates, by upstream and URI template, with the reviewed text; URIs are as the upstream
   * sent them, `_meta["gatehouse/upstream"]` says whose they are.
   */
  listedTemplates(client: Viewer, neverAllowed?: NeverAllowed<ResourceTemplate>): readonly ResourceTemplateDefinition[];
  listedTemplatesOf(
    client: Viewer,
    upstreamName: string,
    neverAllowed?: NeverAllowed<ResourceTemplate>,
  ): readonly ResourceTemplateDefinition[];
  /** Tools only. Best first; an empty query lists. Searches what agents are shown: reviewed text of upstreams that are enabled. */
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
    const prompts = inventory.tools(upstream.id, 'prompt');
    const templates = inventory.tools(upstream.id, 'resource_template');
    const all: readonly Entry[] = [...tools, ...prompts, ...templates];
    const shelf: Shelf = {
      shown: shownOf(tools),
      prompts: shownOf(prompts),
      templates: shownOf(templates),
      segment: null,
      reviewed: all.some((entry) => entry.reviewed !== null),
      awaiting: all.filter((entry) => entry.state === 'awaiting_review'),
      changed: all.filter((entry) => entry.state === 'changed'),
    };
    shelves.set(upstream.id, shelf);
    return shelf;
  }

  function segmentOf(upstream: UpstreamView, shelf: Shelf): Segment {
    shelf.segment ??= createSegment(
      shelf.shown.map(({ entry, definition }) => ({
        upstream: upstream.name,
        name: entry.name,
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

  /** What clients list of the upstreams: of all the client may see, or of one of them under its own names. */
  const open = (client: Viewer): readonly UpstreamView[] => upstreams(client).filter((of) => of.enabled);
  const openOne = (client: Viewer, name: string): readonly UpstreamView[] => {
    const of = upstream(client, name);
    return of?.enabled ? [of] : [];
  };

  function promptsOf(
    of: UpstreamView,
    nameOf: (prompt: Prompt) => string,
    neverAllowed: NeverAllowed<Prompt> = nothing,
  ): readonly PromptDefinition[] {
    return shelfOf(of)
      .prompts.filter(({ entry }) => !neverAllowed(entry, of))
      .map(({ entry, definition }) => ({
        ...withOrigin(definition, { upstream: of.name, prompt: definition.name }),
        name: nameOf(entry),
      }));
  }

  function templatesOf(
    of: UpstreamView,
    neverAllowed: NeverAllowed<ResourceTemplate> = nothing,
  ): readonly ResourceTemplateDefinition[] {
    return shelfOf(of)
      .templates.filter(({ entry }) => !neverAllowed(entry, of))
      .map(({ definition }) => withOrigin(definition, { upstream: of.name }));
  }

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

    findPrompt(client, exposedName) {
      const prompt = inventory.byExposedName(client.workspaceId, exposedName, 'prompt');
      const of = prompt && parts.upstreams.get(prompt.upstreamId);
      if (!prompt || !of || !sees(client, of) || !shelfOf(of).reviewed) return null;
      return { prompt, upstream: of };
    },

    findPromptDirect(client, upstreamName, name) {
      const of = upstream(client, upstreamName);
      const prompt = of && inventory.find(of.id, name, 'prompt');
      return prompt ? { prompt, upstream: of } : null;
    },

    listed(client, pins, neverAllowed) {
      const pinned = new Set(pins);
      return open(client).flatMap((of) => {
        const whole = inScope(client, of);
        return shelfOf(of)
          .shown.filter(({ entry }) => (whole || pinned.has(entry.exposedName)) && !neverAllowed(entry, of))
          .map(({ entry, definition }) => ({
            exposedName: entry.exposedName,
            definition: asShown(definition, entry.exposedName, of.name),
          }));
      });
    },

    listedPrompts: (client, neverAllowed) =>
      open(client).flatMap((of) => promptsOf(of, ({ exposedName }) => exposedName, neverAllowed)),

    listedPromptsOf: (client, upstreamName, neverAllowed) =>
      openOne(client, upstreamName).flatMap((of) => promptsOf(of, ({ name }) => name, neverAllowed)),

    listedTemplates: (client, neverAllowed) => open(client).flatMap((of) => templatesOf(of, neverAllowed)),

    listedTemplatesOf: (client, upstreamName, neverAllowed) =>
      openOne(client, upstreamName).flatMap((of) => templatesOf(of, neverAllowed)),

    listedOf(client, upstreamName, neverAllowed) {
      return openOne(client, upstreamName).flatMap((of) =>
        shelfOf(of)
          .shown.filter(({ entry }) => !neverAllowed(entry, of))
          .map(({ entry, definition }) => asShown(definition, entry.name, of.name)),
      );
    },

    search(client, query, limit, upstreamName) {
      const visible = upstreams(client);
      const wanted = upstreamName === undefined ? visible : visible.filter(({ name }) => name === upstreamName);
      if (upstreamName !== undefined && wanted.length === 0) {
        return { found: [], notes: [unknownUpstream(upstreamName, visible)] };
      }
      const searched = wanted.filter((of) => of.enabled).map((of) => ({ of, shelf: shelfOf(of) }));
      const notes = wanted.flatMap((of) => noteOn(of, shelfOf(of)));
      if (visible.length === 0) return { found: [], notes: [NOTHING_CONNECTED] };

      const all = searched.flatMap(({ of, shelf }) =>
        shelf.shown.map(({ entry, definition }) => ({ tool: entry, definition, upstream: of })),
      );
      if (query.trim() === '') {
        const found = all.slice(0, limit).map((shown) => ({ ...shown, score: 0 }));
        return { found, notes: [...restOf(all.length, found.length), ...notes] };
      }
      const segments = searched.map(({ of, shelf }) => segmentOf(of, shelf));
      const found = searchIn(segments, query.slice(0, MAX_QUERY), limit).flatMap(({ segment, index, score }) => {
        const from = searched[segment];
        const shown = from?.shelf.shown[index];
        if (!from || !shown) return [];
        return [{ tool: shown.entry, definition: shown.definition, upstream: from.of, score }];
      });
      if (found.length > 0) return { found, notes };
      const names = nearest(
        query,
        all.map(({ tool }) => tool),
      );
      return { found: [], notes: [nothingFound(all.length, names), ...notes] };
    },
  };
}

/** Characters of a query that count. */
const MAX_QUERY = 1_000;

/** What agents may read now, with the text they may read. */
interface Shown<K extends DefinitionKind> {
  readonly entry: Entry<K>;
  readonly definition: DefinitionOf[K];
}

interface Shelf extends Reviewing {
  readonly shown: readonly Shown<'tool'>[];
  readonly prompts: readonly Shown<'prompt'>[];
  readonly templates: readonly Shown<'resource_template'>[];
  segment: Segment | null;
}

const nothing = (): boolean => false;

const sees = (client: Viewer, upstream: UpstreamView): boolean =>
  upstream.workspaceId === client.workspaceId &&
  (client.upstreams === null || client.upstreams.includes(upstream.name));

const inScope = (client: Viewer, upstream: UpstreamView): boolean =>
  client.scopeTags.includes('*') || client.scopeTags.some((tag) => upstream.tags.includes(tag));

/** The reviewed text of everything that the upstream still lists. */
function shownOf<K extends DefinitionKind>(entries: readonly Entry<K>[]): readonly Shown<K>[] {
  return entries.flatMap((entry): readonly Shown<K>[] => {
    const isListed = entry.state === 'reviewed' || entry.state === 'changed';
    return isListed && entry.reviewed !== null ? [{ entry, definition: entry.reviewed }] : [];
  });
}

/** The reviewed definition under the name the client calls it by. */
const asShown = (definition: ToolDefinition, name: string, upstreamName: string): ToolDefinition => ({
  ...withOrigin(definition, { upstream: upstreamName, tool: definition.name }),
  name,
});

/** A definition that says in its metadata where it comes from. Members named like ours are never the server's. */
function withOrigin<D extends Definition>(definition: D, origin: Readonly<Record<string, string>>): D {
  const given = definition._meta;
  const meta = typeof given === 'object' && given !== null && !Array.isArray(given) ? Object.entries(given) : [];
  return {
    ...definition,
    _meta: {
      ...Object.fromEntries(meta.filter(([key]) => !key.startsWith('gatehouse/'))),
      ...Object.fromEntries(Object.entries(origin).map(([key, value]) => [`gatehouse/${key}`, value])),
    },
  };
}
