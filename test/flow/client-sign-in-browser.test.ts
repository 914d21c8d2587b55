import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { openRealDashboard } from '../support/real-dashboard.ts';
import { createProgram } from '../support/signing-in.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

/** The listener that a program has for its answer. */
async function openCallback() {
  let came: URL | null = null;
  const server = createServer((request, response) => {
    // Browsers ask for an icon as well.
    if (request.url?.startsWith('/callback')) came = new URL(request.url, 'http://localhost');
    response.end('Back at the program.');
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    redirect: `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`,
    came: () => came,
    [Symbol.dispose]: () => void server.close().closeAllConnections(),
  };
}

test('in a real browser: the page waits and knows nothing, the dashboard asks, a yes by mouse leads back to the program', async () => {
  await using gatehouse = await startGatehouse({ approver: false });
  await using real = await openRealDashboard(gatehouse);
  using callback = await openCallback();
  const dashboard = await browser.newPage();
  await dashboard.goto(real.dashboard.link());
  await dashboard.getByRole('heading', { name: 'Approvals' }).waitFor();

  const program = createProgram(gatehouse.core.endpoint, 'Claude <b>Code</b>', callback.redirect);
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  await page.goto((await program.browserAddress()).href);
  expect(await page.getByRole('heading').innerText()).toBe('Gatehouse is asking you');
  const shown = await page.content();
  for (const told of ['Claude', 'Personal', 'demo', callback.redirect]) expect(shown).not.toContain(told);
  expect(await page.context().cookies()).toEqual([]);

  const card = dashboard.getByRole('article', { name: /wants to connect to workspace Personal/ });
  await card.waitFor();
  expect(await card.innerText()).toContain('"Claude <b>Code</b>" wants to connect');
  // The process that listens at the redirect address is this one: it is named from outside of what the program said.
  if (process.platform === 'linux') expect(await card.innerText()).toContain(`(process ${process.pid})`);
  await dashboard.waitForTimeout(800);
  await card.getByRole('button', { name: 'Confirm' }).click();
  await page.waitForURL(/\/callback\?/);
  expect(await page.innerText('body')).toBe('Back at the program.');
  const { searchParams } = callback.came() ?? new URL('about:blank');
  await program.finish(new URL(`${callback.redirect}?${searchParams}`));
  const client = await program.connect();
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain('find_tools');
  await client.close();
  expect(faults).toEqual([]);

  await dashboard.goto(`${real.dashboard.url}/#/clients`);
  await dashboard.getByText('signed in by itself').waitFor();
  expect(await dashboard.getByRole('button', { name: 'Rotate' }).count()).toBe(0);
  await dashboard.close();
  await page.close();
});

test('A22: no page of a sign-in stands in a frame, and no other site starts one unseen', async () => {
  await using gatehouse = await startGatehouse();
  const program = createProgram(gatehouse.core.endpoint);
  const address = (await program.browserAddress()).href;
  const site = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(`<img src="${address}"><iframe src="${address}"></iframe>`);
  });
  await new Promise<void>((listening) => site.listen(0, '127.0.0.1', listening));
  const page = await browser.newPage();
  await page.goto(`http://localhost:${(site.address() as AddressInfo).port}/`);
  await page.waitForLoadState('networkidle');
  expect(page.frames()[1]?.url()).toBe('chrome-error://chromewebdata/');
  expect(await gatehouse.ask('confirmationsList')).toEqual([]);
  const refused = (await gatehouse.audit((all) => all.some(({ kind }) => kind === 'origin_rejected'))).filter(
    ({ kind }) => kind === 'origin_rejected',
  );
  expect(refused.map(({ detail }) => detail.reason)).toContain('from a page of another site');
  await page.close();
  site.close();
  site.closeAllConnections();
});
