import type { Era, UpstreamStatus } from '../../../shared/model.ts';
import type { Log } from '../diagnosis/log.ts';
import type { Written } from '../exact-text.ts';
import type { Clock } from '../platform.ts';
import type { Failure } from './channel.ts';
import { type ClientLinks, createClientLinks, type LinkManner } from './client-links.ts';
import { createIdleness } from './idleness.ts';
import { inWords, type UpstreamLimits } from './limits.ts';
import type { Link } from './link.ts';
import type { LinkOutcome, LinkRequest } from './link-request.ts';
import type { Listed, Listing } from './listing.ts';
import { createRelisting, listWithin } from './relisting.ts';
import type { UpstreamOutcome } from './request.ts';
import { createSubscriptions } from './subscriptions.ts';

export interface SupervisorParts {
  readonly name: string;
  readonly clock: Clock;
  readonly limits: UpstreamLimits;
  readonly log: Log;
  record(kind: string, detail: Readonly<Record<string, unknown>>): void;
  /** False while Gatehouse stops, and for an upstream that is disabled or removed: then nothing is started. */
  mayStart(): boolean;
  /** A process for each session of a client, beside the one that lists. */
  isPerClient(): boolean;
  /** The person wants it spoken to in the modern era alone, whatever its callers speak. */
  isSetModern(): boolean;
  /** How long a process may be idle before it is stopped until the next call; null: for ever. */
  idleStopMs(): number | null;
  /** Opens the upstream anew; `events` are of this link alone. */
  connect(signal: AbortSignal, events: LinkEvents, manner: LinkManner | null): Promise<Link | Failure>;
  /** Reads a long list in turns, before it is taken in. */
  readAhead(listed: Listed): Promise<void>;
  /** Hands a listing over to the inventory. `isFirst`: the first of this link. */
  /** Why it could not be saved; null when it was. */
  takeIn(listed: Listed, isFirst: boolean): Failure | null;
  changed(): void;
  notice(method: string, params: Written, sessionKey: string | null): void;
}

export interface LinkEvents {
  /** A process is started, or a connection made: each counts. */
  onOpening(): void;
  onListChanged(): void;
  onEnded(how: string): void;
  onNotice(method: string, params: Written): void;
}

export interface SupervisorState {
  readonly status: Exclude<UpstreamStatus, 'disabled'>;
  readonly reason: string | null;
  readonly needsSignIn: boolean;
  readonly era: Era | null;
  readonly pid: number | null;
  readonly callsItself: string | null;
  readonly since: number;
}

/** The life of one upstream: start, listing, crash, back-off, failure. Nothing runs before `start`, `refresh` or `call`. */
export interface Supervisor {
  state(): SupervisorState;
  /** Resolves when it is ready or has failed; never rejects. Does nothing while it runs or is starting. */
  start(): Promise<void>;
  /** Forgets earlier failures, starts or lists again. */
  refresh(): Promise<void>;
  /** The time after which it is stopped when idle may be another. */
  idleStopChanged(): void;
  request(request: LinkRequest): Promise<UpstreamOutcome>;
  /** How a request ends when it has failed and is not started again by itself; null otherwise. */
  finallyFailed(): UpstreamOutcome | null;
  /** Of the last link that was ready. */
  capabilities(): Readonly<Record<string, unknown>>;
  subscribe(uri: string, sessionKey: string): Promise<UpstreamOutcome>;
  unsubscribe(uri: string, sessionKey: string): Promise<UpstreamOutcome>;
  /** As `subscribe`, made as soon as it is ready, however often it has to be started until then. */
  resubscribe(uri: string, sessionKey: string): void;
  subscribers(uri: string): readonly string[];
  rootsChanged(sessionKey: string): void;
  forgetSession(sessionKey: string): void;
  /** What these sessions subscribed to here is subscribed to there from now on. */
  handOver(to: Supervisor, which: (sessionKey: string) => boolean): void;
  /** Everything it started is gone when this resolves. */
  stop(): Promise<void>;
}

