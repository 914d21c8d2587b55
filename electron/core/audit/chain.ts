import { verify as checkSignature, type KeyObject } from 'node:crypto';
import type { VerifyReport } from '../../../shared/model.ts';
import type { Anchor } from './anchor.ts';
import { type ChainStart, type Checkpoint, tellsOf, VERY_START } from './checkpoint.ts';
import { type CommitRow, type EntryRow, entryHash, type Head, parseDetail, signedText } from './entry.ts';
import { LOG_KINDS } from './schema.ts';
import { keyId, readPublicKey } from './signing.ts';

/** Where the rows come from: the database, or the lines of an export. Ascending, at most `limit`. */
export interface ChainSource {
  /** The last entry there is. */
  readonly upTo: number;
  /** Where it begins, when retention removed what was before. */
  readonly checkpoint: Checkpoint | null;
  entries(afterSeq: number, limit: number): readonly EntryRow[];
  commits(afterSeq: number, limit: number): readonly CommitRow[];
}

/** What is known from outside the log. */
export interface Trust {
  /** Base64 SPKI of the key that must have signed the end of the log; null when it cannot be known now. */
  readonly publicKey: string | null;
  readonly keptIn: 'keychain' | 'file' | 'none';
  readonly anchor: Anchor | null;
  readonly notes: readonly string[];
}

export interface WalkOptions {
  /** Left out: where the log begins. */
  readonly from?: ChainStart;
  /** `last`: of the signatures only the newest is checked; by the chain it vouches for all before it. */
  readonly signatures?: 'all' | 'last';
}

/** Entries of one step: a query that comes meanwhile waits for one. */
const CHUNK = 250;

/**
 * Goes through the chain and says whether it is whole, and if not, the first sequence number at which it is not. Yields
 * where it is after every chunk, so that the caller can do something else meanwhile.
 */
export function* verifyChain(
  source: ChainSource,
  trust: Trust,
  options: WalkOptions = {},
): Generator<number, VerifyReport> {
  const { checkpoint } = source;
  const { from = checkpoint ?? VERY_START, signatures = 'all' } = options;
  const { anchor } = trust;
  let last: Head = from;
  let entries = 0;
  let chain = from.chain;
  /** The entry that tells of the checkpoint this walk began at. */
  let purgedAt: number | null = null;
  /** First entry that no commit covers yet. */
  let groupStart = from.seq + 1;
  let commitNumber = from.number;
  let publicKey = from.publicKey;
  let announcedAt = from.seq;
  let key: KeyObject | null = publicKey === null ? null : readPublicKey(publicKey);
  let changes = 0;
  let replaced: string | null = null;
  let recorded: Problem | null = null;

  const report = (problem: Problem | null): VerifyReport => ({
    ok: problem === null,
    entries,
    firstSeq: entries > 0 ? from.seq + 1 : null,
    lastSeq: last.seq > 0 ? last.seq : null,
    head: last.seq > 0 ? last.hash : null,
    badSeq: problem?.badSeq ?? null,
    problem: problem?.problem ?? null,
    signingKey: trust.keptIn,
    publicKey,
    notes: [
      ...trust.notes,
      ...(purgedAt === null ? [] : [removed(from.seq, purgedAt)]),
      ...(replaced === null ? [] : [replaced]),
      ...(changes === 0 ? [] : [changed(changes)]),
    ],
  });

  const commits = cursor((after) => source.commits(after, CHUNK), from.seq);
  for (;;) {
    const rows = source.entries(last.seq, CHUNK);
    for (const row of rows) {
      const problem = entryProblem(row, last);
      if (problem !== null) return report(problem);
      entries += 1;
      last = { seq: row.seq, hash: row.hash };
      if (from.seq === 0) chain ??= row.hash;
      if (checkpoint?.seq === from.seq && tellsOf(row, checkpoint)) purgedAt = row.at;
      if (anchor?.seq === row.seq && anchor.hash !== row.hash) return report(otherThanAnchored(row.seq));
      const announced = announcedKey(row);
      if (announced !== null) {
        if (publicKey !== null && announced !== publicKey) changes += 1;
        publicKey = announced;
        key = readPublicKey(announced);
        announcedAt = row.seq;
      }
      recorded ??= recordedProblem(row);
      replaced ??= replacement(row);

      const commit = commits.peek();
      if (commit === null || commit.seq > row.seq) continue;
      commits.next();
      const wrong = commitProblem(commit, row, groupStart, commitNumber);
      if (wrong !== null) return report(wrong);
      if (signatures === 'all' || commits.peek() === null) {
        if (!signed(commit, key, publicKey)) return report(unsigned(groupStart, row.seq));
      }
      commitNumber = commit.number;
      groupStart = row.seq + 1;
    }
    if (rows.length < CHUNK) break;
    yield last.seq;
  }

  const ahead = commits.peek();
  if (ahead !== null) {
    return report({
      badSeq: last.seq + 1,
      problem: `The log ends at entry ${last.seq}, but entry ${ahead.seq} had been signed: entries were deleted.`,
    });
  }
  if (anchor !== null && anchor.seq > last.seq) {
    return report({
      badSeq: last.seq + 1,
      problem: `The log ends at entry ${last.seq}, but it had reached entry ${anchor.seq}: entries were cut off, or an older copy was put in its place.`,
    });
  }
  if (groupStart <= last.seq) return report(unsigned(groupStart, last.seq));
  if (anchor !== null && chain !== null && anchor.chain !== chain) return report(otherThanAnchored(1));
  if (trust.publicKey !== null && publicKey !== null && trust.publicKey !== publicKey) {
    return report({
      badSeq: announcedAt === 0 ? 1 : announcedAt,
      problem: `From entry ${announcedAt} on the log is signed with a key that is not yours: it was written by something else than this Gatehouse.`,
    });
  }
  if (checkpoint !== null && checkpoint.seq === from.seq && purgedAt === null) return report(untold(from.seq));
  return report(recorded);
}

