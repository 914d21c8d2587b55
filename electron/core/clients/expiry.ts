import type { Clock } from '../platform.ts';

export interface ExpiryWatch {
  /** `expiresAt` null or past: nothing to wait for. */
  watch(id: string, expiresAt: number | null): void;
  forget(id: string): void;
}

/**
 * Tells of each id when its date comes while we run. Dates are wall clock, timers are not: a timer stands still while the
 * machine sleeps and overflows after 24 days, so it looks again at least once a minute.
 */
export function createExpiryWatch(clock: Clock, onExpired: (id: string) => void): ExpiryWatch {
  const dates = new Map<string, number>();
  let cancel: (() => void) | null = null;

  function schedule(): void {
    cancel?.();
    cancel = null;
    if (dates.size === 0) return;
    const next = Math.min(...dates.values()) - clock.now();
    cancel = clock.after(Math.min(Math.max(next, 0), LOOK_EVERY_MS), look);
  }

  function look(): void {
    const now = clock.now();
    const expired = [...dates].filter(([, date]) => date <= now).map(([id]) => id);
    for (const id of expired) dates.delete(id);
    schedule();
    for (const id of expired) onExpired(id);
  }

  return {
    watch(id, expiresAt) {
      if (expiresAt === null || expiresAt <= clock.now()) return;
      dates.set(id, expiresAt);
      schedule();
    },
    forget(id) {
      if (dates.delete(id)) schedule();
    },
  };
}

const LOOK_EVERY_MS = 60_000;
