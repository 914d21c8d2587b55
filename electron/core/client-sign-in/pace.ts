import type { Clock } from '../platform.ts';

/** True while fewer than `most` were let through within the last `withinMs`; each true counts as one. */
export type Pace = () => boolean;

export function createPace(clock: Clock, most: number, withinMs: number): Pace {
  const passed: number[] = [];
  return () => {
    const now = clock.monotonic();
    while (passed[0] !== undefined && now - passed[0] >= withinMs) passed.shift();
    if (passed.length >= most) return false;
    passed.push(now);
    return true;
  };
}
