import { diffWordsWithSpace } from 'diff';

/** A stretch of two texts that is in both, or only in the one before or in the one after. */
export interface Stretch {
  readonly kind: 'same' | 'removed' | 'added';
  readonly text: string;
}

/**
 * What changed between two texts, word by word, white space included: without the added stretches it is `before`, without
 * the removed ones it is `after`, to the letter. Texts that have little in common are shown as one replaced by the other
 * between what is the same at both ends, so that no text takes longer than `MOST_EDITS` allow.
 */
export function wordDifference(before: string, after: string): readonly Stretch[] {
  const changes = diffWordsWithSpace(before, after, { maxEditLength: MOST_EDITS });
  if (changes === undefined) return sameEnds(before, after);
  return withoutIslands(
    changes.map(({ added, removed, value }) => ({
      kind: added ? 'added' : removed ? 'removed' : 'same',
      text: value,
    })),
  );
}

/** The work grows with the square of it. */
const MOST_EDITS = 1_000;

function sameEnds(before: string, after: string): readonly Stretch[] {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start += 1;
  if (isFirstHalf(before, start - 1)) start -= 1;
  let end = 0;
  while (end < shorter - start && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  if (end > 0 && isFirstHalf(before, before.length - end - 1)) end -= 1;
  const stretches: readonly Stretch[] = [
    { kind: 'same', text: before.slice(0, start) },
    { kind: 'removed', text: before.slice(start, before.length - end) },
    { kind: 'added', text: after.slice(start, after.length - end) },
    { kind: 'same', text: before.slice(before.length - end) },
  ];
  return stretches.filter(({ text }) => text !== '');
}

/** Of a character that takes two units: it must not be torn from the other half. */
function isFirstHalf(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0xd800 && unit <= 0xdbff;
}

/** A lone space between two replaced words reads as part of one replacement. */
function withoutIslands(stretches: readonly Stretch[]): readonly Stretch[] {
  const whole: Stretch[] = [];
  let removed = '';
  let added = '';
  const flush = () => {
    if (removed !== '') whole.push({ kind: 'removed', text: removed });
    if (added !== '') whole.push({ kind: 'added', text: added });
    [removed, added] = ['', ''];
  };
  for (const [index, stretch] of stretches.entries()) {
    if (stretch.kind === 'removed') removed += stretch.text;
    else if (stretch.kind === 'added') added += stretch.text;
    else if (removed !== '' && added !== '' && index + 2 < stretches.length && /^[ \t]$/.test(stretch.text)) {
      removed += stretch.text;
      added += stretch.text;
    } else {
      flush();
      whole.push(stretch);
    }
  }
  flush();
  return whole;
}
