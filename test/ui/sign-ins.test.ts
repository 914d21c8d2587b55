import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { aConnection, aTrace, connectSignIn, failSignIn, PRESETS } from '../support/fake-connections.ts';
import { anAddress, anUpstream, type FakeCore, MCP_OAUTH, NEEDS_ACCOUNT } from '../support/fake-core.ts';
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

test('one click connects: the page of the vendor is a link, and the account appears when it was allowed there', async () => {
  await openUpstreams((core) => core.state.upstreams.push(anAddress(NEEDS_ACCOUNT)));
  await tab.page.getByText('github needs an account.').waitFor();
  expect(await tab.page.getByText('It answered 401.').count()).toBe(0);
  await button('Connect account').press('Enter');
  const link = panel().getByRole('link', { name: 'Open github.com' });
  await link.waitFor();
  expect(await link.getAttribute('href')).toBe('https://github.com/login/oauth/authorize?client_id=gatehouse');
  expect(await link.getAttribute('rel')).toBe('noreferrer noopener');
  expect(await panel().getByRole('timer').textContent()).toMatch(/^(10:00|9:5\d) min left$/);
  await panel().getByRole('button', { name: 'Copy the link' }).waitFor();
  expect(askedFor(tab.core, 'signInStart')).toEqual([{ upstream: 'u1' }]);
  // Nothing was opened by itself.
  expect(tab.context.pages()).toHaveLength(1);

  connectSignIn(tab.core.state, 's1', { label: 'default' });
  tab.core.tell('connections');
  await panel().getByText('“default” is connected.').waitFor();
  await account('default').getByText('connected', { exact: true }).waitFor();
  await panel().getByRole('button', { name: 'Done' }).click();
  await panel().waitFor({ state: 'detached' });
  await button('Last sign-in, “default”: connected').waitFor();
  expect(tab.faults).toEqual([]);
  expect(tab.foreign).toEqual([]);
});

test('a link that is no web address is never a link', async () => {
  await openUpstreams((core) => {
    core.state.upstreams.push(anAddress(NEEDS_ACCOUNT));
    core.state.nextSignIn = { link: 'javascript:alert(1)' };
  });
  await button('Connect account').click();
  await panel().getByText('The vendor gave no address to go to.').waitFor();
  expect(await tab.page.locator('main a').count()).toBe(0);
});

test('of several authorization servers the person chooses one, and nothing is chosen before', async () => {
  await openUpstreams((core) => {
    core.state.upstreams.push(anAddress(NEEDS_ACCOUNT));
    core.state.nextSignIn = {
      state: 'choose_server',
      link: null,
      servers: ['https://github.com/login/oauth', 'https://evil.example/\u202e<b>oauth</b>'],
    };
  });
  await button('Connect account').click();
  const go = button('Continue there');
  await go.waitFor();
  expect(await go.isDisabled()).toBe(true);
  expect(await panel().locator('b').count()).toBe(0);
  expect(await panel().textContent()).toContain('\\u202e');
  await panel().getByText('https://github.com/login/oauth').click();
  await go.click();
  await panel().getByRole('link', { name: 'Open github.com' }).waitFor();
  expect(askedFor(tab.core, 'signInChoose')).toEqual([{ signIn: 's1', issuer: 'https://github.com/login/oauth' }]);
});

test('a client id is pasted with its secret, which is never shown, and the redirect address is there to be registered', async () => {
  await openUpstreams((core) => {
    core.state.upstreams.push(anAddress(NEEDS_ACCOUNT));
    core.state.nextSignIn = { state: 'needs_client_id', link: null };
  });
  await button('Connect account').click();
  await panel().getByText('http://127.0.0.1:43817/callback', { exact: true }).waitFor();
  await panel().getByLabel('Client id').fill(' Iv1.abc ');
  const secret = panel().getByLabel('Client secret');
  expect(await secret.getAttribute('type')).toBe('password');
  await secret.fill('canary-secret');
  await secret.press('Enter');
  await panel().getByRole('link', { name: 'Open github.com' }).waitFor();
  expect(askedFor(tab.core, 'signInClient')).toEqual([
    { signIn: 's1', clientId: 'Iv1.abc', clientSecret: 'canary-secret' },
  ]);
  expect(await tab.page.content()).not.toContain('canary-secret');
});

