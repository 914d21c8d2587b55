/** The first wait after a failure, and the longest one. Milliseconds. */
export const FIRST_WAIT_MS = 500;
export const LONGEST_WAIT_MS = 5 * 60_000;

/**
 * How long to wait after so many failures in a row: twice as long each time, and anywhere in the upper half of that, so
 * that many machines do not come back to a server together. Never less than what the other side asked for.
 *
 * @param failures at least 1
 * @param random from 0 to 1
 */
export function waitMs(failures: number, random: number, askedMs = 0): number {
  const whole = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 20));
  return Math.round(Math.max(whole * (0.5 + random / 2), Math.min(askedMs, LONGEST_WAIT_MS) * (1 + random / 10)));
}
