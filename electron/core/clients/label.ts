/**
 * A label that the person gave to a client or a workspace: 1 to 80 characters, normalised (NFC) and trimmed. Null when it
 * is none: control and format characters would let two labels look alike, or break a line of the audit.
 */
export function parseLabel(text: string): string | null {
  const label = text.normalize('NFC').trim();
  return label.length >= 1 && label.length <= 80 && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(label) ? label : null;
}

export const BAD_LABEL = 'A name has 1 to 80 characters and no line breaks or invisible characters.';
