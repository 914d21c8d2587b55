import { ipcMain, type Rectangle } from 'electron';
import ElectronStore from 'electron-store';
import { z } from 'zod';
import type { NotificationChoice } from './notifications.ts';

/** What the person likes about windows and desktop; nothing of the gateway (design section 1, row 6). */
export interface Preferences {
  windowBounds(): Partial<Rectangle> & { readonly width: number; readonly height: number };
  keepWindowBounds(bounds: Rectangle): void;
  notifications(): NotificationChoice;
  setNotifications(choice: NotificationChoice): void;
}

/** `folder` holds `preferences.json`. A file that does not parse is taken for an empty one: only comfort is lost. */
export function openPreferences(folder: string): Preferences {
  const store = new ElectronStore({
    cwd: folder,
    name: 'preferences',
    clearInvalidConfig: true,
    configFileMode: 0o600,
  });
  // SECURITY: electron-store answers any page that asks on this channel, without looking at who asks (security.md L4).
  ipcMain.removeAllListeners('electron-store-get-data');
  const read = () => SCHEMA.parse(store.store);

  return {
    windowBounds: () => read().windowBounds,
    keepWindowBounds: (bounds) => store.set('windowBounds', bounds),
    notifications: () => read().notifications,
    setNotifications: (choice) => store.set('notifications', choice),
  };
}

const size = z.number().int().min(200).max(20_000);
const place = z.number().int().min(-50_000).max(50_000);

const SCHEMA = z.object({
  windowBounds: z
    .object({ x: place.optional(), y: place.optional(), width: size, height: size })
    .catch({ width: 1080, height: 760 }),
  notifications: z.object({ show: z.boolean(), approve: z.boolean() }).catch({ show: true, approve: true }),
});
