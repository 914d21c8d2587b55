import type { MenuItemConstructorOptions } from 'electron';
import { expect, test } from 'vitest';
import { type TrayActions, type TrayView, tooltip, trayMenu, trayState } from '../../electron/desktop/tray-menu.ts';
import type { StatusView } from '../../shared/model.ts';
import { aConnection } from '../support/fake-connections.ts';
import { MCP_OAUTH } from '../support/fake-core.ts';
import { approvalView, confirmationView } from '../support/views.ts';

const status: StatusView = {
  version: '0',
  mode: 'desktop',
  endpoint: 'http://127.0.0.1:3100/mcp',
  healthy: true,
  banners: [],
  waiting: 0,
  pauses: [],
  trusts: [],
  secretsLost: null,
  dataFolder: '/data',
};
const quiet: TrayView = {
  status,
  approvals: [],
  confirmations: [],
  upstreams: [],
  connections: [],
  notifications: { show: true, approve: true },
  startsAtLogin: false,
  now: 0,
};

function actions() {
  const done: unknown[] = [];
  const note =
    (name: string) =>
    (...args: unknown[]) =>
      void done.push([name, ...args]);
  const all: TrayActions = {
    open: note('open'),
    connect: note('connect'),
    signOut: note('signOut'),
    review: note('review'),
    copyEndpoint: note('copyEndpoint'),
    pauseAll: note('pauseAll'),
    resumeAll: note('resumeAll'),
    endTrust: note('endTrust'),
    setNotifications: note('setNotifications'),
    setStartsAtLogin: note('setStartsAtLogin'),
    quit: note('quit'),
  };
  return { all, done };
}

const item = (view: TrayView, label: string, all: TrayActions) => {
  const found = trayMenu(view, all).find((candidate) => candidate.label === label);
  if (found === undefined) throw new Error(`no menu item "${label}"`);
  return found as { click(): void };
};

test('the tray says how many wait before it says anything else', () => {
  const broken = { ...status, healthy: false, banners: ['The audit cannot be written.'] };
  expect(trayState(quiet)).toEqual({ kind: 'ok' });
  expect(trayState({ ...quiet, status: broken })).toEqual({ kind: 'error', sentence: 'The audit cannot be written.' });
  expect(
    trayState({ ...quiet, status: broken, approvals: [approvalView()], confirmations: [confirmationView()] }),
  ).toEqual({ kind: 'needs_you', count: 2 });
});

test('each waiting card is in the menu and leads to its review', () => {
  const { all, done } = actions();
  const view = { ...quiet, approvals: [approvalView()], confirmations: [confirmationView()] };
  item(view, 'Review Claude Code: notes / append', all).click();
  item(view, 'Review Create a key', all).click();
  expect(done).toEqual([
    ['review', { kind: 'approval', id: 'a1' }],
    ['review', { kind: 'confirmation', id: 'k1' }],
  ]);
});

test('no more than five cards are listed, and the rest is one click away', () => {
  const { all, done } = actions();
  const approvals = Array.from({ length: 9 }, (_, n) => approvalView({ id: `a${n}` }));
  const labels = trayMenu({ ...quiet, approvals }, all).map(({ label }) => label);
  expect(labels.filter((label) => label === 'Review Claude Code: notes / append')).toHaveLength(5);
  item({ ...quiet, approvals }, 'Review all 9', all).click();
  expect(done).toEqual([['review', null]]);
});

test('names of agents and servers stay text: no mnemonic, no hidden or reordering character, no endless line', () => {
  const { all } = actions();
  const approvals = [approvalView({ client: 'A&B\u202e', tool: `t\u001b[2J${'x'.repeat(500)}` })];
  const label = trayMenu({ ...quiet, approvals }, all)[1]?.label ?? '';
  expect(label.startsWith('Review A&&B\\u{202e}: notes / t\\u{1b}[2Jx')).toBe(true);
  expect(label.length).toBeLessThan(100);
});

test('the switches change one thing each', () => {
  const { all, done } = actions();
  item(quiet, 'Approve short calls in notifications', all).click();
  item(quiet, 'Show notifications', all).click();
  item(quiet, 'Start at login', all).click();
  expect(done).toEqual([
    ['setNotifications', { show: true, approve: false }],
    ['setNotifications', { show: false, approve: true }],
    ['setStartsAtLogin', true],
  ]);
});

test('pausing is one click in the menu; a pause of everything is a state of its own, behind what needs the person', () => {
  const { all, done } = actions();
  const pause = { clientId: null, client: null, by: 'tray', since: 1 };
  const paused = { ...quiet, status: { ...status, pauses: [pause] } };
  item(quiet, 'Pause all calls', all).click();
  item(paused, 'Resume all calls', all).click();
  expect(done).toEqual([['pauseAll'], ['resumeAll']]);
  expect(trayState(paused)).toEqual({ kind: 'paused' });
  expect(trayMenu(paused, all)[0]?.label).toBe('All calls are paused');
  expect(trayState({ ...paused, approvals: [approvalView()] })).toEqual({ kind: 'needs_you', count: 1 });
  const oneClient = { ...status, pauses: [{ ...pause, clientId: 'c1', client: 'Claude Code' }] };
  expect(trayState({ ...quiet, status: oneClient })).toEqual({ kind: 'ok' });
});

