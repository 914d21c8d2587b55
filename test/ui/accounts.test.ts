import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { aConnection } from '../support/fake-connections.ts';
import { aClient, anAddress, anUpstream, type FakeCore, MCP_OAUTH, NEEDS_ACCOUNT } from '../support/fake-core.ts';
import { askedFor, openTab, openUi, type Tab, type Ui } from '../support/ui.ts';

let ui: Ui;
let tab: Tab;
beforeAll(async () => {
  ui = await openUi();
});
afterAll(() => ui.close());
afterEach(() => tab.close());

async function openUpstreams(prepare: (core: FakeCore) => void): Promise<void> {
  tab = await openTab(ui, prepare);
  await tab.page.getByRole('navigation').getByRole('button', { name: 'Upstreams' }).click();
}
const button = (name: string) => tab.page.getByRole('button', { name, exact: true });
const account = (label: string) => tab.page.getByRole('listitem', { name: label, exact: true });
const panel = () => tab.page.getByRole('region', { name: /^Sign-in of/ });

test('each account says how it is, who gave it, what it may do and wants, and how long it lasts', async () => {
  await openUpstreams((core) => {
    core.state.upstreams.push(anAddress());
    core.state.connections.push(
      aConnection({ expiresAt: Date.now() + 40 * 60_000 }),
      aConnection({ id: 'x2', label: 'old', state: 'reconnect', reason: 'grant expired', isDefault: false }),
      aConnection({ id: 'x3', label: 'bot', state: 'more_scopes', asksFor: ['repo', 'workflow'], isDefault: false }),
      aConnection({ id: 'x4', label: 'safe', state: 'locked', reason: 'The keychain is locked.', isDefault: false }),
      aConnection({ id: 'x5', label: 'left', state: 'signed_out', scopes: null, isDefault: false }),
    );
  });
  const said = async (label: string) => (await account(label).textContent()) ?? '';
  await account('work').waitFor();
  expect(await said('work')).toMatch(/connected.*default.*https:\/\/github.com\/login\/oauth.*reporead:orggist/);
  expect(await said('work')).toContain('by itself, within 40 min');
  expect(await said('old')).toMatch(/reconnect needed.*Reconnect.*grant expired/);
  expect(await said('bot')).toMatch(/wants more scopes.*Allow more….*Wants tooworkflownew/);
  expect(await said('safe')).toMatch(/locked.*The keychain is locked\./);
  expect(await said('left')).toMatch(/signed out.*Sign in/);
  await account('old').getByRole('button', { name: 'Reconnect' }).click();
  await panel().waitFor();
  expect(askedFor(tab.core, 'signInStart')).toEqual([{ upstream: 'u1', connection: 'x2' }]);
  await panel().getByRole('button', { name: 'Cancel' }).click();
  await panel().waitFor({ state: 'detached' });
  expect(askedFor(tab.core, 'signInCancel')).toEqual([{ signIn: 's1' }]);
  expect(tab.faults).toEqual([]);
});

test('a second account needs a name of its own', async () => {
  await openUpstreams((core) => {
    core.state.upstreams.push(anAddress());
    core.state.connections.push(aConnection());
  });
  await button('Connect another account').click();
  const connect = button('Connect');
  expect(await connect.isDisabled()).toBe(true);
  await tab.page.getByLabel('Your name for the account').fill('work');
  await tab.page.getByText('There is an account of that name').waitFor();
  expect(await connect.isDisabled()).toBe(true);
  await tab.page.getByLabel('Your name for the account').fill('personal');
  await connect.click();
  await panel().getByRole('link').waitFor();
  expect(askedFor(tab.core, 'signInStart')).toEqual([{ upstream: 'u1', label: 'personal' }]);
});

