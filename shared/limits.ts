import type { SettableLimits } from './model.ts';

export interface LimitRange {
  readonly least: number;
  readonly usual: number;
  readonly most: number;
}

/** The limits of an upstream that a person can set, and between what. docs/upstreams.md repeats them for people. */
export const LIMIT_RANGES = {
  callMs: { least: 1_000, usual: 120_000, most: 86_400_000 },
  ceilingMs: { least: 1_000, usual: 600_000, most: 86_400_000 },
  inFlight: { least: 1, usual: 64, most: 1_024 },
  queued: { least: 0, usual: 1_000, most: 10_000 },
  messageBytes: { least: 65_536, usual: 10_485_760, most: 268_435_456 },
  resultBytes: { least: 1_024, usual: 10_485_760, most: 268_435_456 },
  listItems: { least: 1, usual: 15_000, most: 100_000 },
  listPages: { least: 1, usual: 64, most: 1_000 },
} as const satisfies Record<keyof SettableLimits, LimitRange>;

/** An upstream that is stopped when idle is so after at least 10 s and at most a week. Milliseconds. */
export const IDLE_STOP_RANGE = { least: 10_000, most: 7 * 86_400_000 } as const;
