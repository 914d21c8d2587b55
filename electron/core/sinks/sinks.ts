import type BetterSqlite3 from 'better-sqlite3';
import type { Refused } from '../../../shared/api.ts';
import type { SinkTarget, SinkView } from '../../../shared/model.ts';
import type { Audit } from '../audit/audit.ts';
import type { Log } from '../diagnosis/log.ts';
import type { Clock } from '../platform.ts';
import type { Seals } from '../seals/seals.ts';
import type { Vault } from '../secrets/vault.ts';
import type { Progress } from './courier.ts';
import { createSinkDefinitions, placeOf, refuseSink, type SinkDefinition, sinkSecrets } from './definitions.ts';
import type { FromSinkWorker, RunnableSink, ToSinkWorker } from './messages.ts';
import { type SinkWorker, startSinkWorker } from './worker-thread.ts';

/** Where the audit is delivered to besides its own file. Delivery runs in a worker; no call ever waits for it. */
export interface Sinks {
  /** As last heard from the worker: at once, for `/health`. */
  known(): readonly SinkView[];
  /** After the worker has said how each stands. */
  list(): Promise<readonly SinkView[]>;
  find(idOrName: string): SinkView | null;
  add(wanted: {
    readonly name: string;
    readonly target: SinkTarget;
    /** It gets what follows this entry. */
    readonly startSeq: number;
    readonly secrets: Readonly<Record<string, string>>;
  }): Promise<{ readonly kind: 'done'; readonly sink: SinkView } | Refused>;
  remove(id: string): void;
  setPaused(id: string, paused: boolean): SinkView | null;
  /** Reaches the other side now and says what it found. */
  test(id: string): Promise<{ readonly kind: 'done'; readonly message: string } | Refused>;
  /** Something was written to the audit. */
  wake(): void;
  /** Sentences for the banner. */
  troubles(): readonly string[];
  onChange(listener: () => void): void;
  close(): Promise<void>;
}

export interface SinksParts {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
  readonly vault: Pick<Vault, 'put' | 'get' | 'has' | 'removeAll'>;
  /** Whether a definition is as the person confirmed it. */
  readonly seals: Pick<Seals, 'check' | 'difference'>;
  readonly audit: Pick<Audit, 'write' | 'writeSoon'>;
  readonly log: Log;
  /** The data folder. */
  readonly folder: string;
  /** The name of this machine, for the other side. */
  readonly machine: string;
  readonly version: string;
  /** False: for one command while no app runs. Says how far each is and delivers nothing. */
  readonly deliver: boolean;
}

/** How long until a worker that died is replaced: twice as long each time until one works. Milliseconds. */
const AGAIN_MS = 1_000;
const AGAIN_AT_MOST_MS = 60_000;
/** How long until a locked vault is asked again. Milliseconds. */
const SECRETS_AGAIN_MS = 60_000;
/** How long `list` waits for the worker. Milliseconds. */
const PATIENCE_MS = 3_000;
/** A failure younger than this is no banner yet. Milliseconds. */
const TROUBLE_MS = 5 * 60_000;

