/**
 * A label that the person gave to a client or a workspace: 1 to 80 characters, normalised (NFC) and trimmed. Null when it
 * is none: control and format characters would let two labels look alike, or break a line of the audit.
 */
export function parseLabel(text: string): string | null {
  const label = text.normalize('NFC').trim();
  return label.length >= 1 && label.length <= 80 && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(label) ? label : null;
}

/** A label from what a program calls itself, which is untrusted text, with a number behind it where that is taken. */
export function freeLabel(callsItself: string, isTaken: (label: string) => boolean): string {
  const plain = callsItself.replace(/[\p{C}\p{Z}]+/gu, ' ').slice(0, LONGEST_FROM_PROGRAM);
  const label = parseLabel(plain.toWellFormed()) ?? 'Program';
  if (!isTaken(label)) return label;
  for (let number = 2; ; number += 1) if (!isTaken(`${label} ${number}`)) return `${label} ${number}`;
}

/** Leaves room for the number. */
const LONGEST_FROM_PROGRAM = 60;

export const BAD_LABEL = 'A name has 1 to 80 characters and no line breaks or invisible characters.';
