import { ERRORS, type ErrorClass } from '../../shared/errors.ts';
import type { Client, Decision, Era, Key, Policy, UpstreamView, Workspace } from '../../shared/model.ts';
import type { Approvals } from './approvals/approvals.ts';
import type { Audit } from './audit/audit.ts';
import { type CallRecord, createCallRecord } from './call-record.ts';
import type { Tool } from './catalog/inventory.ts';
import type { ArgumentCheck } from './catalog/validate-arguments.ts';
import type { Clients } from './clients/clients.ts';
import { faultFields } from './diagnosis/fault.ts';
import type { Log } from './diagnosis/log.ts';
import type { Clock } from './platform.ts';
import type { Decide } from './policy/decide.ts';
import type { Policies } from './policy/policy.ts';
import type { UpstreamOutcome, Upstreams } from './upstreams/upstreams.ts';

/** How the caller named the tool. Both ways lead to the same place and the same rules. */
export type CallTarget =
  /** `tools/call` on `/mcp` or `/w/…`: an exposed name, resolved by table. */
  | { readonly kind: 'exposed'; readonly name: string }
  /** `call_external_tool`, or `tools/call` on `/u/<upstream>/mcp`: the upstream's own name. */
  | { readonly kind: 'own'; readonly upstream: string; readonly name: string };

export interface ToolCall {
  /** Random, in every log line, audit entry and error of this call. */
  readonly requestId: string;
  readonly workspace: Workspace;
  readonly client: Client;
  readonly key: Key;
  readonly sessionId: string | null;
  readonly era: Era;
  readonly target: CallTarget;
  /** The exact text of the innermost `arguments`, as it arrived. */
  readonly argumentsText: string;
  readonly meta: Readonly<Record<string, unknown>>;
  /** The caller cancelled: before forwarding nothing runs, after it the upstream is told. */
  readonly cancelled: AbortSignal;
  /** The caller is gone (cancelled, or its connection closed): nobody waits for this answer any more. */
  readonly left: AbortSignal;
  onProgress(progress: { readonly progress: number; readonly total?: number; readonly message?: string }): void;
  /** Called while a person decides, so that the caller can be told that it waits. */
  onWaiting(): void;
}

export type CallEnding =
  /** Unknown, or outside what the client may see: the two are told apart nowhere. */
  | { readonly kind: 'unknown_tool' }
  | {
      readonly kind: 'refused';
      readonly errorClass: ErrorClass;
      readonly message: string;
      readonly rule: string | null;
    }
  | { readonly kind: 'pending'; readonly approvalId: string; readonly expiresAt: number; readonly rule: string | null }
  | { readonly kind: 'answered'; readonly result: Readonly<Record<string, unknown>>; readonly bytes: number }
  /** The upstream's own JSON-RPC error, unchanged. */
  | { readonly kind: 'relayed'; readonly code: number; readonly message: string; readonly data?: unknown }
  | { readonly kind: 'failed'; readonly errorClass: ErrorClass; readonly message: string }
  | { readonly kind: 'cancelled' };

export interface Found {
  readonly tool: Tool;
  readonly upstream: UpstreamView;
}

