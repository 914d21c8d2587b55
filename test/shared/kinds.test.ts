import { expect, test } from 'vitest';
import { countOf, wordFor } from '../../shared/kinds.ts';
import type { DefinitionKind } from '../../shared/model.ts';

const some = (...kinds: readonly DefinitionKind[]) => kinds.map((kind) => ({ kind }));

test.each([
  ['0 tools', some()],
  ['1 tool', some('tool')],
  ['2 prompts', some('prompt', 'prompt')],
  ['2 tools and 1 prompt', some('prompt', 'tool', 'tool')],
  ['1 tool, 1 prompt and 2 resource templates', some('resource_template', 'tool', 'resource_template', 'prompt')],
])('a count says %s', (said, items) => {
  expect(countOf(items)).toBe(said);
});

test('one of a kind has the word for one', () => {
  expect([wordFor('resource_template'), wordFor('resource_template', 0)]).toEqual([
    'resource template',
    'resource templates',
  ]);
});
