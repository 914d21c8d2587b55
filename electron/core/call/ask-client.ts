import type { ErrorClass } from '../../../shared/errors.ts';
import type { Decision } from '../../../shared/model.ts';
import type { Approvals } from '../approvals/approvals.ts';
import type { Audit } from '../audit/audit.ts';
import { redactArguments } from '../audit/redact.ts';
import type { CallEnding, ToolCall } from '../call-tool.ts';
import { type Pauses, pausedMessage } from '../clients/pauses.ts';
import type { Written } from '../exact-text.ts';
import type { Clock } from '../platform.ts';
import { type Decide, RISK_OF, strictest } from '../policy/decide.ts';
import type { Policies } from '../policy/policy.ts';
import type { RateLimits } from '../policy/rate-limits.ts';
import { redactQuestion } from '../policy/redact-arguments.ts';
import { mayBeAsked } from '../upstreams/offered.ts';
import type { AskAnswer } from '../upstreams/request.ts';
import type { Aim } from './aim.ts';
import { rateLimited } from './ending.ts';
import { factsOf } from './facts.ts';

/** What an upstream wants of the caller in the middle of a request. */
export interface Wanted {
  readonly method: string;
  readonly params: Written;
}

type Deliver = (method: string, params: Written) => Promise<AskAnswer>;

/**
 * A question of an upstream to the client whose call it works on (elicitation, sampling, roots): decided by the same rules
 * under its own kind, approved where they ask, recorded, and only then delivered.
 */
export interface AskClient {
  (call: ToolCall, aim: Aim, wanted: Wanted, deliver: Deliver): Promise<AskAnswer>;
  /** Decides without delivering, for questions that travel inside an answer: what may be asked, or why nothing may. */
  judged(call: ToolCall, aim: Aim, wanted: Wanted): Promise<JudgedQuestion>;
}

/** `params` are what rules leave of the question: the very same where they take nothing out of it. */
export type JudgedQuestion =
  | { readonly refusal: null; readonly params: Written }
  | { readonly refusal: CallEnding; readonly params: null };

export interface AskClientParts {
  readonly policies: Pick<Policies, 'get'>;
  readonly decide: Decide;
  readonly approvals: Pick<Approvals, 'request'>;
  readonly pauses: Pick<Pauses, 'pausedFor'>;
  readonly audit: Audit;
  readonly rateLimits: RateLimits;
  readonly clock: Clock;
}

