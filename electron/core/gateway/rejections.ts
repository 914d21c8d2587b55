import type { Audit, AuditInput } from '../audit/audit.ts';
import type { Log } from '../diagnosis/log.ts';
import type { Clock } from '../platform.ts';

/** Refusals before a call exists: a foreign host, a wrong key, a body that is no message. */
export interface Rejection {
  readonly kind:
    | 'host_rejected'
    | 'origin_rejected'
    | 'malformed_http'
    | 'unauthorized'
    | 'forbidden'
    | 'unsupported_media_type'
    | 'body_too_large'
    | 'message_rejected'
    | 'route_absent'
    | 'method_not_allowed'
    | 'session_unknown'
    | 'rate_limited'
    | 'too_many_streams'
    | 'sign_in_rejected'
    | 'sign_in_locked'
    | 'too_many_connections';
  readonly reason: string;
  /** Where there was a request to name: the caller was told it as well, once it had shown a key. */
  readonly requestId?: string;
  readonly workspace?: string | null;
  readonly clientId?: string | null;
  readonly client?: string | null;
  readonly keyPrefix?: string | null;
  readonly detail?: Readonly<Record<string, unknown>>;
}

export interface Rejections {
  record(rejection: Rejection): void;
  /** The same for an entry that is written already: a refusal at the dashboard's port. */
  recordEntry(entry: AuditInput): void;
  close(): void;
}

/** This many refusals a minute get an entry each; a flood beyond that gets one entry per kind and client every ten seconds. */
const SINGLE_PER_MINUTE = 120;
const COUNT_EVERY_MS = 10_000;

/** Every refusal is in the audit and the log, and a web page that sends thousands cannot fill the disk with them (A10). */
export function createRejections(parts: {
  readonly audit: Pick<Audit, 'writeSoon'>;
  readonly clock: Clock;
  readonly log: Log;
}): Rejections {
  const { audit, clock, log } = parts;
  /** By kind and client, with the last entry of each. */
  const counted = new Map<string, { readonly last: AuditInput; readonly count: number }>();
  let windowStart = clock.monotonic();
  let singles = 0;
  let cancelTimer: (() => void) | null = null;

  function writeCounts(): void {
    cancelTimer = null;
    for (const { last, count } of counted.values()) {
      log.info('more_refused', { kind: last.kind, count });
      audit.writeSoon({ ...last, detail: { reason: 'more of the same, counted', count } });
    }
    counted.clear();
  }

  return {
    record: (rejection) => recordEntry(entryOf(rejection)),
    recordEntry,
    close() {
      cancelTimer?.();
      writeCounts();
    },
  };

  function recordEntry(entry: AuditInput): void {
    if (clock.monotonic() - windowStart > 60_000) {
      windowStart = clock.monotonic();
      singles = 0;
    }
    if (singles < SINGLE_PER_MINUTE) {
      singles += 1;
      // Reasons quote what was sent; the audit has them.
      log.info('refused', { requestId: entry.requestId, kind: entry.kind, client: entry.client });
      audit.writeSoon(entry);
      return;
    }
    const same = `${entry.kind} ${entry.clientId ?? ''}`;
    counted.set(same, { last: entry, count: (counted.get(same)?.count ?? 0) + 1 });
    cancelTimer ??= clock.after(COUNT_EVERY_MS, writeCounts);
  }
}

function entryOf(rejection: Rejection): AuditInput {
  return {
    phase: 'event',
    kind: rejection.kind,
    requestId: rejection.requestId ?? null,
    workspace: rejection.workspace ?? null,
    clientId: rejection.clientId ?? null,
    client: rejection.client ?? null,
    keyPrefix: rejection.keyPrefix ?? null,
    outcome: 'refused',
    errorClass: rejection.kind,
    detail: { reason: rejection.reason, ...rejection.detail },
  };
}
