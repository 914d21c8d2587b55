import type { ApprovalView, ConfirmationView } from '../../shared/model.ts';

/** What the approval window shows: one call, or one administrative act. */
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

/** The card the person asked for while it still waits, else the oldest; null when nothing waits. */
export function cardOnTop(
  waiting: readonly ApprovalView[],
  confirmations: readonly ConfirmationView[],
  asked: Card | null,
): Card | null {
  const cards = [
    ...waiting.map(({ id, createdAt }) => ({ kind: 'approval' as const, id, createdAt })),
    ...confirmations.map(({ id, createdAt }) => ({ kind: 'confirmation' as const, id, createdAt })),
  ];
  const found =
    cards.find((card) => asked !== null && cardKey(card) === cardKey(asked)) ??
    cards.toSorted((a, b) => a.createdAt - b.createdAt)[0];
  return found ? { kind: found.kind, id: found.id } : null;
}
