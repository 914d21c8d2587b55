import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Bridge } from '../../shared/api.ts';
import { aSignIn } from '../support/fake-connections.ts';
import {
  aConfirmation,
  anAddress,
  anApproval,
  aTool,
  createFakeCore,
  type FakeCore,
  NEEDS_ACCOUNT,
} from '../support/fake-core.ts';
import { startPageServer } from '../support/page-server.ts';
import { askedFor, openUi, type Ui, watch } from '../support/ui.ts';

/** The built pages with a stand-in for the preload: `window.gatehouse` that asks the double of the core. No Electron runs. */
let ui: Ui;
let server: Awaited<ReturnType<typeof startPageServer>>;
let page: Page;
let core: FakeCore;
let faults: string[];
beforeAll(async () => {
  ui = await openUi();
  server = await startPageServer(ui.rendererFolder);
});
afterAll(async () => {
  await ui.close();
  await server.close();
});
afterEach(() => page.context().close());

async function openWindow(surface: Bridge['surface'], file: string, prepare: (core: FakeCore) => void): Promise<void> {
  core = createFakeCore();
  prepare(core);
  page = await (await ui.browser.newContext({ viewport: { width: 720, height: 640 } })).newPage();
  faults = [];
  watch(page, server.url, faults, []);
  const origin = surface === 'dashboard' ? 'dashboard' : surface;
  await page.exposeFunction('askCore', async (name: string, input: unknown) => {
    const answer = await core.api.request(name, input, { origin, label: surface });
    if (answer.kind !== 'answered') throw new Error(answer.message);
    return answer.result;
  });
  await page.addInitScript(`
    window.told = [];
    window.reviewed = [];
    window.gatehouse = {
      surface: ${JSON.stringify(surface)},
      request: (name, input) => window.askCore(name, input),
      subscribe(then) { window.told.push(then); return () => {}; },
      review(what) { window.reviewed.push(what); },
    };
  `);
  await page.goto(`${server.url}/${file}`);
}

const tell = (topic: string) => page.evaluate(`window.told.forEach((then) => then(${JSON.stringify(topic)}))`);

test('F17 (design: the main window only offers Review) it has no button that answers', async () => {
  await openWindow('main-window', 'index.html', ({ state }) => {
    state.approvals.push(anApproval());
    state.confirmations.push(aConfirmation());
  });
  await page.getByRole('button', { name: 'Review' }).first().waitFor();
  expect(await page.getByRole('button', { name: /approve once|deny|confirm|refuse/i }).count()).toBe(0);
  expect(await page.getByText('This tab approves.').count()).toBe(0);
  await page.getByRole('button', { name: 'Review' }).nth(0).click();
  await page.getByRole('button', { name: 'Review' }).nth(1).click();
  expect(await page.evaluate('window.reviewed')).toEqual([{ confirmation: 'f1' }, { approval: 'a1' }]);
  expect(faults).toEqual([]);
});

test('a review accepted in the main window says that it is confirmed elsewhere', async () => {
  await openWindow('main-window', 'index.html', ({ state }) => {
    state.tools.push(aTool({ state: 'awaiting_review', reviewed: null, offered: aTool().reviewed }));
  });
  await page.getByRole('button', { name: 'Tools' }).click();
  await page.getByRole('button', { name: 'Review 1 tool' }).click();
  await page.getByText('you confirm in the approval window').waitFor();
});

test('the approval window shows one card at a time: the one its address names, then the oldest', async () => {
  await openWindow('approval-window', 'approval.html#approval=a2', ({ state }) => {
    state.approvals.push(
      anApproval({ id: 'a1', tool: 'first', createdAt: Date.now() - 2000 }),
      anApproval({ id: 'a2', tool: 'second', createdAt: Date.now() - 1000 }),
    );
  });
  await page.getByRole('heading', { name: 'files / second' }).waitFor();
  expect(await page.locator('article').count()).toBe(1);
  await page.getByText('2 of 2').waitFor();
  await page.waitForSelector('button.approve:enabled');
  await page.getByRole('button', { name: 'Approve once' }).click();
  await tell('approvals');
  await page.getByRole('heading', { name: 'files / first' }).waitFor();
  expect(await page.getByRole('button', { name: 'Approve once' }).isDisabled()).toBe(true);
  expect(askedFor(core, 'approvalApprove')).toMatchObject([{ approval: 'a2' }]);
  expect(faults).toEqual([]);
});

test('the approval window confirms administrative acts and says when nothing is left', async () => {
  await openWindow('approval-window', 'approval.html#confirmation=f1', ({ state }) => {
    state.confirmations.push(aConfirmation());
  });
  await page.waitForSelector('button.approve:enabled');
  await page.getByRole('button', { name: 'Refuse' }).click();
  await tell('confirmations');
  await page.getByText('Nothing waits for you').waitFor();
  expect(askedFor(core, 'confirmationAnswer')).toEqual([{ confirmation: 'f1', answer: 'refuse' }]);
});

test('I21 one click on Connect account opens the page of the vendor, once, and every further time takes a click', async () => {
  await openWindow('main-window', 'index.html#/upstreams', ({ state }) => {
    state.upstreams.push(anAddress(NEEDS_ACCOUNT));
    state.nextSignIn = { state: 'working', link: null };
    state.opensBrowser = true;
  });
  await page.getByRole('button', { name: 'Connect account' }).click();
  await expect.poll(() => askedFor(core, 'signInStart')).toEqual([{ upstream: 'u1' }]);
  await tell('connections');
  await page.getByText('working', { exact: true }).waitFor();
  expect(askedFor(core, 'signInOpen')).toEqual([]);
  const wait = (link: string) => {
    core.state.signIns = core.state.signIns.map((one) => ({ ...one, state: 'waiting', link }));
    return tell('connections');
  };
  await wait('https://github.com/login');
  const open = page.getByRole('button', { name: 'Open github.com' });
  await open.waitFor();
  await expect.poll(() => askedFor(core, 'signInOpen')).toEqual([{ signIn: 's1' }]);
  await wait('https://github.com/elsewhere');
  await page.getByText('https://github.com/elsewhere').waitFor();
  expect(askedFor(core, 'signInOpen')).toHaveLength(1);
  await open.click();
  await expect.poll(() => askedFor(core, 'signInOpen')).toHaveLength(2);
  expect(await page.locator('main a').count()).toBe(0);
  expect(faults).toEqual([]);
});

test('I21 a sign-in that nobody began in this window opens nothing by itself', async () => {
  await openWindow('main-window', 'index.html#/upstreams', ({ state }) => {
    state.upstreams.push(anAddress(NEEDS_ACCOUNT));
    state.signIns = [aSignIn()];
    state.opensBrowser = true;
  });
  const open = page.getByRole('button', { name: 'Open github.com' });
  await open.waitFor();
  expect(askedFor(core, 'signInOpen')).toEqual([]);
  await open.click();
  await expect.poll(() => askedFor(core, 'signInOpen')).toEqual([{ signIn: 's1' }]);
});
