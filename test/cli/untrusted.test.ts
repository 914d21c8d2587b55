import { expect, test } from 'vitest';
import { table } from '../../electron/cli/terminal.ts';
import { visible, visibleLines } from '../../electron/cli/untrusted.ts';

test.each([
  ['an escape sequence that clears the screen', '\u001b[2Jok', '\\u{1b}[2Jok'],
  ['a carriage return that overwrites the line', 'bad\rgood', 'bad\\rgood'],
  ['a line end in a name', 'a\nb', 'a\\nb'],
  ['an 8-bit control sequence', '\u009b31m', '\\u{9b}31m'],
  ['a right-to-left override', 'gpj\u202eexe', 'gpj\\u{202e}exe'],
  ['an isolate', '\u2066x\u2069', '\\u{2066}x\\u{2069}'],
  ['a zero-width space', 'a\u200bb', 'a\\u{200b}b'],
  ['tag characters that spell for a model only', '\u{E0068}\u{E0069}', '\\u{e0068}\\u{e0069}'],
  ['a variation selector that carries data', 'a\u{E0101}', 'a\\u{e0101}'],
  ['a filler that looks like nothing', 'a\u3164b', 'a\\u{3164}b'],
  ['a line separator', 'a\u2028b', 'a\\u{2028}b'],
  ['a lone surrogate', 'a\ud800b', 'a\\u{d800}b'],
  ['a bell', '\u0007', '\\u{7}'],
])('%s is written out', (_, text, shown) => {
  expect(visible(text)).toBe(shown);
});

test('text of the world is left as it is', () => {
  const text = 'Grüße, 你好, مرحبا, שלום, naïve café, 🚀 é';
  expect(visible(text)).toBe(text);
});

test('lines of their text all stand behind the margin, so that none can pose as ours', () => {
  expect(visibleLines('one\ntwo\r\n\u001b[1A! accepted', '| ')).toBe('| one\n| two\n| \\u{1b}[1A! accepted');
});

test('a cell of a table cannot break its row', () => {
  expect(table(['A', 'B'], [['x\ny', '\u001b[31m']])).toEqual(['A     B', 'x\\ny  \\u{1b}[31m']);
});
