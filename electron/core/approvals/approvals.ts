import type BetterSqlite3 from 'better-sqlite3';
import type { ConnectionRef } from '../../../shared/connections.ts';
import type { ApprovalView, StandingApprovalView } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import type { Approvers } from './approvers.ts';
import { createCallers, type Ending } from './callers.ts';
import { CAPS, type Caps, overCaps } from './caps.ts';
import {
  askerOf,
  boundOf,
  boundText,
  type Card,
  digestOf,
  groupOf,
  OVER,
  type SameCall,
  sameCall,
  sha256,
  trusted,
  trusteeOf,
  viewOf,
  whyNot,
} from './card.ts';
import { createCooldowns } from './cooldowns.ts';
import { createPreviousCalls } from './previous.ts';
import { createRecords, recordsEditedSchema, recordsSchema } from './records.ts';
import type { AnswerResult, ApprovalAnswer, ApprovalRequest, Withdrawal, Yes } from './request.ts';
import { createStanding, type StandingApproval, standingPinsSchema, standingSchema } from './standing.ts';

export interface Approvals {
  request(call: ApprovalRequest): Promise<ApprovalAnswer>;
  /** `by` says who and how: `dashboard`, `approval window`, `notification`. */
  approve(id: string, yes: Yes, by: string): AnswerResult;
  deny(id: string, reason: string, by: string): AnswerResult;
  /** One no to several calls: each is answered by itself, and for the cool-down of their tool it is one denial. */
  denyMany(ids: readonly string[], reason: string, by: string): readonly AnswerResult[];
  list(state: 'waiting' | 'all'): readonly ApprovalView[];
  /**
   * A standing approval that satisfies `require_approval` for exactly this; null when none does. A yes that waits for the
   * call with these arguments is used up with it: else it would let the same call run once more when the trust has ended.
   */
  standingFor(bound: {
    readonly clientId: string;
    readonly sessionId: string | null;
    readonly upstreamId: string;
    readonly connection: ConnectionRef | null;
    readonly tool: string;
    readonly fingerprint: string;
    readonly argumentsText?: string;
  }): string | null;
  /** A yes of the person waits for exactly this call: then it is that which lets the call run, as the person left it. */
  yesWaits(bound: {
    readonly clientId: string;
    readonly upstreamId: string;
    readonly connection: ConnectionRef | null;
    readonly tool: string;
    readonly fingerprint: string;
    readonly argumentsText: string;
  }): boolean;
  standing(): readonly StandingApprovalView[];
  revokeStanding(id: string): AnswerResult;
  /** How many there were. */
  revokeStandingOf(clientId: string): number;
  /** The key ended, the tool changed …: waiting cards of it are cancelled, standing approvals of it die. */
  cancelForKey(keyId: string): void;
  /** `risk_changed`: its definition is the same, but the person judged its risk anew. */
  cancelForTool(upstreamId: string, tool: string, because?: 'tool_changed' | 'risk_changed'): void;
  cancelForUpstream(upstreamId: string): void;
  /**
   * Accounts of this upstream are others now: cards of calls that would go out otherwise than shown are cancelled, standing
   * approvals of accounts that are no more signed in die.
   */
  cancelForConnections(upstreamId: string, isSignedIn: (connectionId: string) => boolean): void;
  onChange(listener: () => void): () => void;
  /** Told of each new card, for notification and approval window. */
  onCard(listener: (approval: ApprovalView) => void): () => void;
}

export const approvalsSchema = `${recordsSchema}${standingSchema}`;
/** Since version 2 of `state.db`. */
export const approvalsAnswersSchema = `${recordsEditedSchema}${standingPinsSchema}`;

export interface ApprovalsParts {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
  readonly approvers: Approvers;
  /** What the person calls an account now; null: there is none of that id. Default: there are none. */
  connectionLabel?(connectionId: string): string | null;
  /** How long a person has to decide. */
  readonly decideMs?: number;
  /** How long a yes given after the caller left waits for the call to be made again. */
  readonly redeemMs?: number;
  readonly caps?: Caps;
}

/**
 * Calls that wait for a person (design section 3, "A parked call outlives the client").
 *
 *     waiting ─ yes, a caller waits ──────────────► redeemed          at the same moment, in one transaction
 *        │    └ yes, the caller left ► approved ──► redeemed          by the next identical call, once
 *        │                                └───────► expired           after `redeemMs`
 *        └────────────────────────────────────────► denied, expired, cancelled
 *
 * Several callers may be attached to one card when a client makes the same call again before the first has its answer.
 * A yes is for one call: it goes to the caller that has waited longest, and each of the others asks anew, on a card of its
 * own. A no, and the end of the time to decide, is the answer to all.
 */
