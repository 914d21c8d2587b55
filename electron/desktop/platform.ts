import { type Keychain, type Notice, type Platform, systemClock } from '../core/platform.ts';

/** The machine as a desktop: the plain one, with notifications. */
export function createDesktopPlatform(parts: {
  readonly dataFolder: string;
  readonly keychain: Keychain;
  notify(notice: Notice): void;
  openBrowser(address: string): Promise<boolean>;
}): Platform {
  return { mode: 'desktop', clock: systemClock, ...parts };
}
