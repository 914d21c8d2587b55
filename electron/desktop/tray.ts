import { Menu, nativeImage, Tray } from 'electron';
import type { ConnectionView } from '../../shared/connections.ts';
import type { ApprovalView, ConfirmationView, StatusView, UpstreamView } from '../../shared/model.ts';
import type { Api } from '../core/api.ts';
import { type TrayActions, type TrayView, tooltip, trayMenu, trayState } from './tray-menu.ts';

export interface TrayIcon {
  /** Reads anew what there is to show. */
  refresh(): Promise<void>;
  close(): void;
}

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
    paused: trayImage(assets, platform, 'tray-paused'),
    reconnect: trayImage(assets, platform, 'tray-error'),
    trusting: trayImage(assets, platform, 'tray'),
    error: trayImage(assets, platform, 'tray-error'),
  };
  const tray = new Tray(images.ok);
  let waits = false;
  tray.on('click', () => (waits ? actions.review(null) : actions.open(null)));

  return {
    async refresh() {
      const view = await read();
      if (tray.isDestroyed()) return;
      const state = trayState(view);
      waits = state.kind === 'needs_you';
      tray.setImage(images[state.kind]);
      tray.setToolTip(tooltip(state));
      // Linux draws the menu it was given, so it is given a new one after each change.
      tray.setContextMenu(Menu.buildFromTemplate([...trayMenu(view, actions)]));
    },
    close: () => tray.destroy(),
  };
}

/**
 * SECURITY: as whom the tray asks. Not as the person: on Linux any program of the session can press the items of a tray
 * menu over D-Bus, so what widens access is confirmed in the approval window.
 */
const caller = { origin: 'main-window', label: 'tray' } as const;

export const pauseFromTray = (api: Api) => api.request('callsPause', {}, caller);
export const resumeFromTray = (api: Api) => api.request('callsResume', {}, caller);
export const endTrustFromTray = (api: Api, trust: string) => api.request('trustEnd', { trust }, caller);

/** What the core says for the tray. */
export async function readForTray(api: Api) {
  const [status, approvals, confirmations, upstreams, connections] = await Promise.all([
    api.request('status', {}, caller),
    api.request('approvalsList', { state: 'waiting' }, caller),
    api.request('confirmationsList', {}, caller),
    api.request('upstreamsList', {}, caller),
    api.request('connectionsList', {}, caller),
  ]);
  return {
    status: status.kind === 'answered' ? (status.result as StatusView) : null,
    approvals: approvals.kind === 'answered' ? (approvals.result as readonly ApprovalView[]) : [],
    confirmations: confirmations.kind === 'answered' ? (confirmations.result as readonly ConfirmationView[]) : [],
    upstreams: upstreams.kind === 'answered' ? (upstreams.result as readonly UpstreamView[]) : [],
    connections: connections.kind === 'answered' ? (connections.result as readonly ConnectionView[]) : [],
  };
}

function trayImage(assets: (name: string) => string, platform: NodeJS.Platform, name: string) {
  if (platform !== 'darwin') return nativeImage.createFromPath(assets(`${name}.png`));
  // macOS draws a template image in the colour of its menu bar.
  const image = nativeImage.createFromPath(assets(`${name}Template.png`));
  image.setTemplateImage(true);
  return image;
}
