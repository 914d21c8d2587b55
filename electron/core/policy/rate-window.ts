import type { RateLimit } from '../../../shared/model.ts';
import { spanMs } from './span.ts';

/** The calls of one rate limit within its span, by times that only go on. */
export interface RateWindow {
  /** Whether another call may run at this moment. */
  hasRoom(at: number): boolean;
  take(at: number): void;
}

export function createRateWindow({ calls, per }: RateLimit): RateWindow {
  const span = spanMs(per) ?? 0;
  const times: number[] = [];
  /** Times before this one are over. */
  let first = 0;
  return {
    hasRoom(at) {
      while (first < times.length && (times[first] ?? 0) <= at - span) first += 1;
      return times.length - first < calls;
    },
    take: (at) => void times.push(at),
  };
}
