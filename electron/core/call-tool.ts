import { ERRORS, type ErrorClass } from '../../shared/errors.ts';
import type { Client, Decision, Era, Key, RuleModifiers, Workspace } from '../../shared/model.ts';
import type { Approvals } from './approvals/approvals.ts';
import type { Trusts } from './approvals/trusts.ts';
import type { Audit } from './audit/audit.ts';
import { type Aim, type AimParts, type CallTarget, findAim, notCallable } from './call/aim.ts';
import { askPerson } from './call/ask-person.ts';
import { besideOf } from './call/beside.ts';
import {
  chooseConnection,
  type KnownConnections,
  neverSignedIn,
  otherConnection,
  toldOfSignIn,
} from './call/connection.ts';
import { toldOfEdit } from './call/edited.ts';
import { endingOf, rateLimited, refused } from './call/ending.ts';
import { factsOf } from './call/facts.ts';
import type { ResultHolding } from './call/hold-result.ts';
import { judge, judgeAgain } from './call/judge.ts';
import { type CallRecord, createCallRecord } from './call/record.ts';
import type { Resumed, Rounds } from './call/rounds.ts';
import { ruledNotes, ruleResult } from './call/rule-result.ts';
import { requestOf } from './call/upstream-request.ts';
import type { Inventory, Tool } from './catalog/inventory.ts';
import type { Resources } from './catalog/resources.ts';
import type { ArgumentCheck } from './catalog/validate-arguments.ts';
import type { Clients } from './clients/clients.ts';
import { type Pauses, pausedMessage } from './clients/pauses.ts';
import type { SignIns } from './connections/sign-ins.ts';
import { faultFields } from './diagnosis/fault.ts';
import type { Log } from './diagnosis/log.ts';
import { readExactText } from './exact-json.ts';
import type { Written } from './exact-text.ts';
import type { Clock } from './platform.ts';
import type { Decide } from './policy/decide.ts';
import type { Policies } from './policy/policy.ts';
import type { Counted, RateLimits } from './policy/rate-limits.ts';
import type { Shadows } from './policy/shadows.ts';
import type { ErrorAnswer, Progress } from './upstreams/exchange.ts';
import type { Answered, AskAnswer, UpstreamRequest } from './upstreams/request.ts';
import type { Upstreams } from './upstreams/upstreams.ts';

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
  /** Exact text of an object: the caller's `_meta`. */
  readonly metaText: string;
  /** Exact text of an object: the members of `params` that the protocol does not name. */
  readonly moreText: string;
  /** What the caller declared that it can be asked. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly logLevel: string | null;
  /** A retry of a modern caller: its answers, and the state it was given (rounds.ts). */
  readonly inputResponses: Readonly<Record<string, Written>> | null;
  readonly requestState: string | null;
  /** The caller cancelled: before forwarding nothing runs, after it the upstream is told. */
  readonly cancelled: AbortSignal;
  /** Aborts when the caller is gone (cancelled, or its connection closed): nobody waits for this answer any more. */
  left(): AbortSignal;
  onProgress(progress: Progress): void;
  /** Called while a person decides, so that the caller can be told that it waits. */
  onWaiting(): void;
  /** What the upstream says while it works on this. */
  onNotification(method: string, params: Written): void;
  /** Asks the caller at once: legacy sessions only. */
  ask(method: string, params: Written): Promise<AskAnswer>;
}

export type CallEnding =
  /** Unknown, or outside what the client may see: the two are told apart nowhere. */
  | { readonly kind: 'unknown_tool' }
  | {
      readonly kind: 'refused';
      readonly errorClass: ErrorClass;
      readonly message: string;
      readonly rule: string | null;
      /** Left out: as its class says. */
      readonly retryable?: boolean;
      readonly retryAfterMs?: number;
    }
  | {
      readonly kind: 'pending';
      readonly approvalId: string;
      readonly expiresAt: number;
      readonly rule: string | null;
      /** The call ran; what waits for the person is its result. */
      readonly hasRun?: boolean;
    }
  /** What the caller gets is `resultText`; a rule that changes `result` makes text and bytes anew. */
  | Answered
  /** The upstream's own JSON-RPC error, unchanged. */
  | (Omit<ErrorAnswer, 'kind'> & { readonly kind: 'relayed' })
  /** `upstream`: by our label, whose failure it is; null where it is our own. */
  | {
      readonly kind: 'failed';
      readonly errorClass: ErrorClass;
      readonly message: string;
      readonly upstream: string | null;
      /** Label of the account that a sign-in would mend, where the upstream has several. */
      readonly account?: string;
    }
  /** The upstream asks something; the call goes on with the caller's retry, on the same record. */
  | { readonly kind: 'input_required'; readonly result: Written }
  /** A retry with a state that continues nothing. */
  | { readonly kind: 'invalid_state' }
  | { readonly kind: 'cancelled' };

