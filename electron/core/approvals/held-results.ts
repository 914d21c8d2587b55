import { randomBytes } from 'node:crypto';
import type BetterSqlite3 from 'better-sqlite3';
import type { ConnectionRef } from '../../../shared/connections.ts';
import type { ApprovalState, ApprovalView, Client, Risk } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import type { Approvers } from './approvers.ts';
import { canonicalArguments } from './canonical.ts';
import { sha256 } from './card.ts';
import type { AnswerResult } from './request.ts';

/** A caller that waits for a result, or comes back for it. */
export interface ResultCaller {
  readonly holdMs: number;
  /** Aborts when the caller cancels or leaves. */
  readonly signal: AbortSignal;
  /** Called about every ten seconds while the caller is held. */
  onWaiting(): void;
}

/** What a retry must be to be the same call again. */
export interface ResultBound {
  readonly clientId: string;
  readonly upstreamId: string;
  readonly connection: ConnectionRef | null;
  /** `tool`, `prompt`, `resource` … */
  readonly kind: string;
  readonly tool: string;
  readonly fingerprint: string;
  /** As the caller sent them. */
  readonly argumentsText: string;
}

/** A result that a rule wants to be seen before the agent gets it. The call has run. */
export interface ResultToHold<T> extends Omit<ResultBound, 'clientId'> {
  readonly requestId: string;
  readonly workspace: string;
  readonly client: Client;
  readonly keyId: string;
  readonly sessionId: string | null;
  readonly upstream: string;
  readonly title: string | null;
  readonly risk: Risk;
  readonly rule: string;
  readonly reason: string;
  /** What the person sees, and what the agent gets when it is released. */
  readonly resultText: string;
  /** Handed back with the release. */
  readonly result: T;
  recordHeld(approval: ApprovalView): void;
  /** Records an end that no caller hears. */
  recordLapsed(how: 'expired' | 'lost', approval: ApprovalView): void;
}

export type HeldAnswer<T> =
  | { readonly kind: 'released'; readonly approval: ApprovalView; readonly result: T }
  | { readonly kind: 'withheld'; readonly approval: ApprovalView; readonly reason: string }
  | { readonly kind: 'expired'; readonly approval: ApprovalView }
  | { readonly kind: 'pending'; readonly approval: ApprovalView }
  | { readonly kind: 'caller_left'; readonly approval: ApprovalView }
  | { readonly kind: 'unavailable'; readonly reason: string };

/** A result that was held when Gatehouse ended without a word. */
export interface LostResult {
  readonly id: string;
  readonly requestId: string;
  readonly workspace: string;
  readonly clientId: string;
  readonly client: string;
  readonly upstream: string;
  readonly tool: string;
}

/**
 * Results that wait for a person to look at them. They are in memory alone, because nobody said yet that they may be given
 * to anybody, a disk included; what is on disk says only that there was one, so that its loss is known.
 *
 *     waiting ─ released, a caller waits ─────────► given
 *        │    └ released, it has left ► released ─► given       to the next identical call, once; the tool does not run again
 *        └ withheld, expired ─────────────────────► told        to the caller, or to that call, within the same time
 */
export interface HeldResults<T> {
  hold(result: ResultToHold<T>, caller: ResultCaller): Promise<HeldAnswer<T>>;
  /** The result of this very call that nobody waits for; null when there is none, and the call is to be made. */
  takeUp(
    call: ResultBound,
    caller: ResultCaller,
  ): { readonly requestId: string; readonly rule: string; readonly answer: Promise<HeldAnswer<T>> } | null;
  /** `resultSha256` must be of the text that was shown. */
  release(id: string, resultSha256: string, by: string): AnswerResult;
  withhold(id: string, reason: string, by: string): AnswerResult;
  list(): readonly ApprovalView[];
  /** A result of a client whose key ended is given to nobody. */
  cancelForKey(keyId: string): void;
  onChange(listener: () => void): () => void;
  onCard(listener: (approval: ApprovalView) => void): () => void;
  /** What was lost when Gatehouse was last ended by force. */
  readonly lost: readonly LostResult[];
  close(): void;
}

/** Since version 2 of `state.db`: that a result is held, never what it is. */
export const heldResultsSchema = `
CREATE TABLE held_results (
  id TEXT PRIMARY KEY,
  request_id TEXT NOT NULL,
  workspace TEXT NOT NULL,
  client_id TEXT NOT NULL,
  client TEXT NOT NULL,
  upstream TEXT NOT NULL,
  tool TEXT NOT NULL,
  held_at INTEGER NOT NULL
) STRICT;
`;

export interface HeldResultsParts {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
  readonly approvers: Approvers;
  /** How long a person has to decide, and how long what they said waits for the caller. */
  readonly decideMs?: number;
  readonly keepMs?: number;
}

/** Results of one client, of all, and their characters: they are in memory for as long as nobody looks. */
const PER_CLIENT = 5;
const ALL = 20;
const CHARACTERS = 64_000_000;
const TELL_EVERY_MS = 10_000;

