import type { VerifyReport } from '../../../shared/model.ts';
import type { Log } from '../diagnosis/log.ts';
import type { Clock, Keychain } from '../platform.ts';
import type { StoreFault } from '../store/store.ts';
import { type Anchor, createAnchoring, readAnchor } from './anchor.ts';
import type { Audit, PurgeAnswer } from './audit.ts';
import type { Trust } from './chain.ts';
import type { FromWriter } from './messages.ts';
import { createOutbox } from './outbox.ts';
import type { ScannedCalls } from './scan.ts';
import { type SigningKey, signingKey } from './signing.ts';
import { readTrust, unreadable } from './verify.ts';
import { startReader, startWriter, type WriterWorker } from './workers.ts';

export type AuditOpened =
  | {
      readonly kind: 'opened';
      readonly audit: Audit;
      /** Where a damaged log was moved to; null when nothing was. */
      readonly setAside: string | null;
      /** How many calls of an earlier run were closed as `interrupted` or `not_executed`. */
      readonly recovered: number;
      /** What was found wrong with the end of the log; null when nothing was. For a banner. */
      readonly problem: string | null;
      /** The whole log, verified in the background; null when Gatehouse was closed before it was done. */
      readonly verified: Promise<VerifyReport | null>;
      /** PRAGMAs of the connection that writes, for diagnosis. */
      writerPragmas(): Promise<Readonly<Record<string, unknown>>>;
    }
  | StoreFault;

export interface AuditOptions {
  /** The data folder. */
  readonly folder: string;
  readonly clock: Clock;
  readonly keychain: Keychain;
  readonly version: string;
  readonly log: Log;
}

/**
 * How long until a locked keychain is asked again by itself, and because of a call. Asking may show the person a window,
 * so it must not nag. Milliseconds.
 */
const KEY_AGAIN_MS = 60_000;
const KEY_AGAIN_FOR_CALL_MS = 10_000;
/** How long until a writer that died is replaced. Milliseconds. */
const WRITER_AGAIN_MS = 250;
/** How long the index of the log may be behind it. Milliseconds. */
const FOLLOW_MS = 1_000;
/** How long closing waits for a disk that does not answer. Milliseconds. */
const CLOSE_MS = 5_000;

/**
 * Opens `audit.db`, starts its two workers and closes what an earlier run left open. With a locked keychain, or a full
 * disk, it opens all the same: `available()` says why nothing is recorded, and it goes on by itself.
 */
