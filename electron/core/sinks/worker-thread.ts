import { Worker } from 'node:worker_threads';
import { exitOf } from '../audit/workers.ts';
import type { Clock } from '../platform.ts';
import type { FromSinkWorker, ToSinkWorker } from './messages.ts';

export interface SinkWorker {
  post(message: ToSinkWorker): void;
  /** Lets it close its files and end; resolves when it has, or at the time limit. Its death is not reported then. */
  end(): Promise<void>;
}

/** From source beside this file; in the bundle under the name that the build gives the entry. */
const file = () => new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './sinks-worker.js', import.meta.url);

export function startSinkWorker(on: {
  readonly clock: Clock;
  message(message: FromSinkWorker): void;
  /** It ended by itself. */
  death(why: string): void;
}): SinkWorker {
  // Without the environment: PGPASSWORD, OTEL_EXPORTER_OTLP_HEADERS and their kind would add what nobody confirmed.
  const worker = new Worker(file(), { name: 'gatehouse-sinks', env: {} });
  const exited = Promise.withResolvers<void>();
  let over = false;
  let failure = 'it ended';
  worker.on('message', (message: FromSinkWorker) => on.message(message));
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
    end() {
      over = true;
      worker.postMessage({ kind: 'end' } satisfies ToSinkWorker);
      return exitOf(worker, exited.promise, on.clock);
    },
  };
}
