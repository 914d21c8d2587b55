/**
 * One text for all ways to write the same arguments: no white space, members sorted by name, strings escaped one way,
 * numbers exactly as written (`1.0` is not `1`, and no digit is lost; `JSON.stringify` would turn …993 into …992).
 *
 * It only tells whether a call is the same call again. It is never shown, hashed into a record or forwarded.
 * Text that is no JSON, or nests deeper than the listener lets through, is its own canonical form.
 */
export function canonicalArguments(text: string): string {
  if (!isJson(text)) return text;
  return printed({ text, at: 0 }, 0) ?? text;
}

/**
 * The canonical text of one value inside arguments, or null when there is none.
 *
 * @param canonical what `canonicalArguments` gave.
 * @param pointer a JSON pointer (RFC 6901); `''` is the whole.
 */
export function canonicalAt(canonical: string, pointer: string): string | null {
  if (pointer === '') return canonical;
  if (!pointer.startsWith('/') || !isJson(canonical)) return null;
  const reading: Reading = { text: canonical, at: 0 };
  for (const token of pointer.slice(1).split('/')) {
    if (!enter(reading, token.replaceAll('~1', '/').replaceAll('~0', '~'))) return null;
  }
  return printed(reading, 0);
}

/** Moves from the start of an object or list to the start of one of its values; false when it is not there. */
function enter(reading: Reading, token: string): boolean {
  const isObject = reading.text[reading.at] === '{';
  if (!isObject && reading.text[reading.at] !== '[') return false;
  let index = 0;
  for (let more = opens(reading, isObject ? '}' : ']'); more; more = goesOn(reading)) {
    const name = isObject ? (JSON.parse(printedString(reading)) as string) : String(index);
    if (isObject) reading.at += 1; // the colon
    if (name === token) return true;
    if (printed(reading, 0) === null) return false;
    index += 1;
  }
  return false;
}

/** The listener refuses depth over 64; this only keeps the recursion below from ever being the limit. */
const MAX_DEPTH = 256;

/** Reads text that `JSON.parse` accepted, so that what remains is to find where things end. */
interface Reading {
  readonly text: string;
  at: number;
}

/** Null when it nests too deeply. */
function printed(reading: Reading, depth: number): string | null {
  if (depth > MAX_DEPTH) return null;
  skipSpace(reading);
  switch (reading.text[reading.at]) {
    case '{':
      return printedObject(reading, depth);
    case '[':
      return printedList(reading, depth);
    case '"':
      return printedString(reading);
    default:
      return word(reading);
  }
}

function printedObject(reading: Reading, depth: number): string | null {
  const members: { readonly name: string; readonly value: string }[] = [];
  for (let more = opens(reading, '}'); more; more = goesOn(reading)) {
    skipSpace(reading);
    const name = printedString(reading);
    skipSpace(reading);
    reading.at += 1; // the colon
    const value = printed(reading, depth + 1);
    if (value === null) return null;
    members.push({ name, value });
  }
  const sorted = members.toSorted((a, b) => (a.name === b.name ? 0 : a.name < b.name ? -1 : 1));
  return `{${sorted.map(({ name, value }) => `${name}:${value}`).join(',')}}`;
}

function printedList(reading: Reading, depth: number): string | null {
  const items: string[] = [];
  for (let more = opens(reading, ']'); more; more = goesOn(reading)) {
    const item = printed(reading, depth + 1);
    if (item === null) return null;
    items.push(item);
  }
  return `[${items.join(',')}]`;
}

function printedString(reading: Reading): string {
  const { text, at } = reading;
  let end = at + 1;
  let escaped = false;
  for (let code = text.charCodeAt(end); code !== QUOTE; code = text.charCodeAt(end)) {
    escaped ||= code === BACKSLASH;
    end += code === BACKSLASH ? 2 : 1;
  }
  reading.at = end + 1;
  const written = text.slice(at, end + 1);
  return escaped ? JSON.stringify(JSON.parse(written)) : written;
}

/** A number, true, false or null, as it stands. */
function word(reading: Reading): string {
  const { text, at } = reading;
  while (reading.at < text.length && !endsWord(text.charCodeAt(reading.at))) reading.at += 1;
  return text.slice(at, reading.at);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function endsWord(code: number): boolean {
  return isSpace(code) || code === 0x2c || code === 0x5d || code === 0x7d;
}

/** Steps over the opening bracket; false, and over the closing one too, when there is nothing between them. */
function opens(reading: Reading, close: string): boolean {
  reading.at += 1;
  skipSpace(reading);
  if (reading.text[reading.at] !== close) return true;
  reading.at += 1;
  return false;
}

/** Steps over a comma (true) or the closing bracket (false). */
function goesOn(reading: Reading): boolean {
  skipSpace(reading);
  reading.at += 1;
  return reading.text[reading.at - 1] === ',';
}

function skipSpace(reading: Reading): void {
  while (isSpace(reading.text.charCodeAt(reading.at))) reading.at += 1;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
