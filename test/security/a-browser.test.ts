import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openRealDashboard, type RealDashboard } from '../support/real-dashboard.ts';
import { echoBody, openTarget, type Target } from '../support/target.ts';

let target: Target;
let real: RealDashboard;
let browser: Browser;
let site: Site;

beforeAll(async () => {
  target = await openTarget();
  real = await openRealDashboard(target.gatehouse);
  site = await openSite();
  browser = await chromium.launch({
    executablePath: process.env.GATEHOUSE_CHROMIUM ?? '/usr/bin/chromium',
    args: [
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      // The name of the attack page; /etc/hosts stays as it is.
      '--host-resolver-rules=MAP evil.test 127.0.0.1',
      // The browser's own protection of local addresses would hide a fault of ours.
      '--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebRTC,BlockInsecurePrivateNetworkRequests,PrivateNetworkAccessSendPreflights',
    ],
  });
});
afterAll(async () => {
  await browser?.close();
  await site?.close();
  await real?.[Symbol.asyncDispose]();
  await target?.[Symbol.asyncDispose]();
});

test('A10: a page of another site reaches nothing by any means a browser has', async () => {
  const { port } = target.gatehouse;
  const { secret } = target.k1;
  const page = await browser.newPage();
  const answers = await watchAnswers(page, port);
  const forms: number[] = [];
  const { result: attempts, rows } = await target.refusals(async () => {
    await page.goto(`http://evil.test:${site.port}/`);
    const tried = await inPage<readonly { what: string; got: string }[]>(page, 'attack', {
      port,
      secret,
      body: echoBody(),
    });
    // Forms leave the page, so each has a tab of its own.
    for (const host of ['127.0.0.1', 'localhost']) {
      const tab = await browser.newPage();
      await tab.goto(`http://evil.test:${site.port}/`);
      const answered = tab.waitForResponse((response) => response.url().endsWith('/mcp'));
      await inPage(tab, 'submitForm', { host, port, body: echoBody() });
      forms.push((await answered).status());
      await tab.close();
    }
    return tried;
  });
  await page.close();

  // Nothing came back to the page, whatever it tried.
  expect(attempts.length).toBeGreaterThan(40);
  expect(attempts.filter(({ got }) => got !== '')).toEqual([]);
  // And what reached us was refused, each in its own way of getting there.
  expect(forms).toEqual([403, 403]);
  for (const host of ['127.0.0.1', 'localhost', '0.0.0.0'])
    expect(answers().filter(({ url }) => url.hostname === host).length, host).toBeGreaterThan(3);
  expect(answers().filter(({ status }) => status !== 403)).toEqual([]);
  expect(rows.length).toBeGreaterThan(15);
  expect([...new Set(rows.map((row) => row.kind))].toSorted()).toEqual(['host_rejected', 'origin_rejected']);
});

test('A10: a flood of them is counted, not written one by one', async () => {
  await using flooded = await openTarget();
  const page = await browser.newPage();
  await page.goto(`http://evil.test:${site.port}/`);
  const before = (await flooded.gatehouse.audit()).length;
  await inPage(page, 'flood', { port: flooded.gatehouse.port, count: 600 });
  await page.close();
  await flooded.stillServes();
  const singles = (await flooded.gatehouse.audit()).length - before;
  expect(singles).toBeGreaterThan(100);
  expect(singles).toBeLessThan(150);
  const { folder } = flooded.gatehouse;
  await flooded.gatehouse.core.close();
  // What was only counted is written at the end at the latest, with its number.
  expect(await countedIn(folder)).toBeGreaterThan(400);
});

test('A22: no page of ours stands in a frame of another site or port, and an opener reaches into none', async () => {
  const gateway = `http://127.0.0.1:${target.gatehouse.port}`;
  const dashboard = real.dashboard.url;
  const framed = [
    `${dashboard}/`,
    `${dashboard}/approvals`,
    `${dashboard}/oauth/callback`,
    `${dashboard}/not-there`,
    `${dashboard}/api/status`,
    `${gateway}/`,
    `${gateway}/approvals`,
    `${gateway}/oauth/callback`,
    `${gateway}/oauth/authorize?client_id=x`,
    `${gateway}/oauth/sign-in/${'u'.repeat(43)}`,
    `${gateway}/open/approvals`,
    `${gateway}/health`,
    `${gateway}/not-there`,
  ];
  for (const origin of [`http://evil.test:${site.port}`, `http://127.0.0.1:${site.port}`]) {
    const context = await browser.newContext();
    const page = await context.newPage();
    // The person is signed in, in the same browser.
    const own = await context.newPage();
    await own.goto(real.dashboard.link());
    await own.getByRole('heading', { level: 2 }).first().waitFor();
    await page.goto(`${origin}/`);
    for (const address of framed) {
      const frame = await frameOf(page, address);
      expect(frame, `${origin} frames ${address}`).toBe('chrome-error://chromewebdata/');
    }
    // A page that allows it is reached: so what follows tells something.
    const reachable = await inPage(page, 'openWindow', `http://127.0.0.1:${site.port}/`);
    expect(reachable).toMatchObject({ severed: false });
    for (const address of [`${dashboard}/approvals`, `${gateway}/open/approvals`]) {
      const reached = await inPage(page, 'openWindow', address);
      expect(reached, `${origin} opens ${address}`).toEqual({ readable: false, severed: true });
    }
    await context.close();
  }
  expect(await target.gatehouse.ask('approvalsList', { state: 'all' })).toEqual([]);
  await target.stillServes();
});

