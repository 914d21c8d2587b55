import { expect, test } from 'vitest';
import type { EntryDraft } from '../../../electron/core/audit/entry.ts';
import type { ToWriter } from '../../../electron/core/audit/messages.ts';
import { createOutbox, KEPT } from '../../../electron/core/audit/outbox.ts';
import { fakeClock } from '../../support/fake-clock.ts';

const HEAD = { chain: 'c'.repeat(64), seq: 1, hash: 'h'.repeat(64) };

/** An outbox with a writer that answers only when it is told to. */
function setUp(soonMs = 0) {
  const clock = fakeClock();
  const batches: { drafts: readonly EntryDraft[]; retry: boolean }[] = [];
  const changes: (string | null)[] = [];
  const outbox = createOutbox({
    clock,
    post: (message: ToWriter) => void (message.kind === 'batch' && batches.push(message)),
    onHead() {},
    soonMs,
    onChange: (reason) => void changes.push(reason),
  });
  outbox.writer(null);
  let seq = 0;
  return {
    clock,
    outbox,
    batches,
    changes,
    posted: () => batches.map((batch) => batch.drafts.map((draft) => draft.kind)),
    commits(count: number) {
      outbox.hear({ kind: 'committed', count, firstSeq: seq + 1, head: HEAD });
      seq += count;
    },
    fails: (count: number) => outbox.hear({ kind: 'failed', count, reason: 'the disk is full' }),
  };
}

const event = (kind: string) => ({ phase: 'event', kind }) as const;
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('whatever one turn records goes in one message, and each caller gets its own number', async () => {
  const { outbox, posted, commits } = setUp();
  const answers = [outbox.write(event('a')), outbox.write(event('b'))];
  outbox.writeSoon(event('c'));
  await turn();
  expect(posted()).toEqual([['a', 'b', 'c']]);
  commits(3);
  expect(await Promise.all(answers)).toEqual([
    { kind: 'written', seq: 1 },
    { kind: 'written', seq: 2 },
  ]);
  expect(outbox.queued()).toBe(0);
});

test('after a failure those who wait are told, the rest is kept in order behind one entry about the gap', async () => {
  const { outbox, posted, batches, fails, commits, clock, changes } = setUp();
  const waiting = outbox.write(event('call'));
  outbox.writeSoon(event('1'));
  await turn();
  outbox.writeSoon(event('2'));
  await turn();
  fails(2);
  expect(await waiting).toEqual({ kind: 'unavailable', reason: 'the disk is full' });
  outbox.writeSoon(event('3'));
  fails(1);
  expect(outbox.available()).toEqual({ ok: false, reason: 'the disk is full' });
  expect(await outbox.write(event('call'))).toEqual({ kind: 'unavailable', reason: 'the disk is full' });

  await clock.advance(4_000);
  outbox.hear({ kind: 'try_again' });
  expect(posted().at(-1)).toEqual(['audit_unavailable_gap', '1', '2', '3']);
  expect(batches.at(-1)?.retry).toBe(true);
  fails(4);
  outbox.writeSoon(event('4'));
  await clock.advance(1_000);
  outbox.hear({ kind: 'try_again' });
  expect(posted().at(-1)).toEqual(['audit_unavailable_gap', '1', '2', '3', '4']);
  expect(JSON.parse(batches.at(-1)?.drafts[0]?.detail ?? '{}')).toMatchObject({
    ms: 5_000,
    reason: 'the disk is full',
  });
  commits(5);
  expect(outbox.available()).toEqual({ ok: true });
  expect(changes).toEqual(['the disk is full', null]);
});

test('a refusal that comes late is not taken for the answer to the next try', async () => {
  const { outbox, fails, commits } = setUp();
  for (const kind of ['1', '2']) {
    outbox.writeSoon(event(kind));
    await turn();
  }
  fails(1);
  outbox.hear({ kind: 'try_again' });
  fails(1);
  expect(outbox.queued()).toBe(3);
  commits(3);
  expect(outbox.available()).toEqual({ ok: true });
  expect(outbox.queued()).toBe(0);
});

