import { expect, test } from 'vitest';
import { createOnwardClock } from '../../../electron/core/clients/onward-clock.ts';
import { FAKE_START, fakeClock } from '../../support/fake-clock.ts';

const DAY = 86_400_000;

test('goes with the wall clock, on and ahead', async () => {
  const clock = fakeClock();
  const onward = createOnwardClock(clock);
  await clock.advance(1000);
  expect(onward.now()).toBe(FAKE_START + 1000);
  clock.set(FAKE_START + DAY);
  expect(onward.now()).toBe(FAKE_START + DAY);
  await clock.advance(500);
  expect(onward.now()).toBe(FAKE_START + DAY + 500);
});

test('set back, goes on from the latest time with the time that has passed, until the wall clock is there again', async () => {
  const clock = fakeClock();
  const onward = createOnwardClock(clock);
  await clock.advance(1000);
  clock.set(FAKE_START - DAY);
  expect(onward.now()).toBe(FAKE_START + 1000);
  await clock.advance(5000);
  expect(onward.now()).toBe(FAKE_START + 6000);
  clock.set(FAKE_START - 2 * DAY);
  await clock.advance(1);
  expect(onward.now()).toBe(FAKE_START + 6001);
  clock.set(FAKE_START + DAY);
  expect(onward.now()).toBe(FAKE_START + DAY);
});

test('is a whole number of milliseconds, as dates are', async () => {
  const clock = fakeClock();
  const onward = createOnwardClock(clock);
  clock.set(FAKE_START - DAY);
  await clock.advance(0.75);
  expect(onward.now()).toBe(FAKE_START);
  await clock.advance(0.75);
  expect(onward.now()).toBe(FAKE_START + 1);
});
