import { useMemo } from 'react';
import { visiblePieces, visibleString } from './escapes.ts';

/** Beyond this many, escapes are written into the text instead of being elements, so that no text freezes the window. */
const ELEMENTS_AT_MOST = 2000;

/** Text of somebody else: always text, and nothing in it hidden. */
export function Visible({ text }: { readonly text: string }) {
  const pieces = useMemo(() => visiblePieces(text), [text]);
  if (pieces.length > ELEMENTS_AT_MOST) return <bdi>{visibleString(text)}</bdi>;
  return (
    <bdi>
      {pieces.map((piece, index) =>
        piece.kind === 'text' ? (
          piece.text
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of one text never move.
          <span key={index} className="escape" title={`${piece.escape}: ${piece.name}`}>
            {piece.escape}
          </span>
        ),
      )}
    </bdi>
  );
}
