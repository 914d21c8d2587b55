import { createHash } from 'node:crypto';
import type { ConnectionRef } from '../../../shared/connections.ts';
import { ERRORS } from '../../../shared/errors.ts';
import type { ApprovalView, Decision, ShadowDecision } from '../../../shared/model.ts';
import type { ApprovalAnswer } from '../approvals/request.ts';
import type { Audit, AuditInput, AuditWritten } from '../audit/audit.ts';
import { redactArguments } from '../audit/redact.ts';
import type { CallEnding, ToolCall } from '../call-tool.ts';
import type { Log } from '../diagnosis/log.ts';
import type { Clock } from '../platform.ts';
import type { RedactedArguments } from '../policy/redact-arguments.ts';
import type { RedactionMade } from '../policy/redact-json.ts';
import type { Aim, CallTarget } from './aim.ts';
import type { Beside } from './beside.ts';

/** The audit entries of one call: `asked` only if it parks, `forwarded` before the first byte upstream, `ended` always. */
export interface CallRecord {
  /** The call named a tool that exists for this client. */
  aims(aim: Aim): void;
  /** @param policy which revision of the workspace's policy decided. */
  decided(decision: Decision, policy: string): void;
  /** What a shadow says of it beside the policy; it changes nothing. */
  shadowed(said: ShadowDecision | null): void;
  /** Durable before the card shows. */
  asked(approval: ApprovalView): Promise<AuditWritten>;
  answered(answer: ApprovalAnswer): void;
  /** What rules took out of the arguments: told instead of what came, of which the hash stays. */
  argumentsRuled(ruled: RedactedArguments): void;
  /** What rules took out of the result: its hash as it came stands beside that of what was given out. */
  resultRuled(came: string, redactions: readonly RedactionMade[]): void;
  /** Its result waits for the person; the result itself stands in no record before it is given out. */
  resultHeld(approval: ApprovalView): void;
  /** What became of a held result, told to the caller of this call. `of`: the call that ran. */
  resultAnswered(how: Readonly<Record<string, unknown>>): void;
  /** The held result ended with nobody there to be told. */
  resultLapsed(how: 'expired' | 'lost', approval: ApprovalView): void;
  /** What the person put in place of the arguments; null: they are as they came. */
  edited(): string | null;
  /** The card ended after the caller had been told `pending` or had left: nobody else would say how. */
  lapsed(approval: ApprovalView): void;
  /** Durable before the first byte goes upstream. */
  forwarded(argumentsText: string, beside: Beside): Promise<AuditWritten>;
  /** The answer does not wait for it; it is retried until it is written. */
  ended(ending: CallEnding): void;
}

