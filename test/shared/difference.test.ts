import { expect, test } from 'vitest';
import { differenceOf } from '../../shared/difference.ts';
import type { ToolDefinition } from '../../shared/model.ts';
import { definition } from '../core/catalog/support.ts';

const before = definition('t', { inputSchema: { type: 'object', properties: { path: { type: 'string' } } } });

const cases: readonly (readonly [string, Record<string, unknown>, readonly unknown[]])[] = [
  ['a text', { description: 'Else.' }, [{ member: 'description', before: 'Does t.', after: 'Else.' }]],
  ['a member more', { title: 'T' }, [{ member: 'title', before: null, after: 'T' }]],
  ['a member less', { description: undefined }, [{ member: 'description', before: 'Does t.', after: null }]],
  [
    'one type, deep down',
    { inputSchema: { type: 'object', properties: { path: { type: 'number' } } } },
    [{ member: 'inputSchema.properties.path.type', before: 'string', after: 'number' }],
  ],
  [
    'a whole parameter more',
    { inputSchema: { type: 'object', properties: { path: { type: 'string' }, bcc: { type: 'string' } } } },
    [{ member: 'inputSchema.properties.bcc', before: null, after: '{\n  "type": "string"\n}' }],
  ],
  [
    'a key that is no plain word',
    { _meta: { 'a.b/c"': 1 } },
    [{ member: '_meta', before: null, after: '{\n  "a.b/c\\"": 1\n}' }],
  ],
];

test.each(cases)('%s is shown where it is', (_, change, expected) => {
  expect(differenceOf(before, { ...before, ...change } as ToolDefinition)).toEqual(expected);
});

test('a number and the same number as text are shown as different', () => {
  const [difference] = differenceOf({ ...before, x: 1 }, { ...before, x: '1' });
  expect(difference).toEqual({ member: 'x', before: '1', after: '"1"' });
});

test('odd keys stand in brackets', () => {
  const [difference] = differenceOf({ ...before, _meta: { 'a.b': 1 } }, { ...before, _meta: { 'a.b': 2 } });
  expect(difference?.member).toBe('_meta["a.b"]');
});

test('a key named like a method of every object is found', () => {
  const [difference] = differenceOf({ ...before, _meta: {} }, { ...before, _meta: { constructor: 'x' } });
  expect(difference).toEqual({ member: '_meta.constructor', before: null, after: 'x' });
});

test('the order of keys is no difference', () => {
  expect(differenceOf(before, Object.fromEntries(Object.entries(before).reverse()) as ToolDefinition)).toEqual([]);
});

test('lists of the same length are compared item by item, others as a whole', () => {
  const before = { arguments: [{ name: 'a' }, { name: 'b', required: true }], required: ['a'] };
  const after = { arguments: [{ name: 'a' }, { name: 'c', required: true }], required: ['a', 'b'] };
  expect(differenceOf(before, after)).toEqual([
    { member: 'arguments[1].name', before: 'b', after: 'c' },
    { member: 'required', before: '[\n  "a"\n]', after: '[\n  "a",\n  "b"\n]' },
  ]);
});

test('a key named __proto__ is a key like any other', () => {
  const before = JSON.parse('{"properties":{"__proto__":{"type":"string"}}}');
  const after = JSON.parse('{"properties":{"__proto__":{"type":"number"}}}');
  expect(differenceOf(before, after)).toEqual([
    { member: 'properties.__proto__.type', before: 'string', after: 'number' },
  ]);
  expect(differenceOf({ properties: {} }, before)).toEqual([
    { member: 'properties.__proto__', before: null, after: '{\n  "type": "string"\n}' },
  ]);
});
