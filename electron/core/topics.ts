import type { Topic } from '../../shared/model.ts';
import type { Audit } from './audit/audit.ts';
import type { Clock } from './platform.ts';

/** Tells screens what to ask for again. A burst of changes of one topic is told once. */
export interface Topics {
  tell(topic: Topic): void;
  subscribe(listener: (topic: Topic) => void): () => void;
  /** The same audit, whose writes are told as topic `audit`. */
  watchAudit(audit: Audit): Audit;
  close(): void;
}

const BURST_MS = 40;

export function createTopics(clock: Clock): Topics {
  const listeners = new Set<(topic: Topic) => void>();
  const waiting = new Map<Topic, () => void>();

  function tell(topic: Topic): void {
    if (waiting.has(topic)) return;
    waiting.set(
      topic,
      clock.after(BURST_MS, () => {
        waiting.delete(topic);
        for (const listener of listeners) listener(topic);
      }),
    );
  }

  return {
    tell,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    watchAudit: (audit) => ({
      ...audit,
      async write(entry) {
        const written = await audit.write(entry);
        tell('audit');
        if (written.kind === 'unavailable') tell('status');
        return written;
      },
      writeSoon(entry) {
        audit.writeSoon(entry);
        tell('audit');
      },
    }),
    close() {
      for (const cancel of waiting.values()) cancel();
      listeners.clear();
    },
  };
}
