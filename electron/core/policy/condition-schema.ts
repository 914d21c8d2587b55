import type { Comparison, Condition } from '../../../shared/model.ts';
import { compilePattern, MAX_CONDITION_DEPTH, parsePointer } from './conditions.ts';
import { nearest } from './nearest.ts';

/** A sentence, and the path to what it speaks of from the root of the condition. */
export interface ConditionFault {
  readonly message: string;
  readonly path: readonly (string | number)[];
  readonly on: 'key' | 'value';
}

export type ParsedCondition =
  | { readonly kind: 'parsed'; readonly condition: Condition }
  | { readonly kind: 'faulty'; readonly faults: readonly ConditionFault[] };

/**
 * Reads one condition with everything it holds. By hand and not as a union of schemas, because a union can only say
 * that none of its forms fits, and a person needs to hear what is wrong with the form that was meant.
 */
export function parseCondition(value: unknown): ParsedCondition {
  const faults: ConditionFault[] = [];
  const condition = read(value, [], 1, { faults, left: MAX_COMPARISONS });
  return condition === null || faults.length > 0 ? { kind: 'faulty', faults } : { kind: 'parsed', condition };
}

/** Comparisons in one condition, so that compiling a policy stays quick. */
const MAX_COMPARISONS = 100;

interface Reading {
  readonly faults: ConditionFault[];
  left: number;
}

type Path = readonly (string | number)[];

const FORMS = ['all', 'any', 'not', 'field'] as const;
const COMPARISON_MEMBERS = ['field', 'op', 'value'] as const;
const COMPARISONS = [
  'eq',
  'neq',
  'gt',
  'gte',
  'lt',
  'lte',
  'in',
  'notIn',
  'contains',
  'startsWith',
  'endsWith',
  'matches',
  'exists',
] as const satisfies readonly Comparison[];

function read(value: unknown, path: Path, depth: number, reading: Reading): Condition | null {
  const fault = (message: string, key?: string) => {
    reading.faults.push(
      key === undefined ? { message, path, on: 'value' } : { message, path: [...path, key], on: 'key' },
    );
    return null;
  };
  if (depth > MAX_CONDITION_DEPTH) return fault(`Conditions nest deeper than ${MAX_CONDITION_DEPTH}.`);
  if (!isRecord(value)) return fault('A condition is one of: all, any, not, or field with op and value.');
  const forms = FORMS.filter((form) => Object.hasOwn(value, form));
  const [form] = forms;
  if (form === undefined || forms.length > 1) {
    const stray = Object.keys(value).find((key) => !(FORMS as readonly string[]).includes(key));
    const meant = form === undefined && stray !== undefined ? nearest(stray, FORMS) : null;
    if (stray !== undefined && meant !== null)
      return fault(`"${stray}" is no condition; did you mean "${meant}"?`, stray);
    return fault('A condition has exactly one of: all, any, not, or field with op and value.');
  }
  const members: readonly string[] = form === 'field' ? COMPARISON_MEMBERS : [form];
  for (const key of Object.keys(value)) {
    if (members.includes(key)) continue;
    const meant = nearest(key, members);
    const hint = meant === null ? 'remove it.' : `did you mean "${meant}"?`;
    return fault(`"${key}" does not belong beside "${form}" in a condition; ${hint}`, key);
  }
  if (form === 'field') return readComparison(value, path, reading);
  if (form === 'not') {
    const part = read(value.not, [...path, 'not'], depth + 1, reading);
    return part === null ? null : { not: part };
  }
  const list = value[form];
  if (!Array.isArray(list) || list.length === 0) {
    return fault(`"${form}" must be a list of at least one condition.`, form);
  }
  const parts = list
    .map((part, index) => read(part, [...path, form, index], depth + 1, reading))
    .filter((part) => part !== null);
  return form === 'all' ? { all: parts } : { any: parts };
}

function readComparison(value: Readonly<Record<string, unknown>>, path: Path, reading: Reading): Condition | null {
  const fault = (message: string, member: string) => {
    reading.faults.push({ message, path: [...path, member], on: 'value' });
    return null;
  };
  reading.left -= 1;
  if (reading.left === -1) return fault(`One rule has more than ${MAX_COMPARISONS} comparisons; split it.`, 'field');
  const { field, op } = value;
  if (typeof field !== 'string' || parsePointer(field) === null) {
    const example =
      typeof field === 'string' && field !== '' ? `/${field.replace(/^\$?\.?/, '').replaceAll('.', '/')}` : '/path';
    return fault(`field must be a JSON pointer into the arguments, such as "${example}".`, 'field');
  }
  if (op === undefined) return fault('op is missing.', 'op');
  const known = COMPARISONS.find((name) => name === op);
  if (known === undefined) {
    const meant = typeof op === 'string' ? nearest(op, COMPARISONS) : null;
    const hint = meant === null ? `use one of ${COMPARISONS.join(', ')}.` : `did you mean "${meant}"?`;
    return fault(`op ${typeof op === 'string' ? `"${op}"` : 'of that kind'} is not known; ${hint}`, 'op');
  }
  const wrong = wrongValue(known, value.value);
  if (wrong !== null) return fault(wrong, 'value');
  return value.value === undefined ? { field, op: known } : { field, op: known, value: value.value };
}

/** What is wrong with the value of a comparison; null when nothing is. */
function wrongValue(op: Comparison, value: unknown): string | null {
  if (op === 'exists') {
    return value === undefined || typeof value === 'boolean' ? null : 'value of "exists" must be true or false.';
  }
  if (value === undefined) return 'value is missing.';
  const json = wrongJson(value, 0);
  if (json !== null) return json;
  switch (op) {
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return typeof value === 'number' || typeof value === 'string'
        ? null
        : `value of "${op}" must be a number or text.`;
    case 'in':
    case 'notIn':
      return Array.isArray(value) ? null : `value of "${op}" must be a list.`;
    case 'startsWith':
    case 'endsWith':
      return typeof value === 'string' ? null : `value of "${op}" must be text.`;
    case 'matches': {
      if (typeof value !== 'string') return 'value of "matches" must be text: a regular expression.';
      const compiled = compilePattern(value);
      return typeof compiled === 'string' ? `${compiled.charAt(0).toUpperCase()}${compiled.slice(1)}.` : null;
    }
    default:
      return null;
  }
}

function wrongJson(value: unknown, depth: number): string | null {
  if (depth > MAX_CONDITION_DEPTH) return `value nests deeper than ${MAX_CONDITION_DEPTH}.`;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return 'value must be a number that JSON has.';
    return Number.isInteger(value) && !Number.isSafeInteger(value)
      ? 'value is a number too large to be compared exactly (beyond 2^53).'
      : null;
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return null;
  if (Array.isArray(value)) return firstOf(value, depth);
  return isRecord(value) ? firstOf(Object.values(value), depth) : 'value must be what JSON can hold.';
}

function firstOf(values: readonly unknown[], depth: number): string | null {
  for (const value of values) {
    const wrong = wrongJson(value, depth + 1);
    if (wrong !== null) return wrong;
  }
  return null;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
