import { Notification } from 'electron';
import type { Notifier } from './notifications.ts';

/** Electron's own notifications: macOS, Windows, and Linux without a notification service on the session bus. */
export function createElectronNotifier(icon: string, platform: NodeJS.Platform): Notifier {
  // A notification that nothing refers to is collected, and its buttons with it.
  const live = new Set<Notification>();

  return {
    show(message, on) {
      // On Linux Electron's buttons are unproven, so there it only opens the window.
      const buttons = platform === 'linux' ? [] : message.buttons;
      const notification = new Notification({
        title: message.title,
        body: message.body,
        icon,
        timeoutType: 'never',
        actions: buttons.map(({ label }) => ({ type: 'button', text: label })),
      });
      const end = () => {
        live.delete(notification);
        on.closed();
      };
      notification.on('click', () => on.opened());
      notification.on('action', ({ actionIndex }) => {
        const button = buttons[actionIndex];
        if (button !== undefined) on.pressed(button.key);
      });
      notification.on('close', end);
      notification.on('failed', end);
      live.add(notification);
      notification.show();
      return () => {
        live.delete(notification);
        notification.close();
      };
    },
  };
}
