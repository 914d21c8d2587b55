import { describe, expect, test } from 'vitest';
import { redactArguments } from '../../../electron/core/policy/redact-arguments.ts';
import { applyResultRules } from '../../../electron/core/policy/redact-result.ts';
import type { HoldTest, Redaction } from '../../../shared/model.ts';

const args = (text: string, ...redactArgs: readonly Redaction[]) => redactArguments([{ rule: 'r', redactArgs }], text);
const result = (value: unknown, ...redactResult: readonly Redaction[]) =>
  JSON.parse(applyResultRules([{ rule: 'r', redactResult }], JSON.stringify(value)).text) as unknown;

describe('redacting arguments', () => {
  test.each<[string, string, Redaction[], string]>([
    ['a field keeps its type: text', '{"a":"x","b":1}', [{ field: '/a' }], '{"a":"[redacted]","b":1}'],
    ['a number', '{"a": -1.50e3 ,"b":1}', [{ field: '/a' }], '{"a": 0 ,"b":1}'],
    ['a boolean', '{"a":true}', [{ field: '/a' }], '{"a":false}'],
    ['an object', '{"a":{"b":[1,{"c":"]}"}]},"d":2}', [{ field: '/a' }], '{"a":{},"d":2}'],
    ['an array', '{"a":[1,[2]]}', [{ field: '/a' }], '{"a":[]}'],
    ['null stays', '{"a":null}', [{ field: '/a' }], '{"a":null}'],
    ['the whole', '{"a":1}', [{ field: '' }], '{}'],
    ['within an array', '{"a":[{"p":1},{"p":2}]}', [{ field: '/a/1/p' }], '{"a":[{"p":1},{"p":0}]}'],
    ['every item', '{"a":[{"p":1},{"q":3,"p":2}]}', [{ field: '/a/*/p' }], '{"a":[{"p":0},{"q":3,"p":0}]}'],
    ['every member', '{"a":{"x":"1","y":"2"}}', [{ field: '/a/*' }], '{"a":{"x":"[redacted]","y":"[redacted]"}}'],
    ['an escaped name', '{"a/b":{"~":"x"}}', [{ field: '/a~1b/~0' }], '{"a/b":{"~":"[redacted]"}}'],
    ['a name written with escapes', '{"\\u0061":"x"}', [{ field: '/a' }], '{"\\u0061":"[redacted]"}'],
    ['what is not there', '{"b":1}', [{ field: '/a' }], '{"b":1}'],
    ['a pattern in a text', '{"t":"call 555-1234 now"}', [{ pattern: '\\d{3}-\\d{4}' }], '{"t":"call [redacted] now"}'],
    ['a pattern behind escapes', '{"t":"p\\u0061ss"}', [{ pattern: 'pass' }], '{"t":"[redacted]"}'],
    ['a pattern in a number', '{"n":4111111111111111,"m":12}', [{ pattern: '\\d{16}' }], '{"n":0,"m":12}'],
    ['a pattern in a name', '{"ann@x.org":1,"bob@x.org":2}', [{ name: 'emails' }], '{"[redacted]":1,"[redacted 2]":2}'],
    [
      'text that is JSON',
      '{"t":"{\\"ssn\\": \\"123-45-6789\\"}"}',
      [{ pattern: '\\d{3}-\\d{2}-\\d{4}' }],
      '{"t":"{\\"ssn\\": \\"[redacted]\\"}"}',
    ],
    ['JSON hidden in text', '{"t":"[\\"h\\\\u0075nter2\\"]"}', [{ pattern: 'hunter2' }], '{"t":"[\\"[redacted]\\"]"}'],
    [
      'secrets by their form',
      '{"t":"use ghp_abcdefghij0123456789 please"}',
      [{ name: 'secrets' }],
      '{"t":"use [redacted] please"}',
    ],
    ['secrets by their name', '{"password":"x","n":1}', [{ name: 'secrets' }], '{"password":"[redacted]","n":1}'],
    [
      'a password in an address',
      '{"u":"postgres://ann:hunter2@db/x"}',
      [{ name: 'secrets' }],
      '{"u":"postgres://ann:[redacted]@db/x"}',
    ],
    [
      'card numbers that check',
      '{"t":"4111 1111 1111 1111 and 4111 1111 1111 1112"}',
      [{ name: 'card_numbers' }],
      '{"t":"[redacted] and 4111 1111 1111 1112"}',
    ],
    [
      'everything else stays byte for byte',
      ' { "a" : 9007199254740993 , "s":"\\u00e9\\/x", "z":1.0,"k":"K1" } ',
      [{ pattern: 'K1' }],
      ' { "a" : 9007199254740993 , "s":"\\u00e9\\/x", "z":1.0,"k":"[redacted]" } ',
    ],
    [
      'overlapping matches are one mark',
      '{"t":"abcdef"}',
      [{ pattern: 'abcd' }, { pattern: 'cdef' }],
      '{"t":"[redacted]"}',
    ],
    ['what is found in the mark stays', '{"t":"bar"}', [{ pattern: 'r' }], '{"t":"ba[redacted]"}'],
    ['characters beyond the basic plane', '{"t":"a😀b😀"}', [{ pattern: '😀b' }], '{"t":"a[redacted]😀"}'],
  ])('%s', (_title, text, redactions, left) => {
    const redacted = args(text, ...redactions);
    expect(redacted.text).toBe(left);
    expect(args(redacted.text, ...redactions).text).toBe(left);
    expect(redacted.redactions.length > 0).toBe(left !== text);
  });

  test('says which rule took out what, and how often', () => {
    const { redactions } = redactArguments(
      [
        { rule: 'a', redactArgs: [{ field: '/x/*' }, { pattern: 'q+' }] },
        { rule: 'b', redactArgs: [{ name: 'emails' }] },
      ],
      '{"x":[1,2],"t":"qq and q","u":"q"}',
    );
    expect(redactions).toEqual([
      { rule: 'a', what: 'field /x/*', count: 2, unsearched: 0 },
      { rule: 'a', what: 'pattern q+', count: 3, unsearched: 0 },
    ]);
  });

  test('the record marks whatever was taken out', () => {
    expect(
      args('{"n":5,"b":true,"o":{"a":1},"t":"x"}', { field: '/n' }, { field: '/b' }, { field: '/o' }).recorded,
    ).toBe('{"n":"[redacted]","b":"[redacted]","o":"[redacted]","t":"x"}');
  });

  test('a text that cannot be searched in time is taken out whole, and that is told', () => {
    const slow = args(`{"t":"${'a'.repeat(400_000)}"}`, { pattern: 'a(.*b)?' });
    expect(slow.text).toBe('{"t":"[redacted]"}');
    expect(slow.redactions).toMatchObject([{ rule: 'r', unsearched: 1 }]);
  });
});

