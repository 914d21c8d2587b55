/**
 * Porter's stemmer for English (M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980), for lower-case
 * words: `listing`, `lists` and `listed` meet in `list`. Words with anything but a–z come back as they are.
 */
export function stem(word: string): string {
  if (word.length < 3 || !/^[a-z]+$/.test(word)) return word;
  return tidyEnd(dropLast(dropLong(dropMiddle(dropEnding(yToI(dropPast(dropPlural(word))))))));
}

/** Step 1a. */
function dropPlural(word: string): string {
  if (word.endsWith('sses') || word.endsWith('ies')) return word.slice(0, -2);
  if (word.endsWith('s') && !word.endsWith('ss')) return word.slice(0, -1);
  return word;
}

/** Step 1b. */
function dropPast(word: string): string {
  if (word.endsWith('eed')) return measure(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word;
  const ending = word.endsWith('ed') ? 'ed' : word.endsWith('ing') ? 'ing' : null;
  if (ending === null) return word;
  const left = word.slice(0, -ending.length);
  if (!hasVowel(left)) return word;
  if (/(?:at|bl|iz)$/.test(left)) return `${left}e`;
  if (endsDouble(left) && !/[lsz]$/.test(left)) return left.slice(0, -1);
  return measure(left) === 1 && endsShort(left) ? `${left}e` : left;
}

/** Step 1c. */
const yToI = (word: string): string =>
  word.endsWith('y') && hasVowel(word.slice(0, -1)) ? `${word.slice(0, -1)}i` : word;

/** Steps 2 to 4: the first ending that fits is replaced when enough of the word is left. */
const dropEnding = (word: string): string => replaceEnding(word, STEP_2, 0);
const dropMiddle = (word: string): string => replaceEnding(word, STEP_3, 0);

function dropLong(word: string): string {
  for (const ending of STEP_4) {
    if (!word.endsWith(ending)) continue;
    const left = word.slice(0, -ending.length);
    return measure(left) > 1 && (ending !== 'ion' || /[st]$/.test(left)) ? left : word;
  }
  return word;
}

/** Step 5a. */
function dropLast(word: string): string {
  if (!word.endsWith('e')) return word;
  const left = word.slice(0, -1);
  const syllables = measure(left);
  return syllables > 1 || (syllables === 1 && !endsShort(left)) ? left : word;
}

/** Step 5b. */
const tidyEnd = (word: string): string => (word.endsWith('ll') && measure(word) > 1 ? word.slice(0, -1) : word);

function replaceEnding(word: string, endings: readonly (readonly [string, string])[], atLeast: number): string {
  for (const [ending, replacement] of endings) {
    if (!word.endsWith(ending)) continue;
    const left = word.slice(0, -ending.length);
    return measure(left) > atLeast ? left + replacement : word;
  }
  return word;
}

const STEP_2: readonly (readonly [string, string])[] = [
  ['ational', 'ate'],
  ['tional', 'tion'],
  ['enci', 'ence'],
  ['anci', 'ance'],
  ['izer', 'ize'],
  ['abli', 'able'],
  ['alli', 'al'],
  ['entli', 'ent'],
  ['eli', 'e'],
  ['ousli', 'ous'],
  ['ization', 'ize'],
  ['ation', 'ate'],
  ['ator', 'ate'],
  ['alism', 'al'],
  ['iveness', 'ive'],
  ['fulness', 'ful'],
  ['ousness', 'ous'],
  ['aliti', 'al'],
  ['iviti', 'ive'],
  ['biliti', 'ble'],
];

const STEP_3: readonly (readonly [string, string])[] = [
  ['icate', 'ic'],
  ['ative', ''],
  ['alize', 'al'],
  ['iciti', 'ic'],
  ['ical', 'ic'],
  ['ful', ''],
  ['ness', ''],
];

const STEP_4 = 'ement ance ence able ible ment ant ent ism ate iti ous ive ize ion ou al er ic'.split(' ');

/** y is a consonant at the start and after a vowel. */
function isConsonant(word: string, at: number): boolean {
  const letter = word[at] ?? '';
  if ('aeiou'.includes(letter)) return false;
  return letter !== 'y' || at === 0 || !isConsonant(word, at - 1);
}

/** How often a run of vowels is followed by one of consonants. */
function measure(word: string): number {
  let runs = 0;
  let afterVowel = false;
  for (let at = 0; at < word.length; at += 1) {
    const consonant = isConsonant(word, at);
    if (consonant && afterVowel) runs += 1;
    afterVowel = !consonant;
  }
  return runs;
}

const hasVowel = (word: string): boolean => [...word].some((_, at) => !isConsonant(word, at));

const endsDouble = (word: string): boolean =>
  word.length > 1 && word.at(-1) === word.at(-2) && isConsonant(word, word.length - 1);

/** Consonant, vowel, consonant, the last not w, x or y. */
const endsShort = (word: string): boolean =>
  word.length > 2 &&
  isConsonant(word, word.length - 3) &&
  !isConsonant(word, word.length - 2) &&
  isConsonant(word, word.length - 1) &&
  !/[wxy]$/.test(word);
