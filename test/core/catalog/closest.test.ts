import { expect, test } from 'vitest';
import { closest } from '../../../electron/core/catalog/closest.ts';

const NAMES = ['github', 'gitlab', 'sentry', 'notion', 'filesystem'];
const cases: readonly (readonly [string, readonly string[]])[] = [
  ['githb', ['github']],
  ['GitHub', ['github', 'gitlab']],
  ['file', ['filesystem']],
  ['sentri', ['sentry']],
  ['postgres', []],
  ['', []],
];

test.each(cases)('%j is close to %j', (wanted, names) => {
  expect(closest(wanted, NAMES)).toEqual(names);
});

test('at most three are named, the nearest first', () => {
  expect(closest('aa1', ['aa4', 'aa3', 'aa2', 'aa1', 'zzz'])).toEqual(['aa1', 'aa2', 'aa3']);
});
