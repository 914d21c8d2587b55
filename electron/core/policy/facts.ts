import type { CallKind, Risk, RuleMatch, ToolState } from '../../../shared/model.ts';

/**
 * What a policy may know of a call. `tool` is the own name of the tool or prompt, the URI of the resource, or the method
 * by which the upstream asks (`sampling/createMessage`, `elicitation/create`).
 */
export interface CallFacts {
  /** By name. */
  readonly workspace: string;
  readonly kind: CallKind;
  readonly upstream: string;
  readonly upstreamTags: readonly string[];
  /** Label of the account the call goes out with; null where there is none. */
  readonly connection: string | null;
  readonly tool: string;
  readonly risk: Risk;
  readonly fingerprint: string;
  readonly state: ToolState;
  readonly client: string;
  readonly clientTags: readonly string[];
  readonly keyId: string;
  readonly keyPrefix: string;
  /** `sessionLabel` of the session, never its id; null for a stateless request. */
  readonly session: string | null;
  /** Milliseconds since 1970, by the wall clock: a time of day is nothing else. */
  readonly at: number;
  /** The parsed slice, only for conditions. `UNTOLD` stands in it for a value that is no longer known. */
  readonly arguments: unknown;
  /** Members of a match that cannot be told of this call, because its record or the moment does not have them. */
  readonly untold?: readonly (keyof RuleMatch)[];
}