export function createHeldResults<T>({
  db,
  clock,
  approvers,
  decideMs = 300_000,
  keepMs = 600_000,
}: HeldResultsParts): HeldResults<T> {
  const insert = db.prepare<[string, string, string, string, string, string, string, number]>(
    'INSERT INTO held_results VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const remove = db.prepare<[string]>('DELETE FROM held_results WHERE id = ?');
  const lost = db.prepare<[], Row>('SELECT * FROM held_results ORDER BY held_at').all().map(toLost);
  db.exec('DELETE FROM held_results');

  const results = new Map<string, Held<T>>();
  const listeners = new Set<() => void>();
  const cardListeners = new Set<(approval: ApprovalView) => void>();
  const changed = () => {
    for (const listener of listeners) listener();
  };

  function whyNot({ client, resultText }: ResultToHold<T>): string | null {
    if (!approvers.present()) return 'nobody can look at it now';
    const waiting = [...results.values()];
    const own = waiting.filter(({ view }) => view.clientId === client.id);
    const characters = waiting.reduce((sum, { held }) => sum + held.resultText.length, resultText.length);
    const full = own.length >= PER_CLIENT || waiting.length >= ALL || characters > CHARACTERS;
    return full ? 'too many results wait for the person already' : null;
  }

  /** The wall clock as well: timers stand still while the machine sleeps. */
  function endDue(): void {
    for (const held of [...results.values()]) {
      if (clock.monotonic() >= held.deadline || clock.now() >= held.view.expiresAt) timeIsOver(held);
    }
  }

  function timeIsOver(one: Held<T>): void {
    if (!results.has(one.view.id)) return;
    if (one.view.state !== 'waiting') {
      // What was said waited for a caller that did not come.
      if (one.view.state === 'approved') one.held.recordLapsed('expired', one.view);
      forget(one);
      return;
    }
    if (one.caller === null) one.held.recordLapsed('expired', one.view);
    decide(one, { state: 'expired' });
  }

  /** The person, or time, has decided: whoever waits hears it, else it is kept for the call that comes back. */
  function decide(one: Held<T>, said: Partial<ApprovalView> & { readonly state: ApprovalState }): void {
    one.stopTimer();
    one.view = { ...one.view, ...said, expiresAt: clock.now() + keepMs };
    one.deadline = clock.monotonic() + keepMs;
    one.stopTimer = clock.after(keepMs, () => timeIsOver(one));
    const { caller } = one;
    if (caller !== null) {
      forget(one);
      caller.settle(answerOf(one));
    }
    changed();
  }

  function forget(one: Held<T>): void {
    one.stopTimer();
    results.delete(one.view.id);
    if (!db.open) return;
    try {
      remove.run(one.view.id);
    } catch {
      // The row then says at the next start that something was lost which was not: known too often, never too seldom.
    }
  }

  function attach(one: Held<T>, { holdMs, signal, onWaiting }: ResultCaller): Promise<HeldAnswer<T>> {
    return new Promise((resolve) => {
      let stopTelling = clock.after(TELL_EVERY_MS, tell);
      const stopHolding = holdMs > 0 ? clock.after(holdMs, () => leave('pending')) : () => {};
      const gone = () => leave('caller_left');
      const settle = (answer: HeldAnswer<T>): void => {
        one.caller = null;
        stopTelling();
        stopHolding();
        signal.removeEventListener('abort', gone);
        resolve(answer);
      };
      one.caller = { settle };
      one.view = { ...one.view, callerLeft: false };
      signal.addEventListener('abort', gone, { once: true });
      if (signal.aborted) gone();
      else if (holdMs <= 0) leave('pending');

      function leave(kind: 'pending' | 'caller_left'): void {
        one.view = { ...one.view, callerLeft: kind === 'caller_left' };
        settle({ kind, approval: one.view });
        changed();
      }
      function tell(): void {
        stopTelling = clock.after(TELL_EVERY_MS, tell);
        onWaiting();
      }
    });
  }

  function waiting(id: string): Held<T> | string {
    endDue();
    const found = results.get(id);
    if (found === undefined) return 'There is no such result, or it was decided about already.';
    return found.view.state === 'waiting' ? found : 'It was decided about this result already.';
  }

  return {
    lost,
    hold(held, caller) {
      endDue();
      const problem = whyNot(held) ?? saved(held);
      if (typeof problem === 'string') return Promise.resolve({ kind: 'unavailable', reason: problem });
      const one: Held<T> = {
        held,
        bound: boundOf({ ...held, clientId: held.client.id }),
        view: viewOf(held, problem.id, clock.now(), clock.now() + decideMs),
        deadline: clock.monotonic() + decideMs,
        stopTimer: clock.after(decideMs, () => timeIsOver(one)),
        caller: null,
      };
      results.set(one.view.id, one);
      held.recordHeld(one.view);
      const answer = attach(one, caller);
      for (const listener of cardListeners) listener(one.view);
      changed();
      return answer;
    },
    takeUp(call, caller) {
      endDue();
      if (results.size === 0) return null;
      const bound = boundOf(call);
      const one = [...results.values()].find((held) => held.bound === bound && held.caller === null);
      if (one === undefined) return null;
      const { requestId, rule } = one.held;
      if (one.view.state === 'waiting') {
        const answer = attach(one, caller);
        changed();
        return { requestId, rule, answer };
      }
      forget(one);
      changed();
      return { requestId, rule, answer: Promise.resolve(answerOf(one)) };
    },
    release(id, resultSha256, by) {
      const one = waiting(id);
      if (typeof one === 'string') return refused(one);
      if (resultSha256 !== one.view.held?.resultSha256)
        return refused('The result that was shown is not this one; look at it again.');
      decide(one, { state: 'approved', decidedAt: clock.now(), decidedBy: by });
      return DONE;
    },
    withhold(id, reason, by) {
      const one = waiting(id);
      if (typeof one === 'string') return refused(one);
      decide(one, { state: 'denied', decidedAt: clock.now(), decidedBy: by, denyReason: reason });
      return DONE;
    },
    list() {
      endDue();
      return [...results.values()].map(({ view }) => view);
    },
    cancelForKey(keyId) {
      const over = {
        state: 'cancelled',
        denyReason: 'The key of this client ended while its result was held.',
      } as const;
      for (const one of [...results.values()]) {
        const isOpen = one.view.state === 'waiting' || one.view.state === 'approved';
        if (one.held.keyId === keyId && isOpen) decide(one, over);
      }
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onCard(listener) {
      cardListeners.add(listener);
      return () => cardListeners.delete(listener);
    },
    close() {
      for (const one of [...results.values()]) {
        if (one.view.state === 'waiting' || one.view.state === 'approved') one.held.recordLapsed('lost', one.view);
        forget(one);
      }
    },
  };

  function saved(held: ResultToHold<T>): { readonly id: string } | string {
    const id = randomBytes(16).toString('base64url');
    const { requestId, workspace, client, upstream, tool } = held;
    try {
      insert.run(id, requestId, workspace, client.id, client.name, upstream, tool, clock.now());
      return { id };
    } catch (error) {
      return `that it is held cannot be saved (${error instanceof Error ? error.message : String(error)})`;
    }
  }
}

const DONE: AnswerResult = { kind: 'done', standing: null };

function refused(message: string): AnswerResult {
  return { kind: 'refused', message };
}

interface Held<T> {
  readonly held: ResultToHold<T>;
  readonly bound: string;
  view: ApprovalView;
  /** Monotonic end of the time to decide, or of what was said. */
  deadline: number;
  stopTimer: () => void;
  /** One at most: a call that comes while another waits is a call of its own. */
  caller: { settle(answer: HeldAnswer<T>): void } | null;
}

function answerOf<T>({ view, held }: Held<T>): HeldAnswer<T> {
  switch (view.state) {
    case 'approved':
      return { kind: 'released', approval: view, result: held.result };
    case 'expired':
      return { kind: 'expired', approval: view };
    default:
      return { kind: 'withheld', approval: view, reason: view.denyReason ?? '' };
  }
}

function boundOf({ clientId, upstreamId, connection, kind, tool, fingerprint, argumentsText }: ResultBound): string {
  const canonical = canonicalArguments(argumentsText);
  return sha256(JSON.stringify([clientId, upstreamId, connection?.id ?? null, kind, tool, fingerprint, canonical]));
}

function viewOf<T>(held: ResultToHold<T>, id: string, createdAt: number, expiresAt: number): ApprovalView {
  return {
    id,
    requestId: held.requestId,
    group: id,
    workspace: held.workspace,
    clientId: held.client.id,
    client: held.client.name,
    callsItself: held.client.callsItself,
    session: held.sessionId === null ? null : sha256(held.sessionId).slice(0, 16),
    upstream: held.upstream,
    connection: held.connection?.label ?? null,
    tool: held.tool,
    title: held.title,
    risk: held.risk,
    fingerprint: held.fingerprint,
    rule: held.rule,
    reason: held.reason,
    argumentsText: held.argumentsText,
    argumentsSha256: sha256(held.argumentsText),
    editable: false,
    editedSha256: null,
    previous: null,
    held: { resultText: held.resultText, resultSha256: sha256(held.resultText) },
    state: 'waiting',
    callerLeft: false,
    createdAt,
    expiresAt,
    decidedAt: null,
    decidedBy: null,
    denyReason: null,
  };
}

interface Row {
  readonly id: string;
  readonly request_id: string;
  readonly workspace: string;
  readonly client_id: string;
  readonly client: string;
  readonly upstream: string;
  readonly tool: string;
}

function toLost({
  id,
  request_id: requestId,
  workspace,
  client_id: clientId,
  client,
  upstream,
  tool,
}: Row): LostResult {
  return { id, requestId, workspace, clientId, client, upstream, tool };
}
