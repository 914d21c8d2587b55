import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { PolicySuggestion } from '../../shared/model.ts';
import { askedFor, openTab, openUi, type Tab, type Ui } from '../support/ui.ts';

let ui: Ui;
let tab: Tab;
beforeAll(async () => {
  ui = await openUi();
});
afterAll(() => ui.close());
afterEach(() => tab.close());

const suggestion: PolicySuggestion = {
  id: 's1',
  effect: 'allow',
  clientId: 'c1',
  client: '<i>agent</i>\u202e',
  upstream: 'github',
  tool: 'list_issues',
  kind: 'tool',
  times: 14,
  since: 1,
  rule: { name: 'allow list_issues', effect: 'allow', match: { tool: ['list_issues'], risk: ['read', 'write'] } },
  replay: { calls: 20, changed: 16 },
  narrower: {
    name: 'allow list_issues',
    effect: 'allow',
    match: { tool: ['list_issues'], arguments: { field: '/repo', op: 'eq', value: 'docs' } },
  },
};

test('a suggestion says what was answered, what rule it would write and what that changes; one press applies or dismisses', async () => {
  tab = await openTab(ui, (core) => {
    core.state.suggestions = [suggestion, { ...suggestion, id: 's2', effect: 'deny', tool: 'drop', narrower: null }];
  });
  const { page } = tab;
  await page.getByRole('navigation').getByRole('button', { name: 'Policy' }).click();
  const card = page.getByRole('region', { name: 'Suggestions' });
  const first = card.getByRole('listitem').filter({ hasText: 'list_issues' }).first();
  await first.waitFor();
  const text = (await first.textContent()) ?? '';
  expect(text).toContain(
    'You approved github / list_issues 14 times from <i>agent</i>\\u202e and never denied it. Allow it?',
  );
  expect(text).toContain('This would change 16 of its latest 20 calls.');
  expect(text).toContain('allow: tool list_issues, risk read or write');
  expect(text).toContain('only for {"field":"/repo","op":"eq","value":"docs"}');
  expect(await card.locator('i').count()).toBe(0);
  expect(askedFor(tab.core, 'policySuggestionApply')).toEqual([]);
  await first.getByRole('button', { name: 'Allow only that' }).click();
  await first.filter({ hasText: 'You approved' }).waitFor({ state: 'detached' });
  expect(askedFor(tab.core, 'policySuggestionApply')).toEqual([{ suggestion: 's1', narrower: true }]);
  await card.getByText('You denied').waitFor();
  await card.getByRole('button', { name: 'Dismiss' }).click();
  await card.waitFor({ state: 'detached' });
  expect(askedFor(tab.core, 'policySuggestionDismiss')).toEqual([{ suggestion: 's2' }]);
  expect(tab.faults).toEqual([]);
});
