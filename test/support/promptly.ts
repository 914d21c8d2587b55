import { expect } from 'vitest';

/**
 * Makes an ordinary request that must be answered within a second. On a busy machine anything may wait once: it is made
 * up to three times. Returns the last answer.
 */
export async function withinASecond<T>(act: () => Promise<T>): Promise<T> {
  for (let round = 1; ; round += 1) {
    const began = performance.now();
    const answer = await act();
    const took = performance.now() - began;
    if (took < 1000) return answer;
    if (round === 3) expect(took).toBeLessThan(1000);
  }
}

/** Processor time of this thread, milliseconds: what an act costs, however many other programs run beside it. */
export function processorMs(act: () => unknown): number {
  const before = process.threadCpuUsage();
  act();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}
