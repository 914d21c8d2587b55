import type { ApprovalView, ConfirmationView } from '../../shared/model.ts';
import type { AnswerGate } from './answer-gate.ts';
import { type Card, cardKey, cardOnTop, type OnTop } from './cards.ts';

/**
 * Follows which card the approval window shows, from what the main process handed to the page and from the page's
 * address, and tells the gate. The page chooses in the same way (renderer/screens/approval-window.tsx): the card in its
 * address while that waits, else the oldest.
 */
export interface CardView {
  handedApprovals(approvals: readonly ApprovalView[]): void;
  handedConfirmations(confirmations: readonly ConfirmationView[]): void;
  asked(card: Card | null): void;
  /** The key, as the gate knows it, of what is shown now if all of these are on it; null: they are not. */
  shownWith(cards: readonly Card[]): string | null;
}

export function createCardView(gate: Pick<AnswerGate, 'shown'>): CardView {
  let approvals: readonly ApprovalView[] = [];
  let confirmations: readonly ConfirmationView[] = [];
  let inAddress: Card | null = null;
  let onTop: OnTop | null = null;
  const look = () => {
    onTop = cardOnTop(approvals, confirmations, inAddress);
    gate.shown(onTop?.key ?? null);
  };

  return {
    handedApprovals(handed) {
      approvals = handed;
      look();
    },
    handedConfirmations(handed) {
      confirmations = handed;
      look();
    },
    asked(card) {
      inAddress = card;
      look();
    },
    shownWith(cards) {
      const isShown = (card: Card) => onTop?.answers.includes(cardKey(card)) === true;
      return onTop !== null && cards.length > 0 && cards.every(isShown) ? onTop.key : null;
    },
  };
}
