import { expect, test } from 'vitest';
import { toldOfEdit } from '../../../electron/core/call/edited.ts';
import type { CallEnding } from '../../../electron/core/call-tool.ts';

function answered(resultText: string): CallEnding {
  return { kind: 'answered', result: JSON.parse(resultText), resultText, bytes: Buffer.byteLength(resultText) };
}

const NOTICE = JSON.stringify({
  type: 'text',
  text: 'The person changed the arguments of this call before approving it.\nIt ran with these arguments: {"n":1.0}',
});

test.each([
  [
    'digits, order and strangers stay as they were written',
    '{"10":1,"content":[{"type":"text","text":"a","n":9007199254740993}],"_meta":{"x":1.0},"structuredContent":{"2":0,"1":0}}',
    `{"10":1,"structuredContent":{"2":0,"1":0},"content":[{"type":"text","text":"a","n":9007199254740993},${NOTICE}],"_meta":{"x":1.0,"gatehouse/edited":true}}`,
  ],
  ['a result without content gets one', '{}', `{"content":[${NOTICE}],"_meta":{"gatehouse/edited":true}}`],
  [
    'an empty list holds the notice alone',
    '{"content":[ ],"_meta":null}',
    `{"content":[${NOTICE}],"_meta":{"gatehouse/edited":true}}`,
  ],
])('an agent is told of an edit, and %s', (_claim, resultText, told) => {
  const ending = toldOfEdit(answered(resultText), '{"n":1.0}');
  expect(ending).toEqual({
    kind: 'answered',
    result: JSON.parse(told),
    resultText: told,
    bytes: Buffer.byteLength(told),
  });
});

test('a refusal is not about what ran, and stays as it is', () => {
  const refusal: CallEnding = { kind: 'refused', errorClass: 'paused', message: 'Paused.', rule: null };
  expect(toldOfEdit(refusal, '{}')).toBe(refusal);
});
