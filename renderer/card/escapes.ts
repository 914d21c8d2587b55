/** A piece of untrusted text: as it is, or one character that must be shown as its escape. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'escape'; readonly escape: string; readonly name: string };

/**
 * Splits text so that nothing in it is invisible, re-orders its neighbours or looks like a plain space: control, format,
 * unassigned and private characters, lone surrogates, default-ignorables, line and paragraph separators, spaces other
 * than U+0020, and marks piled more than three high (security rows F3 and F5). Line feeds stay; whoever shows them
 * breaks the line.
 */
export function visiblePieces(text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match[0] === '\n') continue;
    if (match.index > from) pieces.push({ kind: 'text', text: text.slice(from, match.index) });
    pieces.push(escapeOf(match[0]));
    from = match.index + match[0].length;
  }
  if (from < text.length) pieces.push({ kind: 'text', text: text.slice(from) });
  return pieces;
}

/** The same as one string, for places that hold text alone: titles, labels, very long text. */
export function visibleString(text: string): string {
  return text.replace(HIDDEN, (character) => (character === '\n' ? character : escapeOf(character).escape));
}

/** Whether text holds anything that is shown as an escape. */
export function hidesSomething(text: string): boolean {
  for (const match of text.matchAll(HIDDEN)) if (match[0] !== '\n') return true;
  return false;
}

const HIDDEN = /[\p{C}\p{Zl}\p{Zp}\p{DI}\u2800]|(?! )\p{Zs}|(?<=\p{M}{3})\p{M}/gu;

const NAMES: Readonly<Record<number, string>> = {
  0: 'null',
  7: 'bell',
  8: 'backspace',
  9: 'tab',
  13: 'carriage return',
  27: 'escape',
  127: 'delete',
  160: 'no-break space',
  173: 'soft hyphen',
  1564: 'Arabic letter mark',
  8203: 'zero-width space',
  8204: 'zero-width non-joiner',
  8205: 'zero-width joiner',
  8206: 'left-to-right mark',
  8207: 'right-to-left mark',
  8232: 'line separator',
  8233: 'paragraph separator',
  8234: 'left-to-right embedding',
  8235: 'right-to-left embedding',
  8236: 'pop directional formatting',
  8237: 'left-to-right override',
  8238: 'right-to-left override',
  8288: 'word joiner',
  8294: 'left-to-right isolate',
  8295: 'right-to-left isolate',
  8296: 'first strong isolate',
  8297: 'pop directional isolate',
  65279: 'byte order mark',
};

function escapeOf(character: string): Piece & { readonly kind: 'escape' } {
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  const written = code > 0xffff ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`;
  return { kind: 'escape', escape: written, name: NAMES[code] ?? nameOfRange(code) };
}

function nameOfRange(code: number): string {
  if (code >= 0xe0000 && code <= 0xe007f) return 'invisible tag character';
  if ((code >= 0xfe00 && code <= 0xfe0f) || (code >= 0xe0100 && code <= 0xe01ef)) return 'variation selector';
  if (code >= 0xd800 && code <= 0xdfff) return 'half of a character';
  if (code < 0x20 || (code >= 0x80 && code < 0xa0)) return 'control character';
  return 'character that cannot be seen or may mislead';
}
