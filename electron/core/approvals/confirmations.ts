import { randomBytes } from 'node:crypto';
import type { ConfirmationView } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import type { Approvers } from './approvers.ts';

export type ConfirmationAnswer = 'confirmed' | 'refused' | 'expired' | 'unavailable';

/** Administrative acts that wait for the person. */
export interface Confirmations {
  /** `unavailable` at once when nobody can answer. Expires after five minutes, or when `withdrawn` aborts. */
  request(
    act: Pick<ConfirmationView, 'kind' | 'title' | 'lines' | 'requestedBy'>,
    withdrawn?: AbortSignal,
  ): Promise<ConfirmationAnswer>;
  answer(
    id: string,
    answer: 'confirm' | 'refuse',
    by: string,
  ): { readonly kind: 'done' } | { readonly kind: 'refused'; readonly message: string };
  list(): readonly ConfirmationView[];
  onChange(listener: () => void): () => void;
}

export interface ConfirmationsParts {
  readonly clock: Clock;
  readonly approvers: Approvers;
  readonly expireMs?: number;
}

/** In memory alone: an act that waits when Gatehouse ends was not confirmed. */
export function createConfirmations({ clock, approvers, expireMs = 300_000 }: ConfirmationsParts): Confirmations {
  const waiting = new Map<string, Waiting>();
  const over = new Map<string, ConfirmationAnswer>();
  const listeners = new Set<() => void>();

  function end(id: string, answer: ConfirmationAnswer): void {
    const confirmation = waiting.get(id);
    if (!confirmation) return;
    waiting.delete(id);
    confirmation.stopTimer();
    remember(over, id, answer);
    confirmation.resolve(answer);
    for (const listener of listeners) listener();
  }

  /** Timers stand still while the machine sleeps; the wall clock does not. */
  function expireDue(): void {
    for (const [id, { view, deadline }] of waiting) {
      if (clock.monotonic() >= deadline || clock.now() >= view.expiresAt) end(id, 'expired');
    }
  }

  return {
    request(act, withdrawn) {
      if (!approvers.present() || waiting.size >= MOST) return Promise.resolve('unavailable');
      const id = randomBytes(16).toString('base64url');
      const { kind, title, lines, requestedBy } = act;
      const createdAt = clock.now();
      const view: ConfirmationView = {
        id,
        kind,
        title,
        lines,
        requestedBy,
        createdAt,
        expiresAt: createdAt + expireMs,
      };
      return new Promise((resolve) => {
        const stopTimer = clock.after(expireMs, () => end(id, 'expired'));
        waiting.set(id, { view, deadline: clock.monotonic() + expireMs, stopTimer, resolve });
        withdrawn?.addEventListener('abort', () => end(id, 'expired'), { once: true });
        for (const listener of listeners) listener();
      });
    },
    answer(id, answer) {
      expireDue();
      if (!waiting.has(id)) return { kind: 'refused', message: OVER[over.get(id) ?? 'unavailable'] };
      end(id, answer === 'confirm' ? 'confirmed' : 'refused');
      return { kind: 'done' };
    },
    list() {
      expireDue();
      return [...waiting.values()].map(({ view }) => view);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** More at once is somebody's script, not a person at work; a list that long would be confirmed unread. */
const MOST = 20;

const OVER: Readonly<Record<ConfirmationAnswer, string>> = {
  confirmed: 'This was already confirmed.',
  refused: 'This was already refused.',
  expired: 'The time to confirm this is over; ask for it again.',
  unavailable: 'There is no such confirmation.',
};

interface Waiting {
  readonly view: ConfirmationView;
  /** Monotonic. */
  readonly deadline: number;
  readonly stopTimer: () => void;
  readonly resolve: (answer: ConfirmationAnswer) => void;
}

/** The latest hundred, for the sentence that a second answer gets. */
function remember(over: Map<string, ConfirmationAnswer>, id: string, answer: ConfirmationAnswer): void {
  over.set(id, answer);
  const [oldest] = over.keys();
  if (over.size > 100 && oldest !== undefined) over.delete(oldest);
}
