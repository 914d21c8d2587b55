import { z } from 'zod';
import type { ConnectionView } from '../../../shared/connections.ts';
import type { Client, Decision, Risk, ToolDefinition, UpstreamView } from '../../../shared/model.ts';
import type { Found } from '../call/aim.ts';
import { isSignedIn, type KnownConnections, needsSignIn } from '../call/connection.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { connectLink, type ToolResult } from './tool-result.ts';

/** `call_external_tool` says that an account can be chosen where there is a choice, and to nobody else. */
export function metaToolsFor({ choice }: { readonly choice: boolean }): readonly ToolDefinition[] {
  return choice ? CHOOSING : META_TOOLS;
}

/** The tools of Gatehouse itself; names and arguments as in the seed systems (design row 9). */
const META_TOOLS: readonly ToolDefinition[] = [
  {
    name: 'find_tools',
    title: 'Find tools',
    description:
      'Finds tools of all connected upstreams by what they do. Ask for one thing at a time, as "product: verb object", for example "github: create issue". Each hit has the exact upstream and tool name for call_external_tool, the full input schema, the risk, and whether the call would run at once (allow), wait for the person (require_approval) or be refused (deny); needs_sign_in means that the person must connect an account first. Without a query it lists what there is.',
    inputSchema: {
      type: 'object',
      properties: {
        query: { type: 'string', description: 'What the tool should do, in a few words.' },
        limit: { type: 'integer', minimum: 1, maximum: 50, description: 'How many hits at most; 10 when left out.' },
        upstream: { type: 'string', description: 'Only tools of this upstream.' },
      },
    },
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
  {
    name: 'call_external_tool',
    title: 'Call a tool of an upstream',
    description:
      'Calls a tool that find_tools named. The call is decided by the rules of the person; it may wait for approval. When the answer is approval_pending, call again with the same arguments.',
    inputSchema: {
      type: 'object',
      properties: {
        upstream: { type: 'string', description: 'Name of the upstream, as find_tools gave it.' },
        tool: { type: 'string', description: 'Name of the tool, as find_tools gave it.' },
        arguments: { type: 'object', description: 'The arguments of the tool, by its input schema.' },
      },
      required: ['upstream', 'tool'],
    },
    annotations: { openWorldHint: true },
  },
  {
    name: 'pin_tool',
    title: 'Pin a tool',
    description:
      'Puts a tool that find_tools named into tools/list for this client, so that it can be called directly. Changes only what is listed.',
    inputSchema: {
      type: 'object',
      properties: { upstream: { type: 'string' }, tool: { type: 'string' } },
      required: ['upstream', 'tool'],
    },
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  },
  {
    name: 'unpin_tool',
    title: 'Unpin a tool',
    description: 'Takes a pinned tool out of tools/list again.',
    inputSchema: {
      type: 'object',
      properties: { upstream: { type: 'string' }, tool: { type: 'string' } },
      required: ['upstream', 'tool'],
    },
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  },
  {
    name: 'list_pinned_tools',
    title: 'List pinned tools',
    description: 'Names the tools this client has pinned.',
    inputSchema: { type: 'object', properties: {} },
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
];

const CONNECTION = {
  type: 'string',
  description:
    'Which account the call goes out with, where find_tools names several under "connections". Left out: the default one.',
};

const CHOOSING: readonly ToolDefinition[] = META_TOOLS.map((tool) => {
  if (tool.name !== 'call_external_tool') return tool;
  const { properties, ...schema } = tool.inputSchema;
  return { ...tool, inputSchema: { ...schema, properties: { ...(properties as object), connection: CONNECTION } } };
});

/** Tools one client may have pinned: each makes every `tools/list` of it longer. */
export const MAX_PINS = 100;

export const META_TOOL_NAMES: ReadonlySet<string> = new Set(META_TOOLS.map((tool) => tool.name));

const findInput = z.object({
  query: z.string().max(1000).default(''),
  limit: z.number().int().min(1).max(50).default(10),
  upstream: z.string().max(64).optional(),
});
const pinInput = z.object({ upstream: z.string().min(1).max(64), tool: z.string().min(1).max(256) });
/** `arguments` is looked at only for being an object; what is forwarded is its exact text. */
export const callExternalInput = z.object({
  upstream: z.string().min(1).max(64),
  tool: z.string().min(1).max(256),
  arguments: z.looseObject({}).optional(),
  /** Label of an account; a member of this name inside `arguments` is the tool's own. */
  connection: z.string().max(64).optional(),
});

export interface MetaToolParts {
  readonly catalog: {
    find(client: Client, exposedName: string): Found | null;
    findDirect(client: Client, upstream: string, tool: string): Found | null;
    search(
      client: Client,
      query: string,
      limit: number,
      upstream?: string,
    ): { readonly found: readonly (Found & { readonly score: number })[]; readonly notes: readonly string[] };
  } & Pick<Catalog, 'upstreams'>;
  readonly connections: KnownConnections;
  /** `http://127.0.0.1:<port>`, for links in answers. */
  readonly origin: () => string;
  /** What the policy would say of this tool, arguments unknown. */
  readonly foresee: (client: Client, found: Found) => Decision;
  /** What this client should know before any call, e.g. that its calls are paused. */
  readonly notesFor: (client: Client) => readonly string[];
  readonly pins: {
    get(clientId: string): readonly string[];
    set(clientId: string, names: readonly string[]): void;
  };
  /** `tools/list` of this client changed. */
  readonly listChanged: (clientId: string) => void;
}

/** Ends of a meta-tool: a result, or arguments that do not fit (the message names the field). */
export type MetaAnswer =
  | { readonly kind: 'result'; readonly result: ToolResult }
  | { readonly kind: 'invalid'; readonly message: string };

/** Answers every meta-tool but `call_external_tool`, which is a call (`call-tool.ts`). */
export function answerMetaTool(parts: MetaToolParts, client: Client, name: string, input: unknown): MetaAnswer {
  switch (name) {
    case 'find_tools':
      return findTools(parts, client, input);
    case 'pin_tool':
    case 'unpin_tool':
      return pin(parts, client, name, input);
    default:
      return data({ pinned: parts.pins.get(client.id) });
  }
}

function findTools(parts: MetaToolParts, client: Client, input: unknown): MetaAnswer {
  const parsed = findInput.safeParse(input ?? {});
  if (!parsed.success) return invalid(parsed.error);
  const { query, limit, upstream } = parsed.data;
  const { found, notes } = parts.catalog.search(client, query, limit, upstream);
  const visible = parts.catalog.upstreams(client);
  const searched = visible.filter(({ name }) => upstream === undefined || name === upstream);
  const links = new Map(
    searched
      .filter((of) => needsSignIn(parts.connections, client, of))
      .map((of) => [of.id, notConnected(parts.origin(), of)] as const),
  );
  const shown = new Set(found.map((hit) => hit.upstream.id));
  const connections = searched.flatMap((of) => (shown.has(of.id) ? accountsOf(parts.connections, client, of) : []));
  return data({
    tools: found.map((hit) => hitOf(hit, parts.foresee(client, hit), links.get(hit.upstream.id) ?? null)),
    ...(connections.length === 0 ? {} : { connections: Object.fromEntries(connections) }),
    notes: [
      ...parts.notesFor(client),
      ...searched.flatMap((of) => (links.has(of.id) ? [`${of.name}: ${links.get(of.id)}`] : [])),
      ...notes,
    ],
  });
}

function notConnected(origin: string, { name }: UpstreamView): string {
  return `not connected. Visit ${connectLink(origin, name)} to authorize.`;
}

/** Where there is a choice: the accounts by label, and what a call must know of each. */
function accountsOf(
  connections: KnownConnections,
  client: Client,
  { id, name }: UpstreamView,
): readonly (readonly [string, unknown])[] {
  const all = connections.list(id);
  if (all.length < 2) return [];
  const chosen = connections.choose(client.id, id, null);
  const isDefault = (one: ConnectionView) => chosen.kind === 'chosen' && chosen.connection.id === one.id;
  const told = all.map((one) => ({
    name: one.label,
    ...(isDefault(one) ? { default: true } : {}),
    ...(isSignedIn(one) ? {} : { state: 'not connected' }),
  }));
  return [[name, told]];
}

function hitOf({ tool, upstream }: Found, decision: Decision, note: string | null): Record<string, unknown> {
  return {
    upstream: upstream.name,
    tool: tool.name,
    direct_name: tool.exposedName,
    description: tool.reviewed?.description ?? '',
    risk: tool.risk satisfies Risk,
    decision: decision.effect,
    ...(decision.rule === null ? {} : { rule: decision.rule }),
    ...(note === null ? {} : { needs_sign_in: true, note }),
    ...(upstream.status === 'ready' ? {} : { upstream_status: upstream.status, upstream_reason: upstream.reason }),
    ...(tool.state === 'changed' ? { state: 'changed: waits for review by the person' } : {}),
    input_schema: tool.reviewed?.inputSchema ?? {},
  };
}

function pin(parts: MetaToolParts, client: Client, name: 'pin_tool' | 'unpin_tool', input: unknown): MetaAnswer {
  const parsed = pinInput.safeParse(input ?? {});
  if (!parsed.success) return invalid(parsed.error);
  const found = parts.catalog.findDirect(client, parsed.data.upstream, parsed.data.tool);
  if (found === null) {
    return {
      kind: 'invalid',
      message: `There is no tool "${parsed.data.tool}" of "${parsed.data.upstream}" that this client can see; find_tools tells which there are.`,
    };
  }
  const { exposedName } = found.tool;
  const stored = parts.pins.get(client.id);
  // Pins of upstreams that were removed since could not be taken out by name: they give way.
  const before =
    stored.length < MAX_PINS ? stored : stored.filter((pinned) => parts.catalog.find(client, pinned) !== null);
  if (name === 'pin_tool' && before.length >= MAX_PINS && !before.includes(exposedName)) {
    return {
      kind: 'invalid',
      message: `This client has ${MAX_PINS} pinned tools already, which is the most there can be. Take one out with unpin_tool, or call the tool by call_external_tool without pinning it.`,
    };
  }
  const after =
    name === 'pin_tool'
      ? [...before.filter((pinned) => pinned !== exposedName), exposedName]
      : before.filter((pinned) => pinned !== exposedName);
  if (after.length !== before.length || before.length !== stored.length) {
    parts.pins.set(client.id, after);
    parts.listChanged(client.id);
  }
  return data({ pinned: after });
}

function data(value: Readonly<Record<string, unknown>>): MetaAnswer {
  return {
    kind: 'result',
    result: { content: [{ type: 'text', text: JSON.stringify(value) }], structuredContent: value },
  };
}

function invalid(error: z.ZodError): MetaAnswer {
  const issue = error.issues[0];
  return { kind: 'invalid', message: `Field "${issue?.path.join('.') ?? ''}": ${issue?.message ?? 'does not fit'}.` };
}
