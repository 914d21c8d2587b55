import type { ConnectionRef } from '../../../shared/connections.ts';
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
  readonly connection: ConnectionRef | null;
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
  /** Records that the card, or a yes that waited for its retry, ended with no caller there to be told. */
  recordLapsed(approval: ApprovalView): void;
  /**
   * Why arguments that the person wrote cannot run in place of these, in a sentence; null: they can. Left out where the
   * arguments cannot be changed.
   */
  readonly checkEdited?: (argumentsText: string) => string | null;
  /** Why the call would not go out as the account that is shown any more, in a sentence; null: it would. */
  readonly otherConnection?: () => string | null;
}

/** Why a card ended although nobody said no and time was left. */
export type Withdrawal = 'key_ended' | 'tool_changed' | 'risk_changed' | 'upstream_removed' | 'connection_changed';

/**
 * `approved` is handed out exactly once per yes, to one caller; `argumentsText` is the text of the call that was shown, or
 * what the person put in its place (`edited`).
 */
export type ApprovalAnswer =
  | {
      readonly kind: 'approved';
      readonly approval: ApprovalView;
      readonly argumentsText: string;
      readonly edited: boolean;
      readonly by: string;
      readonly waitedMs: number;
    }
  | { readonly kind: 'denied'; readonly approval: ApprovalView; readonly reason: string }
  | {
      readonly kind: 'cancelled';
      readonly approval: ApprovalView;
      readonly because: Withdrawal;
      readonly reason: string;
    }
  | { readonly kind: 'expired'; readonly approval: ApprovalView }
  | { readonly kind: 'pending'; readonly approval: ApprovalView }
  | { readonly kind: 'caller_left'; readonly approval: ApprovalView }
  | { readonly kind: 'unavailable'; readonly reason: string }
  | TooMany
  | { readonly kind: 'audit_unavailable'; readonly reason: string };

/** `tool`: so many calls of this tool by this client already wait on one card. */
export interface TooMany {
  readonly kind: 'too_many';
  readonly limit: number;
  readonly scope: 'client' | 'all' | 'tool';
}

/** A yes, as the person gave it. */
export interface Yes {
  /** Of the text that was shown. */
  readonly argumentsSha256: string;
  readonly scope: StandingScope;
  /** JSON pointers, of scope `values` alone. */
  readonly pins?: readonly string[];
  /** What is to run in place of the arguments that were shown. */
  readonly edited?: string | null;
}

export type AnswerResult =
  | {
      readonly kind: 'done';
      /** The standing approval that the yes left behind. */
      readonly standing: StandingApprovalView | null;
    }
  | { readonly kind: 'refused' /** E.g. already answered. */; readonly message: string };