describe('redacting a result', () => {
  test('in text, in embedded resources, in structured content, everywhere a server writes', () => {
    const value = {
      content: [
        { type: 'text', text: 'key=hunter2' },
        { type: 'resource', resource: { uri: 'file:///hunter2', mimeType: 'text/plain', text: 'hunter2' } },
        { type: 'resource', resource: { uri: 'a:b', blob: Buffer.from('it is hunter2').toString('base64') } },
        { type: 'resource_link', uri: 'a:c', name: 'x', description: 'hunter2' },
        { type: 'image', mimeType: 'image/png', data: 'aHVudGVyMg==' },
      ],
      structuredContent: { deep: [{ password: 'hunter2' }], hunter2: 1 },
      _meta: { note: 'hunter2' },
      isError: false,
    };
    expect(result(value, { pattern: 'hunter2' })).toEqual({
      content: [
        { type: 'text', text: 'key=[redacted]' },
        { type: 'resource', resource: { uri: 'file:///[redacted]', mimeType: 'text/plain', text: '[redacted]' } },
        { type: 'resource', resource: { uri: 'a:b', blob: Buffer.from('it is [redacted]').toString('base64') } },
        { type: 'resource_link', uri: 'a:c', name: 'x', description: '[redacted]' },
        { type: 'image', mimeType: 'image/png', data: 'aHVudGVyMg==' },
      ],
      structuredContent: { deep: [{ password: '[redacted]' }], '[redacted]': 1 },
      _meta: { note: '[redacted]' },
      isError: false,
    });
  });

  test('a field is one of the structured content and of every text that is JSON', () => {
    const value = {
      content: [
        { type: 'text', text: '{ "user": {"email":"a", "id": 7} }' },
        { type: 'text', text: 'user' },
      ],
      structuredContent: { user: { email: 'a', id: 7 } },
      user: { email: 'kept' },
    };
    expect(result(value, { field: '/user/email' }, { field: '/user/id' })).toEqual({
      content: [
        { type: 'text', text: '{ "user": {"email":"[redacted]", "id": 0} }' },
        { type: 'text', text: 'user' },
      ],
      structuredContent: { user: { email: '[redacted]', id: 0 } },
      user: { email: 'kept' },
    });
  });

  test('prompts, resources and errors of the upstream', () => {
    expect(
      result({ messages: [{ role: 'user', content: { type: 'text', text: 'role x1' } }] }, { pattern: 'x1|user|text' }),
    ).toEqual({
      messages: [{ role: 'user', content: { type: 'text', text: 'role [redacted]' } }],
    });
    expect(result({ contents: [{ uri: 'u', text: '{"a":1}' }] }, { field: '/a' })).toEqual({
      contents: [{ uri: 'u', text: '{"a":0}' }],
    });
    expect(result({ message: 'no x1', data: { x1: 'x1', list: ['x1'] } }, { pattern: 'x1' })).toEqual({
      message: 'no [redacted]',
      data: { '[redacted]': '[redacted]', list: ['[redacted]'] },
    });
  });

  test('members of the protocol keep their names, and a result without a match its bytes', () => {
    expect(result({ content: [{ type: 'text', text: 'content' }] }, { pattern: 'content|text|type' })).toEqual({
      content: [{ type: 'text', text: '[redacted]' }],
    });
    const text = '{"content":[ {"type":"text","text":"\\u0041 1.0"} ], "structuredContent":{"n":1.0}}';
    expect(applyResultRules([{ rule: 'r', redactResult: [{ pattern: 'zzz' }] }], text)).toEqual({
      text,
      redactions: [],
      hold: null,
    });
  });
});

