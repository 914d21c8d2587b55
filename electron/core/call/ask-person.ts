import type { ErrorClass } from '../../../shared/errors.ts';
import type { Decision } from '../../../shared/model.ts';
import type { Approvals } from '../approvals/approvals.ts';
import type { Withdrawal } from '../approvals/request.ts';
import type { CallEnding, ToolCall } from '../call-tool.ts';
import type { Aim } from './aim.ts';
import { refused } from './ending.ts';
import type { CallRecord } from './record.ts';

interface Question {
  readonly call: ToolCall;
  readonly aim: Aim;
  readonly decision: Decision;
  readonly record: CallRecord;
}

export type Asked =
  | CallEnding
  | { readonly kind: 'approved'; readonly argumentsText: string; readonly edited: boolean };

/**
 * Asks the person about a call, and says what the answer is to the caller.
 *
 * @param argumentsText what is shown and runs; @param whyNotEdited what is wrong with a text that the person put in its
 * place, null where nothing is. @param otherConnection why it would not go out as the account that is shown any more.
 */
export async function askPerson(
  approvals: Pick<Approvals, 'request'>,
  { call, aim, decision, record }: Question,
  argumentsText: string,
  whyNotEdited: (argumentsText: string) => string | null,
  otherConnection: () => string | null,
): Promise<Asked> {
  const { name, title, risk, fingerprint, upstream, connection } = aim;
  const answer = await approvals.request({
    requestId: call.requestId,
    workspace: call.workspace.name,
    client: call.client,
    keyId: call.key.id,
    sessionId: call.sessionId,
    upstreamId: upstream.id,
    upstream: upstream.name,
    connection,
    tool: name,
    title,
    risk,
    fingerprint,
    decision,
    argumentsText,
    holdMs: call.client.holdMs,
    signal: call.left(),
    onWaiting: call.onWaiting,
    recordAsked: record.asked,
    recordLapsed: record.lapsed,
    otherConnection,
    // Without a schema there is nothing to check an edit against.
    ...(aim.tool === null ? {} : { checkEdited: whyNotEdited }),
  });
  record.answered(answer);
  const { rule } = decision;
  switch (answer.kind) {
    case 'approved':
      return { kind: 'approved', argumentsText: answer.argumentsText, edited: answer.edited };
    case 'denied':
      return {
        kind: 'refused',
        errorClass: 'approval_denied',
        message:
          answer.reason === '' ? 'The person denied this call.' : `The person denied this call: ${answer.reason}`,
        rule,
      };
    case 'cancelled':
      return {
        kind: 'refused',
        errorClass: WITHDRAWN[answer.because],
        message: answer.reason,
        rule,
      };
    case 'expired':
      return { kind: 'refused', errorClass: 'approval_expired', message: 'Nobody answered in time.', rule };
    case 'pending':
      return { kind: 'pending', approvalId: answer.approval.id, expiresAt: answer.approval.expiresAt, rule };
    case 'caller_left':
      return { kind: 'cancelled' };
    case 'unavailable':
      return { kind: 'refused', errorClass: 'approval_unavailable', message: answer.reason, rule };
    case 'too_many':
      return {
        kind: 'refused',
        errorClass: 'too_many_pending',
        message: TOO_MANY[answer.scope](answer.limit),
        rule,
      };
    case 'audit_unavailable':
      return refused('audit_unavailable', answer.reason);
  }
}

const WITHDRAWN = {
  key_ended: 'approval_denied',
  connection_changed: 'connection_changed',
  tool_changed: 'tool_changed',
  risk_changed: 'tool_changed',
  upstream_removed: 'tool_changed',
} as const satisfies Record<Withdrawal, ErrorClass>;

const TOO_MANY = {
  client: (limit: number) => `${limit} cards of this client already wait for the person.`,
  all: (limit: number) => `${limit} cards already wait for the person.`,
  tool: (limit: number) => `${limit} calls of this tool by this client already wait for the person.`,
} as const;
