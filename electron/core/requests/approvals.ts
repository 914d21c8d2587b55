import type { ApprovalView, StandingApprovalView } from '../../../shared/model.ts';
import type { Caller, Handlers } from '../api.ts';
import type { Approvals } from '../approvals/approvals.ts';
import type { Confirmations } from '../approvals/confirmations.ts';
import type { HeldResults } from '../approvals/held-results.ts';
import type { AnswerResult } from '../approvals/request.ts';
import type { Audit } from '../audit/audit.ts';
import { redactArguments } from '../audit/redact.ts';
import type { Pauses } from '../clients/pauses.ts';

type Names =
  | 'approvalsList'
  | 'approvalApprove'
  | 'approvalDeny'
  | 'approvalsApproveMany'
  | 'approvalsDenyMany'
  | 'resultRelease'
  | 'resultWithhold'
  | 'standingList'
  | 'standingRevoke'
  | 'standingRevokeAll'
  | 'confirmationsList'
  | 'confirmationAnswer';

export function approvalRequests(parts: {
  readonly approvals: Approvals;
  readonly results: Pick<HeldResults<unknown>, 'list' | 'release' | 'withhold'>;
  readonly confirmations: Confirmations;
  readonly pauses: Pick<Pauses, 'pausedFor' | 'pauseClient'>;
  readonly audit: Audit;
}): Pick<Handlers, Names> {
  const { approvals, results, confirmations, pauses, audit } = parts;

  /** What the person said to one call, and what it left behind, stand in the audit; `refused`: it counted for nothing. */
  function record(
    card: ApprovalView | undefined,
    approval: string,
    said: 'approved' | 'denied',
    answer: AnswerResult,
    how: Readonly<Record<string, unknown>>,
    { label }: Caller,
  ): void {
    const about = {
      clientId: card?.clientId ?? null,
      client: card?.client ?? null,
      upstream: card?.upstream ?? null,
      tool: card?.tool ?? null,
    };
    audit.writeSoon({
      phase: 'event',
      kind: 'approval_answer',
      requestId: null,
      ...about,
      outcome: answer.kind === 'done' ? said : 'refused',
      detail: {
        approval,
        call: card?.requestId ?? null,
        ...how,
        by: label,
        ...(answer.kind === 'refused' ? { why: answer.message } : {}),
      },
    });
    if (answer.kind === 'done' && answer.standing !== null) {
      const detail = { ...standingDetail(answer.standing), approval, call: card?.requestId ?? null, by: label };
      audit.writeSoon({ phase: 'event', kind: 'standing_approval_created', ...about, detail });
    }
  }

  /** Also when the call was over before the no: the person wants the client to stop. */
  function pauseClientOf(denied: readonly (ApprovalView | undefined)[], { label }: Caller): void {
    for (const card of new Map(denied.flatMap((one) => (one ? [[one.clientId, one] as const] : []))).values()) {
      const { clientId, client } = card;
      if (pauses.pauseClient(clientId, label).kind === 'already') continue;
      const detail = { scope: 'client', by: label, approval: card.id };
      audit.writeSoon({ phase: 'event', kind: 'calls_paused', clientId, client, outcome: 'done', detail });
    }
  }

  const cards = (): ReadonlyMap<string, ApprovalView> =>
    new Map(approvals.list('all').map((card) => [card.id, card] as const));

  return {
    approvalsList({ state }) {
      const held = results.list();
      return [...approvals.list(state), ...(state === 'all' ? held : held.filter((one) => one.state === 'waiting'))];
    },

    approvalApprove({ approval, argumentsSha256, scope, pins, edited }, caller) {
      const card = cards().get(approval);
      // A notification approves once and never a destructive call, whatever it claims (design section 9, F15).
      const isMore = scope !== 'once' || edited !== null || card?.risk === 'destructive';
      if (caller.origin === 'notification' && isMore) {
        return {
          kind: 'refused',
          message: 'A notification approves a non-destructive call once, nothing more. Open the approval window.',
        };
      }
      // A yes is for running now. The card keeps waiting, so that it can be given after the person has resumed.
      if (card !== undefined && pauses.pausedFor(card.clientId) !== null) return PAUSED;
      const answer = approvals.approve(approval, { argumentsSha256, scope, pins, edited }, caller.label);
      record(card, approval, 'approved', answer, { scope, ...editedDetail(edited) }, caller);
      return plain(answer);
    },

    approvalDeny({ approval, reason, pause }, caller) {
      const card = cards().get(approval);
      const answer = approvals.deny(approval, reason, caller.label);
      record(card, approval, 'denied', answer, { reason }, caller);
      if (pause) pauseClientOf([card], caller);
      return plain(answer);
    },

    approvalsApproveMany({ calls }, caller) {
      const before = cards();
      const answers = calls.map(({ approval, argumentsSha256 }) => {
        const card = before.get(approval);
        if (card !== undefined && pauses.pausedFor(card.clientId) !== null) return { approval, answer: PAUSED };
        const answer = approvals.approve(approval, { argumentsSha256, scope: 'once' }, caller.label);
        record(card, approval, 'approved', answer, { scope: 'once', together: calls.length }, caller);
        return { approval, answer: plain(answer) };
      });
      return { kind: 'done', answers };
    },

    approvalsDenyMany({ approvals: ids, reason, pause }, caller) {
      const before = cards();
      const answers = approvals.denyMany(ids, reason, caller.label).map((answer, index) => {
        const approval = ids[index] ?? '';
        record(before.get(approval), approval, 'denied', answer, { reason, together: ids.length }, caller);
        return { approval, answer: plain(answer) };
      });
      if (pause)
        pauseClientOf(
          ids.map((id) => before.get(id)),
          caller,
        );
      return { kind: 'done', answers };
    },

    resultRelease({ approval, resultSha256 }, caller) {
      const card = results.list().find(({ id }) => id === approval);
      const answer = results.release(approval, resultSha256, caller.label);
      recordResult(approval, 'released', answer, { resultSha256 }, caller, card);
      return plain(answer);
    },

    resultWithhold({ approval, reason, pause }, caller) {
      const card = results.list().find(({ id }) => id === approval);
      const answer = results.withhold(approval, reason, caller.label);
      recordResult(approval, 'withheld', answer, { reason }, caller, card);
      if (pause) pauseClientOf([card], caller);
      return plain(answer);
    },

    standingList({ search }) {
      const words = search.toLowerCase().split(/\s+/).filter(Boolean);
      return approvals.standing().filter((one) => {
        const text = searchText(one);
        return words.every((word) => text.includes(word));
      });
    },

    standingRevoke({ standing }, caller) {
      const ending = approvals.standing().find(({ id }) => id === standing);
      const answer = approvals.revokeStanding(standing);
      if (answer.kind === 'done' && ending !== undefined) recordRevoked(ending, caller);
      return plain(answer);
    },

    standingRevokeAll({ client }, caller) {
      const ending = approvals.standing().filter(({ clientId }) => clientId === client);
      const revoked = approvals.revokeStandingOf(client);
      for (const one of ending) recordRevoked(one, caller);
      return { kind: 'done', revoked };
    },

    confirmationsList: () => confirmations.list(),
    confirmationAnswer: ({ confirmation, answer }, caller) => confirmations.answer(confirmation, answer, caller.label),
  };

  function recordResult(
    approval: string,
    said: 'released' | 'withheld',
    answer: AnswerResult,
    how: Readonly<Record<string, unknown>>,
    { label }: Caller,
    card?: ApprovalView,
  ): void {
    audit.writeSoon({
      phase: 'event',
      kind: 'result_answer',
      clientId: card?.clientId ?? null,
      client: card?.client ?? null,
      upstream: card?.upstream ?? null,
      tool: card?.tool ?? null,
      outcome: answer.kind === 'done' ? said : 'refused',
      detail: {
        approval,
        call: card?.requestId ?? null,
        ...how,
        by: label,
        ...(answer.kind === 'refused' ? { why: answer.message } : {}),
      },
    });
  }

  function recordRevoked(standing: StandingApprovalView, { label }: Caller): void {
    const { clientId, client, upstream, tool } = standing;
    const detail = { ...standingDetail(standing), used: standing.usedCount, by: label };
    audit.writeSoon({
      phase: 'event',
      kind: 'standing_approval_revoked',
      clientId,
      client,
      upstream,
      tool,
      outcome: 'done',
      detail,
    });
  }
}

const PAUSED = {
  kind: 'refused',
  message: 'Calls are paused, so nothing would run. Resume, then approve; the call still waits.',
} as const;

/** The answer without what only the audit is told. */
function plain(answer: AnswerResult): { readonly kind: 'done' } | (AnswerResult & { readonly kind: 'refused' }) {
  return answer.kind === 'done' ? { kind: 'done' } : answer;
}

function editedDetail(edited: string | null): Readonly<Record<string, unknown>> {
  if (edited === null) return {};
  const { redacted, sha256, bytes } = redactArguments(edited);
  return { editedArguments: redacted, editedSha256: sha256, editedBytes: bytes };
}

function standingDetail({ id, scope, pins, fingerprint, expiresAt }: StandingApprovalView) {
  return { standing: id, scope, fingerprint, expiresAt, ...(pins.length > 0 ? { pins } : {}) };
}

function searchText({ client, upstream, connection, tool, pins }: StandingApprovalView): string {
  const values = pins.map(({ pointer, shown }) => `${pointer} ${shown}`);
  return [client, upstream, connection ?? '', tool, ...values].join(' ').toLowerCase();
}
