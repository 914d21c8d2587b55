import type { MenuItemConstructorOptions } from 'electron';
import type { ApprovalView, ConfirmationView, StatusView, TrustView } from '../../shared/model.ts';
import type { Card } from './cards.ts';
import { PAGES } from './deep-links.ts';
import type { NotificationChoice } from './notifications.ts';
import { menuText } from './plain-text.ts';
import { type AccountActions, accountsMenu, deadSentence, reconnectItems, type TrayAccounts } from './tray-accounts.ts';

/** Everything the tray shows, read anew for each change. */
export interface TrayView extends TrayAccounts {
  readonly status: StatusView | null;
  readonly approvals: readonly ApprovalView[];
  readonly confirmations: readonly ConfirmationView[];
  readonly notifications: NotificationChoice;
  readonly startsAtLogin: boolean;
  /** Milliseconds since 1970, for what is shown as time left. */
  readonly now: number;
}

export interface TrayActions extends AccountActions {
  review(card: Card | null): void;
  copyEndpoint(): void;
  pauseAll(): void;
  resumeAll(): void;
  endTrust(trust: string): void;
  setNotifications(choice: NotificationChoice): void;
  setStartsAtLogin(on: boolean): void;
  quit(): void;
}

export type TrayState =
  | { readonly kind: 'ok' }
  | { readonly kind: 'needs_you'; readonly count: number }
  | { readonly kind: 'paused' }
  | { readonly kind: 'reconnect'; readonly sentence: string }
  | { readonly kind: 'trusting'; readonly sentence: string }
  | { readonly kind: 'error'; readonly sentence: string };

/** What needs the person most: an answer, then a fault of all calls; then a pause, then accounts that do not work. */
export function trayState(view: TrayView): TrayState {
  const { status, approvals, confirmations, now } = view;
  const count = approvals.length + confirmations.length;
  if (count > 0) return { kind: 'needs_you', count };
  if (status === null) return { kind: 'error', sentence: 'Gatehouse does not answer.' };
  if (!status.healthy) return { kind: 'error', sentence: status.banners[0] ?? 'Something is wrong; open Gatehouse.' };
  if (isPaused(status)) return { kind: 'paused' };
  const dead = deadSentence(view);
  if (dead !== null) return { kind: 'reconnect', sentence: dead };
  const [trust] = status.trusts;
  if (trust !== undefined)
    return { kind: 'trusting', sentence: `Everything from ${trust.client} runs unasked, ${minutesLeft(trust, now)}` };
  return { kind: 'ok' };
}

const isPaused = (status: StatusView | null): boolean =>
  status?.pauses.some(({ clientId }) => clientId === null) === true;

export function trayMenu(view: TrayView, actions: TrayActions): readonly MenuItemConstructorOptions[] {
  const { status, approvals, confirmations, notifications } = view;
  const state = trayState(view);
  const cards = [
    ...approvals.map((approval) => ({
      label: `${approval.client}: ${approval.upstream} / ${approval.tool}`,
      card: { kind: 'approval', id: approval.id } as const,
    })),
    ...confirmations.map(({ id, title }) => ({ label: title, card: { kind: 'confirmation', id } as const })),
  ];
  return [
    { label: headline(state), enabled: false },
    ...cards
      .slice(0, LISTED_CARDS)
      .map(({ label, card }) => ({ label: `Review ${menuText(label)}`, click: () => actions.review(card) })),
    ...(cards.length > LISTED_CARDS
      ? [{ label: `Review all ${cards.length}`, click: () => actions.review(null) }]
      : []),
    ...reconnectItems(view, actions),
    { type: 'separator' },
    accountsMenu(view, actions),
    { type: 'separator' },
    isPaused(status)
      ? { label: 'Resume all calls', click: () => actions.resumeAll() }
      : { label: 'Pause all calls', enabled: status !== null, click: () => actions.pauseAll() },
    ...(status?.trusts ?? []).map((trust) => ({
      label: menuText(`End the trust in ${trust.client} (${minutesLeft(trust, view.now)})`),
      click: () => actions.endTrust(trust.id),
    })),
    { type: 'separator' },
    { label: 'Open Gatehouse', click: () => actions.open(null) },
    ...PAGES.map((page) => ({
      label: `${page.charAt(0).toUpperCase()}${page.slice(1)}`,
      click: () => actions.open(page),
    })),
    { type: 'separator' },
    {
      label: status === null ? 'No endpoint' : `Copy ${menuText(status.endpoint)}`,
      enabled: status !== null,
      click: () => actions.copyEndpoint(),
    },
    { type: 'separator' },
    {
      label: 'Show notifications',
      type: 'checkbox',
      checked: notifications.show,
      click: () => actions.setNotifications({ ...notifications, show: !notifications.show }),
    },
    {
      label: 'Approve short calls in notifications',
      type: 'checkbox',
      checked: notifications.approve,
      enabled: notifications.show,
      click: () => actions.setNotifications({ ...notifications, approve: !notifications.approve }),
    },
    {
      label: 'Start at login',
      type: 'checkbox',
      checked: view.startsAtLogin,
      click: () => actions.setStartsAtLogin(!view.startsAtLogin),
    },
    { type: 'separator' },
    { label: 'Quit Gatehouse', click: () => actions.quit() },
  ];
}

const LISTED_CARDS = 5;

function headline(state: TrayState): string {
  switch (state.kind) {
    case 'ok':
      return 'Gatehouse is running';
    case 'needs_you':
      return state.count === 1 ? '1 request waits for you' : `${state.count} requests wait for you`;
    case 'paused':
      return 'All calls are paused';
    case 'reconnect':
    case 'trusting':
    case 'error':
      return menuText(state.sentence);
  }
}

export const tooltip = (state: TrayState): string =>
  state.kind === 'ok' ? 'Gatehouse' : `Gatehouse: ${headline(state)}`;

/** In minutes: a menu is drawn anew once a minute, not once a second. */
const minutesLeft = ({ expiresAt }: TrustView, now: number): string =>
  `${Math.max(1, Math.ceil((expiresAt - now) / 60_000))} min left`;