test('more scopes are shown before they are asked for, the new ones first and named as new', async () => {
  await openUpstreams((core) => {
    core.state.upstreams.push(anAddress());
    core.state.connections.push(aConnection({ state: 'more_scopes', asksFor: ['repo', 'admin:org'] }));
    core.state.nextSignIn = {
      state: 'confirm_scopes',
      link: null,
      scopes: ['repo', 'admin:org'],
      newScopes: ['admin:org'],
    };
  });
  await button('Allow more…').click();
  await panel().getByText('1 thing more').waitFor();
  expect(await panel().locator('.scope').allTextContents()).toEqual(['admin:orgnew', 'repo']);
  expect(askedFor(tab.core, 'signInConfirm')).toEqual([]);
  await button('Ask for it').click();
  await panel().getByRole('link', { name: 'Open github.com' }).waitFor();
  expect(askedFor(tab.core, 'signInConfirm')).toEqual([{ signIn: 's1' }]);
});

test('a failure says its code and why, opens the step that failed, and its next step is a button that does it', async () => {
  await openUpstreams((core) => core.state.upstreams.push(anAddress(NEEDS_ACCOUNT)));
  await button('Connect account').click();
  await panel().waitFor();
  const { state } = tab.core;
  const poison = '<img src=x onerror=alert(1)>\u202e';
  const startedAt = state.signIns[0]?.startedAt ?? 0;
  const failed = {
    at: startedAt + 900,
    name: 'client_id' as const,
    outcome: 'failed' as const,
    message: `The vendor said “${poison}”.`,
    request: { method: 'POST', url: 'https://github.com/register' },
    status: 400,
    read: ['error: invalid_redirect_uri', `error_description: ${poison}`],
  };
  state.signIns = state.signIns.map((one) => ({ ...one, steps: [...aTrace(startedAt).slice(0, 4), failed] }));
  failSignIn(state, 's1', 'dynamic_registration_failed', `“${poison}”`, {
    act: 'paste_client_id',
    text: 'Register a client at the vendor and paste its id here.',
  });
  tab.core.tell('connections');

  await panel().getByText('dynamic_registration_failed').waitFor();
  const steps = panel().getByRole('list', { name: 'Trace' }).getByRole('listitem');
  expect(await steps.count()).toBe(5);
  expect(await steps.last().textContent()).toContain('POST https://github.com/register400');
  await steps.last().getByText('error: invalid_redirect_uri').waitFor();
  expect(await steps.last().textContent()).toContain('+0.9 s');
  expect(await steps.first().locator('pre').count()).toBe(0);
  await steps.first().getByRole('button', { name: '3 lines read' }).click();
  await steps.first().getByText('resource_metadata:').waitFor();
  expect(await tab.page.locator('main img').count()).toBe(0);
  expect(await panel().textContent()).not.toContain('\u202e');

  await panel().getByRole('button', { name: 'Paste a client id…' }).click();
  await panel().getByLabel('Client id').fill('by-hand');
  await panel().getByRole('button', { name: 'Continue' }).click();
  await panel().getByRole('link', { name: 'Open github.com' }).waitFor();
  expect(askedFor(tab.core, 'upstreamSignIn')).toEqual([
    { upstream: 'u1', signIn: { ...MCP_OAUTH, clientId: 'by-hand' } },
  ]);
  expect(askedFor(tab.core, 'signInStart').at(-1)).toEqual({ upstream: 'u1', label: 'default' });
  expect(tab.faults).toEqual([]);
});

