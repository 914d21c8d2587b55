import type Database from 'better-sqlite3';
import type { Anchor } from './anchor.ts';
import type { ChainSource } from './chain.ts';
import { checkpointOf } from './checkpoint.ts';
import type { CommitRow, EntryRow, Head } from './entry.ts';
import { NO_HEAD, parseDetail } from './entry.ts';
import { LOG_KINDS } from './schema.ts';

/** The rows as they are now; what is written later is left out, so that a walk over a living log ends somewhere. */
export function chainSource(db: Database.Database): ChainSource {
  const checkpoint = checkpointOf(db);
  const upTo = db
    .prepare('SELECT max(coalesce((SELECT max(seq) FROM entries), 0), coalesce((SELECT max(seq) FROM commits), 0))')
    .pluck()
    .get() as number;
  const entries = db.prepare<[number, number, number], EntryRow>(
    'SELECT * FROM entries WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?',
  );
  const commits = db.prepare<[number, number, number], CommitRow>(
    'SELECT * FROM commits WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?',
  );
  return {
    upTo,
    checkpoint,
    entries: (after, limit) => entries.all(after, upTo, limit),
    commits: (after, limit) => commits.all(after, upTo, limit),
  };
}

export function headOf(db: Database.Database): Head {
  const head = db.prepare<[], Head>('SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1').get();
  return head ?? NO_HEAD;
}

/** The entry with this number, as far as the chain needs it. */
export function headAt(db: Database.Database, seq: number): Head | null {
  return db.prepare<[number], Head>('SELECT seq, hash FROM entries WHERE seq = ?').get(seq) ?? null;
}

/** The public key (base64 SPKI) that signs after entry `seq`, as the log itself says; null when it does not. */
export function announcedKeyAt(db: Database.Database, seq: number): string | null {
  const detail = db
    .prepare('SELECT detail FROM entries WHERE seq = (SELECT max(seq) FROM entries WHERE kind IN (?, ?) AND seq <= ?)')
    .pluck()
    .get(LOG_KINDS.chainStarted, LOG_KINDS.keyChanged, seq);
  // What retention removed may have held it; the checkpoint then does.
  if (typeof detail !== 'string') return checkpointOf(db)?.publicKey ?? null;
  const { publicKey } = parseDetail(detail);
  return typeof publicKey === 'string' ? publicKey : null;
}

/**
 * The anchor as far as it is about this log: none when this log was started in place of the anchored one and says so,
 * which is so until the new log's own head is anchored.
 */
export function ownAnchor(db: Database.Database, anchor: Anchor | null): Anchor | null {
  if (anchor === null) return null;
  const detail = db
    .prepare('SELECT detail FROM entries WHERE seq = 1 AND kind = ?')
    .pluck()
    .get(LOG_KINDS.chainStarted);
  if (typeof detail !== 'string') return anchor;
  const started = parseDetail(detail) as {
    readonly previous?: { readonly lastKnownHead?: Partial<Anchor> | null } | null;
  };
  const before = started.previous?.lastKnownHead;
  return before?.chain === anchor.chain && before.seq === anchor.seq && before.hash === anchor.hash ? null : anchor;
}

/** Hash of the log's very first entry: which log this is. Null while it has none. */
export function chainOf(db: Database.Database): string | null {
  const first = () => db.prepare<[], string>('SELECT hash FROM entries ORDER BY seq LIMIT 1').pluck().get() ?? null;
  return checkpointOf(db)?.chain ?? first();
}
