import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PAGE_ENTRIES, type Page, pageOf } from '../../../electron/core/gateway/pages.ts';
import { sameCasesEveryTime } from '../../support/seed.ts';

sameCasesEveryTime();

const named = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => ({ name: `t${String(from + i).padStart(6, '0')}` }));
const nameOf = ({ name }: { name: string }) => name;

/** Every page from a cursor on, of a list that may be another at each page. */
function walk(lists: readonly (readonly { name: string }[])[]): readonly (readonly string[])[] {
  const pages: string[][] = [];
  let cursor: string | null = null;
  do {
    const all = lists[Math.min(pages.length, lists.length - 1)] ?? [];
    const page: Page<{ name: string }> = pageOf('tools/list ', all, nameOf, cursor ?? undefined);
    if (page.kind !== 'page') throw new Error('the cursor is unknown');
    pages.push(page.items.map(nameOf));
    cursor = page.nextCursor;
  } while (cursor !== null);
  return pages;
}

describe('pages of a list', () => {
  test('have at most 1,000 entries, and all of them are there once, in one order', () => {
    const all = named(0, 2_345);
    const shuffled = all.toSorted(() => Math.random() - 0.5);
    const pages = walk([shuffled]);
    expect(pages.map((page) => page.length)).toEqual([1_000, 1_000, 345]);
    expect(pages.flat()).toEqual(all.map(nameOf));
    expect(walk([named(0, PAGE_ENTRIES)])).toHaveLength(1);
    expect(walk([[]])).toEqual([[]]);
  });

  test('stay right while entries come and go between them', () => {
    const all = named(0, 2_500);
    // The entry that the cursor names is gone, and so are others before it; new ones came before and after.
    const second = [...named(500, 999), ...named(1_000, 2_500), { name: 't0000000new' }, { name: 't001500new' }];
    const pages = walk([all, second]);
    const seen = pages.flat();
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual([...named(0, 1_000), ...second.filter(({ name }) => name > 't000999')].map(nameOf).toSorted());
  });

  test('a cursor is good for the list it was given for, and any other text for none', () => {
    const all = named(0, 1_500);
    const first = pageOf('tools/list ', all, nameOf, undefined);
    const cursor = first.kind === 'page' ? first.nextCursor : null;
    expect(pageOf('tools/list ', all, nameOf, cursor)).toMatchObject({ kind: 'page', nextCursor: null });
    expect(pageOf('tools/list ', all, nameOf, '')).toEqual(first);
    for (const list of ['tools/list files', 'prompts/list '])
      expect(pageOf(list, all, nameOf, cursor)).toEqual({ kind: 'unknown_cursor' });
    for (const wrong of [null, 7, {}, [], `${cursor}A`, `${cursor}=`, ` ${cursor}`, cursor?.slice(0, -3)])
      expect(pageOf('tools/list ', all, nameOf, wrong), String(wrong)).toEqual({ kind: 'unknown_cursor' });
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (text) => {
        expect(pageOf('tools/list ', all, nameOf, text)).toEqual({ kind: 'unknown_cursor' });
      }),
    );
  });
});
