import { expect, test } from 'vitest';
import { oneAtATime } from '../../electron/desktop/one-at-a-time.ts';

function slowWork() {
  const runs: PromiseWithResolvers<void>[] = [];
  const failures: unknown[] = [];
  const work = oneAtATime(
    () => {
      const run = Promise.withResolvers<void>();
      runs.push(run);
      return run.promise;
    },
    (error) => failures.push(error),
  );
  return { runs, failures, work };
}
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('a burst of asks while it runs makes it run once more, not once each', async () => {
  const { runs, work } = slowWork();
  for (let n = 0; n < 5; n++) work.ask();
  expect(runs).toHaveLength(1);
  work.ask();
  runs[0]?.resolve();
  await settle();
  expect(runs).toHaveLength(2);
  runs[1]?.resolve();
  await settle();
  expect(runs).toHaveLength(2);
});

test('its end waits for what runs, and nothing runs afterwards', async () => {
  const { runs, work } = slowWork();
  work.ask();
  work.ask();
  let ended = false;
  const end = work.end().then(() => {
    ended = true;
  });
  await settle();
  expect(ended).toBe(false);
  runs[0]?.resolve();
  await end;
  work.ask();
  expect(runs).toHaveLength(1);
});

test('a failure is told, and the next ask runs again', async () => {
  const { runs, failures, work } = slowWork();
  work.ask();
  runs[0]?.reject(new Error('broken'));
  await settle();
  expect(failures).toHaveLength(1);
  work.ask();
  expect(runs).toHaveLength(2);
});
