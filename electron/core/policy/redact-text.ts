import { REDACTED } from '../audit/redact.ts';
import type { Finder, SearchTime, Span } from './search.ts';

/** A finder and what is told of it when it found something. */
export interface Named<F> {
  readonly finder: F;
  /** How often it found something. */
  found(times: number): void;
  /** A text could not be searched in its time, and was taken out whole. */
  gaveUp(): void;
}

/**
 * The text without what the finders find in it, each stretch of it replaced by one mark; the same text when they find
 * nothing. All are searched for in the same text and what they find is united, so their order does not matter. What is
 * found in the result of that is taken out as well, and in the end nothing is found but within marks. A text that cannot
 * be searched in its time is taken out whole: null finder, or the time is over.
 */
export function redactText(text: string, finders: readonly Named<Finder | null>[], time: SearchTime): string {
  let left = text;
  for (let pass = 1; pass <= PASSES; pass += 1) {
    const marks = marksIn(left);
    const found: Span[] = [];
    for (const { finder, found: tell, gaveUp } of finders) {
      const spans = (time.spend(left.length) ? finder?.spans(left, time) : null) ?? null;
      if (spans === null) {
        gaveUp();
        return REDACTED;
      }
      const outside = spans.filter((span) => !isWithin(span, marks));
      if (outside.length === 0) continue;
      if (pass === 1) tell(outside.length);
      found.push(...outside);
    }
    if (found.length === 0) return left;
    left = without(left, found);
  }
  // A pattern that finds itself in what it leaves: nothing is left then.
  return REDACTED;
}

/** What redaction leaves at most to be redacted again: more comes of patterns made for it. */
const PASSES = 4;

function marksIn(text: string): readonly Span[] {
  const marks: Span[] = [];
  for (let at = text.indexOf(REDACTED); at >= 0; at = text.indexOf(REDACTED, at + REDACTED.length)) {
    marks.push([at, at + REDACTED.length]);
  }
  return marks;
}

/** Marks are in order and never overlap: only the last that begins before the span can hold it. */
function isWithin([start, end]: Span, marks: readonly Span[]): boolean {
  let low = 0;
  let high = marks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (marks[middle]![0] <= start) low = middle + 1;
    else high = middle;
  }
  const mark = marks[low - 1];
  return mark !== undefined && end <= mark[1];
}

/** Overlapping spans become one mark. */
function without(text: string, found: readonly Span[]): string {
  const pieces: string[] = [];
  let at = 0;
  let open: { start: number; end: number } | null = null;
  const close = () => {
    if (open === null) return;
    pieces.push(text.slice(at, open.start), REDACTED);
    at = open.end;
  };
  for (const [start, end] of found.toSorted((a, b) => a[0] - b[0])) {
    if (open !== null && start < open.end) open.end = Math.max(open.end, end);
    else {
      close();
      open = { start, end };
    }
  }
  close();
  return pieces.join('') + text.slice(at);
}
