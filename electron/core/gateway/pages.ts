import { readExactText } from '../exact-json.ts';
import type { Arrival } from './arrival.ts';
import type { ToolAnswer } from './tool-result.ts';

/**
 * Entries of one page of a list. So many that clients which never ask for a second page lose nothing (no model is given
 * a thousand tools), and so few that a page is written in a few milliseconds, whatever is connected.
 */
export const PAGE_ENTRIES = 1_000;

export type Page<T> =
  | {
      readonly kind: 'page';
      readonly items: readonly T[];
      readonly isFirst: boolean;
      /** Asks for the next page; null: this was the last one. */
      readonly nextCursor: string | null;
    }
  | { readonly kind: 'unknown_cursor' };

/**
 * The answer to a request for a list: the page that its cursor asks for.
 *
 * @param member what the entries are called in the result
 * @param head stands before the entries of the first page and counts as none
 */
export function listAnswer<T extends Readonly<Record<string, unknown>>>(
  method: string,
  { onlyUpstream }: Arrival,
  params: Readonly<Record<string, unknown>>,
  member: string,
  all: readonly T[],
  keyOf: (item: T) => string,
  head: readonly T[] = [],
): ToolAnswer {
  const { cursor } = params;
  const page = pageOf(`${method} ${onlyUpstream ?? ''}`, all, keyOf, cursor);
  if (page.kind === 'unknown_cursor')
    return { kind: 'error', code: -32602, message: 'This cursor is not one of this list. List from the start.' };
  const { items, isFirst, nextCursor } = page;
  return {
    kind: 'result',
    result: {
      [member]: isFirst ? [...head, ...items] : items,
      ...(nextCursor === null ? {} : { nextCursor }),
    },
  };
}

/**
 * One page of a list, ordered by its keys. A cursor says after which key to go on, so entries that come or go between two
 * pages move no other across them; it is good for the list it was given for, at any time and after a restart.
 *
 * @param list what is listed, where; a cursor of another list is unknown
 * @param keyOf unique within the list
 */
export function pageOf<T>(list: string, all: readonly T[], keyOf: (item: T) => string, cursor: unknown): Page<T> {
  // Some clients say that they have no cursor by an empty one.
  const after = cursor === undefined || cursor === '' ? null : keyIn(list, cursor);
  if (after?.kind === 'unknown') return { kind: 'unknown_cursor' };
  const keyed = all.map((item) => ({ item, key: keyOf(item) })).sort((a, b) => (a.key < b.key ? -1 : 1));
  const rest = after === null ? keyed : keyed.filter(({ key }) => key > after.key);
  const page = rest.slice(0, PAGE_ENTRIES);
  const last = rest.length > page.length ? page.at(-1) : undefined;
  return {
    kind: 'page',
    items: page.map(({ item }) => item),
    isFirst: after === null,
    nextCursor: last === undefined ? null : cursorOf(list, last.key),
  };
}

function cursorOf(list: string, key: string): string {
  return Buffer.from(JSON.stringify([list, key])).toString('base64url');
}

type Key = { readonly kind: 'key'; readonly key: string } | { readonly kind: 'unknown' };

function keyIn(list: string, cursor: unknown): Key {
  if (typeof cursor !== 'string') return { kind: 'unknown' };
  const read = readExactText(Buffer.from(cursor, 'base64url').toString('utf8'));
  const [of, key] = read.kind === 'read' && Array.isArray(read.value) ? read.value : [];
  // Only what we wrote reads back as itself.
  const isOurs = of === list && typeof key === 'string' && cursorOf(list, key) === cursor;
  return isOurs ? { kind: 'key', key } : { kind: 'unknown' };
}
