import type { KeyObject } from 'node:crypto';
import type { AuditPage, AuditWork, VerifyReport } from '../../../shared/model.ts';
import type { StoreFault } from '../store/store.ts';
import type { Anchor } from './anchor.ts';
import type { AuditFilter, AuditQuery } from './audit.ts';
import type { Trust } from './chain.ts';
import type { EntryDraft } from './entry.ts';
import type { FigureKey, FiguresAnswer } from './figures.ts';
import type { PurgeLimit } from './purge.ts';
import type { ScannedCalls } from './scan.ts';

/** What the core says to the writer. */
export type ToWriter =
  | {
      readonly kind: 'open';
      readonly folder: string;
      readonly at: number;
      /** True after the writer itself had died: calls of this run are still open and the file was fine a moment ago. */
      readonly again: boolean;
    }
  | {
      readonly kind: 'begin';
      readonly privateKey: KeyObject;
      readonly publicKey: string;
      readonly keptIn: 'keychain' | 'file';
      readonly anchor: Anchor | null;
      readonly at: number;
      readonly version: string;
    }
  /** `retry`: the first batch after a failure; all others are refused until one succeeded. */
  | { readonly kind: 'batch'; readonly drafts: readonly EntryDraft[]; readonly retry: boolean }
  /** Removes the beginning of the log, as far as the limit says, after it was recorded. */
  | { readonly kind: 'purge'; readonly limit: PurgeLimit; readonly by: string; readonly at: number }
  | { readonly kind: 'pragmas' }
  /** Close the file and end. `isWhole`: nothing was found damaged in it. */
  | { readonly kind: 'end'; readonly isWhole: boolean };

export interface Purged {
  readonly entries: number;
  readonly upTo: number;
}

export type FromWriter =
  | { readonly kind: 'opened'; readonly setAside: string | null }
  | { readonly kind: 'fault'; readonly fault: StoreFault }
  | { readonly kind: 'begun'; readonly recovered: number; readonly problem: string | null; readonly head: Anchor }
  | { readonly kind: 'not_begun'; readonly reason: string }
  /** Answers the oldest `count` drafts that were not answered yet. Durable on disk. */
  | { readonly kind: 'committed'; readonly count: number; readonly firstSeq: number; readonly head: Anchor }
  | { readonly kind: 'failed'; readonly count: number; readonly reason: string }
  /** About every 250 ms while nothing can be written: try again now. */
  | { readonly kind: 'try_again' }
  /** `removed` entries, the last of them `upTo`; null: there was nothing to remove. */
  | { readonly kind: 'purged'; readonly removed: Purged | null; readonly head: Anchor | null }
  | { readonly kind: 'not_purged'; readonly reason: string }
  | { readonly kind: 'pragmas'; readonly pragmas: Readonly<Record<string, unknown>> };

/** How far the index of the log is: it has read up to entry `seq` of `head`. */
export interface IndexState {
  readonly seq: number;
  readonly head: number;
}

export interface ReaderRequests {
  list: { readonly ask: { readonly filter: AuditFilter }; readonly answer: AuditPage };
  /** Calls as they were decided, newest first. */
  scan: {
    readonly ask: { readonly before: number | null; readonly sinceAt: number | null; readonly limit: number };
    readonly answer: ScannedCalls;
  };
  figures: {
    readonly ask: { readonly query: AuditQuery; readonly by: readonly FigureKey[] };
    readonly answer: FiguresAnswer & { readonly behind: number };
  };
  verify: {
    readonly ask: { readonly trust: Trust; readonly signatures: 'all' | 'last' };
    readonly answer: VerifyReport;
  };
  /** The whole log with its proof. */
  export: {
    readonly ask: { readonly at: number; readonly version: string; readonly publicKey: string | null };
    readonly answer: Exported;
  };
  /** The records that a query finds, for other programs. */
  exportRecords: {
    readonly ask: { readonly at: number; readonly format: 'jsonl' | 'csv'; readonly query: AuditQuery };
    readonly answer: Exported;
  };
}

export interface Exported {
  readonly path: string;
  readonly entries: number;
}

export type ReaderRequest = keyof ReaderRequests;

/** Close the file and end. */
export interface EndOfReader {
  readonly request: 'end';
}

/** Something was written: bring the index up to it. */
export interface FollowLog {
  readonly request: 'follow';
  readonly folder: string;
}

export type ToReader = EndOfReader | FollowLog | ReaderQuestion;

export type ReaderQuestion = {
  [R in ReaderRequest]: {
    readonly id: number;
    readonly request: R;
    readonly folder: string;
  } & ReaderRequests[R]['ask'];
}[ReaderRequest];

export type FromReader =
  | { readonly id: number; readonly kind: 'answer'; readonly answer: unknown }
  /** One sentence for a person. */
  | { readonly id: number; readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'indexed'; readonly state: IndexState }
  | { readonly kind: 'work'; readonly work: AuditWork | null };
