import type { SinkTarget } from '../../../shared/model.ts';
import type { Gap, Progress } from './courier.ts';

/** One sink as the worker runs it. Secret values come with it and are kept nowhere. */
export interface RunnableSink {
  readonly id: string;
  readonly target: SinkTarget;
  readonly secrets: Readonly<Record<string, string>>;
  readonly paused: boolean;
  /** Without a cursor, delivery begins after this entry. */
  readonly startSeq: number;
}

/** What the core says to the worker that delivers. */
export type ToSinkWorker =
  | {
      readonly kind: 'open';
      /** The data folder. */
      readonly folder: string;
      readonly at: number;
      readonly machine: string;
      readonly version: string;
      /** Every sink there is; the cursors of others are forgotten. */
      readonly sinkIds: readonly string[];
    }
  /** Takes the place of the one with the same id. */
  | { readonly kind: 'set'; readonly sink: RunnableSink }
  | { readonly kind: 'remove'; readonly id: string }
  | { readonly kind: 'test'; readonly question: number; readonly sink: RunnableSink }
  /** Something may have been written. */
  | { readonly kind: 'wake' }
  | { readonly kind: 'gap_recorded'; readonly question: number }
  | { readonly kind: 'end' };

export type FromSinkWorker =
  | { readonly kind: 'opened' }
  /** One sentence: it cannot work at all. It ends by itself. */
  | { readonly kind: 'fault'; readonly message: string }
  | { readonly kind: 'progress'; readonly id: string; readonly progress: Progress }
  | { readonly kind: 'head'; readonly seq: number }
  /** To be recorded; the sink goes on after `gap_recorded`. */
  | { readonly kind: 'gap'; readonly id: string; readonly question: number; readonly gap: Gap }
  | { readonly kind: 'tested'; readonly question: number; readonly ok: boolean; readonly message: string };
