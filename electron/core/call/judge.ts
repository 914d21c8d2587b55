import type { Decision, RuleModifiers } from '../../../shared/model.ts';
import type { CallEnding, ToolCall } from '../call-tool.ts';
import type { ArgumentCheck } from '../catalog/validate-arguments.ts';
import type { Clock } from '../platform.ts';
import { type Decide, mildestEffect, strictest } from '../policy/decide.ts';
import type { Policies } from '../policy/policy.ts';
import { type RedactedArguments, redactArguments } from '../policy/redact-arguments.ts';
import type { Aim, CallTarget } from './aim.ts';
import { factsOf } from './facts.ts';

export interface JudgeParts {
  readonly policies: Pick<Policies, 'get'>;
  readonly decide: Decide;
  readonly clock: Clock;
}

/** What the rules make of a call that arrived. */
export interface Judged {
  /** What the policy alone says: no standing approval is looked at. */
  readonly decision: Decision;
  /** Which revision of the policy decided. */
  readonly version: string;
  /** What runs, if it runs: the text that came, without what the rules take out of it. */
  readonly arguments: RedactedArguments;
  /** Why it cannot run: it is denied, or what is left of its arguments fits nothing. Null: it may. */
  readonly stopped: CallEnding | null;
}

/**
 * Decides a call. Rules look at the arguments as they came; where rules take something out of them, what is left must fit
 * the tool, is decided as well, and the stricter of the two decisions holds.
 *
 * @param check whether a text fits what is called, and what it reads as.
 */
export function judge(
  parts: JudgeParts,
  call: ToolCall,
  aim: Aim,
  came: unknown,
  check: (argumentsText: string) => ArgumentCheck,
): Judged {
  const { policy, problem, version } = parts.policies.get(call.workspace.id);
  const decideOn = (value: unknown) => {
    const facts = factsOf(call, aim, parts.clock.now(), value);
    return { facts, decision: parts.decide(policy, facts) };
  };
  const first = decideOn(came);
  const redacted = redactArguments(first.decision.modifiers, call.argumentsText);
  const judged = (decision: Decision, stopped: CallEnding | null) => ({
    decision,
    version,
    arguments: redacted,
    stopped,
  });
  if (first.decision.effect === 'deny') {
    // Only the time of day changes by itself: without it the answer would be the same for ever.
    const mayBeLater = mildestEffect(policy, { ...first.facts, untold: ['time'] }) !== 'deny';
    return judged(first.decision, denied(first.decision, aim, problem, mayBeLater));
  }
  if (redacted.text === call.argumentsText) return judged(first.decision, null);

  const left = isRead(call.target) ? UNREADABLE : check(redacted.text);
  if (left.kind === 'invalid') return judged(first.decision, unfit(redacted, left.message));
  const decision = strictest(first.decision, decideOn(left.value).decision);
  return judged(decision, decision.effect === 'deny' ? denied(decision, aim, problem, false) : null);
}

/**
 * Decides again what was decided before, right before it runs. The modifiers are those of the policy as it is now.
 *
 * @param runs the text that is about to run: what was shown, or what the person put in its place.
 */
export function judgeAgain(
  parts: JudgeParts,
  call: ToolCall,
  aim: Aim,
  runs: string,
  values: readonly unknown[],
): { readonly stopped: CallEnding | null; readonly modifiers: readonly RuleModifiers[] | undefined } {
  const { policy, problem } = parts.policies.get(call.workspace.id);
  const decision = values
    .map((value) => parts.decide(policy, factsOf(call, aim, parts.clock.now(), value)))
    .reduce(strictest);
  const { modifiers } = decision;
  if (decision.effect === 'deny') return { stopped: denied(decision, aim, problem, false), modifiers };
  const { text, redactions } = redactArguments(modifiers, runs);
  if (text === runs) return { stopped: null, modifiers };
  // What was shown is what runs: nothing is taken out of it behind the back of whoever approved it.
  const [first] = redactions;
  const by = first === undefined ? 'A rule' : `The rule "${first.rule}"`;
  const message = `${by} takes something out of these arguments that was there when they were shown. Call again.`;
  return {
    stopped: { kind: 'refused', errorClass: 'policy_denied', message, rule: first?.rule ?? null, retryable: true },
    modifiers,
  };
}

/** What goes upstream of these is not the arguments but the address, or the value to complete. */
function isRead({ kind }: CallTarget): boolean {
  return kind === 'resource' || kind === 'completion';
}

const UNREADABLE = {
  kind: 'invalid',
  message: 'Nothing can be read or completed from a part of what was asked for.',
} as const;

function unfit({ redactions }: RedactedArguments, why: string): CallEnding {
  const rules = [...new Set(redactions.map(({ rule }) => `"${rule}"`))].join(', ');
  const message = `What is left after ${rules} took ${redactions.map(({ what }) => what).join(', ')} out of the arguments cannot be used. ${why}`;
  return { kind: 'refused', errorClass: 'invalid_arguments', message, rule: redactions[0]?.rule ?? null };
}

function denied(decision: Decision, { name, upstream }: Aim, problem: string | null, mayBeLater: boolean): CallEnding {
  const why = problem ?? decision.reason;
  const by = decision.rule === null ? '' : ` by rule "${decision.rule}"`;
  const later = mayBeLater ? ' The policy depends on the time here: it may decide differently later.' : '';
  return {
    kind: 'refused',
    errorClass: 'policy_denied',
    message: `${upstream.name} / ${name} is denied${by}. ${why}${later}`,
    rule: decision.rule,
    ...(mayBeLater ? { retryable: true } : {}),
  };
}
