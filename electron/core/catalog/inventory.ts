import type { Risk, ToolDefinition, ToolState, ToolView } from '../../../shared/model.ts';

/** One tool of one upstream as the inventory knows it. */
export interface Tool {
  readonly upstreamId: string;
  readonly name: string;
  /** `<upstream>__<tool>`, resolved by table only. */
  readonly exposedName: string;
  readonly state: ToolState;
  readonly risk: Risk;
  /** Of the reviewed definition where there is one, else of the offered one. */
  readonly fingerprint: string;
  /** What agents are shown; null while nothing was reviewed. */
  readonly reviewed: ToolDefinition | null;
  readonly offered: ToolDefinition | null;
}

export interface ToolAcceptance {
  readonly name: string;
  readonly fingerprint: string;
  readonly risk: Risk;
}

export type ReviewResult =
  | { readonly kind: 'done'; readonly accepted: number }
  | { readonly kind: 'refused' /** E.g. the tool changed again while it was being read. */; readonly message: string };

export interface Inventory {
  /**
   * Takes in what an upstream listed just now. `endpoint` is its command line or URL and part of every fingerprint.
   * Definitions that are not usable (no object schema, impossible name) are left out and named in `problems`.
   */
  takeIn(
    upstreamId: string,
    endpoint: string,
    listed: readonly unknown[],
  ): { readonly changed: boolean; readonly problems: readonly string[] };
  tools(upstreamId: string): readonly Tool[];
  find(upstreamId: string, toolName: string): Tool | null;
  byExposedName(workspaceId: string, exposedName: string): Tool | null;
  view(upstreamId?: string): readonly ToolView[];
  review(upstreamId: string, accept: readonly ToolAcceptance[]): ReviewResult;
  /** Ships reviewed: only for the built-in demo upstream, and only for definitions that equal its own code's. */
  acceptBuiltIn(upstreamId: string, risks: Readonly<Record<string, Risk>>): void;
  forget(upstreamId: string): void;
  /** Told with the upstream's id whenever something agents or the person can see has changed. */
  onChange(listener: (upstreamId: string) => void): () => void;
}
