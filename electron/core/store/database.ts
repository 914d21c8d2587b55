import { basename, dirname } from 'node:path';
import Database from 'better-sqlite3';
import { codeOf, privateFile, privateFolder, setAside } from './files.ts';
import type { Migration, StoreFault } from './store.ts';

/** How long a statement waits for another process that holds the file. Milliseconds. */
export const BUSY_TIMEOUT_MS = 5_000;

export type DatabaseOpened =
  | {
      readonly kind: 'open';
      readonly db: Database.Database /** Where a broken file was moved to. */;
      readonly setAside: string | null;
    }
  | StoreFault;

export interface DatabaseOptions {
  readonly path: string;
  readonly migrations: readonly Migration[];
  /** FULL syncs the WAL at every commit; NORMAL may lose the last commits at a power cut, never the file. */
  readonly synchronous: 'FULL' | 'NORMAL';
  /** Wall clock, for the name of a file that is set aside. */
  readonly at: number;
  /** False: skip the check of the whole file, because this process has just had it open. */
  readonly check?: boolean;
}

/**
 * Opens one SQLite file for writing: private to its owner, WAL, checked, brought to the newest schema. A broken file is
 * set aside and a new one made. Throws only when a migration itself is wrong.
 */
export function openDatabase(options: DatabaseOptions): DatabaseOpened {
  const { path, at, check = true } = options;
  try {
    privateFolder(dirname(path));
    privateFile(path);
    const first = connect(options, check);
    if (first.kind === 'open') return { ...first, setAside: null };
    if (first.kind !== 'corrupt') return first;
    const aside = setAside(path, at);
    privateFile(path);
    const second = connect(options, false);
    return second.kind === 'open' ? { ...second, setAside: aside } : second;
  } catch (error) {
    const fault = faultOf(error, path);
    if (fault === null) throw error;
    return fault;
  }
}

/** The fault behind an error of SQLite or of the file system; null when it is neither, and so a bug. */
export function faultOf(error: unknown, path: string): StoreFault | null {
  const code = codeOf(error);
  if (/^SQLITE_(NOTADB|CORRUPT)/.test(code)) {
    return {
      kind: 'corrupt',
      message: `${path} is damaged. Restart Gatehouse: it moves the file aside and starts a new one.`,
    };
  }
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return {
      kind: 'locked',
      message: `${path} is held by another program. Close whatever has it open (another Gatehouse, a database viewer), then try again.`,
    };
  }
  if (/^SQLITE_FULL|^ENOSPC|^EDQUOT/.test(code)) {
    return { kind: 'not_writable', message: `The disk that holds ${path} is full. Free some space on it.` };
  }
  if (/^SQLITE_IOERR|^EIO$/.test(code)) {
    return {
      kind: 'not_writable',
      message: `${path} cannot be written (${code}). See that its disk has free space and is in order.`,
    };
  }
  if (/^SQLITE_(CANTOPEN|READONLY|PERM|AUTH|NOLFS)|^E[A-Z0-9]+$/.test(code)) {
    return {
      kind: 'not_writable',
      message: `${path} cannot be written (${code}). Make the folder writable for your user, or start with another --data folder.`,
    };
  }
  return null;
}

function connect(
  { path, migrations, synchronous }: DatabaseOptions,
  check: boolean,
): { readonly kind: 'open'; readonly db: Database.Database } | StoreFault {
  const db = new Database(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    if (check && db.pragma('quick_check(1)', { simple: true }) !== 'ok') {
      db.close();
      return { kind: 'corrupt', message: `${path} is damaged.` };
    }
    const known = migrations.at(-1)?.version ?? 0;
    const found = db.pragma('user_version', { simple: true }) as number;
    if (found > known) {
      db.close();
      return {
        kind: 'newer',
        message: `${basename(path)} was written by a newer version of Gatehouse (schema ${found}); this version knows ${known}. Update Gatehouse, or start with another --data folder.`,
      };
    }
    // Before anything is written: a later migration may fail on tables that are not ours.
    const foreign = lackingIn(
      db,
      migrations.filter(({ version }) => version <= found),
    );
    if (foreign !== null) {
      db.close();
      return foreignFault(path, foreign);
    }
    db.pragma('journal_mode = WAL');
    db.pragma(`synchronous = ${synchronous}`);
    // On macOS a plain fsync leaves the data in the drive's cache; elsewhere these two do nothing.
    db.pragma(`fullfsync = ${synchronous === 'FULL' ? 'ON' : 'OFF'}`);
    db.pragma(`checkpoint_fullfsync = ${synchronous === 'FULL' ? 'ON' : 'OFF'}`);
    db.pragma('trusted_schema = OFF');
    migrate(db, migrations, found);
    const lacking = lackingIn(db, migrations);
    if (lacking !== null) {
      db.close();
      return foreignFault(path, lacking);
    }
    db.pragma('foreign_keys = ON');
    return { kind: 'open', db };
  } catch (error) {
    db.close();
    const fault = faultOf(error, path);
    if (fault === null) throw error;
    return fault;
  }
}

function foreignFault(path: string, lacking: string): StoreFault {
  return {
    kind: 'foreign',
    message: `${path} is not as this version of Gatehouse makes it (it has no ${lacking}). Move it away and start again, or start with another --data folder.`,
  };
}

/**
 * The first table or column of our schema that is not there: then the file was made by something else under our version
 * number. Null when all are. Triggers are left out: an audit log without its own is opened, so that its chain can tell.
 */
function lackingIn(db: Database.Database, migrations: readonly Migration[]): string | null {
  const model = new Database(':memory:');
  try {
    migrate(model, migrations, 0);
    const there = new Set(columnsOf(db));
    return columnsOf(model).find((column) => !there.has(column)) ?? null;
  } finally {
    model.close();
  }
}

/** `table.column`, of every table. */
function columnsOf(db: Database.Database): readonly string[] {
  return db
    .prepare<[], string>(
      `SELECT t.name || '.' || c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'`,
    )
    .pluck()
    .all();
}

/**
 * Each migration is one transaction with its version. Foreign keys are off meanwhile, as a table that is rebuilt needs
 * (https://sqlite.org/lang_altertable.html, 7), and checked before the commit.
 */
function migrate(db: Database.Database, migrations: readonly Migration[], found: number): void {
  db.pragma('foreign_keys = OFF');
  for (const { version, statements } of migrations) {
    if (version <= found) continue;
    db.transaction(() => {
      for (const statement of statements) db.exec(statement);
      const orphans = db.pragma('foreign_key_check') as readonly unknown[];
      if (orphans.length > 0)
        throw new Error(`migration ${version} leaves ${orphans.length} rows without their parent`);
      db.pragma(`user_version = ${version}`);
    }).immediate();
  }
  // Proves that the file can be written also when there was nothing to migrate.
  db.transaction(() => db.pragma(`user_version = ${Math.max(found, migrations.at(-1)?.version ?? 0)}`)).immediate();
}
