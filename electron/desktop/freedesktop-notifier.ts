import type { EventEmitter } from 'node:events';
import { type ClientInterface, type MessageBus, sessionBus, Variant } from '@jellybrick/dbus-next';
import type { Notifier } from './notifications.ts';

export type FreedesktopNotifier =
  | { readonly kind: 'connected'; readonly notifier: Notifier; close(): void }
  | { readonly kind: 'absent'; readonly reason: string };

/**
 * Notifications over the session bus, because Electron's buttons on Linux are unproven (Desktop Notifications
 * Specification 1.2). The D-Bus library takes signals from the owner of the service's name only; the keys of the buttons
 * are unguessable besides.
 */
export async function connectFreedesktopNotifier(appName: string, icon: string): Promise<FreedesktopNotifier> {
  const connected = await connect();
  if (connected.kind === 'absent') return connected;
  const { bus, service, capabilities } = connected;

  const live = new Map<number, { pressed(key: string): void; opened(): void; closed(): void }>();
  service.on('ActionInvoked', (id, key) => {
    const on = live.get(Number(id));
    if (key === 'default') on?.opened();
    else on?.pressed(String(key));
  });
  service.on('NotificationClosed', (id) => {
    const on = live.get(Number(id));
    live.delete(Number(id));
    on?.closed();
  });

  const show: Notifier['show'] = (message, on) => {
    const buttons = capabilities.includes('actions') ? message.buttons : [];
    const actions = ['default', 'Open', ...buttons.flatMap(({ key, label }) => [key, label])];
    const hints = {
      // High enough to stay until it is answered, without the red of a fault.
      urgency: new Variant('y', 1),
      'desktop-entry': new Variant('s', appName.toLowerCase()),
      // Arguments of a call do not belong into the desktop's history of notifications.
      transient: new Variant('b', true),
    };
    const sent = service.Notify(appName, 0, icon, message.title, escapeMarkup(message.body), actions, hints, 0);
    sent.then(
      (id) => live.set(id, on),
      () => on.closed(),
    );
    return () => {
      void sent
        .then((id) => {
          live.delete(id);
          return service.CloseNotification(id);
        })
        .catch(() => {});
    };
  };
  return { kind: 'connected', notifier: { show }, close: () => bus.disconnect() };
}

type Connected =
  | {
      readonly kind: 'connected';
      readonly bus: MessageBus;
      readonly service: NotificationService;
      readonly capabilities: readonly string[];
    }
  | { readonly kind: 'absent'; readonly reason: string };

/** How long a bus or a service may take before it counts as absent, in milliseconds. */
const PATIENCE_MS = 3000;

async function connect(): Promise<Connected> {
  const lost = Promise.withResolvers<Connected>();
  const absent = (error: unknown): Connected => ({
    kind: 'absent',
    reason: error instanceof Error ? error.message : String(error),
  });
  const timer = setTimeout(() => lost.resolve(absent('The session bus does not answer.')), PATIENCE_MS);
  try {
    const bus = sessionBus();
    // The library reports a bus that cannot be reached here only, and its types leave it out. Later a lost bus costs
    // notifications only: without a listener it would end the app.
    (bus as EventEmitter).on('error', (error) => lost.resolve(absent(error)));
    const found = await Promise.race([lost.promise, ask(bus)]);
    if (found.kind === 'absent') bus.disconnect();
    return found;
  } catch (error) {
    return absent(error);
  } finally {
    clearTimeout(timer);
  }
}

async function ask(bus: MessageBus): Promise<Connected> {
  const object = await bus.getProxyObject('org.freedesktop.Notifications', '/org/freedesktop/Notifications');
  const service = object.getInterface<NotificationService>('org.freedesktop.Notifications');
  return { kind: 'connected', bus, service, capabilities: await service.GetCapabilities() };
}

/** Bodies are markup wherever the service offers it; text of agents must stay text. */
export function escapeMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

interface NotificationService extends ClientInterface {
  GetCapabilities(): Promise<string[]>;
  Notify(
    app: string,
    replaces: number,
    icon: string,
    summary: string,
    body: string,
    actions: string[],
    hints: Record<string, Variant>,
    expireMs: number,
  ): Promise<number>;
  CloseNotification(id: number): Promise<void>;
}
