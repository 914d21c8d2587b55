import { BrowserWindow, type Session } from 'electron';
import type { Topic } from '../../shared/model.ts';
import type { Api } from '../core/api.ts';
import type { Card } from './cards.ts';
import { MAIN_CHANNELS } from './channels.ts';
import type { Place } from './deep-links.ts';
import { answerMainWindow } from './ipc.ts';
import { loadPage } from './load-page.ts';
import { lockedPreferences } from './locks.ts';
import { PAGE_ORIGIN } from './page-protocol.ts';
import type { Preferences } from './preferences.ts';

export interface MainWindow {
  /** Opens the window or brings it to the front, at a place when one is named. */
  open(place: Place | null): void;
  tell(topic: Topic): void;
}

/** The one main window. It is closed, not hidden, when the person closes it: the tray lives on. */
export function createMainWindow(parts: {
  readonly api: Api;
  readonly session: Session;
  readonly preload: string;
  readonly icon: string;
  readonly packaged: boolean;
  readonly preferences: Preferences;
  review(card: Card | null): void;
}): MainWindow {
  let window: BrowserWindow | null = null;

  const create = (place: Place | null): BrowserWindow => {
    const made = new BrowserWindow({
      ...parts.preferences.windowBounds(),
      minWidth: 720,
      minHeight: 480,
      show: false,
      title: 'Gatehouse',
      icon: parts.icon,
      autoHideMenuBar: true,
      webPreferences: lockedPreferences(parts.preload, parts.packaged, parts.session),
    });
    answerMainWindow({ contents: made.webContents, page: MAIN_PAGE, api: parts.api, review: parts.review });
    made.once('ready-to-show', () => made.show());
    made.on('close', () => parts.preferences.keepWindowBounds(made.getNormalBounds()));
    made.on('closed', () => {
      window = null;
    });
    loadPage(made, address(place));
    return made;
  };

  return {
    open(place) {
      if (window === null) {
        window = create(place);
        return;
      }
      // Only the fragment changes, so the page stays loaded and its router follows.
      if (place !== null) loadPage(window, address(place));
      if (window.isMinimized()) window.restore();
      window.show();
      window.focus();
    },
    tell(topic) {
      if (window !== null && !window.isDestroyed()) window.webContents.send(MAIN_CHANNELS.topic, topic);
    },
  };
}

const MAIN_PAGE = `${PAGE_ORIGIN}/index.html`;
const address = (place: Place | null): string => (place === null ? MAIN_PAGE : `${MAIN_PAGE}#/${place}`);
