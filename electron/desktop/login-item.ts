import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { App } from 'electron';

/** Whether the app starts when the person signs in to the computer. */
export interface LoginItem {
  isOn(): boolean;
  set(on: boolean): void;
}

/** The operating system's own list on macOS and Windows; an autostart entry (XDG Autostart) on Linux. */
export function createLoginItem(parts: {
  readonly app: Pick<App, 'getLoginItemSettings' | 'setLoginItemSettings'>;
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** The program and its arguments that start the app without a window. */
  readonly command: readonly string[];
}): LoginItem {
  if (parts.platform !== 'linux') {
    return {
      isOn: () => parts.app.getLoginItemSettings({ args: [...parts.command.slice(1)] }).openAtLogin,
      set: (on) => parts.app.setLoginItemSettings({ openAtLogin: on, args: [...parts.command.slice(1)] }),
    };
  }
  const config = parts.env.XDG_CONFIG_HOME || join(parts.home, '.config');
  const file = join(config, 'autostart', 'gatehouse.desktop');
  return {
    isOn: () => statSync(file, { throwIfNoEntry: false }) !== undefined,
    set(on) {
      if (!on) {
        rmSync(file, { force: true });
        return;
      }
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, autostartEntry(parts.command));
    },
  };
}

/** A desktop entry that runs the command (Desktop Entry Specification 1.5, "The Exec key"). */
export function autostartEntry(command: readonly string[]): string {
  return [
    '[Desktop Entry]',
    'Type=Application',
    'Name=Gatehouse',
    'Comment=Decides what AI agents may do',
    `Exec=${command.map(quoted).join(' ')}`,
    'Terminal=false',
    'X-GNOME-Autostart-enabled=true',
    '',
  ].join('\n');
}

/** One argument of `Exec`: quoted, then escaped once more as every string value of a desktop entry is; `%` starts a field code. */
function quoted(argument: string): string {
  const inQuotes = argument.replace(/["`$\\]/g, '\\$&').replaceAll('%', '%%');
  return `"${inQuotes}"`.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
