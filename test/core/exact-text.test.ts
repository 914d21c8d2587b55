import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { membersOf, textAt, withoutMembers } from '../../electron/core/exact-members.ts';
import {
  exactError,
  exactly,
  exactTextOf,
  sealed,
  unsealed,
  withoutMeta,
  writeExact,
} from '../../electron/core/exact-text.ts';
import { sameCasesEveryTime } from '../support/seed.ts';

sameCasesEveryTime();

const RAW = '{ "n" : 9007199254740993 ,"10":1.0,\t"2":{"a":"}\\"]"},"s":"\\u00e9","l":[ {"x":1e400} ] }';

describe('the members of a text', () => {
  test('stand as they were written, in their order', () => {
    expect(membersOf(RAW)).toEqual([
      { name: 'n', source: '"n" : 9007199254740993', value: '9007199254740993' },
      { name: '10', source: '"10":1.0', value: '1.0' },
      { name: '2', source: '"2":{"a":"}\\"]"}', value: '{"a":"}\\"]"}' },
      { name: 's', source: '"s":"\\u00e9"', value: '"\\u00e9"' },
      { name: 'l', source: '"l":[ {"x":1e400} ]', value: '[ {"x":1e400} ]' },
    ]);
    expect(membersOf(' { } ')).toEqual([]);
    expect(membersOf('[1]')).toEqual([]);
  });

  test('are found for any object, however it is written', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom('', ' ', '\n\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const members = membersOf(text);
        expect(members.map(({ name, value: own }) => [name, JSON.parse(own)])).toEqual(
          Object.entries(value).map(([name, own]) => [name, JSON.parse(JSON.stringify(own))]),
        );
        expect(JSON.parse(`{${members.map(({ source }) => source).join(',')}}`)).toEqual(JSON.parse(text));
      }),
    );
  });

  test('are left out by the name a reader sees, and nothing else is touched', () => {
    expect(withoutMembers('{"\\u006e":1,"m":2.0}', (name) => name === 'n')).toBe('{"m":2.0}');
    expect(withoutMembers(RAW, (name) => name === 'absent')).toBe(RAW);
    expect(textAt(RAW, ['2', 'a'])).toBe('"}\\"]"');
    expect(textAt(RAW, ['2', 'b'])).toBeNull();
    expect(withoutMeta('{"_meta":{"a":1.0,"b":2.0},"c":3.0}', (name) => name === 'a')).toBe(
      '{"c":3.0,"_meta":{"b":2.0}}',
    );
    expect(withoutMeta('{"_meta":{"a":1.0},"c":3.0}', (name) => name === 'a')).toBe('{"c":3.0}');
  });
});

describe('a value with exact texts', () => {
  test('is written with the texts in their places, and what is set beside a text replaces its members', () => {
    expect(writeExact({ a: exactly(RAW) })).toBe(`{"a":${RAW}}`);
    expect(writeExact({ ...exactly('{"a":1.0,"b":2.0}'), a: 'own', c: undefined })).toBe('{"b":2.0,"a":"own"}');
    expect(writeExact([exactly('{"a":1.0}'), null])).toBe('[{"a":1.0},null]');
  });

  test('is written as by JSON.stringify where it has none', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void expect(writeExact(value)).toBe(JSON.stringify(value))));
  });

  test('travels sealed through JSON.stringify, and only where there is something exact', () => {
    const request = {
      jsonrpc: '2.0',
      id: 7,
      method: 'tools/call',
      params: { name: 'x', arguments: exactly(RAW), ...exactly('{}') },
    };
    expect(unsealed(JSON.stringify(sealed(request)))).toEqual({
      text: `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x","arguments":${RAW}}}`,
      id: 7,
      method: 'tools/call',
    });
    expect(Object.keys(sealed(request))).toEqual(Object.keys(request));
    const plain = { jsonrpc: '2.0', id: 7, result: { 'gatehouse:exact': 'said by an upstream' } };
    expect(sealed(plain)).toBe(plain);
    expect(unsealed(JSON.stringify(plain)).text).toBe(JSON.stringify(plain));
    const error = { jsonrpc: '2.0', id: 7, error: { code: 1, message: 'm', data: exactError('{"code":1,"x":1.0}') } };
    expect(exactTextOf(error)).toBe('{"jsonrpc":"2.0","id":7,"error":{"code":1,"x":1.0}}');
  });
});
