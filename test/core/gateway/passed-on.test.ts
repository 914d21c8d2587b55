import { expect, test } from 'vitest';
import { completionPassedOn, unknownMembers } from '../../../electron/core/gateway/passed-on.ts';

const of = (text: string) => new Map([['/params', text]]);

test('of a call only what the protocol does not name goes on, as it was written', () => {
  const text =
    '{"name":"a","x":1.0,"arguments":{"n":1},"_meta":{},"task":{},"inputResponses":{},"requestState":"s","y":{"10":1,"2":2}}';
  expect(unknownMembers(of(text))).toBe('{"x":1.0,"y":{"10":1,"2":2}}');
  expect(unknownMembers(of('{"x":1.0}'))).toBe('{"x":1.0}');
  expect(unknownMembers(new Map())).toBe('{}');
});

test('of a completion all goes on but what belongs to the hop, and what could pass for another of its members', () => {
  const own =
    '"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"1.0"},"context":{"arguments":{"b":"2"}}';
  expect(completionPassedOn(of(`{${own},"x":1.0}`))).toBe(`{${own},"x":1.0}`);
  for (const member of [
    '"Ref":{}',
    '"ARGUMENT":{}',
    '"con\\u200btext":{}',
    '"_meta":{}',
    '"requestState":"s"',
    '"Name":"q"',
  ])
    expect(completionPassedOn(of(`{${member},${own}}`)), member).toBe(`{${own}}`);
});
