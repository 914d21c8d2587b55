import type { ConnectionRef } from '../../../shared/connections.ts';
import type { CallKind, Client, Risk, RuleMatch, ToolState } from '../../../shared/model.ts';
import type { ToolCall } from '../call-tool.ts';
import { sessionLabel } from '../clients/session-label.ts';
import type { CallFacts } from '../policy/facts.ts';
import type { Found } from './aim.ts';

/** What a call is about, as far as rules can ask. */
interface About {
  readonly kind: CallKind;
  readonly name: string;
  readonly risk: Risk;
  readonly fingerprint: string;
  readonly state: ToolState;
  readonly upstream: { readonly name: string; readonly tags: readonly string[] };
  readonly connection: Pick<ConnectionRef, 'label'> | null;
}

/** What the policy may know of a call that was made. `value`: its arguments, parsed. */
export function factsOf(
  { workspace, client, key, sessionId }: Pick<ToolCall, 'workspace' | 'client' | 'key' | 'sessionId'>,
  about: About,
  at: number,
  value: unknown,
): CallFacts {
  return {
    ...aboutOf(client, about),
    workspace: workspace.name,
    keyId: key.id,
    keyPrefix: key.prefix,
    session: sessionLabel(sessionId),
    at,
    arguments: value,
  };
}

/**
 * What the policy may know of a tool before anybody called it: with which key and in which session is not known then.
 * `connection`: the account that a call would go out with.
 */
export function foreseenFacts(
  workspace: string,
  client: Client,
  { tool, upstream }: Found,
  connection: Pick<ConnectionRef, 'label'> | null,
  at: number,
  value: unknown,
): CallFacts {
  return {
    ...aboutOf(client, { ...tool, kind: 'tool', upstream, connection }),
    workspace,
    keyId: '',
    keyPrefix: '',
    session: null,
    at,
    arguments: value,
    untold: UNFORESEEN,
  };
}

const UNFORESEEN = ['key', 'session'] as const satisfies readonly (keyof RuleMatch)[];

function aboutOf(client: Client, { kind, name, risk, fingerprint, state, upstream, connection }: About) {
  return {
    kind,
    upstream: upstream.name,
    upstreamTags: upstream.tags,
    connection: connection?.label ?? null,
    tool: name,
    risk,
    fingerprint,
    state,
    client: client.name,
    clientTags: client.tags,
  };
}
