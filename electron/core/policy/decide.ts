import type {
  CallKind,
  Decision,
  Effect,
  Modifiers,
  Policy,
  Risk,
  Rule,
  RuleModifiers,
} from '../../../shared/model.ts';
import { type Budget, REGEX_STEPS, type Truth } from './conditions.ts';
import type { CallFacts } from './facts.ts';
import { compileMatch, type MemberTest } from './match.ts';

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
 * A rule of which it cannot be told whether it matches counts when it restricts, and does not count when it allows; its
 * modifiers apply. Every modifier of every rule that matches applies, whatever the effect.
 *
 * Pure and total: whatever the policy and the arguments are, it answers; a fault in them is a deny.
 */
export const decide: Decide = (policy, call) => {
  if (policy === null) return decision('deny', null, 'This workspace has no policy, so every call is denied.');
  try {
    return judge(compilePolicy(policy), call);
  } catch {
    // Fail closed: a policy or arguments of a shape their types rule out must not decide by crashing.
    return decision('deny', null, 'The policy could not be evaluated for this call, so the call is denied.');
  }
};

/** The stricter of two decisions about one call, with the modifiers of both. */
export function strictest(a: Decision, b: Decision): Decision {
  const chosen = RESTRICTION[b.effect] < RESTRICTION[a.effect] ? b : a;
  const modifiers = new Map([...(a.modifiers ?? []), ...(b.modifiers ?? [])].map((one) => [one.rule, one]));
  return modifiers.size === 0 ? chosen : { ...chosen, modifiers: byRule([...modifiers.values()]) };
}

/**
 * True when nothing that varies from call to call (arguments, time, key, session) could get this tool past the policy:
 * only then may a list leave it out, because a tool that is sometimes allowed must be seen.
 */
export function alwaysDenied(policy: Policy | null, call: CallFacts): boolean {
  return mildestEffect(policy, { ...call, untold: VARYING }) === 'deny';
}

const VARYING = ['arguments', 'time', 'key', 'session', 'connection'] as const;

/**
 * The least restrictive effect that the call could have if all that cannot be told of it were in its favour. It is the
 * effect of `decide` where everything that matters can be told.
 */
export function mildestEffect(policy: Policy | null, call: CallFacts): Effect {
  if (policy === null) return 'deny';
  try {
    const budget = newBudget();
    const { rules, defaultEffect } = compilePolicy(policy);
    const seen = rules.map(({ rule, truth }) => ({ effect: rule.effect, truth: truth(call, budget) }));
    const has = (effect: Effect, ...truths: readonly Truth[]) =>
      seen.some((one) => one.effect === effect && truths.includes(one.truth));
    if (has('deny', true)) return 'deny';
    if (has('require_approval', true)) return 'require_approval';
    if (has('allow', true, 'unknown')) return 'allow';
    return defaultEffect === 'deny' && has('require_approval', 'unknown') ? 'require_approval' : defaultEffect;
  } catch {
    return 'deny';
  }
}

export interface CompiledRule {
  readonly rule: Rule;
  readonly members: readonly MemberTest[];
  /** What it does besides its effect; null: nothing. */
  readonly modifiers: RuleModifiers | null;
  truth(call: CallFacts, budget: Budget): Truth;
}

interface CompiledPolicy {
  readonly defaultEffect: Effect;
  /** Most restrictive first, then by name: the answer, and what is spent on it, is the same in any written order. */
  readonly rules: readonly CompiledRule[];
}

/** Only a cache: a policy is a value that nobody changes after it was parsed, so its compiled form belongs to it. */
const compiledPolicies = new WeakMap<Policy, CompiledPolicy>();

/** Throws on a policy of a shape its type rules out. */
export function compilePolicy(policy: Policy): CompiledPolicy {
  const known = compiledPolicies.get(policy);
  if (known) return known;
  for (const effect of [policy.defaultEffect, ...policy.rules.flatMap(({ effect }) => effect ?? [])]) {
    if (!Object.hasOwn(RESTRICTION, effect)) throw new Error('an effect that is none of the three');
  }
  const fresh: CompiledPolicy = {
    defaultEffect: policy.defaultEffect,
    rules: policy.rules.map(compileRule).toSorted((a, b) => byRestriction(a.rule, b.rule)),
  };
  compiledPolicies.set(policy, fresh);
  return fresh;
}

