import type { Decision } from '../../../shared/model.ts';
import { membersOf } from '../exact-members.ts';

/** What becomes of the members of `params` that the protocol does not name. */
export interface Beside {
  /** Exact text of an object: what goes upstream. */
  readonly text: string;
  /** Names of what does not. */
  readonly leftOut: readonly string[];
}

/**
 * They go with a call that a rule or the default effect allows. The yes of a person is for what the card showed, which is
 * the arguments: with a call that was approved, now or earlier, or that runs because its client is trusted for a while,
 * nothing else goes (P5; docs/decisions/009). Nor does it where a rule takes something out of the arguments: it would not be
 * looked for there.
 */
export function besideOf(moreText: string, { effect, standing, trust, modifiers }: Decision): Beside {
  const isRedacted = modifiers?.some(({ redactArgs }) => redactArgs !== undefined) ?? false;
  if (effect === 'allow' && standing === null && trust === undefined && !isRedacted) {
    return { text: moreText, leftOut: [] };
  }
  return { text: '{}', leftOut: membersOf(moreText).map(({ name }) => name) };
}
