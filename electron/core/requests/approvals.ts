import type { Handlers } from '../api.ts';
import type { Approvals } from '../approvals/approvals.ts';
import type { Confirmations } from '../approvals/confirmations.ts';
import type { Audit } from '../audit/audit.ts';
import type { Pauses } from '../clients/pauses.ts';

type Names =
  | 'approvalsList'
  | 'approvalApprove'
  | 'approvalDeny'
  | 'standingList'
  | 'standingRevoke'
  | 'confirmationsList'
  | 'confirmationAnswer';

export function approvalRequests(parts: {
  readonly approvals: Approvals;
  readonly confirmations: Confirmations;
  readonly pauses: Pick<Pauses, 'pausedFor'>;
  readonly audit: Audit;
}): Pick<Handlers, Names> {
  const { approvals, confirmations, pauses, audit } = parts;
  return {
    approvalsList: ({ state }) => approvals.list(state),

    approvalApprove({ approval, argumentsSha256, scope }, caller) {
      const card = approvals.list('all').find((one) => one.id === approval);
      // A notification approves once and never a destructive call, whatever it claims (design section 9, F15).
      if (caller.origin === 'notification' && (scope !== 'once' || card?.risk === 'destructive')) {
        return {
          kind: 'refused',
          message: 'A notification approves a non-destructive call once, nothing more. Open the approval window.',
        };
      }
      // A yes is for running now. The card keeps waiting, so that it can be given after the person has resumed.
      if (card !== undefined && pauses.pausedFor(card.clientId) !== null) {
        return {
          kind: 'refused',
          message: 'Calls are paused, so nothing would run. Resume, then approve; the call still waits.',
        };
      }
      const answer = approvals.approve(approval, argumentsSha256, scope, caller.label);
      audit.writeSoon({
        phase: 'event',
        kind: 'approval_answer',
        requestId: null,
        clientId: card?.clientId ?? null,
        client: card?.client ?? null,
        upstream: card?.upstream ?? null,
        tool: card?.tool ?? null,
        outcome: answer.kind === 'done' ? 'approved' : 'refused',
        detail: {
          approval,
          call: card?.requestId ?? null,
          scope,
          by: caller.label,
          ...(answer.kind === 'refused' ? { why: answer.message } : {}),
        },
      });
      return answer;
    },

    approvalDeny({ approval, reason }, caller) {
      const card = approvals.list('all').find((one) => one.id === approval);
      const answer = approvals.deny(approval, reason, caller.label);
      audit.writeSoon({
        phase: 'event',
        kind: 'approval_answer',
        requestId: null,
        clientId: card?.clientId ?? null,
        client: card?.client ?? null,
        upstream: card?.upstream ?? null,
        tool: card?.tool ?? null,
        outcome: answer.kind === 'done' ? 'denied' : 'refused',
        detail: {
          approval,
          call: card?.requestId ?? null,
          reason,
          by: caller.label,
          ...(answer.kind === 'refused' ? { why: answer.message } : {}),
        },
      });
      return answer;
    },

    standingList: () => approvals.standing(),

    standingRevoke({ standing }, caller) {
      const answer = approvals.revokeStanding(standing);
      if (answer.kind === 'done')
        audit.writeSoon({ phase: 'event', kind: 'standing_approval_revoked', detail: { standing, by: caller.label } });
      return answer;
    },

    confirmationsList: () => confirmations.list(),
    confirmationAnswer: ({ confirmation, answer }, caller) => confirmations.answer(confirmation, answer, caller.label),
  };
}