export function createSinks(parts: SinksParts): Sinks {
  const { clock, vault, audit, log } = parts;
  const definitions = createSinkDefinitions(parts.db, clock);
  const progress = new Map<string, Progress>();
  /** Sinks that the worker cannot be given, and why. */
  const blocked = new Map<string, { readonly reason: string; readonly since: number }>();
  const tests = new Map<number, (found: { readonly ok: boolean; readonly message: string }) => void>();
  const listeners = new Set<() => void>();
  /** How often each was set: what an earlier turn finds out late is not used. */
  const turns = new Map<string, number>();
  let all = definitions.all();
  let worker: SinkWorker | null = null;
  let headSeq = 0;
  let nextQuestion = 1;
  let deaths = 0;
  let closed = false;
  let waiting: (() => void)[] = [];
  const cancels = new Set<() => void>();

  if (all.length > 0 && parts.deliver) start();

  function start(): SinkWorker {
    const started = startSinkWorker({ clock, message: hear, death });
    worker = started;
    started.post({
      kind: 'open',
      folder: parts.folder,
      at: clock.now(),
      machine: parts.machine,
      version: parts.version,
      sinkIds: all.map(({ id }) => id),
    });
    for (const definition of all) void run(definition);
    return started;
  }

  const post = (message: ToSinkWorker) => (worker ?? start()).post(message);

  function later(ms: number, act: () => void): void {
    const cancel = clock.after(ms, () => {
      cancels.delete(cancel);
      act();
    });
    cancels.add(cancel);
  }

  function death(why: string): void {
    worker = null;
    progress.clear();
    for (const answer of tests.values()) answer({ ok: false, message: 'The worker that delivers was started again.' });
    tests.clear();
    log.error('sink_worker_ended', { why });
    changed();
    if (!closed && all.length > 0)
      later(Math.min(AGAIN_MS * 2 ** deaths, AGAIN_AT_MOST_MS), () => void (worker ?? start()));
    deaths += 1;
  }

  function hear(message: FromSinkWorker): void {
    switch (message.kind) {
      case 'opened':
        deaths = 0;
        return;
      case 'fault':
        log.error('sink_worker_fault', { reason: message.message });
        for (const { id } of all) block(id, message.message);
        changed();
        return;
      case 'head':
        headSeq = message.seq;
        changed();
        return;
      case 'progress': {
        const before = progress.get(message.id);
        progress.set(message.id, message.progress);
        // One that cannot be given is set as paused, to hear how far it is.
        if (message.progress.state !== 'paused') blocked.delete(message.id);
        note(message.id, before, message.progress);
        changed();
        return;
      }
      case 'gap': {
        const sink = all.find(({ id }) => id === message.id);
        const { from, to, count, reason } = message.gap;
        const recorded = audit.write({
          phase: 'event',
          kind: 'sink_gap',
          outcome: 'missed',
          detail: { sink: sink?.name ?? message.id, from, to, entries: count, reason },
        });
        const asking = worker;
        // While nothing can be recorded the sink waits. A worker that came after it finds the gap by itself.
        void recorded.then(({ kind }) => {
          if (worker !== asking) return;
          if (kind === 'written') worker?.post({ kind: 'gap_recorded', question: message.question });
          else later(AGAIN_MS, () => void (worker === asking && hear(message)));
        });
        return;
      }
      case 'tested':
        tests.get(message.question)?.(message);
        tests.delete(message.question);
        return;
    }
  }

  /** The log of this machine says when delivery began to fail and when it went on; the audit has no part in that. */
  function note(id: string, before: Progress | undefined, now: Progress): void {
    const sink = all.find((one) => one.id === id)?.name ?? id;
    if (now.state === 'failing' && before?.state !== 'failing') log.warn('sink_failing', { sink, reason: now.reason });
    if (now.state === 'up_to_date' && before?.failingSince != null) log.info('sink_recovered', { sink });
  }

  function changed(): void {
    if (all.every(({ id }) => progress.has(id) || blocked.has(id))) {
      const ready = waiting;
      waiting = [];
      for (const resolve of ready) resolve();
    }
    for (const listener of listeners) listener();
  }

  /** The worker, when it starts, is given every sink there is. */
  function setAnew(definition: SinkDefinition): void {
    if (worker === null && parts.deliver) start();
    else void run(definition);
  }

  function block(id: string, reason: string): void {
    blocked.set(id, { reason, since: blocked.get(id)?.since ?? clock.now() });
    changed();
  }

  async function run(definition: SinkDefinition): Promise<void> {
    const turn = (turns.get(definition.id) ?? 0) + 1;
    turns.set(definition.id, turn);
    const isOver = () => closed || turns.get(definition.id) !== turn || all.every(({ id }) => id !== definition.id);
    const paused = definition.paused || !parts.deliver;
    const secrets = paused ? { kind: 'read' as const, values: {} } : await secretsOf(definition);
    // It may have been removed, or set anew, while the keychain answered.
    if (isOver()) return;
    if (secrets.kind === 'unavailable') {
      block(definition.id, secrets.reason);
      // It says how far it is all the same.
      worker?.post({ kind: 'set', sink: runnable(definition, {}, true) });
      later(SECRETS_AGAIN_MS, () => void (isOver() || run(definition)));
      return;
    }
    // A command that only adds or pauses needs no worker.
    if (parts.deliver || worker !== null) post({ kind: 'set', sink: runnable(definition, secrets.values, paused) });
  }

  async function secretsOf({
    id,
    target,
  }: SinkDefinition): Promise<
    | { readonly kind: 'read'; readonly values: Readonly<Record<string, string>> }
    | { readonly kind: 'unavailable'; readonly reason: string }
  > {
    const checked = await parts.seals.check();
    if (checked.kind === 'unavailable') return checked;
    if (parts.seals.difference('sinks', id) !== null) return { kind: 'unavailable', reason: CHANGED };
    const values: Record<string, string> = {};
    for (const [name, place] of sinkSecrets(id, target)) {
      const read = await vault.get(place);
      if (read.kind === 'missing')
        return { kind: 'unavailable', reason: `The value of ${name} is missing. Remove the sink and add it again.` };
      if (read.kind === 'unavailable') return read;
      values[name] = read.value;
    }
    return { kind: 'read', values };
  }

  function viewOf({ id, name, target, paused, startSeq, createdAt }: SinkDefinition): SinkView {
    const known = progress.get(id);
    const deliveredSeq = known?.deliveredSeq ?? startSeq;
    const block = paused ? undefined : blocked.get(id);
    return {
      id,
      name,
      target,
      state: stateOf(paused, known, block !== undefined),
      reason: block?.reason ?? known?.reason ?? null,
      failingSince: block?.since ?? known?.failingSince ?? null,
      nextTryAt: known?.nextTryAt ?? null,
      deliveredSeq,
      headSeq,
      waiting: Math.max(0, headSeq - deliveredSeq),
      deliveredAt: known?.deliveredAt ?? null,
      missed: known?.missed ?? 0,
      createdAt,
    };
  }

  function stateOf(paused: boolean, known: Progress | undefined, isBlocked: boolean): SinkView['state'] {
    if (paused) return 'paused';
    if (isBlocked) return 'failing';
    return !parts.deliver || known === undefined ? 'stopped' : known.state;
  }

  const known = () => all.map(viewOf);
  const record = (kind: string, { name, target }: SinkDefinition) =>
    audit.writeSoon({ phase: 'event', kind, detail: { sink: name, to: target.kind, place: placeOf(target) } });

  return {
    known,
    async list() {
      if (all.length > 0 && worker === null) start();
      if (all.some(({ id }) => !progress.has(id) && !blocked.has(id))) {
        await new Promise<void>((resolve) => {
          waiting = [...waiting, resolve];
          later(PATIENCE_MS, resolve);
        });
      }
      return known();
    },
    find(idOrName) {
      const found = all.find(({ id, name }) => id === idOrName || name === idOrName);
      return found === undefined ? null : viewOf(found);
    },
    async add({ name, target, startSeq, secrets }) {
      const refusal = refuseSink({ name, target }, secrets, all);
      if (refusal !== null) return { kind: 'refused', message: refusal };
      const id = definitions.newId();
      for (const [wanted, place] of sinkSecrets(id, target)) {
        const written = await vault.put(place, secrets[wanted] ?? '');
        if (written.kind === 'written') continue;
        vault.removeAll(`sink/${id}`);
        return { kind: 'refused', message: written.reason };
      }
      // While the keychain answered, somebody may have taken the name.
      const late = refuseSink({ name, target }, secrets, all);
      if (late !== null) {
        vault.removeAll(`sink/${id}`);
        return { kind: 'refused', message: late };
      }
      const definition = definitions.insert({ id, name, target, startSeq });
      all = definitions.all();
      record('sink_added', definition);
      setAnew(definition);
      return { kind: 'done', sink: viewOf(definition) };
    },
    remove(id) {
      const found = all.find((one) => one.id === id);
      if (found === undefined) return;
      definitions.remove(id);
      vault.removeAll(`sink/${id}`);
      all = definitions.all();
      progress.delete(id);
      blocked.delete(id);
      worker?.post({ kind: 'remove', id });
      record('sink_removed', found);
      changed();
    },
    setPaused(id, paused) {
      definitions.setPaused(id, paused);
      all = definitions.all();
      const found = all.find((one) => one.id === id);
      if (found === undefined) return null;
      record(paused ? 'sink_paused' : 'sink_resumed', found);
      setAnew(found);
      changed();
      return viewOf(found);
    },
    async test(id) {
      const found = all.find((one) => one.id === id);
      if (found === undefined) return { kind: 'refused', message: 'There is no such sink.' };
      const secrets = await secretsOf(found);
      if (secrets.kind === 'unavailable') return { kind: 'refused', message: secrets.reason };
      const question = nextQuestion;
      nextQuestion += 1;
      const answer = await new Promise<{ readonly ok: boolean; readonly message: string }>((resolve) => {
        tests.set(question, resolve);
        post({ kind: 'test', question, sink: runnable(found, secrets.values, false) });
      });
      return answer.ok ? { kind: 'done', message: answer.message } : { kind: 'refused', message: answer.message };
    },
    wake: () => worker?.post({ kind: 'wake' }),
    troubles: () =>
      known()
        .filter(({ failingSince }) => failingSince !== null && clock.now() - failingSince >= TROUBLE_MS)
        .map(
          (sink) => `The audit is not delivered to "${sink.name}"; ${sink.waiting} entries wait. ${sink.reason ?? ''}`,
        ),
    onChange: (listener) => void listeners.add(listener),
    async close() {
      closed = true;
      for (const cancel of cancels) cancel();
      await worker?.end();
    },
  };
}

function runnable(
  { id, target, startSeq }: SinkDefinition,
  secrets: Readonly<Record<string, string>>,
  paused: boolean,
): RunnableSink {
  return { id, target, secrets, paused, startSeq };
}

const CHANGED =
  'It was changed in the settings database by something else than Gatehouse, so nothing is sent there. Remove the sink and add it again.';
