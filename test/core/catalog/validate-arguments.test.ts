import { expect, test } from 'vitest';
import type { Tool } from '../../../electron/core/catalog/inventory.ts';
import { createArgumentCheck } from '../../../electron/core/catalog/validate-arguments.ts';

let count = 0;
function toolWith(properties: object, more: object = {}): Tool {
  count += 1;
  return {
    fingerprint: `fingerprint-${count}`,
    reviewed: { name: 'tool', inputSchema: { type: 'object', properties, ...more } },
  } as unknown as Tool;
}

test('each pattern of a schema is checked with its own text', () => {
  const check = createArgumentCheck();
  const tool = toolWith({ a: { type: 'string', pattern: '^a+$' }, b: { type: 'string', pattern: '^b+$' } });
  expect(check(tool, '{"a":"aa","b":"bb"}')).toMatchObject({ kind: 'valid' });
  expect(check(tool, '{"a":"bb"}')).toEqual({ kind: 'invalid', message: 'Field "a" must match pattern "^a+$".' });
  expect(check(tool, '{"a":"aa","b":"aa"}')).toEqual({
    kind: 'invalid',
    message: 'Field "b" must match pattern "^b+$".',
  });
});

test('a pattern that the linear-time engine does not know is checked all the same', () => {
  const check = createArgumentCheck();
  const tool = toolWith({ name: { type: 'string', pattern: '^(?!-)[a-z-]+$' } });
  expect(check(tool, '{"name":"a-b"}')).toMatchObject({ kind: 'valid' });
  expect(check(tool, '{"name":"-b"}')).toMatchObject({ kind: 'invalid' });
});

test.each([
  ['a pattern that backtracks for ever', toolWith({ s: { pattern: '^(?=(a+)+$)' } })],
  ['definitions that refer to each other twice', toolWith({ s: { $ref: '#/$defs/d0' } }, { $defs: doubling(28) })],
])('%s is given up, and the caller is told', (_what, tool) => {
  const check = createArgumentCheck();
  const text = JSON.stringify({ s: `${'a'.repeat(40)}!` });
  expect(check(tool, text)).toEqual({
    kind: 'invalid',
    message: "The arguments take too long to check against the tool's schema; send less.",
  });
});

test('a schema that does not compile in time leaves the check to the upstream', () => {
  const check = createArgumentCheck();
  const properties = Object.fromEntries(
    Array.from({ length: 30_000 }, (_, at) => [`p${at}`, { type: 'string', pattern: `^a${at}`, enum: [`a${at}`] }]),
  );
  expect(check(toolWith(properties), '{"p1":7}')).toMatchObject({ kind: 'valid' });
});

test('a field that is missing, unknown or of the wrong type is named', () => {
  const check = createArgumentCheck();
  const tool = toolWith({ n: { type: 'integer' } }, { required: ['n'], additionalProperties: false });
  expect(check(tool, '{}')).toEqual({ kind: 'invalid', message: 'Field "n" is missing.' });
  expect(check(tool, '{"n":"1"}')).toEqual({ kind: 'invalid', message: 'Field "n" must be integer.' });
  expect(check(tool, '{"n":1,"m":2}')).toEqual({
    kind: 'invalid',
    message: 'Field "m" is not one of this tool\'s fields.',
  });
  expect(check(tool, '[]')).toEqual({ kind: 'invalid', message: 'The arguments must be a JSON object.' });
});

/** Each definition tries the next one twice, so the last is tried 2^n times. */
function doubling(levels: number): object {
  const next = (at: number) => ({ $ref: `#/$defs/d${at + 1}` });
  const steps = Array.from({ length: levels }, (_, at) => [`d${at}`, { anyOf: [next(at), next(at)] }]);
  return { ...Object.fromEntries(steps), [`d${levels}`]: { type: 'number' } };
}