export function createSupervisor(parts: SupervisorParts): Supervisor {
  const { clock, limits, name } = parts;
  let status: SupervisorState['status'] = 'stopped';
  let reason: string | null = null;
  let since = clock.now();
  let link: Link | null = null;
  let readyAt = 0;
  let opening: Promise<void> | null = null;
  let closing: Promise<void> = Promise.resolve();
  let abort = new AbortController();
  let failure: Failure | null = null;
  let failures = 0;
  let isFinal = false;
  let starts: readonly number[] = [];
  let cancelRetry: () => void = () => {};
  let capabilities: Readonly<Record<string, unknown>> = {};
  const subscriptions = createSubscriptions({
    isOpen: () => link !== null,
    async watch(uris) {
      if (link === null) await start();
      return link === null ? unavailable() : link.watch(uris);
    },
    left: () => idleness.changed(),
  });
  /** A modern HTTP upstream that did not take `initialize` either: its legacy callers are bridged. */
  let isModernOnly = false;
  let sessions = newSessions();
  let relisting = createRelisting(parts, () => link, noteListing);
  const idleness = createIdleness(clock, idleStopMs, rest);

  function set(next: typeof status, why: string | null): void {
    if (status === next && reason === why) return;
    if (status !== next) {
      since = clock.now();
      // Reasons quote the upstream; the app shows them.
      parts.log.info('upstream_state', { upstream: name, from: status, to: next });
    }
    status = next;
    reason = why;
    parts.changed();
  }

  function newSessions(): ClientLinks {
    return createClientLinks(parts, (signal, onEnded, manner) =>
      parts.connect(
        signal,
        {
          onOpening() {},
          onListChanged: () => link !== null && relisting.soon(),
          onEnded,
          onNotice: (method, params) => parts.notice(method, params, manner.sessionKey),
        },
        manner,
      ),
    );
  }

  function start(): Promise<void> {
    if (link !== null || !parts.mayStart()) return Promise.resolve();
    if (opening !== null) return opening;
    const cancelSlow = clock.after(limits.slowMs, () => status === 'starting' && set('starting', slow(name, limits)));
    opening = run().finally(() => {
      cancelSlow();
      opening = null;
    });
    return opening;
  }

  async function run(): Promise<void> {
    cancelRetry();
    isFinal = false;
    abort = new AbortController();
    const { signal } = abort;
    // Why it failed stays readable while it is tried again: a start can take long, and fail the same way.
    set('starting', failure === null ? null : `${name} is being started again. ${failure.message}`);
    await closing;
    if (signal.aborted) return;
    let isCurrent = true;
    let endedEarly: string | null = null;
    const opened = await parts.connect(
      signal,
      {
        onOpening() {
          starts = [...starts.filter((at) => at > clock.monotonic() - MINUTE_MS), clock.monotonic()];
        },
        onListChanged: () => isCurrent && link !== null && relisting.soon(),
        onEnded(how) {
          if (!isCurrent) return;
          isCurrent = false;
          if (link === null) endedEarly = how;
          else crashed(how);
        },
        onNotice: (method, params) => parts.notice(method, params, null),
      },
      null,
    );
    if (opened.kind === 'failure') return signal.aborted ? undefined : failed(opened);
    const listing = await listWithin(opened, signal, parts);
    if (signal.aborted || listing.kind === 'failure' || endedEarly !== null) {
      isCurrent = false;
      closing = opened.close();
      await closing;
      if (signal.aborted) return;
      return failed(listing.kind === 'failure' ? listing : ended(name, endedEarly ?? 'ended'));
    }
    link = opened;
    failure = null;
    readyAt = clock.monotonic();
    capabilities = opened.capabilities;
    const unsaved = parts.takeIn(listing, true);
    if (unsaved !== null) {
      letGo();
      return failed(unsaved);
    }
    if (subscriptions.any()) void opened.watch(subscriptions.uris());
    parts.record('upstream_started', { pid: opened.pid, era: opened.era });
    set('ready', listing.leftOut);
    idleness.changed();
  }

  function crashed(how: string): void {
    if (clock.monotonic() - readyAt > MINUTE_MS) failures = 0;
    const isRemote = link?.isRemote === true;
    letGo();
    // A process that ends costs a new one; a connection that breaks is only made again.
    failed({ ...ended(name, how), retry: isRemote ? 'patient' : 'bounded' });
  }

  function failed(found: Failure): void {
    failures += 1;
    failure = found;
    const isWorn = found.retry === 'bounded' && (failures >= limits.startsPerMinute || tooManyStarts());
    if (reason !== found.message || isWorn) {
      parts.record('upstream_failed', {
        errorClass: found.errorClass,
        failures,
        final: isWorn || found.retry === 'never',
      });
    }
    isFinal = isWorn || found.retry === 'never';
    parts.log.warn('upstream_failed', { upstream: name, errorClass: found.errorClass, failures });
    if (isWorn) {
      set('failed', `${found.message} It is not started again by itself; restart it to try once more.`);
      return;
    }
    set('failed', found.message);
    if (found.retry === 'never') return;
    const pause = Math.min(limits.maxBackoffMs, limits.backoffMs * 2 ** (failures - 1));
    cancelRetry = clock.after(pause * (0.75 + Math.random() / 2), () => void start());
  }

  function tooManyStarts(): boolean {
    return starts.filter((at) => at > clock.monotonic() - MINUTE_MS).length >= limits.startsPerMinute;
  }

  function letGo(): void {
    relisting.cancel();
    relisting = createRelisting(parts, () => link, noteListing);
    const old = link;
    link = null;
    const others = sessions;
    sessions = newSessions();
    if (old !== null) closing = Promise.all([old.close(), others.closeAll()]).then(() => {});
  }

  function noteListing(listing: Listing): void {
    if (link === null) return;
    // Calls still work and what is known stays known: a listing that failed is only said.
    const failure = listing.kind === 'listed' ? parts.takeIn(listing, false) : listing;
    set('ready', failure?.message ?? (listing.kind === 'listed' ? listing.leftOut : null));
    // It listed and will not say so again.
    if (listing.kind === 'listed' && failure !== null) clock.after(limits.maxBackoffMs, relisting.soon);
  }

  function idleStopMs(): number | null {
    return link === null || link.isRemote || subscriptions.any() ? null : parts.idleStopMs();
  }

  /** Stopped for want of calls; the next one starts it. */
  function rest(): void {
    letGo();
    failures = 0;
    parts.record('upstream_stopped', { idle: true });
    set('stopped', null);
  }

  /** A first start is waited for. One that follows a failure may be the next failure, and is not. */
  function started(signal: AbortSignal): Promise<void> {
    return untilAborted(failures === 0 ? start() : within(start(), clock, AGAIN_MS), signal);
  }

  async function request(wanted: LinkRequest): Promise<UpstreamOutcome> {
    if (status === 'failed') return unavailable();
    if (link === null) await started(wanted.signal);
    if (wanted.signal.aborted) return { kind: 'cancelled' };
    if (link === null) return unavailable();
    const outcome = await callOver(link, wanted);
    if (outcome.kind !== 'stale') return outcome;
    // The session is gone: nothing of the call was run, so it is made once more over a new one.
    if (outcome.status !== 404 || wanted.signal.aborted) return outcome.outcome;
    if (link === null) await started(wanted.signal);
    if (wanted.signal.aborted) return { kind: 'cancelled' };
    if (link === null) return unavailable();
    const second = await callOver(link, wanted);
    return second.kind === 'stale' ? second.outcome : second;
  }

  async function callOver(shared: Link, wanted: LinkRequest): Promise<LinkOutcome> {
    if (!shared.isRemote && !parts.isPerClient()) {
      const outcome = await shared.request(wanted);
      if (outcome.kind === 'stale') restart(shared);
      return outcome;
    }
    const used = await ownLink(shared, wanted);
    if (used.kind === 'failure') {
      if (used.errorClass === 'upstream_unreachable' && shared.isRemote && used.ofAccount !== true) restart(shared);
      return { kind: 'failed', errorClass: used.errorClass, message: used.message };
    }
    try {
      const outcome = await used.link.request(wanted);
      if (outcome.kind === 'stale') sessions.drop(used.link);
      // Not even reached: then our own session is gone as well.
      if (outcome.kind === 'stale' && outcome.status === null && shared.isRemote) restart(shared);
      return outcome;
    } finally {
      used.done();
    }
  }

  /** The caller's own link, in the era it speaks where the upstream speaks that too (design section 3). */
  async function ownLink(shared: Link, { caller }: LinkRequest): ReturnType<ClientLinks['use']> {
    const { sessionKey } = caller;
    if (caller.era === 'legacy' && shared.era === 'modern' && !isModernOnly && !parts.isSetModern()) {
      const used = await sessions.use({ era: 'legacy', capabilities: caller.capabilities, sessionKey });
      if (used.kind === 'use' || used.errorClass !== 'upstream_unreachable' || used.ofAccount === true) return used;
      isModernOnly = true;
    }
    return sessions.use({ era: shared.era, capabilities: caller.capabilities, sessionKey });
  }

  function restart(broken: Link): void {
    if (link !== broken) return;
    letGo();
    void start();
  }

  function unavailable(): UpstreamOutcome {
    const errorClass = failure?.errorClass === 'upstream_crashed' ? 'upstream_unreachable' : failure?.errorClass;
    const message = reason ?? `${name} is not running.`;
    return { kind: 'failed', errorClass: errorClass ?? 'upstream_unreachable', message };
  }

  return {
    state: () => ({
      status,
      reason,
      needsSignIn: status === 'failed' && failure?.errorClass === 'auth_required',
      since,
      era: link?.era ?? null,
      pid: link?.pid ?? null,
      callsItself: link?.callsItself ?? null,
    }),
    start,
    idleStopChanged: idleness.changed,
    request: (wanted) => idleness.during(() => request(wanted)),
    capabilities: () => capabilities,
    subscribe: subscriptions.add,
    unsubscribe: subscriptions.remove,
    resubscribe: subscriptions.restore,
    finallyFailed: () => (status === 'failed' && isFinal ? unavailable() : null),
    subscribers: subscriptions.of,
    rootsChanged: (sessionKey) => sessions.rootsChanged(sessionKey),
    forgetSession(sessionKey) {
      sessions.endOf(sessionKey);
      subscriptions.removeAll(sessionKey);
    },
    handOver(to, which) {
      for (const { uri, sessionKey } of subscriptions.all()) {
        if (!which(sessionKey)) continue;
        void subscriptions.remove(uri, sessionKey);
        to.resubscribe(uri, sessionKey);
      }
    },
    async refresh() {
      failures = 0;
      starts = [];
      if (link === null) return start();
      const current = link;
      await idleness.during(async () => noteListing(await listWithin(current, abort.signal, parts)));
    },
    async stop() {
      const wasRunning = link !== null;
      cancelRetry();
      abort.abort();
      failure = null;
      failures = 0;
      starts = [];
      letGo();
      await opening;
      await closing;
      if (wasRunning) parts.record('upstream_stopped', {});
      set('stopped', null);
    },
  };
}

function slow(name: string, limits: UpstreamLimits): string {
  return `${name} has not listed its tools within ${inWords(limits.slowMs)} of its start. It is given more time.`;
}

function ended(name: string, how: string): Failure {
  return { kind: 'failure', errorClass: 'upstream_crashed', message: `${name} ${how}.`, retry: 'bounded' };
}

function within(promise: Promise<void>, clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve);
    void promise.then(() => {
      cancel();
      resolve();
    });
  });
}

function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
    return void promise.then(resolve);
  });
}

const MINUTE_MS = 60_000;
/** A call that finds it failed is answered within a second. */
const AGAIN_MS = 800;
