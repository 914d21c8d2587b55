import type { ErrorClass } from '../../../shared/errors.ts';
import type { UpstreamTransport, UpstreamView } from '../../../shared/model.ts';

export interface UpstreamChange {
  readonly transport?: UpstreamTransport;
  readonly tags?: readonly string[];
  /** Values for the vault; names not in the transport are refused. */
  readonly secrets?: Readonly<Record<string, string>>;
}

export type UpstreamsResult =
  | { readonly kind: 'done'; readonly upstream: UpstreamView }
  | { readonly kind: 'refused'; readonly message: string };

export interface UpstreamCall {
  readonly requestId: string;
  readonly upstreamId: string;
  readonly tool: string;
  /** The exact text to forward as `params.arguments`: these bytes, nothing else, reach the upstream. */
  readonly argumentsText: string;
  /** `_meta` members of the caller that pass through (never progressToken, never keys of ours). */
  readonly meta: Readonly<Record<string, unknown>>;
  readonly clientId: string;
  readonly signal: AbortSignal;
  onProgress(progress: { readonly progress: number; readonly total?: number; readonly message?: string }): void;
}

/** `result` is the upstream's own, unknown members kept. An upstream's own JSON-RPC error is relayed unchanged. */
export type UpstreamOutcome =
  | { readonly kind: 'answered'; readonly result: Readonly<Record<string, unknown>>; readonly bytes: number }
  | { readonly kind: 'error'; readonly code: number; readonly message: string; readonly data?: unknown }
  | {
      readonly kind: 'failed';
      readonly errorClass: Extract<
        ErrorClass,
        | 'upstream_unreachable'
        | 'upstream_crashed'
        | 'upstream_timeout'
        | 'result_too_large'
        | 'secret_unavailable'
        | 'auth_required'
        | 'rate_limited'
      >;
      /** One sentence that names the upstream and the limit or cause. */
      readonly message: string;
    }
  | { readonly kind: 'cancelled' };

export interface Upstreams {
  list(workspaceId?: string): readonly UpstreamView[];
  get(id: string): UpstreamView | null;
  byName(workspaceId: string, name: string): UpstreamView | null;
  /** Stores it, starts it in the background and lists its tools; never waits for it. */
  add(wanted: {
    readonly workspaceId: string;
    readonly name: string;
    readonly transport: UpstreamTransport;
    readonly tags: readonly string[];
    readonly secrets: Readonly<Record<string, string>>;
  }): Promise<UpstreamsResult>;
  change(id: string, change: UpstreamChange): Promise<UpstreamsResult>;
  remove(id: string): Promise<UpstreamsResult>;
  setEnabled(id: string, enabled: boolean): Promise<UpstreamsResult>;
  /** Restarts a failed one and lists again; waits for the listing at most 15 s. */
  refresh(id: string): Promise<UpstreamsResult>;
  logs(id: string): readonly string[];
  call(call: UpstreamCall): Promise<UpstreamOutcome>;
  /** Calls in flight and queued: for /health. */
  load(): { readonly inFlight: number; readonly queued: number };
  /** Starts every enabled upstream in parallel in the background. */
  startAll(): void;
  /** Whole process trees gone within 5 s. */
  stopAll(): Promise<void>;
  onChange(listener: (upstreamId: string) => void): () => void;
}
