import type { RE2JS } from 're2js';
import type { KnownPattern } from '../../../shared/model.ts';
import { FORMS, REDACTED } from '../audit/redact.ts';
import { createTimeLimit, TOO_LONG } from '../time-limit.ts';
import { compilePattern } from './conditions.ts';

/** A match: from the first character to the one behind the last. */
export type Span = readonly [start: number, end: number];

export interface Finder {
  /** Every match, without the empty ones; null when they cannot be found within the time that is left. */
  spans(text: string, time: SearchTime): readonly Span[] | null;
}

/**
 * What one text may still cost, in CPU time of this thread: a pattern is linear in the text, but thousands of matches of
 * it need not be, and everybody waits meanwhile (P22).
 */
export interface SearchTime {
  /** Tells about how many characters are searched next; false: the time is over. */
  spend(characters: number): boolean;
}

/** Searching one arguments text, or one result, takes no longer. */
export const SEARCH_MS = 250;

export function searchTime(ms: number = SEARCH_MS): SearchTime {
  const spent = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  const end = spent() + ms;
  let unlooked = 0;
  let isOver = false;
  return {
    spend(characters) {
      unlooked += characters;
      if (unlooked < LOOK_AFTER || isOver) return !isOver;
      unlooked = 0;
      isOver = spent() > end;
      return !isOver;
    },
  };
}

/** Characters between two looks at the time, which cost as much as a few hundred of them. */
const LOOK_AFTER = 20_000;

/** Null: the pattern cannot be compiled, so it cannot be told what it would find. */
export function patternFinder(pattern: string): Finder | null {
  let compiled = compilePattern(pattern);
  if (typeof compiled === 'string') return null;
  return {
    spans(text, time) {
      if (typeof compiled === 'string') return null;
      const { regex, size } = compiled;
      if (text.length * size <= QUICK_STEPS) return allIn(regex, text, time);
      const found = withinLimit(() => allIn(regex, text, time));
      if (found !== TOO_LONG) return found;
      // Stopped at any point, its own memory of states may be half written.
      compiled = compilePattern(pattern);
      return null;
    },
  };
}

function allIn(regex: RE2JS, text: string, time: SearchTime): readonly Span[] | null {
  const spans: Span[] = [];
  const matcher = regex.matcher(text);
  while (matcher.find()) {
    if (matcher.end() > matcher.start()) spans.push([matcher.start(), matcher.end()]);
    // Each match may have looked far ahead before it was one.
    if (!time.spend(text.length - matcher.end())) return null;
  }
  return spans;
}

const withinLimit = createTimeLimit(SEARCH_MS);
/** Instructions times characters that one search is through with at once; the slowest found ran 28 million a second. */
const QUICK_STEPS = 1_000_000;

export const KNOWN: Readonly<Record<KnownPattern, Finder>> = {
  secrets: { spans: (text) => FORMS.flatMap(([form, by]) => spansOf(text, form, by)) },
  emails: { spans: (text) => spansOf(text, EMAIL) },
  card_numbers: {
    spans: (text) => spansOf(text, DIGITS).filter(([start, end]) => isCardNumber(text.slice(start, end))),
  },
};

/** Bounded on both sides, so that a long run of letters costs no more than its length. */
const EMAIL = /[\p{L}\p{N}._%+-]{1,64}@[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){1,8}/gu;
/** 13 to 19 digits, as cards have them, alone or in groups. */
const DIGITS = /(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)/g;

/** The last digit is a check on the others (ISO/IEC 7812-1, Luhn). */
function isCardNumber(text: string): boolean {
  const digits = Array.from(text.replace(/\D/g, ''), Number).toReversed();
  const sum = digits.reduce(
    (total, digit, at) => total + (at % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2),
    0,
  );
  return sum % 10 === 0;
}

/** `by`: what would take its place; what of the match is kept stands in it before and after the mark. */
function spansOf(text: string, form: RegExp, by: string = REDACTED): readonly Span[] {
  const [before = '', after = ''] = by.split(REDACTED);
  return Array.from(text.matchAll(form), (match): Span => {
    const kept = before === '' ? 0 : (match[1]?.length ?? 0);
    return [match.index + kept, match.index + match[0].length - after.length];
  });
}
