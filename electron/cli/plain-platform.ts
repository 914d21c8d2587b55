import type { Core, StartFault } from '../core/core.ts';
import { type Platform, systemClock } from '../core/platform.ts';
import { createKeychain } from '../core/secrets/keychain.ts';

/** The machine without Electron: for the headless app and for commands while no app runs. */
export function plainPlatform(dataFolder: string): Platform {
  return {
    mode: 'headless',
    dataFolder,
    clock: systemClock,
    keychain: createKeychain(),
    notify() {},
    openBrowser: null,
  };
}

/** Opens a data folder for one command: no listener, no upstream. */
export async function openCoreForCommand(folder: string, version: string): Promise<Core | StartFault> {
  // Loaded only here: the core with SQLite takes longer than asking a running app.
  const { startCore } = await import('../core/core.ts');
  const started = await startCore(plainPlatform(folder), { port: 0, version, unattended: false, listen: false });
  return started.kind === 'started' ? started.core : started;
}
