import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { aSink } from '../support/sink-view.ts';
import { askedFor, openTab, openUi, type Tab, type Ui } from '../support/ui.ts';

let ui: Ui;
let tab: Tab;
beforeAll(async () => {
  ui = await openUi();
});
afterAll(() => ui.close());
afterEach(() => tab.close());

const openSinks = () => tab.page.getByRole('navigation').getByRole('button', { name: 'Sinks' }).click();

test('each sink says how far it is, why it fails and when it is tried again; text of the other side is text', async () => {
  const poison = 'PostgreSQL said “<img src=x onerror=alert(1)>\u202e”.';
  tab = await openTab(ui, (core) => {
    core.state.sinks.push(
      aSink(),
      aSink({
        id: 's2',
        name: 'db',
        target: {
          kind: 'postgres',
          host: 'db.example',
          port: 5432,
          database: 'audit',
          user: 'gatehouse',
          table: 'gatehouse_audit',
          tls: 'verify',
          caFile: null,
          password: true,
        },
        state: 'failing',
        reason: poison,
        failingSince: Date.now() - 90_000,
        nextTryAt: Date.now() + 30_000,
        deliveredSeq: 12_290,
        waiting: 55,
        missed: 7,
      }),
    );
  });
  await openSinks();
  const rows = tab.page.getByRole('list', { name: 'Sinks' }).locator('> li');
  await rows.nth(1).waitFor();
  expect(await rows.first().textContent()).toContain(
    'Delivered up to entry 12,345 of 12,345, 0 waiting · last 1 min ago',
  );
  const failing = (await rows.nth(1).textContent()) ?? '';
  expect(failing).toContain('Delivered up to entry 12,290 of 12,345, 55 waiting');
  expect(failing).toContain('7 entries never got there');
  expect(failing).toContain('gatehouse@db.example:5432/audit · gatehouse_audit');
  expect(failing).toMatch(/Next try in (30|29|28|27|26|25) s/);
  expect(await tab.page.locator('main img').count()).toBe(0);
  expect(failing).not.toContain('\u202e');
  await rows.first().getByRole('button', { name: 'Test' }).click();
  await rows.first().getByText('It takes logs.').waitFor();
  expect(askedFor(tab.core, 'sinkTest')).toEqual([{ sink: 's1' }]);
  expect(tab.faults).toEqual([]);
});

test('adding one by keyboard sends the address and the secret apart, and the value is never shown', async () => {
  tab = await openTab(ui);
  await openSinks();
  await tab.page.getByText('The audit stays on this machine').waitFor();
  await tab.page.getByRole('button', { name: 'Add sink' }).press('Enter');
  await tab.page.getByLabel('Name').fill('central');
  await tab.page.getByLabel('Address').fill('https://collector.example/v1/logs');
  await tab.page.getByLabel('Secret header').fill('x-api-key');
  const add = tab.page.getByRole('button', { name: 'Add', exact: true });
  expect(await add.isDisabled()).toBe(true);
  await tab.page.getByLabel('Its value').fill('canary');
  expect(await tab.page.getByLabel('Its value').getAttribute('type')).toBe('password');
  await add.press('Enter');
  await tab.page.getByText('The double does not do this.').waitFor();
  expect(askedFor(tab.core, 'sinkAdd')).toEqual([
    {
      name: 'central',
      target: { kind: 'otlp', url: 'https://collector.example/v1/logs', secretHeaders: ['x-api-key'] },
      from: 'start',
      secrets: { 'x-api-key': 'canary' },
    },
  ]);
  expect(tab.faults).toEqual([]);
});