export function createCallRecord(
  parts: { readonly audit: Audit; readonly clock: Clock; readonly log: Log },
  call: ToolCall,
): CallRecord {
  const { audit, clock, log } = parts;
  const startedAt = clock.monotonic();
  let askedAt: number | null = null;
  let forwardedAt: number | null = null;
  let upstream: string | null = null;
  let tool: string | null = null;
  let fingerprint: string | null = null;
  let risk: string | null = null;
  let callKind: Aim['kind'] | null = null;
  let upstreamTags: readonly string[] = [];
  let connection: ConnectionRef | null = null;
  let decision: Decision | null = null;
  let policy: string | null = null;
  let shadow: ShadowDecision | null = null;
  let approval: Record<string, unknown> | null = null;
  let edited: string | null = null;
  let ruled: RedactedArguments | null = null;
  let ruledResult: Record<string, unknown> = {};
  /** When it was held: what follows is the person's time, not the upstream's. */
  let answeredAt: number | null = null;
  let heldResult: Readonly<Record<string, unknown>> | null = null;
  let toldArguments = false;

  const { target } = call;
  const named = { named: nameOf(target) };

  function entry(
    phase: AuditInput['phase'],
    detail: Record<string, unknown>,
    rest: Partial<AuditInput> = {},
  ): AuditInput {
    return {
      phase,
      kind: KINDS[target.kind],
      requestId: call.requestId,
      workspace: call.workspace.name,
      clientId: call.client.id,
      client: call.client.name,
      keyPrefix: call.key.prefix,
      upstream,
      tool,
      effect: decision?.effect ?? null,
      rule: decision?.rule ?? null,
      detail,
      ...rest,
    };
  }

  /** Who and what, once per record: in its first entry. */
  function opening(argumentsText: string): Record<string, unknown> {
    if (toldArguments) return {};
    toldArguments = true;
    const came = argumentsText === ruled?.text ? call.argumentsText : argumentsText;
    const { redacted, truncated, replaced } = redactArguments(
      came === call.argumentsText ? (ruled?.recorded ?? came) : came,
    );
    return {
      ...named,
      era: call.era,
      session: call.sessionId === null ? null : digest(call.sessionId).slice(0, 16),
      keyId: call.key.id,
      connection: connection?.label ?? null,
      // Its label may be another account's later.
      ...(connection === null ? {} : { connectionId: connection.id }),
      callKind,
      fingerprint,
      risk,
      // What a rule looked at beside the arguments, so that a replay can look again.
      clientTags: call.client.tags,
      upstreamTags,
      policy,
      reason: decision?.reason ?? null,
      standing: decision?.standing ?? null,
      ...(decision?.trust === undefined ? {} : { trust: decision.trust }),
      ...(shadow === null ? {} : { shadow: { ...shadow, agrees: shadow.effect === ruledEffect(decision) } }),
      arguments: redacted,
      argumentsSha256: digest(came),
      argumentsBytes: Buffer.byteLength(came),
      argumentsRedacted: replaced,
      ...(ruled === null || ruled.redactions.length === 0 ? {} : { argumentRedactions: ruled.redactions }),
      ...(truncated ? { truncated } : {}),
    };
  }

  /** How long the card was there before it ended so. */
  function waited(answer: ApprovalAnswer): { readonly waitedMs?: number } {
    if (answer.kind === 'approved') return { waitedMs: Math.round(answer.waitedMs) };
    return askedAt === null ? {} : { waitedMs: Math.round(clock.monotonic() - askedAt) };
  }

  async function durable(
    phase: 'asked' | 'forwarded',
    argumentsText: string,
    detail: Record<string, unknown>,
  ): Promise<AuditWritten> {
    const opens = !toldArguments;
    const written = await audit.write(entry(phase, { ...opening(argumentsText), ...detail }));
    // What the entry that was not written would have told must stand in the next one.
    if (opens && written.kind === 'unavailable') toldArguments = false;
    return written;
  }

  return {
    aims(aim) {
      upstream = aim.upstream.name;
      tool = aim.name;
      fingerprint = aim.fingerprint;
      risk = aim.risk;
      callKind = aim.kind;
      upstreamTags = aim.upstream.tags;
      connection = aim.connection;
    },
    decided(made, by) {
      decision = made;
      policy = by;
    },
    shadowed(said) {
      shadow = said;
    },
    asked(card) {
      askedAt = clock.monotonic();
      return durable('asked', call.argumentsText, { approval: card.id, expiresAt: card.expiresAt });
    },
    answered(answer) {
      if (answer.kind === 'approved' && answer.edited) edited = answer.argumentsText;
      approval = {
        answer: answer.kind,
        ...('approval' in answer ? { approval: answer.approval.id } : {}),
        ...(answer.kind === 'approved' ? { by: answer.by, edited: answer.edited } : {}),
        ...waited(answer),
        ...(answer.kind === 'cancelled' ? { because: answer.because } : {}),
        ...(answer.kind === 'denied' ? { by: answer.approval.decidedBy, denyReason: answer.reason } : {}),
      };
    },
    edited: () => edited,
    argumentsRuled(by) {
      ruled = by;
    },
    resultRuled(came, redactions) {
      if (redactions.length === 0) return;
      ruledResult = { cameSha256: digest(came), cameBytes: Buffer.byteLength(came), resultRedactions: redactions };
    },
    resultHeld(card) {
      answeredAt = clock.monotonic();
      const { rule, reason, held } = card;
      const detail = { approval: card.id, holds: rule, reason, resultSha256: held?.resultSha256 ?? null };
      audit.writeSoon(entry('event', detail, { kind: 'result_held' }));
    },
    resultAnswered(how) {
      heldResult = how;
    },
    resultLapsed(how, card) {
      audit.writeSoon(
        entry(
          'event',
          { approval: card.id, message: how === 'lost' ? RESULT_LOST : RESULT_EXPIRED },
          { kind: `result_${how}`, outcome: 'withheld' },
        ),
      );
    },
    lapsed(card) {
      const isExpired = card.state === 'expired';
      audit.writeSoon(
        entry(
          'event',
          {
            approval: card.id,
            message: isExpired ? (card.decidedBy === null ? NOBODY_ANSWERED : NOT_REDEEMED) : card.denyReason,
          },
          {
            kind: isExpired ? 'approval_expired' : 'approval_cancelled',
            outcome: 'not_executed',
            errorClass: isExpired ? 'approval_expired' : null,
          },
        ),
      );
    },
    async forwarded(argumentsText, { text, leftOut }) {
      // What the agent sent opens the record; what the person made of it stands beside it.
      const written = await durable('forwarded', edited === null ? argumentsText : call.argumentsText, {
        forwardedSha256: digest(argumentsText),
        ...(argumentsText === call.argumentsText ? {} : { forwardedBytes: Buffer.byteLength(argumentsText) }),
        ...(edited === null ? {} : { editedArguments: redactArguments(edited).redacted }),
        ...(text === '{}' ? {} : { beside: redactArguments(text).redacted, besideSha256: digest(text) }),
        ...(leftOut.length === 0 ? {} : { leftOut: leftOut.slice(0, MOST_NAMES) }),
        ...(approval ? { approval } : {}),
      });
      if (written.kind === 'written') forwardedAt = clock.monotonic();
      return written;
    },
    ended(ending) {
      const now = clock.monotonic();
      const { outcome, errorClass, detail } = endingDetail(ending);
      const ms = Math.round(now - startedAt);
      log.info('call_ended', {
        requestId: call.requestId,
        client: call.client.name,
        upstream,
        tool,
        outcome,
        errorClass,
        ms,
      });
      audit.writeSoon(
        entry(
          'ended',
          {
            ...opening(call.argumentsText),
            ...(approval && forwardedAt === null ? { approval } : {}),
            ...detail,
            ...ruledResult,
            ...(heldResult === null ? {} : { heldResult }),
            totalMs: ms,
            ...(forwardedAt === null ? {} : { upstreamMs: Math.round((answeredAt ?? now) - forwardedAt) }),
          },
          // A limit is not what decided, but it is what refused.
          { outcome, errorClass, ...(ending.kind === 'refused' && ending.rule !== null ? { rule: ending.rule } : {}) },
        ),
      );
    },
  };
}