export interface CallToolParts {
  readonly catalog: {
    find(client: Client, exposedName: string): Found | null;
    findDirect(client: Client, upstream: string, tool: string): Found | null;
  };
  readonly inventory: { find(upstreamId: string, toolName: string): Tool | null };
  readonly checkArguments: (tool: Tool, argumentsText: string) => ArgumentCheck;
  readonly policies: Pick<Policies, 'get'>;
  readonly decide: Decide;
  readonly approvals: Pick<Approvals, 'request' | 'standingFor'>;
  readonly clients: Pick<Clients, 'keyIsLive'>;
  readonly audit: Audit;
  readonly upstreams: Pick<Upstreams, 'call'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** ONE TOOL CALL FROM ARRIVAL TO ANSWER. Every ending is a named value, and every ending is recorded. */
export async function callTool(parts: CallToolParts, call: ToolCall): Promise<CallEnding> {
  const record = createCallRecord(parts, call);
  const ending = await attempt(parts, call, record).catch((error: unknown): CallEnding => {
    // A bug of ours is an ending as well: the record says that it failed, and the log where.
    parts.log.error('request_failed', { requestId: call.requestId, ...faultFields(error) });
    return { kind: 'failed', errorClass: 'internal', message: `internal: ${ERRORS.internal.what}` };
  });
  record.ended(ending);
  return ending;
}

async function attempt(parts: CallToolParts, call: ToolCall, record: CallRecord): Promise<CallEnding> {
  if (call.key.role !== 'executor')
    return refused('policy_denied', `A key with the role ${call.key.role} does not call tools.`);

  const found = find(parts, call);
  if (found === null) return { kind: 'unknown_tool' };
  const { tool, upstream } = found;
  record.aims(found);

  const unreviewed = stateRefusal(found);
  if (unreviewed !== null) return unreviewed;

  const checked = parts.checkArguments(tool, call.argumentsText);
  if (checked.kind === 'invalid') return refused('invalid_arguments', checked.message);

  const { policy, problem } = parts.policies.get(call.workspace.id);
  const decision = decideCall(parts, call, found, policy, checked.value);
  record.decided(decision);
  if (decision.effect === 'deny') return denied(decision, found, problem);

  const canRecord = parts.audit.available();
  if (!canRecord.ok) return refused('audit_unavailable', canRecord.reason);

  let argumentsText = call.argumentsText;
  if (decision.effect === 'require_approval') {
    const asked = await ask(parts, call, found, decision, record);
    if (asked.kind !== 'approved') return asked;
    argumentsText = asked.argumentsText;

    const stopped = checkAgain(parts, call, found, checked.value);
    if (stopped !== null) return stopped;
  }
  if (call.cancelled.aborted) return { kind: 'cancelled' };

  const recorded = await record.forwarded(argumentsText);
  if (recorded.kind === 'unavailable') return refused('audit_unavailable', recorded.reason);

  const outcome = await parts.upstreams.call({
    requestId: call.requestId,
    upstreamId: upstream.id,
    tool: tool.name,
    argumentsText,
    meta: call.meta,
    clientId: call.client.id,
    signal: call.cancelled,
    onProgress: call.onProgress,
  });
  return endingOf(outcome);
}

function find(parts: CallToolParts, call: ToolCall): Found | null {
  const { target, client } = call;
  return target.kind === 'exposed'
    ? parts.catalog.find(client, target.name)
    : parts.catalog.findDirect(client, target.upstream, target.name);
}

function stateRefusal({ tool, upstream }: Found): CallEnding | null {
  switch (tool.state) {
    case 'reviewed':
      return null;
    case 'awaiting_review':
      return refused('awaiting_review', `${upstream.name} / ${tool.name} waits for its first review by the person.`);
    case 'changed':
      return refused(
        'tool_changed',
        `${upstream.name} / ${tool.name} was changed by its server and waits for review by the person.`,
      );
    case 'gone':
      return refused('tool_changed', `${upstream.name} no longer offers ${tool.name}.`);
  }
}

function decideCall(
  parts: CallToolParts,
  call: ToolCall,
  found: Found,
  policy: Policy | null,
  value: unknown,
): Decision {
  const decision = judge(parts, call, found, policy, value);
  if (decision.effect !== 'require_approval') return decision;
  const { tool, upstream } = found;
  const standing = parts.approvals.standingFor({
    clientId: call.client.id,
    sessionId: call.sessionId,
    upstreamId: upstream.id,
    connection: null,
    tool: tool.name,
    fingerprint: tool.fingerprint,
    argumentsText: call.argumentsText,
  });
  // A standing approval satisfies require_approval, never a deny: a deny has been returned above.
  return standing === null ? decision : { ...decision, effect: 'allow', standing };
}

/** What the policy alone says: every look at the standing approvals counts as a use of the one that holds. */
function judge(
  parts: CallToolParts,
  call: ToolCall,
  { tool, upstream }: Found,
  policy: Policy | null,
  value: unknown,
): Decision {
  return parts.decide(policy, {
    upstream: upstream.name,
    upstreamTags: upstream.tags,
    kind: 'tool',
    tool: tool.name,
    risk: tool.risk,
    client: call.client.name,
    clientTags: call.client.tags,
    arguments: value,
  });
}

function denied(decision: Decision, { tool, upstream }: Found, problem: string | null): CallEnding {
  const why = problem ?? decision.reason;
  const by = decision.rule === null ? '' : ` by rule "${decision.rule}"`;
  return {
    kind: 'refused',
    errorClass: 'policy_denied',
    message: `${upstream.name} / ${tool.name} is denied${by}. ${why}`,
    rule: decision.rule,
  };
}

type Asked = CallEnding | { readonly kind: 'approved'; readonly argumentsText: string };

async function ask(
  parts: CallToolParts,
  call: ToolCall,
  { tool, upstream }: Found,
  decision: Decision,
  record: CallRecord,
): Promise<Asked> {
  const answer = await parts.approvals.request({
    requestId: call.requestId,
    workspace: call.workspace.name,
    client: call.client,
    keyId: call.key.id,
    sessionId: call.sessionId,
    upstreamId: upstream.id,
    upstream: upstream.name,
    connection: null,
    tool: tool.name,
    title: typeof tool.reviewed?.title === 'string' ? tool.reviewed.title : null,
    risk: tool.risk,
    fingerprint: tool.fingerprint,
    decision,
    argumentsText: call.argumentsText,
    holdMs: call.client.holdMs,
    signal: call.left,
    onWaiting: call.onWaiting,
    recordAsked: record.asked,
    recordLapsed: record.lapsed,
  });
  record.answered(answer);
  const { rule } = decision;
  switch (answer.kind) {
    case 'approved':
      return { kind: 'approved', argumentsText: answer.argumentsText };
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
        errorClass: answer.because === 'key_ended' ? 'approval_denied' : 'tool_changed',
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
        message: `${answer.limit} calls ${answer.scope === 'client' ? 'of this client ' : ''}already wait for the person.`,
        rule,
      };
    case 'audit_unavailable':
      return refused('audit_unavailable', answer.reason);
  }
}