export async function openAudit(options: AuditOptions): Promise<AuditOpened> {
  const { folder, clock, keychain, version, log } = options;
  const anchoring = createAnchoring({ keychain, folder, clock, log });
  const reader = startReader(folder, clock);
  const opened = deferred<Extract<FromWriter, { kind: 'opened' | 'fault' }>>();
  const attempted = deferred<void>();
  let stage: 'opening' | 'open' | 'closing' = 'opening';
  let ending: Promise<void> | null = null;
  let cancelTimer: (() => void) | null = null;
  let cancelFollowing: (() => void) | null = null;
  let credentials: { readonly key: SigningKey; readonly anchor: Anchor | null } | null = null;
  let beginning = false;
  let askedKeyAt = Number.NEGATIVE_INFINITY;
  let recovered = 0;
  let problem: string | null = null;
  /** The walk in the background could not read it. */
  let isDamaged = false;
  const purging: ((answer: PurgeAnswer) => void)[] = [];
  const pragmasAsked: ((answer: Readonly<Record<string, unknown>>) => void)[] = [];

  const outbox = createOutbox({
    clock,
    post: (message) => writer.post(message),
    onHead(head) {
      anchoring.durable(head);
      followSoon();
    },
    soonMs: SOON_MS,
    onChange(reason) {
      if (reason === null) log.info('audit_available');
      else log.error('audit_unavailable', { reason });
    },
  });
  let writer: WriterWorker = start(false);

  /** The index goes after what is written in strides: for each entry alone it would do most of its work twice. */
  function followSoon(): void {
    cancelFollowing ??= clock.after(FOLLOW_MS, () => {
      cancelFollowing = null;
      reader.follow();
    });
  }

  function start(again: boolean): WriterWorker {
    const worker = startWriter({ clock, message: (message) => hear(message, again), death: died });
    worker.post({ kind: 'open', folder, at: clock.now(), again });
    return worker;
  }

  function died(why: string): void {
    const message = `The writer of the audit log does not start: ${why}`;
    opened.resolve({ kind: 'fault', fault: { kind: 'not_writable', message } });
    attempted.resolve();
    beginning = false;
    if (stage !== 'open') return;
    for (const answer of purging.splice(0)) answer({ kind: 'unavailable', reason: message });
    outbox.lostWriter('The writer of the audit log stopped; it is started again.');
    log.error('audit_writer_died', { why });
    cancelTimer = clock.after(WRITER_AGAIN_MS, () => {
      writer = start(true);
    });
  }

  function hear(message: FromWriter, again: boolean): void {
    switch (message.kind) {
      case 'opened':
        opened.resolve(message);
        if (again) void begin();
        return;
      case 'fault':
        opened.resolve(message);
        if (again) void writer.end(false).then(() => died(message.fault.message));
        return;
      case 'begun':
        beginning = false;
        recovered = message.recovered;
        problem ??= message.problem;
        if (message.recovered > 0) log.info('audit_recovered', { calls: message.recovered });
        if (message.problem !== null) log.error('audit_problem', { problem: message.problem });
        anchoring.durable(message.head);
        outbox.writer(null);
        attempted.resolve();
        return;
      case 'not_begun':
        beginning = false;
        outbox.writer(message.reason);
        log.error('audit_unavailable', { reason: message.reason });
        attempted.resolve();
        return;
      case 'try_again':
        if (outbox.begun()) outbox.hear(message);
        else void begin();
        return;
      case 'committed':
      case 'failed':
        outbox.hear(message);
        return;
      case 'purged':
        if (message.head !== null) anchoring.durable(message.head);
        purging.shift()?.({ kind: 'purged', removed: message.removed });
        followSoon();
        return;
      case 'not_purged':
        purging.shift()?.({ kind: 'unavailable', reason: message.reason });
        return;
      case 'pragmas':
        for (const answer of pragmasAsked.splice(0)) answer(message.pragmas);
        return;
    }
  }

  /** Gives the writer its key; until there is one, nothing is recorded. */
  async function begin(): Promise<void> {
    if (beginning || stage === 'closing') return;
    beginning = true;
    credentials ??= await readCredentials();
    if (credentials === null) {
      beginning = false;
      attempted.resolve();
      return;
    }
    const { key, anchor } = credentials;
    writer.post({ kind: 'begin', ...key, anchor, at: clock.now(), version });
  }

  async function readCredentials(): Promise<typeof credentials> {
    askedKeyAt = clock.monotonic();
    const found = await signingKey(keychain, folder);
    if (found.kind === 'unavailable') {
      outbox.writer(found.reason);
      log.error('audit_unavailable', { reason: found.reason });
      cancelTimer?.();
      cancelTimer = clock.after(KEY_AGAIN_MS, () => void begin());
      return null;
    }
    const anchor = await readAnchor(keychain, folder);
    return { key: found.key, anchor: anchor.kind === 'found' ? anchor.anchor : null };
  }

  const first = await opened.promise;
  if (first.kind === 'fault') {
    stage = 'closing';
    await Promise.all([writer.end(false), reader.end()]);
    return first.fault;
  }
  stage = 'open';
  await begin();
  await attempted.promise;

  async function verify(signatures: 'all' | 'last'): Promise<VerifyReport> {
    await outbox.settled();
    // While the keychain is locked, the start has asked once already and the person has seen it.
    const trust =
      stage === 'open' && credentials === null && signatures === 'last' ? NO_TRUST : await readTrust(folder, keychain);
    return reader.ask('verify', { trust, signatures });
  }

  async function end(): Promise<void> {
    outbox.end('Gatehouse is closing.');
    const late = deferred<void>();
    const onTime = clock.after(CLOSE_MS, late.resolve);
    await Promise.race([outbox.settled(), late.promise]);
    stage = 'closing';
    cancelTimer?.();
    cancelFollowing?.();
    if (outbox.queued() > 0) log.error('audit_entries_lost', { entries: outbox.queued() });
    await Promise.race([anchoring.flush(), late.promise]);
    onTime();
    // The last to close it leaves no WAL.
    await reader.end();
    await writer.end(!isDamaged);
  }

  const audit: Audit = {
    write(entry) {
      // A call is a reason to ask a locked keychain again, though not each one.
      if (credentials === null && clock.monotonic() - askedKeyAt >= KEY_AGAIN_FOR_CALL_MS) void begin();
      return outbox.write(entry);
    },
    keychainOpened() {
      if (credentials === null) void begin();
    },
    writeSoon: outbox.writeSoon,
    available: outbox.available,
    queued: outbox.queued,
    async list(filter) {
      await outbox.settled();
      return reader.ask('list', { filter });
    },
    async figures(query, by) {
      await outbox.settled();
      return reader.ask('figures', { query, by });
    },
    async *scanCalls({ sinceAt = null, limit }) {
      await outbox.settled();
      for (let before: number | null = null, left = limit; left > 0; ) {
        const { calls, nextBefore }: ScannedCalls = await reader.ask('scan', {
          before,
          sinceAt,
          limit: Math.min(left, MOST_SCANNED),
        });
        if (calls.length > 0) yield calls;
        if (nextBefore === null) return;
        before = nextBefore;
        left -= calls.length;
      }
    },
    indexed: reader.indexed,
    verify: () => verify('all'),
    async exportLines() {
      await outbox.settled();
      return reader.ask('export', { at: clock.now(), version, publicKey: credentials?.key.publicKey ?? null });
    },
    async exportRecords(format, query) {
      await outbox.settled();
      return reader.ask('exportRecords', { at: clock.now(), format, query });
    },
    work: reader.work,
    async purge(limit, by) {
      await outbox.settled();
      if (stage !== 'open') return { kind: 'unavailable', reason: 'Gatehouse is closing.' };
      const answer = await new Promise<PurgeAnswer>((resolve) => {
        purging.push(resolve);
        writer.post({ kind: 'purge', limit, by, at: clock.now() });
      });
      // The anchored head may be one of those that are gone now.
      await anchoring.flush();
      return answer;
    },
    close() {
      ending ??= end();
      return ending;
    },
  };
  return {
    kind: 'opened',
    audit,
    setAside: first.setAside,
    recovered,
    problem,
    verified: verify('last').catch((error: unknown) => {
      // Closing ends the reader in the middle of its walk.
      if (stage !== 'open') return null;
      const reason = error instanceof Error ? error.message : String(error);
      log.error('audit_not_verified', { reason });
      isDamaged = true;
      return unreadable(NO_TRUST, reason);
    }),
    writerPragmas: () =>
      new Promise((resolve) => {
        pragmasAsked.push(resolve);
        writer.post({ kind: 'pragmas' });
      }),
  };
}

/** The end of one call is then written together with the beginning of the next: one flush of the disk in place of two. */
const SOON_MS = 10;

/** Calls of one batch of a scan. */
const MOST_SCANNED = 500;

const NO_TRUST: Trust = {
  publicKey: null,
  keptIn: 'none',
  anchor: null,
  notes: ['The keychain is locked: signatures are checked against the key that the log itself names.'],
};

function deferred<T>(): { readonly promise: Promise<T>; resolve(value: T): void } {
  return Promise.withResolvers<T>();
}
