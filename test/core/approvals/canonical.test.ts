import { expect, test } from 'vitest';
import { canonicalArguments } from '../../../electron/core/approvals/canonical.ts';

test.each([
  ['white space does not count', '{ "a" : [ 1 , 2 ] }\n', '{"a":[1,2]}'],
  [
    'the order of members does not count, at any depth',
    '{"b":{"d":1,"c":2},"a":[{"z":1,"y":2}]}',
    '{"a":[{"y":2,"z":1}],"b":{"c":2,"d":1}}',
  ],
  ['the way a string is escaped does not count', '{"\\u0061":"\\u00e9\\/\\u000a"}', '{"a":"é/\\n"}'],
  ['empty lists and objects stay', '{ "b" : [ ] , "a" : { } }', '{"a":{},"b":[]}'],
  ['a bare value is a value', ' null ', 'null'],
  ['quotes and brackets in strings are text', '{"b":"]}\\",{","a":"\\\\"}', '{"a":"\\\\","b":"]}\\",{"}'],
])('%s', (_title, text, canonical) => {
  expect(canonicalArguments(text)).toBe(canonical);
});

test.each([
  ['{"n":9007199254740993}', '{"n":9007199254740992}'],
  ['{"n":1.0}', '{"n":1}'],
  ['{"n":1e2}', '{"n":100}'],
  ['{"n":-0}', '{"n":0}'],
  ['{"n":"1"}', '{"n":1}'],
  ['{"a":[1,2]}', '{"a":[2,1]}'],
  ['{"a":"x "}', '{"a":"x"}'],
  ['{"a":1,"a":2}', '{"a":2,"a":1}'],
  ['{"é":1}', '{"e\\u0301":1}'],
  ['{"a":[]}', '{"a":{}}'],
])('%s is another call than %s', (a, b) => {
  expect(canonicalArguments(a)).not.toBe(canonicalArguments(b));
});

test('it agrees with JSON wherever JSON loses nothing', () => {
  const value = { list: [1, -2.5, true, null, 'tab\tquote"'], empty: {}, 名: { deep: [[['x']]] }, '': ' ' };
  const canonical = canonicalArguments(JSON.stringify(value, null, 3));
  expect(JSON.parse(canonical)).toEqual(value);
  expect(canonicalArguments(canonical)).toBe(canonical);
});

test('text that is no JSON, or nests without end, is only the same as itself', () => {
  const deep = `${'['.repeat(5000)} ${']'.repeat(5000)}`;
  for (const text of ['', '{', '{"a":}', ' nope', deep]) expect(canonicalArguments(text)).toBe(text);
});

test('three megabytes of arguments are read in a moment', () => {
  const text = JSON.stringify({
    text: 'x\\"'.repeat(500_000),
    list: Array.from({ length: 100_000 }, (_, i) => ({ b: i, a: i })),
  });
  const before = process.cpuUsage();
  canonicalArguments(text);
  // Time of this process alone: the machine that runs the tests may be busy with others.
  expect(process.cpuUsage(before).user / 1000).toBeLessThan(500);
});
