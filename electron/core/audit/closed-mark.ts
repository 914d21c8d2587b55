import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';

/**
 * How the files of a log were when it was last closed in order: `audit.db-closed`. A start that finds them so need not
 * read the whole of them before the first call, which takes a second for every few hundred megabytes; what went wrong in
 * them without their times changing is found by the verification in the background.
 */
export function leaveMark(path: string): void {
  writeFileSync(`${path}-closed`, filesOf(path), { mode: 0o600 });
}

/** Whether nobody has touched the files since. Takes the mark away: whoever opens them changes them. */
export function takeMark(path: string): boolean {
  const mark = `${path}-closed`;
  if (!existsSync(mark)) return false;
  const left = readFileSync(mark, 'utf8');
  rmSync(mark);
  return left === filesOf(path);
}

function filesOf(path: string): string {
  return JSON.stringify(
    [path, `${path}-wal`].map((file) => {
      const found = statSync(file, { throwIfNoEntry: false });
      return found === undefined ? null : { size: found.size, changed: Math.trunc(found.mtimeMs) };
    }),
  );
}
