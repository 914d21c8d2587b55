import type { Clock } from '../platform.ts';
import { waitMs } from './backoff.ts';
import type { Cursor } from './cursors.ts';
import type { Delivered, Destination } from './destination.ts';
import type { Source } from './source.ts';

/** How one sink stands. */
export interface Progress {
  readonly state: 'delivering' | 'up_to_date' | 'failing' | 'paused';
  readonly reason: string | null;
  readonly failingSince: number | null;
  readonly nextTryAt: number | null;
  readonly deliveredSeq: number;
  readonly deliveredAt: number | null;
  readonly missed: number;
}

/** Entries that will never be delivered, and why. */
export interface Gap {
  readonly from: number;
  /** Null: nobody knows how many there were. */
  readonly to: number | null;
  /** How many of them; a destination may have refused only some. */
  readonly count: number | null;
  readonly reason: string;
}

/** Delivers the log to one destination: in order, again until it was acknowledged, and only then moves the cursor. */
export interface Courier {
  /** Something may have been written. */
  wake(): void;
  /** As `wake`, without waiting for the end of a back-off. */
  retryNow(): void;
  /** Resolves when nothing of it runs any more. */
  end(): Promise<void>;
}

export interface CourierParts {
  readonly clock: Clock;
  readonly random: () => number;
  readonly source: Source;
  readonly destination: Destination;
  /** Where it begins when it has no cursor yet: after this entry. */
  readonly startSeq: number;
  readonly cursor: { get(): Cursor | null; set(cursor: Cursor): void };
  tell(progress: Progress): void;
  /** Resolves when the gap stands in the audit: only then is it stepped over. */
  gap(gap: Gap): Promise<void>;
}

/** Most entries in one delivery. */
const MOST = 500;
/** A delivery that takes longer has failed. Milliseconds. */
export const DEADLINE_MS = 30_000;

/** How long the end waits for a delivery that is under way. Milliseconds. */
const PATIENCE_MS = 1_000;

type Step =
  | { readonly kind: 'more' | 'nothing' }
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfterMs?: number; readonly because?: 'batch' };

