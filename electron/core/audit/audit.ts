import type { AuditPage, AuditPhase, AuditWork, Effect, VerifyReport } from '../../../shared/model.ts';
import type { FigureKey, FiguresAnswer } from './figures.ts';
import type { Exported, IndexState, Purged } from './messages.ts';
import type { PurgeLimit } from './purge.ts';
import type { RecordedCall } from './scan.ts';

/**
 * What the core hands over to be recorded. Arguments come in already redacted (`redact.ts`); nothing secret is ever in
 * an entry. `detail` must be JSON.
 */
export interface AuditInput {
  readonly phase: AuditPhase;
  /** `tool_call`, or the event's name (`key_created`, `host_rejected`, `unauthorized`, `upstream_started` …). */
  readonly kind: string;
  readonly requestId?: string | null;
  readonly workspace?: string | null;
  readonly clientId?: string | null;
  readonly client?: string | null;
  readonly keyPrefix?: string | null;
  readonly upstream?: string | null;
  readonly tool?: string | null;
  readonly effect?: Effect | null;
  readonly rule?: string | null;
  readonly outcome?: string | null;
  readonly errorClass?: string | null;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** Every condition that is given must hold. */
export interface AuditQuery {
  /** One record alone. */
  readonly requestId?: string;
  /** Label of a client, or its id. */
  readonly client?: string;
  readonly upstream?: string;
  readonly tool?: string;
  readonly effect?: Effect;
  readonly rule?: string;
  readonly outcome?: string;
  readonly errorClass?: string;
  readonly kind?: string;
  /** Name of a workspace. */
  readonly workspace?: string;
  /** Milliseconds since 1970; `from` belongs to the span, `to` does not. */
  readonly from?: number;
  readonly to?: number;
  /** Words that all occur in the record (`search-words.ts`). */
  readonly text?: string;
}

export interface AuditFilter extends AuditQuery {
  /** Cursor: `nextBefore` of the page before. */
  readonly before?: number;
  readonly limit: number;
}

/** `written` only after the entry is durable on disk (its WAL frame was synced). */
export type AuditWritten =
  | { readonly kind: 'written'; readonly seq: number }
  | { readonly kind: 'unavailable'; readonly reason: string };

/** Null: nothing was old enough, or too much. */
export type PurgeAnswer =
  | { readonly kind: 'purged'; readonly removed: Purged | null }
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface Audit {
  /** Resolves after the group commit that holds the entry is durable. Never rejects. */
  write(entry: AuditInput): Promise<AuditWritten>;
  /**
   * Records without anybody waiting: kept in order, retried until it can be written. While entries wait to be retried
   * `available()` is false.
   */
  writeSoon(entry: AuditInput): void;
  /** False from the moment a write failed until a write succeeds again; probes by itself. */
  available(): { readonly ok: true } | { readonly ok: false; readonly reason: string };
  /** Somebody else found the keychain open: a signing key that was locked away is read now, and nobody is asked for it. */
  keychainOpened(): void;
  /** Entries not yet durable: for /health. */
  queued(): number;
  list(filter: AuditFilter): Promise<AuditPage>;
  /** Counts and waiting times of the calls that match, in all and told apart. */
  figures(query: AuditQuery, by: readonly FigureKey[]): Promise<FiguresAnswer & { readonly behind: number }>;
  /**
   * Calls as they were decided, newest first, in batches of at most 500: for replays and suggestions. Ends after `limit`
   * calls, or before the first that is older than `sinceAt`; stopping early costs nothing.
   */
  scanCalls(span: {
    readonly sinceAt?: number;
    readonly limit: number;
  }): AsyncIterableIterator<readonly RecordedCall[], void>;
  /** How far the index behind `list` and `scanCalls` is. For /health. */
  indexed(): IndexState;
  verify(): Promise<VerifyReport>;
  /** Writes the whole log with its proof as JSON lines into the data folder's `exports/` and says where. */
  exportLines(): Promise<Exported>;
  /** Writes the records that a query finds, newest first, for other programs. */
  exportRecords(format: 'jsonl' | 'csv', query: AuditQuery): Promise<Exported>;
  /**
   * Removes the beginning of the log, after a signed checkpoint was recorded, and overwrites its bytes. The last day stays.
   *
   * @param by who asked, in words.
   */
  purge(limit: PurgeLimit, by: string): Promise<PurgeAnswer>;
  /** What of this takes long now, for whoever waits for it. */
  work(): AuditWork | null;
  /** Flushes, anchors the head, ends the workers. */
  close(): Promise<void>;
}
