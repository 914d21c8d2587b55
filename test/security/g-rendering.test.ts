import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Policy } from '../../shared/model.ts';
import { launchChromium } from '../support/chromium.ts';
import { addDefined } from '../support/defined.ts';
import { openRealDashboard, type RealDashboard } from '../support/real-dashboard.ts';
import { MODERN_META, openTarget, type Target } from '../support/target.ts';
import { watch } from '../support/ui.ts';

/** Any request to it is one too many. */
interface Evil {
  readonly server: Server;
  readonly hits: string[];
  readonly port: number;
}

let target: Target;
let real: RealDashboard;
let browser: Browser;
let evil: Evil;
let page: Page;
const faults: string[] = [];
const foreign: string[] = [];

beforeAll(async () => {
  target = await openTarget();
  real = await openRealDashboard(target.gatehouse);
  evil = await openEvil();
  browser = await launchChromium(['--host-resolver-rules=MAP evil.test 127.0.0.1']);
  page = await browser.newPage();
  page.setDefaultTimeout(8000);
  watch(page, real.dashboard.url, faults, foreign);
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(real.dashboard.link());
});
afterAll(async () => {
  await browser?.close();
  evil?.server.closeAllConnections();
  evil?.server.close();
  await real?.[Symbol.asyncDispose]();
  await target?.[Symbol.asyncDispose]();
});

