import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { startGatehouse } from '../support/gatehouse.ts';
import { openRealDashboard } from '../support/real-dashboard.ts';
import { openUi, type Ui, watch } from '../support/ui.ts';
import type { VendorProfile } from '../support/vendors/profile.ts';
import { startVendor, type Vendor } from '../support/vendors/vendor.ts';

/* A real core, its real dashboard, a real vendor in front of a real MCP server, and one Chromium for all of their pages. */

/** Two browsers' worth of pages and several servers: slow where the machine is busy. */
vi.setConfig({ testTimeout: 120_000 });

let ui: Ui;
beforeAll(async () => {
  ui = await openUi();
});
afterAll(() => ui.close());

interface Stage {
  readonly page: Page;
  readonly vendor: Vendor;
  readonly gatehouse: Awaited<ReturnType<typeof startGatehouse>>;
  readonly faults: readonly string[];
  /** Presses the link of the sign-in that waits and answers the vendor's pages as a person does. */
  allow(account: string, answer?: 'Allow' | 'Deny'): Promise<Page>;
}

async function open(profile: VendorProfile = {}): Promise<Stage> {
  const vendor = await startVendor(profile);
  onTestFinished(() => vendor.stop());
  const gatehouse = await startGatehouse();
  onTestFinished(() => gatehouse.close());
  const dashboard = await openRealDashboard(gatehouse, ui.rendererFolder);
  onTestFinished(() => dashboard[Symbol.asyncDispose]());
  const context = await ui.browser.newContext({ viewport: { width: 1100, height: 900 } });
  onTestFinished(() => context.close());
  context.setDefaultTimeout(12_000);
  const page = await context.newPage();
  const faults: string[] = [];
  watch(page, dashboard.dashboard.url, faults, []);
  await page.goto(dashboard.dashboard.link());
  await page.getByRole('heading', { level: 2 }).waitFor();
  await page.goto(`${dashboard.dashboard.url}/#/upstreams`);
  return {
    page,
    vendor,
    gatehouse,
    faults,
    async allow(account, answer = 'Allow') {
      const opened = context.waitForEvent('page');
      await page.getByRole('link', { name: /^Open 127\.0\.0\.1/ }).click();
      const at = await opened;
      const field = at.getByLabel('Account');
      const button = at.getByRole('button', { name: answer });
      await field.or(button).first().waitFor();
      if (await field.isVisible()) {
        await field.fill(account);
        await at.getByRole('button', { name: 'Sign in' }).click();
      }
      await button.click();
      return at;
    },
  };
}

async function add(page: Page, vendor: Vendor): Promise<void> {
  await page.getByRole('button', { name: 'Add upstream' }).click();
  await page.getByText('A URL', { exact: true }).click();
  await page.getByLabel('Name').fill('notes');
  await page.getByRole('textbox', { name: 'URL' }).fill(vendor.mcpUrl);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
}

test('a new address that wants an account is connected by one click here and one yes at the vendor, and its tools come', async () => {
  const { page, vendor, gatehouse, faults, allow } = await open();
  await add(page, vendor);
  await page.getByText('notes needs an account.').waitFor();
  await expect.poll(() => page.locator(':focus').textContent()).toBe('Connect account');
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: /^Open 127\.0\.0\.1/ }).waitFor();
  await expect.poll(() => page.locator(':focus').textContent()).toMatch(/^Open 127/);
  const result = await allow('grace');
  await result.getByText('You can close this window').waitFor();
  await page.getByText('“main” is connected.').waitFor();
  const account = page.getByRole('listitem', { name: 'main' });
  await account.getByText('connected', { exact: true }).waitFor();
  expect(await account.textContent()).toContain(vendor.issuer);
  await page.getByText(/tools? waits? for your review/).waitFor();
  await page.getByRole('button', { name: 'Trace', exact: true }).click();
  await page.getByRole('list', { name: 'Trace' }).getByText('Token', { exact: true }).waitFor();
  for (const token of vendor.tokens()) expect(await page.content()).not.toContain(token);

  await account.getByRole('button', { name: 'Sign out' }).click();
  await account.getByRole('button', { name: 'Sign out' }).click();
  await account.getByText('signed out', { exact: true }).waitFor();
  await account.getByRole('button', { name: 'Sign in' }).click();
  await allow('grace');
  await account.getByText('connected', { exact: true }).waitFor();
  expect(await gatehouse.ask('connectionsList')).toMatchObject([{ label: 'main', state: 'connected' }]);
  expect(faults).toEqual([]);
});

