import { type KeyObject, sign } from 'node:crypto';
import { statSync } from 'node:fs';
import type Database from 'better-sqlite3';
import type { Anchor } from './anchor.ts';
import { finish, verifyChain } from './chain.ts';
import { type Checkpoint, checkpointOf, VERY_START } from './checkpoint.ts';
import { type CommitRow, type EntryDraft, type EntryRow, entryHash, type Head, NO_HEAD, signedText } from './entry.ts';
import { closingEntries } from './recover.ts';
import { announcedKeyAt, chainOf, chainSource, headAt, headOf, ownAnchor } from './rows.ts';
import { LOG_KINDS } from './schema.ts';
import { keyId } from './signing.ts';

export interface BeginOptions {
  readonly anchor: Anchor | null;
  readonly publicKey: string;
  readonly keptIn: 'keychain' | 'file';
  readonly at: number;
  readonly version: string;
  /** Where the log before this one was moved to, when it was broken. */
  readonly setAside: string | null;
  /** True: close what an earlier run left open. */
  readonly recover: boolean;
}

export interface Begun {
  readonly recovered: number;
  /** What is wrong with the end of the log as it was found; null when nothing is. */
  readonly problem: string | null;
  readonly head: Anchor;
}

/** The one who adds to the chain. Every call is one durable transaction; they throw what SQLite throws and change nothing then. */
export interface Appender {
  begin(options: BeginOptions): Begun;
  append(drafts: readonly EntryDraft[]): { readonly firstSeq: number; readonly head: Anchor };
  /** Records that everything up to entry `cut` may go, with the checkpoint to go on from; deletes nothing itself. */
  checkpoint(cut: number, told: Readonly<Record<string, unknown>>, at: number): { readonly head: Anchor };
}

export function createAppender(
  db: Database.Database,
  path: string,
  privateKey: KeyObject,
  publicKey: string,
): Appender {
  const id = keyId(publicKey);
  const file = identity(path);
  const lastEntry = db.prepare<[], Head>('SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1');
  const lastCommit = db.prepare<[], Pick<CommitRow, 'number' | 'seq'>>(
    'SELECT number, seq FROM commits ORDER BY seq DESC LIMIT 1',
  );
  const insertEntry = db.prepare(
    `INSERT INTO entries VALUES (@seq, @at, @phase, @kind, @request_id, @workspace, @client_id, @client, @key_prefix,
      @upstream, @tool, @effect, @rule, @outcome, @error_class, @detail, @prev, @hash)`,
  );
  const insertCommit = db.prepare('INSERT INTO commits VALUES (@seq, @number, @hash, @key_id, @signature)');
  let chain: string | null = null;

  /** Within a transaction. The head is read anew each time: nothing that is remembered can fork the chain. */
  function add(drafts: readonly EntryDraft[], atLeast: number): { firstSeq: number; head: Head } {
    const last = lastEntry.get() ?? NO_HEAD;
    const commit = lastCommit.get();
    // Numbers that were once signed are never given again, so that what was cut off stays missing.
    const firstSeq = Math.max(last.seq, commit?.seq ?? 0, atLeast) + 1;
    let head: Head = { seq: firstSeq - 1, hash: last.hash };
    for (const draft of drafts) {
      const row: Omit<EntryRow, 'hash'> = { ...draft, seq: head.seq + 1, prev: head.hash };
      head = { seq: row.seq, hash: entryHash(row) };
      insertEntry.run({ ...row, hash: head.hash });
    }
    const next = { number: (commit?.number ?? 0) + 1, ...head };
    insertCommit.run({ ...next, key_id: id, signature: sign(null, signedText(next), privateKey).toString('base64') });
    return { firstSeq, head };
  }

  function anchorOf(head: Head): Anchor {
    chain ??= chainOf(db) ?? head.hash;
    return { chain, ...head };
  }

  return {
    begin: (options) =>
      db
        .transaction((): Begun => {
          const empty = headOf(db).seq === 0 && lastCommit.get() === undefined;
          const problem = empty ? null : endProblem(db, options.anchor);
          const closing = options.recover ? closingEntries(db, options.at) : [];
          const drafts: readonly EntryDraft[] = [
            ...(empty ? [chainStarted(options)] : keyChanged(options, announcedKeyAt(db, Number.MAX_SAFE_INTEGER))),
            ...(problem === null ? [] : [event(options, LOG_KINDS.tampering, { ...problem, anchor: options.anchor })]),
            ...closing,
            ...(options.recover
              ? [event(options, LOG_KINDS.opened, { version: options.version, recovered: closing.length })]
              : []),
          ];
          if (drafts.length === 0) return { recovered: 0, problem: null, head: anchorOf(headOf(db)) };
          const { head } = add(drafts, empty ? 0 : (options.anchor?.seq ?? 0));
          const gone = empty && options.anchor !== null && options.setAside === null;
          return {
            recovered: closing.length,
            problem: gone
              ? `The audit log was gone: it had reached entry ${options.anchor?.seq}. A new one was started.`
              : (problem?.problem ?? null),
            head: anchorOf(head),
          };
        })
        .immediate(),
    checkpoint(cut, told, at) {
      const { head } = db
        .transaction(() => {
          const oldest = db.prepare<[], number>('SELECT coalesce(min(seq), 0) FROM entries').pluck().get() ?? 0;
          const checkpoint = checkpointAt(db, cut, chainOf(db) ?? '');
          const removed = { from: oldest, to: cut, entries: cut - oldest + 1 };
          const added = add([event({ at }, LOG_KINDS.purged, { ...told, ...removed, checkpoint })], 0);
          db.prepare('INSERT INTO checkpoints VALUES (@seq, @hash, @number, @chain, @publicKey)').run(checkpoint);
          return added;
        })
        .immediate();
      return { head: anchorOf(head) };
    },
    append(drafts) {
      // Writing on into a file that was moved or deleted would record into nowhere.
      if (identity(path) !== file) throw new FileGone(path);
      const added = db.transaction(() => add(drafts, 0)).immediate();
      return { firstSeq: added.firstSeq, head: anchorOf(added.head) };
    },
  };
}

