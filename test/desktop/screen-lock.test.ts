import { EventEmitter } from 'node:events';
import type { PowerMonitor } from 'electron';
import { expect, test } from 'vitest';
import { createApprovers } from '../../electron/core/approvals/approvers.ts';
import { followScreenLock } from '../../electron/desktop/screen-lock.ts';
import { fakeClock } from '../support/fake-clock.ts';

function desktop(platform: NodeJS.Platform) {
  const clock = fakeClock();
  const approvers = createApprovers();
  let idle = 'active';
  const monitor = Object.assign(new EventEmitter(), { getSystemIdleState: () => idle });
  const canShow = () => true;
  const powerMonitor = monitor as unknown as PowerMonitor;
  const end = followScreenLock({ powerMonitor, approvers, canShow, clock, platform });
  return {
    clock,
    approvers,
    monitor,
    end,
    setIdle(state: string) {
      idle = state;
    },
  };
}

test('E14 (design: an unlocked desktop) a locked screen is no approver, an unlocked one is', () => {
  const { approvers, monitor } = desktop('darwin');
  expect(approvers.present()).toBe(true);
  monitor.emit('lock-screen');
  expect(approvers.present()).toBe(false);
  monitor.emit('unlock-screen');
  expect(approvers.present()).toBe(true);
});

test('on Linux, which has no lock event, the lock is noticed within two seconds', async () => {
  const { approvers, clock, setIdle } = desktop('linux');
  setIdle('locked');
  await clock.advance(2000);
  expect(approvers.present()).toBe(false);
  setIdle('idle');
  await clock.advance(2000);
  expect(approvers.present()).toBe(true);
});

test('a desktop that cannot tell counts as unlocked', async () => {
  const { approvers, clock, setIdle } = desktop('linux');
  setIdle('unknown');
  await clock.advance(2000);
  expect(approvers.present()).toBe(true);
});

test('locking twice and unlocking once leaves one approver, and the end leaves none', () => {
  const { approvers, monitor, end, clock } = desktop('linux');
  monitor.emit('lock-screen');
  monitor.emit('lock-screen');
  monitor.emit('unlock-screen');
  monitor.emit('unlock-screen');
  expect(approvers.present()).toBe(true);
  end();
  expect([approvers.present(), monitor.listenerCount('lock-screen'), clock.pending()]).toEqual([false, 0, 0]);
});
