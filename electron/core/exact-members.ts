import { endOfString, keyOf } from './exact-json.ts';

/** One member of a JSON object as it was written. */
export interface Member {
  /** As a reader sees it: escapes are resolved. */
  readonly name: string;
  /** Name and value, as they stand in the text. */
  readonly source: string;
  /** The value alone. */
  readonly value: string;
}

/**
 * The members of an object in the order of its text, nested ones not looked into. `text` is JSON that was parsed before;
 * anything but an object has none.
 */
export function membersOf(text: string): readonly Member[] {
  const members: Member[] = [];
  let at = pastSpace(text, 0);
  if (text.charCodeAt(at) !== OPEN) return members;
  at = pastSpace(text, at + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const start = at;
    const end = endOfString(text, at);
    const from = pastSpace(text, pastSpace(text, end + 1) + 1);
    const to = endOfValue(text, from);
    members.push({
      name: keyOf(text.slice(start + 1, end)) ?? '',
      source: text.slice(start, to),
      value: text.slice(from, to),
    });
    at = pastSpace(text, to);
    if (text.charCodeAt(at) === COMMA) at = pastSpace(text, at + 1);
  }
  return members;
}

/** The exact text at a path of names, such as `['inputRequests', 'who', 'params']`; null where there is none. */
export function textAt(text: string, path: readonly string[]): string | null {
  let found = text;
  for (const name of path) {
    const member = membersOf(found).find((one) => one.name === name);
    if (member === undefined) return null;
    found = member.value;
  }
  return found;
}

/** The object without the members of these names; the very same text where it has none of them. */
export function withoutMembers(text: string, leaveOut: (name: string) => boolean): string {
  const members = membersOf(text);
  const kept = members.filter(({ name }) => !leaveOut(name));
  return kept.length === members.length ? text : `{${kept.map(({ source }) => source).join(',')}}`;
}

function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return endOfString(text, start) + 1;
  if (first !== OPEN && first !== OPEN_LIST) {
    let at = start;
    while (at < text.length && !ENDS_LITERAL.has(text.charCodeAt(at))) at += 1;
    return at;
  }
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === OPEN || code === OPEN_LIST) depth += 1;
    else if (code === CLOSE || code === CLOSE_LIST) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return text.length;
}

function pastSpace(text: string, start: number): number {
  let at = start;
  while (SPACE.has(text.charCodeAt(at))) at += 1;
  return at;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
/** Blank, tab, line feed, carriage return (RFC 8259, 2). */
const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);
const ENDS_LITERAL = new Set([...SPACE, COMMA, CLOSE, CLOSE_LIST]);
