import type { Clock } from '../platform.ts';
import type { Anchor } from './anchor.ts';
import type { AuditInput, AuditWritten } from './audit.ts';
import { draftOf, type EntryDraft } from './entry.ts';
import type { FromWriter, ToWriter } from './messages.ts';
import { LOG_KINDS } from './schema.ts';

/** Entries of `writeSoon` that are kept while they cannot be written; what is over either is only counted. */
export const KEPT = { entries: 20_000, characters: 32_000_000 } as const;
/** Entries that may be on their way to the disk at once, of both kinds. */
export const MOST_QUEUED = 50_000;
/** How many kept entries the first batch after a failure carries. */
const TRIAL = 200;

/**
 * The writer's side of the event loop: collects what one turn of it records into one message, remembers what is not
 * durable yet, and holds what could not be written until it can be.
 */
export interface Outbox {
  write(input: AuditInput): Promise<AuditWritten>;
  writeSoon(input: AuditInput): void;
  available(): { readonly ok: true } | { readonly ok: false; readonly reason: string };
  queued(): number;
  /** The writer can take batches (`null`), or why it cannot. */
  writer(reason: string | null): void;
  /** Whether the writer has a key and the log, so that only batches can fail. */
  begun(): boolean;
  /** Whatever the writer says about batches. */
  hear(message: Extract<FromWriter, { kind: 'committed' | 'failed' | 'try_again' }>): void;
  /** Whoever wrote before is gone: nothing that is on its way will be answered. */
  lostWriter(reason: string): void;
  /** Resolves when nothing is on its way: durable, or known not to be. */
  settled(): Promise<void>;
  /** From now on everything is refused. */
  end(reason: string): void;
}

interface Waiting {
  readonly draft: EntryDraft;
  /** Null: `writeSoon`. */
  readonly resolve: ((written: AuditWritten) => void) | null;
}

