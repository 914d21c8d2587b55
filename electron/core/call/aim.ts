import type { ConnectionRef } from '../../../shared/connections.ts';
import type { ErrorClass } from '../../../shared/errors.ts';
import type { CallKind, Client, Risk, ToolState, UpstreamView } from '../../../shared/model.ts';
import type { LocatedPrompt } from '../catalog/catalog.ts';
import type { Tool } from '../catalog/inventory.ts';
import type { Resources } from '../catalog/resources.ts';
import { RISK_OF } from '../policy/decide.ts';

/** How the caller named the tool. Both ways lead to the same place and the same rules. */
export type CallTarget =
  /** `tools/call` on `/mcp` or `/w/…`: an exposed name, resolved by table. */
  | { readonly kind: 'exposed'; readonly name: string }
  /** `call_external_tool`, or `tools/call` on `/u/<upstream>/mcp`: the upstream's own name. */
  | {
      readonly kind: 'own';
      readonly upstream: string;
      readonly name: string;
      /** Label of the account it is to go out with; left out: the client's default one. */
      readonly connection?: string;
    }
  /** `prompts/get`; null upstream: an exposed name. */
  | { readonly kind: 'prompt'; readonly upstream: string | null; readonly name: string }
  /** `resources/read`; null upstream: whoever has this URI. */
  | { readonly kind: 'resource'; readonly upstream: string | null; readonly uri: string }
  /** `completion/complete` for an argument of a prompt, or of a resource template. */
  | {
      readonly kind: 'completion';
      readonly upstream: string | null;
      readonly of: 'ref/prompt' | 'ref/resource';
      readonly named: string;
    };

/** What a call is about: one tool, prompt or resource of one upstream. */
export interface Aim {
  readonly kind: Extract<CallKind, 'tool' | 'prompt' | 'resource'>;
  readonly name: string;
  readonly title: string | null;
  readonly state: ToolState;
  readonly risk: Risk;
  readonly fingerprint: string;
  /** Where there is a schema to check arguments against. */
  readonly tool: Tool | null;
  readonly upstream: UpstreamView;
  /** The account the call goes out with; null: none. */
  readonly connection: ConnectionRef | null;
}

/** What was found, before it is decided which account the call goes out with. */
export type Located = Omit<Aim, 'connection'>;

export interface Found {
  readonly tool: Tool;
  readonly upstream: UpstreamView;
}

export interface AimParts {
  readonly catalog: {
    find(client: Client, exposedName: string): Found | null;
    findDirect(client: Client, upstream: string, tool: string): Found | null;
    findPrompt(client: Client, exposedName: string): LocatedPrompt | null;
    findPromptDirect(client: Client, upstream: string, name: string): LocatedPrompt | null;
    /** Where the client may see it. */
    upstream(client: Client, name: string): UpstreamView | null;
  };
  readonly resources: Pick<Resources, 'find'>;
}

/** Null: unknown, or outside what the client may see; the two are told apart nowhere. */
export function findAim(parts: AimParts, client: Client, target: CallTarget): Located | null {
  switch (target.kind) {
    case 'exposed':
      return aimOf(parts.catalog.find(client, target.name));
    case 'own':
      return aimOf(parts.catalog.findDirect(client, target.upstream, target.name));
    case 'prompt':
      return findPrompt(parts, client, target.upstream, target.name);
    case 'resource':
      return findResource(parts, client, target.upstream, target.uri);
    case 'completion':
      return target.of === 'ref/prompt'
        ? findPrompt(parts, client, target.upstream, target.named)
        : findResource(parts, client, target.upstream, target.named);
  }
}

function aimOf(found: Found | null): Located | null {
  if (found === null) return null;
  const { tool, upstream } = found;
  const { name, state, risk, fingerprint, reviewed } = tool;
  return { kind: 'tool', name, title: titleOf(reviewed), state, risk, fingerprint, tool, upstream };
}

function findPrompt(parts: AimParts, client: Client, upstreamName: string | null, name: string): Located | null {
  const found =
    upstreamName === null
      ? parts.catalog.findPrompt(client, name)
      : parts.catalog.findPromptDirect(client, upstreamName, name);
  if (found === null) return null;
  const { prompt, upstream } = found;
  return {
    kind: 'prompt',
    name: prompt.name,
    title: titleOf(prompt.reviewed),
    state: prompt.state,
    risk: prompt.risk,
    fingerprint: prompt.fingerprint,
    tool: null,
    upstream,
  };
}

/** Resources come and go; what is reviewed is the upstream that has them. */
function findResource(parts: AimParts, client: Client, upstreamName: string | null, uri: string): Located | null {
  const upstream = parts.resources.find(client, upstreamName, uri);
  if (upstream === null) return null;
  return {
    kind: 'resource',
    name: uri,
    title: null,
    state: 'reviewed',
    risk: RISK_OF.resource,
    fingerprint: upstream.id,
    tool: null,
    upstream,
  };
}

function titleOf(reviewed: { readonly title?: unknown } | null): string | null {
  return typeof reviewed?.title === 'string' ? reviewed.title : null;
}

/** Why it cannot be called now, whatever the rules say; null: it can. */
export function notCallable({
  name,
  state,
  upstream,
}: Located): { readonly errorClass: ErrorClass; readonly message: string } | null {
  const what = `${upstream.name} / ${name}`;
  switch (state) {
    case 'reviewed':
      return null;
    case 'awaiting_review':
      return { errorClass: 'awaiting_review', message: `${what} waits for its first review by the person.` };
    case 'changed':
      return {
        errorClass: 'tool_changed',
        message: `${what} was changed by its server and waits for review by the person.`,
      };
    case 'gone':
      return { errorClass: 'tool_changed', message: `${upstream.name} no longer offers ${name}.` };
  }
}
