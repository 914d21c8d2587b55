import { createHash, randomBytes } from 'node:crypto';
import type { ApprovalView, PreviousCall, StandingScope } from '../../../shared/model.ts';
import type { Callers } from './callers.ts';
import { canonicalArguments } from './canonical.ts';
import type { ApprovalRequest, Yes } from './request.ts';
import type { Bound } from './standing.ts';

/** Two calls are the same call when a yes to one is a yes to the other. */
export interface SameCall {
  readonly bound: string;
  /** Of the canonical arguments. */
  readonly digest: string;
}

export interface Card {
  readonly same: SameCall;
  /** The call that is shown. */
  readonly call: ApprovalRequest;
  /** The text that a yes lets run: as it was shown, or as the person changed it. */
  runs: string;
  /** The one that attached last. */
  latest: ApprovalRequest;
  view: ApprovalView;
  /** False until `asked` is recorded. */
  shown: boolean;
  /** Monotonic. */
  readonly openedAt: number;
  /** Monotonic end of the time to decide, or to redeem. */
  deadline: number;
  stopTimer: () => void;
  readonly callers: Callers;
}

/** Standing trust is for the caller that gets the yes, or else for the one that is most likely to come back. */
export function trusted(card: Card): ApprovalRequest {
  return card.callers.first() ?? card.latest;
}

export function whyNot(card: Card, { argumentsSha256, scope, edited = null }: Yes, by: string): string | null {
  const { view } = card;
  if (argumentsSha256 !== view.argumentsSha256) {
    return 'The arguments that were shown are not those of this call; look at it again.';
  }
  if (by === 'notification' && (scope !== 'once' || view.risk === 'destructive' || edited !== null)) {
    return 'A notification approves only a call that destroys nothing, and only once; open the approval to decide.';
  }
  if (view.risk === 'destructive' && LASTING.has(scope)) {
    return 'A destructive tool is approved call by call, or for one session at most.';
  }
  if (scope === 'session' && trusted(card).sessionId === null) {
    return 'This client has no session; approve the call once, for 15 minutes, or for the tool.';
  }
  return edited === null ? null : whyNotEdited(card, edited, scope);
}

const LASTING: ReadonlySet<StandingScope> = new Set(['minutes15', 'tool', 'values']);

function whyNotEdited({ call }: Card, edited: string, scope: StandingScope): string | null {
  if (call.checkEdited === undefined) return 'What this asks for cannot be edited; approve it as it is, or deny it.';
  if (scope !== 'once') return 'Edited arguments are approved for this one call; choose "only this call".';
  return call.checkEdited(edited);
}

export function sameCall(call: ApprovalRequest): SameCall {
  const digest = digestOf(call.argumentsText);
  return { digest, bound: boundText(boundOf(call), digest) };
}

/** Of the canonical arguments. */
export function digestOf(argumentsText: string): string {
  return sha256(canonicalArguments(argumentsText));
}

export function boundText(bound: Omit<Bound, 'sessionId'>, digest: string): string {
  const { clientId, upstreamId, connection, tool, fingerprint } = bound;
  return JSON.stringify([clientId, upstreamId, connection?.id ?? null, tool, fingerprint, digest]);
}

export function boundOf({ client, sessionId, upstreamId, connection, tool, fingerprint }: ApprovalRequest) {
  return { clientId: client.id, sessionId, upstreamId, connection, tool, fingerprint };
}

export function trusteeOf(call: ApprovalRequest) {
  const { keyId, upstream, argumentsText } = call;
  return { ...boundOf(call), client: call.client.name, keyId, upstream, argumentsText };
}

/** Calls of one client to one tool are rows of one card; the id says nothing of them. */
export function groupOf(call: ApprovalRequest): string {
  const { clientId, upstreamId, connection, tool, fingerprint } = boundOf(call);
  const same = [clientId, upstreamId, connection?.id ?? null, tool, fingerprint, call.risk];
  return sha256(JSON.stringify(same)).slice(0, 24);
}

export function askerOf({ client, upstreamId, tool }: ApprovalRequest) {
  return { clientId: client.id, upstreamId, tool };
}

export function viewOf(
  call: ApprovalRequest,
  createdAt: number,
  expiresAt: number,
  previous: PreviousCall | null = null,
): ApprovalView {
  return {
    // SECURITY: 128 random bits, in no order, so that an id cannot be guessed from another (security.md E8).
    id: randomBytes(16).toString('base64url'),
    requestId: call.requestId,
    group: groupOf(call),
    workspace: call.workspace,
    clientId: call.client.id,
    client: call.client.name,
    callsItself: call.client.callsItself,
    // As the audit names it: its id is as good as a key and stands nowhere.
    session: call.sessionId === null ? null : sha256(call.sessionId).slice(0, 16),
    upstream: call.upstream,
    connection: call.connection?.label ?? null,
    tool: call.tool,
    title: call.title,
    risk: call.risk,
    fingerprint: call.fingerprint,
    rule: call.decision.rule,
    reason: call.decision.reason,
    argumentsText: call.argumentsText,
    argumentsSha256: sha256(call.argumentsText),
    editable: call.checkEdited !== undefined,
    editedSha256: null,
    previous,
    held: null,
    state: 'waiting',
    callerLeft: false,
    createdAt,
    expiresAt,
    decidedAt: null,
    decidedBy: null,
    denyReason: null,
  };
}

/** Why there is nothing left to answer. */
export const OVER: Readonly<Record<ApprovalView['state'], string>> = {
  waiting: 'This call still waits.',
  approved: 'This call was already approved.',
  redeemed: 'This call was already approved.',
  denied: 'This call was already denied.',
  expired: 'The time to decide about this call is over.',
  cancelled:
    'This call was cancelled: its key ended, its account changed, or its tool was changed, judged anew or removed.',
};

export function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
