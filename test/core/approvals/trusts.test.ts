import { expect, test } from 'vitest';
import { createApprovers } from '../../../electron/core/approvals/approvers.ts';
import { createTrusts } from '../../../electron/core/approvals/trusts.ts';
import { FAKE_START, fakeClock } from '../../support/fake-clock.ts';

const MINUTE = 60_000;
const AGENT = { id: 'c1', name: 'agent' };

function world() {
  const clock = fakeClock();
  const approvers = createApprovers();
  const trusts = createTrusts({ clock, approvers });
  const ended: string[] = [];
  trusts.onEnd(({ client, usedCount }, because) => void ended.push(`${client} ${because} ${usedCount}`));
  return { clock, approvers, trusts, ended };
}

test('holds for its client alone until its time is over, and says how often it was used', async () => {
  const { clock, trusts, ended } = world();
  const { id } = trusts.start(AGENT, 5, 'dashboard');
  expect([trusts.use('c1'), trusts.use('c2')]).toEqual([id, null]);
  await clock.advance(5 * MINUTE - 1);
  expect(trusts.use('c1')).toBe(id);
  await clock.advance(1);
  expect(ended).toEqual(['agent time 2']);
  expect([trusts.use('c1'), trusts.list()]).toEqual([null, []]);
  expect(clock.pending()).toBe(0);
});

test('H9 a clock set back prolongs nothing and shows no more time than there is; one set on, or a machine that slept, ends it', async () => {
  const { clock, trusts, ended } = world();
  trusts.start(AGENT, 15, 'dashboard');
  clock.set(FAKE_START - 24 * 60 * MINUTE);
  await clock.advance(5 * MINUTE);
  expect(trusts.list().map(({ expiresAt }) => expiresAt - clock.now())).toEqual([10 * MINUTE]);
  await clock.advance(10 * MINUTE);
  expect(trusts.use('c1')).toBeNull();

  trusts.start(AGENT, 15, 'dashboard');
  // Asleep for twenty minutes: the wall clock went on, timers and the monotonic clock did not.
  clock.set(clock.now() + 20 * MINUTE);
  expect(trusts.use('c1')).toBeNull();
  expect(ended).toEqual(['agent time 0', 'agent time 0']);
});

test('ends with the lock of the screen, the key, Gatehouse, or a new one in its place', () => {
  const { approvers, trusts, ended } = world();
  const lock = approvers.arrive('desktop');
  const first = trusts.start(AGENT, 60, 'dashboard');
  const second = trusts.start(AGENT, 5, 'dashboard');
  expect(trusts.list().map(({ id }) => id)).toEqual([second.id]);
  expect(trusts.end(first.id)).toBe(false);
  lock();
  trusts.start(AGENT, 5, 'dashboard');
  trusts.start({ id: 'c2', name: 'other' }, 5, 'dashboard');
  trusts.endForClient('c1');
  expect(trusts.use('c2')).not.toBeNull();
  trusts.close();
  expect(trusts.use('c2')).toBeNull();
  expect(ended).toEqual(['agent replaced 0', 'agent screen_locked 0', 'agent key_ended 0', 'other quit 1']);
});

test('what shows the time left is told once a minute while there is something to show', async () => {
  const { clock, trusts } = world();
  let told = 0;
  trusts.onChange(() => {
    told += 1;
  });
  trusts.start(AGENT, 5, 'dashboard');
  await clock.advance(3 * MINUTE);
  expect(told).toBe(1 + 3);
  await clock.advance(60 * MINUTE);
  expect(told).toBe(1 + 5);
});
