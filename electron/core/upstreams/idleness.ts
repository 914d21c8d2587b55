import type { Clock } from '../platform.ts';

/** Tells when an upstream has been idle long enough to be stopped. */
export interface Idleness {
  /** `use` counts as use until it ends. */
  during<T>(use: () => Promise<T>): Promise<T>;
  /** What decides has changed: it became ready, or the time was set anew. */
  changed(): void;
}

/** `idleMs`: how long it may be idle from now; null while it is not to be stopped. */
export function createIdleness(clock: Clock, idleMs: () => number | null, rest: () => void): Idleness {
  let users = 0;
  let cancel = () => {};

  function changed(): void {
    cancel();
    const ms = idleMs();
    if (users === 0 && ms !== null) cancel = clock.after(ms, rest);
  }

  return {
    changed,
    async during(use) {
      users += 1;
      cancel();
      try {
        return await use();
      } finally {
        users -= 1;
        changed();
      }
    },
  };
}