export interface CallToolParts {
  readonly catalog: AimParts['catalog'];
  readonly resources: AimParts['resources'] & Pick<Resources, 'learn'>;
  readonly connections: KnownConnections;
  readonly signIns: Pick<SignIns, 'list'>;
  readonly inventory: Pick<Inventory, 'find'>;
  readonly checkArguments: (tool: Tool, argumentsText: string) => ArgumentCheck;
  /** The same for structured content and the schema of a tool's output. */
  readonly checkOutput: (tool: Tool, structuredText: string) => ArgumentCheck;
  readonly policies: Pick<Policies, 'get'>;
  readonly decide: Decide;
  readonly shadows: Pick<Shadows, 'judge'>;
  readonly approvals: Pick<Approvals, 'request' | 'standingFor' | 'yesWaits'>;
  readonly trusts: Pick<Trusts, 'use'>;
  readonly clients: Pick<Clients, 'keyIsLive'>;
  readonly pauses: Pick<Pauses, 'pausedFor'>;
  readonly audit: Audit;
  readonly rounds: Pick<Rounds, 'start' | 'resume'>;
  readonly rateLimits: RateLimits;
  /** Null: nobody can look at a result, so one that a rule holds is not given out. */
  readonly results: ResultHolding | null;
  readonly upstreams: Pick<Upstreams, 'unavailable'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** ONE TOOL CALL FROM ARRIVAL TO ANSWER. Every ending is a named value, and every ending is recorded. */
export async function callTool(parts: CallToolParts, call: ToolCall): Promise<CallEnding> {
  const resumed = call.requestState === null ? null : parts.rounds.resume(call);
  const record = resumed?.record ?? createCallRecord(parts, call);
  const answering = resumed === null ? attempt(parts, call, record) : goOn(parts, call, resumed);
  const ended = await answering.catch((error: unknown): CallEnding => {
    // A bug of ours is an ending as well: the record says that it failed, and the log where.
    parts.log.error('request_failed', { requestId: call.requestId, ...faultFields(error) });
    return { kind: 'failed', errorClass: 'internal', message: `internal: ${ERRORS.internal.what}`, upstream: null };
  });
  const edited = record.edited();
  const ending = edited === null ? ended : toldOfEdit(ended, edited);
  // An open question is no end: the retry goes on with this record, or its time runs out (rounds.ts).
  if (ending.kind !== 'input_required') record.ended(ending);
  return ending;
}

/** A retry continues its call: decided again, no second card, same record (design section 3). */
async function goOn(parts: CallToolParts, call: ToolCall, resumed: Resumed): Promise<CallEnding> {
  const { aim, record } = resumed;
  const { stopped, modifiers } = checkAgain(parts, call, aim, resumed.argumentsText, [
    parsedArguments(resumed.argumentsText),
  ]);
  if (stopped === null)
    return finish(parts, call, aim, record, modifiers, await resumed.goOn(ruledNotes(call, modifiers)));
  resumed.drop();
  return stopped;
}

async function attempt(parts: CallToolParts, call: ToolCall, record: CallRecord): Promise<CallEnding> {
  if (call.key.role !== 'executor')
    return refused('policy_denied', `A key with the role ${call.key.role} does not call tools.`);

  if (call.requestState !== null) return { kind: 'invalid_state' };

  const located = findAim(parts, call.client, call.target);
  if (located === null) return neverSignedIn(parts, call.client, call.target) ?? { kind: 'unknown_tool' };
  const chosen = chooseConnection(parts.connections, call.client, located.upstream, call.target);
  const aim: Aim = { ...located, connection: chosen.connection };
  record.aims(aim);

  const paused = parts.pauses.pausedFor(call.client.id);
  if (paused !== null) return refused('paused', pausedMessage(paused));

  const uncallable = notCallable(aim);
  if (uncallable !== null) return refused(uncallable.errorClass, uncallable.message);

  if (chosen.refusal !== null) return chosen.refusal;
  const checked = checkArguments(parts, aim, call.argumentsText);
  if (checked.kind === 'invalid') return refused('invalid_arguments', checked.message);

  const judged = judge(parts, call, aim, checked.value, (text) => checkArguments(parts, aim, text));
  record.argumentsRuled(judged.arguments);

  // It ran before, and its result is still held for the person: it does not run again to be held again.
  const itsResult = judged.stopped === null ? (parts.results?.takeUp(call, aim, record) ?? null) : null;
  if (itsResult !== null) {
    record.decided(judged.decision, judged.version);
    return learned(parts, call, aim, await itsResult);
  }

  let argumentsText = judged.arguments.text;
  let { modifiers } = judged.decision;
  const decision =
    judged.stopped === null ? granted(parts, call, aim, judged.decision, argumentsText) : judged.decision;
  record.decided(decision, judged.version);
  record.shadowed(parts.shadows.judge(call.workspace.id, factsOf(call, aim, parts.clock.now(), checked.value)));
  if (judged.stopped !== null) return judged.stopped;

  // Nobody is asked about a call that cannot run, whatever the answer.
  const gone = parts.upstreams.unavailable(aim.upstream.id, aim.connection?.id ?? null);
  if (gone !== null) return toldOfSignIn(parts, aim, endingOf(gone, aim.upstream.name));

  const canRecord = parts.audit.available();
  if (!canRecord.ok) return refused('audit_unavailable', canRecord.reason);

  const counted = countedAs(call, aim);
  const limited = parts.rateLimits.look(modifiers, counted);
  if (limited !== null) return rateLimited(limited, aim);

  if (decision.effect === 'require_approval') {
    const asked = await askPerson(
      parts.approvals,
      { call, aim, decision, record },
      argumentsText,
      (text) => whyNotEdited(parts, call, aim, text),
      () => otherConnection(parts.connections, call.client, aim, call.target),
    );
    if (asked.kind !== 'approved') return asked;
    const isWhole = judged.arguments.text === call.argumentsText;
    argumentsText = asked.argumentsText;

    // What came is looked at once more beside what is left of it, unless the person wrote something else in its place.
    const values = [
      ...(asked.edited ? [] : [checked.value]),
      ...(asked.edited || !isWhole ? [parsedArguments(argumentsText)] : []),
    ];
    const again = checkAgain(parts, call, aim, argumentsText, values);
    if (again.stopped !== null) return again.stopped;
    modifiers = again.modifiers;
  }
  if (call.cancelled.aborted) return { kind: 'cancelled' };

  const taken = parts.rateLimits.take(modifiers, counted);
  if (taken.kind === 'limited') return rateLimited(taken, aim);
  const beside = besideOf(call.moreText, decision);
  const recorded = await record.forwarded(argumentsText, beside);
  if (recorded.kind === 'unavailable') {
    taken.giveBack();
    return refused('audit_unavailable', recorded.reason);
  }

  const heard = { ...call, ...ruledNotes(call, modifiers) };
  const request = {
    ...requestOf(heard, aim, argumentsText, beside.text),
    held: () => heldBack(parts, call, aim),
  };
  const came = await parts.rounds.start(heard, aim, record, request);
  return finish(parts, call, aim, record, modifiers, came);
}

/** What came back, as the rules leave it for the agent. */
async function finish(
  parts: CallToolParts,
  call: ToolCall,
  aim: Aim,
  record: CallRecord,
  modifiers: readonly RuleModifiers[] | undefined,
  came: CallEnding,
): Promise<CallEnding> {
  const ending = await ruleResult(
    parts.results?.hold ?? null,
    parts.checkOutput,
    { call, aim, record },
    modifiers,
    toldOfSignIn(parts, aim, came),
  );
  return learned(parts, call, aim, ending);
}

/** Resources that a result names may be read from then on: by whoever got it. */
function learned(parts: CallToolParts, call: ToolCall, aim: Aim, ending: CallEnding): CallEnding {
  if (ending.kind === 'answered') parts.resources.learn(call.client.id, aim.upstream.id, ending.result);
  return ending;
}

function checkArguments(parts: CallToolParts, aim: Aim, argumentsText: string): ArgumentCheck {
  if (aim.tool !== null) return parts.checkArguments(aim.tool, argumentsText);
  return { kind: 'valid', value: parsedArguments(argumentsText) };
}

/** For conditions only; what is forwarded is the text. */
function parsedArguments(argumentsText: string): Readonly<Record<string, unknown>> {
  const read = readExactText(argumentsText);
  return read.kind === 'read' && typeof read.value === 'object' && read.value !== null
    ? (read.value as Readonly<Record<string, unknown>>)
    : {};
}

/** What satisfies a rule that asks, where something does: every look counts as a use of it. */
function granted(parts: CallToolParts, call: ToolCall, aim: Aim, decision: Decision, argumentsText: string): Decision {
  if (decision.effect !== 'require_approval') return decision;
  const bound = {
    clientId: call.client.id,
    sessionId: call.sessionId,
    upstreamId: aim.upstream.id,
    connection: aim.connection,
    tool: aim.name,
    fingerprint: aim.fingerprint,
    argumentsText,
  };
  // A standing approval, and trust in the client, satisfy require_approval, never a deny: that is no question here.
  const standing = parts.approvals.standingFor(bound);
  if (standing !== null) return { ...decision, effect: 'allow', standing };
  const isCovered = aim.risk !== 'destructive' && !parts.approvals.yesWaits(bound);
  const trust = isCovered ? parts.trusts.use(call.client.id) : null;
  return trust === null ? decision : { ...decision, effect: 'allow', trust };
}

function countedAs(call: ToolCall, { name, upstream }: Aim): Counted {
  return { workspaceId: call.workspace.id, clientId: call.client.id, upstreamId: upstream.id, tool: name };
}

/** Looked at right before the first byte: a call may have waited long for its turn at the upstream. */
function heldBack(parts: CallToolParts, call: ToolCall, aim: Aim): ReturnType<NonNullable<UpstreamRequest['held']>> {
  const paused = parts.pauses.pausedFor(call.client.id);
  if (paused !== null) return { errorClass: 'paused', message: pausedMessage(paused) };
  const other = otherConnection(parts.connections, call.client, aim, call.target);
  return other === null ? null : { errorClass: 'connection_changed', message: other };
}

/** What the person wrote is a call like any other: it must fit the reviewed schema, and no rule may deny it. */
function whyNotEdited(parts: CallToolParts, call: ToolCall, aim: Aim, argumentsText: string): string | null {
  const checked = checkArguments(parts, aim, argumentsText);
  if (checked.kind === 'invalid') return `The edited arguments cannot be used: ${checked.message}`;
  const { stopped } = checkAgain(parts, call, aim, argumentsText, [checked.value]);
  return stopped?.kind === 'refused' ? stopped.message : null;
}

/** Between the question and the yes the world may have changed: key, pause, account, definition, policy. */
function checkAgain(
  parts: CallToolParts,
  call: ToolCall,
  aim: Aim,
  runs: string,
  values: readonly unknown[],
): ReturnType<typeof judgeAgain> {
  const stop = (stopped: CallEnding) => ({ stopped, modifiers: undefined });
  if (!parts.clients.keyIsLive(call.key.id))
    return stop(refused('approval_denied', 'The key of this client ended while the call waited.'));
  const paused = parts.pauses.pausedFor(call.client.id);
  if (paused !== null) return stop(refused('paused', pausedMessage(paused)));
  const other = otherConnection(parts.connections, call.client, aim, call.target);
  if (other !== null) return stop(refused('connection_changed', other));
  const now = aim.kind === 'resource' ? aim : parts.inventory.find(aim.upstream.id, aim.name, aim.kind);
  if (now === null || now.state !== 'reviewed' || now.fingerprint !== aim.fingerprint) {
    return stop(refused('tool_changed', `${aim.upstream.name} / ${aim.name} changed while the call waited.`));
  }
  return judgeAgain(parts, call, { ...aim, risk: now.risk }, runs, values);
}
