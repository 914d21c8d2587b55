import { existsSync, readFileSync } from 'node:fs';

/**
 * The lines of a file that another process may be writing: only those that end, because the last one may be half there.
 * None when there is no file yet. Empty lines are left out.
 */
export function wholeLines(file: string): readonly string[] {
  if (!existsSync(file)) return [];
  const text = readFileSync(file, 'utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '');
}

/** The same, each line a JSON value of the shape that its reader knows. */
export function jsonLines<T>(file: string): readonly T[] {
  return wholeLines(file).map((line) => JSON.parse(line) as T);
}
