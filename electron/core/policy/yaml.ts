import { stringify } from 'yaml';
import type { Condition, Policy, Rule, RuleMatch } from '../../../shared/model.ts';
import type { PolicyResult } from './policy.ts';
import { parsePolicy } from './schema.ts';
import { type Located, type Place, type Pointed, readYamlDocument } from './yaml-document.ts';

/** Parses a policy; what is wrong with it comes with the line and column (both from 1) where it stands. Saves nothing. */
export function parseYaml(yaml: string): PolicyResult {
  const read = readPolicy(yaml);
  if (read.kind === 'read') return { kind: 'done', policy: read.policy };
  // A misspelt member is told before the one that is missing because of it.
  const { onKey: _onKey, ...first } = read.faults.find(({ onKey }) => onKey) ?? read.faults[0];
  return { kind: 'refused', ...first };
}

export type ReadPolicy =
  | { readonly kind: 'read'; readonly policy: Policy; place(of: Omit<Pointed, 'message'>): Place }
  /** Every fault, in the order of the text. */
  | { readonly kind: 'faulty'; readonly faults: readonly [PolicyFaultAt, ...PolicyFaultAt[]] };

export type PolicyFaultAt = Located & { readonly onKey: boolean };

/** The same with everything that is wrong, and where anything stands. */
export function readPolicy(yaml: string): ReadPolicy {
  const document = readYamlDocument(yaml, 'policy', EMPTY);
  if (document.kind === 'faulty') {
    const [first, ...rest] = document.faults.map((fault) => ({ ...fault, onKey: false }));
    return { kind: 'faulty', faults: [first!, ...rest] };
  }
  const parsed = parsePolicy(document.value);
  if (parsed.kind === 'parsed') return { kind: 'read', policy: parsed.policy, place: document.place };
  const [first, ...rest] = parsed.faults
    .map((fault) => ({ message: fault.message, onKey: fault.on === 'key', ...document.place(fault) }))
    .toSorted((a, b) => a.line - b.line || a.column - b.column);
  return { kind: 'faulty', faults: [first!, ...rest] };
}

/** The policy as YAML that `parseYaml` reads back to the same policy, members always in the same order. */
export function toYaml(policy: Policy): string {
  const plain = { defaultEffect: policy.defaultEffect, rules: policy.rules.map(plainRule) };
  return stringify(plain, { lineWidth: 0, aliasDuplicateObjects: false, version: '1.2' });
}

const EMPTY = 'The policy is empty; it needs "defaultEffect" and "rules".';

/** A rule as it is written, members always in the same order. */
export function plainRule(rule: Rule) {
  const { match, rateLimit } = rule;
  return defined({
    name: rule.name,
    effect: rule.effect,
    match: defined({
      ...ordered(match, MATCH_MEMBERS),
      time: match.time?.map((window) => ordered(window, ['days', 'from', 'to', 'zone'])),
      arguments: match.arguments === undefined ? undefined : plainCondition(match.arguments),
    }),
    rateLimit: rateLimit === undefined ? undefined : ordered(rateLimit, ['calls', 'per', 'by']),
    redactArgs: rule.redactArgs,
    redactResult: rule.redactResult,
    holdResult: rule.holdResult?.map((test) => ('op' in test ? plainCondition(test) : test)),
    reason: rule.reason,
  });
}

const MATCH_MEMBERS = [
  'workspace',
  'upstream',
  'tag',
  'connection',
  'kind',
  'tool',
  'risk',
  'fingerprint',
  'state',
  'client',
  'clientTag',
  'key',
  'session',
] as const satisfies readonly (keyof RuleMatch)[];

function ordered<T extends object>(
  value: T,
  members: readonly (keyof T & string)[],
): Readonly<Record<string, unknown>> {
  return defined(Object.fromEntries(members.map((member) => [member, value[member]])));
}

function plainCondition(condition: Condition): unknown {
  if ('all' in condition) return { all: condition.all.map(plainCondition) };
  if ('any' in condition) return { any: condition.any.map(plainCondition) };
  if ('not' in condition) return { not: plainCondition(condition.not) };
  return defined({ field: condition.field, op: condition.op, value: condition.value });
}

function defined(members: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
