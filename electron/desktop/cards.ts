import { batchesOf } from '../../shared/batches.ts';
import type { ApprovalView, ConfirmationView } from '../../shared/model.ts';

/** What is answered in the approval window: one call, or one administrative act. */
export interface Card {
  readonly kind: 'approval' | 'confirmation';
  readonly id: string;
}

export const cardKey = (card: Card): string => `${card.kind}:${card.id}`;

/** How the address of the approval window names a card: `#approval=<id>`, `#confirmation=<id>`. */
export const cardAddress = (card: Card): string => `#${card.kind}=${encodeURIComponent(card.id)}`;

/** The card that an address of the approval window names; null when it names none. */
export function cardInAddress(url: string): Card | null {
  const match = /#(approval|confirmation)=(.+)$/.exec(url);
  if (match?.[2] === undefined) return null;
  return { kind: match[1] === 'approval' ? 'approval' : 'confirmation', id: match[2] };
}

/** What stands in the window at one time: an act, a call, or all calls of one client to one tool. */
export interface OnTop {
  /** Another one as soon as a call joins or leaves it: what was not in sight long enough is not answered. */
  readonly key: string;
  /** Keys of what may be answered on it. */
  readonly answers: readonly string[];
}

/** The card the person asked for while it still waits, else the oldest; null when nothing waits. */
export function cardOnTop(
  waiting: readonly ApprovalView[],
  confirmations: readonly ConfirmationView[],
  asked: Card | null,
): OnTop | null {
  const cards = [
    ...batchesOf(waiting).map((calls) => ({
      createdAt: calls[0]?.createdAt ?? 0,
      answers: calls.map(({ id }) => cardKey({ kind: 'approval', id })),
    })),
    ...confirmations.map(({ id, createdAt }) => ({ createdAt, answers: [cardKey({ kind: 'confirmation', id })] })),
  ];
  const found =
    cards.find(({ answers }) => asked !== null && answers.includes(cardKey(asked))) ??
    cards.toSorted((a, b) => a.createdAt - b.createdAt)[0];
  return found ? { key: found.answers.join(' '), answers: found.answers } : null;
}
