/** Bounds of one upstream. Spans in milliseconds, sizes in bytes. */
export interface UpstreamLimits {
  /** From the start to the end of the handshake, and again for the first listing. */
  readonly startMs: number;
  /** How long `server/discover` may stay unanswered before the upstream counts as one of the older era. */
  readonly probeMs: number;
  /** One call without an answer and without progress. */
  readonly callMs: number;
  /** One call, however much progress it reports. */
  readonly ceilingMs: number;
  /** One message of the upstream. The default is that of the SDK's own stdio transport. */
  readonly messageBytes: number;
  readonly inFlight: number;
  readonly queued: number;
  readonly startsPerMinute: number;
  /** The first pause before a new start; it doubles each time, up to `maxBackoffMs`. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** After closing its input, how long a process has to end by itself; then SIGTERM and the same again; then SIGKILL. */
  readonly graceMs: number;
  readonly listPages: number;
  /** From `list_changed` to the new listing. */
  readonly relistMs: number;
}

export const defaultLimits: UpstreamLimits = {
  startMs: 15_000,
  probeMs: 5_000,
  callMs: 120_000,
  ceilingMs: 600_000,
  messageBytes: 10 * 1024 * 1024,
  inFlight: 64,
  queued: 1_000,
  startsPerMinute: 5,
  backoffMs: 500,
  maxBackoffMs: 30_000,
  graceMs: 1_000,
  listPages: 64,
  relistMs: 100,
};

/** Milliseconds as a person says them. */
export function inWords(ms: number): string {
  return ms >= 1000 ? `${Math.round(ms / 100) / 10} s` : `${ms} ms`;
}

export function sizeInWords(bytes: number): string {
  return bytes >= 1024 * 1024 ? `${Math.round(bytes / 1024 / 1024)} MiB` : `${Math.ceil(bytes / 1024)} KiB`;
}
