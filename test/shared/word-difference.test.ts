import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Stretch, wordDifference } from '../../shared/word-difference.ts';
import { sameCasesEveryTime } from '../support/seed.ts';

sameCasesEveryTime();

const written = (stretches: readonly Stretch[]) =>
  stretches
    .map(({ kind, text }) => (kind === 'same' ? text : kind === 'removed' ? `[-${text}-]` : `{+${text}+}`))
    .join('');
const side = (stretches: readonly Stretch[], without: Stretch['kind']) =>
  stretches.flatMap(({ kind, text }) => (kind === without ? [] : [text])).join('');

test.each([
  ['one character', 'it was given.', 'it was given!', 'it was given[-.-]{+!+}'],
  ['one word', 'and returns its content', 'and mails its content', 'and [-returns-]{+mails+} its content'],
  ['words side by side', 'one two three four', 'one zwei drei four', 'one [-two three-]{+zwei drei+} four'],
  ['a space more', 'a b', 'a  b', 'a[- -]{+  +}b'],
  ['a line end', 'a\nb', 'a\r\nb', 'a[-\n-]{+\r\n+}b'],
  ['a character that cannot be seen', 'a b', 'a\u200b b', 'a{+\u200b+} b'],
  ['a Cyrillic letter', 'read a file', 'r\u0435ad a file', '[-read-]{+r\u0435ad+} a file'],
  ['text from nothing', '', 'x', '{+x+}'],
  ['nothing', 'the same', 'the same', 'the same'],
])('%s is marked, and nothing else', (_, before, after, marked) => {
  expect(written(wordDifference(before, after))).toBe(marked);
});

/** Few words, many spaces: texts that have much in common and differ in every way. */
const text = fc
  .array(
    fc.constantFrom('a', 'b', 'c', ' ', '  ', '\n', '\r\n', '.', '\u200b', '\u202e', '\u{1f600}', 'ä', '漢', '\ud800'),
  )
  .map((parts) => parts.join(''));

test('without what was added it is the text before, without what was removed the text after, to the letter', () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      const stretches = wordDifference(before, after);
      expect(side(stretches, 'added')).toBe(before);
      expect(side(stretches, 'removed')).toBe(after);
    }),
  );
});

test('texts with nothing in common are one replaced by the other, between what is the same at both ends', () => {
  const many = (letter: string) => Array.from({ length: 3000 }, (_, n) => `${letter}${n}`).join(' ');
  const [before, after] = [`start \u{1f600}${many('x')} end`, `start \u{1f601}${many('y')} end`];
  const stretches = wordDifference(before, after);
  expect(stretches.map(({ kind }) => kind)).toEqual(['same', 'removed', 'added', 'same']);
  expect([stretches[0]?.text, stretches[3]?.text]).toEqual(['start ', '2999 end']);
  expect(side(stretches, 'added')).toBe(before);
  expect(side(stretches, 'removed')).toBe(after);
});
