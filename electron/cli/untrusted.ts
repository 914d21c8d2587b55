/**
 * Text of servers, clients and agents on a terminal: every character that could move the cursor, change the order of
 * reading, or hide (controls, bidi and other format characters, private use, invisible fillers, lone surrogates) is
 * written as `\u{…}`, line ends and tabs as `\n`, `\r`, `\t`.
 */
export function visible(text: string): string {
  return text.replace(HIDDEN, (character) => SHORT[character] ?? `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** The same for text of several lines: its line ends stay, and each line gets `margin` so that it cannot pose as ours. */
export function visibleLines(text: string, margin: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => `${margin}${visible(line)}`)
    .join('\n');
}

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

const HIDDEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u115F\u1160\u2800\u3164\uFFA0]|\u034F|[\u17B4\u17B5]|[\u180B-\u180F]|[\uFE00-\uFE0F]|[\u{E0000}-\u{E0FFF}]/gu;