/** Between the question and the yes the world may have changed: policy, definition, key. */
function checkAgain(parts: CallToolParts, call: ToolCall, found: Found, value: unknown): CallEnding | null {
  if (!parts.clients.keyIsLive(call.key.id))
    return refused('approval_denied', 'The key of this client ended while the call waited.');
  const now = parts.inventory.find(found.upstream.id, found.tool.name);
  if (now === null || now.state !== 'reviewed' || now.fingerprint !== found.tool.fingerprint) {
    return refused('tool_changed', `${found.upstream.name} / ${found.tool.name} changed while the call waited.`);
  }
  const { policy, problem } = parts.policies.get(call.workspace.id);
  const decision = judge(parts, call, { ...found, tool: now }, policy, value);
  return decision.effect === 'deny' ? denied(decision, found, problem) : null;
}

function endingOf(outcome: UpstreamOutcome): CallEnding {
  switch (outcome.kind) {
    case 'answered':
      return { kind: 'answered', result: outcome.result, bytes: outcome.bytes };
    case 'error':
      return {
        kind: 'relayed',
        code: outcome.code,
        message: outcome.message,
        ...(outcome.data === undefined ? {} : { data: outcome.data }),
      };
    case 'failed':
      return { kind: 'failed', errorClass: outcome.errorClass, message: outcome.message };
    case 'cancelled':
      return { kind: 'cancelled' };
  }
}

function refused(errorClass: ErrorClass, message: string): CallEnding {
  return { kind: 'refused', errorClass, message, rule: null };
}
