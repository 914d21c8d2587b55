import type { CallKind, Decision, Effect, Policy, Risk, Rule } from '../../../shared/model.ts';
import { type Budget, type ConditionTest, compileCondition, REGEX_STEPS, type Truth } from './conditions.ts';
import { compileGlob, type GlobTest } from './glob.ts';

/**
 * What a policy may know of a call. `tool` is the own name of the tool or prompt, the URI of the resource, or the method
 * by which the upstream asks (`sampling/createMessage`, `elicitation/create`). `arguments` is the parsed slice, only for
 * conditions.
 */
export interface CallFacts {
  readonly kind: CallKind;
  readonly upstream: string;
  readonly upstreamTags: readonly string[];
  readonly tool: string;
  readonly risk: Risk;
  readonly client: string;
  readonly clientTags: readonly string[];
  readonly arguments: unknown;
}

/**
 * The risk of what is no tool, so that rules on `risk` keep their meaning: prompts and resources of a reviewed upstream
 * are read; sampling spends the person's model on a text of the server's choice; an elicitation reaches no further than
 * the person, who answers it. A prompt reviewed with a higher risk has that one.
 */
export const RISK_OF = {
  prompt: 'read',
  resource: 'read',
  sampling: 'write',
  elicitation: 'read',
} as const satisfies Readonly<Record<Exclude<CallKind, 'tool'>, Risk>>;

export type Decide = (policy: Policy | null, call: CallFacts) => Decision;

/**
 * The most restrictive rule that matches decides: deny, then require_approval, then allow. The order of rules never
 * matters; of equally restrictive rules the first by name is named. No match: the default effect. No policy: deny.
 * A rule of which it cannot be told whether it matches counts when it restricts, and does not count when it allows.
 *
 * Pure and total: whatever the policy and the arguments are, it answers; a fault in them is a deny.
 */
export const decide: Decide = (policy, call) => {
  if (policy === null) return decision('deny', null, 'This workspace has no policy, so every call is denied.');
  try {
    return judge(compiled(policy), call);
  } catch {
    // Fail closed: a policy or arguments of a shape their types rule out must not decide by crashing.
    return decision('deny', null, 'The policy could not be evaluated for this call, so the call is denied.');
  }
};

/**
 * True when no arguments whatsoever could get this tool past the policy: only then may a list leave it out, because a
 * tool that is sometimes allowed must be seen.
 */
export function alwaysDenied(policy: Policy | null, call: Omit<CallFacts, 'arguments'>): boolean {
  if (policy === null) return true;
  try {
    const rules = compiled(policy).rules.map((rule) => ({ effect: rule.rule.effect, truth: rule.fits(call) }));
    if (rules.some(({ effect, truth }) => effect === 'deny' && truth === true)) return true;
    return policy.defaultEffect === 'deny' && !rules.some(({ effect, truth }) => effect !== 'deny' && truth !== false);
  } catch {
    return true;
  }
}

interface CompiledRule {
  readonly rule: Rule;
  /** Everything but the arguments: `unknown` when they decide. */
  fits(call: Omit<CallFacts, 'arguments'>): Truth;
  readonly onArguments: ConditionTest | null;
}

interface CompiledPolicy {
  readonly defaultEffect: Effect;
  /** Most restrictive first, then by name: the first match is the answer, and what is spent on it is the same in any order. */
  readonly rules: readonly CompiledRule[];
}

const RESTRICTION: Readonly<Record<Effect, number>> = { deny: 0, require_approval: 1, allow: 2 };

/** Only a cache: a policy is a value that nobody changes after it was parsed, so its compiled form belongs to it. */
const compiledPolicies = new WeakMap<Policy, CompiledPolicy>();

function compiled(policy: Policy): CompiledPolicy {
  const known = compiledPolicies.get(policy);
  if (known) return known;
  for (const effect of [policy.defaultEffect, ...policy.rules.map((rule) => rule.effect)]) {
    if (!Object.hasOwn(RESTRICTION, effect)) throw new Error('an effect that is none of the three');
  }
  const fresh: CompiledPolicy = {
    defaultEffect: policy.defaultEffect,
    rules: policy.rules.map(compileRule).toSorted((a, b) => byRestriction(a.rule, b.rule)),
  };
  compiledPolicies.set(policy, fresh);
  return fresh;
}

function byRestriction(a: Rule, b: Rule): number {
  const difference = RESTRICTION[a.effect] - RESTRICTION[b.effect];
  if (difference !== 0) return difference;
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}

function compileRule(rule: Rule): CompiledRule {
  const { match } = rule;
  const upstream = globs(match.upstream);
  const tool = globs(match.tool);
  const client = globs(match.client);
  const onArguments = match.arguments === undefined ? null : compileCondition(match.arguments);
  return {
    rule,
    onArguments,
    fits(call) {
      const fits =
        upstream(call.upstream) &&
        tool(call.tool) &&
        client(call.client) &&
        (match.kind === undefined || match.kind.includes(call.kind)) &&
        (match.risk === undefined || match.risk.includes(call.risk)) &&
        (match.tag === undefined || match.tag.some((tag) => call.upstreamTags.includes(tag)));
      if (!fits) return false;
      return onArguments === null ? true : 'unknown';
    },
  };
}

function globs(patterns: readonly string[] | undefined): GlobTest {
  if (patterns === undefined) return () => true;
  const tests = patterns.map(compileGlob);
  return (name) => tests.some((test) => test(name));
}

function judge(policy: CompiledPolicy, call: CallFacts): Decision {
  const budget: Budget = { regexSteps: REGEX_STEPS };
  for (const { rule, fits, onArguments } of policy.rules) {
    if (fits(call) === false) continue;
    const truth = onArguments === null ? true : onArguments(call.arguments, budget);
    if (truth === false || (truth === 'unknown' && rule.effect === 'allow')) continue;
    return decision(rule.effect, rule.name, because(rule, truth));
  }
  return decision(policy.defaultEffect, null, BY_DEFAULT[policy.defaultEffect]);
}

const BY_DEFAULT: Readonly<Record<Effect, string>> = {
  deny: 'No rule matches this call, and the policy denies what no rule matches.',
  require_approval: 'No rule matches this call, and the policy asks a person about what no rule matches.',
  allow: 'No rule matches this call, and the policy allows what no rule matches.',
};

const DOES: Readonly<Record<Effect, string>> = {
  deny: 'denies this call',
  require_approval: 'asks a person before this call runs',
  allow: 'allows this call',
};

function because(rule: Rule, truth: Truth): string {
  const does = `The rule "${rule.name}" ${DOES[rule.effect]}`;
  const certain =
    truth === 'unknown' ? `${does}, because it cannot be told that it does not apply to these arguments.` : `${does}.`;
  return rule.reason === undefined || rule.reason.trim() === '' ? certain : `${certain} ${rule.reason.trim()}`;
}

function decision(effect: Effect, rule: string | null, reason: string): Decision {
  return { effect, rule, reason, standing: null };
}
