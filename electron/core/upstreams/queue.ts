/** Bounds the calls that are with one upstream at once. */
export interface CallQueue {
  /** `full`: refused at once. `left`: the caller gave up while waiting. Else call `release` when the call has ended. */
  enter(signal: AbortSignal): Promise<Entered>;
  load(): { readonly inFlight: number; readonly queued: number };
}

export type Entered =
  | { readonly kind: 'entered'; release(): void }
  | { readonly kind: 'full' }
  | { readonly kind: 'left' };

export function createCallQueue(limits: { readonly inFlight: number; readonly queued: number }): CallQueue {
  const waiting = new Set<() => void>();
  let inFlight = 0;

  function entered(): Entered {
    inFlight += 1;
    let isReleased = false;
    return {
      kind: 'entered',
      release() {
        if (isReleased) return;
        isReleased = true;
        inFlight -= 1;
        const [next] = waiting;
        next?.();
      },
    };
  }

  return {
    enter(signal) {
      if (signal.aborted) return Promise.resolve({ kind: 'left' });
      if (inFlight < limits.inFlight) return Promise.resolve(entered());
      if (waiting.size >= limits.queued) return Promise.resolve({ kind: 'full' });
      return new Promise((resolve) => {
        const settle = (outcome: () => Entered) => {
          waiting.delete(go);
          signal.removeEventListener('abort', leave);
          resolve(outcome());
        };
        const go = () => settle(entered);
        const leave = () => settle(() => ({ kind: 'left' }));
        waiting.add(go);
        signal.addEventListener('abort', leave, { once: true });
      });
    },
    load: () => ({ inFlight, queued: waiting.size }),
  };
}
