import { describe, expect, test } from 'vitest';
import { lookAlikeOf, lookOf, type Named } from '../../../electron/core/catalog/look-alikes.ts';
import { definition, inventoryOn, openTables, prompt, reviewed, reviewedAs } from './support.ts';

const named = (name: string, upstream = 'files'): Named => ({ upstreamId: upstream, upstream, name });
const flagOf = (one: Named, ...known: readonly Named[]) =>
  lookAlikeOf(
    one,
    Map.groupBy([...known, one], ({ name }) => lookOf(name)),
  );

test.each([
  ['a digit', 'read_fi1e', 'read_file', 'after "read_fi" it has "1" (U+0031) instead of "l" (U+006C)'],
  ['a capital I', 'fiIe', 'file', 'after "fi" it has "I" (U+0049) instead of "l" (U+006C)'],
  ['a nought', 'l0gin', 'login', 'after "l" it has "0" (U+0030) instead of "o" (U+006F)'],
  ['two letters', 'cornmit', 'commit', 'after "co" it has "r" (U+0072) instead of "m" (U+006D)'],
  [
    'one Cyrillic letter',
    'r\u0435ad_file',
    'read_file',
    'after "r" it has "\\u{0435}" (U+0435) instead of "e" (U+0065)',
  ],
  ['a full-width letter', '\uff53h', 'sh', 'after "" it has "\\u{FF53}" (U+FF53) instead of "s" (U+0073)'],
  ['a mark', 'read_fi\u0301le', 'read_file', 'after "read_fi" it has "\\u{0301}" (U+0301) instead of "l" (U+006C)'],
])('%s: taken for the name of another upstream, and it is said where they differ', (_, name, other, differ) => {
  expect(flagOf(named(name), named(other, 'evil'))).toContain(`of the upstream "evil": ${differ}.`);
  expect(flagOf(named(other, 'evil'), named(name))).toContain('of the upstream "files"');
});

test('a name in Cyrillic letters only is taken for the Latin one', () => {
  expect(flagOf(named('\u0441\u043e\u0440\u0443'), named('copy'))).toBe(
    'The name "\\u{0441}\\u{043E}\\u{0440}\\u{0443}" can be taken for "copy" of this upstream: after "" it has "\\u{0441}" (U+0441) instead of "c" (U+0063).',
  );
});

test.each([
  ['the same name', 'read_file', 'read_file'],
  ['another case', 'readFile', 'readfile'],
  ['another separator', 'read-file', 'read_file'],
  ['another word', 'read_file', 'read_files'],
  ['another number', 'page_2', 'page_3'],
  ['another language', 'größe', 'gruesse'],
])('%s is nothing to warn of', (_, name, other) => {
  expect(flagOf(named(name), named(other, 'evil'))).toBeNull();
});

describe('in the inventory', () => {
  const flagged = (inventory: ReturnType<typeof inventoryOn>) =>
    inventory.view().flatMap(({ upstream, name, flags }) => flags.map((flag) => `${upstream}/${name}: ${flag}`));

  test('a new tool beside a reviewed one of its own upstream or another is flagged, the reviewed one is not', () => {
    const inventory = inventoryOn(openTables());
    reviewed(inventory, 'w/files', [definition('read_file')]);
    inventory.takeIn('w/files', 'node server.js', [definition('read_file'), definition('read_fi1e')]);
    inventory.takeIn('w/evil', 'node evil.js', [definition('read_fiIe'), definition('read_file')]);
    expect(flagged(inventory)).toEqual([
      expect.stringMatching(/^evil\/read_fiIe: The name "read_fiIe" can be taken for "read_fi.e" of /),
      expect.stringMatching(/^evil\/read_file: The name "read_file" can be taken for "read_fi.e" of /),
      expect.stringMatching(/^files\/read_fi1e: The name "read_fi1e" can be taken for "read_fi.e" of /),
    ]);
  });

  test('each kind and each workspace is by itself, and what is gone is taken for nothing', () => {
    const inventory = inventoryOn(openTables());
    reviewed(inventory, 'w/files', [definition('read_file'), definition('other')]);
    inventory.takeIn('x/evil', 'node evil.js', [definition('read_fi1e')]);
    inventory.takeIn('w/evil', 'node evil.js', [prompt('read_fi1e')], 'prompt');
    expect(flagged(inventory)).toEqual([]);
    inventory.takeIn('w/late', 'node late.js', [definition('read_fi1e')]);
    expect(flagged(inventory)).toHaveLength(1);
    inventory.takeIn('w/files', 'node server.js', [definition('other')]);
    expect(flagged(inventory)).toEqual([]);
  });

  test('once it is accepted it is what the person wanted', () => {
    const inventory = inventoryOn(openTables());
    reviewed(inventory, 'w/files', [definition('read_file')]);
    reviewedAs(inventory, 'w/files', 'tool', [definition('read_file'), definition('read_fi1e')]);
    expect(flagged(inventory)).toEqual([]);
  });
});