/** @param cut the last entry of a commit that is there. */
function checkpointAt(db: Database.Database, cut: number, chain: string): Checkpoint {
  const commit = db.prepare<[number], Pick<CommitRow, 'number' | 'hash'>>(
    'SELECT number, hash FROM commits WHERE seq = ?',
  );
  const found = commit.get(cut);
  const publicKey = announcedKeyAt(db, cut);
  if (found === undefined || publicKey === null) throw new Error(`entry ${cut} does not end a commit`);
  return { seq: cut, hash: found.hash, number: found.number, chain, publicKey };
}

/** `audit.db` is no longer the file that is open. */
export class FileGone extends Error {
  constructor(path: string) {
    super(`${path} was moved or deleted while Gatehouse runs. Put it back, or restart Gatehouse.`);
  }
}

/** Entries before the anchor that the check at a start goes back when nothing is anchored. */
const TAIL = 1_000;

/** Checks what was written since the last anchor: that is all a start waits for; the whole is walked later. */
function endProblem(db: Database.Database, given: Anchor | null): { badSeq: number | null; problem: string } | null {
  const anchor = ownAnchor(db, given);
  const head = headOf(db);
  const floor = checkpointOf(db) ?? VERY_START;
  const known = headAt(db, anchor?.seq ?? Math.max(floor.seq, head.seq - TAIL));
  if (anchor !== null && known !== null && known.hash !== anchor.hash) {
    return { badSeq: anchor.seq, problem: `Entry ${anchor.seq} is not the one that this log had.` };
  }
  // What is not there was cut off, or retention removed it; both are told by the walk from where the log begins.
  const from =
    known === null || known.seq <= floor.seq
      ? floor
      : { ...known, publicKey: announcedKeyAt(db, known.seq), number: null, chain: null };
  const report = finish(
    verifyChain(chainSource(db), { publicKey: null, keptIn: 'none', anchor, notes: [] }, { from, signatures: 'last' }),
  );
  return report.problem === null ? null : { badSeq: report.badSeq, problem: report.problem };
}

function chainStarted(options: BeginOptions): EntryDraft {
  const { anchor, setAside, publicKey, keptIn, version } = options;
  const why =
    setAside !== null ? 'the log before it was damaged' : anchor !== null ? 'the log before it was gone' : 'first';
  return event(options, LOG_KINDS.chainStarted, {
    why,
    publicKey,
    keyId: keyId(publicKey),
    keptIn,
    version,
    previous: setAside === null && anchor === null ? null : { file: setAside, lastKnownHead: anchor },
  });
}

function keyChanged(options: BeginOptions, announced: string | null): readonly EntryDraft[] {
  const { publicKey, keptIn } = options;
  if (announced === publicKey) return [];
  return [event(options, LOG_KINDS.keyChanged, { publicKey, keyId: keyId(publicKey), keptIn, before: announced })];
}

function event(options: Pick<BeginOptions, 'at'>, kind: string, detail: Readonly<Record<string, unknown>>): EntryDraft {
  return {
    at: options.at,
    phase: 'event',
    kind,
    request_id: null,
    workspace: null,
    client_id: null,
    client: null,
    key_prefix: null,
    upstream: null,
    tool: null,
    effect: null,
    rule: null,
    outcome: null,
    error_class: null,
    detail: JSON.stringify(detail),
  };
}

function identity(path: string): string | null {
  // Windows keeps an open file where it is.
  if (process.platform === 'win32') return path;
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat ? `${stat.dev}:${stat.ino}` : null;
}
