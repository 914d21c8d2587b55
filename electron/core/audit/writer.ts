import { join } from 'node:path';
import { parentPort, receiveMessageOnPort } from 'node:worker_threads';
import type Database from 'better-sqlite3';
import { BUSY_TIMEOUT_MS, faultOf, openDatabase } from '../store/database.ts';
import { codeOf } from '../store/files.ts';
import { type Appender, createAppender, FileGone } from './appender.ts';
import { leaveMark, takeMark } from './closed-mark.ts';
import type { EntryDraft } from './entry.ts';
import type { FromWriter, ToWriter } from './messages.ts';
import { cutFor, deleteStep } from './purge.ts';
import { AUDIT_MIGRATIONS } from './schema.ts';

/**
 * The worker that alone writes `audit.db`. Drafts that arrived while the last commit ran go into the next one together,
 * so that many callers share one flush of the disk. Hashing and signing happen here too, off the event loop.
 */

/** How long between two tries while nothing can be written. Milliseconds. */
const TRY_AGAIN_MS = 250;
/** How long emptying the WAL waits for readers. Milliseconds. */
const WAL_BUSY_MS = 500;
/** Most drafts in one transaction. */
const GROUP = 2_000;

const port = parentPort;
if (port === null) throw new Error('writer.ts runs as a worker');

let path = '';
let db: Database.Database | null = null;
let setAside: string | null = null;
let again = false;
let appender: Appender | null = null;
let failing = false;
/** Some page of the file is not as it must be: the next start reads all of it. */
let isDamaged = false;
let timer: NodeJS.Timeout | null = null;

port.on('message', (first: ToWriter) => {
  let message: ToWriter | undefined = first;
  while (message !== undefined) {
    if (message.kind !== 'batch') {
      control(message);
      message = next();
      continue;
    }
    const drafts = [...message.drafts];
    const { retry } = message;
    message = next();
    while (message?.kind === 'batch' && message.retry === retry && drafts.length < GROUP) {
      drafts.push(...message.drafts);
      message = next();
    }
    commit(drafts, retry);
  }
});

function next(): ToWriter | undefined {
  return port === null ? undefined : (receiveMessageOnPort(port)?.message as ToWriter | undefined);
}

function control(message: Exclude<ToWriter, { kind: 'batch' }>): void {
  switch (message.kind) {
    case 'open': {
      path = join(message.folder, 'audit.db');
      again = message.again;
      const opened = openDatabase({
        path,
        migrations: AUDIT_MIGRATIONS,
        synchronous: 'FULL',
        at: message.at,
        check: !message.again && !takeMark(path),
      });
      if (opened.kind !== 'open') {
        say({ kind: 'fault', fault: opened });
        return;
      }
      db = opened.db;
      setAside = opened.setAside;
      // The indexes over hashes and request ids are written all over; 32 MB keep them from being read again each time.
      db.pragma('cache_size = -32768');
      // Else INSERT OR REPLACE would delete without the trigger being asked.
      db.pragma('recursive_triggers = ON');
      // What retention removes is overwritten, not only let go.
      db.pragma('secure_delete = ON');
      say({ kind: 'opened', setAside });
      return;
    }
    case 'begin': {
      if (db === null) return;
      try {
        const { anchor, at, version, publicKey, keptIn } = message;
        const candidate = createAppender(db, path, message.privateKey, publicKey);
        const begun = candidate.begin({ anchor, at, version, publicKey, keptIn, setAside, recover: !again });
        appender = candidate;
        works();
        say({ kind: 'begun', ...begun });
        // A purge that the end of Gatehouse interrupted.
        if (deleteStep(db)) sweep(() => {});
      } catch (error) {
        say({ kind: 'not_begun', reason: reasonOf(error) });
        fails();
      }
      return;
    }
    case 'purge':
      purge(message);
      return;
    case 'pragmas':
      say({ kind: 'pragmas', pragmas: pragmas() });
      return;
    case 'end':
      works();
      if (db !== null) {
        db.close();
        if (message.isWhole && !isDamaged) attempt(() => leaveMark(path));
      }
      db = null;
      appender = null;
      port?.close();
      return;
  }
}

