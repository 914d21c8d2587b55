import type { Decision, Explanation, MemberExplanation, Policy, RuleExplanation } from '../../../shared/model.ts';
import { type CompiledRule, compilePolicy, decide, MODIFIERS, mildestEffect, newBudget } from './decide.ts';
import type { CallFacts } from './facts.ts';

/**
 * Why the policy decides this call as it does: every rule in the order of restriction, and of each rule every member with
 * what it asked for and what the call had. The decision in it is that of `decide` itself. Pure and total, as `decide` is.
 */
export function explain(policy: Policy | null, call: CallFacts): Explanation {
  const decision = decide(policy, call);
  const defaultEffect = policy?.defaultEffect ?? null;
  const certain = mildestEffect(policy, call) === decision.effect;
  return { decision, defaultEffect, certain, rules: policy === null ? [] : explainRules(policy, call, decision) };
}

function explainRules(policy: Policy, call: CallFacts, decision: Decision): readonly RuleExplanation[] {
  try {
    return compilePolicy(policy).rules.map((rule) => explainRule(rule, call, decision));
  } catch {
    // The decision says that the policy could not be evaluated; there is nothing to add.
    return [];
  }
}

function explainRule({ rule, members }: CompiledRule, call: CallFacts, decision: Decision): RuleExplanation {
  const told = members.map((member) => ({
    matched: member.test(call, newBudget()),
    lines: member.explain(call, newBudget()),
  }));
  const has = (truth: MemberExplanation['matched']) => told.some(({ matched }) => matched === truth);
  return {
    rule: rule.name,
    effect: rule.effect ?? null,
    modifiers: MODIFIERS.filter((name) => rule[name] !== undefined),
    matched: has(false) ? false : has('unknown') ? 'unknown' : true,
    decided: decision.rule === rule.name,
    applied: decision.modifiers?.some((one) => one.rule === rule.name) ?? false,
    members: told.flatMap(({ lines }) => lines),
  };
}
