import type { Condition, HoldTest, Redaction, Rule, RuleMatch, TimeWindow } from '../../shared/model.ts';

/** One thing that a rule says: what about, and in words. The words hold text of the policy's author. */
export interface Said {
  readonly about: string;
  readonly words: string;
}

/** Every member of a match, one line each; none where it is every call. */
export function matchWords({ time, arguments: condition, ...lists }: RuleMatch): readonly Said[] {
  return [
    ...Object.entries(lists).map(([about, values]) => ({ about: NAMES[about] ?? about, words: values.join(' or ') })),
    ...(time === undefined ? [] : [{ about: 'time', words: time.map(timeWords).join(' or ') }]),
    ...(condition === undefined ? [] : [{ about: 'arguments', words: conditionWords(condition) }]),
  ];
}

/** Every modifier of a rule, one line each. */
export function modifierWords({ rateLimit, redactArgs, redactResult, holdResult }: Rule): readonly Said[] {
  return [
    ...(rateLimit === undefined
      ? []
      : [{ about: 'at most', words: `${rateLimit.calls} within ${rateLimit.per}, ${COUNTED[rateLimit.by]}` }]),
    ...(redactArgs === undefined
      ? []
      : [{ about: 'takes out of arguments', words: redactArgs.map(redactionWords).join(', ') }]),
    ...(redactResult === undefined
      ? []
      : [{ about: 'takes out of results', words: redactResult.map(redactionWords).join(', ') }]),
    ...(holdResult === undefined ? [] : [{ about: 'shows you first', words: holdResult.map(holdWords).join(', ') }]),
  ];
}

const NAMES: Readonly<Record<string, string>> = { tag: 'upstream tag', clientTag: 'client tag' };

const COUNTED = {
  client: 'for each client',
  upstream: 'for each upstream',
  tool: 'for each tool',
  all: 'in all',
} as const;

function timeWords({ days, from = '00:00', to = '24:00', zone = 'local' }: TimeWindow): string {
  return `${days === undefined ? 'every day' : days.join(', ')} ${from} to ${to}${zone === 'local' ? '' : ` in ${zone}`}`;
}

function conditionWords(condition: Condition): string {
  if ('all' in condition) return `(${condition.all.map(conditionWords).join(' and ')})`;
  if ('any' in condition) return `(${condition.any.map(conditionWords).join(' or ')})`;
  if ('not' in condition) return `not ${conditionWords(condition.not)}`;
  const { field, op, value } = condition;
  if (op === 'exists') return `${field || 'all'} ${value === false ? 'is not there' : 'is there'}`;
  return `${field || 'all'} ${op} ${JSON.stringify(value)}`;
}

function redactionWords(redaction: Redaction): string {
  if ('field' in redaction) return `field ${redaction.field || '(all)'}`;
  return 'name' in redaction ? redaction.name.replace('_', ' ') : `pattern ${redaction.pattern}`;
}

function holdWords(test: HoldTest): string {
  if ('always' in test) return 'every result';
  return 'op' in test ? `results where ${conditionWords(test)}` : `results with ${redactionWords(test)}`;
}
