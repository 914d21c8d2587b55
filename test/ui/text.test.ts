import { describe, expect, test } from 'vitest';
import { hidesSomething, visiblePieces, visibleString } from '../../renderer/card/escapes.ts';
import { countValues, parseExact } from '../../renderer/card/exact-json.ts';
import { secretsIn } from '../../renderer/card/secrets.ts';

describe('hidden characters', () => {
  test.each([
    ['every bidi control', '\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c'],
    ['zero-width characters and fillers', '\u200b\u200c\u200d\u2060\ufeff\u180e\u115f\u3164\u2800'],
    ['tag characters and variation selectors', '\u{e0041}\u{e007f}\ufe0f\u{e0100}'],
    ['control characters', '\u0000\u0008\t\r\u001b\u007f\u0085\u009b'],
    ['separators and spaces that are not a space', '\u2028\u2029\u00a0\u2003\u202f\u3000'],
    ['halves of characters, private and unassigned ones', '\ud800\udfff\ue000\u{10ffff}'],
  ])('%s are all shown as escapes', (_, text) => {
    const pieces = visiblePieces(text);
    expect(pieces).toHaveLength([...text].length);
    expect(pieces.every((piece) => piece.kind === 'escape')).toBe(true);
    expect(visibleString(text)).toMatch(/^(?:\\u[0-9a-f]{4}|\\u\{[0-9a-f]+\})+$/);
  });

  test('letters, emoji, right-to-left letters, ordinary marks and line breaks stay as they are', () => {
    for (const text of ['Grüße, e\u0301', '漢字 😀', 'שלום', 'a\nb']) {
      expect(visibleString(text)).toBe(text);
      expect(hidesSomething(text)).toBe(false);
    }
  });

  test('marks piled on one letter are cut down to three', () => {
    expect(visibleString(`a${'\u0301'.repeat(5)}`)).toBe(`a${'\u0301'.repeat(3)}\\u0301\\u0301`);
  });

  test('an escape that is written in the text and one that is made are told apart', () => {
    expect(visiblePieces('\\u202e\u202e').map((piece) => piece.kind)).toEqual(['text', 'escape']);
  });
});

describe('exact JSON', () => {
  test('numbers stay as written, members keep their order, repeated names are all there', () => {
    const json = parseExact('{"b":1.0,"a":9007199254740993,"b":-1E+2}');
    expect(json).toMatchObject({
      members: [
        { name: 'b', value: { kind: 'literal', text: '1.0' } },
        { name: 'a', value: { kind: 'literal', text: '9007199254740993' } },
        { name: 'b', value: { kind: 'literal', text: '-1E+2' } },
      ],
    });
  });

  test('every value knows where it stands', () => {
    const text = ' { "a" : [ "x\\"y" , null ] } ';
    const json = parseExact(text);
    expect(json && text.slice(json.from, json.to)).toBe('{ "a" : [ "x\\"y" , null ] }');
    expect(json && countValues(json)).toBe(4);
  });

  test.each(['', '{', '{"a":}', '[1,]', '"open', '01', '{"a":1} x', "{'a':1}", '"a\nb"', '"\\x"'])(
    '%j is not JSON',
    (text) => {
      expect(parseExact(text)).toBeNull();
    },
  );

  test('three megabytes in one string are read at once, and nesting without end is refused', () => {
    const long = JSON.stringify({ code: 'x\\"'.repeat(1_000_000) });
    expect(parseExact(long)).toMatchObject({ kind: 'object', to: long.length });
    expect(parseExact('['.repeat(100_000))).toBeNull();
  });
});

describe('secrets', () => {
  const masked = (text: string) => secretsIn(parseExact(text)!).map(({ from, to }) => text.slice(from, to));

  test('are known by their form or by the name of their member', () => {
    expect(masked('{"x":"ghp_abcdefghijklmnopqrstuvwx","apiKey":"k","nested":{"auth_token":"t"}}')).toEqual([
      '"ghp_abcdefghijklmnopqrstuvwx"',
      '"k"',
      '"t"',
    ]);
  });

  test('a sentence, a long text and a number under such a name are not masked', () => {
    expect(masked(`{"password":"rm -rf /","token":"${'x'.repeat(600)}","secret":1,"path":"/etc"}`)).toEqual([]);
  });
});