export function newBudget(): Budget {
  return { regexSteps: REGEX_STEPS };
}

const RESTRICTION: Readonly<Record<Effect, number>> = { deny: 0, require_approval: 1, allow: 2 };

function byRestriction(a: Rule, b: Rule): number {
  const difference = restrictionOf(a) - restrictionOf(b);
  if (difference !== 0) return difference;
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}

function restrictionOf({ effect }: Rule): number {
  return effect === undefined ? 3 : RESTRICTION[effect];
}

function compileRule(rule: Rule): CompiledRule {
  const members = compileMatch(rule.match);
  return {
    rule,
    members,
    modifiers: modifiersOf(rule),
    truth(call, budget) {
      let truth: Truth = true;
      for (const member of members) {
        const here = member.test(call, budget);
        if (here === false) return false;
        if (here === 'unknown') truth = 'unknown';
      }
      return truth;
    },
  };
}

export const MODIFIERS = [
  'rateLimit',
  'redactArgs',
  'redactResult',
  'holdResult',
] as const satisfies readonly (keyof Modifiers)[];

function modifiersOf(rule: Rule): RuleModifiers | null {
  const given = MODIFIERS.filter((name) => rule[name] !== undefined);
  if (given.length === 0) return null;
  const { name, reason } = rule;
  const own = Object.fromEntries(given.map((modifier) => [modifier, rule[modifier]]));
  return { rule: name, ...(reason === undefined ? {} : { reason }), ...own };
}

function judge({ rules, defaultEffect }: CompiledPolicy, call: CallFacts): Decision {
  const budget = newBudget();
  let decided: { readonly rule: Rule; readonly effect: Effect; readonly truth: Truth } | null = null;
  let isCertain = false;
  const modifiers: RuleModifiers[] = [];
  for (const { rule, modifiers: own, truth } of rules) {
    const { effect } = rule;
    const matters = effect !== undefined && (decided === null || !isCertain) && decided?.effect !== 'deny';
    if (!matters && own === null) continue;
    const matched = truth(call, budget);
    if (matched === false) continue;
    if (own !== null) modifiers.push(own);
    if (!matters || (matched === 'unknown' && effect === 'allow')) continue;
    decided ??= { rule, effect, truth: matched };
    if (matched === true) isCertain = true;
  }
  const ordered = byRule(modifiers);
  if (decided === null) return decision(defaultEffect, null, BY_DEFAULT[defaultEffect], ordered);
  if (decided.effect === 'require_approval' && !isCertain && defaultEffect === 'deny') {
    // A rule that perhaps asks a person must not open what is denied where it does not apply.
    return decision('deny', null, perhaps(decided.rule), ordered);
  }
  return decision(decided.effect, decided.rule.name, because(decided.rule, decided.effect, decided.truth), ordered);
}

function byRule(modifiers: readonly RuleModifiers[]): readonly RuleModifiers[] {
  return modifiers.toSorted((a, b) => (a.rule < b.rule ? -1 : 1));
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

function perhaps({ name }: Rule): string {
  return `It cannot be told whether the rule "${name}" applies to this call, and the policy denies what no rule matches.`;
}

function because(rule: Rule, effect: Effect, truth: Truth): string {
  const does = `The rule "${rule.name}" ${DOES[effect]}`;
  const certain =
    truth === 'unknown' ? `${does}, because it cannot be told that it does not apply to this call.` : `${does}.`;
  return rule.reason === undefined || rule.reason.trim() === '' ? certain : `${certain} ${rule.reason.trim()}`;
}

function decision(
  effect: Effect,
  rule: string | null,
  reason: string,
  modifiers: readonly RuleModifiers[] = [],
): Decision {
  return { effect, rule, reason, standing: null, ...(modifiers.length === 0 ? {} : { modifiers }) };
}