export function createAskClient(parts: AskClientParts): AskClient {
  async function mayAsk(call: ToolCall, aim: Aim, wanted: Wanted): Promise<MayAsk> {
    const kind = kindOf(wanted.method);
    // Roots are folders the client chose to name to whoever it declared them for: nothing to decide here.
    if (kind === null) return { ok: true, params: wanted.params };
    const decideOn = (value: unknown) =>
      parts.decide(
        parts.policies.get(call.workspace.id).policy,
        factsOf(call, questionOf(aim, kind, wanted.method), parts.clock.now(), value),
      );
    const first = decideOn(wanted.params.value);
    const { text, recorded, redactions } = redactQuestion(first.modifiers, wanted.params.text);
    const params = text === wanted.params.text ? wanted.params : { value: JSON.parse(text) as Written['value'], text };
    const decision = params === wanted.params ? first : strictest(first, decideOn(params.value));

    const counted = {
      workspaceId: call.workspace.id,
      clientId: call.client.id,
      upstreamId: aim.upstream.id,
      tool: wanted.method,
    };
    const isWithin = parts.rateLimits.look(decision.modifiers, counted) === null;
    const isWanted =
      isWithin &&
      parts.pauses.pausedFor(call.client.id) === null &&
      (decision.effect === 'allow' ||
        (decision.effect === 'require_approval' && (await isApproved(call, aim, wanted, decision, text))));
    const taken = isWanted || !isWithin ? parts.rateLimits.take(decision.modifiers, counted) : null;
    const limited =
      taken?.kind === 'limited' ? rateLimited(taken, { name: wanted.method, upstream: aim.upstream }) : null;
    // Looked at last as well: a question that was approved while calls are paused is not asked.
    const paused = parts.pauses.pausedFor(call.client.id);
    const ok = isWanted && limited === null && paused === null;
    parts.audit.writeSoon({
      phase: 'event',
      kind: `${kind}_requested`,
      requestId: call.requestId,
      workspace: call.workspace.name,
      clientId: call.client.id,
      client: call.client.name,
      upstream: aim.upstream.name,
      tool: aim.name,
      effect: decision.effect,
      rule: limited?.rule ?? decision.rule,
      outcome: ok ? 'delivered' : 'refused',
      errorClass: paused !== null ? 'paused' : (limited?.errorClass ?? null),
      detail: {
        method: wanted.method,
        arguments: redactArguments(recorded).redacted,
        ...(redactions.length === 0 ? {} : { argumentRedactions: redactions }),
      },
    });
    if (paused !== null) return { ok: false, errorClass: 'paused', why: pausedMessage(paused), rule: null };
    if (limited !== null)
      return { ok: false, errorClass: limited.errorClass, why: limited.message, rule: limited.rule };
    return ok ? { ok, params } : { ok, errorClass: 'policy_denied', why: decision.reason, rule: decision.rule };
  }

  async function isApproved(
    call: ToolCall,
    { name, fingerprint, upstream, connection }: Aim,
    wanted: Wanted,
    decision: Decision,
    argumentsText: string,
  ): Promise<boolean> {
    const answer = await parts.approvals.request({
      requestId: call.requestId,
      workspace: call.workspace.name,
      client: call.client,
      keyId: call.key.id,
      sessionId: call.sessionId,
      upstreamId: upstream.id,
      upstream: upstream.name,
      connection,
      tool: `${name} asks: ${wanted.method}`,
      title: null,
      risk: 'write',
      fingerprint,
      decision,
      argumentsText,
      holdMs: call.client.holdMs,
      signal: call.left(),
      onWaiting: call.onWaiting,
      recordAsked: (card) =>
        parts.audit.write({
          phase: 'event',
          kind: 'client_question_asked',
          requestId: call.requestId,
          clientId: call.client.id,
          client: call.client.name,
          upstream: upstream.name,
          tool: name,
          detail: { approval: card.id, method: wanted.method },
        }),
      recordLapsed() {},
    });
    return answer.kind === 'approved';
  }

  /** An upstream asks for what the client has not declared: nobody is asked, and it is recorded (security.md C17). */
  function undeclared(
    call: ToolCall,
    aim: Aim,
    { method, params }: Wanted,
  ): Extract<CallEnding, { kind: 'relayed' }> | null {
    if (mayBeAsked(call.capabilities, method, params.value)) return null;
    parts.audit.writeSoon({
      phase: 'event',
      kind: 'upstream_request_refused',
      requestId: call.requestId,
      workspace: call.workspace.name,
      clientId: call.client.id,
      client: call.client.name,
      upstream: aim.upstream.name,
      tool: aim.name,
      detail: { method: method.slice(0, LONGEST_METHOD) },
    });
    const capability = method.split('/')[0] ?? method;
    return {
      kind: 'relayed',
      code: MISSING_CAPABILITY,
      message: `${aim.upstream.name} asked for ${method.slice(0, LONGEST_METHOD)}, which this client has not declared.`,
      data: { requiredCapabilities: { [capability]: {} } },
    };
  }

  const askClient = async (call: ToolCall, aim: Aim, wanted: Wanted, deliver: Deliver): Promise<AskAnswer> => {
    const lacking = undeclared(call, aim, wanted);
    if (lacking !== null) return { ...lacking, kind: 'error' };
    const may = await mayAsk(call, aim, wanted);
    if (!may.ok) return { kind: 'error', code: -32603, message: `Not asked: ${may.why}` };
    return deliver(wanted.method, may.params);
  };
  return Object.assign(askClient, {
    async judged(call: ToolCall, aim: Aim, wanted: Wanted): Promise<JudgedQuestion> {
      const lacking = undeclared(call, aim, wanted);
      if (lacking !== null) return { refusal: lacking, params: null };
      const may = await mayAsk(call, aim, wanted);
      if (may.ok) return { refusal: null, params: may.params };
      const message = `${aim.upstream.name} wanted ${wanted.method} of the client, which is not allowed. ${may.why}`;
      return { refusal: { kind: 'refused', errorClass: may.errorClass, message, rule: may.rule }, params: null };
    },
  });
}

type MayAsk =
  | { readonly ok: true; readonly params: Written }
  | { readonly ok: false; readonly errorClass: ErrorClass; readonly why: string; readonly rule: string | null };

/** Missing required client capability (2026-07-28, basic). */
const MISSING_CAPABILITY = -32021;
const LONGEST_METHOD = 64;

function kindOf(method: string): 'sampling' | 'elicitation' | null {
  if (method === 'sampling/createMessage') return 'sampling';
  if (method === 'elicitation/create') return 'elicitation';
  return null;
}

/** What is decided is the question, by the method that asks it; fingerprint and state are those of the tool at work. */
function questionOf(
  { fingerprint, state, upstream, connection }: Aim,
  kind: 'sampling' | 'elicitation',
  method: string,
) {
  return { kind, name: method, risk: RISK_OF[kind], fingerprint, state, upstream, connection };
}