test('trust in a client is told with the minutes left, and ended by one click', () => {
  const { all, done } = actions();
  const trust = {
    id: 't1',
    clientId: 'c1',
    client: 'A&B',
    by: 'dashboard',
    minutes: 15,
    startedAt: 0,
    expiresAt: 61_000,
    usedCount: 0,
  } as const;
  const view = { ...quiet, status: { ...status, trusts: [trust] } };
  expect(trayMenu(view, all)[0]?.label).toBe('Everything from A&&B runs unasked, 2 min left');
  expect(trayMenu({ ...view, now: 2_000 }, all)[0]?.label).toContain('1 min left');
  item(view, 'End the trust in A&&B (2 min left)', all).click();
  expect(done).toEqual([['endTrust', 't1']]);
});

const github = { id: 'u1', name: 'github', enabled: true, signIn: MCP_OAUTH, needsSignIn: false } as const;
const submenu = (items: readonly MenuItemConstructorOptions[], label: string) => {
  const found = items.find((candidate) => candidate.label === label)?.submenu;
  if (!Array.isArray(found)) throw new Error(`no submenu "${label}" among ${items.map((one) => one.label).join(', ')}`);
  return found;
};
const click = (items: readonly MenuItemConstructorOptions[], label: string) => {
  const found = items.find((candidate) => candidate.label === label);
  if (found?.click === undefined)
    throw new Error(`no item "${label}" among ${items.map((one) => one.label).join(', ')}`);
  (found as { click(): void }).click();
};

test('a dead grant is told by the icon and at the top of the menu, where one click mends it', () => {
  const { all, done } = actions();
  const dead = aConnection({ state: 'reconnect' });
  const view = { ...quiet, upstreams: [github], connections: [dead, aConnection({ id: 'x2', label: 'personal' })] };
  expect(trayState(view)).toEqual({ kind: 'reconnect', sentence: 'github (work) must be reconnected' });
  expect(tooltip(trayState(view))).toBe('Gatehouse: github (work) must be reconnected');
  expect(trayMenu(view, all)[0]?.label).toBe('github (work) must be reconnected');
  item(view, 'Reconnect github (work)', all).click();
  expect(done).toEqual([['connect', { upstream: 'u1', name: 'github', connection: 'x1' }]]);
  // What waits for an answer is more urgent; the click stays where it is.
  const busy = { ...view, approvals: [approvalView()] };
  expect(trayState(busy)).toEqual({ kind: 'needs_you', count: 1 });
  item(busy, 'Reconnect github (work)', all).click();
  const two = { ...view, connections: [dead, aConnection({ id: 'x3', label: 'b', state: 'reconnect' })] };
  expect(trayState(two)).toEqual({ kind: 'reconnect', sentence: '2 accounts must be reconnected' });
});

test('Connect account lists the upstreams that take accounts, those that need the person first', () => {
  const { all, done } = actions();
  const view: TrayView = {
    ...quiet,
    upstreams: [
      { ...github, id: 'u4', name: 'calm' },
      { ...github, id: 'u5', name: 'files', signIn: { kind: 'none' } },
      { ...github, id: 'u6', name: 'off', enabled: false },
      { ...github, id: 'u2', name: 'notion', needsSignIn: true },
      github,
    ],
    connections: [aConnection({ state: 'connected' }), aConnection({ id: 'x2', label: 'old', state: 'reconnect' })],
  };
  const menu = submenu(trayMenu(view, all), 'Connect account');
  expect(menu.map(({ label }) => label)).toEqual([
    'github: reconnect needed',
    'notion: needs an account',
    'calm',
    undefined,
    'Show all accounts',
  ]);
  click(menu, 'notion: needs an account');
  const accounts = submenu(menu, 'github: reconnect needed');
  expect(accounts.map(({ label }) => label)).toEqual([
    'old: reconnect needed',
    'work: connected',
    undefined,
    'Connect another account…',
  ]);
  click(accounts, 'Connect another account…');
  const old = submenu(accounts, 'old: reconnect needed');
  click(old, 'Reconnect');
  click(old, 'Rename…');
  click(old, 'Sign out');
  click(menu, 'Show all accounts');
  expect(done).toEqual([
    ['connect', { upstream: 'u2', name: 'notion', connection: null }],
    ['open', 'upstreams/github'],
    ['connect', { upstream: 'u1', name: 'github', connection: 'x2' }],
    ['open', 'upstreams/github'],
    ['signOut', 'x2'],
    ['open', 'upstreams'],
  ]);
});

test('a key is pasted in the window: the tray leads there', () => {
  const { all, done } = actions();
  const keyed = {
    ...github,
    signIn: { kind: 'api_key', place: { in: 'header', name: 'Authorization', prefix: 'Bearer ' } },
  } as const;
  const menu = submenu(trayMenu({ ...quiet, upstreams: [keyed] }, all), 'Connect account');
  click(menu, 'github');
  item(
    { ...quiet, upstreams: [keyed], connections: [aConnection({ state: 'reconnect' })] },
    'Reconnect github (work)',
    all,
  ).click();
  expect(done).toEqual([
    ['open', 'upstreams/github'],
    ['open', 'upstreams/github'],
  ]);
});

test('names of accounts stay text', () => {
  const { all } = actions();
  const connections = [aConnection({ label: 'A&B\u202e', state: 'reconnect' })];
  const labels = trayMenu({ ...quiet, upstreams: [github], connections }, all).map(({ label }) => label);
  expect(labels).toContain('Reconnect github (A&&B\\u{202e})');
});
