import { expect, onTestFinished, test } from 'vitest';
import { createCourier, DEADLINE_MS, type Gap, type Progress } from '../../../electron/core/sinks/courier.ts';
import type { Cursor } from '../../../electron/core/sinks/cursors.ts';
import type { Batch, Delivered } from '../../../electron/core/sinks/destination.ts';
import { type FakeClock, fakeClock } from '../../support/fake-clock.ts';
import { rowsOf, sourceOf, type TestSource } from './rows.ts';

const TAKEN: Delivered = { kind: 'delivered' };
const DOWN: Delivered = { kind: 'failed', reason: 'It is down.' };

interface Run {
  readonly clock: FakeClock;
  readonly source: TestSource;
  readonly attempts: readonly Batch[];
  readonly gaps: readonly Gap[];
  progress(): Progress | undefined;
  cursor(): Cursor | null;
  answer: (batch: Batch, signal: AbortSignal) => Delivered | Promise<Delivered>;
  wake(): Promise<void>;
  end(): Promise<void>;
}

interface Begin {
  readonly seq?: number;
  /** When a gap stands in the audit; at once when left out. */
  readonly recorded?: Promise<void>;
}

function run(source: TestSource, begin: Begin = {}): Run {
  const clock = fakeClock();
  const attempts: Batch[] = [];
  const gaps: Gap[] = [];
  let last: Progress | undefined;
  let cursor: Cursor | null =
    begin.seq === undefined
      ? null
      : { chain: source.chain(), seq: begin.seq, hash: null, deliveredAt: null, missed: 0 };
  const running: Run = {
    clock,
    source,
    attempts,
    gaps,
    progress: () => last,
    cursor: () => cursor,
    answer: () => TAKEN,
    async wake() {
      courier.wake();
      await clock.advance(0);
      await clock.advance(0);
    },
    end: () => courier.end(),
  };
  const courier = createCourier({
    clock,
    random: () => 1,
    source,
    startSeq: 0,
    cursor: {
      get: () => cursor,
      set(next) {
        cursor = next;
      },
    },
    tell(progress) {
      last = progress;
    },
    async gap(gap) {
      gaps.push(gap);
      await begin.recorded;
    },
    destination: {
      async deliver(batch, signal) {
        attempts.push(batch);
        return running.answer(batch, signal);
      },
      check: async () => ({ kind: 'reached', message: '' }),
      async close() {},
    },
  });
  onTestFinished(() => void courier.end());
  return running;
}

const numbers = (batch: Batch | undefined) => batch?.entries.map(({ seq }) => seq);

test('the cursor moves only after the other side acknowledged', async () => {
  const one = run(sourceOf(rowsOf(1, 3)));
  const held = Promise.withResolvers<Delivered>();
  one.answer = () => held.promise;
  await one.wake();
  expect(numbers(one.attempts[0])).toEqual([1, 2, 3]);
  expect(one.cursor()?.seq).toBe(0);
  expect(one.progress()).toMatchObject({ state: 'delivering', deliveredSeq: 0 });
  held.resolve(TAKEN);
  await one.clock.advance(0);
  expect(one.cursor()).toMatchObject({ seq: 3, hash: one.source.rows[2]?.hash });
  expect(one.progress()).toMatchObject({ state: 'up_to_date', deliveredSeq: 3 });
});

test('a sink that is down: tried again ever more rarely, never twice at once, and nothing is left out', async () => {
  const one = run(sourceOf(rowsOf(1, 2)));
  one.answer = () => DOWN;
  await one.wake();
  expect(one.progress()).toMatchObject({ state: 'failing', reason: 'It is down.', nextTryAt: one.clock.now() + 500 });
  // Whatever is written meanwhile does not shorten the wait.
  await one.wake();
  expect(one.attempts).toHaveLength(1);
  const waits: number[] = [];
  for (let before = one.attempts.length; waits.length < 12; before = one.attempts.length) {
    const from = one.clock.monotonic();
    while (one.attempts.length === before) await one.clock.advance(500);
    waits.push(one.clock.monotonic() - from);
  }
  expect(waits.slice(0, 5)).toEqual([500, 1_000, 2_000, 4_000, 8_000]);
  expect(waits.at(-1)).toBe(5 * 60_000);
  one.source.rows = rowsOf(1, 5);
  one.answer = () => TAKEN;
  await one.clock.advance(5 * 60_000);
  expect(one.attempts.slice(13).flatMap((batch) => numbers(batch))).toEqual([1, 2, 3, 4, 5]);
  expect(one.progress()).toMatchObject({ state: 'up_to_date', failingSince: null, reason: null, missed: 0 });
});

test('asked to wait longer, it does', async () => {
  const one = run(sourceOf(rowsOf(1, 1)));
  one.answer = () => ({ ...DOWN, retryAfterMs: 60_000 }) as Delivered;
  await one.wake();
  await one.clock.advance(59_000);
  expect(one.attempts).toHaveLength(1);
  await one.clock.advance(10_000);
  expect(one.attempts).toHaveLength(2);
});

