import { join } from 'node:path';
import { parentPort } from 'node:worker_threads';
import Database from 'better-sqlite3';
import type { AuditWork } from '../../../shared/model.ts';
import { BUSY_TIMEOUT_MS, faultOf } from '../store/database.ts';
import { verifyChain } from './chain.ts';
import { exportLines } from './export.ts';
import { exportRecords } from './export-records.ts';
import { figuresOf } from './figures.ts';
import { createFollower, type Follower } from './follower.ts';
import type { FromReader, ReaderQuestion, ToReader } from './messages.ts';
import { listRecords } from './queries.ts';
import { chainSource, headOf, ownAnchor } from './rows.ts';
import { scanCalls } from './scan.ts';

/**
 * The worker that reads `audit.db`: queries, verification and export stop neither the event loop nor the writer. What
 * takes long is done in chunks, so that a query does not wait behind it.
 */
const port = parentPort;
if (port === null) throw new Error('reader.ts runs as a worker');

let open: { readonly folder: string; readonly db: Database.Database; readonly follower: Follower } | null = null;

let ending = false;

port.on('message', async (message: ToReader) => {
  if (message.request === 'end') {
    ending = true;
    open?.follower.close();
    open?.db.close();
    port.close();
    return;
  }
  if (message.request === 'follow') {
    follow(message.folder);
    return;
  }
  try {
    const answer = await answerTo(message, reading(message.folder));
    say({ id: message.id, kind: 'answer', answer });
  } catch (error) {
    if (ending) return;
    const fault = faultOf(error, message.folder);
    const reason = fault?.message ?? (error instanceof Error ? error.message : String(error));
    say({ id: message.id, kind: 'failed', message: `The audit log cannot be read: ${reason}` });
  }
});

async function answerTo(message: ReaderQuestion, { db, follower }: NonNullable<typeof open>): Promise<unknown> {
  switch (message.request) {
    case 'list':
      return follower.ask((index, behind) => ({ ...listRecords(index, db, message.filter), behind }));
    case 'scan':
      return follower.ask((index) => scanCalls(index, db, message));
    case 'figures':
      return follower.ask(async (index, behind) => {
        const steps = figuresOf(index, message.query, message.by);
        const figures = await inChunks('figures', steps, (done) => ({ done, of: headOf(db).seq }));
        return { ...figures, behind };
      });
    case 'verify': {
      const trust = { ...message.trust, anchor: ownAnchor(db, message.trust.anchor) };
      const source = chainSource(db);
      const steps = verifyChain(source, trust, { signatures: message.signatures });
      return inChunks('verify', steps, (done) => ({ done, of: source.upTo }));
    }
    case 'export':
      return inChunks('export', exportLines(db, message), (progress) => progress);
    case 'exportRecords':
      return follower.askLong((index) => inChunks('export', exportRecords(index, db, message), (progress) => progress));
  }
}

/** Nobody waits for it: what is wrong is met by the next question, which says it. */
function follow(folder: string): void {
  try {
    reading(folder).follower.follow();
  } catch (error) {
    if (faultOf(error, folder) === null) throw error;
  }
}

function reading(folder: string): NonNullable<typeof open> {
  if (open?.folder === folder && open.db.open) return open;
  const db = new Database(join(folder, 'audit.db'), { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
  db.pragma('query_only = ON');
  db.pragma('trusted_schema = OFF');
  const follower = createFollower(db, join(folder, 'audit-index.db'), (state) => say({ kind: 'indexed', state }));
  open = { folder, db, follower };
  return open;
}

/** How often it is told how far long work is. Milliseconds. */
const TELL_MS = 500;

/** `progress`: how far it is, from what a step yields. */
async function inChunks<S, T>(
  what: AuditWork['what'],
  steps: Generator<S, T>,
  progress: (step: S) => Omit<AuditWork, 'what'>,
): Promise<T> {
  let told = performance.now();
  try {
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
      if (performance.now() - told > TELL_MS) {
        told = performance.now();
        say({ kind: 'work', work: { what, ...progress(step.value) } });
      }
      await new Promise((resolve) => setImmediate(resolve));
      if (ending) steps.throw(new Error('Gatehouse is closing.'));
    }
  } finally {
    say({ kind: 'work', work: null });
  }
}

function say(message: FromReader): void {
  port?.postMessage(message);
}
