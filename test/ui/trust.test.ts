import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { aClient } from '../support/fake-core.ts';
import { askedFor, openTab, openUi, type Tab, type Ui } from '../support/ui.ts';

let ui: Ui;
let tab: Tab;
beforeAll(async () => {
  ui = await openUi();
});
afterAll(() => ui.close());
afterEach(() => tab.close());

test('trust in a client begins after its meaning was said, counts down on every screen and ends by its button', async () => {
  tab = await openTab(ui, (core) => {
    core.state.clients.push(aClient({ id: 'c1', name: 'claude-code' }), aClient({ id: 'c2', name: 'codex' }));
  });
  const { page } = tab;
  await page.getByRole('navigation').getByRole('button', { name: 'Clients' }).click();
  const row = page.getByRole('listitem').filter({ hasText: 'claude-code' });
  await row.getByRole('button', { name: 'Trust for a while' }).click();
  await row.getByText('except what is destructive or denied').waitFor();
  expect(askedFor(tab.core, 'trustStart')).toEqual([]);
  await row.getByRole('button', { name: '15 min' }).click();
  const banner = page.getByRole('status').filter({ hasText: 'Everything from claude-code runs unasked' });
  await banner.waitFor();
  expect(askedFor(tab.core, 'trustStart')).toEqual([{ client: 'c1', minutes: 15 }]);
  await page.getByRole('navigation').getByRole('button', { name: 'Audit' }).click();
  const left = () => banner.locator('.countdown').textContent();
  const before = await left();
  expect(before).toMatch(/^1(5:00|4:5\d) min$/);
  await expect.poll(left, { timeout: 4000 }).not.toBe(before);
  await banner.getByRole('button', { name: 'End now' }).click();
  await banner.waitFor({ state: 'detached' });
  expect(askedFor(tab.core, 'trustEnd')).toEqual([{ trust: 't-c1' }]);
  expect(tab.faults).toEqual([]);
});
