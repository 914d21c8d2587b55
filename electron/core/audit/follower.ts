import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import type Database from 'better-sqlite3';
import { faultOf } from '../store/database.ts';
import type { IndexState } from './messages.ts';
import { openProjection, type Projection, removeProjection } from './projection.ts';

/** Keeps the projection up with the log, in small steps between which questions are answered. */
export interface Follower {
  /** There is something new. */
  follow(): void;
  /**
   * Asks the projection, caught up with the log, or as far as a second brings it: `behind` entries are missing then. A
   * damaged one is made anew. Rejects with what SQLite says where there can be none.
   */
  ask<T>(question: (index: Database.Database, behind: number) => T): Promise<T>;
  /** The same for what goes on in steps; a damaged projection ends it, and the next question makes it anew. */
  askLong<T>(question: (index: Database.Database) => Promise<T>): Promise<T>;
  close(): void;
}

/** How long a question waits for the projection. Milliseconds. */
const PATIENCE_MS = 1_000;
/** How often progress is told while there is much to take in. Milliseconds. */
const TELL_MS = 500;

/** @param log `audit.db`, read only; @param path of `audit-index.db`; @param tell is told how far it is. */
export function createFollower(log: Database.Database, path: string, tell: (state: IndexState) => void): Follower {
  let projection: Projection | null = null;
  let following: Promise<void> | null = null;
  let isClosed = false;

  const isDamaged = (error: unknown) => faultOf(error, path)?.kind === 'corrupt';

  function opened(): Projection {
    projection ??= openProjection(log, path);
    return projection;
  }

  /** Nothing is lost with it: the next step begins at the first entry. */
  function discard(): void {
    projection?.close();
    projection = null;
    removeProjection(path);
  }

  async function catchUp(): Promise<void> {
    let told = performance.now();
    let isAnew = false;
    for (let more = true; more && !isClosed; ) {
      try {
        more = opened().step();
      } catch (error) {
        if (isClosed) return;
        if (faultOf(error, path) === null) throw error;
        // A full disk: what is there still answers and says how far it is, and the next entry tries again. Damage that
        // a new file does not mend is in the log.
        if (!isDamaged(error) || isAnew) return;
        discard();
        isAnew = true;
      }
      await turn();
      if (isClosed || projection === null || (more && performance.now() - told < TELL_MS)) continue;
      told = performance.now();
      tell(projection.state());
    }
  }

  function start(): Promise<void> {
    following ??= catchUp().finally(() => {
      following = null;
    });
    return following;
  }

  async function answerTo<T>(question: (index: Database.Database, behind: number) => T): Promise<T> {
    const patience = new AbortController();
    await Promise.race([start(), pause(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => {})]);
    patience.abort();
    const { db, state } = opened();
    const { seq, head } = state();
    return question(db, Math.max(0, head - seq));
  }

  return {
    follow: () => void start(),
    async ask(question) {
      try {
        return await answerTo(question);
      } catch (error) {
        if (!isDamaged(error)) throw error;
        discard();
        return await answerTo(question);
      }
    },
    async askLong(question) {
      for (let last = Number.POSITIVE_INFINITY; ; ) {
        const behind = await answerTo((_, entries) => entries);
        // Where it comes no further (a full disk), what there is must do.
        if (behind === 0 || behind >= last) return question(opened().db);
        last = behind;
      }
    },
    close() {
      isClosed = true;
      projection?.close();
    },
  };
}
