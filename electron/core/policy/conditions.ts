import { RE2JS } from 're2js';
import type { Comparison, Condition, MemberExplanation } from '../../../shared/model.ts';

/**
 * Conditions on the arguments of a call.
 *
 * The answer has three values (Kleene's strong logic): `unknown` is what cannot be told for certain, and the caller
 * counts it against the call. So text where a rule expects a number ("500" for 500, which an upstream may well take as
 * 500), text too long to be searched in bounded time, or a number beyond what arithmetic here can tell apart never opens
 * a gate that a certain answer would have kept shut.
 */
export type Truth = boolean | 'unknown';

/** What one decision may still spend on searching; shared by all its conditions, so that a decision is bounded as a whole. */
export interface Budget {
  regexSteps: number;
}

export type ConditionTest = (argumentsValue: unknown, budget: Budget) => Truth;

/** Stands in arguments for a value that is no longer known (cut or redacted in a record): no comparison can tell of it. */
export const UNTOLD: unique symbol = Symbol('untold');

/** Deepest nesting of conditions, and of the values they compare with. */
export const MAX_CONDITION_DEPTH = 16;
/** Longest regular expression, in characters, and the largest program it may compile to, in instructions. */
export const MAX_PATTERN = 1000;
const MAX_PROGRAM = 2000;
/** Instructions times characters per decision. The slowest pattern found ran 30 million of these a second. */
export const REGEX_STEPS = 6_000_000;

/**
 * Compiles once what every call then uses. Never throws: a part that cannot be compiled (the schema refuses it when a
 * policy is saved) is `unknown` for every call.
 *
 * A field that is missing makes every comparison false, except `neq`, `notIn` and `exists: false`, which it makes true.
 * `null` is there for `exists`, `eq`, `neq`, `in` and `notIn`; for the others it is neither text nor number: false.
 */
export function compileCondition(condition: Condition, depth = 1): ConditionTest {
  if (depth > MAX_CONDITION_DEPTH) return unknown;
  if ('all' in condition) return allOf(condition.all.map((part) => compileCondition(part, depth + 1)));
  if ('any' in condition) return anyOf(condition.any.map((part) => compileCondition(part, depth + 1)));
  if ('not' in condition) return not(compileCondition(condition.not, depth + 1));
  const path = parsePointer(condition.field);
  const compare = compileComparison(condition.op, condition.value);
  if (path === null || compare === null) return unknown;
  return (argumentsValue, budget) => {
    const found = valueAt(argumentsValue, path);
    if (found === WITHIN_UNTOLD) return 'unknown';
    // A value that was taken out was there.
    return found === UNTOLD && condition.op !== 'exists' ? 'unknown' : compare(found, budget);
  };
}

/**
 * Every comparison of a condition with its own answer, in words. `field` is its pointer; a comparison within a `not` is
 * told as its opposite, and one within an `any` as one of several.
 */
export function conditionLeaves(
  condition: Condition,
  argumentsValue: unknown,
  budget: Budget,
): readonly (Omit<MemberExplanation, 'member'> & { readonly field: string })[] {
  const leaves = (part: Condition, negated: boolean, isChoice: boolean): ReturnType<typeof conditionLeaves> => {
    if ('all' in part)
      return part.all.flatMap((one) => leaves(one, negated, isChoice || (negated && part.all.length > 1)));
    if ('any' in part)
      return part.any.flatMap((one) => leaves(one, negated, isChoice || (!negated && part.any.length > 1)));
    if ('not' in part) return leaves(part.not, !negated, isChoice);
    const path = parsePointer(part.field);
    const found = path === null ? MISSING : valueAt(argumentsValue, path);
    const truth = compileCondition(part)(argumentsValue, budget);
    const words =
      part.op === 'exists' ? (part.value === false ? 'not there' : 'there') : `${part.op} ${said(part.value)}`;
    return [
      {
        field: part.field,
        matched: negated ? negate(truth) : truth,
        wanted: `${isChoice ? 'one of: ' : ''}${negated ? 'not ' : ''}${words}`,
        actual: found === MISSING ? 'not there' : said(found),
      },
    ];
  };
  return leaves(condition, false, false);
}

/** A value in words, cut: for people, never for comparing. */
function said(value: unknown): string {
  if (value === UNTOLD || value === WITHIN_UNTOLD) return 'not known';
  const text = typeof value === 'string' ? `"${value}"` : (JSON.stringify(value) ?? String(value));
  return text.length > MOST_SAID ? `${text.slice(0, MOST_SAID)}…` : text;
}

const MOST_SAID = 200;

/**
 * A pattern as `matches` uses it: RE2 syntax (no back-references, no look-around), found anywhere in the text unless
 * anchored with `^` and `$`, in time linear in the text. A string says what is wrong with it.
 */
export function compilePattern(pattern: string): { readonly regex: RE2JS; readonly size: number } | string {
  if (pattern.length > MAX_PATTERN) return `the regular expression is longer than ${MAX_PATTERN} characters`;
  try {
    const regex = RE2JS.compile(pattern);
    const size = regex.programSize();
    return size > MAX_PROGRAM ? 'the regular expression repeats too much to be searched quickly' : { regex, size };
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : 'it cannot be read';
    return `the regular expression is not one of RE2 syntax: ${why}`;
  }
}

/** The steps of a JSON pointer (RFC 6901); null when it is none. */
export function parsePointer(pointer: string): readonly string[] | null {
  if (pointer === '') return [];
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) return null;
  return pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Stands for "there is no such field": unlike null and undefined no argument can be it. */