test.each([
  ['allow_host', 'Allow this host', 'upstreamChange', { upstream: 'u1', allowPrivate: true, secrets: {} }],
  [
    'allow_no_pkce',
    'Sign in without the promise of PKCE',
    'upstreamSignIn',
    { upstream: 'u1', signIn: { ...MCP_OAUTH, allowNoPkce: true } },
  ],
  ['try_again', 'Try again', 'signInStart', { upstream: 'u1', label: 'default' }],
  ['unlock_keychain', 'Try again', 'signInStart', { upstream: 'u1', label: 'default' }],
] as const)('the next step %s is one button, and the sign-in goes on', async (act, label, request, input) => {
  await openUpstreams((core) => core.state.upstreams.push(anAddress(NEEDS_ACCOUNT)));
  await button('Connect account').click();
  await panel().waitFor();
  failSignIn(tab.core.state, 's1', 'host_not_allowed', 'It did not work.', { act, text: 'Do this.' });
  tab.core.tell('connections');
  await panel().getByRole('button', { name: label, exact: true }).click();
  await expect.poll(() => askedFor(tab.core, request).at(-1)).toEqual(input);
  await expect.poll(() => askedFor(tab.core, 'signInStart').length).toBe(2);
  await panel().getByRole('link', { name: 'Open github.com' }).waitFor();
});

test('setting the redirect address and checking the URL are done in place, and refused where they cannot be', async () => {
  await openUpstreams((core) => core.state.upstreams.push(anAddress(NEEDS_ACCOUNT)));
  await button('Connect account').click();
  await panel().waitFor();
  failSignIn(tab.core.state, 's1', 'redirect_rejected', 'It was refused.', { act: 'set_redirect', text: 'Set it.' });
  tab.core.tell('connections');
  await button('Set the redirect address…').click();
  await panel().getByText('localhost', { exact: true }).click();
  await panel().getByLabel('Redirect port').fill('80');
  await panel().getByText('Write a port from 1024 to 65535').waitFor();
  expect(await button('Set and try again').isDisabled()).toBe(true);
  await panel().getByLabel('Redirect port').fill('8765');
  await button('Set and try again').click();
  await panel().getByRole('link').waitFor();
  expect(askedFor(tab.core, 'upstreamSignIn')).toEqual([
    { upstream: 'u1', signIn: { ...MCP_OAUTH, redirect: { host: 'localhost', port: 8765 } } },
  ]);
  failSignIn(tab.core.state, 's2', 'no_protected_resource_metadata', 'None.', { act: 'check_url', text: 'Check it.' });
  tab.core.tell('connections');
  await button('Check the URL…').click();
  await panel().getByLabel('URL').fill('https://mcp.github.com/v2');
  await button('Save and try again').click();
  await expect
    .poll(() => askedFor(tab.core, 'upstreamChange'))
    .toEqual([
      {
        upstream: 'u1',
        transport: { kind: 'http', url: 'https://mcp.github.com/v2', secretHeaders: [] },
        secrets: {},
      },
    ]);
});

test('classic OAuth as the next step opens its form, filled in for the vendor, and goes on from there', async () => {
  await openUpstreams((core) => {
    core.state.upstreams.push(anAddress(NEEDS_ACCOUNT));
    core.state.presets = PRESETS;
  });
  await button('Connect account').click();
  await panel().waitFor();
  failSignIn(tab.core.state, 's1', 'no_server_metadata', 'None.', { act: 'use_classic_oauth', text: 'Use it.' });
  tab.core.tell('connections');
  await button('Use classic OAuth…').click();
  const form = tab.page.getByRole('form', { name: 'How accounts sign in at github' });
  expect(await form.getByRole('combobox', { name: 'Vendor' }).inputValue()).toBe('GitHub');
  expect(await form.getByLabel('Token address').inputValue()).toBe('https://github.com/login/oauth/access_token');
  const save = form.getByRole('button', { name: 'Save and connect' });
  expect(await save.isDisabled()).toBe(true);
  await form.getByLabel('Client id').fill('Iv1.abc');
  await save.click();
  await panel().getByRole('link').waitFor();
  expect(askedFor(tab.core, 'upstreamSignIn')).toEqual([
    {
      upstream: 'u1',
      signIn: {
        kind: 'oauth',
        authorizeUrl: 'https://github.com/login/oauth/authorize',
        tokenUrl: 'https://github.com/login/oauth/access_token',
        revokeUrl: null,
        clientId: 'Iv1.abc',
        clientSecret: false,
        scopes: ['repo', 'read:org'],
        pkce: true,
        tokenAuth: 'post',
        redirect: { host: '127.0.0.1', port: null },
      },
    },
  ]);
  expect(tab.faults).toEqual([]);
});

