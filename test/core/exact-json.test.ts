import { expect, test } from 'vitest';
import { MAX_DEPTH, MAX_NAMES, readExactJson, readExactText } from '../../electron/core/exact-json.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

test('the exact text of a value is kept, digits, order and blanks included', () => {
  const inner = '{ "n": 9007199254740993, "f": 1.0, "s":"é\\u200b", "k":{"b":1,"a":[true,null]} }';
  const read = readExactJson(
    bytes(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments": ${inner} ,"_meta":{}}}`),
    ['/params/arguments'],
  );
  expect(read.kind === 'read' && read.slices.get('/params/arguments')).toBe(inner);
});

test('the innermost arguments of call_external_tool have a slice of their own', () => {
  const read = readExactText('{"params":{"arguments":{"upstream":"u","arguments":{"a":1.0}}}}', [
    '/params/arguments',
    '/params/arguments/arguments',
  ]);
  expect(read.kind === 'read' && [...read.slices]).toEqual([
    ['/params/arguments/arguments', '{"a":1.0}'],
    ['/params/arguments', '{"upstream":"u","arguments":{"a":1.0}}'],
  ]);
});

test('scalar values and values inside arrays do not confuse the paths', () => {
  const read = readExactText('{"x":[{"params":{"arguments":{"no":1}}}],"params":{"arguments":7,"z":"}"}}', [
    '/params/arguments',
  ]);
  expect(read.kind === 'read' && [...read.slices]).toEqual([['/params/arguments', '7']]);
});

test('a name with a slash in it does not pass for two', () => {
  const paths = ['/params/arguments', '/params/arguments/arguments'];
  const read = readExactText(
    '{"params":{"arguments":{"arguments":1},"arguments/arguments":2},"params/arguments":{"arguments":3}}',
    paths,
  );
  expect(read.kind === 'read' && Object.fromEntries(read.slices)).toEqual({
    '/params/arguments': '{"arguments":1}',
    '/params/arguments/arguments': '1',
  });
});

test('so many different names are refused, and a table whose rows share theirs is not', () => {
  const names = (count: number) => `{${Array.from({ length: count }, (_, at) => `"k${at}":1`).join(',')}}`;
  expect(readExactText(names(MAX_NAMES))).toMatchObject({ kind: 'read' });
  expect(readExactText(names(MAX_NAMES + 1))).toMatchObject({ kind: 'refused', why: 'too_many_names' });
  expect(
    readExactText(
      `[${Array(MAX_NAMES + 1)
        .fill('{"a":1,"b":2}')
        .join(',')}]`,
    ),
  ).toMatchObject({ kind: 'read' });
});

test('the twentieth name of an object is still compared with all before it', () => {
  const names = Array.from({ length: 20 }, (_, at) => `"k${at}":1`).join(',');
  expect(readExactText(`{${names}}`)).toMatchObject({ kind: 'read' });
  for (const at of [0, 10, 16, 17, 19])
    expect(readExactText(`{${names},"k${at}":2}`)).toMatchObject({ kind: 'refused', why: 'duplicate_key' });
});

test.each([
  ['at the top', '{"a":1,"a":2}'],
  ['nested', '{"p":{"name":"fs__read","name":"sh__exec"}}'],
  ['written with an escape', '{"a":1,"\\u0061":2}'],
  ['after a nested object', '{"a":{"x":1},"b":[1,{"c":2}],"a":3}'],
])('two equal keys are refused: %s', (_where, text) => {
  expect(readExactText(text)).toMatchObject({ kind: 'refused', why: 'duplicate_key' });
});

test('equal keys in different objects are no duplicates', () => {
  expect(readExactText('[{"a":1},{"a":{"a":2}}]')).toMatchObject({ kind: 'read' });
});

test('depth is refused at the limit without a deep call stack', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  expect(readExactText(nested(MAX_DEPTH))).toMatchObject({ kind: 'read' });
  expect(readExactText(nested(MAX_DEPTH + 1))).toMatchObject({ kind: 'refused', why: 'depth' });
  expect(readExactText(nested(1_000_000))).toMatchObject({ kind: 'refused', why: 'depth' });
});

test.each([
  ['not UTF-8', Uint8Array.of(0xff, 0xfe), 'encoding'],
  ['overlong UTF-8', Uint8Array.of(0x22, 0xc0, 0xaf, 0x22), 'encoding'],
  ['byte order mark', Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d), 'encoding'],
  ['UTF-16', new Uint8Array(Buffer.from('{"a":1}', 'utf16le')), 'syntax'],
  ['NaN', bytes('{"a":NaN}'), 'syntax'],
  ['trailing comma', bytes('{"a":1,}'), 'syntax'],
  ['two values', bytes('{} {}'), 'syntax'],
  ['open string', bytes('{"a'), 'syntax'],
  ['wrong bracket', bytes('{"a":[1}'), 'syntax'],
  ['unclosed', bytes('{"a":1'), 'syntax'],
  ['empty', bytes(''), 'syntax'],
  ['key is no string', bytes('{"\\x":1}'), 'syntax'],
])('%s is refused', (_name, body, why) => {
  expect(readExactJson(body)).toMatchObject({ kind: 'refused', why });
});

test('a key named __proto__ stays a plain member and pollutes nothing', () => {
  const read = readExactText('{"params":{"arguments":{"__proto__":{"polluted":1}}}}', ['/params/arguments']);
  expect(read.kind === 'read' && read.slices.get('/params/arguments')).toBe('{"__proto__":{"polluted":1}}');
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

test('a text of four megabytes is read, and its slice is whole', () => {
  const inner = `{"list":[${'{"a":"\\"x\\"","b":1},'.repeat(200_000)}0]}`;
  const read = readExactText(`{"params":{"arguments":${inner}}}`, ['/params/arguments']);
  expect(read.kind === 'read' && read.slices.get('/params/arguments')).toBe(inner);
});
