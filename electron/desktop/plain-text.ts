/**
 * Text of agents and servers for places that draw it themselves (notification, tray menu): control, direction and
 * invisible characters are written out, so that what is read is what is there (security.md F3, F5).
 */
export function visible(text: string): string {
  return text.replace(HIDDEN, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);
}

/** Whether every character of the text is drawn as itself. */
export const isPlain = (text: string): boolean => text.search(HIDDEN) === -1;

/** The first `max` characters, with an ellipsis where more was left out. For labels only, never for what is approved. */
export function shortened(text: string, max: number): string {
  const chars = [...text];
  return chars.length <= max ? text : `${chars.slice(0, max - 1).join('')}…`;
}

/** Names of agents and servers in a menu: `&` would underline a letter, hidden characters would reorder the line. */
export const menuText = (text: string): string => shortened(visible(text), 80).replaceAll('&', '&&');

/** Controls, line and paragraph separators, format characters (bidi, zero width, tags), private use, lone surrogates, fillers. */
const HIDDEN = /\p{Cc}|\p{Zl}|\p{Zp}|\p{Cf}|\p{Co}|\p{Cs}|\p{Default_Ignorable_Code_Point}/gu;
