import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { autostartEntry, createLoginItem } from '../../electron/desktop/login-item.ts';

const noApp = {
  getLoginItemSettings: () => {
    throw new Error('asked Electron on Linux');
  },
  setLoginItemSettings: () => {
    throw new Error('told Electron on Linux');
  },
};

test('on Linux starting at login is an autostart entry, made and removed', () => {
  const home = mkdtempSync(join(tmpdir(), 'gatehouse-home-'));
  const item = createLoginItem({
    app: noApp,
    platform: 'linux',
    env: {},
    home,
    command: ['/opt/Gatehouse/gatehouse', '--hidden'],
  });
  const file = join(home, '.config', 'autostart', 'gatehouse.desktop');
  expect(item.isOn()).toBe(false);
  item.set(true);
  expect(item.isOn()).toBe(true);
  expect(readFileSync(file, 'utf8')).toContain('\nExec="/opt/Gatehouse/gatehouse" "--hidden"\n');
  item.set(false);
  expect([item.isOn(), existsSync(file)]).toEqual([false, false]);
});

test('elsewhere the operating system is told, with the argument that opens no window', () => {
  const told: unknown[] = [];
  const app = {
    getLoginItemSettings: () => ({ openAtLogin: true }) as Electron.LoginItemSettings,
    setLoginItemSettings: (settings: unknown) => told.push(settings),
  };
  const item = createLoginItem({ app, platform: 'win32', env: {}, home: '', command: ['C:\\g.exe', '--hidden'] });
  item.set(true);
  expect([told, item.isOn()]).toEqual([[{ openAtLogin: true, args: ['--hidden'] }], true]);
});

/** Undoes the two layers of quoting as the specification says a launcher does. */
function launched(entry: string): string {
  const exec = /^Exec=(.*)$/m.exec(entry)?.[1] ?? '';
  const value = exec.replaceAll('\\\\', '\\');
  const inner = /^"(.*)"$/.exec(value)?.[1] ?? '';
  return inner.replaceAll('%%', '%').replace(/\\(["`$\\])/g, '$1');
}

test.each(['/home/a b/Gatehouse', '/x/100%/g', '/x/"q"/g', '/x/$HOME/`id`/g', '/x/back\\slash'])(
  'a program at %s is started by its exact path',
  (path) => {
    expect(launched(autostartEntry([path]))).toBe(path);
  },
);

test('a line break in a path cannot add a line to the entry', () => {
  expect(
    autostartEntry(['/x/g\nExec=evil'])
      .split('\n')
      .filter((line) => line.startsWith('Exec=')),
  ).toHaveLength(1);
});
