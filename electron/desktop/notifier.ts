import { createElectronNotifier } from './electron-notifier.ts';
import { connectFreedesktopNotifier } from './freedesktop-notifier.ts';
import type { Notifier } from './notifications.ts';

/** The desktop's own notification service where there is one, because Electron's buttons on Linux are unproven. */
export async function chooseNotifier(icon: string): Promise<{ readonly notifier: Notifier; close(): void }> {
  if (process.platform === 'linux') {
    const service = await connectFreedesktopNotifier('Gatehouse', icon);
    if (service.kind === 'connected') return service;
  }
  return { notifier: createElectronNotifier(icon, process.platform), close() {} };
}