test('calls wait until everything that is kept is durable', async () => {
  const { outbox, posted, fails, commits } = setUp();
  outbox.writeSoon(event('first'));
  await turn();
  fails(1);
  for (let n = 0; n < 300; n += 1) outbox.writeSoon(event(`${n}`));
  outbox.hear({ kind: 'try_again' });
  commits(201);
  expect(outbox.available()).toEqual({ ok: false, reason: expect.stringMatching(/catching up/) });
  expect(posted().at(-1)).toHaveLength(101);
  commits(101);
  expect(outbox.available()).toEqual({ ok: true });
});

test('more than can be kept is counted, and the log says how many', async () => {
  const { outbox, posted, batches, fails, commits } = setUp();
  outbox.writeSoon(event('first'));
  await turn();
  fails(1);
  for (let n = 0; n < KEPT.entries + 41; n += 1) outbox.writeSoon(event(`${n}`));
  expect(outbox.queued()).toBe(KEPT.entries);
  outbox.hear({ kind: 'try_again' });
  commits(201);
  expect(posted().at(-1)?.at(-1)).toBe('audit_gap');
  expect(JSON.parse(batches.at(-1)?.drafts.at(-1)?.detail ?? '{}')).toMatchObject({ entries: 42 });
});

test('kept entries are bounded by their size too', async () => {
  const { outbox, fails } = setUp();
  outbox.writeSoon(event('first'));
  await turn();
  fails(1);
  for (let n = 0; n < 100; n += 1) outbox.writeSoon({ ...event('big'), detail: { text: 'x'.repeat(900_000) } });
  expect(outbox.queued()).toBeLessThanOrEqual(KEPT.characters / 900_000 + 1);
});

test('when the writer dies, those who wait are told and the rest goes to the next writer', async () => {
  const { outbox, posted, commits } = setUp();
  const waiting = outbox.write(event('call'));
  outbox.writeSoon(event('soon'));
  await turn();
  outbox.lostWriter('it stopped');
  expect(await waiting).toEqual({ kind: 'unavailable', reason: 'it stopped' });
  expect(outbox.available()).toEqual({ ok: false, reason: 'it stopped' });
  outbox.writer(null);
  expect(posted().at(-1)).toEqual(['audit_unavailable_gap', 'soon']);
  commits(2);
  expect(outbox.available()).toEqual({ ok: true });
});

test('what may wait goes with the next write, in order, and by itself when none comes', async () => {
  const { outbox, posted, clock, commits } = setUp(10);
  outbox.writeSoon(event('ended 1'));
  await turn();
  expect(posted()).toEqual([]);
  const waiting = outbox.write(event('forwarded 2'));
  await turn();
  expect(posted()).toEqual([['ended 1', 'forwarded 2']]);
  commits(2);
  expect(await waiting).toEqual({ kind: 'written', seq: 2 });

  outbox.writeSoon(event('ended 2'));
  await clock.advance(9);
  await turn();
  expect(posted()).toHaveLength(1);
  await clock.advance(1);
  expect(posted()[1]).toEqual(['ended 2']);
});

test('whoever asks for all that is recorded does not wait for what may wait', async () => {
  const { outbox, posted, commits } = setUp(10);
  outbox.writeSoon(event('1'));
  const settled = outbox.settled();
  expect(posted()).toEqual([['1']]);
  // While somebody waits nothing new is held back, or the wait could last.
  outbox.writeSoon(event('2'));
  await turn();
  expect(posted()).toEqual([['1'], ['2']]);
  commits(2);
  await settled;
});

test('what waits when a write fails stays behind what failed', async () => {
  const { outbox, posted, commits, fails } = setUp(10);
  const first = outbox.write(event('call'));
  outbox.writeSoon(event('1'));
  await turn();
  outbox.writeSoon(event('2'));
  fails(2);
  expect(await first).toMatchObject({ kind: 'unavailable' });
  // The one that waited had been posted behind them, and is refused too.
  fails(1);
  outbox.hear({ kind: 'try_again' });
  expect(posted().at(-1)).toEqual(['audit_unavailable_gap', '1', '2']);
  commits(3);
  expect(outbox.queued()).toBe(0);
});
