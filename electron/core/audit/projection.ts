import { rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { BUSY_TIMEOUT_MS } from '../store/database.ts';
import { codeOf, privateFile } from '../store/files.ts';
import type { EntryRow, Head } from './entry.ts';
import { NO_HEAD } from './entry.ts';
import type { IndexState } from './messages.ts';
import { createForgetting } from './projection-forget.ts';
import { PROJECTION_VERSION, projectionSchema, SPAN } from './projection-schema.ts';
import { recordOf } from './record.ts';
import { headAt, headOf } from './rows.ts';
import { searchText } from './search-words.ts';

/**
 * `audit-index.db`: what `audit.db` tells, one row per record, so that a million of them are searched in milliseconds.
 * Derived in every part: it may be deleted at any time, and is thrown away and made anew when it does not belong to the
 * log beside it. It is written by the reader, in a file of its own, so that the log's writer never waits for it.
 */
export interface Projection {
  readonly db: Database.Database;
  /** Takes in a part of what it does not have yet; false when there is nothing more. */
  step(): boolean;
  state(): IndexState;
  close(): void;
}

/** Entries, or characters of their details, that one step takes in. */
const STEP = { entries: 1_000, characters: 4_000_000 };

/** @param log `audit.db`, read only; @param path of `audit-index.db`. Throws what SQLite throws when it cannot be written. */
export function openProjection(log: Database.Database, path: string): Projection {
  let db = openFile(path);
  let statements = prepare(log, db);
  let forgetting = createForgetting(log, db, rejoin);
  if (!follows(log, statements.cursor())) startAnew();

  function startAnew(): void {
    db.close();
    removeProjection(path);
    db = openFile(path);
    statements = prepare(log, db);
    forgetting = createForgetting(log, db, rejoin);
  }

  /** The log may still have what is to go. */
  function rejoin(requestId: string, after: number): void {
    const all = statements.entriesOf(requestId, statements.cursor().seq);
    project(
      statements,
      all.filter(({ seq }) => seq > after),
    );
  }

  return {
    get db() {
      return db;
    },
    step() {
      const cursor = statements.cursor();
      if (!follows(log, cursor)) {
        startAnew();
        return true;
      }
      if (forgetting.step()) return true;
      const rows = statements.entriesAfter(cursor.seq);
      const last = rows.at(-1);
      if (last === undefined) return false;
      takeIn(db, statements, rows, last);
      return true;
    },
    state: () => ({ seq: statements.cursor().seq, head: headOf(log).seq }),
    close: () => void db.close(),
  };
}

/** Whether the log beside it is the one that it has read so far. */
function follows(log: Database.Database, cursor: Head): boolean {
  return cursor.seq === 0 || headAt(log, cursor.seq)?.hash === cursor.hash;
}

function openFile(path: string): Database.Database {
  try {
    return connect(path);
  } catch (error) {
    // Nothing is lost with it.
    if (!/^SQLITE_(NOTADB|CORRUPT)/.test(codeOf(error))) throw error;
    removeProjection(path);
    return connect(path);
  }
}

function connect(path: string): Database.Database {
  privateFile(path);
  const db = new Database(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    db.pragma('journal_mode = WAL');
    // What a power cut takes from it is read again from the log.
    db.pragma('synchronous = NORMAL');
    db.pragma('cache_size = -65536');
    db.pragma('journal_size_limit = 1048576');
    // What retention removes from the log must not stay here.
    db.pragma('secure_delete = ON');
    const version = db.pragma('user_version', { simple: true });
    if (version === PROJECTION_VERSION) return db;
    if (version !== 0) {
      db.close();
      removeProjection(path);
      return connect(path);
    }
    db.transaction(() => {
      db.exec(projectionSchema);
      db.pragma(`user_version = ${PROJECTION_VERSION}`);
    }).immediate();
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

export function removeProjection(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
}

type Statements = ReturnType<typeof prepare>;

function prepare(log: Database.Database, db: Database.Database) {
  const after = log.prepare<[number], EntryRow>('SELECT * FROM entries WHERE seq > ? ORDER BY seq');
  const ofRequest = log.prepare<[string, number], EntryRow>(
    'SELECT * FROM entries WHERE request_id = ? AND seq <= ? ORDER BY seq',
  );
  const cursor = db.prepare<[], Head>('SELECT seq, hash FROM cursor');
  return {
    cursor: (): Head => cursor.get() ?? NO_HEAD,
    entriesAfter(seq: number): readonly EntryRow[] {
      const rows: EntryRow[] = [];
      let characters = 0;
      for (const row of after.iterate(seq)) {
        rows.push(row);
        characters += row.detail.length;
        if (rows.length >= STEP.entries || characters >= STEP.characters) break;
      }
      return rows;
    },
    entriesOf: (requestId: string, upTo: number) => ofRequest.all(requestId, upTo),
    isKnown: db.prepare<[string], number>('SELECT first FROM records WHERE request_id = ?').pluck(),
    insert: db.prepare(
      `INSERT OR REPLACE INTO records VALUES (@first, @seqs, @request_id, @at, @workspace, @clientId, @client, @keyPrefix,
        @session, @era, @upstream, @connection, @kind, @tool, @risk, @effect, @rule, @standing, @approval, @approvedBy,
        @edited, @outcome, @errorClass, @errorCode, @totalMs, @upstreamMs, @waitedMs, @argumentsBytes, @resultBytes)`,
    ),
    insertText: db.prepare('INSERT INTO record_text (rowid, words) VALUES (?, ?)'),
    removeText: db.prepare('DELETE FROM record_text WHERE rowid = ?'),
    widenSpan: db.prepare(
      `INSERT INTO spans VALUES (@span, @at, @at) ON CONFLICT (span) DO UPDATE
        SET min_at = min(min_at, @at), max_at = max(max_at, @at)`,
    ),
    setCursor: db.prepare('INSERT OR REPLACE INTO cursor VALUES (1, ?, ?)'),
  };
}

function takeIn(db: Database.Database, statements: Statements, rows: readonly EntryRow[], last: EntryRow): void {
  db.transaction(() => {
    for (const [key, some] of Map.groupBy(rows, (row) => row.request_id ?? row.seq)) {
      // A record that has begun before is joined anew from all of its entries.
      const isOld = typeof key === 'string' && statements.isKnown.get(key) !== undefined;
      if (isOld) statements.removeText.run(statements.isKnown.get(key));
      project(statements, isOld ? statements.entriesOf(key, last.seq) : some);
    }
    statements.setCursor.run(last.seq, last.hash);
  }).immediate();
}

function project(statements: Statements, rows: readonly EntryRow[]): void {
  const [start] = rows;
  if (start === undefined) return;
  const record = recordOf(rows);
  const { entries: _, edited, ...members } = record;
  const { seq: first, request_id, at } = start;
  const seqs = rows.map((row) => row.seq).join(',');
  statements.insert.run({ ...whole(members), first, seqs, request_id, edited: edited ? 1 : 0 });
  statements.insertText.run(first, searchText(record));
  statements.widenSpan.run({ span: Math.floor(first / SPAN), at });
}

/** STRICT columns take whole numbers only. */
function whole(record: Readonly<Record<string, string | number | null>>): Record<string, string | number | null> {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [name, typeof value === 'number' ? Math.round(value) : value]),
  );
}