test('A23: cold, the dashboard shows how to sign in and nothing else', async () => {
  const page = await browser.newPage();
  const api: number[] = [];
  page.on('response', (response) => {
    if (response.url().includes('/api/')) api.push(response.status());
  });
  await page.goto(`${real.dashboard.url}/`);
  await page.getByText('gatehouse dashboard').first().waitFor();
  const text = await page.locator('body').innerText();
  for (const secret of ['rec', 'attacker', 'bystander', target.k1.prefix, target.gatehouse.folder])
    expect(text).not.toMatch(new RegExp(`\\b${secret.replaceAll(/[^\w]/g, '\\$&')}\\b`));
  expect(api.every((status) => status === 401)).toBe(true);
  await page.close();
});

test('A23: the one-time link leaves its token in no address, no history and no Referer', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const link = real.dashboard.link();
  const token = link.split('#sign-in=')[1] ?? '';
  expect(token.length).toBeGreaterThan(20);
  const asked: string[] = [];
  page.on('request', (request) => asked.push(`${request.url()} ${JSON.stringify(request.headers())}`));
  await page.goto(link);
  await page.getByRole('heading', { level: 2 }).first().waitFor();
  await page.waitForFunction("!location.href.includes('sign-in')");
  expect(page.url()).not.toContain(token);
  expect(await page.evaluate('history.length')).toBeLessThanOrEqual(2);
  // Back does not bring it back.
  await page.goBack().catch(() => null);
  expect(page.url()).not.toContain(token);
  await page.goto(real.dashboard.url);
  expect(asked.filter((text) => text.includes(token))).toEqual([]);
  expect(await page.evaluate('document.cookie')).toBe('');
  expect(await page.evaluate('JSON.stringify({ ...localStorage })')).not.toContain(token);

  // A page that is linked to learns nothing of where the person came from.
  site.referers.length = 0;
  await page.evaluate(`{
    const anchor = document.createElement('a');
    anchor.href = 'http://evil.test:${site.port}/linked';
    document.body.append(anchor);
    anchor.click();
  }`);
  await page.waitForURL('**/linked');
  expect(site.referers).toEqual([null]);

  // Once means once: the same link in another browser is refused, in words and in the audit.
  const stranger = await browser.newContext();
  const other = await stranger.newPage();
  const refused = other.waitForResponse((response) => response.url().endsWith('/sign-in'));
  const result = await target.refuses({ kind: 'dashboard_link_refused' }, async () => {
    await other.goto(link);
    return (await refused).status();
  });
  expect(result).toBe(401);
  await stranger.close();
  await context.close();
});

interface Site {
  readonly port: number;
  /** The Referer of every request to /linked; null where there was none. */
  readonly referers: (string | null)[];
  close(): Promise<void>;
}

/** The attacker's web server: evil.test to the browser, and "another port of 127.0.0.1" too. */
async function openSite(): Promise<Site> {
  const referers: (string | null)[] = [];
  const page = readFileSync(new URL('../support/attack-page.html', import.meta.url));
  const server = createServer((request, response) => {
    if (request.url === '/linked') referers.push(request.headers.referer ?? null);
    response.setHeader('content-type', 'text/html');
    response.end(page);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    referers,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Calls a function of `attack-page.html` in the page. */
function inPage<T>(page: Page, name: string, argument: unknown): Promise<T> {
  return page.evaluate(`${name}(${JSON.stringify(argument)})`);
}

/** Every answer a page got from one port; the browser keeps refused ones from the page and from Playwright's events. */
async function watchAnswers(
  page: Page,
  port: number,
): Promise<() => readonly { readonly url: URL; readonly status: number }[]> {
  const statuses: { readonly id: string; readonly status: number }[] = [];
  const urls = new Map<string, string>();
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  session.on('Network.requestWillBeSent', ({ requestId, request }) => urls.set(requestId, request.url));
  session.on('Network.webSocketCreated', ({ requestId, url }) => urls.set(requestId, url));
  session.on('Network.responseReceivedExtraInfo', ({ requestId, statusCode }) =>
    statuses.push({ id: requestId, status: statusCode }),
  );
  // The two kinds of events of one request come in any order.
  return () =>
    statuses
      .map(({ id, status }) => ({ url: new URL(urls.get(id) ?? 'about:blank'), status }))
      .filter(({ url }) => url.port === String(port));
}

/** Where a frame of the page ends up: the browser shows its own error page where the frame is refused. */
async function frameOf(page: Page, address: string): Promise<string> {
  await inPage(page, 'frame', address);
  const frame = await (await page.$('#victim'))?.contentFrame();
  return (await frame?.evaluate('location.href')) as string;
}

async function countedIn(folder: string): Promise<number> {
  const { default: Database } = await import('better-sqlite3');
  const db = new Database(`${folder}/audit.db`, { readonly: true });
  const rows = db.prepare<[], { detail: string }>("SELECT detail FROM entries WHERE detail LIKE '%counted%'").all();
  db.close();
  return rows.reduce((sum, row) => sum + Number((JSON.parse(row.detail) as { count: number }).count), 0);
}
