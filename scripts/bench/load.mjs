import { cpuMs } from './process-cost.mjs';

/**
 * Calls one after the other by so many callers at once for a while, after a warm-up of a quarter of it.
 *
 * @param act one call; throws when the answer is not right, and that ends the benchmark.
 * @param pid whose processor time is taken; null for nobody's.
 * @returns times in milliseconds, in ascending order; `perSecond`; `cpu` milliseconds per call, null when unknown.
 */
export async function load(act, callers, ms, pid = null) {
  await run(act, callers, ms / 4);
  const before = pid === null ? null : cpuMs(pid);
  const started = performance.now();
  const times = await run(act, callers, ms);
  const seconds = (performance.now() - started) / 1000;
  const after = pid === null ? null : cpuMs(pid);
  return {
    times: Float64Array.from(times).sort(),
    perSecond: times.length / seconds,
    cpu: before === null || after === null ? null : (after - before) / times.length,
  };
}

async function run(act, callers, ms) {
  const times = [];
  const until = performance.now() + ms;
  const caller = async () => {
    for (let now = performance.now(); now < until; ) {
      await act();
      const then = performance.now();
      times.push(then - now);
      now = then;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return times;
}

/** Of values in ascending order; `part` between 0 and 1. */
export function quantile(sorted, part) {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}

export function median(values) {
  return quantile(Float64Array.from(values).sort(), 0.5);
}
