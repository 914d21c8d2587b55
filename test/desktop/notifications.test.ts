import { beforeEach, expect, test } from 'vitest';
import type { Api, Caller } from '../../electron/core/api.ts';
import type { Card } from '../../electron/desktop/cards.ts';
import { createNotifications, type Message, type NotificationChoice } from '../../electron/desktop/notifications.ts';
import type { ApprovalView } from '../../shared/model.ts';
import { approvalView } from '../support/views.ts';

interface Shown {
  readonly message: Message;
  readonly on: { pressed(key: string): void; opened(): void; closed(): void };
  taken: boolean;
}

let waiting: ApprovalView[];
let asked: { name: string; input: unknown; caller: Caller }[];
let shown: Shown[];
let opened: (Card | null)[];
let choice: NotificationChoice;

beforeEach(() => {
  waiting = [];
  asked = [];
  shown = [];
  opened = [];
  choice = { show: true, approve: true };
});

function notifications() {
  let nonces = 0;
  const api: Api = {
    async request(name, input, caller) {
      if (name === 'approvalsList') return { kind: 'answered', result: waiting };
      if (name === 'confirmationsList') return { kind: 'answered', result: [] };
      asked.push({ name, input, caller });
      return { kind: 'answered', result: { kind: 'done' } };
    },
  };
  return createNotifications({
    api,
    notifier: {
      show(message, on) {
        const one: Shown = { message, on, taken: false };
        shown.push(one);
        return () => {
          one.taken = true;
        };
      },
    },
    nonce: () => `nonce-${++nonces}`,
    choice: () => choice,
    open: (card) => opened.push(card),
  });
}

const labels = () => shown[0]?.message.buttons.map(({ label }) => label);
const press = async (label: string) => {
  const button = shown[0]?.message.buttons.find((candidate) => candidate.label === label);
  if (button === undefined) throw new Error(`no button ${label}`);
  shown[0]?.on.pressed(button.key);
  await new Promise((resolve) => setImmediate(resolve));
};

test('F15 (design: a short harmless call may be approved where it stands) a short call is shown whole and approved once', async () => {
  const card = approvalView();
  waiting = [card];
  notifications().approval(card);
  expect(shown[0]?.message.body).toBe('notes / append\nfor Claude Code\n{"text":"hello"}');
  expect(labels()).toEqual(['Approve once', 'Deny', 'Open']);

  await press('Approve once');
  await press('Approve once');
  expect(asked).toEqual([
    {
      name: 'approvalApprove',
      input: { approval: 'a1', argumentsSha256: 'sha-1', scope: 'once' },
      caller: { origin: 'notification', label: 'notification' },
    },
  ]);
  expect(shown[0]?.taken).toBe(true);
});

test.each<[string, Partial<ApprovalView>]>([
  ['destructive', { risk: 'destructive' }],
  ['too long', { argumentsText: `{"text":"${'x'.repeat(180)}"}` }],
  ['too long with a long tool name', { tool: 't'.repeat(170) }],
  ['on several lines', { argumentsText: '{\n"text":"hello"}' }],
  ['written right to left by a control character', { argumentsText: '{"file":"\u202egpj.exe"}' }],
  ['made by a client with an invisible name', { client: 'Claude\u200bCode' }],
])('F15 a call that is %s cannot be approved from its notification, and shows no argument', (_, over) => {
  const card = approvalView({ argumentsText: '{"text":"CANARY"}', ...over });
  waiting = [card];
  notifications().approval(card);
  expect(labels()).toEqual(['Deny', 'Open']);
  expect(shown[0]?.message.body).not.toContain(card.argumentsText);
  expect(shown[0]?.message.body).not.toMatch(/[\u202e\u200b]/);
  expect(shown[0]?.message.body).toContain('Open it to read the whole call.');
});

test('the switch takes Approve out of notifications', () => {
  choice = { show: true, approve: false };
  const card = approvalView();
  notifications().approval(card);
  expect(labels()).toEqual(['Deny', 'Open']);
});

test('the other switch takes notifications away altogether', () => {
  choice = { show: false, approve: true };
  notifications().approval(approvalView());
  expect(shown).toEqual([]);
});

test('a press on Approve after the switch was turned off opens the window instead', async () => {
  const card = approvalView();
  waiting = [card];
  notifications().approval(card);
  choice = { show: true, approve: false };
  await press('Approve once');
  expect([asked, opened]).toEqual([[], [{ kind: 'approval', id: 'a1' }]]);
});

test('a card with the same id but other arguments than were shown is opened, not approved', async () => {
  notifications().approval(approvalView());
  waiting = [approvalView({ argumentsText: '{"text":"other"}', argumentsSha256: 'sha-2' })];
  await press('Approve once');
  expect([asked, opened]).toEqual([[], [{ kind: 'approval', id: 'a1' }]]);
});

test('a call that waits no longer is neither approved nor denied', async () => {
  notifications().approval(approvalView());
  waiting = [];
  await press('Approve once');
  expect(asked).toEqual([]);
});

test('a button that was never shown only opens the card', async () => {
  const card = approvalView();
  waiting = [card];
  notifications().approval(card);
  shown[0]?.on.pressed('approve');
  await new Promise((resolve) => setImmediate(resolve));
  expect([asked, opened]).toEqual([[], [{ kind: 'approval', id: 'a1' }]]);
});

test('Deny denies the call that was shown', async () => {
  const card = approvalView({ risk: 'destructive' });
  waiting = [card];
  notifications().approval(card);
  await press('Deny');
  expect(asked.map(({ name, input }) => [name, input])).toEqual([['approvalDeny', { approval: 'a1', reason: '' }]]);
});

test('after it was closed a notification answers nothing', async () => {
  const card = approvalView();
  waiting = [card];
  notifications().approval(card);
  shown[0]?.on.closed();
  await press('Approve once');
  expect([asked, opened]).toEqual([[], []]);
});

test('a notification is taken back when its call was answered elsewhere', async () => {
  const card = approvalView();
  const all = notifications();
  waiting = [card];
  all.approval(card);
  await all.refresh();
  expect(shown[0]?.taken).toBe(false);
  waiting = [];
  await all.refresh();
  expect(shown[0]?.taken).toBe(true);
});

test('a confirmation can only be opened from its notification', async () => {
  notifications().confirmation('k1');
  expect(labels()).toEqual(['Open']);
  await press('Open');
  expect([asked, opened]).toEqual([[], [{ kind: 'confirmation', id: 'k1' }]]);
});
