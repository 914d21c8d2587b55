import { expect, test } from 'vitest';
import { createCardView } from '../../electron/desktop/card-view.ts';
import { cardAddress, cardInAddress } from '../../electron/desktop/cards.ts';
import { approvalView, confirmationView } from '../support/views.ts';

function view() {
  const shown: (string | null)[] = [];
  return { shown, view: createCardView({ shown: (card) => shown.push(card) }) };
}

const last = (shown: readonly (string | null)[]) => shown.at(-1);

test('of calls and confirmations the oldest is shown first', () => {
  const { shown, view: cards } = view();
  cards.handedApprovals([approvalView({ id: 'young', createdAt: 30 }), approvalView({ id: 'old', createdAt: 20 })]);
  expect(last(shown)).toBe('approval:old');
  cards.handedConfirmations([confirmationView({ id: 'oldest', createdAt: 10 })]);
  expect(last(shown)).toBe('confirmation:oldest');
});

test('the card in the address is shown while it waits, then the oldest again', () => {
  const { shown, view: cards } = view();
  const old = approvalView({ id: 'old', createdAt: 20 });
  cards.handedApprovals([old, approvalView({ id: 'asked', createdAt: 30 })]);
  cards.asked({ kind: 'approval', id: 'asked' });
  expect(last(shown)).toBe('approval:asked');
  cards.handedApprovals([old]);
  expect(last(shown)).toBe('approval:old');
});

test('a card that was never handed to the page is not shown there, whatever its address says', () => {
  const { shown, view: cards } = view();
  cards.handedApprovals([approvalView({ id: 'a' })]);
  cards.asked({ kind: 'approval', id: 'elsewhere' });
  expect(last(shown)).toBe('approval:a');
});

test('a call and a confirmation with the same id are two cards', () => {
  const { shown, view: cards } = view();
  cards.handedApprovals([approvalView({ id: 'x', createdAt: 1 })]);
  cards.handedConfirmations([confirmationView({ id: 'x', createdAt: 2 })]);
  cards.asked({ kind: 'confirmation', id: 'x' });
  expect(last(shown)).toBe('confirmation:x');
});

test('nothing is shown when nothing waits', () => {
  const { shown, view: cards } = view();
  cards.handedApprovals([]);
  expect(last(shown)).toBeNull();
});

test('calls of one client to one tool are one card, another as soon as a call joins or leaves it', () => {
  const { shown, view: cards } = view();
  const [a, b, c] = ['a', 'b', 'c'].map((id, n) => approvalView({ id, group: 'g', createdAt: n }));
  cards.handedApprovals([b!, a!]);
  expect(last(shown)).toBe('approval:a approval:b');
  cards.handedApprovals([a!, b!, c!]);
  expect(last(shown)).toBe('approval:a approval:b approval:c');
  cards.asked({ kind: 'approval', id: 'b' });
  expect(last(shown)).toBe('approval:a approval:b approval:c');
  cards.handedApprovals([a!, c!]);
  expect(last(shown)).toBe('approval:a approval:c');
});

test('an answer is about what is shown only when every call it names is on that card', () => {
  const { view: cards } = view();
  const call = (id: string) => ({ kind: 'approval', id }) as const;
  expect(cards.shownWith([call('a')])).toBeNull();
  cards.handedApprovals([
    approvalView({ id: 'a', group: 'g', createdAt: 1 }),
    approvalView({ id: 'b', group: 'g', createdAt: 2 }),
    approvalView({ id: 'other', createdAt: 3 }),
  ]);
  expect(cards.shownWith([call('b')])).toBe('approval:a approval:b');
  expect(cards.shownWith([call('b'), call('a')])).toBe('approval:a approval:b');
  for (const named of [[], [call('other')], [call('a'), call('other')], [{ kind: 'confirmation', id: 'a' } as const]])
    expect(cards.shownWith(named)).toBeNull();
});

test('an address names a card or nothing', () => {
  expect(cardInAddress('app://ui/approval.html#approval=a1')).toEqual({ kind: 'approval', id: 'a1' });
  expect(cardInAddress('app://ui/approval.html#confirmation=k1')).toEqual({ kind: 'confirmation', id: 'k1' });
  for (const url of ['app://ui/approval.html', 'app://ui/approval.html#', 'app://ui/approval.html#other=a1'])
    expect(cardInAddress(url)).toBeNull();
  // What the main window names comes from a page, so it cannot add anything to the address.
  expect(cardAddress({ kind: 'approval', id: 'a#confirmation=b' })).toBe('#approval=a%23confirmation%3Db');
});
