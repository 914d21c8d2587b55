import type { Condition, Rule } from '../../../shared/model.ts';
import { parsePointer, UNTOLD } from './conditions.ts';
import type { CallFacts } from './facts.ts';

/** Whether the rule asks for something that can no longer be told of this call: a member, or a value in its arguments. */
export function reachesUntold({ match }: Rule, call: CallFacts): boolean {
  if (call.untold?.some((member) => match[member] !== undefined)) return true;
  return match.arguments !== undefined && conditionReaches(match.arguments, call.arguments);
}

function conditionReaches(condition: Condition, value: unknown): boolean {
  if ('all' in condition) return condition.all.some((part) => conditionReaches(part, value));
  if ('any' in condition) return condition.any.some((part) => conditionReaches(part, value));
  if ('not' in condition) return conditionReaches(condition.not, value);
  let here = value;
  for (const step of parsePointer(condition.field) ?? []) {
    if (here === UNTOLD) return true;
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return false;
    here = (here as Readonly<Record<string, unknown>>)[step];
  }
  return holdsUntold(here);
}

function holdsUntold(value: unknown): boolean {
  if (value === UNTOLD) return true;
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsUntold);
}
