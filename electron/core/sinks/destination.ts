import type { CommitRow, EntryRow, Head } from '../audit/entry.ts';

/** Entries that follow each other, and the signed heads among them. */
export interface Batch {
  /** Which log: the hash of its first entry. */
  readonly chain: string;
  readonly entries: readonly EntryRow[];
  readonly commits: readonly CommitRow[];
  /** The last of the entries: where the cursor goes once all of it is acknowledged. */
  readonly last: Head;
}

export type Delivered =
  /** The other side has all of it and will still have it after a power cut, as far as it promises that. */
  | { readonly kind: 'delivered' }
  /** The other side has taken what it wants and says that it will never take the rest. */
  | { readonly kind: 'refused_for_good'; readonly count: number; readonly reason: string }
  | {
      readonly kind: 'failed';
      /** One sentence for a person. Never holds a secret. */
      readonly reason: string;
      /** The other side asked to be left alone for so long. */
      readonly retryAfterMs?: number;
      /** It refused what this batch holds, not the delivery: a smaller one may pass, and shows which entry it is. */
      readonly because?: 'batch';
    };

/** One place that entries are delivered to. What it was given twice it may have twice, with the same chain and number. */
export interface Destination {
  /** @param signal aborted at the deadline; the attempt is then over, whatever still comes of it. */
  deliver(batch: Batch, signal: AbortSignal): Promise<Delivered>;
  /** Reaches the other side and delivers nothing. `message` says what was found. */
  check(
    signal: AbortSignal,
  ): Promise<
    { readonly kind: 'reached'; readonly message: string } | { readonly kind: 'failed'; readonly reason: string }
  >;
  close(): Promise<void>;
}

/** Who delivers, as the other side sees it. */
export interface Sender {
  /** The name of this machine. */
  readonly machine: string;
  readonly version: string;
}