describe('holding a result', () => {
  const held = (value: unknown, ...holdResult: readonly HoldTest[]) =>
    applyResultRules([{ rule: 'h', holdResult, redactResult: [{ pattern: 'secret' }] }], JSON.stringify(value));
  const said = {
    content: [{ type: 'text', text: 'a secret' }],
    structuredContent: { total: 12, user: { name: 'Ann' } },
  };

  test.each<[string, HoldTest, string | null]>([
    ['always', { always: true }, 'holds every result'],
    ['by a pattern, in the result as it came', { pattern: 'secret' }, 'in which it finds its pattern secret'],
    ['by a pattern that is not there', { pattern: 'nothing' }, null],
    ['by a known pattern', { name: 'emails' }, null],
    ['by a field that is there', { field: '/user/name' }, 'finds its field /user/name'],
    ['by a field that is not there', { field: '/user/age' }, null],
    ['by a comparison', { field: '/total', op: 'gt', value: 10 }, 'whose /total is gt'],
    ['by a comparison that is false', { field: '/total', op: 'gt', value: 12 }, null],
    ['by what cannot be told', { field: '/total', op: 'gt', value: '10' }, 'whose /total'],
  ])('%s', (_title, test_, reason) => {
    const ruled = held(said, test_);
    if (reason === null) expect(ruled.hold).toBeNull();
    else expect(ruled.hold).toEqual({ rule: 'h', reason: expect.stringContaining(reason) });
    expect(ruled.text).toContain('a [redacted]');
  });

  test('one test of several is enough, and the first rule by name is told', () => {
    const text = JSON.stringify(said);
    const both = [
      { rule: 'a', holdResult: [{ pattern: 'nothing' }, { field: '/total' }] },
      { rule: 'b', holdResult: [{ always: true }] },
    ] as const;
    expect(applyResultRules(both, text).hold?.rule).toBe('a');
    expect(applyResultRules([both[1]], text).hold?.rule).toBe('b');
  });
});
