import type { Clock } from '../../electron/core/platform.ts';

/** A clock that moves only by hand. `monotonic()` starts at 0; `now()` starts at a fixed date unless told otherwise. */
export interface FakeClock extends Clock {
  /**
   * Moves both clocks on by `ms` and runs every timer that comes due, in order, each at its own time. Before and after
   * each timer whatever is ready on the event loop runs, so a timer set by a promise's continuation is not missed.
   * Always await it.
   */
  advance(ms: number): Promise<void>;
  /** Sets the wall clock alone, as a person (or NTP) does. Spans must not notice. */
  set(wall: number): void;
  /** How many timers are set now: for tests that nothing is left behind. */
  pending(): number;
}

export const FAKE_START = Date.UTC(2030, 0, 1);

export function fakeClock(start: number = FAKE_START): FakeClock {
  let monotonic = 0;
  let offset = start;
  let timers: readonly { readonly at: number; readonly then: () => void }[] = [];
  return {
    now: () => offset + monotonic,
    monotonic: () => monotonic,
    after(ms, then) {
      const timer = { at: monotonic + Math.max(0, ms), then };
      timers = [...timers, timer];
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    async advance(ms) {
      const end = monotonic + ms;
      await settle();
      for (;;) {
        const due = timers.filter((timer) => timer.at <= end).toSorted((a, b) => a.at - b.at)[0];
        if (!due) break;
        timers = timers.filter((other) => other !== due);
        monotonic = Math.max(monotonic, due.at);
        due.then();
        await settle();
      }
      monotonic = end;
      await settle();
    },
    set(wall) {
      offset = wall - monotonic;
    },
    pending: () => timers.length,
  };
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
