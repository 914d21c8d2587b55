import { expect, test } from 'vitest';
import { createAccountConnector } from '../../electron/desktop/connect-account.ts';
import { connectSignIn, failSignIn } from '../support/fake-connections.ts';
import { anAddress, createFakeCore, NEEDS_ACCOUNT } from '../support/fake-core.ts';
import { askedFor } from '../support/ui.ts';

const GITHUB = { upstream: 'u1', name: 'github', connection: null } as const;

function world(first: Partial<ReturnType<typeof createFakeCore>['state']['nextSignIn']> = {}) {
  const core = createFakeCore();
  core.state.upstreams.push(anAddress(NEEDS_ACCOUNT));
  core.state.nextSignIn = first;
  core.state.opensBrowser = true;
  const opened: string[] = [];
  const accounts = createAccountConnector({
    api: core.api,
    subscribe: core.subscribe,
    open: (place) => void opened.push(place),
  });
  const settled = () => new Promise((done) => setImmediate(done));
  return { core, opened, accounts, settled };
}

test('the click opens the page of the vendor as soon as its address is known, and once', async () => {
  const { core, opened, accounts, settled } = world({ state: 'working', link: null });
  await accounts.connect(GITHUB);
  expect(askedFor(core, 'signInOpen')).toEqual([]);
  core.state.signIns = core.state.signIns.map((one) => ({
    ...one,
    state: 'waiting',
    link: 'https://github.com/login',
  }));
  core.tell('connections');
  core.tell('connections');
  await settled();
  core.tell('connections');
  await settled();
  expect(askedFor(core, 'signInOpen')).toEqual([{ signIn: 's1' }]);
  connectSignIn(core.state, 's1');
  core.tell('connections');
  await settled();
  expect(opened).toEqual([]);
  expect(core.asked.every(({ caller }) => caller.origin === 'main-window' && caller.label === 'tray')).toBe(true);
});

test.each(['choose_server', 'needs_client_id', 'confirm_scopes'] as const)(
  'what the sign-in asks (%s) is asked in the window, and no page is opened',
  async (state) => {
    const { core, opened, accounts } = world({ state, link: null });
    await accounts.connect(GITHUB);
    expect(opened).toEqual(['upstreams/github']);
    expect(askedFor(core, 'signInOpen')).toEqual([]);
  },
);

test('a failure shows its trace in the window, also after the page was opened', async () => {
  const { core, opened, accounts, settled } = world();
  await accounts.connect(GITHUB);
  expect(opened).toEqual([]);
  failSignIn(core.state, 's1', 'access_denied', 'It was refused.', { act: 'try_again', text: 'Again.' });
  core.tell('connections');
  await settled();
  expect(opened).toEqual(['upstreams/github']);
});

test('where no browser opens, the window shows the link', async () => {
  const { core, opened, accounts } = world();
  core.state.opensBrowser = false;
  await accounts.connect(GITHUB);
  expect(opened).toEqual(['upstreams/github']);
});

test('what cannot begin leads to the window, and an ended connector opens nothing any more', async () => {
  const { core, opened, accounts, settled } = world({ state: 'working', link: null });
  await accounts.connect({ ...GITHUB, upstream: 'gone' });
  expect(opened).toEqual(['upstreams/github']);
  await accounts.connect(GITHUB);
  accounts.close();
  core.state.signIns = core.state.signIns.map((one) => ({
    ...one,
    state: 'waiting',
    link: 'https://github.com/login',
  }));
  core.tell('connections');
  await settled();
  expect(askedFor(core, 'signInOpen')).toEqual([]);
});
