import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readdirSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Makes the folder where it is missing and leaves it to its owner alone, whatever the umask is. Throws what `fs` throws. */
export function privateFolder(path: string): void {
  makeFolders(path);
  chmodSync(path, 0o700);
}

/** Not `recursive` of Node 24: it never returns where a folder is there and none can be made in it, as in /proc. */
function makeFolders(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && statSync(path).isDirectory()) return;
    const parent = dirname(path);
    if (codeOf(error) !== 'ENOENT' || existsSync(parent)) throw error;
    makeFolders(parent);
    mkdirSync(path, { mode: 0o700 });
  }
}

/**
 * Makes the file where it is missing, empty, and leaves it to its owner alone, whatever the umask is. SQLite gives its
 * `-wal` and `-shm` the mode of the database itself; those that are there already are put right here.
 *
 * A file that exists is never opened: closing it would drop the POSIX locks that this process holds on it
 * (https://sqlite.org/howtocorrupt.html, 2.2).
 */
export function privateFile(path: string): void {
  if (!existsSync(path)) {
    try {
      closeSync(openSync(path, 'wx', 0o600));
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }
  for (const each of [path, `${path}-wal`, `${path}-shm`]) {
    if (existsSync(each)) chmodSync(each, 0o600);
  }
}

/**
 * Renames a broken database, with its `-wal` and `-shm`, to `<path>.broken-<time>` and answers that name. Never deletes:
 * what is in there may still be wanted.
 */
export function setAside(path: string, at: number): string {
  const base = `${path}.broken-${stamp(at)}`;
  let aside = base;
  for (let n = 2; existsSync(aside); n += 1) aside = `${base}-${n}`;
  for (const suffix of ['-wal', '-shm', '']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  }
  return aside;
}

/** The databases of this path that were set aside and are still here, oldest first. */
export function setAsideEarlier(path: string): readonly string[] {
  const start = `${basename(path)}.broken-`;
  return readdirSync(dirname(path))
    .filter((name) => name.startsWith(start) && !/-(wal|shm)$/.test(name))
    .toSorted()
    .map((name) => join(dirname(path), name));
}

/** A time as part of a file name, on every file system: `20261120T102000123Z`. */
export function stamp(at: number): string {
  return new Date(at).toISOString().replace(/[-:.]/g, '');
}

/** The code of a Node or SQLite error, such as `ENOSPC` or `SQLITE_FULL`; empty when it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