export function createApprovals({
  db,
  clock,
  approvers,
  connectionLabel = () => null,
  decideMs = 300_000,
  redeemMs = 600_000,
  caps = CAPS,
}: ApprovalsParts): Approvals {
  const records = createRecords(db);
  const standing = createStanding({ db, clock, labelOf: connectionLabel });
  const cooldowns = createCooldowns(clock);
  const previous = createPreviousCalls();
  /** By what they are bound to, so that there is never more than one card for the same call. */
  const cards = new Map<string, Card>();
  const listeners = new Set<() => void>();
  const cardListeners = new Set<(approval: ApprovalView) => void>();

  const changed = () => {
    for (const listener of listeners) listener();
  };

  let desktopWasThere = approvers.present('desktop');
  approvers.onChange(() => {
    const there = approvers.present('desktop');
    // SECURITY: the screen was locked, and trust in the moment does not outlive the person's presence (security.md H10).
    if (desktopWasThere && !there && standing.end(({ scope }) => scope === 'session' || scope === 'minutes15') > 0)
      changed();
    desktopWasThere = there;
  });

  /** One attempt to get an answer: takes up a yes that waits, attaches to a card, or opens one. */
  function ask(call: ApprovalRequest, same: SameCall, until: number): Ending | Promise<Ending> {
    expireDue();
    const card = cards.get(same.bound);
    // Nobody waits for this answer: a card that is there stays, none is opened.
    if (call.signal.aborted) {
      const approval = card?.view ?? {
        ...viewOf(call, clock.now(), clock.now()),
        state: 'cancelled',
        callerLeft: true,
      };
      return { kind: 'caller_left', approval };
    }
    if (card?.view.state === 'approved') return redeem(card);
    if (!approvers.present()) return { kind: 'unavailable', reason: NOBODY };
    if (card) return attach(card, call, until);
    const cooling = cooldowns.find(askerOf(call), same.digest);
    if (cooling) return { kind: 'denied', ...cooling };
    return overLimit(call) ?? attach(open(call, same), call, until);
  }

  function overLimit(call: ApprovalRequest): ApprovalAnswer | null {
    const waiting = [...cards.values()].flatMap(({ view }) => (view.state === 'waiting' ? [view] : []));
    const { client, argumentsText } = call;
    return overCaps({ clientId: client.id, group: groupOf(call), argumentsText }, waiting, caps);
  }

  function open(call: ApprovalRequest, same: SameCall): Card {
    const now = clock.monotonic();
    const card: Card = {
      same,
      call,
      latest: call,
      runs: call.argumentsText,
      view: viewOf(call, clock.now(), clock.now() + decideMs, previous.find(call)),
      shown: false,
      openedAt: now,
      deadline: now + decideMs,
      stopTimer: clock.after(decideMs, () => expire(card)),
      callers: createCallers(
        clock,
        {
          get view() {
            return card.view;
          },
          get shown() {
            return card.shown;
          },
        },
        () => callerLeft(card, true),
      ),
    };
    cards.set(same.bound, card);
    show(card).catch((error: unknown) => {
      forget(card);
      card.callers.failAll(error);
    });
    return card;
  }

  /** The card shows only when it is on record that the person was asked. */
  async function show(card: Card): Promise<void> {
    const written = await card.call.recordAsked(card.view);
    if (cards.get(card.same.bound) !== card) return;
    const problem = written.kind === 'unavailable' ? written.reason : insert(card.view);
    if (problem !== null) {
      forget(card);
      card.callers.answerAll({ kind: 'audit_unavailable', reason: problem });
      return;
    }
    card.shown = true;
    // A yes that lasts may have been given while this was recorded, to a call attached to the same card.
    const { argumentsText } = card.call;
    const holds = standing.use({ ...boundOf(card.call), argumentsText }) !== null;
    if (holds && accept(card, 'standing approval', null, argumentsText) === null) return;
    for (const listener of cardListeners) listener(card.view);
    changed();
    card.callers.shown();
  }

  function insert(approval: ApprovalView): string | null {
    try {
      records.insert(approval);
      return null;
    } catch (error) {
      return `The approval cannot be saved: ${messageOf(error)}.`;
    }
  }

  function attach(card: Card, call: ApprovalRequest, until: number): Promise<Ending> {
    card.latest = call;
    callerLeft(card, false);
    return card.callers.hold(call, until);
  }

  function callerLeft(card: Card, left: boolean): void {
    if (card.view.callerLeft === left) return;
    card.view = { ...card.view, callerLeft: left };
    if (card.shown) changed();
  }

  /**
   * A yes. With a caller at the card it is redeemed in the same transaction; else it waits for the call to be made again.
   * A sentence says why it could not be saved; then nothing has changed.
   */
  function accept(card: Card, by: string, trust: StandingApproval | null, runs: string): string | null {
    const taker = card.callers.first();
    const editedSha256 = runs === card.call.argumentsText ? null : sha256(runs);
    const decided = { ...card.view, decidedAt: clock.now(), decidedBy: by, editedSha256 };
    const approved: ApprovalView = { ...decided, state: 'approved', expiresAt: clock.now() + redeemMs };
    const redeemed: ApprovalView = { ...decided, state: 'redeemed' };
    try {
      db.transaction(() => {
        records.move('waiting', approved);
        if (taker) records.move('approved', redeemed);
        if (trust) standing.write(trust);
      }).immediate();
    } catch (error) {
      return `The answer cannot be saved, so nothing was run (${messageOf(error)}). See that the data folder can be written, then answer again.`;
    }
    if (trust) standing.keep(trust);
    card.runs = runs;
    if (taker) {
      card.view = redeemed;
      forget(card);
      card.callers.answerFirst(yes(card));
      card.callers.answerAll({ kind: 'again' });
    } else {
      card.view = approved;
      card.deadline = clock.monotonic() + redeemMs;
      card.stopTimer();
      card.stopTimer = clock.after(redeemMs, () => expire(card));
    }
    changed();
    return null;
  }

  function redeem(card: Card): ApprovalAnswer {
    const redeemed: ApprovalView = { ...card.view, state: 'redeemed', callerLeft: false };
    try {
      db.transaction(() => records.move('approved', redeemed)).immediate();
    } catch (error) {
      return { kind: 'audit_unavailable', reason: `The approval cannot be marked as used: ${messageOf(error)}.` };
    }
    card.view = redeemed;
    forget(card);
    changed();
    return yes(card);
  }

  function yes({ view, runs, openedAt }: Card): ApprovalAnswer {
    return {
      kind: 'approved',
      approval: view,
      argumentsText: runs,
      edited: view.editedSha256 !== null,
      by: view.decidedBy ?? '',
      waitedMs: clock.monotonic() - openedAt,
    };
  }

  /** Every end that is not a yes. */
  function close(card: Card, ended: Partial<ApprovalView>, answer: (approval: ApprovalView) => ApprovalAnswer): void {
    const from = card.view.state;
    card.view = { ...card.view, ...ended };
    forget(card);
    if (card.shown) {
      try {
        records.move(from, card.view);
      } catch {
        // Nothing runs either way, and a row that could not be written now is expired at the next start.
      }
      // A no is recorded as the person's answer; any other end that no caller hears would be in no record.
      if (card.view.state !== 'denied' && card.callers.first() === null) card.call.recordLapsed(card.view);
    }
    card.callers.answerAll(answer(card.view));
    changed();
  }

  function deny(id: string, reason: string, by: string, again: boolean): AnswerResult {
    const card = waitingCard(id);
    if (typeof card === 'string') return refused(card);
    const ended = { state: 'denied', decidedAt: clock.now(), decidedBy: by, denyReason: reason } as const;
    close(card, ended, (approval) => ({ kind: 'denied', approval, reason }));
    cooldowns.denied(askerOf(card.call), card.same.digest, card.view, reason, again);
    return { kind: 'done', standing: null };
  }

  function expire(card: Card): void {
    if (cards.get(card.same.bound) !== card) return;
    close(card, { state: 'expired' }, (approval) => ({ kind: 'expired', approval }));
  }

  /** Timers stand still while the machine sleeps; the wall clock does not. Whichever says it is over is right. */
  function expireDue(): void {
    for (const card of cards.values()) {
      if (clock.monotonic() >= card.deadline || clock.now() >= card.view.expiresAt) expire(card);
    }
  }

  function cancel(card: Card, because: Withdrawal, reason = WITHDRAWN[because]): void {
    const ended = { state: 'cancelled', decidedAt: clock.now(), denyReason: reason } as const;
    close(card, ended, (approval) => ({ kind: 'cancelled', approval, because, reason }));
  }

  function forget(card: Card): void {
    card.stopTimer();
    if (cards.get(card.same.bound) === card) cards.delete(card.same.bound);
  }

  const live = () => [...cards.values()].filter(({ shown }) => shown);

  /** The card that waits for an answer, or why there is none to give. */
  function waitingCard(id: string): Card | string {
    expireDue();
    const card = live().find(({ view }) => view.id === id);
    if (card?.view.state === 'waiting') return card;
    const over = card?.view ?? records.find(id);
    return over === null ? 'There is no such approval.' : OVER[over.state];
  }

  return {
    async request(call) {
      const until = clock.monotonic() + call.holdMs;
      const same = sameCall(call);
      for (;;) {
        const ending = await ask(call, same, until);
        if (ending.kind !== 'again') return ending;
      }
    },
    approve(id, given, by) {
      const card = waitingCard(id);
      if (typeof card === 'string') return refused(card);
      const no = whyNot(card, given, by);
      if (no !== null) return refused(no);
      const { scope, pins = [] } = given;
      const trust = scope === 'once' ? null : standing.draft(trusteeOf(trusted(card)), scope, pins);
      if (typeof trust === 'string') return refused(trust);
      const runs = given.edited ?? card.call.argumentsText;
      const problem = accept(card, by, trust, runs);
      if (problem !== null) return refused(problem);
      previous.approved(card.call, runs, clock.now());
      return { kind: 'done', standing: trust && standing.view(trust) };
    },
    deny: (id, reason, by) => deny(id, reason, by, false),
    denyMany: (ids, reason, by) => ids.map((id, index) => deny(id, reason, by, index > 0)),
    list(state) {
      expireDue();
      const open = live().map(({ view }) => view);
      return state === 'waiting'
        ? open.filter((view) => view.state === 'waiting')
        : [...open, ...records.ended(LOOK_BACK)];
    },
    standingFor(bound) {
      const { argumentsText } = bound;
      // Without a yes that waits, which is nearly always, large arguments are not read for it.
      const yeses = [...cards.values()].filter(
        ({ view, call }) =>
          view.state === 'approved' &&
          view.clientId === bound.clientId &&
          call.upstreamId === bound.upstreamId &&
          view.tool === bound.tool,
      );
      const same = argumentsText === undefined || yeses.length === 0 ? null : boundText(bound, digestOf(argumentsText));
      const waits = yeses.find((card) => card.same.bound === same) ?? null;
      // The person has said what runs in place of this very call; trust in the tool does not outweigh that.
      if (waits?.view.editedSha256) return null;
      const holding = standing.use(bound);
      if (holding !== null && waits !== null) redeem(waits);
      return holding;
    },
    yesWaits({ argumentsText, ...bound }) {
      const yeses = [...cards.values()].filter(
        ({ view, call }) =>
          view.state === 'approved' && view.clientId === bound.clientId && call.upstreamId === bound.upstreamId,
      );
      return yeses.length > 0 && cards.get(boundText(bound, digestOf(argumentsText)))?.view.state === 'approved';
    },
    standing: () => standing.list(),
    revokeStanding(id) {
      if (standing.end((approval) => approval.id === id) === 0)
        return refused('This standing approval has already ended.');
      changed();
      return { kind: 'done', standing: null };
    },
    revokeStandingOf(clientId) {
      const revoked = standing.end((approval) => approval.clientId === clientId);
      if (revoked > 0) changed();
      return revoked;
    },
    cancelForKey(keyId) {
      const because = 'key_ended';
      for (const card of [...cards.values()]) {
        if (card.call.keyId === keyId) cancel(card, because);
        else
          card.callers.answerKey(keyId, {
            kind: 'cancelled',
            approval: card.view,
            because,
            reason: WITHDRAWN[because],
          });
      }
      if (standing.end((approval) => approval.keyId === keyId) > 0) changed();
    },
    cancelForTool(upstreamId, tool, because = 'tool_changed') {
      for (const card of [...cards.values()]) {
        if (card.call.upstreamId === upstreamId && card.call.tool === tool) cancel(card, because);
      }
      if (standing.end((approval) => approval.upstreamId === upstreamId && approval.tool === tool) > 0) changed();
    },
    cancelForUpstream(upstreamId) {
      for (const card of [...cards.values()]) {
        if (card.call.upstreamId === upstreamId) cancel(card, 'upstream_removed');
      }
      if (standing.end((approval) => approval.upstreamId === upstreamId) > 0) changed();
    },
    cancelForConnections(upstreamId, isSignedIn) {
      for (const card of [...cards.values()]) {
        if (card.call.upstreamId !== upstreamId) continue;
        const reason = card.call.otherConnection?.() ?? null;
        if (reason !== null) cancel(card, 'connection_changed', reason);
      }
      const ended = standing.end(
        (approval) =>
          approval.upstreamId === upstreamId && approval.connection !== null && !isSignedIn(approval.connection.id),
      );
      if (ended > 0) changed();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onCard(listener) {
      cardListeners.add(listener);
      return () => cardListeners.delete(listener);
    },
  };
}

/** How many ended approvals a list shows. */
const LOOK_BACK = 200;

const WITHDRAWN: Readonly<Record<Withdrawal, string>> = {
  key_ended: 'The key of this client ended while the call waited.',
  tool_changed: 'The tool changed while the call waited, so what was asked for is no longer what would run.',
  connection_changed: 'The account of this call changed while it waited, so it has to be asked for again.',
  upstream_removed: 'The upstream of this tool was removed while the call waited.',
  risk_changed: 'The person judged the risk of this tool anew while the call waited, so it has to be asked for again.',
};

const NOBODY = 'No approver available: the screen is locked, or no dashboard is open.';

function refused(message: string): AnswerResult {
  return { kind: 'refused', message };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
