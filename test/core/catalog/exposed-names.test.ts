import { expect, test } from 'vitest';
import { exposedNameFor } from '../../../electron/core/catalog/exposed-names.ts';
import { META_TOOL_NAMES } from '../../../electron/core/gateway/meta-tools.ts';

const free = () => false;

const cases: readonly (readonly [string, string, string])[] = [
  ['fs', 'read_file', 'fs__read_file'],
  ['my-fs', 'read-file.v2', 'my_fs__read_file_v2'],
  ['fs', 'ReadFile', 'fs__ReadFile'],
  ['fs', 'dateiÖffnen', 'fs__datei_ffnen'],
  ['fs', 'a😀b', 'fs__a_b'],
  ['x', 'y'.repeat(43), `x__${'y'.repeat(43)}`],
];

test.each(cases)('%s and %s become %s', (upstream, tool, name) => {
  expect(exposedNameFor(upstream, tool, free)).toBe(name);
});

test.each([44, 60, 128])('a tool name of %i characters ends in a hash, at 46 characters', (length) => {
  const name = exposedNameFor('x', 'y'.repeat(length), free);
  expect(name).toMatch(/^x__y{34}_[0-9a-f]{8}$/);
  expect(name).toHaveLength(46);
});

test('long names that differ at their end only stay apart', () => {
  const one = exposedNameFor('upstream', `${'a'.repeat(60)}1`, free);
  expect(one).not.toBe(exposedNameFor('upstream', `${'a'.repeat(60)}2`, free));
});

test('the longest names still fit', () => {
  expect(exposedNameFor('u'.repeat(32), 't'.repeat(128), free)).toMatch(/^u{32}__t{3}_[0-9a-f]{8}$/);
});

test('a collision gives the later tool a hash, the same one every time', () => {
  const taken = (lower: string) => lower === 'fs__read_file';
  const name = exposedNameFor('fs', 'read-file', taken);
  expect(name).toMatch(/^fs__read_file_[0-9a-f]{8}$/);
  expect(exposedNameFor('fs', 'read-file', taken)).toBe(name);
  expect(exposedNameFor('fs', 'READ_FILE', taken)).not.toBe(name);
});

test('names that differ in case alone collide', () => {
  expect(exposedNameFor('fs', 'Read', (lower) => lower === 'fs__read')).toMatch(/^fs__Read_[0-9a-f]{8}$/);
});

test('even a taken hash is got around', () => {
  const first = exposedNameFor('x', 'y'.repeat(99), free).toLowerCase();
  const second = exposedNameFor('x', 'y'.repeat(99), (lower) => lower === first);
  expect(second).toMatch(/^x__y{34}_[0-9a-f]{8}$/);
  expect(second).not.toBe(first);
});

test('no upstream can have a tool called like one of the gateway', () => {
  for (const meta of META_TOOL_NAMES) {
    const [head = '', ...rest] = meta.split('_');
    for (const name of [exposedNameFor(head, rest.join('_'), free), exposedNameFor('', meta, free)]) {
      expect(META_TOOL_NAMES).not.toContain(name);
    }
  }
});
