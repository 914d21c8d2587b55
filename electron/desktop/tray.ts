import { Menu, type MenuItemConstructorOptions, nativeImage, Tray } from 'electron';
import type { ApprovalView, ConfirmationView, StatusView } from '../../shared/model.ts';
import type { Api } from '../core/api.ts';
import type { Card } from './cards.ts';
import type { Page } from './deep-links.ts';
import type { NotificationChoice } from './notifications.ts';
import { shortened, visible } from './plain-text.ts';

/** Everything the tray shows, read anew for each change. */
export interface TrayView {
  readonly status: StatusView | null;
  readonly approvals: readonly ApprovalView[];
  readonly confirmations: readonly ConfirmationView[];
  readonly notifications: NotificationChoice;
  readonly startsAtLogin: boolean;
}

export interface TrayActions {
  open(page: Page | null): void;
  review(card: Card | null): void;
  copyEndpoint(): void;
  setNotifications(choice: NotificationChoice): void;
  setStartsAtLogin(on: boolean): void;
  quit(): void;
}

export interface TrayIcon {
  /** Reads anew what there is to show. */
  refresh(): Promise<void>;
  close(): void;
}

export type TrayState =
  | { readonly kind: 'ok' }
  | { readonly kind: 'needs_you'; readonly count: number }
  | { readonly kind: 'error'; readonly sentence: string };

/**
 * The icon that is always there. Everything is in its context menu: what a click does depends on the desktop, and some
 * have no click at all.
 */
export function createTray(parts: {
  readonly assets: (name: string) => string;
  readonly platform: NodeJS.Platform;
  readonly actions: TrayActions;
  read(): Promise<TrayView>;
}): TrayIcon {
  const { assets, platform, actions, read } = parts;
  const images = {
    ok: trayImage(assets, platform, 'tray'),
    needs_you: trayImage(assets, platform, 'tray-waiting'),
    error: trayImage(assets, platform, 'tray-error'),
  };
  const tray = new Tray(images.ok);
  tray.on('click', () => actions.review(null));

  return {
    async refresh() {
      const view = await read();
      if (tray.isDestroyed()) return;
      const state = trayState(view);
      tray.setImage(images[state.kind]);
      tray.setToolTip(tooltip(state));
      // Linux draws the menu it was given, so it is given a new one after each change.
      tray.setContextMenu(Menu.buildFromTemplate([...trayMenu(view, actions)]));
    },
    close: () => tray.destroy(),
  };
}

/** What the core says for the tray. */
export async function readForTray(api: Api) {
  const caller = { origin: 'main-window', label: 'tray' } as const;
  const [status, approvals, confirmations] = await Promise.all([
    api.request('status', {}, caller),
    api.request('approvalsList', { state: 'waiting' }, caller),
    api.request('confirmationsList', {}, caller),
  ]);
  return {
    status: status.kind === 'answered' ? (status.result as StatusView) : null,
    approvals: approvals.kind === 'answered' ? (approvals.result as readonly ApprovalView[]) : [],
    confirmations: confirmations.kind === 'answered' ? (confirmations.result as readonly ConfirmationView[]) : [],
  };
}

/** What needs the person most: an answer, then a fault. */
export function trayState({ status, approvals, confirmations }: TrayView): TrayState {
  const count = approvals.length + confirmations.length;
  if (count > 0) return { kind: 'needs_you', count };
  if (status === null) return { kind: 'error', sentence: 'Gatehouse does not answer.' };
  if (!status.healthy) return { kind: 'error', sentence: status.banners[0] ?? 'Something is wrong; open Gatehouse.' };
  return { kind: 'ok' };
}

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
    { type: 'separator' },
    { label: 'Open Gatehouse', click: () => actions.open(null) },
    { label: 'Approvals', click: () => actions.open('approvals') },
    { label: 'Tools', click: () => actions.open('tools') },
    { label: 'Upstreams', click: () => actions.open('upstreams') },
    { label: 'Audit', click: () => actions.open('audit') },
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
    case 'error':
      return menuText(state.sentence);
  }
}

const tooltip = (state: TrayState): string => (state.kind === 'ok' ? 'Gatehouse' : `Gatehouse: ${headline(state)}`);

/** Names of agents and servers in a menu: `&` would underline a letter, hidden characters would reorder the line. */
const menuText = (text: string): string => shortened(visible(text), 80).replaceAll('&', '&&');

function trayImage(assets: (name: string) => string, platform: NodeJS.Platform, name: string) {
  if (platform !== 'darwin') return nativeImage.createFromPath(assets(`${name}.png`));
  // macOS draws a template image in the colour of its menu bar.
  const image = nativeImage.createFromPath(assets(`${name}Template.png`));
  image.setTemplateImage(true);
  return image;
}
