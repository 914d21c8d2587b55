import type Database from 'better-sqlite3';
import { checkpointOf } from './checkpoint.ts';
import { headOf } from './rows.ts';

/** What retention keeps: entries younger than this, or so many bytes of them. Both: whichever removes more. */
export interface PurgeLimit {
  readonly olderThanMs: number | null;
  readonly keepBytes: number | null;
}

/** Whatever is asked for, the last day stays: calls of it may still be open. Milliseconds. */
export const ALWAYS_KEPT_MS = 24 * 3_600_000;

/** Rows that one step deletes; between steps the writer writes. */
const STEP = 1_000;
/** How far a call's entries may lie apart and still be looked for together. */
const APART = 5_000;
/** Commits that are looked at for one that parts no call. */
const TRIES = 64;

/**
 * The last entry that a purge may remove; null when none. Only a beginning of the log goes, up to the first entry that is
 * to stay; it ends with a commit. No record is parted where calls leave a gap near by; where they overlap all the time, what the
 * calls across the cut told before it goes.
 *
 * @param now wall clock, milliseconds since 1970.
 */
export function cutFor(db: Database.Database, limit: PurgeLimit, now: number): number | null {
  const oldest = db.prepare<[], number>('SELECT coalesce(min(seq), 0) FROM entries').pluck().get() ?? 0;
  const wanted = Math.max(
    limit.olderThanMs === null ? 0 : endOfOlder(db, now - Math.max(limit.olderThanMs, ALWAYS_KEPT_MS)),
    limit.keepBytes === null
      ? 0
      : Math.min(endOfSpare(db, oldest, limit.keepBytes), endOfOlder(db, now - ALWAYS_KEPT_MS)),
  );
  const cut = wholeRecords(db, wanted);
  return cut < oldest || cut === 0 || cut <= (checkpointOf(db)?.seq ?? 0) ? null : cut;
}

/** The last entry before the first that is not older than `before`. */
function endOfOlder(db: Database.Database, before: number): number {
  const young = db.prepare<[number], number>('SELECT seq FROM entries WHERE at >= ? ORDER BY seq LIMIT 1').pluck();
  return (young.get(before) ?? headOf(db).seq + 1) - 1;
}

/** As many entries from the beginning as take what is over, if all were alike. */
function endOfSpare(db: Database.Database, oldest: number, keepBytes: number): number {
  const used = usedBytes(db);
  const entries = headOf(db).seq - oldest + 1;
  return used <= keepBytes ? 0 : oldest + Math.ceil(((used - keepBytes) / used) * entries) - 1;
}

/** What the log takes on the disk, without what purges left to be used again. */
export function usedBytes(db: Database.Database): number {
  const [pages, free, size] = ['page_count', 'freelist_count', 'page_size'].map((name) =>
    Number(db.pragma(name, { simple: true })),
  );
  return ((pages ?? 0) - (free ?? 0)) * (size ?? 0);
}

function wholeRecords(db: Database.Database, wanted: number): number {
  const commit = db.prepare<[number], number>('SELECT coalesce(max(seq), 0) FROM commits WHERE seq <= ?').pluck();
  const parted = db
    .prepare<[number, number, number], number | null>(
      `SELECT min(e.seq) FROM entries e WHERE e.seq > ? AND e.seq <= ? AND e.request_id IS NOT NULL
        AND EXISTS (SELECT 1 FROM entries x WHERE x.request_id = e.request_id AND x.seq > ?)`,
    )
    .pluck();
  const last = commit.get(wanted) ?? 0;
  for (let cut = last, tries = 0; tries < TRIES; tries += 1) {
    const first = cut === 0 ? null : (parted.get(cut - APART, cut, cut) ?? null);
    if (first === null) return cut;
    cut = commit.get(first - 1) ?? 0;
  }
  // A log under steady traffic must not grow for ever because no moment of it is without a call.
  return last;
}

/** Deletes some of what lies before the checkpoint; false when nothing is left there. */
export function deleteStep(db: Database.Database): boolean {
  const upTo = checkpointOf(db)?.seq ?? 0;
  return db
    .transaction((): boolean => {
      const first = db.prepare<[], number | null>('SELECT min(seq) FROM entries').pluck().get() ?? null;
      if (first === null || first > upTo) return false;
      const end = Math.min(upTo, first + STEP - 1);
      db.prepare('DELETE FROM commits WHERE seq <= ?').run(end);
      db.prepare('DELETE FROM entries WHERE seq <= ?').run(end);
      return true;
    })
    .immediate();
}