async function openEvil(): Promise<Evil> {
  const hits: string[] = [];
  const server = createServer((request, response) => {
    hits.push(request.url ?? '');
    response.setHeader('content-type', 'image/png');
    response.end(Buffer.alloc(request.url === '/big.png' ? 100 * 1024 * 1024 : 10));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, hits, port: (server.address() as AddressInfo).port };
}

const go = (screen: string) => page.getByRole('navigation').getByRole('button', { name: screen }).click();

/** Nothing that could load or run anything has come from the server's words, and nothing was asked for. */
async function nothingHappened(): Promise<void> {
  // Long enough for a request that an element would have made.
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(
    await page.locator('main').locator('img, image, iframe, object, embed, script, link, video, audio').count(),
  ).toBe(0);
  expect(await page.evaluate('window.pwned')).toBeUndefined();
  expect({ hits: evil.hits, foreign, faults }).toEqual({ hits: [], foreign: [], faults: [] });
}

describe('G10 icons that a server names', () => {
  const SVG = '<svg xmlns="http://www.w3.org/2000/svg" onload="window.pwned=1"><script>window.pwned=1</script></svg>';
  const sources = () => [
    'javascript:alert(1)',
    'file:///etc/passwd',
    `http://evil.test:${evil.port}/i.png`,
    `https://evil.test:${evil.port}/other.png`,
    `data:image/svg+xml;base64,${Buffer.from(SVG).toString('base64')}`,
    `data:image/svg+xml,${SVG}`,
    `http://evil.test:${evil.port}/big.png`,
  ];

  test('G10 are text on every screen: 0 hits on the evil server, no image, no script, nothing asked for', async () => {
    const icons = sources().map((src) => ({ src, mimeType: 'image/png', sizes: ['any'] }));
    const tools = [{ name: 'iconic', title: 'Iconic', inputSchema: { type: 'object' }, icons }];
    const serverInfo = { title: 'Iconic server', websiteUrl: `http://evil.test:${evil.port}/`, icons };
    await addDefined(target.gatehouse, 'iconic', { tools, serverInfo });
    const everySource = async (where: string) => {
      const shown = await page.locator('main').textContent();
      for (const src of sources()) expect(shown, where).toContain(src);
      await nothingHappened();
    };

    await go('Upstreams');
    await page.getByRole('article', { name: 'iconic' }).waitFor();
    await nothingHappened();

    await go('Tools');
    const ofIt = page.getByRole('region', { name: 'Tools of iconic' });
    await ofIt.getByRole('button', { name: 'iconic', exact: false }).last().click();
    await page.getByText('javascript:alert(1)').first().waitFor();
    await everySource('the tool');

    await ofIt.getByRole('button', { name: 'Review 1 tool' }).click();
    await page.getByText('javascript:alert(1)').first().waitFor();
    await everySource('the review');
    // `file:///etc/passwd` is warned of, so the person has to choose it.
    await page.locator('.check', { hasText: 'iconic' }).click();
    await page.waitForSelector('button.approve:enabled');
    await page.getByRole('button', { name: 'Accept 1 tool' }).click();
    await ofIt.waitFor();

    // The card of a call that waits, and the window's search, show the tool as well.
    await page.getByRole('searchbox').fill('iconic');
    await page.getByText('iconic / iconic').waitFor();
    await nothingHappened();
    await target.stillServes();
  });
});

describe('G12 pages of MCP Apps', () => {
  const HTML = (port: number) =>
    `<!doctype html><img src="http://evil.test:${port}/ui.png" onerror="window.pwned=1"><script>window.pwned=1;fetch("http://evil.test:${port}/ran")</script><iframe src="http://evil.test:${port}/frame"></iframe><b>rendered</b>`;
  const URI = 'ui://x';

  test('G12 nothing is fetched beforehand, the audit shows HTML as text, and only an allowed client gets the page', async () => {
    const { gatehouse, k1 } = target;
    const html = HTML(evil.port);
    const contents = { mimeType: 'text/html;profile=mcp-app', text: html };
    const apps = await addDefined(gatehouse, 'apps', {
      tools: [
        { name: 'show', inputSchema: { type: 'object' }, _meta: { ui: { resourceUri: URI }, 'ui/resourceUri': URI } },
      ],
      results: {
        show: {
          content: [
            { type: 'resource', resource: { uri: URI, ...contents } },
            { type: 'text', text: html },
          ],
        },
      },
      pages: { [URI]: contents },
    });
    const reads = () => apps.events().filter(({ raw }) => raw?.includes('"resources/read"'));
    const [show] = await gatehouse.ask('toolsList', { upstream: 'apps' });
    const accept = [{ name: 'show', fingerprint: show?.fingerprint ?? '', risk: 'read' as const }];
    expect(await gatehouse.ask('toolsReview', { upstream: 'apps', accept })).toMatchObject({ kind: 'done' });

    const answer = await gatehouse.call(k1.secret, 'apps__show', JSON.stringify({ html, ui: URI }));
    // Whole and unchanged: what to do with it is the client's affair.
    expect(answer.message?.result).toMatchObject({ content: [{ resource: { uri: URI, text: html } }, { text: html }] });

    await go('Audit');
    await page.locator('.records > li', { hasText: 'show' }).first().getByRole('button').click();
    const record = page.getByRole('region', { name: 'Record' });
    await record.waitFor();
    expect(await record.textContent()).toContain(JSON.stringify(html).slice(1, -1));
    expect(await page.getByText('rendered', { exact: true }).count()).toBe(0);
    await nothingHappened();
    await go('Tools');
    await page.getByRole('region', { name: 'Tools of apps' }).getByRole('button', { name: 'show' }).click();
    await page.getByText(URI).first().waitFor();
    await nothingHappened();
    expect(reads(), 'no prefetch').toEqual([]);

    const read = () =>
      gatehouse.post(
        k1.secret,
        { jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: URI, _meta: MODERN_META } },
        {
          headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'resources/read', 'mcp-name': URI },
        },
      );
    const deny: Policy = {
      defaultEffect: 'allow',
      rules: [{ name: 'no-pages', effect: 'deny', match: { kind: ['resource'], tool: ['ui://*'] } }],
    };
    await gatehouse.ask('policyImport', { yaml: JSON.stringify(deny) });
    target.watch(apps);
    await target.refuses({ kind: 'resource_read', errorClass: 'policy_denied', rule: 'no-pages' }, read);
    expect(reads()).toEqual([]);
    await gatehouse.ask('policyImport', { yaml: JSON.stringify({ ...deny, rules: [] }) });
    expect((await read()).message?.result).toMatchObject({ contents: [{ uri: URI, text: html }] });
    expect(reads()).toHaveLength(1);
    await nothingHappened();
  });
});
