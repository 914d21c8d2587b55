import type { Policy, PolicyDifference, Rule, RuleDifference } from '../../../shared/model.ts';
import { plainRule } from './yaml.ts';

/**
 * What differs between two policies, rule by rule and member by member. The order of rules, and of what stands in a list,
 * has no meaning in a policy and makes no difference here.
 *
 * @param before null where there was none.
 */
export function comparePolicies(before: Policy | null, after: Policy): PolicyDifference {
  const old = byName(before?.rules ?? []);
  const fresh = byName(after.rules);
  const names = [...new Set([...old.keys(), ...fresh.keys()])].toSorted((a, b) => (a < b ? -1 : 1));
  const defaultEffect =
    before?.defaultEffect === after.defaultEffect
      ? null
      : { before: before?.defaultEffect ?? null, after: after.defaultEffect };
  return { defaultEffect, rules: names.flatMap((name) => compareRule(name, old.get(name), fresh.get(name))) };
}

function byName(rules: readonly Rule[]): ReadonlyMap<string, Rule> {
  return new Map(rules.map((rule) => [rule.name, rule]));
}

function compareRule(rule: string, before: Rule | undefined, after: Rule | undefined): readonly RuleDifference[] {
  const old = membersOf(before);
  const fresh = membersOf(after);
  const members = [...new Set([...old.keys(), ...fresh.keys()])]
    .map((member) => ({ member, before: old.get(member) ?? null, after: fresh.get(member) ?? null }))
    .filter((one) => one.before?.same !== one.after?.same)
    .map((one) => ({ ...one, before: one.before?.said ?? null, after: one.after?.said ?? null }));
  if (members.length === 0 && before !== undefined && after !== undefined) return [];
  return [{ rule, change: before === undefined ? 'added' : after === undefined ? 'removed' : 'changed', members }];
}

interface Member {
  readonly said: string;
  /** The same for what means the same. */
  readonly same: string;
}

function membersOf(rule: Rule | undefined): ReadonlyMap<string, Member> {
  if (rule === undefined) return new Map();
  const { name: _name, match, ...rest } = plainRule(rule) as { name: string; match: Readonly<Record<string, unknown>> };
  const all = [
    ...Object.entries(match).map(([member, value]) => [`match.${member}`, value] as const),
    ...Object.entries(rest),
  ];
  return new Map(
    all.map(([member, value]) => [member, { said: JSON.stringify(value), same: JSON.stringify(sorted(value)) }]),
  );
}

/**
 * Lists in a rule are sets (one entry is enough, all conditions hold), and so are the lists that `in` compares with. Only
 * `eq` and `neq` compare a list as it is ordered, and those are told apart by it.
 */
function sorted(value: unknown): unknown {
  if (Array.isArray(value))
    return value.map(sorted).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== 'object' || value === null) return value;
  const isOrdered = 'op' in value && (value.op === 'eq' || value.op === 'neq' || value.op === 'contains');
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, member]) => [name, isOrdered && name === 'value' ? member : sorted(member)] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}
