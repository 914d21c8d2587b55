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
      readonly why: 'encoding' | 'syntax' | 'duplicate_key' | 'depth' | 'too_many_names';
      readonly message: string;
    };

/** Deepest nesting of arrays and objects in one message. */
export const MAX_DEPTH = 64;
/**
 * Most different member names in one message. Rows of a table share theirs; a message of nothing but names costs the
 * parser a hundred times what its size suggests, and everybody waits meanwhile (P22).
 */
export const MAX_NAMES = 20_000;

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
  /** Null inside arrays, and where no wanted value can be. */
  readonly path: string | null;
  readonly isObject: boolean;
  /** The names in this object so far; the set only once they are many. */
  names: string[] | Set<string>;
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
  const onTheWay = new Set(paths.flatMap(parentsOf));
  /** What was written between the quotes, and what it reads as. */
  const names = new Map<string, string>();
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
        if (expectKey && open?.isObject) {
          const raw = text.slice(at + 1, end);
          const key = names.get(raw) ?? keyOf(raw);
          if (key === null) return syntax('a key is not a valid string');
          names.set(raw, key);
          if (names.size > MAX_NAMES) {
            return {
              kind: 'refused',
              why: 'too_many_names',
              message: `The message has more than ${MAX_NAMES} different member names; send it in parts.`,
            };
          }
          if (!isNew(open, key)) {
            return {
              kind: 'refused',
              why: 'duplicate_key',
              message: `The key ${JSON.stringify(key.slice(0, 80))} stands twice in one object; send it once.`,
            };
          }
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
        const path = parent === undefined ? '' : pathOf(parent);
        const isObject = code === 0x7b;
        stack.push({
          path: path !== null && onTheWay.has(path) ? path : null,
          isObject,
          names: [],
          key: null,
          start: -1,
        });
        expectKey = isObject;
        at += 1;
        break;
      }
      case 0x7d: // }
      case 0x5d: {
        endOfValue(at);
        const closed = stack.pop();
        if (closed === undefined || closed.isObject !== (code === 0x7d)) return syntax('brackets do not match');
        expectKey = false;
        at += 1;
        break;
      }
      case 0x3a: {
        const open = stack.at(-1);
        if (open?.isObject) {
          const path = pathOf(open);
          if (path !== null && wanted.has(path)) open.start = at + 1;
        }
        at += 1;
        break;
      }
      case 0x2c:
        endOfValue(at);
        expectKey = stack.at(-1)?.isObject === true;
        at += 1;
        break;
      default:
        at += 1;
    }
  }
  if (stack.length > 0) return syntax('it ends before it is complete');
  return { kind: 'scanned', slices };
}

/** `/a/b` -> `''` and `/a`: the objects that a wanted value lies in. */
function parentsOf(path: string): readonly string[] {
  const parts = path.split('/');
  return parts.slice(0, -1).map((_, at) => parts.slice(0, at + 1).join('/'));
}

/** Path of the current member. A name with a slash in it would pass for two names, and is on no wanted path. */
function pathOf({ path, key }: Open): string | null {
  return path === null || key === null || key.includes('/') ? null : `${path}/${key}`;
}

/** Adds a name to its object; false when it stands there already. */
function isNew(open: Open, key: string): boolean {
  if (!(open.names instanceof Set)) {
    if (open.names.includes(key)) return false;
    open.names.push(key);
    if (open.names.length > 16) open.names = new Set(open.names);
    return true;
  }
  const before = open.names.size;
  return open.names.add(key).size > before;
}

function syntax(what: string): ExactJson & { kind: 'refused' } {
  return { kind: 'refused', why: 'syntax', message: `The body is not JSON: ${what}.` };
}

/** Index of the closing quote, or -1. A quote is closing when an even number of backslashes stands before it. */
export function endOfString(text: string, start: number): number {
  let from = start + 1;
  // Most strings are short, and a search costs more than a few characters.
  for (const near = Math.min(from + 24, text.length); from < near; from += 1) {
    const code = text.charCodeAt(from);
    if (code === 0x22) return from;
    if (code === 0x5c) break;
  }
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
export function keyOf(raw: string): string | null {
  if (!raw.includes('\\')) return raw;
  try {
    const key: unknown = JSON.parse(`"${raw}"`);
    return typeof key === 'string' ? key : null;
  } catch {
    return null;
  }
}