/** Runs a walk to its end at once. */
export function finish(walk: Generator<unknown, VerifyReport>): VerifyReport {
  for (;;) {
    const step = walk.next();
    if (step.done) return step.value;
  }
}

interface Problem {
  readonly badSeq: number;
  readonly problem: string;
}

function entryProblem(row: EntryRow, last: Head): Problem | null {
  if (row.seq !== last.seq + 1) {
    return { badSeq: last.seq + 1, problem: `Entry ${last.seq + 1} is missing: entries were deleted.` };
  }
  if (entryHash(row) !== row.hash) {
    return { badSeq: row.seq, problem: `Entry ${row.seq} was changed after it was written: its hash does not fit.` };
  }
  if (row.prev === last.hash) return null;
  // The later entry fits its own hash, so it is the earlier one that is no longer what was chained.
  const badSeq = Math.max(1, last.seq);
  return {
    badSeq,
    problem: `Entry ${row.seq} was written after another entry ${last.seq} than the one that is there now.`,
  };
}

function commitProblem(commit: CommitRow, row: EntryRow, groupStart: number, previous: number | null): Problem | null {
  if (commit.seq !== row.seq || (previous !== null && commit.number !== previous + 1)) {
    return {
      badSeq: groupStart,
      problem: `The signatures from entry ${groupStart} on are not in order: one was deleted.`,
    };
  }
  if (commit.hash === row.hash) return null;
  return {
    badSeq: groupStart,
    problem: `Entries ${groupStart} to ${row.seq} are not those that were signed: at least one was rewritten.`,
  };
}

function signed(commit: CommitRow, key: KeyObject | null, publicKey: string | null): boolean {
  if (key === null || publicKey === null || commit.key_id !== keyId(publicKey)) return false;
  return checkSignature(null, signedText(commit), key, Buffer.from(commit.signature, 'base64'));
}

const unsigned = (first: number, last: number): Problem => ({
  badSeq: first,
  problem: `Entries ${first} to ${last} carry no valid signature.`,
});

const otherThanAnchored = (badSeq: number): Problem => ({
  badSeq,
  problem: `Entry ${badSeq} is not the one that this log had: another log, or a rewritten one, was put in its place.`,
});

const untold = (last: number): Problem => ({
  badSeq: 1,
  problem: `Entries 1 to ${last} are missing, and nothing that was signed says that retention removed them.`,
});

const removed = (last: number, at: number) =>
  `Entries 1 to ${last} were removed by retention on ${new Date(at).toISOString().slice(0, 10)}; the log verifies from there on.`;

const changed = (times: number) =>
  `The signing key changed ${times === 1 ? 'once' : `${times} times`}; what was signed before rests on the key named in the log.`;

function announcedKey(row: EntryRow): string | null {
  if (row.kind !== LOG_KINDS.chainStarted && row.kind !== LOG_KINDS.keyChanged) return null;
  const publicKey = parseDetail(row.detail).publicKey;
  return typeof publicKey === 'string' ? publicKey : null;
}

/** What a start found stays a problem of this log, or it would be forgotten with the next anchor. */
function recordedProblem(row: EntryRow): Problem | null {
  if (row.kind !== LOG_KINDS.tampering) return null;
  const { badSeq, problem } = parseDetail(row.detail);
  return {
    badSeq: typeof badSeq === 'number' ? badSeq : row.seq,
    problem: `At entry ${row.seq} Gatehouse started and found: ${typeof problem === 'string' ? problem : 'the log was changed.'}`,
  };
}

/** What the first entry says of a log that was there before. */
function replacement(row: EntryRow): string | null {
  if (row.kind !== LOG_KINDS.chainStarted) return null;
  const { why, previous } = parseDetail(row.detail);
  if (typeof previous !== 'object' || previous === null) return null;
  const { file, lastKnownHead } = previous as {
    readonly file?: unknown;
    readonly lastKnownHead?: Partial<Head> | null;
  };
  const reached = typeof lastKnownHead?.seq === 'number' ? `; it had reached entry ${lastKnownHead.seq}` : '';
  const kept = typeof file === 'string' ? `; it is kept as ${file}` : '';
  return `This log was started because ${String(why)}${reached}${kept}.`;
}

/** The rows of a paged source one by one. */
function cursor(page: (afterSeq: number) => readonly CommitRow[], start: number) {
  let after = start;
  let rows: readonly CommitRow[] = [];
  let at = 0;
  function peek(): CommitRow | null {
    if (at >= rows.length) {
      rows = page(after);
      at = 0;
      after = rows.at(-1)?.seq ?? after;
    }
    return rows[at] ?? null;
  }
  return {
    peek,
    next(): void {
      peek();
      at += 1;
    },
  };
}
