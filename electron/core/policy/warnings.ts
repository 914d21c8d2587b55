import type { Effect, Policy, Rule, RuleMatch } from '../../../shared/model.ts';
import { MODIFIERS } from './decide.ts';
import { compileGlob } from './glob.ts';
import { NONE } from './match.ts';
import type { Pointed } from './yaml-document.ts';

/** What there is for a rule to match. */
export interface KnownNames {
  readonly workspace: readonly string[];
  readonly upstream: readonly string[];
  readonly tag: readonly string[];
  /** Labels of accounts, whatever upstream they are at. */
  readonly connection: readonly string[];
  readonly client: readonly string[];
  readonly clientTag: readonly string[];
}

/**
 * What of a policy is probably not meant: rules that can never decide, modifiers of what never runs, names that nothing
 * has. Each is a sentence and the place that it speaks of.
 */
export function warningsOf(policy: Policy, known: KnownNames | null): readonly Pointed[] {
  const all = policy.rules.flatMap((rule, index) => [
    ...shadowed(rule, policy.rules, index),
    ...idle(rule, index),
    ...(known === null ? [] : unknownNames(rule.match, known, index)),
  ]);
  return [...all, ...open(policy)];
}

const STRICTNESS: Readonly<Record<Effect, number>> = { deny: 2, require_approval: 1, allow: 0 };

/** A stricter rule that matches every call which this one matches leaves it nothing to say. */
function shadowed(rule: Rule, rules: readonly Rule[], index: number): readonly Pointed[] {
  const { effect } = rule;
  const by = rules.find((other) => {
    if (other === rule || other.effect === undefined || !covers(other.match, rule.match)) return false;
    if (other.effect === 'deny') return effect !== 'deny';
    return effect !== undefined && STRICTNESS[other.effect] > STRICTNESS[effect];
  });
  if (by === undefined) return [];
  const isIdle = by.effect === 'deny' || MODIFIERS.every((name) => rule[name] === undefined);
  const what = isIdle ? 'can never have an effect' : 'can never decide, only its modifiers apply';
  const message = `The rule "${rule.name}" ${what}: "${by.name}" (${by.effect}) matches every call that it matches.`;
  return [{ message, path: ['rules', index, 'name'], on: 'value' }];
}

/** Whether every call that `narrow` matches is surely matched by `wide`. */
function covers(wide: RuleMatch, narrow: RuleMatch): boolean {
  return (Object.keys(wide) as (keyof RuleMatch)[]).every((member) => {
    const [all, some] = [wide[member], narrow[member]];
    if (all === undefined) return true;
    if (some === undefined) return false;
    if (!Array.isArray(all) || !Array.isArray(some)) return JSON.stringify(all) === JSON.stringify(some);
    return some.every((one) => all.some((other) => coversEntry(member, other, one)));
  });
}

function coversEntry(member: keyof RuleMatch, wide: unknown, narrow: unknown): boolean {
  if (typeof wide !== 'string' || typeof narrow !== 'string') return JSON.stringify(wide) === JSON.stringify(narrow);
  if (wide === narrow) return true;
  if (member === 'fingerprint') return narrow.startsWith(wide);
  // A name without wildcards is matched by the glob or it is not; of two globs only the widest is told to cover the other.
  if (!GLOBS.has(member) || wide === NONE || narrow === NONE) return false;
  return wide === '*' || (!/[*?]/.test(narrow) && compileGlob(wide)(narrow));
}

const GLOBS: ReadonlySet<keyof RuleMatch> = new Set([
  'workspace',
  'upstream',
  'tool',
  'client',
  'key',
  'session',
  'connection',
]);

function idle(rule: Rule, index: number): readonly Pointed[] {
  const first = MODIFIERS.find((name) => rule[name] !== undefined);
  const denies: readonly Pointed[] =
    rule.effect === 'deny' && first !== undefined
      ? [
          {
            message: `"${first}" does nothing in a rule that denies: what it matches never runs.`,
            path: ['rules', index, first],
            on: 'key',
          },
        ]
      : [];
  const states: readonly Pointed[] =
    rule.match.state !== undefined && !rule.match.state.includes('reviewed')
      ? [
          {
            message: `The rule "${rule.name}" never matches a call: whatever is not reviewed is refused before any rule is asked.`,
            path: ['rules', index, 'match', 'state'],
            on: 'value',
          },
        ]
      : [];
  const isQuestion = rule.match.kind?.every((kind) => kind === 'sampling' || kind === 'elicitation') ?? false;
  const answers: readonly Pointed[] = isQuestion
    ? (['redactResult', 'holdResult'] as const)
        .filter((name) => rule[name] !== undefined)
        .map((name) => ({
          message: `"${name}" does nothing here: what a client answers a server is not looked at.`,
          path: ['rules', index, name],
          on: 'key',
        }))
    : [];
  return [...denies, ...states, ...answers];
}

function unknownNames(match: RuleMatch, known: KnownNames, index: number): readonly Pointed[] {
  return NOUNS.flatMap(([member, noun]) =>
    (match[member] ?? []).flatMap((name, entry) => {
      const isMet =
        member === 'tag' || member === 'clientTag'
          ? known[member].includes(name)
          : (member === 'connection' && name === NONE) || known[member].some(compileGlob(name));
      if (isMet) return [];
      const message = `There is no ${noun} "${name}" now.`;
      return [{ message, path: ['rules', index, 'match', member, entry], on: 'value' as const }];
    }),
  );
}

const NOUNS = [
  ['workspace', 'workspace'],
  ['upstream', 'upstream'],
  ['tag', 'upstream with the tag'],
  ['connection', 'account'],
  ['client', 'client'],
  ['clientTag', 'client with the tag'],
] as const satisfies readonly (readonly [keyof KnownNames, string])[];

/** A policy without a single restriction is as good as none. */
function open({ defaultEffect, rules }: Policy): readonly Pointed[] {
  if (defaultEffect !== 'allow' || rules.some(({ effect }) => effect !== 'allow' && effect !== undefined)) return [];
  const message =
    'This policy lets every call run, and every server use the model of the client: nothing is denied, nobody is asked.';
  return [{ message, path: ['defaultEffect'], on: 'value' }];
}
