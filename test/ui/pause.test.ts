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

test('one press pauses everything; a banner on every screen says who did and leads back', async () => {
  tab = await openTab(ui);
  const { page } = tab;
  await page.getByRole('button', { name: 'Pause all calls' }).click();
  const banner = page.getByRole('status').filter({ hasText: 'All calls are paused' });
  await banner.waitFor();
  expect(await banner.textContent()).toContain('by dashboard, just now');
  await page.getByRole('navigation').getByRole('button', { name: 'Audit' }).click();
  await banner.waitFor();
  expect(await page.getByRole('button', { name: 'Pause all calls' }).count()).toBe(0);
  await banner.getByRole('button', { name: 'Resume' }).click();
  await banner.waitFor({ state: 'detached' });
  expect(askedFor(tab.core, 'callsPause')).toEqual([{}]);
  expect(askedFor(tab.core, 'callsResume')).toEqual([{}]);
  expect(tab.faults).toEqual([]);
});

test('one client is paused in its row, and its name is text in the banner', async () => {
  tab = await openTab(ui, (core) => {
    core.state.clients.push(aClient({ id: 'c1', name: '<b>one\u202e</b>' }), aClient({ id: 'c2', name: 'two' }));
  });
  const { page } = tab;
  await page.getByRole('navigation').getByRole('button', { name: 'Clients' }).click();
  await page.getByRole('listitem').filter({ hasText: 'one' }).getByRole('button', { name: 'Pause' }).click();
  const banner = page.getByRole('status').filter({ hasText: 'Calls of <b>one' });
  await banner.waitFor();
  expect(askedFor(tab.core, 'callsPause')).toEqual([{ client: 'c1' }]);
  await page.getByRole('listitem').filter({ hasText: 'one' }).getByRole('button', { name: 'Resume' }).click();
  await banner.waitFor({ state: 'detached' });
  expect(askedFor(tab.core, 'callsResume')).toEqual([{ client: 'c1' }]);
});
