import { useMemo } from 'react';
import { wordDifference } from '../../shared/word-difference.ts';
import { Visible } from './visible.tsx';

/** Two texts in one, changed words marked by more than colour; what cannot be seen is written out. */
export function Words({ before, after }: { readonly before: string; readonly after: string }) {
  const stretches = useMemo(() => wordDifference(before, after), [before, after]);
  return stretches.map(({ kind, text }, index) => {
    const Marked = kind === 'removed' ? 'del' : kind === 'added' ? 'ins' : 'span';
    return (
      // biome-ignore lint/suspicious/noArrayIndexKey: the stretches of two texts never move.
      <Marked key={index}>
        <Visible text={kind === 'same' ? text : seenSpaces(text)} />
      </Marked>
    );
  });
}

/** A change of white space alone, as signs for it: a mark around nothing would be overlooked. */
function seenSpaces(text: string): string {
  return /^[ \n]+$/.test(text) ? text.replaceAll(' ', '␣').replaceAll('\n', '↵\n') : text;
}
