import { expect, test } from 'vitest';
import { createApprovers } from '../../../electron/core/approvals/approvers.ts';
import { createConfirmations } from '../../../electron/core/approvals/confirmations.ts';
import { fakeClock } from '../../support/fake-clock.ts';

const act = {
  kind: 'key',
  title: 'A key for my-agent',
  lines: [{ label: 'role', value: 'executor' }],
  requestedBy: 'cli',
} as const;

function world() {
  const clock = fakeClock();
  const approvers = createApprovers();
  const leave = approvers.arrive('dashboard');
  return { clock, leave, confirmations: createConfirmations({ clock, approvers, expireMs: 300_000 }) };
}

test.each([
  ['confirm', 'confirmed', 'This was already confirmed.'],
  ['refuse', 'refused', 'This was already refused.'],
] as const)('a person who answers %s is heard once', async (answer, heard, after) => {
  const { confirmations, clock } = world();
  const waiting = confirmations.request(act);
  const [view] = confirmations.list();
  expect(view).toMatchObject({ ...act, createdAt: clock.now(), expiresAt: clock.now() + 300_000 });
  expect(confirmations.answer(view!.id, answer, 'dashboard')).toEqual({ kind: 'done' });
  expect(await waiting).toBe(heard);
  expect(confirmations.list()).toEqual([]);
  expect(confirmations.answer(view!.id, 'confirm', 'dashboard')).toEqual({ kind: 'refused', message: after });
  expect(clock.pending()).toBe(0);
});

test('nobody can confirm: unavailable at once', async () => {
  const { confirmations, leave } = world();
  leave();
  expect(await confirmations.request(act)).toBe('unavailable');
  expect(confirmations.list()).toEqual([]);
});

test('nobody confirms for five minutes: it expires and cannot be confirmed afterwards', async () => {
  const { confirmations, clock } = world();
  const waiting = confirmations.request(act);
  const [view] = confirmations.list();
  await clock.advance(299_999);
  expect(confirmations.list()).toHaveLength(1);
  await clock.advance(1);
  expect(await waiting).toBe('expired');
  expect(confirmations.answer(view!.id, 'confirm', 'dashboard')).toEqual({
    kind: 'refused',
    message: 'The time to confirm this is over; ask for it again.',
  });
});

test('a machine that slept over the end does not take a yes afterwards', async () => {
  const { confirmations, clock } = world();
  const waiting = confirmations.request(act);
  const [view] = confirmations.list();
  clock.set(clock.now() + 600_000);
  expect(confirmations.answer(view!.id, 'confirm', 'dashboard')).toMatchObject({ kind: 'refused' });
  expect(await waiting).toBe('expired');
});

test('an unknown confirmation is refused, and a script cannot pile up more than twenty', async () => {
  const { confirmations } = world();
  expect(confirmations.answer('x', 'confirm', 'dashboard')).toEqual({
    kind: 'refused',
    message: 'There is no such confirmation.',
  });
  for (let n = 0; n < 20; n++) void confirmations.request(act);
  expect(await confirmations.request(act)).toBe('unavailable');
  expect(confirmations.list()).toHaveLength(20);
});

test('listeners hear of what comes and of what goes', async () => {
  const { confirmations } = world();
  let heard = 0;
  const leave = confirmations.onChange(() => {
    heard++;
  });
  void confirmations.request(act);
  expect(heard).toBe(1);
  confirmations.answer(confirmations.list()[0]!.id, 'refuse', 'dashboard');
  expect(heard).toBe(2);
  leave();
  void confirmations.request(act);
  expect(heard).toBe(2);
});