const MOST_NAMES = 20;
/** What the policy itself said, before a standing approval or trust answered in the place of the person. */
function ruledEffect(decision: Decision | null): Decision['effect'] | null {
  if (decision === null) return null;
  return decision.standing !== null || decision.trust !== undefined ? 'require_approval' : decision.effect;
}

const RESULT_LOST = 'Gatehouse was quit while the result was held in memory; the call ran, and nobody got its result.';
const RESULT_EXPIRED =
  'The call ran, and nobody got its result: it was not looked at, or not called for again, in time.';
const NOBODY_ANSWERED = 'Nobody answered in time; it was not run.';
const NOT_REDEEMED = 'It was approved, but the client did not call again in time; it was not run.';

const KINDS = {
  exposed: 'tool_call',
  own: 'tool_call',
  prompt: 'prompt_get',
  resource: 'resource_read',
  completion: 'completion',
} as const satisfies Record<CallTarget['kind'], string>;

function nameOf(target: CallTarget): string {
  switch (target.kind) {
    case 'exposed':
      return target.name;
    case 'resource':
      return target.uri;
    case 'completion':
      return target.named;
    case 'own':
    case 'prompt':
      return target.upstream === null ? target.name : `${target.upstream} / ${target.name}`;
  }
}

function endingDetail(ending: CallEnding): {
  outcome: string;
  errorClass: string | null;
  detail: Record<string, unknown>;
} {
  switch (ending.kind) {
    case 'answered':
      return {
        outcome: 'answered',
        errorClass: null,
        detail: {
          resultBytes: ending.bytes,
          resultSha256: digest(ending.resultText),
          isError: ending.result.isError === true,
        },
      };
    case 'relayed':
      return { outcome: 'failed', errorClass: 'upstream_error', detail: { code: ending.code } };
    case 'refused':
      return {
        outcome: 'refused',
        errorClass: ending.errorClass,
        detail: { code: ERRORS[ending.errorClass].code, message: ending.message },
      };
    case 'failed':
      return {
        outcome: 'failed',
        errorClass: ending.errorClass,
        detail: { code: ERRORS[ending.errorClass].code, message: ending.message },
      };
    case 'pending':
      return {
        outcome: 'pending',
        errorClass: 'approval_pending',
        detail: { code: ERRORS.approval_pending.code, approvalId: ending.approvalId },
      };
    case 'input_required':
      return { outcome: 'pending', errorClass: null, detail: {} };
    case 'invalid_state':
      return { outcome: 'refused', errorClass: 'invalid_state', detail: { code: -32602 } };
    case 'unknown_tool':
      return { outcome: 'refused', errorClass: 'unknown_tool', detail: { code: -32602 } };
    case 'cancelled':
      return { outcome: 'cancelled', errorClass: null, detail: {} };
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
