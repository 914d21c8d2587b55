/**
 * JSON read without changing it: numbers stay as written, members keep their order, and every value knows where it
 * stands in the text. `JSON.parse` would show 9007199254740992 for …993, and the person would approve another number.
 */
export type Json =
  | { readonly kind: 'object'; readonly members: readonly Member[]; readonly from: number; readonly to: number }
  | { readonly kind: 'array'; readonly items: readonly Json[]; readonly from: number; readonly to: number }
  | { readonly kind: 'string'; readonly value: string; readonly from: number; readonly to: number }
  /** Number, true, false or null, as written. */
  | { readonly kind: 'literal'; readonly text: string; readonly from: number; readonly to: number };

export interface Member {
  readonly name: string;
  readonly value: Json;
}

/** Null when the text is not JSON, or nests deeper than the gateway lets pass. */
export function parseExact(text: string): Json | null {
  try {
    const reader: Reader = { text, at: 0 };
    const value = readValue(reader, 0);
    skipSpace(reader);
    return reader.at === text.length ? value : null;
  } catch (error) {
    if (error instanceof NotJson) return null;
    throw error;
  }
}

/** How many values there are, the outermost counted. */
export function countValues(json: Json): number {
  const inner = json.kind === 'object' ? json.members.map((member) => member.value) : childrenOf(json);
  return inner.reduce((sum, value) => sum + countValues(value), 1);
}

const DEEPEST = 100;
const LITERAL = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const SPACE = /[ \t\r\n]*/y;

interface Reader {
  readonly text: string;
  at: number;
}

class NotJson extends Error {}

function childrenOf(json: Json): readonly Json[] {
  return json.kind === 'array' ? json.items : [];
}

function readValue(reader: Reader, depth: number): Json {
  if (depth > DEEPEST) throw new NotJson();
  skipSpace(reader);
  const from = reader.at;
  const first = reader.text[from];
  if (first === '{') {
    const members = readList(reader, '}', () => {
      skipSpace(reader);
      const name = readString(reader).value;
      expect(reader, ':');
      return { name, value: readValue(reader, depth + 1) };
    });
    return { kind: 'object', members, from, to: reader.at };
  }
  if (first === '[') {
    const items = readList(reader, ']', () => readValue(reader, depth + 1));
    return { kind: 'array', items, from, to: reader.at };
  }
  if (first === '"') return readString(reader);
  const text = take(reader, LITERAL);
  return { kind: 'literal', text, from, to: reader.at };
}

function readList<T>(reader: Reader, end: string, readOne: () => T): readonly T[] {
  reader.at++;
  const all: T[] = [];
  skipSpace(reader);
  if (reader.text[reader.at] === end) {
    reader.at++;
    return all;
  }
  for (;;) {
    all.push(readOne());
    skipSpace(reader);
    const next = reader.text[reader.at++];
    if (next === end) return all;
    if (next !== ',') throw new NotJson();
  }
}

function readString(reader: Reader): Json & { readonly kind: 'string' } {
  const from = reader.at;
  if (reader.text[from] !== '"') throw new NotJson();
  let end = from + 1;
  while (end < reader.text.length && reader.text[end] !== '"') end += reader.text[end] === '\\' ? 2 : 1;
  reader.at = end + 1;
  try {
    return { kind: 'string', value: JSON.parse(reader.text.slice(from, reader.at)) as string, from, to: reader.at };
  } catch {
    throw new NotJson();
  }
}

function expect(reader: Reader, character: string): void {
  skipSpace(reader);
  if (reader.text[reader.at++] !== character) throw new NotJson();
}

function take(reader: Reader, pattern: RegExp): string {
  pattern.lastIndex = reader.at;
  const match = pattern.exec(reader.text);
  if (!match) throw new NotJson();
  reader.at += match[0].length;
  return match[0];
}

function skipSpace(reader: Reader): void {
  SPACE.lastIndex = reader.at;
  reader.at += SPACE.exec(reader.text)?.[0].length ?? 0;
}
