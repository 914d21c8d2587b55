import type {
  ApprovalView,
  Client,
  Decision,
  Risk,
  StandingApprovalView,
  StandingScope,
} from '../../../shared/model.ts';
import type { AuditWritten } from '../audit/audit.ts';

/** Everything a yes is bound to. */
export interface ApprovalRequest {
  readonly requestId: string;
  readonly workspace: string;
  readonly client: Client;
  readonly keyId: string;
  /** Id of the client's MCP session; null when stateless. */
  readonly sessionId: string | null;
  readonly upstreamId: string;
  readonly upstream: string;
  readonly connection: string | null;
  readonly tool: string;
  readonly title: string | null;
  readonly risk: Risk;
  readonly fingerprint: string;
  readonly decision: Decision;
  readonly argumentsText: string;
  /** How long this caller waits here before it is told `pending`. */
  readonly holdMs: number;
  /** Aborts when the caller cancels or leaves. */
  readonly signal: AbortSignal;
  /** Called about every ten seconds while the caller is held. */
  onWaiting(approval: ApprovalView): void;
  /** Records `asked` durably; the card shows only after it was written. Not called when the call attaches to a card. */
  recordAsked(approval: ApprovalView): Promise<AuditWritten>;
}

/**
 * `approved` is handed out exactly once per yes, to one caller; `argumentsText` is the text of the call that was shown.
 */
export type ApprovalAnswer =
  | {
      readonly kind: 'approved';
      readonly approval: ApprovalView;
      readonly argumentsText: string;
      readonly by: string;
      readonly waitedMs: number;
    }
  | { readonly kind: 'denied'; readonly approval: ApprovalView; readonly reason: string }
  | { readonly kind: 'expired'; readonly approval: ApprovalView }
  | { readonly kind: 'pending'; readonly approval: ApprovalView }
  | { readonly kind: 'caller_left'; readonly approval: ApprovalView }
  | { readonly kind: 'unavailable'; readonly reason: string }
  | { readonly kind: 'too_many'; readonly limit: number; readonly scope: 'client' | 'all' }
  | { readonly kind: 'audit_unavailable'; readonly reason: string };

export type AnswerResult =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused' /** E.g. already answered. */; readonly message: string };

export interface Approvals {
  request(call: ApprovalRequest): Promise<ApprovalAnswer>;
  /** `argumentsSha256` must be of the text that was shown. `by` says who and how: `dashboard`, `approval window`, `notification`. */
  approve(id: string, argumentsSha256: string, scope: StandingScope, by: string): AnswerResult;
  deny(id: string, reason: string, by: string): AnswerResult;
  list(state: 'waiting' | 'all'): readonly ApprovalView[];
  /** A standing approval that satisfies `require_approval` for exactly this; null when none does. */
  standingFor(bound: {
    readonly clientId: string;
    readonly sessionId: string | null;
    readonly upstreamId: string;
    readonly connection: string | null;
    readonly tool: string;
    readonly fingerprint: string;
  }): string | null;
  standing(): readonly StandingApprovalView[];
  revokeStanding(id: string): AnswerResult;
  /** The key ended, the tool changed …: waiting cards of it are cancelled, standing approvals of it die. */
  cancelForKey(keyId: string): void;
  cancelForTool(upstreamId: string, tool: string): void;
  onChange(listener: () => void): () => void;
  /** Told of each new card, for notification and approval window. */
  onCard(listener: (approval: ApprovalView) => void): () => void;
}
