import { describe, expect, test } from 'vitest';
import { fingerprintOf } from '../../../electron/core/catalog/fingerprint.ts';
import type { ToolDefinition } from '../../../shared/model.ts';

const whole: ToolDefinition = {
  name: 'read_file',
  title: 'Read a file',
  description: 'Reads one file.',
  inputSchema: { type: 'object', properties: { path: { type: 'string', description: 'Where' } }, required: ['path'] },
  outputSchema: { type: 'object', properties: { text: { type: 'string' } } },
  annotations: { readOnlyHint: true },
  icons: [{ src: 'https://example.com/a.png' }],
  _meta: { 'ui.resourceUri': 'ui://a' },
  'x-unknown': [1, { deep: null }],
};
const ENDPOINT = 'node server.js';

describe('the fingerprint', () => {
  const changes: readonly (readonly [string, Record<string, unknown>])[] = [
    ['the name', { name: 'read_file2' }],
    ['the title', { title: 'Read a File' }],
    ['one character of the description', { description: 'Reads one file!' }],
    [
      'a parameter text',
      { inputSchema: { ...whole.inputSchema, properties: { path: { type: 'string', description: 'where' } } } },
    ],
    ['what is required', { inputSchema: { ...whole.inputSchema, required: [] } }],
    ['the output schema', { outputSchema: { type: 'object', properties: { text: { type: 'number' } } } }],
    ['an annotation', { annotations: { readOnlyHint: false } }],
    ['an icon', { icons: [{ src: 'https://example.com/b.png' }] }],
    ['the metadata', { _meta: { 'ui.resourceUri': 'ui://b' } }],
    ['a member nobody knows', { 'x-unknown': [1, { deep: 0 }] }],
    ['the order of a list', { 'x-unknown': [{ deep: null }, 1] }],
    ['a member more', { extra: null }],
    ['a member less', { title: undefined }],
    ['a number that becomes a text', { 'x-unknown': ['1', { deep: null }] }],
    ['a lone surrogate', { description: 'Reads one file.\ud800' }],
  ];

  test.each(changes)('changes with %s', (_, change) => {
    expect(fingerprintOf({ ...whole, ...change } as ToolDefinition, ENDPOINT)).not.toBe(fingerprintOf(whole, ENDPOINT));
  });

  test('changes with the endpoint', () => {
    expect(fingerprintOf(whole, 'node other.js')).not.toBe(fingerprintOf(whole, ENDPOINT));
  });

  test('tells two lone surrogates apart', () => {
    const one = fingerprintOf({ ...whole, description: '\ud800' }, ENDPOINT);
    expect(one).not.toBe(fingerprintOf({ ...whole, description: '\ud801' }, ENDPOINT));
  });

  test('does not change with the order of keys', () => {
    const turned = Object.fromEntries(Object.entries(whole).reverse()) as ToolDefinition;
    expect(Object.keys(turned)[0]).toBe('x-unknown');
    expect(fingerprintOf(turned, ENDPOINT)).toBe(fingerprintOf(whole, ENDPOINT));
  });

  test('sees a member called __proto__', () => {
    const plain = JSON.parse('{"name":"a","inputSchema":{"__proto__":{"type":"object"}}}') as ToolDefinition;
    const other = JSON.parse('{"name":"a","inputSchema":{"__proto__":{"type":"array"}}}') as ToolDefinition;
    expect(fingerprintOf(plain, ENDPOINT)).not.toBe(fingerprintOf(other, ENDPOINT));
  });

  test('is 64 hex digits and never throws, whatever it is given', () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    const odd: readonly unknown[] = [
      { ...whole, inputSchema: cycle },
      { ...whole, size: 10n },
      { ...whole, act: () => 1 },
      { ...whole, when: Number.NaN, sym: Symbol('s') },
      null,
      7,
    ];
    for (const definition of odd)
      expect(fingerprintOf(definition as ToolDefinition, ENDPOINT)).toMatch(/^[0-9a-f]{64}$/);
  });
});
