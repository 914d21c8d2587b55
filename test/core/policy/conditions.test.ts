import { describe, expect, test } from 'vitest';
import {
  compileCondition,
  compilePattern,
  parsePointer,
  REGEX_STEPS,
  type Truth,
} from '../../../electron/core/policy/conditions.ts';
import type { Comparison, Condition } from '../../../shared/model.ts';

const truth = (condition: Condition, value: unknown): Truth =>
  compileCondition(condition)(value, { regexSteps: REGEX_STEPS });
const has = (op: Comparison, value: unknown, field = '/f'): Condition => ({ field, op, value });

describe('comparisons', () => {
  test.each<[Comparison, unknown, unknown, Truth]>([
    ['eq', 'a', 'a', true],
    ['eq', 1, '1', false],
    ['eq', { a: [1, null], b: 2 }, { b: 2, a: [1, null] }, true],
    ['eq', [1, 2], [2, 1], false],
    ['eq', null, null, true],
    ['neq', 'a', 'b', true],
    ['neq', 'a', 'a', false],
    ['gt', 2, 3, true],
    ['gt', 2, 2, false],
    ['gte', 2, 2, true],
    ['lt', 2, 1, true],
    ['lte', 2, 3, false],
    ['gt', 'b', 'c', true],
    ['gt', 100, '500', 'unknown'],
    ['gt', 100, null, false],
    ['in', ['a', 'b'], 'b', true],
    ['in', ['a', 'b'], 'c', false],
    ['notIn', ['a'], 'a', false],
    ['notIn', ['a'], 'b', true],
    ['contains', 'ell', 'hello', true],
    ['contains', 'x', ['x', 'y'], true],
    ['contains', 'z', ['x', 'y'], false],
    ['contains', 'x', { x: 1 }, 'unknown'],
    ['startsWith', '/etc/', '/etc/passwd', true],
    ['startsWith', '/etc/', ['/etc/passwd'], 'unknown'],
    ['endsWith', '.md', 'a.md', true],
    ['matches', '^[a-z]+$', 'abc', true],
    ['matches', '^[a-z]+$', 'abc1', false],
    ['matches', 'b', 'abc', true],
    ['matches', '^1$', 1, 'unknown'],
    ['exists', true, null, true],
    ['exists', false, 'x', false],
  ])('%s %j of %j is %s', (op, value, found, expected) => {
    expect(truth(has(op, value), { f: found })).toBe(expected);
  });

  test.each<[Comparison, unknown, Truth]>([
    ['eq', null, false],
    ['neq', 'a', true],
    ['gt', 1, false],
    ['gte', 1, false],
    ['lt', 1, false],
    ['lte', 1, false],
    ['in', [null], false],
    ['notIn', ['a'], true],
    ['contains', 'a', false],
    ['startsWith', '', false],
    ['endsWith', '', false],
    ['matches', '.*', false],
    ['exists', true, false],
    ['exists', undefined, false],
    ['exists', false, true],
  ])('%s %j of a missing field is %s', (op, value, expected) => {
    expect(truth(has(op, value), { other: 1 })).toBe(expected);
  });

  test('two numbers beyond 2^53 cannot be told apart, and are not taken for equal', () => {
    expect(truth(has('eq', 9007199254740992), JSON.parse('{"f":9007199254740993}'))).toBe('unknown');
    expect(truth(has('lte', 9007199254740992), JSON.parse('{"f":9007199254740993}'))).toBe('unknown');
    expect(truth(has('gt', 5), { f: 1e300 })).toBe(true);
  });
});

describe('fields', () => {
  const value = { a: { 'b/c': [10, { '~d': true }], '': 'empty' }, list: ['x'] };
  test.each<[string, unknown]>([
    ['/a/b~1c/0', 10],
    ['/a/b~1c/1/~0d', true],
    ['/a/', 'empty'],
    ['/list', ['x']],
    ['', value],
  ])('the pointer %s finds its value (RFC 6901)', (field, expected) => {
    expect(truth({ field, op: 'eq', value: expected }, value)).toBe(true);
  });

  test.each(['/constructor', '/__proto__', '/list/length', '/list/-', '/list/00', '/list/1', '/a/x/y', '/a/b~1c/0/0'])(
    '%s is missing',
    (field) => {
      expect(truth({ field, op: 'exists' }, value)).toBe(false);
    },
  );

  test('a pointer starts with a slash and escapes only ~0 and ~1', () => {
    expect(parsePointer('a/b')).toBeNull();
    expect(parsePointer('/a~2')).toBeNull();
    expect(parsePointer('/~01')).toEqual(['~1']);
  });
});

describe('all, any, not', () => {
  const yes: Condition = { field: '', op: 'exists' };
  const no: Condition = { not: yes };
  const maybe: Condition = { field: '/n', op: 'gt', value: 1 };
  test.each<[string, Condition, Truth]>([
    ['all of yes and yes', { all: [yes, yes] }, true],
    ['all of yes and no', { all: [yes, no] }, false],
    ['all of maybe and no', { all: [maybe, no] }, false],
    ['all of maybe and yes', { all: [maybe, yes] }, 'unknown'],
    ['any of no and yes', { any: [no, yes] }, true],
    ['any of maybe and yes', { any: [maybe, yes] }, true],
    ['any of maybe and no', { any: [maybe, no] }, 'unknown'],
    ['not of maybe', { not: maybe }, 'unknown'],
  ])('%s', (_title, condition, expected) => {
    expect(truth(condition, { n: 'text' })).toBe(expected);
  });

  test('conditions nested without end are unknown and do not overflow', () => {
    let deep: Condition = yes;
    for (let depth = 0; depth < 100_000; depth++) deep = { not: deep };
    expect(truth(deep, {})).toBe('unknown');
  });

  test('values nested without end are unknown and do not overflow', () => {
    const nest = () => {
      let value: unknown = 1;
      for (let depth = 0; depth < 100_000; depth++) value = [value];
      return value;
    };
    expect(truth({ field: '/f', op: 'eq', value: nest() }, { f: nest() })).toBe('unknown');
  });
});

describe('regular expressions', () => {
  test('a pattern that is exponential elsewhere answers in linear time', () => {
    const before = process.cpuUsage();
    expect(truth(has('matches', '^(a+)+$'), { f: `${'a'.repeat(100_000)}!` })).toBe(false);
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(200);
  });

  test.each([
    ['(a)\\1', 'invalid escape sequence'],
    ['a(?=b)', 'unsupported'],
    ['[', 'missing closing ]'],
    ['(a{500}){500}', 'repeat'],
    ['a'.repeat(1001), 'longer than 1000'],
    ['a{1000}b{1000}c', 'repeats too much'],
  ])('%s is refused with what is wrong', (pattern, why) => {
    expect(compilePattern(pattern)).toEqual(expect.stringContaining(why));
  });
});
