import { join } from 'node:path';
import { parentPort } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { BUSY_TIMEOUT_MS, faultOf } from '../store/database.ts';
import { verifyChain } from './chain.ts';
import { exportLines } from './export.ts';
import type { FromReader, ReaderQuestion, ToReader } from './messages.ts';
import { listRecords } from './queries.ts';
import { chainSource, ownAnchor } from './rows.ts';

/**
 * The worker that reads `audit.db`: queries, verification and export stop neither the event loop nor the writer. What
 * takes long is done in chunks, so that a query does not wait behind it.
 */
const port = parentPort;
if (port === null) throw new Error('reader.ts runs as a worker');

let open: { readonly path: string; readonly db: Database.Database } | null = null;

let ending = false;

port.on('message', async (message: ToReader) => {
  if (message.request === 'end') {
    ending = true;
    open?.db.close();
    port.close();
    return;
  }
  try {
    const answer = await answerTo(message, database(join(message.folder, 'audit.db')));
    say({ id: message.id, kind: 'answer', answer });
  } catch (error) {
    if (ending) return;
    const fault = faultOf(error, message.folder);
    const reason = fault?.message ?? (error instanceof Error ? error.message : String(error));
    say({ id: message.id, kind: 'failed', message: `The audit log cannot be read: ${reason}` });
  }
});

async function answerTo(message: ReaderQuestion, db: Database.Database): Promise<unknown> {
  switch (message.request) {
    case 'list':
      return listRecords(db, message.filter);
    case 'verify': {
      const trust = { ...message.trust, anchor: ownAnchor(db, message.trust.anchor) };
      return inChunks(verifyChain(chainSource(db), trust, { signatures: message.signatures }));
    }
    case 'export':
      return inChunks(exportLines(db, message));
  }
}

function database(path: string): Database.Database {
  if (open?.path === path && open.db.open) return open.db;
  const db = new Database(path, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
  db.pragma('query_only = ON');
  db.pragma('trusted_schema = OFF');
  open = { path, db };
  return db;
}

async function inChunks<T>(steps: Generator<void, T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await new Promise((resolve) => setImmediate(resolve));
    if (ending) steps.throw(new Error('Gatehouse is closing.'));
  }
}

function say(message: FromReader): void {
  port?.postMessage(message);
}
