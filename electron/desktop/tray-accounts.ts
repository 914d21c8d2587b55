import type { MenuItemConstructorOptions } from 'electron';
import type { ConnectionState, ConnectionView, SignInMode } from '../../shared/connections.ts';
import type { UpstreamView } from '../../shared/model.ts';
import type { Place } from './deep-links.ts';
import { menuText } from './plain-text.ts';

/** What the tray knows of accounts. */
export interface TrayAccounts {
  readonly upstreams: readonly Pick<UpstreamView, 'id' | 'name' | 'enabled' | 'signIn' | 'needsSignIn'>[];
  readonly connections: readonly ConnectionView[];
}

export interface AccountActions {
  open(place: Place | null): void;
  /** Begins a sign-in and opens the vendor's page: this click was for it. `connection` null: a first account. */
  connect(wanted: AccountWanted): void;
  signOut(connection: string): void;
}

export interface AccountWanted {
  readonly upstream: string;
  /** The upstream's name, for the page that shows how it goes. */
  readonly name: string;
  readonly connection: string | null;
}

/** Accounts whose grant is dead: calls with them fail until the person signs in again. */
export function deadAccounts({ connections }: TrayAccounts): readonly ConnectionView[] {
  return connections.filter(({ state }) => state === 'reconnect');
}

/** What the tray says of dead accounts; null when there is none. */
export function deadSentence(accounts: TrayAccounts): string | null {
  const dead = deadAccounts(accounts);
  const [first] = dead;
  if (first === undefined) return null;
  return dead.length === 1
    ? `${first.upstream} (${first.label}) must be reconnected`
    : `${dead.length} accounts must be reconnected`;
}

/** One click for each dead account, at the top of the menu. */
export function reconnectItems(accounts: TrayAccounts, actions: AccountActions): readonly MenuItemConstructorOptions[] {
  return deadAccounts(accounts)
    .slice(0, LISTED_DEAD)
    .map((account) => ({
      label: menuText(`Reconnect ${account.upstream} (${account.label})`),
      click: () => again(account, modeOf(account, accounts), actions),
    }));
}

/** `Connect account ▸`: every upstream that accounts sign in at, those that need the person first. */
export function accountsMenu(accounts: TrayAccounts, actions: AccountActions): MenuItemConstructorOptions {
  const shown = accounts.upstreams
    .filter(({ enabled, signIn }) => enabled && signIn.kind !== 'none')
    .map((upstream) => ({
      upstream,
      own: accounts.connections
        .filter(({ upstreamId }) => upstreamId === upstream.id)
        .toSorted((a, b) => ORDER[a.state] - ORDER[b.state]),
    }))
    .toSorted((a, b) => urgency(a) - urgency(b));
  return {
    label: 'Connect account',
    submenu: [
      ...shown.slice(0, LISTED_UPSTREAMS).map(({ upstream, own }) => itemOf(upstream, own, actions)),
      ...(shown.length === 0 ? [{ label: 'No upstream takes accounts', enabled: false }] : []),
      { type: 'separator' as const },
      { label: 'Show all accounts', click: () => actions.open('upstreams') },
    ],
  };
}

type Upstream = TrayAccounts['upstreams'][number];

function itemOf(
  upstream: Upstream,
  own: readonly ConnectionView[],
  actions: AccountActions,
): MenuItemConstructorOptions {
  const { name } = upstream;
  const first = () => connectFirst(upstream, actions);
  if (own.length === 0)
    return { label: menuText(upstream.needsSignIn ? `${name}: needs an account` : name), click: first };
  return {
    label: menuText(own.some(({ state }) => state === 'reconnect') ? `${name}: reconnect needed` : name),
    submenu: [
      ...own.map((account) => ({
        label: menuText(`${account.label}: ${WORDS[account.state]}`),
        submenu: accountItems(account, upstream.signIn.kind, actions),
      })),
      { type: 'separator' as const },
      // It needs a name of its own, and that is typed in the window.
      { label: 'Connect another account…', click: () => actions.open(`upstreams/${name}`) },
    ],
  };
}

function accountItems(
  account: ConnectionView,
  mode: SignInMode,
  actions: AccountActions,
): MenuItemConstructorOptions[] {
  const words = mode === 'api_key' ? 'Replace key…' : account.state === 'signed_out' ? 'Sign in' : 'Reconnect';
  return [
    { label: words, click: () => again(account, mode, actions) },
    { label: 'Rename…', click: () => actions.open(`upstreams/${account.upstream}`) },
    {
      label: 'Sign out',
      enabled: account.state !== 'signed_out',
      click: () => actions.signOut(account.id),
    },
  ];
}

/** A key is pasted in the window; everything else begins with this click. */
function again({ upstreamId, upstream, id }: ConnectionView, mode: SignInMode, actions: AccountActions): void {
  if (mode === 'api_key') actions.open(`upstreams/${upstream}`);
  else actions.connect({ upstream: upstreamId, name: upstream, connection: id });
}

/** How accounts sign in there now: the account may have signed in otherwise. */
function modeOf({ upstreamId, mode }: ConnectionView, { upstreams }: TrayAccounts): SignInMode {
  return upstreams.find(({ id }) => id === upstreamId)?.signIn.kind ?? mode;
}

function connectFirst({ id, name, signIn }: Upstream, actions: AccountActions): void {
  if (signIn.kind === 'api_key') actions.open(`upstreams/${name}`);
  else actions.connect({ upstream: id, name, connection: null });
}

function urgency({ upstream, own }: { readonly upstream: Upstream; readonly own: readonly ConnectionView[] }): number {
  if (own.some(({ state }) => state === 'reconnect')) return 0;
  if (upstream.needsSignIn) return 1;
  return own.length > 0 ? 2 : 3;
}

const ORDER: Readonly<Record<ConnectionState, number>> = {
  reconnect: 0,
  more_scopes: 1,
  locked: 2,
  connected: 3,
  signed_out: 4,
};
const WORDS: Readonly<Record<ConnectionState, string>> = {
  reconnect: 'reconnect needed',
  more_scopes: 'wants more scopes',
  locked: 'locked',
  connected: 'connected',
  signed_out: 'signed out',
};
const LISTED_DEAD = 5;
/** More do not fit on a screen. */
const LISTED_UPSTREAMS = 30;
