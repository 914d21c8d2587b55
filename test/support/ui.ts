import type { Browser, BrowserContext, Page } from 'playwright-core';
import { silentLog } from '../../electron/core/diagnosis/log.ts';
import { systemClock } from '../../electron/core/platform.ts';
import { type Dashboard, startDashboard } from '../../electron/dashboard/server.ts';
import { buildRenderer } from './built-renderer.ts';
import { launchChromium } from './chromium.ts';
import { createFakeCore, type FakeCore } from './fake-core.ts';

/** The built renderer and one real Chromium, for all tests of a file. */
export interface Ui {
  readonly browser: Browser;
  readonly rendererFolder: string;
  close(): Promise<void>;
}

export async function openUi(): Promise<Ui> {
  const [built, browser] = await Promise.all([buildRenderer(), launchChromium()]);
  return {
    browser,
    rendererFolder: built.folder,
    async close() {
      await browser.close();
      await built.remove();
    },
  };
}

/** One signed-in tab at the real dashboard server before a behaving double of the core. */
export interface Tab {
  readonly core: FakeCore;
  readonly dashboard: Dashboard;
  readonly context: BrowserContext;
  readonly page: Page;
  /** Violations of the page's policy, and every error in its console. */
  readonly faults: readonly string[];
  /** Addresses that the page asked for, beyond the dashboard's own. */
  readonly foreign: readonly string[];
  close(): Promise<void>;
}

export async function openTab(ui: Ui, prepare: (core: FakeCore) => void = () => {}): Promise<Tab> {
  const core = createFakeCore();
  prepare(core);
  const dashboard = await startDashboard({
    core,
    rendererFolder: ui.rendererFolder,
    clock: systemClock,
    log: silentLog,
  });
  const context = await ui.browser.newContext({ viewport: { width: 900, height: 600 } });
  const page = await context.newPage();
  const faults: string[] = [];
  const foreign: string[] = [];
  watch(page, dashboard.url, faults, foreign);
  await page.goto(dashboard.link());
  await page.getByRole('heading', { level: 2 }).waitFor();
  return {
    core,
    dashboard,
    context,
    page,
    faults,
    foreign,
    async close() {
      await context.close();
      await dashboard.close();
    },
  };
}

/** The requests of one name that reached the core. */
export function askedFor(core: FakeCore, name: string): readonly unknown[] {
  return core.asked.filter((asked) => asked.name === name).map((asked) => asked.input);
}

export function watch(page: Page, own: string, faults: string[], foreign: string[]): void {
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(own) && !request.url().startsWith('data:')) foreign.push(request.url());
  });
}
