import { Menu } from 'electron';

/**
 * macOS needs a menu for Copy, Paste and Quit. Elsewhere there is none: Electron's own would bring reload and the
 * developer tools.
 */
export function setAppMenu(platform: NodeJS.Platform): void {
  if (platform !== 'darwin') {
    Menu.setApplicationMenu(null);
    return;
  }
  Menu.setApplicationMenu(Menu.buildFromTemplate([{ role: 'appMenu' }, { role: 'editMenu' }, { role: 'windowMenu' }]));
}
