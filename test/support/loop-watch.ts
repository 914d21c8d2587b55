import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Watches how long this process's event loop was kept from its turn (security.md: *stall*). */
export function startLoopWatch(): {
  /** The longest stall since the start, milliseconds. */
  stop(): number;
} {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  return {
    stop() {
      delay.disable();
      return delay.max / 1e6;
    },
  };
}
