import type Database from 'better-sqlite3';
import { checkpointOf } from './checkpoint.ts';
import { SPAN } from './projection-schema.ts';

/** Records that one step removes, and pages of the full text that one rewrites. */
const RECORDS = 500;
const PAGES = 500;

/**
 * Removes what retention has removed from the log, until no byte of it is left. A step answers false when nothing is left
 * to do. The full text keeps the words of deleted records until its parts are merged, so they are, a little at a time.
 *
 * @param log `audit.db`; @param index the projection, whose connection overwrites what it deletes; @param rejoin makes the
 * record of a call anew from its entries after one.
 */
export function createForgetting(
  log: Database.Database,
  index: Database.Database,
  rejoin: Rejoin,
): { step(): boolean } {
  let isMerging = false;

  function merge(upTo: number): void {
    const more = mergeStep(index, !isMerging);
    isMerging = more;
    if (!more) finish(index, upTo);
  }

  return { step: () => step(log, index, rejoin, merge) };
}

function step(
  log: Database.Database,
  index: Database.Database,
  rejoin: Rejoin,
  merge: (upTo: number) => void,
): boolean {
  const upTo = checkpointOf(log)?.seq ?? 0;
  const done = index.prepare<[], number>('SELECT up_to FROM forgotten').pluck().get() ?? 0;
  if (done >= upTo) return false;
  const old = index
    .prepare<[number, number], Old>(
      'SELECT first, request_id, seqs FROM records WHERE first <= ? ORDER BY first LIMIT ?',
    )
    .all(upTo, RECORDS);
  if (old.length > 0) remove(index, old, upTo, rejoin);
  else merge(upTo);
  return true;
}

type Rejoin = (requestId: string, after: number) => void;

interface Old {
  readonly first: number;
  readonly request_id: string | null;
  readonly seqs: string;
}

function remove(index: Database.Database, old: readonly Old[], upTo: number, rejoin: Rejoin): void {
  const text = index.prepare('DELETE FROM record_text WHERE rowid = ?');
  const record = index.prepare('DELETE FROM records WHERE first = ?');
  index
    .transaction(() => {
      for (const { first, request_id, seqs } of old) {
        text.run(first);
        record.run(first);
        // Where calls overlap all the time retention parts one, and its end is still to be found.
        const isParted = Number(seqs.slice(seqs.lastIndexOf(',') + 1)) > upTo;
        if (isParted && request_id !== null) rejoin(request_id, upTo);
      }
    })
    .immediate();
}

/** False when nothing was left to merge: then nothing of what was deleted is left either (https://sqlite.org/fts5.html, 6.9). */
function mergeStep(index: Database.Database, isFirst: boolean): boolean {
  const changes = () => Number(index.prepare('SELECT total_changes()').pluck().get());
  const before = changes();
  // A negative number begins a merge of all parts, as `optimize` does in one go; positive ones go on with it.
  index.prepare(`INSERT INTO record_text (record_text, rank) VALUES ('merge', ?)`).run(isFirst ? -PAGES : PAGES);
  return changes() - before >= 2;
}

function finish(index: Database.Database, upTo: number): void {
  index
    .transaction(() => {
      index.prepare('DELETE FROM spans WHERE (span + 1) * ? <= ?').run(SPAN, upTo);
      index.prepare('INSERT OR REPLACE INTO forgotten VALUES (1, ?)').run(upTo);
    })
    .immediate();
  // Pages that were overwritten are still as they were in the WAL until it is emptied into the file.
  index.pragma('wal_checkpoint(TRUNCATE)');
}