test('a sink that never answers is given up at the deadline, and what comes of it later changes nothing', async () => {
  const one = run(sourceOf(rowsOf(1, 1)));
  const late = Promise.withResolvers<Delivered>();
  let signal: AbortSignal | null = null;
  one.answer = (_batch, given) => {
    signal = given;
    return late.promise;
  };
  await one.wake();
  await one.clock.advance(DEADLINE_MS - 1);
  expect(one.progress()?.state).toBe('delivering');
  await one.clock.advance(1);
  expect(one.progress()).toMatchObject({ state: 'failing', reason: 'It did not answer within 30 seconds.' });
  expect(signal).toMatchObject({ aborted: true });
  late.resolve(TAKEN);
  await one.clock.advance(0);
  expect(one.cursor()?.seq).toBe(0);
});

test('what retention removed before it was delivered is counted and recorded, and the rest goes on', async () => {
  const one = run(sourceOf(rowsOf(8, 10)), { seq: 3 });
  await one.wake();
  expect(one.gaps).toEqual([
    { from: 4, to: 7, count: 4, reason: 'Retention removed them before they were delivered.' },
  ]);
  expect(one.attempts.map(numbers)).toEqual([[8, 9, 10]]);
  expect(one.progress()).toMatchObject({ deliveredSeq: 10, missed: 4 });
});

test('what retention removed before the sink was added is no loss of it', async () => {
  const one = run(sourceOf(rowsOf(8, 10)));
  one.answer = () => DOWN;
  await one.wake();
  expect(one.cursor()?.seq).toBe(7);
  // But what it removes while the sink is down from its first day on is one.
  one.source.rows = rowsOf(10, 12);
  one.answer = () => TAKEN;
  await one.clock.advance(500);
  expect(one.gaps).toMatchObject([{ from: 8, to: 9, count: 2 }]);
  expect(one.progress()).toMatchObject({ deliveredSeq: 12, missed: 2 });
});

test('a gap that is not recorded yet is not stepped over', async () => {
  const recorded = Promise.withResolvers<void>();
  const one = run(sourceOf(rowsOf(8, 10)), { seq: 3, recorded: recorded.promise });
  await one.wake();
  expect(one.cursor()?.seq).toBe(3);
  recorded.resolve();
  await one.clock.advance(0);
  await one.clock.advance(0);
  expect(one.cursor()?.seq).toBe(10);
});

test.each([
  ['an older copy put in its place', rowsOf(1, 4)],
  ['an entry changed', rowsOf(1, 9).map((row) => (row.seq === 6 ? { ...row, hash: 'f'.repeat(64) } : row))],
])('%s is noticed, and nothing of it is delivered as if it followed', async (_what, now) => {
  const one = run(sourceOf(rowsOf(1, 6)));
  await one.wake();
  one.source.rows = now;
  await one.wake();
  expect(one.progress()?.reason).toContain('no longer holds entry 6 as it was delivered');
  expect(one.attempts).toHaveLength(1);
});

test('a new log in the place of a broken one is delivered from its beginning, and the end of the old one is said', async () => {
  const one = run(sourceOf(rowsOf(1, 6)));
  await one.wake();
  one.source.rows = rowsOf(1, 2, 'b');
  await one.wake();
  expect(one.gaps).toMatchObject([{ from: 7, to: null, count: null }]);
  expect(one.attempts.map(numbers)).toEqual([
    [1, 2, 3, 4, 5, 6],
    [1, 2],
  ]);
  expect(one.attempts[0]?.chain).not.toBe(one.attempts[1]?.chain);
});

test('an entry that is refused for what it holds is found and named, and those before it are delivered', async () => {
  const one = run(sourceOf(rowsOf(1, 100)));
  one.answer = (batch) =>
    batch.entries.some(({ seq }) => seq === 42) ? { kind: 'failed', reason: 'It is bad.', because: 'batch' } : TAKEN;
  await one.wake();
  for (let n = 0; n < 50; n += 1) await one.clock.advance(0);
  expect(one.progress()).toMatchObject({
    state: 'failing',
    deliveredSeq: 41,
    reason: 'Entry 42 is not taken: It is bad.',
  });
});

test('what the other side says that it will never take is counted and recorded', async () => {
  const one = run(sourceOf(rowsOf(1, 5)));
  one.answer = () => ({ kind: 'refused_for_good', count: 2, reason: 'The collector refused 2 of them.' });
  await one.wake();
  expect(one.gaps).toEqual([{ from: 1, to: 5, count: 2, reason: 'The collector refused 2 of them.' }]);
  expect(one.progress()).toMatchObject({ state: 'up_to_date', deliveredSeq: 5, missed: 2 });
});

test('the end waits for a delivery that is about to be acknowledged, but not for one that hangs', async () => {
  const one = run(sourceOf(rowsOf(1, 1)));
  const held = Promise.withResolvers<Delivered>();
  one.answer = () => held.promise;
  await one.wake();
  const ended = one.end();
  held.resolve(TAKEN);
  await ended;
  expect(one.cursor()?.seq).toBe(1);

  const other = run(sourceOf(rowsOf(1, 1)));
  other.answer = () => new Promise(() => {});
  await other.wake();
  const over = other.end();
  await other.clock.advance(1_000);
  await over;
  expect(other.cursor()?.seq).toBe(0);
});
