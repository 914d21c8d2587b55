import { LIMIT_RANGES } from '../../../shared/limits.ts';
import type { SettableLimits } from '../../../shared/model.ts';

/** Bounds of one upstream: those a person can set, and ours. Spans in milliseconds, sizes in bytes. */
export interface UpstreamLimits extends SettableLimits {
  /** From the start to the end of the handshake, and again for the first listing. */
  readonly startMs: number;
  /** After this a start that is not at its end is said to be slow, well before it is given up. */
  readonly slowMs: number;
  /** How long `server/discover` may stay unanswered before the upstream counts as one of the older era. */
  readonly probeMs: number;
  readonly startsPerMinute: number;
  /** The first pause before a new start; it doubles each time, up to `maxBackoffMs`. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** After closing its input, how long a process has to end by itself; then SIGTERM and the same again; then SIGKILL. */
  readonly graceMs: number;
  /** From `list_changed` to the new listing. */
  readonly relistMs: number;
}

export const defaultLimits: UpstreamLimits = {
  callMs: LIMIT_RANGES.callMs.usual,
  ceilingMs: LIMIT_RANGES.ceilingMs.usual,
  inFlight: LIMIT_RANGES.inFlight.usual,
  queued: LIMIT_RANGES.queued.usual,
  messageBytes: LIMIT_RANGES.messageBytes.usual,
  resultBytes: LIMIT_RANGES.resultBytes.usual,
  listItems: LIMIT_RANGES.listItems.usual,
  listPages: LIMIT_RANGES.listPages.usual,
  startMs: 15_000,
  slowMs: 8_000,
  probeMs: 5_000,
  startsPerMinute: 5,
  backoffMs: 500,
  maxBackoffMs: 30_000,
  graceMs: 1_000,
  relistMs: 100,
};

/** Milliseconds as a person says them. */
export function inWords(ms: number): string {
  return ms >= 1000 ? `${Math.round(ms / 100) / 10} s` : `${ms} ms`;
}

export function sizeInWords(bytes: number): string {
  return bytes >= 1024 * 1024 ? `${Math.round((bytes / 1024 / 1024) * 10) / 10} MiB` : `${Math.ceil(bytes / 1024)} KiB`;
}
