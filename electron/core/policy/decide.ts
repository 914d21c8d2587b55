import type { Decision, Policy, Risk } from '../../../shared/model.ts';

/** What a policy may know of a call. `arguments` is the parsed slice, only for conditions. */
export interface CallFacts {
  readonly upstream: string;
  readonly upstreamTags: readonly string[];
  readonly tool: string;
  readonly risk: Risk;
  readonly client: string;
  readonly clientTags: readonly string[];
  readonly arguments: unknown;
}

export type Decide = (policy: Policy | null, call: CallFacts) => Decision;
