/** The last lines an upstream wrote: bounded, and safe to show as text. */
export interface LogLines {
  /** Bytes as they come; they are cut into lines here. */
  write(chunk: string): void;
  /** One whole line of our own or of its standard output. */
  line(text: string): void;
  all(): readonly string[];
}

/** `secrets` are values that must never be shown, whoever prints them. */
export function createLogLines(secrets: readonly string[]): LogLines {
  let lines: readonly string[] = [];
  let open = '';
  const hide = secrets.filter((value) => value.length >= SHORTEST_SECRET);

  function line(text: string): void {
    const hidden = hide.reduce((shown, value) => shown.replaceAll(value, '•••'), text);
    lines = [...lines, escapeControls(hidden.slice(0, LINE_LENGTH))].slice(-LINES);
  }

  return {
    line,
    write(chunk) {
      const parts = (open + chunk).split('\n');
      open = parts.pop() ?? '';
      for (const part of parts.slice(-LINES)) line(part.replace(/\r$/, ''));
      // A line that never ends is shown in pieces instead of being kept.
      if (open.length > LINE_LENGTH) {
        line(open);
        open = '';
      }
    },
    all: () => (open === '' ? lines : [...lines, escapeControls(open)].slice(-LINES)),
  };
}

/** Control, invisible and direction-changing characters as `\u{1b}`: what is shown can neither hide nor move anything. */
export function escapeControls(text: string): string {
  return text.replace(CONTROLS, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

const LINES = 200;
const LINE_LENGTH = 2_000;
const SHORTEST_SECRET = 6;
const CONTROLS =
  /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\u{e0000}-\u{e007f}]/gu;