export function createOutbox(parts: {
  readonly clock: Clock;
  post(message: ToWriter): void;
  onHead(head: Anchor): void;
  /** How long `writeSoon` may wait for a `write` to share its flush of the disk with. Milliseconds; left out: not at all. */
  readonly soonMs?: number;
  /** Told when writing stops working, and with null when it works again. */
  onChange(reason: string | null): void;
}): Outbox {
  const { clock, post, onHead, onChange, soonMs = 0 } = parts;
  /** Of this turn of the event loop, and of `writeSoon` a little longer; not posted yet. */
  let outgoing: Waiting[] = [];
  let flushing: 'not' | 'soon' | 'now' = 'not';
  let cancelSoon: () => void = () => {};
  /** Posted, in order; answered from the front. */
  const posted = createQueue<Waiting>();
  /** Of posted drafts that were taken back at a failure, how many the writer has still to refuse. */
  let takenBack = 0;
  /** Of `writeSoon`, in order, to be written when it can be. */
  let kept: EntryDraft[] = [];
  let keptCharacters = 0;
  let lost = { count: 0, since: 0 };
  /** How many at the front of `posted` must be durable before new calls may run. */
  let catchingUp = 0;
  let outage: { readonly reason: string; readonly since: number; readonly sinceMonotonic: number } | null = null;
  let blocked: string | null = 'The audit log is not open yet.';
  let ended: string | null = null;
  let settling: readonly (() => void)[] = [];

  const reason = () => ended ?? blocked ?? outage?.reason ?? (kept.length > 0 || catchingUp > 0 ? CATCHING_UP : null);
  const flowing = () => blocked === null && outage === null;

  function send(waiting: Waiting): void {
    outgoing.push(waiting);
    if (flushing === 'now') return;
    if (waiting.resolve === null && soonMs > 0 && settling.length === 0) {
      if (flushing === 'not') cancelSoon = clock.after(soonMs, flush);
      flushing = 'soon';
      return;
    }
    flushing = 'now';
    // After whoever else records in this turn.
    queueMicrotask(flush);
  }

  function flush(): void {
    if (flushing !== 'not') cancelSoon();
    flushing = 'not';
    const batch = outgoing;
    outgoing = [];
    if (batch.length === 0) return;
    if (flowing()) deliver(batch, false);
    else refuse(batch, reason() ?? CATCHING_UP);
  }

  function deliver(batch: readonly Waiting[], retry: boolean): void {
    for (const waiting of batch) posted.push(waiting);
    post({ kind: 'batch', drafts: batch.map((waiting) => waiting.draft), retry });
  }

  /** Answers those who wait, and puts the rest before what is kept already: it is older. */
  function refuse(batch: readonly Waiting[], why: string): void {
    const newer = kept;
    kept = [];
    keptCharacters = 0;
    for (const { draft, resolve } of batch) {
      if (resolve === null) keep(draft);
      else resolve({ kind: 'unavailable', reason: why });
    }
    for (const draft of newer) keep(draft);
    settle();
  }

  function keep(draft: EntryDraft): void {
    // Made anew at every try.
    if (draft.kind === LOG_KINDS.outage) return;
    const full = kept.length >= KEPT.entries || keptCharacters + draft.detail.length > KEPT.characters;
    if (full && draft.kind !== LOG_KINDS.lost) {
      lost = { count: lost.count + 1, since: lost.count === 0 ? draft.at : lost.since };
      return;
    }
    kept.push(draft);
    keptCharacters += draft.detail.length;
  }

  function fail(why: string): void {
    if (outage !== null) {
      outage = { ...outage, reason: why };
      return;
    }
    outage = { reason: why, since: clock.now(), sinceMonotonic: clock.monotonic() };
    onChange(why);
  }

  /** One batch to see whether it works again: how long it did not, and the first of what is kept. */
  function retry(): void {
    if (blocked !== null || outage === null || posted.size() > 0) return;
    const { since, sinceMonotonic, reason: why } = outage;
    const ms = Math.round(clock.monotonic() - sinceMonotonic);
    const trial = kept.slice(0, TRIAL);
    kept = kept.slice(TRIAL);
    keptCharacters = sizeOf(kept);
    const drafts = [logEvent(LOG_KINDS.outage, { since, ms, reason: why }), ...trial];
    deliver(
      drafts.map((draft) => ({ draft, resolve: null })),
      true,
    );
  }

  /** Hands over all that is kept, and says how much was too much to keep. */
  function catchUp(): void {
    const drafts: readonly EntryDraft[] =
      lost.count === 0 ? kept : [...kept, logEvent(LOG_KINDS.lost, { entries: lost.count, since: lost.since })];
    if (drafts.length === 0) return;
    kept = [];
    keptCharacters = 0;
    lost = { count: 0, since: 0 };
    deliver(
      drafts.map((draft) => ({ draft, resolve: null })),
      false,
    );
    catchingUp = posted.size();
  }

  function logEvent(kind: string, detail: Readonly<Record<string, unknown>>): EntryDraft {
    return draftOf({ phase: 'event', kind, detail }, clock.now());
  }

  function settle(): void {
    if (posted.size() > 0 || outgoing.length > 0) return;
    const done = settling;
    settling = [];
    for (const resolve of done) resolve();
  }

  function committed(count: number, firstSeq: number): void {
    const answered = posted.take(count);
    catchingUp = Math.max(0, catchingUp - count);
    if (outage !== null) {
      outage = null;
      onChange(null);
    }
    if (blocked === null && posted.size() < MOST_QUEUED / 2) catchUp();
    answered.forEach(({ resolve }, n) => void resolve?.({ kind: 'written', seq: firstSeq + n }));
    settle();
  }

  function failed(count: number, why: string): void {
    // What waits is younger than all that is posted, and must stay behind it.
    flush();
    if (takenBack > 0) {
      takenBack -= count;
      return;
    }
    // The writer refuses everything behind the first that failed, so all of it is taken back at once, in order.
    takenBack = posted.size() - count;
    catchingUp = 0;
    fail(why);
    refuse(posted.take(posted.size()), why);
  }

  return {
    write(input) {
      const why = reason() ?? (posted.size() >= MOST_QUEUED ? OVERLOADED : null);
      if (why !== null) return Promise.resolve({ kind: 'unavailable', reason: why });
      const draft = draftOf(input, clock.now());
      return new Promise((resolve) => send({ draft, resolve }));
    },
    writeSoon(input) {
      if (ended !== null) return;
      const draft = draftOf(input, clock.now());
      if (flowing() && kept.length === 0 && posted.size() < MOST_QUEUED) send({ draft, resolve: null });
      else keep(draft);
    },
    available() {
      const why = reason();
      return why === null ? { ok: true } : { ok: false, reason: why };
    },
    queued: () => outgoing.length + posted.size() + kept.length,
    writer(why) {
      flush();
      blocked = why;
      if (outage === null && blocked === null) catchUp();
      else retry();
    },
    begun: () => blocked === null,
    hear(message) {
      switch (message.kind) {
        case 'try_again':
          retry();
          return;
        case 'failed':
          failed(message.count, message.reason);
          return;
        case 'committed':
          committed(message.count, message.firstSeq);
          onHead(message.head);
          return;
      }
    },
    lostWriter(why) {
      flush();
      blocked = why;
      catchingUp = 0;
      takenBack = 0;
      fail(why);
      refuse(posted.take(posted.size()), why);
    },
    async settled() {
      flush();
      if (posted.size() > 0) await new Promise<void>((resolve) => (settling = [...settling, resolve]));
    },
    end(why) {
      ended = why;
    },
  };
}

const CATCHING_UP = 'The audit log is catching up with what could not be written before.';
const OVERLOADED = 'The audit log has more to write than the disk takes.';

const sizeOf = (drafts: readonly EntryDraft[]) => drafts.reduce((sum, draft) => sum + draft.detail.length, 0);

/** First in, first out, without moving everything at each take. */
function createQueue<T>() {
  let items: T[] = [];
  let front = 0;
  return {
    size: () => items.length - front,
    push(item: T): void {
      items.push(item);
    },
    take(count: number): readonly T[] {
      const taken = items.slice(front, front + count);
      front += taken.length;
      if (front > 4_096 || front === items.length) {
        items = items.slice(front);
        front = 0;
      }
      return taken;
    },
  };
}