test('a kept secret is a placeholder: saving unchanged sends none, so it is kept; forgetting it is said', async () => {
  await openUpstreams((core) =>
    core.state.upstreams.push(anAddress({ signIn: { ...MCP_OAUTH, clientId: 'mine', clientSecret: true } })),
  );
  const kept = { ...MCP_OAUTH, clientId: 'mine', clientSecret: true };
  const form = tab.page.getByRole('form', { name: 'How accounts sign in at github' });
  await button('Sign-in').click();
  const secret = form.getByLabel('Client secret');
  expect(await secret.getAttribute('placeholder')).toBe('kept; type to replace it');
  expect(await secret.inputValue()).toBe('');
  await form.getByRole('button', { name: 'Save' }).click();
  await form.waitFor({ state: 'detached' });
  expect(askedFor(tab.core, 'upstreamSignIn')).toEqual([{ upstream: 'u1', signIn: kept }]);
  await button('Sign-in').click();
  await form.getByLabel('Client id').fill('another');
  expect(await secret.getAttribute('placeholder')).toBe('none');
  await form.getByLabel('Client id').fill('mine');
  await form.getByRole('button', { name: 'Forget the secret that is kept' }).click();
  await form.getByRole('button', { name: 'Save' }).click();
  await form.waitFor({ state: 'detached' });
  expect(askedFor(tab.core, 'upstreamSignIn').at(-1)).toEqual({
    upstream: 'u1',
    signIn: { ...kept, clientSecret: false },
    clientSecret: null,
  });
});

test('an API key is typed unseen, goes where the mode says, and is not in the page afterwards', async () => {
  await openUpstreams((core) => core.state.upstreams.push(anUpstream()));
  await button('Sign-in').click();
  const form = tab.page.getByRole('form', { name: 'How accounts sign in at files' });
  await form.getByText('API key').click();
  await form.getByLabel('Environment entry').fill('GITHUB_TOKEN');
  await form.getByRole('button', { name: 'Save' }).click();
  await form.waitFor({ state: 'detached' });
  expect(askedFor(tab.core, 'upstreamSignIn')).toEqual([
    { upstream: 'u1', signIn: { kind: 'api_key', place: { in: 'environment', name: 'GITHUB_TOKEN' } } },
  ]);
  await button('Connect account').click();
  const key = tab.page.getByLabel('API key', { exact: true });
  expect(await key.getAttribute('type')).toBe('password');
  await tab.page.getByText('It goes into GITHUB_TOKEN of the process.').waitFor();
  await tab.page.getByLabel('Your name for the account').fill('work');
  await key.fill('canary-key');
  await button('Connect').click();
  await account('work').getByText('connected', { exact: true }).waitFor();
  expect(askedFor(tab.core, 'signInStart')).toEqual([{ upstream: 'u1', label: 'work', secret: 'canary-key' }]);
  expect(await tab.page.content()).not.toContain('canary-key');
  await account('work').getByRole('button', { name: 'Replace key…' }).click();
  await tab.page.getByLabel('New API key').fill('canary-two');
  await button('Connect').click();
  await expect
    .poll(() => askedFor(tab.core, 'signInStart').at(-1))
    .toEqual({ upstream: 'u1', connection: 'x1', secret: 'canary-two' });
  expect(tab.faults).toEqual([]);
});
