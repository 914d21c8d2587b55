import type { Clock } from '../platform.ts';

/**
 * A clock whose wall time never goes back: set back, it goes on from the latest time that was read with the time that has
 * passed since. So what ends on a date ends, whoever sets the clock (security row H9); a clock that was wrongly ahead and
 * is put right counts as ahead until Gatehouse is started again.
 */
export function createOnwardClock(clock: Clock): Clock {
  let latest = clock.now();
  let at = clock.monotonic();
  return {
    ...clock,
    now() {
      const passed = clock.monotonic() - at;
      latest = Math.max(clock.now(), latest + passed);
      at += passed;
      // Spans are measured finer than dates are kept.
      return Math.floor(latest);
    },
  };
}