export function createCourier(parts: CourierParts): Courier {
  const { clock, source, destination, cursor } = parts;
  let over = false;
  let wanted = false;
  let running: Promise<void> | null = null;
  let cancelRetry: (() => void) | null = null;
  let failures = 0;
  let failingSince: number | null = null;
  let most = MOST;
  const ended = new AbortController();

  const start: Cursor = { chain: null, seq: parts.startSeq, hash: null, deliveredAt: null, missed: 0 };
  const current = () => cursor.get() ?? start;

  function tell(state: Progress['state'], reason: string | null = null, nextTryAt: number | null = null): void {
    if (over) return;
    const { seq, deliveredAt, missed } = current();
    parts.tell({ state, reason, failingSince, nextTryAt, deliveredSeq: seq, deliveredAt, missed });
  }

  function wake(): void {
    wanted = true;
    if (over || running !== null || cancelRetry !== null) return;
    running = run().finally(() => {
      running = null;
      if (wanted) wake();
    });
  }

  async function run(): Promise<void> {
    while (wanted && !over) {
      wanted = false;
      const step = await stepOrFault();
      if (over) return;
      if (step.kind === 'failed') {
        if (step.because === 'batch' && most > 1) {
          most = Math.max(1, Math.floor(most / 8));
          wanted = true;
          continue;
        }
        failed(step.reason, step.retryAfterMs);
        return;
      }
      failures = 0;
      failingSince = null;
      wanted ||= step.kind === 'more';
      tell(step.kind === 'more' ? 'delivering' : 'up_to_date');
    }
  }

  function failed(reason: string, retryAfterMs = 0): void {
    failures += 1;
    failingSince ??= clock.now();
    const wait = waitMs(failures, parts.random(), retryAfterMs);
    wanted = false;
    cancelRetry = clock.after(wait, () => {
      cancelRetry = null;
      wake();
    });
    tell('failing', reason, clock.now() + wait);
  }

  /** A disk that cannot be read, or a cursor that cannot be written, is a failure like any other: it is tried again. */
  async function stepOrFault(): Promise<Step> {
    try {
      return await step();
    } catch (error) {
      return {
        kind: 'failed',
        reason: `It could not go on: ${error instanceof Error ? error.message : String(error)}`,
      };
    }
  }

  async function step(): Promise<Step> {
    const at = cursor.get() ?? begun();
    const chain = source.chain() ?? at.chain;
    if (chain === null) return { kind: 'nothing' };
    if (at.chain !== null && at.chain !== chain) return newLog(at, chain);
    const strange = notAsDelivered(at);
    if (strange !== null) return { kind: 'failed', reason: strange };
    const oldest = source.oldest();
    if (oldest > at.seq + 1) return purged(at, chain, oldest);

    const batch = source.batch(chain, at.seq, most);
    if (batch === null) return { kind: 'nothing' };
    if (failures === 0) tell('delivering');
    const delivered = await withinDeadline((signal) => destination.deliver(batch, signal));
    if (delivered.kind === 'failed') {
      const only = batch.entries.length === 1 && delivered.because === 'batch';
      return only ? { ...delivered, reason: `Entry ${batch.last.seq} is not taken: ${delivered.reason}` } : delivered;
    }
    let { missed } = at;
    if (delivered.kind === 'refused_for_good') {
      missed += delivered.count;
      const from = at.seq + 1;
      await parts.gap({ from, to: batch.last.seq, count: delivered.count, reason: delivered.reason });
    }
    most = Math.min(MOST, most * 2);
    cursor.set({ chain, ...batch.last, deliveredAt: clock.now(), missed });
    return { kind: 'more' };
  }

  /** What retention removed before the sink was added is no loss of it; what it removes from now on is. */
  function begun(): Cursor {
    const begin = { ...start, seq: Math.max(start.seq, source.oldest() - 1) };
    cursor.set(begin);
    return begin;
  }

  /** A damaged log was set aside and a new one begun; what of the old one was not delivered is in that file only. */
  async function newLog(at: Cursor, chain: string): Promise<Step> {
    const reason = `Another audit log was begun. Entries after ${at.seq} of the one before were not delivered, if there were any.`;
    await parts.gap({ from: at.seq + 1, to: null, count: null, reason });
    cursor.set({ ...at, chain, seq: 0, hash: null });
    return { kind: 'more' };
  }

  async function purged(at: Cursor, chain: string, oldest: number): Promise<Step> {
    const count = oldest - at.seq - 1;
    const reason = 'Retention removed them before they were delivered.';
    await parts.gap({ from: at.seq + 1, to: oldest - 1, count, reason });
    cursor.set({ ...at, chain, seq: oldest - 1, hash: null, missed: at.missed + count });
    return { kind: 'more' };
  }

  function notAsDelivered(at: Cursor): string | null {
    if (at.hash === null) return null;
    const now = source.hashAt(at.seq);
    const gone = now === null && at.seq > source.head();
    if (!gone && (now === null || now === at.hash)) return null;
    return `The audit log no longer holds entry ${at.seq} as it was delivered: an older copy was put in its place, or it was changed. "gatehouse audit verify" says more. To deliver this log from its beginning, remove the sink and add it again.`;
  }

  async function withinDeadline(act: (signal: AbortSignal) => Promise<Delivered>): Promise<Delivered> {
    const late = new AbortController();
    const onTime = clock.after(DEADLINE_MS, () => late.abort());
    const signal = AbortSignal.any([late.signal, ended.signal]);
    const aborted = new Promise<Delivered>((resolve) =>
      signal.addEventListener('abort', () =>
        resolve({ kind: 'failed', reason: `It did not answer within ${DEADLINE_MS / 1_000} seconds.` }),
      ),
    );
    try {
      return await Promise.race([act(signal), aborted]);
    } finally {
      onTime();
    }
  }

  return {
    wake,
    retryNow() {
      cancelRetry?.();
      cancelRetry = null;
      wake();
    },
    async end() {
      over = true;
      cancelRetry?.();
      // A delivery that is about to be acknowledged would otherwise be made again.
      const patience = clock.after(PATIENCE_MS, () => ended.abort());
      await running;
      patience();
      await destination.close();
    },
  };
}
