import { randomBytes } from 'node:crypto';
import type { SignInView } from '../../../shared/connections.ts';
import type { UpstreamView } from '../../../shared/model.ts';
import type { Audit } from '../audit/audit.ts';
import { faultFields } from '../diagnosis/fault.ts';
import type { Log } from '../diagnosis/log.ts';
import type { Clock } from '../platform.ts';
import type { Upstreams } from '../upstreams/upstreams.ts';
import type { Answers, Attempt, Ending, Procedure } from './attempt.ts';
import type { SignInFault } from './authorization-server.ts';
import type { Connections } from './connections.ts';
import type { KeptSignIns } from './kept-sign-ins.ts';
import type { Stray } from './redirect.ts';
import { createTrace, type Told } from './trace.ts';

export type SignInResult =
  | { readonly kind: 'done'; readonly signIn: SignInView }
  | { readonly kind: 'refused'; readonly message: string };

/** Every sign-in from the click to the connection: those under way, and the latest that ended. */
export interface SignIns {
  /**
   * Begins one and returns at once; one of the same account that is under way is cancelled. `label` null: the only account
   * of the upstream, or the first.
   */
  start(wanted: {
    readonly upstream: UpstreamView;
    readonly label: string | null;
    readonly connectionId: string | null;
    /** The API key, where that is the mode. */
    readonly secret: string | null;
    /** As the audit names whoever began it. */
    readonly by: string;
  }): SignInResult;
  get(id: string): SignInView | null;
  /** Newest first. */
  list(upstreamId?: string): readonly SignInView[];
  /** The person answers what it asks; refused where it does not ask that. */
  answer<S extends keyof Answers>(id: string, state: S, answer: Answers[S]): SignInResult;
  cancel(id: string): SignInResult;
  /** The upstream was removed: whatever is under way ends, and no trace of it is kept. */
  forgetUpstream(upstreamId: string): void;
  onChange(listener: () => void): () => void;
  close(): void;
}

