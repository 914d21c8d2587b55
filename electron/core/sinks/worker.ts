import { join } from 'node:path';
import { parentPort } from 'node:worker_threads';
import Database from 'better-sqlite3';
import type { SinkTarget } from '../../../shared/model.ts';
import { systemClock } from '../platform.ts';
import { BUSY_TIMEOUT_MS, faultOf, openDatabase } from '../store/database.ts';
import { type Courier, createCourier, DEADLINE_MS, type Progress } from './courier.ts';
import { CURSOR_MIGRATIONS, type Cursors, createCursors } from './cursors.ts';
import type { Destination, Sender } from './destination.ts';
import { createJsonlDestination } from './jsonl.ts';
import type { FromSinkWorker, RunnableSink, ToSinkWorker } from './messages.ts';
import { createOtlpDestination } from './otlp.ts';
import { createPostgresDestination } from './postgres.ts';
import { createSource, type Source } from './source.ts';

/**
 * The worker that delivers the audit to its sinks. It reads `audit.db` and writes only its own `sinks.db`, so nothing that
 * a call waits for ever waits for it.
 */
const port = parentPort;
if (port === null) throw new Error('worker.ts runs as a worker');

/** The log is looked at so often even when nobody said that something was written. Milliseconds. */
const LOOK_MS = 1_000;

interface Open {
  readonly audit: Database.Database;
  readonly own: Database.Database;
  readonly source: Source;
  readonly cursors: Cursors;
  readonly sender: Sender;
}

let open: Open | null = null;
let head = -1;
let nextQuestion = 1;
const couriers = new Map<string, Courier>();
/** What is being done to each sink: one thing after the other, so that there is never a second courier. */
const turns = new Map<string, Promise<void>>();
/** Gaps that wait to be recorded. */
const gaps = new Map<number, () => void>();
const look = setInterval(wake, LOOK_MS);

port.on('message', async (message: ToSinkWorker) => {
  switch (message.kind) {
    case 'open':
      return openFiles(message);
    case 'set':
      return inTurn(message.sink.id, () => set(message.sink));
    case 'remove':
      return inTurn(message.id, () => endOne(message.id));
    case 'test':
      return test(message.question, message.sink);
    case 'wake':
      return wake();
    case 'gap_recorded':
      gaps.get(message.question)?.();
      gaps.delete(message.question);
      return;
    case 'end':
      return end();
  }
});

function openFiles({ folder, at, machine, version, sinkIds }: Extract<ToSinkWorker, { kind: 'open' }>): void {
  const path = join(folder, 'sinks.db');
  const opened = openDatabase({ path, migrations: CURSOR_MIGRATIONS, synchronous: 'FULL', at });
  if (opened.kind !== 'open') {
    fault(opened.message);
    return;
  }
  try {
    const audit = new Database(join(folder, 'audit.db'), {
      readonly: true,
      fileMustExist: true,
      timeout: BUSY_TIMEOUT_MS,
    });
    audit.pragma('query_only = ON');
    audit.pragma('trusted_schema = OFF');
    const cursors = createCursors(opened.db);
    cursors.keepOnly(sinkIds);
    open = { audit, own: opened.db, source: createSource(audit), cursors, sender: { machine, version } };
    say({ kind: 'opened' });
    wake();
  } catch (error) {
    opened.db.close();
    fault(faultOf(error, folder)?.message ?? String(error));
  }
}

function inTurn(id: string, act: () => Promise<void>): Promise<void> {
  const turn = (turns.get(id) ?? Promise.resolve()).then(act);
  turns.set(id, turn);
  return turn;
}

function fault(message: string): void {
  say({ kind: 'fault', message });
  void end();
}

async function set(sink: RunnableSink): Promise<void> {
  if (open === null) return;
  await endOne(sink.id);
  const { source, cursors, sender } = open;
  const tell = (progress: Progress) => say({ kind: 'progress', id: sink.id, progress });
  if (sink.paused) {
    const { seq, deliveredAt, missed } = cursors.get(sink.id) ?? { seq: sink.startSeq, deliveredAt: null, missed: 0 };
    tell({
      state: 'paused',
      reason: null,
      failingSince: null,
      nextTryAt: null,
      deliveredSeq: seq,
      deliveredAt,
      missed,
    });
    return;
  }
  const courier = createCourier({
    clock: systemClock,
    random: Math.random,
    source,
    destination: destinationOf(sink.target, sender, sink.secrets),
    startSeq: sink.startSeq,
    cursor: { get: () => cursors.get(sink.id), set: (cursor) => cursors.set(sink.id, cursor) },
    tell,
    gap: (gap) =>
      new Promise((resolve) => {
        const question = nextQuestion;
        nextQuestion += 1;
        gaps.set(question, resolve);
        say({ kind: 'gap', id: sink.id, question, gap });
      }),
  });
  couriers.set(sink.id, courier);
  courier.wake();
}

async function endOne(id: string): Promise<void> {
  const courier = couriers.get(id);
  couriers.delete(id);
  await courier?.end();
}

async function test(question: number, sink: RunnableSink): Promise<void> {
  if (open === null) return;
  const destination = destinationOf(sink.target, open.sender, sink.secrets);
  const late = AbortSignal.timeout(DEADLINE_MS);
  const tooLate = new Promise<{ readonly kind: 'failed'; readonly reason: string }>((resolve) =>
    late.addEventListener('abort', () =>
      resolve({ kind: 'failed', reason: `It did not answer within ${DEADLINE_MS / 1_000} seconds.` }),
    ),
  );
  const found = await Promise.race([destination.check(late), tooLate]);
  await destination.close();
  say({
    kind: 'tested',
    question,
    ok: found.kind === 'reached',
    message: found.kind === 'reached' ? found.message : found.reason,
  });
  if (found.kind === 'reached') couriers.get(sink.id)?.retryNow();
}

function destinationOf(target: SinkTarget, sender: Sender, secrets: Readonly<Record<string, string>>): Destination {
  switch (target.kind) {
    case 'otlp':
      return createOtlpDestination(target, sender, secrets);
    case 'postgres':
      return createPostgresDestination(target, sender, secrets);
    case 'jsonl':
      return createJsonlDestination(target, sender);
  }
}

/** What hangs at one sink must not hide how far the log has gone. */
function wake(): void {
  if (open === null) return;
  const now = open.source.head();
  if (now !== head) say({ kind: 'head', seq: now });
  head = now;
  for (const courier of couriers.values()) courier.wake();
}

async function end(): Promise<void> {
  clearInterval(look);
  // A gap that nobody will record any more must not keep its courier from ending.
  for (const recorded of gaps.values()) recorded();
  await Promise.all(turns.values());
  await Promise.all([...couriers.values()].map((courier) => courier.end()));
  open?.audit.close();
  open?.own.close();
  open = null;
  // A delivery that was given up may still have its timers, and they would keep this thread for half a minute.
  process.exit(0);
}

function say(message: FromSinkWorker): void {
  port?.postMessage(message);
}
