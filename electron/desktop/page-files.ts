import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Whether a page of ours is whole: it and every file that it names lies where it was built. Otherwise its window would
 * stay empty, and nobody would see what waits in it (security.md E14).
 */
export function pageIsWhole(folder: string, page: string): boolean {
  const text = textOf(join(folder, page));
  if (text === null) return false;
  return [...text.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].every(([, file = '']) => existsSync(join(folder, file)));
}

/** A page that cannot be read for whatever reason cannot be shown either. */
function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
