import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openAccounts } from '../support/accounts.ts';
import { launchChromium } from '../support/chromium.ts';
import { signInWithPage } from '../support/vendors/real-browser.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

test('in a real browser: the account is signed in, and the page says which and that it can be closed', async () => {
  await using accounts = await openAccounts();
  const context = await browser.newContext();
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  page.on('pageerror', (error) => faults.push(error.message));
  const ended = await accounts.signIn({
    follow: async (link) => {
      await signInWithPage(page, link, { account: 'grace' });
      await page.waitForLoadState();
    },
  });
  expect(ended).toMatchObject({ state: 'connected', label: 'work' });
  const text = await page.locator('body').innerText();
  expect(text).toContain('work');
  expect(text).toMatch(/close/i);
  expect(await page.locator('script, form, a, button').count(), 'it is inert').toBe(0);
  expect(faults).toEqual([]);
  await accounts.review();
  expect(await accounts.whoami()).toMatchObject({ account: 'grace' });

  // The address in the bar is worth nothing any more.
  const again = await page.reload().catch(() => null);
  expect(again === null || again.status() >= 400).toBe(true);
  await context.close();
});

test('in a real browser: Deny is told, and nothing is signed in', async () => {
  await using accounts = await openAccounts();
  const context = await browser.newContext();
  const page = await context.newPage();
  const ended = await accounts.signIn({
    follow: async (link) => {
      await signInWithPage(page, link, { answer: 'deny' });
      await page.waitForLoadState();
    },
  });
  expect(ended).toMatchObject({ state: 'failed', code: 'access_denied' });
  expect(await page.locator('body').innerText()).not.toContain('access_denied');
  expect(await accounts.gatehouse.ask('connectionsList', {})).toEqual([]);
  await context.close();
});
