import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Policy } from '../../shared/model.ts';
import { openTab, openUi, type Tab, type Ui } from '../support/ui.ts';

let ui: Ui;
let tab: Tab | null = null;
beforeAll(async () => {
  ui = await openUi();
}, 120_000);
afterAll(() => ui.close());
afterEach(async () => {
  expect(tab?.faults ?? []).toEqual([]);
  await tab?.close();
  tab = null;
});

const policy: Policy = {
  defaultEffect: 'require_approval',
  rules: [
    { name: 'read-tools-run', effect: 'allow', match: { risk: ['read'] } },
    {
      name: 'office\u202ehours',
      effect: 'deny',
      reason: 'Ask on Monday.',
      match: {
        client: ['bot-*'],
        clientTag: ['ci'],
        session: ['none'],
        time: [{ days: ['sat', 'sun'], zone: 'Europe/Berlin' }],
        arguments: { all: [{ field: '/n', op: 'gt', value: 5 }, { not: { field: '/x', op: 'exists' } }] },
      },
    },
    {
      name: 'careful',
      match: { upstream: ['mail'] },
      rateLimit: { calls: 30, per: '1m', by: 'client' },
      redactArgs: [{ name: 'card_numbers' }],
      redactResult: [{ field: '/users/*/email' }, { pattern: '\\d{9}' }],
      holdResult: [{ field: '/total', op: 'gte', value: 100 }],
    },
  ],
};

test('every rule is shown with all that it matches and does', async () => {
  tab = await openTab(ui, (core) => {
    core.state.policy = policy;
  });
  await tab.page
    .getByRole('link', { name: 'Policy' })
    .or(tab.page.getByRole('button', { name: 'Policy' }))
    .first()
    .click();
  const rows = tab.page.locator('.policy-rules tbody tr');
  await rows.first().waitFor();
  const said = await rows.allInnerTexts();
  expect(said).toHaveLength(4);
  expect(said[0]).toContain('risk read');
  for (const words of [
    'Ask on Monday.',
    'client bot-*',
    'client tag ci',
    'session none',
    'time sat, sun 00:00 to 24:00 in Europe/Berlin',
    'arguments (/n gt 5 and not /x is there)',
  ])
    expect(said[1]).toContain(words);
  for (const words of [
    'at most 30 within 1m, for each client',
    'takes out of arguments card numbers',
    'takes out of results field /users/*/email, pattern \\d{9}',
    'shows you first results where /total gte 100',
  ])
    expect(said[2]).toContain(words);
  expect(said[3]).toContain('everything else');
  // What a name hides is shown.
  expect(said[1]).toContain('office\\u202ehours');
});

test('a draft tells its faults at their places, and what it would change, before it is saved', async () => {
  tab = await openTab(ui, (core) => {
    core.state.policy = policy;
    core.state.findings = [
      { severity: 'error', message: 'rules[0].effect must be allow, deny or require_approval.', line: 2, column: 3 },
    ];
  });
  const { page, core } = tab;
  await page
    .getByRole('link', { name: 'Policy' })
    .or(page.getByRole('button', { name: 'Policy' }))
    .first()
    .click();
  await page.getByRole('button', { name: 'Replace…' }).click();
  const area = page.getByLabel('The whole policy as YAML');
  await area.fill('first\nsec\tond\n');
  await page.getByText('rules[0].effect must be allow').waitFor();
  expect(await page.getByRole('button', { name: 'Replace policy' }).isDisabled()).toBe(true);
  await page.getByRole('button', { name: 'Line 2, column 3' }).click();
  expect(await area.evaluate((one) => (one as unknown as { selectionStart: number }).selectionStart)).toBe(8);

  core.state.findings = [];
  core.state.difference = {
    defaultEffect: { before: 'require_approval', after: 'allow' },
    rules: [
      { rule: 'careful', change: 'changed', members: [{ member: 'rateLimit', before: '{"calls":30}', after: null }] },
      { rule: 'new-one', change: 'added', members: [{ member: 'effect', before: null, after: '"deny"' }] },
    ],
  };
  await area.fill('something else');
  const changes = page.getByRole('region', { name: 'What would change' });
  await changes.waitFor();
  expect((await changes.innerText()).replace(/\s+/g, ' ')).toBe(
    'What would change everything else: require_approval allow careful changed rateLimit: {"calls":30} new-one new effect: "deny"',
  );
  expect(await page.getByRole('button', { name: 'Replace policy' }).isEnabled()).toBe(true);
});