test('an account is renamed, signed out and removed, the last two after one more question', async () => {
  await openUpstreams((core) => {
    core.state.upstreams.push(anAddress());
    core.state.connections.push(aConnection(), aConnection({ id: 'x2', label: 'personal', isDefault: false }));
  });
  await account('work').getByRole('button', { name: 'Rename' }).click();
  const rename = tab.page.getByRole('form', { name: 'Rename work' });
  const name = rename.getByLabel('Your name for the account');
  await name.fill('personal');
  await name.press('Enter');
  await rename.getByText('There is an account “personal” already.').waitFor();
  await name.fill('office');
  await name.press('Enter');
  await account('office').waitFor();
  await account('office').getByRole('button', { name: 'Sign out' }).click();
  expect(askedFor(tab.core, 'connectionSignOut')).toEqual([]);
  await account('office').getByRole('button', { name: 'Sign out' }).click();
  await account('office').getByText('signed out', { exact: true }).waitFor();
  await account('office').getByRole('button', { name: 'Remove' }).click();
  await account('office').getByRole('button', { name: 'Remove' }).click();
  await account('office').waitFor({ state: 'detached' });
  expect(askedFor(tab.core, 'connectionRemove')).toEqual([{ connection: 'x1' }]);
  expect(tab.faults).toEqual([]);
});

test('calls that name no account use the default, and a client can have one of its own', async () => {
  await openUpstreams((core) => {
    core.state.upstreams.push(anAddress());
    core.state.clients.push(aClient());
    core.state.connections.push(aConnection(), aConnection({ id: 'x2', label: 'personal', isDefault: false }));
  });
  const defaults = tab.page.getByRole('region', { name: 'Which account calls use' });
  const own = defaults.getByRole('combobox', { name: 'claude-code' });
  await own.selectOption('personal');
  await expect.poll(() => own.inputValue()).toBe('x2');
  await account('personal').getByRole('button', { name: 'Make default' }).click();
  await expect.poll(() => defaults.getByRole('combobox', { name: 'every client' }).inputValue()).toBe('x2');
  expect(askedFor(tab.core, 'connectionDefault')).toEqual([
    { connection: 'x2', client: 'c1' },
    { connection: 'x2', client: null },
  ]);
});

test('a new address that asks for an account leads straight to the button that connects one', async () => {
  await openUpstreams((core) => core.state.upstreams.push(anUpstream()));
  await button('Add upstream').click();
  await tab.page.getByText('A URL', { exact: true }).click();
  await tab.page.getByLabel('Name').fill('notion');
  await tab.page.getByRole('textbox', { name: 'URL' }).fill('https://mcp.notion.com/mcp');
  await button('Add').click();
  await tab.page.getByRole('article', { name: 'notion' }).waitFor();
  const { state } = tab.core;
  state.upstreams = state.upstreams.map((one) =>
    one.name === 'notion' ? { ...one, ...NEEDS_ACCOUNT, signIn: MCP_OAUTH } : one,
  );
  tab.core.tell('upstreams');
  await tab.page.getByText('notion needs an account.').waitFor();
  await expect.poll(() => tab.page.locator(':focus').textContent()).toBe('Connect account');
  await tab.page.keyboard.press('Enter');
  await panel().getByRole('link').waitFor();
});

test.each(['#connections/github', '#/connections/github', '#connections/u9'])(
  'the link %s leads to the account that needs the person',
  async (hash) => {
    tab = await openTab(ui, (core) => {
      for (let n = 0; n < 8; n++) core.state.upstreams.push(anUpstream({ id: `u${n + 10}`, name: `other-${n}` }));
      core.state.upstreams.push(anAddress({ id: 'u9' }));
      core.state.connections.push(aConnection({ upstreamId: 'u9', state: 'reconnect', reason: 'grant expired' }));
    });
    await tab.page.goto(`${tab.dashboard.url}/${hash}`);
    await expect.poll(() => tab.page.locator(':focus').textContent()).toBe('Reconnect');
    await expect.poll(() => account('work').isVisible()).toBe(true);
  },
);
