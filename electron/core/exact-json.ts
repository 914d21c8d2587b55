/**
 * Reads one JSON text strictly and remembers where the values that must be forwarded byte for byte stand in it.
 *
 * `JSON.parse` keeps the last of two equal keys, rounds numbers and accepts any depth, so two readers of one text can
 * see different calls. Here duplicate keys and depth beyond the limit are refused before anything is parsed, and the
 * exact text of a value is handed on as a slice of what arrived, never re-serialised (design section 3).
 */
export type ExactJson =
  | {
      readonly kind: 'read';
      readonly value: unknown /** The exact text at each asked path, where there is one. */;
      readonly slices: ReadonlyMap<string, string>;
    }
  | {
      readonly kind: 'refused';
      readonly why: 'encoding' | 'syntax' | 'duplicate_key' | 'depth';
      readonly message: string;
    };

/** Deepest nesting of arrays and objects in one message. */
export const MAX_DEPTH = 64;

/**
 * @param bytes UTF-8, without byte order mark.
 * @param paths JSON pointers of object members, without escapes, such as `/params/arguments`.
 */
export function readExactJson(bytes: Uint8Array, paths: readonly string[] = [], maxDepth = MAX_DEPTH): ExactJson {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return { kind: 'refused', why: 'encoding', message: 'The body is not valid UTF-8.' };
  }
  if (text.charCodeAt(0) === 0xfeff) {
    return { kind: 'refused', why: 'encoding', message: 'The body starts with a byte order mark; send plain UTF-8.' };
  }
  return readExactText(text, paths, maxDepth);
}

/** The same for text that is already decoded. */
export function readExactText(text: string, paths: readonly string[] = [], maxDepth = MAX_DEPTH): ExactJson {
  const scan = scanStructure(text, paths, maxDepth);
  if (scan.kind === 'refused') return scan;
  try {
    return { kind: 'read', value: JSON.parse(text), slices: scan.slices };
  } catch (error) {
    // The scan checks structure only; what a number or a literal may look like is the parser's to say.
    return {
      kind: 'refused',
      why: 'syntax',
      message: `The body is not JSON: ${error instanceof SyntaxError ? error.message : 'it cannot be parsed'}.`,
    };
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

interface Open {
  readonly path: string | null;
  readonly keys: Set<string> | null;
  key: string | null;
  /** Where the value of the current member starts, when its path is wanted. */
  start: number;
}

/**
 * One pass over the text with a stack of its own, so that depth is bounded by the limit and not by the call stack.
 * It is only as strict as it must be to find keys, depth and slices; `JSON.parse` judges the rest.
 */
function scanStructure(
  text: string,
  paths: readonly string[],
  maxDepth: number,
): { kind: 'scanned'; slices: Map<string, string> } | (ExactJson & { kind: 'refused' }) {
  const slices = new Map<string, string>();
  const wanted = new Set(paths);
  const stack: Open[] = [];
  let expectKey = false;
  let at = 0;

  const endOfValue = (end: number) => {
    const open = stack.at(-1);
    if (open === undefined || open.start < 0 || open.key === null || open.path === null) return;
    slices.set(`${open.path}/${open.key}`, text.slice(open.start, end).trim());
    open.start = -1;
  };

  while (at < text.length) {
    const code = text.charCodeAt(at);
    switch (code) {
      case 0x22: {
        const end = endOfString(text, at);
        if (end < 0) return syntax('a string is not closed');
        const open = stack.at(-1);
        if (expectKey && open?.keys) {
          const key = keyOf(text, at, end);
          if (key === null) return syntax('a key is not a valid string');
          if (open.keys.has(key)) {
            return {
              kind: 'refused',
              why: 'duplicate_key',
              message: `The key ${JSON.stringify(key.slice(0, 80))} stands twice in one object; send it once.`,
            };
          }
          open.keys.add(key);
          open.key = key;
          expectKey = false;
        }
        at = end + 1;
        break;
      }
      case 0x7b: // {
      case 0x5b: {
        if (stack.length >= maxDepth) {
          return { kind: 'refused', why: 'depth', message: `The message is nested deeper than ${maxDepth} levels.` };
        }
        const parent = stack.at(-1);
        const path =
          parent === undefined
            ? ''
            : parent.keys !== null && parent.path !== null && parent.key !== null
              ? `${parent.path}/${parent.key}`
              : null;
        stack.push({ path, keys: code === 0x7b ? new Set() : null, key: null, start: -1 });
        expectKey = code === 0x7b;
        at += 1;
        break;
      }
      case 0x7d: // }
      case 0x5d: {
        endOfValue(at);
        const closed = stack.pop();
        if (closed === undefined || (closed.keys !== null) !== (code === 0x7d)) return syntax('brackets do not match');
        expectKey = false;
        at += 1;
        break;
      }
      case 0x3a: {
        const open = stack.at(-1);
        if (open?.keys && open.path !== null && open.key !== null && wanted.has(`${open.path}/${open.key}`))
          open.start = at + 1;
        at += 1;
        break;
      }
      case 0x2c:
        endOfValue(at);
        expectKey = stack.at(-1)?.keys != null;
        at += 1;
        break;
      default:
        at += 1;
    }
  }
  if (stack.length > 0) return syntax('it ends before it is complete');
  return { kind: 'scanned', slices };
}

function syntax(what: string): ExactJson & { kind: 'refused' } {
  return { kind: 'refused', why: 'syntax', message: `The body is not JSON: ${what}.` };
}

/** Index of the closing quote, or -1. A quote is closing when an even number of backslashes stands before it. */
function endOfString(text: string, start: number): number {
  let from = start + 1;
  for (;;) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return -1;
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === 0x5c) backslashes += 1;
    if (backslashes % 2 === 0) return quote;
    from = quote + 1;
  }
}

/** The key as a reader would see it: `"\u0061"` and `"a"` are one key. */
function keyOf(text: string, start: number, end: number): string | null {
  const raw = text.slice(start + 1, end);
  if (!raw.includes('\\')) return raw;
  try {
    const key: unknown = JSON.parse(text.slice(start, end + 1));
    return typeof key === 'string' ? key : null;
  } catch {
    return null;
  }
}
