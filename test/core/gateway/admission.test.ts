import { expect, test } from 'vitest';
import { createAdmission } from '../../../electron/core/gateway/admission.ts';
import { fakeClock } from '../../support/fake-clock.ts';

/** Sends `count` requests of a key; `started` are the ones that may run. */
function send(admission: ReturnType<typeof createAdmission>, key: string, count: number) {
  const started: (() => void)[] = [];
  let refused = 0;
  for (let at = 0; at < count; at += 1) {
    const entered = admission.enter(key);
    if (entered === 'full') refused += 1;
    else void entered.then((leave) => started.push(leave));
  }
  return { started, refused: () => refused };
}

async function turns(count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) await new Promise((resolve) => setImmediate(resolve));
}

test('a key alone starts one request a turn, up to its bound, and is refused beyond its queue', async () => {
  const admission = createAdmission(fakeClock(), { inFlight: 64, queued: 256 });
  const { started, refused } = send(admission, 'a', 400);
  await turns(10);
  expect(started.length).toBeGreaterThanOrEqual(10);
  await turns(100);
  expect(started).toHaveLength(64);
  expect(refused()).toBe(400 - 1 - 256);
  expect(admission.inFlight()).toBe(64);
  expect(admission.queued()).toBe(256 + 1 - 64);
});

test("a key's request starts at once, however many of another key wait", async () => {
  const admission = createAdmission(fakeClock());
  send(admission, 'flood', 500);
  await turns(5);
  const { started } = send(admission, 'other', 1);
  await Promise.resolve();
  expect(started).toHaveLength(1);
});

test('while others are at work, a key with a backlog is paced; alone again, it is not', async () => {
  const clock = fakeClock();
  const admission = createAdmission(clock);
  const flood = send(admission, 'flood', 200);
  send(admission, 'other', 1);
  await turns(20);
  const before = flood.started.length;
  await turns(20);
  expect(flood.started.length).toBe(before);
  for (let at = 0; at < 5; at += 1) await clock.advance(4);
  expect(flood.started.length - before).toBe(5);
  // The other key has been silent for a while.
  await clock.advance(1100);
  await turns(100);
  expect(flood.started).toHaveLength(64);
});

test('a few requests at once are never paced', async () => {
  const clock = fakeClock();
  const admission = createAdmission(clock);
  send(admission, 'other', 1);
  const few = send(admission, 'few', 6);
  await turns(10);
  expect(few.started).toHaveLength(6);
});

test('a place that becomes free goes to the next in the queue', async () => {
  const admission = createAdmission(fakeClock(), { inFlight: 2, queued: 10 });
  const { started } = send(admission, 'a', 5);
  await turns(5);
  expect(started).toHaveLength(2);
  started[0]?.();
  started[0]?.();
  await turns(3);
  expect(started).toHaveLength(3);
  expect(admission.inFlight()).toBe(2);
});