function commit(drafts: readonly EntryDraft[], retry: boolean): void {
  if (appender === null || (failing && !retry)) {
    say({ kind: 'failed', count: drafts.length, reason: 'The audit log cannot be written.' });
    return;
  }
  try {
    const { firstSeq, head } = appender.append(drafts);
    works();
    say({ kind: 'committed', count: drafts.length, firstSeq, head });
  } catch (error) {
    say({ kind: 'failed', count: drafts.length, reason: reasonOf(error) });
    fails();
  }
}

function purge({ limit, by, at }: Extract<ToWriter, { kind: 'purge' }>): void {
  if (db === null || appender === null || failing) {
    say({ kind: 'not_purged', reason: 'The audit log cannot be written now, so nothing is removed from it.' });
    return;
  }
  try {
    const upTo = cutFor(db, limit, at);
    if (upTo === null) {
      say({ kind: 'purged', removed: null, head: null });
      return;
    }
    const from = db.prepare<[], number>('SELECT min(seq) FROM entries').pluck().get() ?? upTo;
    const { head } = appender.checkpoint(upTo, { ...limit, by }, at);
    sweep(() => say({ kind: 'purged', removed: { entries: upTo - from + 1, upTo }, head }));
  } catch (error) {
    say({ kind: 'not_purged', reason: reasonOf(error) });
  }
}

/** Deletes what lies before the checkpoint, a little at a time, so that no call waits for it. */
function sweep(done: () => void): void {
  const open = db;
  if (open === null || !open.open) return;
  try {
    if (deleteStep(open)) {
      setImmediate(() => sweep(done));
      return;
    }
    emptyWal(open);
    done();
  } catch (error) {
    // The checkpoint stands: the next start goes on.
    say({ kind: 'not_purged', reason: reasonOf(error) });
  }
}

/** Pages that were overwritten are still as they were in the WAL until it is emptied into the file. */
function emptyWal(open: Database.Database): void {
  open.pragma(`busy_timeout = ${WAL_BUSY_MS}`);
  try {
    open.pragma('wal_checkpoint(TRUNCATE)');
  } finally {
    open.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
  }
}

function fails(): void {
  failing = true;
  if (timer !== null) return;
  timer = setTimeout(() => {
    timer = null;
    // A WAL that has grown may be what fills the disk; emptied into the database it gives its space back.
    if (db?.open) attempt(() => db?.pragma('wal_checkpoint(TRUNCATE)'));
    say({ kind: 'try_again' });
    fails();
  }, TRY_AGAIN_MS);
}

function works(): void {
  failing = false;
  if (timer !== null) clearTimeout(timer);
  timer = null;
}

/** For what is only an improvement: the try that follows tells whether it worked. */
function attempt(act: () => void): void {
  try {
    act();
  } catch {
    // The next commit meets the same error and reports it.
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof FileGone) return error.message;
  const fault = faultOf(error, path);
  isDamaged ||= fault?.kind === 'corrupt';
  if (fault?.kind === 'not_writable') return `${fault.message} Gatehouse goes on by itself as soon as it can write.`;
  if (fault !== null) return fault.message;
  return `The audit log cannot be written (${codeOf(error) || (error instanceof Error ? error.message : String(error))}).`;
}

function pragmas(): Readonly<Record<string, unknown>> {
  const names = [
    'journal_mode',
    'synchronous',
    'foreign_keys',
    'busy_timeout',
    'fullfsync',
    'checkpoint_fullfsync',
    'recursive_triggers',
    'trusted_schema',
    'user_version',
  ];
  return Object.fromEntries(names.map((name) => [name, db?.pragma(name, { simple: true })]));
}

function say(message: FromWriter): void {
  port?.postMessage(message);
}