/** Builds the sign-ins of `state.db`; one that was under way when Gatehouse ended is cancelled. */
export function createSignIns(parts: {
  readonly clock: Clock;
  readonly log: Log;
  readonly audit: Pick<Audit, 'writeSoon'>;
  readonly kept: KeptSignIns;
  readonly connections: Pick<Connections, 'get' | 'list'>;
  readonly upstreams: Pick<Upstreams, 'refresh'>;
  readonly workspaceName: (id: string) => string | null;
  readonly procedure: Procedure;
}): SignIns {
  const { clock, log, audit, kept, connections } = parts;
  const running = new Map<string, Running>();
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of listeners) listener();
  };
  for (const view of kept.list()) if (!isOver(view)) kept.keep({ ...view, ...endedAs(INTERRUPTED) });

  function begin(wanted: Parameters<SignIns['start']>[0], label: string, connectionId: string | null): SignInView {
    const { upstream, secret, by } = wanted;
    const startedAt = clock.now();
    let view: SignInView = {
      id: randomBytes(16).toString('base64url'),
      workspaceId: upstream.workspaceId,
      upstreamId: upstream.id,
      upstream: upstream.name,
      label,
      connectionId,
      mode: upstream.signIn.kind,
      state: 'working',
      link: null,
      servers: [],
      scopes: null,
      newScopes: [],
      redirectUri: null,
      steps: [],
      code: null,
      message: null,
      next: null,
      startedAt,
      endsAt: startedAt + LIMIT_MS,
    };
    const { id } = view;
    const ended = new AbortController();
    let stopTimer = () => {};
    let isKeeping = false;
    const strays = new Map<Stray, number>();
    let pending: { readonly state: keyof Answers; readonly resolve: (answer: unknown) => void } | null = null;
    const { promise: over, resolve: settle } = Promise.withResolvers<SignInView>();

    function set(change: Partial<SignInView>): void {
      view = { ...view, ...change };
      try {
        kept.keep(view);
      } catch (error) {
        // The sign-in is worth more than its trace: it goes on in memory while the disk is full.
        log.warn('sign_in_not_kept', { signIn: id, ...faultFields(error) });
      }
      tell();
    }

    /** Ten minutes from each act of the person. */
    function allowTime(): number {
      stopTimer();
      stopTimer = clock.after(LIMIT_MS, () => {
        const fault = timedOut(view, strays.has('wrong_state'));
        const name = view.state === 'waiting' ? 'callback' : 'choice';
        trace.step({ name, outcome: 'failed', message: fault.message });
        interrupt(fault);
      });
      return clock.now() + LIMIT_MS;
    }

    /** From outside: not any more once the account is being kept, or it would be there and said not to be. */
    function interrupt(fault: SignInFault): boolean {
      if (isKeeping) return false;
      end(fault);
      return true;
    }

    function end(ending: Ending | Broken): void {
      if (ended.signal.aborted) return;
      stopTimer();
      const asked = pending;
      pending = null;
      ended.abort();
      asked?.resolve(null);
      // Once more, since what is secret may have come to be known after a step that holds it.
      const quiet = { link: null, servers: [], next: null, steps: trace.steps() };
      if (ending.kind === 'connected') {
        const { id: connectionId, issuer, scopes } = ending.connection;
        set({ ...quiet, state: 'connected', connectionId, message: null });
        record('sign_in_connected', 'done', { issuer, scopes, connection: connectionId });
        // Its tools come with the next listing; whoever waits for the sign-in does not wait for that.
        void parts.upstreams.refresh(upstream.id);
      } else {
        const fault = ending.kind === 'broken' ? { code: null, message: ending.message, next: AGAIN } : ending;
        const outcome = fault.code === 'cancelled' ? 'cancelled' : 'failed';
        set({ ...quiet, ...endedAs(fault) });
        record(`sign_in_${outcome}`, outcome, { code: fault.code });
      }
      running.delete(id);
      settle(view);
    }

    // What comes to light after the end is not shown: it has ended as it did.
    const trace = createTrace(clock, () => {
      if (!ended.signal.aborted) set({ steps: trace.steps() });
    });

    function record(kind: string, outcome: string | null, detail: Readonly<Record<string, unknown>>): void {
      audit.writeSoon({
        phase: 'event',
        kind,
        workspace: parts.workspaceName(upstream.workspaceId) ?? upstream.workspaceId,
        upstream: upstream.name,
        ...(outcome === null ? {} : { outcome }),
        detail: {
          account: label,
          mode: view.mode,
          ...detail,
          ...(strays.size === 0 ? {} : { strayVisits: Object.fromEntries(strays) }),
        },
      });
    }

    const attempt: Attempt = {
      upstream,
      label,
      connection: connectionId === null ? null : connections.get(connectionId),
      secret,
      signal: ended.signal,
      over,
      trace,
      show: (shown) => {
        if (!ended.signal.aborted) set(shown);
      },
      ask(state, shown) {
        if (ended.signal.aborted) return Promise.resolve(null);
        set({ ...shown, state, endsAt: allowTime() });
        return new Promise((resolve) => {
          pending = { state, resolve: resolve as (answer: unknown) => void };
        });
      },
      waiting(link) {
        if (!ended.signal.aborted) set({ state: 'waiting', link, endsAt: allowTime() });
      },
      keeping() {
        isKeeping = !ended.signal.aborted;
        return isKeeping;
      },
      returned() {
        if (!ended.signal.aborted) set({ state: 'working', link: null });
      },
      stray(why) {
        const seen = strays.get(why) ?? 0;
        strays.set(why, seen + 1);
        // The first of its kind is told at once; a flood of them is counted, and told with the end.
        if (ended.signal.aborted || seen > 0) return;
        if (why === 'wrong_state') trace.step(STRAY);
        record('sign_in_visit_refused', 'refused', { why });
      },
    };

    running.set(id, {
      view: () => view,
      interrupt,
      answer(state, answer) {
        if (pending?.state !== state) return false;
        const { resolve } = pending;
        pending = null;
        set({ state: 'working', message: null, next: null, endsAt: allowTime() });
        resolve(answer);
        return true;
      },
    });
    set({ endsAt: allowTime() });
    record('sign_in_started', null, { by, renews: connectionId !== null });
    parts.procedure(attempt).then(end, (error: unknown) => {
      log.error('sign_in_broke', { signIn: id, ...faultFields(error) });
      end({ kind: 'broken', message: `Gatehouse failed. The log has more under the sign-in ${id}.` });
    });
    return view;
  }

  const get = (id: string): SignInView | null => running.get(id)?.view() ?? kept.get(id);

  return {
    start(wanted) {
      const { upstream, label, connectionId } = wanted;
      const accounts = connections.list(upstream.id);
      if (upstream.signIn.kind === 'none')
        return refused(`Nobody signs in at ${upstream.name}. Set how accounts sign in there first.`);
      if (upstream.signIn.kind === 'api_key' && wanted.secret === null)
        return refused(`Give the key of the account: ${upstream.name} is signed in to with an API key.`);
      const account =
        connectionId !== null
          ? accounts.find(({ id }) => id === connectionId)
          : label === null && accounts.length === 1
            ? accounts[0]
            : accounts.find((each) => isSame(each.label, label ?? ''));
      if (connectionId !== null && account === undefined)
        return refused(`There is no such account at ${upstream.name} any more.`);
      if (account === undefined && label === null && accounts.length > 1)
        return refused(
          `${upstream.name} has several accounts: ${accounts.map((each) => each.label).join(', ')}. Say which one.`,
        );
      const name = account?.label ?? label ?? FIRST_LABEL;
      const same = [...running.values()].find(
        ({ view }) => view().upstreamId === upstream.id && isSame(view().label, name),
      );
      same?.interrupt(REPLACED);
      if (running.size >= MAX_RUNNING)
        return refused('Too many sign-ins are under way. Finish or cancel one of them first.');
      return { kind: 'done', signIn: begin(wanted, name, account?.id ?? null) };
    },
    get,
    list(upstreamId) {
      const views = new Map(kept.list(upstreamId).map((view) => [view.id, view]));
      // What is under way is newer than its trace, which a full disk may not even have.
      for (const { view } of running.values())
        if (upstreamId === undefined || view().upstreamId === upstreamId) views.set(view().id, view());
      return [...views.values()].toSorted((a, b) => b.startedAt - a.startedAt);
    },
    answer(id, state, answer) {
      if (running.get(id)?.answer(state, answer) !== true) return refused(NOT_ASKED);
      const signIn = get(id);
      return signIn === null ? refused(UNKNOWN) : { kind: 'done', signIn };
    },
    cancel(id) {
      if (running.get(id)?.interrupt(CANCELLED) === false) return refused(KEEPING);
      const signIn = get(id);
      return signIn === null ? refused(UNKNOWN) : { kind: 'done', signIn };
    },
    forgetUpstream(upstreamId) {
      for (const { view, interrupt } of running.values()) if (view().upstreamId === upstreamId) interrupt(CANCELLED);
      kept.forget(upstreamId);
      tell();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close() {
      listeners.clear();
      for (const { interrupt } of running.values()) interrupt(INTERRUPTED);
    },
  };
}

