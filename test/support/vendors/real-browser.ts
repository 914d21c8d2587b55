import type { Page } from 'playwright-core';
import type { Person } from './browser.ts';

/**
 * Signs in at a vendor with a real page: types the account name, presses Allow or Deny. Resolves to the address that the
 * vendor sent the browser to, whether or not somebody answers there.
 */
export async function signInWithPage(
  page: Page,
  link: string,
  { account = 'ada', answer = 'allow' }: Pick<Person, 'account' | 'answer'> = {},
): Promise<string> {
  await page.goto(link);
  const vendor = new URL(page.url()).origin;
  const field = page.getByLabel('Account');
  // A browser that has been there is not asked who it is.
  if (await field.isVisible()) {
    await field.fill(account);
    await page.getByRole('button', { name: 'Sign in' }).click();
  }
  const sent = page.waitForRequest((request) => request.isNavigationRequest() && !request.url().startsWith(vendor));
  await page.getByRole('button', { name: answer === 'allow' ? 'Allow' : 'Deny' }).click();
  return (await sent).url();
}
