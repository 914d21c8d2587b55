/**
 * As shell.test.ts: the built main process over a double of the `electron` module, the built pages in Chromium. The vendor
 * and the MCP server behind it are real.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { RequestInput, RequestName, RequestResult } from '../../shared/api.ts';
import { startDesktopApp } from '../support/electron-double/desktop-app.ts';
import { environmentOf, newBase, startHeadless } from '../support/headless.ts';
import { followAsBrowser } from '../support/vendors/browser.ts';
import { startVendor } from '../support/vendors/vendor.ts';

interface Facts {
  readonly openedOutside: readonly string[];
  readonly tray: readonly { readonly tooltip: string; readonly image: string; readonly labels: readonly string[] }[];
}

const soon = { timeout: 15_000, interval: 100 };

test('one click in the tray connects an account, a dead grant is mended by one, and nothing opens without a click', {
  timeout: 90_000,
}, async () => {
  await using vendor = await startVendor();
  const base = newBase();
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  const folder = join(base, 'data');
  const before = await startHeadless({ base, folder });
  await before.add('notes', { url: vendor.mcpUrl });
  await before.stop();

  const app = await startDesktopApp(folder, environmentOf(base));
  onTestFinished(() => app.close());
  const main = await app.page(0);
  const request = <N extends RequestName>(name: N, input: RequestInput<N>): Promise<RequestResult<N>> =>
    main.evaluate(`window.gatehouse.request(${JSON.stringify(name)}, ${JSON.stringify(input)})`);
  const facts = () => app.ask<Facts>('facts');
  const tooltip = async () => (await facts()).tray[0]?.tooltip;
  const state = async () => (await request('connectionsList', {}))[0]?.state;
  const opened = (count: number) =>
    vi.waitFor(async () => {
      const { openedOutside } = await facts();
      expect(openedOutside).toHaveLength(count);
      return openedOutside[count - 1] ?? '';
    }, soon);

  await vi.waitFor(() => app.ask('clickMenu', 'Connect account', 'notes: needs an account'), soon);
  const link = await opened(1);
  expect(new URL(link).origin).toBe(vendor.issuer);
  await followAsBrowser(link);
  await vi.waitFor(async () => expect(await state()).toBe('connected'), soon);
  await vi.waitFor(async () => expect(await tooltip()).toBe('Gatehouse'), soon);

  vendor.revokeGrants();
  vendor.expireAccessTokens();
  await request('upstreamRefresh', { upstream: 'notes' });
  await vi.waitFor(async () => expect(await tooltip()).toBe('Gatehouse: notes (main) must be reconnected'), soon);
  expect((await facts()).tray[0]?.image).toMatch(/tray-error/);
  await app.ask('clickMenu', 'Reconnect notes (main)');
  await followAsBrowser(await opened(2));
  await vi.waitFor(async () => expect(await state()).toBe('connected'), soon);

  await vi.waitFor(() => app.ask('clickMenu', 'Connect account', 'notes', 'main: connected', 'Sign out'), soon);
  await vi.waitFor(async () => expect(await state()).toBe('signed_out'), soon);
  expect((await facts()).openedOutside).toHaveLength(2);
  expect(app.complaints).toEqual([]);
});
