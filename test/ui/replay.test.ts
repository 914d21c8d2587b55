import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { ReplayedCall } from '../../shared/model.ts';
import { askedFor, openTab, openUi, type Tab, type Ui } from '../support/ui.ts';

let ui: Ui;
let tab: Tab;
beforeAll(async () => {
  ui = await openUi();
});
afterAll(() => ui.close());
afterEach(() => tab.close());

const call: ReplayedCall = {
  requestId: 'r1',
  at: 1,
  client: 'agent',
  upstream: 'files',
  tool: 'write_file',
  kind: 'tool',
  risk: 'write',
  argumentsText: '{"text":"<b>\u202e"}',
  before: { outcome: 'allow', rule: 'writes' },
  after: { outcome: 'deny', rule: 'no writing' },
  cannotTell: null,
};

test('a draft is tried before it is saved: counts, each changed call as text, and what it cannot tell', async () => {
  tab = await openTab(ui, (core) => {
    core.state.replay = {
      calls: 5,
      from: 1,
      to: 2,
      same: 2,
      changed: 2,
      cannotTell: 1,
      steps: [{ before: 'allow', after: 'deny', calls: 2 }],
      modified: { redactArgs: 0, redactResult: 0, holdResult: 3 },
      changes: [call],
      untold: [{ ...call, requestId: 'r2', cannotTell: '1 value was redacted.' }],
    };
  });
  const { page } = tab;
  await page.getByRole('navigation').getByRole('button', { name: 'Policy' }).click();
  await page.getByRole('button', { name: 'Replace' }).click();
  const panel = page.getByRole('region', { name: 'Try it against the past' });
  await page.getByRole('textbox').fill('defaultEffect: deny\nrules: []\n');
  await panel.getByText('Last week').click();
  await panel.getByRole('button', { name: 'Try' }).click();
  await panel.getByText('2 decided the same').waitFor();
  expect(await panel.textContent()).toContain('2 otherwise, 1 cannot tell.');
  const changed = panel.getByRole('list', { name: 'Calls decided otherwise' });
  expect(await changed.textContent()).toContain('allow writes → deny no writing');
  expect(await changed.locator('b').count()).toBe(0);
  expect(await changed.textContent()).toContain('\\u202e');
  expect(await panel.textContent()).toContain('… and 1 more.');
  expect(await panel.textContent()).toContain('Cannot tell: 1 value was redacted.');
  expect(askedFor(tab.core, 'policyReplay')).toEqual([
    { yaml: 'defaultEffect: deny\nrules: []\n', sinceMs: 7 * 24 * 3600_000, calls: 100_000, list: 200 },
  ]);
  await page.getByRole('textbox').fill('defaultEffect: allow\nrules: []\n');
  await panel.getByText('The draft was changed since').waitFor();
  expect(askedFor(tab.core, 'policyImport')).toEqual([]);
  expect(tab.faults).toEqual([]);
});

test('a draft runs as shadow, is compared on the screen, and becomes a draft again', async () => {
  tab = await openTab(ui, (core) => {
    core.state.replay = {
      calls: 3,
      from: 1,
      to: 2,
      same: 2,
      changed: 1,
      cannotTell: 0,
      steps: [{ before: 'allow', after: 'deny', calls: 1 }],
      modified: { redactArgs: 0, redactResult: 0, holdResult: 0 },
      changes: [call],
      untold: [],
    };
  });
  const { page } = tab;
  await page.getByRole('navigation').getByRole('button', { name: 'Policy' }).click();
  await page.getByRole('button', { name: 'Replace' }).click();
  await page.getByRole('textbox').fill('defaultEffect: deny\nrules: []\n');
  await page.getByRole('button', { name: 'Run as shadow' }).click();
  const shadow = page.getByRole('region', { name: 'Shadow' });
  await shadow.getByText('The policy alone rules.').waitFor();
  expect(await shadow.textContent()).toContain('1 otherwise');
  await shadow.getByRole('button', { name: 'Make it the policy' }).click();
  expect(await page.getByRole('textbox').inputValue()).toBe('defaultEffect: deny\nrules: []\n');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await shadow.getByRole('button', { name: 'Stop' }).click();
  await shadow.waitFor({ state: 'detached' });
  expect(askedFor(tab.core, 'policyShadowStop')).toEqual([{}]);
  expect(askedFor(tab.core, 'policyImport')).toEqual([]);
  expect(tab.faults).toEqual([]);
});
