import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { faultOf } from './database.ts';
import { codeOf, privateFile, privateFolder } from './files.ts';

export type FolderLock =
  | { readonly kind: 'locked'; release(): void }
  /** Another Gatehouse has the folder. `pid` is for the message only; null when it is not known. */
  | { readonly kind: 'taken'; readonly pid: number | null }
  | { readonly kind: 'not_writable'; readonly message: string };

/**
 * One Gatehouse per data folder. The lock is an exclusive SQLite lock on an empty database: the operating system lets it
 * go when the holder dies, however it dies, so it is never stale. The pid stands in a file beside it and decides nothing.
 */
export function lockDataFolder(folder: string): FolderLock {
  const path = join(folder, 'instance.lock');
  try {
    privateFolder(folder);
    privateFile(path);
    const db = hold(path);
    if (db === null) return { kind: 'taken', pid: holder(folder) };
    writePid(folder);
    return {
      kind: 'locked',
      release() {
        if (!db.open) return;
        rmSync(pidFile(folder), { force: true });
        db.close();
      },
    };
  } catch (error) {
    const fault = faultOf(error, path);
    if (fault === null) throw error;
    return {
      kind: 'not_writable',
      message: `The data folder ${folder} cannot be used: ${whyNot(codeOf(error))}, or start with another --data folder.`,
    };
  }
}

/** What is wrong with a folder and what to do about it, to be followed by "or …". */
function whyNot(code: string): string {
  switch (code) {
    case 'EACCES':
    case 'SQLITE_CANTOPEN':
      return `your user may not write there (${code}). Make it writable for your user`;
    case 'EPERM':
      return `it is not your user's (${code}). Make it your user's`;
    case 'EROFS':
    case 'SQLITE_READONLY':
      return `it can only be read (${code}). Make it writable for your user`;
    case 'ENOTDIR':
    case 'EEXIST':
      return `a file is in its place (${code}). Move that file away`;
    case 'ENOSPC':
    case 'EDQUOT':
    case 'SQLITE_FULL':
      return `its disk is full (${code}). Free some space`;
    case 'ENOENT':
      return `it cannot be made there (${code}). Make it yourself`;
    default:
      return `it cannot be written (${code}). Make it writable for your user`;
  }
}

function hold(path: string): Database.Database | null {
  for (let attempt = 0; ; attempt += 1) {
    const db = new Database(path, { timeout: 0 });
    try {
      // Reads the file under a shared lock first, so a holder is noticed before the content is.
      db.exec('BEGIN EXCLUSIVE');
      return db;
    } catch (error) {
      db.close();
      if (codeOf(error).startsWith('SQLITE_BUSY')) return null;
      // Nothing is kept in it, so what damaged it is of no interest.
      if (attempt > 0 || !/^SQLITE_(NOTADB|CORRUPT)/.test(codeOf(error))) throw error;
      rmSync(path, { force: true });
      privateFile(path);
    }
  }
}

const pidFile = (folder: string) => join(folder, 'instance.pid');

function writePid(folder: string): void {
  rmSync(pidFile(folder), { force: true });
  writeFileSync(pidFile(folder), `${process.pid}\n`, { mode: 0o600, flag: 'wx' });
}

function holder(folder: string): number | null {
  try {
    const pid = Number.parseInt(readFileSync(pidFile(folder), 'utf8'), 10);
    if (!Number.isSafeInteger(pid) || pid <= 0) return null;
    // A pid that lives no more was left by an earlier holder: better none than a wrong one.
    process.kill(pid, 0);
    return pid;
  } catch {
    return null;
  }
}
