import { monitorEventLoopDelay } from 'node:perf_hooks';

/**
 * Watches how long this process's event loop was kept from its turn by its own work (security.md: *stall*). What keeps the
 * loop from its turn uses the processor all the while, so a stall is no longer than the processor time of its thread; the
 * rest is other programs on a busy machine.
 */
export function startLoopWatch(): {
  /** The longest stall since the start, milliseconds. */
  stop(): number;
} {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const before = process.threadCpuUsage();
  delay.enable();
  return {
    stop() {
      delay.disable();
      const { user, system } = process.threadCpuUsage(before);
      return Math.min(delay.max / 1e6, (user + system) / 1000);
    },
  };
}
