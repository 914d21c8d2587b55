import { Worker } from 'node:worker_threads';
import type { AuditWork } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import type {
  FromReader,
  FromWriter,
  IndexState,
  ReaderQuestion,
  ReaderRequest,
  ReaderRequests,
  ToReader,
  ToWriter,
} from './messages.ts';

/** From source beside this file; in the bundle under the names that the build gives the two entries. */
const FROM_SOURCE = import.meta.url.endsWith('.ts');
const writerFile = () => new URL(FROM_SOURCE ? './writer.ts' : './audit-writer.js', import.meta.url);
const readerFile = () => new URL(FROM_SOURCE ? './reader.ts' : './audit-reader.js', import.meta.url);

export interface WriterWorker {
  post(message: ToWriter): void;
  /**
   * Lets it close the file and end; resolves when it has, or at the time limit. Its death is not reported then.
   *
   * @param isWhole false: somebody found the file damaged.
   */
  end(isWhole: boolean): Promise<void>;
}

/** How long a worker may take to end. Milliseconds. */
const END_MS = 5_000;

const CLOSING = 'Gatehouse is closing.';

/**
 * Waits for a worker that was told to end. It is not terminated before the limit: Node aborts the whole process when a
 * worker is terminated while it loads a native module.
 */
export async function exitOf(worker: Worker, exited: Promise<void>, clock: Clock): Promise<void> {
  const late = Promise.withResolvers<void>();
  const onTime = clock.after(END_MS, () => {
    void worker.terminate();
    late.resolve();
  });
  await Promise.race([exited, late.promise]);
  onTime();
}

export function startWriter(on: {
  readonly clock: Clock;
  message(message: FromWriter): void;
  /** It died by itself. */
  death(why: string): void;
}): WriterWorker {
  const worker = new Worker(writerFile(), { name: 'gatehouse-audit-writer' });
  const exited = Promise.withResolvers<void>();
  let over = false;
  let failure = 'it ended';
  worker.on('message', (message: FromWriter) => on.message(message));
  worker.on('error', (error: unknown) => {
    failure = error instanceof Error ? error.message : String(error);
  });
  worker.on('exit', () => {
    exited.resolve();
    if (over) return;
    over = true;
    on.death(failure);
  });
  return {
    post: (message) => worker.postMessage(message),
    end(isWhole) {
      over = true;
      worker.postMessage({ kind: 'end', isWhole } satisfies ToWriter);
      return exitOf(worker, exited.promise, on.clock);
    },
  };
}

export interface ReaderWorker {
  /** Rejects with a sentence for a person when the log cannot be read. */
  ask<R extends ReaderRequest>(request: R, ask: ReaderRequests[R]['ask']): Promise<ReaderRequests[R]['answer']>;
  /** Something was written: the index goes after it. */
  follow(): void;
  /** How far the index is, as last told. */
  indexed(): IndexState;
  /** What takes long there now, as last told. */
  work(): AuditWork | null;
  end(): Promise<void>;
}

/** Starts at the first question, and again at the first question after it died. */
export function startReader(folder: string, clock: Clock): ReaderWorker {
  let worker: Worker | null = null;
  let exited = Promise.withResolvers<void>();
  let nextId = 1;
  let over = false;
  let state: IndexState = { seq: 0, head: 0 };
  let work: AuditWork | null = null;
  const asked = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();

  function abandon(why: string): void {
    const open = [...asked.values()];
    asked.clear();
    work = null;
    worker = null;
    for (const { reject } of open) reject(new Error(why));
  }

  function running(): Worker {
    if (worker !== null) return worker;
    const started = new Worker(readerFile(), { name: 'gatehouse-audit-reader' });
    started.on('message', (message: FromReader) => {
      if (message.kind === 'indexed') {
        state = message.state;
        return;
      }
      if (message.kind === 'work') {
        work = message.work;
        return;
      }
      const question = asked.get(message.id);
      asked.delete(message.id);
      if (message.kind === 'answer') question?.resolve(message.answer);
      else question?.reject(new Error(message.message));
    });
    let failure = 'it ended';
    started.on('error', (error: unknown) => {
      failure = error instanceof Error ? error.message : String(error);
    });
    const exit = Promise.withResolvers<void>();
    exited = exit;
    started.on('exit', () => {
      exit.resolve();
      if (worker === started) abandon(`The reader of the audit log stopped: ${failure}`);
    });
    worker = started;
    return started;
  }

  return {
    ask<R extends ReaderRequest>(request: R, ask: ReaderRequests[R]['ask']): Promise<ReaderRequests[R]['answer']> {
      const id = nextId;
      nextId += 1;
      const message = { id, request, folder, ...ask } as ReaderQuestion;
      // A question that was being prepared while we closed must not start a worker that nobody ends.
      if (over) return Promise.reject(new Error(CLOSING));
      return new Promise((resolve, reject) => {
        asked.set(id, { resolve: (answer) => resolve(answer as ReaderRequests[R]['answer']), reject });
        running().postMessage(message);
      });
    },
    follow() {
      if (!over) running().postMessage({ request: 'follow', folder } satisfies ToReader);
    },
    indexed: () => state,
    work: () => work,
    async end() {
      over = true;
      const ending = worker;
      abandon(CLOSING);
      if (ending === null) return;
      ending.postMessage({ request: 'end' } satisfies ToReader);
      await exitOf(ending, exited.promise, clock);
    },
  };
}
