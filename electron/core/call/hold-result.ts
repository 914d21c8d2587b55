import type { HeldAnswer, HeldResults, ResultCaller } from '../approvals/held-results.ts';
import type { CallEnding, ToolCall } from '../call-tool.ts';
import type { Aim } from './aim.ts';
import { toldOfEdit } from './edited.ts';
import type { CallRecord } from './record.ts';
import { type HeldResult, type HoldResult, textOf } from './rule-result.ts';

/** What is held of a call, and what the person had put in place of its arguments. */
export interface HeldEnding {
  readonly ending: HeldResult['ending'];
  readonly edited: string | null;
}

/** Holds results for the person, and gives a held one to the call that comes back for it. */
export interface ResultHolding {
  readonly hold: HoldResult;
  /** The ending of this very call, which has run already and whose result nobody waits for; null: it is to be made. */
  takeUp(call: ToolCall, aim: Aim, record: CallRecord): Promise<CallEnding> | null;
}

export function createResultHolding(results: HeldResults<HeldEnding>): ResultHolding {
  return {
    async hold({ call, aim, record, rule, reason, ending }) {
      const { name: tool, title, risk, upstream } = aim;
      const answer = await results.hold(
        {
          ...boundOf(call, aim),
          requestId: call.requestId,
          workspace: call.workspace.name,
          client: call.client,
          keyId: call.key.id,
          sessionId: call.sessionId,
          upstream: upstream.name,
          tool,
          title,
          risk,
          rule,
          reason,
          resultText: textOf(ending),
          result: { ending, edited: record.edited() },
          recordHeld: record.resultHeld,
          recordLapsed: record.resultLapsed,
        },
        callerOf(call),
      );
      record.resultAnswered(heardOf(answer));
      // Its own caller is told of an edit with every ending of the call.
      return answer.kind === 'released' ? ending : refusalOf(answer, rule);
    },
    takeUp(call, aim, record) {
      const taken = results.takeUp({ ...boundOf(call, aim), clientId: call.client.id }, callerOf(call));
      if (taken === null) return null;
      return taken.answer.then((answer) => {
        record.resultAnswered({ ...heardOf(answer), of: taken.requestId });
        if (answer.kind !== 'released') return refusalOf(answer, taken.rule);
        const { ending, edited } = answer.result;
        return edited === null ? ending : toldOfEdit(ending, edited);
      });
    },
  };
}

function boundOf(call: ToolCall, { name: tool, fingerprint, upstream, connection }: Aim) {
  const { kind } = call.target;
  return {
    upstreamId: upstream.id,
    connection,
    kind: kind === 'own' || kind === 'exposed' ? 'tool' : kind,
    tool,
    fingerprint,
    argumentsText: call.argumentsText,
  };
}

function callerOf(call: ToolCall): ResultCaller {
  return { holdMs: call.client.holdMs, signal: call.left(), onWaiting: call.onWaiting };
}

/** How it ended, for the record of whoever heard it. */
function heardOf(answer: HeldAnswer<HeldEnding>): Readonly<Record<string, unknown>> {
  if (answer.kind === 'unavailable') return { answer: answer.kind };
  const { id, decidedBy } = answer.approval;
  return { answer: answer.kind, approval: id, ...(decidedBy === null ? {} : { by: decidedBy }) };
}

/** Each of them says that the call did run: to make it again would run it twice. */
function refusalOf(answer: Exclude<HeldAnswer<HeldEnding>, { kind: 'released' }>, rule: string): CallEnding {
  const ran = 'The call did run.';
  const withheld = { kind: 'refused', rule, retryable: false } as const;
  switch (answer.kind) {
    case 'withheld': {
      const why = answer.reason === '' ? '.' : `: ${answer.reason}`;
      return {
        ...withheld,
        errorClass: 'approval_denied',
        message: `${ran} Its result is withheld from you${why}`,
      };
    }
    case 'expired':
      return {
        ...withheld,
        errorClass: 'approval_expired',
        message: `${ran} Its result is held by rule "${rule}" and nobody looked at it in time, so it is not given out.`,
      };
    case 'unavailable':
      return {
        ...withheld,
        errorClass: 'approval_unavailable',
        message: `${ran} Its result is held by rule "${rule}" and is not given out: ${answer.reason}.`,
      };
    case 'pending':
      return {
        kind: 'pending',
        approvalId: answer.approval.id,
        expiresAt: answer.approval.expiresAt,
        rule,
        hasRun: true,
      };
    case 'caller_left':
      return { kind: 'cancelled' };
  }
}
