import type { HoldTest, KnownPattern, Redaction } from '../../../shared/model.ts';
import { parseCondition } from './condition-schema.ts';
import { compilePattern, parsePointer } from './conditions.ts';
import { nearest } from './nearest.ts';

/** A sentence, and the path to what it speaks of from the root of the entry. */
export interface ModifierFault {
  readonly message: string;
  readonly path: readonly string[];
  readonly on: 'key' | 'value';
}

export type ParsedEntry<T> =
  | { readonly kind: 'parsed'; readonly entry: T }
  | { readonly kind: 'faulty'; readonly faults: readonly ModifierFault[] };

export const KNOWN_PATTERNS = ['secrets', 'emails', 'card_numbers'] as const satisfies readonly KnownPattern[];

/** One entry of `redactArgs` or `redactResult`. By hand for the same reason as conditions (condition-schema.ts). */
export function parseRedaction(value: unknown): ParsedEntry<Redaction> {
  const form = formOf(value, ['field', 'pattern', 'name']);
  if (form.kind === 'faulty') return form;
  return redactionOf(form.name, form.value);
}

/** One entry of `holdResult`. */
export function parseHoldTest(value: unknown): ParsedEntry<HoldTest> {
  if (isRecord(value) && Object.hasOwn(value, 'field') && Object.hasOwn(value, 'op')) return comparisonOf(value);
  const form = formOf(value, ['always', 'field', 'pattern', 'name']);
  if (form.kind === 'faulty') return form;
  if (form.name !== 'always') return redactionOf(form.name, form.value);
  return form.value === true ? parsed({ always: true }) : faulty('always can only be true.', 'always');
}

/** A redaction's pattern; a string says in a sentence what is wrong with it. */
export function compileSearch(pattern: string): ReturnType<typeof compilePattern> {
  const compiled = compilePattern(pattern);
  if (typeof compiled === 'string') return `${compiled.charAt(0).toUpperCase()}${compiled.slice(1)}.`;
  return compiled.regex.testExact('')
    ? 'The pattern is met by nothing at all, so it would be found everywhere; let it ask for at least one character.'
    : compiled;
}

function formOf<const F extends string>(
  value: unknown,
  forms: readonly F[],
): { readonly kind: 'form'; readonly name: F; readonly value: unknown } | Faulty {
  const known = `${forms.slice(0, -1).join(', ')} or ${forms.at(-1)}`;
  if (!isRecord(value)) return faulty(`An entry has one of ${known}.`);
  const given = Object.keys(value);
  for (const key of given) {
    if ((forms as readonly string[]).includes(key)) continue;
    const meant = nearest(key, forms);
    return faulty(
      `"${key}" does not belong here; ${meant === null ? `use ${known}.` : `did you mean "${meant}"?`}`,
      key,
      'key',
    );
  }
  const name = forms.find((form) => form === given[0]);
  if (name === undefined || given.length > 1) return faulty(`An entry has exactly one of ${known}.`);
  return { kind: 'form', name, value: value[name] };
}

function redactionOf(form: 'field' | 'pattern' | 'name', value: unknown): ParsedEntry<Redaction> {
  if (form === 'field') {
    return typeof value === 'string' && parsePointer(value) !== null
      ? parsed({ field: value })
      : faulty('field must be a JSON pointer, such as "/user/email"; the step * is every member and item.', 'field');
  }
  if (form === 'name') {
    const known = KNOWN_PATTERNS.find((name) => name === value);
    if (known !== undefined) return parsed({ name: known });
    const meant = typeof value === 'string' ? nearest(value, KNOWN_PATTERNS) : null;
    const hint = meant === null ? '.' : `; did you mean "${meant}"?`;
    return faulty(`name must be ${KNOWN_PATTERNS.join(', ')}${hint}`, 'name');
  }
  if (typeof value !== 'string') return faulty('pattern must be text: a regular expression.', 'pattern');
  const compiled = compileSearch(value);
  return typeof compiled === 'string' ? faulty(compiled, 'pattern') : parsed({ pattern: value });
}

function comparisonOf(value: unknown): ParsedEntry<HoldTest> {
  const read = parseCondition(value);
  if (read.kind === 'faulty') {
    return {
      kind: 'faulty',
      faults: read.faults.map(({ message, path, on }) => ({ message, path: path.map(String), on })),
    };
  }
  const { condition } = read;
  // Only a comparison has a field.
  return 'field' in condition ? parsed(condition) : faulty('An entry is one comparison.');
}

type Faulty = { readonly kind: 'faulty'; readonly faults: readonly ModifierFault[] };

function faulty(message: string, member?: string, on: 'key' | 'value' = 'value'): Faulty {
  return { kind: 'faulty', faults: [{ message, path: member === undefined ? [] : [member], on }] };
}

function parsed<T>(entry: T): { readonly kind: 'parsed'; readonly entry: T } {
  return { kind: 'parsed', entry };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