const MISSING = Symbol('missing');
/** Stands for a field within a value that is no longer known: it may be there or not. */
const WITHIN_UNTOLD = Symbol('within untold');
type Found = unknown | typeof MISSING;
type Compare = (found: Found, budget: Budget) => Truth;

const unknown: ConditionTest = () => 'unknown';

function allOf(parts: readonly ConditionTest[]): ConditionTest {
  return (value, budget) => {
    const truths = parts.map((part) => part(value, budget));
    if (truths.includes(false)) return false;
    return truths.includes('unknown') ? 'unknown' : true;
  };
}

function anyOf(parts: readonly ConditionTest[]): ConditionTest {
  return (value, budget) => {
    const truths = parts.map((part) => part(value, budget));
    if (truths.includes(true)) return true;
    return truths.includes('unknown') ? 'unknown' : false;
  };
}

function not(part: ConditionTest): ConditionTest {
  return (value, budget) => negate(part(value, budget));
}

function negate(truth: Truth): Truth {
  return truth === 'unknown' ? 'unknown' : !truth;
}

/** Own members only, so that `constructor` and `__proto__` are names like any other. */
function valueAt(value: unknown, path: readonly string[]): Found {
  let here: unknown = value;
  for (const step of path) {
    if (here === UNTOLD) return WITHIN_UNTOLD;
    if (typeof here !== 'object' || here === null) return MISSING;
    if (Array.isArray(here) && !/^(0|[1-9][0-9]*)$/.test(step)) return MISSING;
    if (!Object.hasOwn(here, step)) return MISSING;
    here = (here as Readonly<Record<string, unknown>>)[step];
  }
  return here === undefined ? MISSING : here;
}

function compileComparison(op: Comparison, value: unknown): Compare | null {
  switch (op) {
    case 'exists':
      return (found) => (found !== MISSING) === (value !== false);
    case 'eq':
      return (found) => (found === MISSING ? false : same(found, value, 0));
    case 'neq':
      return (found) => (found === MISSING ? true : negate(same(found, value, 0)));
    case 'in':
      return Array.isArray(value) ? (found) => (found === MISSING ? false : memberOf(value, found)) : null;
    case 'notIn':
      return Array.isArray(value) ? (found) => (found === MISSING ? true : negate(memberOf(value, found))) : null;
    case 'gt':
      return ordered(value, (order) => order > 0, false);
    case 'gte':
      return ordered(value, (order) => order >= 0, true);
    case 'lt':
      return ordered(value, (order) => order < 0, false);
    case 'lte':
      return ordered(value, (order) => order <= 0, true);
    case 'contains':
      return (found) => (Array.isArray(found) ? memberOf(found, value) : textOf(found, value, (t, v) => t.includes(v)));
    case 'startsWith':
      return (found) => textOf(found, value, (text, start) => text.startsWith(start));
    case 'endsWith':
      return (found) => textOf(found, value, (text, end) => text.endsWith(end));
    case 'matches':
      return matches(value);
    default:
      return null;
  }
}

function matches(value: unknown): Compare | null {
  const pattern = typeof value === 'string' ? compilePattern(value) : null;
  if (pattern === null || typeof pattern === 'string') return null;
  const { regex, size } = pattern;
  return (found, budget) => {
    if (found === MISSING || found === null) return false;
    if (typeof found !== 'string') return 'unknown';
    budget.regexSteps -= found.length * size;
    return budget.regexSteps < 0 ? 'unknown' : regex.test(found);
  };
}

function textOf(found: Found, value: unknown, test: (text: string, value: string) => boolean): Truth {
  if (found === MISSING || found === null) return false;
  return typeof found === 'string' && typeof value === 'string' ? test(found, value) : 'unknown';
}

/** Numbers with numbers, text with text (by code unit); one with the other cannot be told. */
function ordered(value: unknown, holds: (order: number) => boolean, orEqual: boolean): Compare {
  return (found) => {
    if (found === MISSING || found === null) return false;
    if (typeof found === 'number' && typeof value === 'number') {
      if (Number.isNaN(found) || Number.isNaN(value)) return 'unknown';
      if (found === value && !exact(found)) return 'unknown';
      return found === value ? orEqual : holds(found < value ? -1 : 1);
    }
    if (typeof found === 'string' && typeof value === 'string') {
      return found === value ? orEqual : holds(found < value ? -1 : 1);
    }
    return 'unknown';
  };
}

function memberOf(list: readonly unknown[], value: unknown): Truth {
  let truth: Truth = false;
  for (const member of list) {
    const here = same(member, value, 0);
    if (here === true) return true;
    if (here === 'unknown') truth = 'unknown';
  }
  return truth;
}

/** Equal as JSON values: the order of members does not matter, that of list items does. */
function same(a: unknown, b: unknown, depth: number): Truth {
  if (a === UNTOLD || b === UNTOLD) return 'unknown';
  if (typeof a === 'number' && typeof b === 'number') return a === b && !exact(a) ? 'unknown' : a === b;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  if (depth > MAX_CONDITION_DEPTH) return 'unknown';
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  let truth: Truth = true;
  for (const key of keys) {
    if (!Object.hasOwn(b, key)) return false;
    const here = same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], depth + 1);
    if (here === false) return false;
    if (here === 'unknown') truth = 'unknown';
  }
  return truth;
}

/** Beyond 2^53 two different numbers in the text are one number here; strict order survives the rounding, equality does not. */
function exact(number: number): boolean {
  return Math.abs(number) <= Number.MAX_SAFE_INTEGER;
}
