import type { ApprovalView } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import type { ApprovalAnswer, ApprovalRequest } from './request.ts';

/** `again`: the yes went to another caller, so this one has to ask for itself. */
export type Ending = ApprovalAnswer | { readonly kind: 'again' };

/** What a held caller sees of the card it waits at. */
export interface WaitedFor {
  readonly view: ApprovalView;
  /** False until `asked` is recorded. */
  readonly shown: boolean;
}

/** The callers that wait at one card right now, in the order they came. */
export interface Callers {
  /** Waits for an ending, at most until the monotonic time `until`; then the answer is `pending`. */
  hold(call: ApprovalRequest, until: number): Promise<Ending>;
  first(): ApprovalRequest | null;
  answerFirst(ending: Ending): void;
  answerAll(ending: Ending): void;
  /** Only those that came with this key. */
  answerKey(keyId: string, ending: Ending): void;
  failAll(error: unknown): void;
  /** The card is shown now: who was out of patience before may be told that it is pending. */
  shown(): void;
}

const TELL_EVERY_MS = 10_000;

/** `left` is told when the last caller cancelled or disconnected; running out of patience is not leaving. */
export function createCallers(clock: Clock, card: WaitedFor, left: () => void): Callers {
  const held = new Set<Held>();

  function answer(which: Iterable<Held>, ending: Ending): void {
    for (const caller of [...which]) caller.settle(ending);
  }

  return {
    hold(call, until) {
      return new Promise((resolve, reject) => {
        let outOfPatience = false;
        let stopTelling = clock.after(TELL_EVERY_MS, tell);
        const patience = until - clock.monotonic();
        const stopHolding = patience > 0 ? clock.after(patience, pending) : () => {};
        const caller: Held = {
          call,
          settle(ending) {
            release();
            resolve(ending);
          },
          fail(error) {
            release();
            reject(error);
          },
          shown() {
            if (outOfPatience) pending();
          },
        };
        held.add(caller);
        call.signal.addEventListener('abort', leave, { once: true });
        if (patience <= 0) pending();

        function release(): void {
          held.delete(caller);
          stopTelling();
          stopHolding();
          call.signal.removeEventListener('abort', leave);
        }
        /** Not before the card is there: whether it can be recorded is not known yet, and "pending" would be a promise. */
        function pending(): void {
          outOfPatience = true;
          if (card.shown) caller.settle({ kind: 'pending', approval: card.view });
        }
        function tell(): void {
          stopTelling = clock.after(TELL_EVERY_MS, tell);
          if (card.shown) call.onWaiting(card.view);
        }
        function leave(): void {
          held.delete(caller);
          if (held.size === 0) left();
          caller.settle({ kind: 'caller_left', approval: card.view });
        }
      });
    },
    first: () => [...held][0]?.call ?? null,
    answerFirst(ending) {
      answer([...held].slice(0, 1), ending);
    },
    answerAll(ending) {
      answer(held, ending);
    },
    answerKey(keyId, ending) {
      answer(
        [...held].filter(({ call }) => call.keyId === keyId),
        ending,
      );
    },
    failAll(error) {
      for (const caller of [...held]) caller.fail(error);
    },
    shown() {
      for (const caller of [...held]) caller.shown();
    },
  };
}

interface Held {
  readonly call: ApprovalRequest;
  settle(ending: Ending): void;
  fail(error: unknown): void;
  shown(): void;
}