/** A bug of ours: the log has it. */
interface Broken {
  readonly kind: 'broken';
  readonly message: string;
}

interface Running {
  view(): SignInView;
  /** False: it cannot be stopped any more. */
  interrupt(fault: SignInFault): boolean;
  /** False: this is not what it asks. */
  answer(state: keyof Answers, answer: unknown): boolean;
}

export function isOver({ state }: Pick<SignInView, 'state'>): boolean {
  return state === 'connected' || state === 'failed' || state === 'cancelled';
}

function endedAs({ code, message, next }: Fault): Partial<SignInView> {
  return { state: code === 'cancelled' ? 'cancelled' : 'failed', link: null, code, message, next };
}

function timedOut({ state, upstream }: SignInView, returnedAstray: boolean): SignInFault {
  if (state === 'waiting' && returnedAstray) {
    const message = `The browser came back without the mark of this sign-in, so Gatehouse did not take it. ${upstream} may have mixed it up with an older page.`;
    return { kind: 'fault', code: 'state_mismatch', message, next: AGAIN };
  }
  const what = state === 'waiting' ? 'The browser did not come back' : 'It was not finished';
  return { kind: 'fault', code: 'timeout', message: `${what} within ten minutes.`, next: AGAIN };
}

/** Labels that differ in their case alone are one account's. */
function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function refused(message: string): { readonly kind: 'refused'; readonly message: string } {
  return { kind: 'refused', message };
}

type Fault = Pick<SignInView, 'code' | 'message' | 'next'>;

const AGAIN = { act: 'try_again', text: 'Begin the sign-in again.' } as const;
const CANCELLED = ended('You cancelled the sign-in.');
const REPLACED = ended('Another sign-in of this account was begun.');
const INTERRUPTED = ended('Gatehouse ended before the sign-in did.');
const STRAY: Told = {
  name: 'callback',
  outcome: 'skipped',
  message: 'A visit without the mark of this sign-in was not taken for its end. Gatehouse waits on.',
  status: 400,
};
const UNKNOWN = 'There is no such sign-in.';
const KEEPING = 'The account is just being connected. Sign it out instead.';
const NOT_ASKED = 'The sign-in does not ask that now. Look at it again.';
/** What the first account of an upstream is called by who gives it no name. */
const FIRST_LABEL = 'main';
const LIMIT_MS = 600_000;
/** More than anybody looks at; a script may begin dozens at once. */
const MAX_RUNNING = 100;

function ended(message: string): SignInFault {
  return { kind: 'fault', code: 'cancelled', message, next: AGAIN };
}