test('a vendor that registers nobody asks for a client id in place, and what it refuses is told in its own words', async () => {
  const { page, vendor, allow } = await open({ registration: 'off', clients: [{ id: 'by-hand' }] });
  await add(page, vendor);
  await page.getByRole('button', { name: 'Connect account' }).click();
  await page.getByLabel('Client id').waitFor();
  await page.getByLabel('Client id').fill('by-hand');
  await page.getByRole('button', { name: 'Continue' }).click();
  await allow('grace', 'Deny');
  await page.getByText('access_denied', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Try again' }).click();
  await allow('grace');
  await page.getByText('“main” is connected.').waitFor();
});

test('registration that is refused shows the failing step open, and of several servers the person chooses', async () => {
  const refused = { error: 'invalid_redirect_uri', description: 'redirect_uris must be https' };
  const { page, vendor } = await open({ registration: refused, authorizationServers: 2 });
  await add(page, vendor);
  await page.getByRole('button', { name: 'Connect account' }).click();
  await page.getByText('Where is yours?').waitFor();
  await page.getByText(vendor.issuers[1] ?? '', { exact: true }).click();
  await page.getByRole('button', { name: 'Continue there' }).click();
  await page.getByText('redirect_uris must be https').first().waitFor();
  expect(vendor.seen.length).toBeGreaterThan(0);
});

test('a call that wants more scopes, and a grant that is taken back, are each one click in the window', async () => {
  const { page, vendor, gatehouse, faults, allow } = await open({ toolScopes: { write_note: ['notes:write'] } });
  await add(page, vendor);
  await page.getByRole('button', { name: 'Connect account' }).click();
  await allow('grace');
  await page.getByText('“main” is connected.').waitFor();
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('button', { name: 'Review tools' }).waitFor();
  const tools = await gatehouse.ask('toolsList', { upstream: 'notes' });
  const accept = tools.map(({ name, fingerprint }) => ({ name, fingerprint, risk: 'read' as const }));
  expect(await gatehouse.ask('toolsReview', { upstream: 'notes', accept })).toMatchObject({ kind: 'done' });
  const { secret } = await gatehouse.key();

  await gatehouse.call(secret, 'notes__write_note', '{"text":"x"}');
  const account = page.getByRole('listitem', { name: 'main' });
  await account.getByText('wants more scopes').waitFor();
  await account.getByRole('button', { name: 'Allow more…' }).click();
  await page.getByText('Nothing was asked for yet.').waitFor();
  expect(await page.locator('.sign-in .scope').first().textContent()).toBe('notes:writenew');
  await page.getByRole('button', { name: 'Ask for it' }).click();
  await allow('grace');
  await account.getByText('connected', { exact: true }).waitFor();
  expect((await gatehouse.call(secret, 'notes__write_note', '{"text":"x"}')).text).toContain('written for grace: x');

  vendor.revokeGrants();
  vendor.expireAccessTokens();
  await gatehouse.call(secret, 'notes__whoami');
  await account.getByText('reconnect needed').waitFor();
  await page.getByRole('button', { name: 'Upstreams 1 to reconnect' }).waitFor();
  await account.getByRole('button', { name: 'Reconnect' }).click();
  await allow('grace');
  await account.getByText('connected', { exact: true }).waitFor();
  expect((await gatehouse.call(secret, 'notes__whoami')).text).toContain('grace');
  expect(faults).toEqual([]);
});

test('a second account is the one of a client that was given it, by two lists beside each other', async () => {
  const { page, vendor, gatehouse, allow } = await open();
  await add(page, vendor);
  await page.getByRole('button', { name: 'Connect account' }).click();
  await allow('grace');
  await page.getByText('“main” is connected.').waitFor();
  await page.getByRole('button', { name: 'Connect another account' }).click();
  await page.getByLabel('Your name for the account').fill('private');
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  // The browser is signed in as grace: a vendor that is asked again shows who it is.
  await allow('ada');
  await page.getByText('“private” is connected.').waitFor();
  const { clientId } = await gatehouse.key({ name: 'cursor' });
  const own = page.getByRole('combobox', { name: 'cursor' });
  await own.selectOption('private');
  await expect
    .poll(async () => (await gatehouse.ask('connectionsList')).find(({ label }) => label === 'private')?.defaultFor)
    .toEqual([clientId]);
  await page.getByRole('listitem', { name: 'private' }).getByRole('button', { name: 'Make default' }).click();
  await expect
    .poll(async () => (await gatehouse.ask('connectionsList')).find(({ label }) => label === 'private')?.isDefault)
    .toBe(true);
});

test('classic OAuth by a form, and client credentials without a browser, each set and connected in the window', async () => {
  const clients = [
    { id: 'by-hand', secret: 'canary-by-hand' },
    { id: 'robot', secret: 'canary-robot', grants: ['client_credentials'] },
  ] as const;
  const { page, vendor, gatehouse, faults, allow } = await open({
    clients,
    resourceOptional: true,
    registration: 'off',
  });
  await add(page, vendor);
  await page.getByText('notes needs an account.').waitFor();
  const notes = page.getByRole('article', { name: 'notes' });
  const form = notes.getByRole('form', { name: 'How accounts sign in at notes' });
  await notes.getByRole('button', { name: 'Sign-in', exact: true }).click();
  await form.getByText('Classic OAuth').click();
  await form.getByLabel('Authorize address').fill(`${vendor.issuer}/authorize`);
  await form.getByLabel('Token address').fill(`${vendor.issuer}/token`);
  await form.getByLabel('Client id').fill('by-hand');
  await form.getByLabel('Client secret').fill('canary-by-hand');
  await form.getByLabel('Scopes').fill('notes:read');
  await form.getByRole('button', { name: 'Save' }).click();
  await form.waitFor({ state: 'detached' });
  await notes.getByRole('button', { name: 'Connect account' }).click();
  await allow('grace');
  await notes.getByText('“main” is connected.').waitFor();
  await notes.getByRole('button', { name: 'Sign-in', exact: true }).click();
  expect(await form.getByLabel('Client secret').inputValue()).toBe('');
  expect(await form.getByLabel('Client secret').getAttribute('placeholder')).toBe('kept; type to replace it');

  await form.getByText('Client credentials').click();
  await form.getByLabel('Client id').fill('robot');
  await form.getByLabel('Client secret').fill('canary-robot');
  await form.getByRole('button', { name: 'Save' }).click();
  await form.waitFor({ state: 'detached' });
  await notes.getByRole('button', { name: 'Connect another account' }).click();
  await notes.getByLabel('Your name for the account').fill('robot');
  await notes.getByRole('button', { name: 'Connect', exact: true }).click();
  await notes.getByRole('listitem', { name: 'robot' }).getByText('connected', { exact: true }).waitFor();
  expect(vendor.tokenRequests('client_credentials')).toHaveLength(1);
  expect((await gatehouse.ask('connectionsList')).map(({ label, mode }) => [label, mode])).toEqual([
    ['main', 'oauth'],
    ['robot', 'client_credentials'],
  ]);
  expect(await page.content()).not.toContain('canary');
  expect(faults).toEqual([]);
});
