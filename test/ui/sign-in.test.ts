import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Request } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { anApproval, anUpstream } from '../support/fake-core.ts';
import { openTab, openUi, type Tab, type Ui, watch } from '../support/ui.ts';

let ui: Ui;
let tab: Tab;
beforeAll(async () => {
  ui = await openUi();
});
afterAll(() => ui.close());
afterEach(() => tab.close());

test('A23 signing in leaves no token in the address, the history or a Referer, and a reload stays signed in', async () => {
  tab = await openTab(ui);
  expect(await tab.page.evaluate('location.href')).toBe(`${tab.dashboard.url}/`);
  const requests: Request[] = [];
  tab.page.on('request', (request) => requests.push(request));
  await tab.page.reload();
  await tab.page.getByRole('heading', { name: 'Approvals' }).waitFor();
  const headers = await Promise.all(requests.map((request) => request.allHeaders()));
  expect(headers.length).toBeGreaterThan(3);
  expect(headers.map((sent) => sent.referer || 'none')).toEqual(headers.map(() => 'none'));
  await tab.page.goBack().catch(() => null);
  expect(tab.page.url()).not.toContain('sign-in');
});

test('A23 without a sign-in there is a page without data, and nothing was asked of the core', async () => {
  tab = await openTab(ui, (core) => core.state.approvals.push(anApproval({ tool: 'canary_tool' })));
  const cold = await (await ui.browser.newContext()).newPage();
  const before = tab.core.asked.length;
  await cold.goto(`${tab.dashboard.url}/tools`);
  await cold.getByText('gatehouse dashboard').waitFor();
  expect(await cold.content()).not.toContain('canary_tool');
  expect(tab.core.asked.length).toBe(before);
  await cold.context().close();
});

test('a used link says what to do', async () => {
  tab = await openTab(ui);
  const link = tab.dashboard.link();
  const first = await (await ui.browser.newContext()).newPage();
  await first.goto(link);
  await first.getByRole('heading', { name: 'Approvals' }).waitFor();
  const second = await (await ui.browser.newContext()).newPage();
  await second.goto(link);
  await second.getByText('This link was used already or is older than ten minutes.').waitFor();
  await first.context().close();
  await second.context().close();
});

test('a second tab with a link of its own does not end the first', async () => {
  tab = await openTab(ui);
  const second = await tab.context.newPage();
  await second.goto(tab.dashboard.link());
  await second.getByRole('heading', { name: 'Approvals' }).waitFor();
  tab.core.state.upstreams.push(anUpstream());
  await tab.page.goto(`${tab.dashboard.url}/#/upstreams`);
  await tab.page.getByRole('article', { name: 'files' }).waitFor();
});

test('E14 (design: a tab whose live stream is open is an approver) it leaves when the tab closes or signs out', async () => {
  tab = await openTab(ui);
  await expect.poll(() => tab.core.approvers.present()).toBe(true);
  await tab.page.getByRole('button', { name: 'Sign out this tab' }).click();
  await tab.page.getByText('This tab was signed out.').waitFor();
  await expect.poll(() => tab.core.approvers.present()).toBe(false);
  await tab.page.goto(tab.dashboard.link());
  await expect.poll(() => tab.core.approvers.present()).toBe(true);
  await tab.page.close();
  await expect.poll(() => tab.core.approvers.present()).toBe(false);
});

test('when the core goes away the tab says so, and afterwards that it must sign in again', async () => {
  tab = await openTab(ui);
  const port = Number(new URL(tab.dashboard.url).port);
  await tab.dashboard.close();
  await tab.page.getByText('Not connected to Gatehouse; trying again.').waitFor();
  const again = createServer((_, response) => response.writeHead(401).end('{}'));
  await new Promise<void>((resolve) => again.listen(port, '127.0.0.1', resolve));
  await tab.page.getByText('This tab was signed out.').waitFor();
  await new Promise((resolve) => again.close(resolve).closeAllConnections());
});

test('L8 a walk through every screen breaks no rule of the policy, and an injected inline script does not run', async () => {
  tab = await openTab(ui, (core) => core.state.approvals.push(anApproval()));
  for (const screen of ['Tools', 'Upstreams', 'Audit', 'Clients', 'Policy', 'Approvals']) {
    await tab.page.getByRole('navigation').getByRole('button', { name: screen }).click();
    await tab.page.getByRole('heading', { name: screen, level: 2 }).waitFor();
  }
  await tab.page.waitForSelector('button.approve:enabled');
  expect(tab.faults).toEqual([]);
  expect(tab.foreign).toEqual([]);
  // React Aria's own rule is there: it was let in by its nonce, not left out.
  expect(await tab.page.evaluate('document.querySelectorAll("head style").length')).toBe(1);
  const ran = await tab.page.evaluate(`
    const script = document.createElement('script');
    script.textContent = 'window.injected = true';
    document.head.append(script);
    let evaluated = true;
    try { new Function('return 1')(); } catch { evaluated = false; }
    [window.injected === true, evaluated];
  `);
  // The protocol's own evaluate is exempt from the eval rule, so only the element is asserted.
  expect((ran as boolean[])[0]).toBe(false);
  expect(tab.faults.some((fault) => fault.includes('Content Security Policy'))).toBe(true);
});

test('A22 no page of another port can frame the dashboard', async () => {
  tab = await openTab(ui);
  const urls = ['/', '/approvals', '/nowhere'].map((path) => tab.dashboard.url + path);
  const evil = createServer((_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(urls.map((url) => `<iframe src="${url}"></iframe>`).join(''));
  });
  await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve));
  const page = await tab.context.newPage();
  const faults: string[] = [];
  watch(page, '', faults, []);
  await page.goto(`http://127.0.0.1:${(evil.address() as AddressInfo).port}/`);
  await expect.poll(() => faults.filter((fault) => /frame/i.test(fault)).length).toBe(3);
  for (const frame of page.frames().slice(1)) expect(frame.url()).not.toContain(tab.dashboard.url);
  await new Promise((resolve) => evil.close(resolve).closeAllConnections());
});
