/** The last lines an upstream wrote: bounded, and safe to show as text. */
export interface LogLines {
  /** Bytes as they come; they are cut into lines here. */
  write(chunk: string): void;
  /** One whole line of our own or of its standard output. */
  line(text: string): void;
  all(): readonly string[];
}

/** `secrets` are values that must never be shown, whoever prints them, in any of the forms that programs print. */
export function createLogLines(secrets: readonly string[]): LogLines {
  const forms = secrets.flatMap(formsOf).toSorted((a, b) => b.length - a.length);
  const reach = forms[0]?.length ?? 0;
  // The longest first, so that nothing is left of one that holds another.
  const anyForm = forms.length === 0 ? null : new RegExp(forms.map(literally).join('|'), 'g');
  let lines: readonly string[] = [];
  let open = '';

  const hide = (text: string) => (anyForm === null ? text : text.replace(anyForm, HIDDEN));

  function line(text: string): void {
    lines = [...lines, escapeControls(hide(text).slice(0, LINE_LENGTH))].slice(-LINES);
  }

  /** Where an endless line may be cut: no secret, whole or only begun, lies across it. */
  function cutIn(text: string): number {
    const cut = text.length - Math.max(0, reach - 1);
    const across =
      anyForm && [...text.matchAll(anyForm)].find(({ index, 0: { length } }) => index < cut && index + length > cut);
    return across ? across.index + across[0].length : cut;
  }

  /** The line that has no end yet; what may be the beginning of a secret waits for its end. */
  function unfinished(): string {
    const most = Math.min(reach - 1, open.length, LONGEST_BEGINNING);
    for (let length = most; length >= SHORTEST_SECRET; length -= 1) {
      const end = open.slice(-length);
      if (forms.some((form) => form.startsWith(end))) return hide(open.slice(0, -length)) + HIDDEN;
    }
    return hide(open);
  }

  return {
    line,
    write(chunk) {
      const parts = (open + chunk).split('\n');
      open = parts.pop() ?? '';
      for (const part of parts.slice(-LINES)) line(part.replace(/\r$/, ''));
      // A line that never ends is shown in pieces instead of being kept.
      if (open.length > LINE_LENGTH + reach) {
        const cut = cutIn(open);
        line(open.slice(0, cut));
        open = open.slice(cut);
      }
    },
    all: () => (open === '' ? lines : [...lines, escapeControls(unfinished())].slice(-LINES)),
  };
}

/** How one secret may stand in what a program prints; each line of it alone, and encoded. */
function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret, 'utf8');
  const hex = bytes.toString('hex');
  return [
    ...new Set([
      secret,
      ...secret.split(/\r?\n/),
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret),
      hex,
      hex.toUpperCase(),
      ...(['base64', 'base64url'] as const).flatMap((encoding) =>
        BASE64_SHIFTS.map((shift) => inBase64(bytes, encoding, shift)),
      ),
    ]),
  ].filter((form) => form.length >= SHORTEST_SECRET);
}

/** A pattern that matches this text and nothing else. */
function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** As it stands in something longer, such as `user:secret`: the characters at its edges mix with what is beside it. */
function inBase64(bytes: Buffer, encoding: 'base64' | 'base64url', shift: number): string {
  const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
    .toString(encoding)
    .replace(/=+$/, '');
  return encoded.slice(shift === 0 ? 0 : 4, -2);
}

/** Control, invisible and direction-changing characters as `\u{1b}`: what is shown can neither hide nor move anything. */
export function escapeControls(text: string): string {
  return text.replace(CONTROLS, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

const LINES = 200;
const LINE_LENGTH = 2_000;
const SHORTEST_SECRET = 6;
const LONGEST_BEGINNING = 256;
const BASE64_SHIFTS = [0, 1, 2];
const HIDDEN = '•••';
const CONTROLS =
  /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\u{e0000}-\u{e007f}]/gu;
