import { expect, test } from 'vitest';
import { readLaunch } from '../../electron/desktop/launch.ts';

test('a packaged app with a command is the command line', () => {
  expect(readLaunch(['/opt/Gatehouse/gatehouse', 'keys', 'list', '--json'], true)).toEqual({
    kind: 'cli',
    argv: ['keys', 'list', '--json'],
  });
});

test('asking for help is the command line', () => {
  expect(readLaunch(['gatehouse', '--help'], true).kind).toBe('cli');
});

test('in development the folder that Electron runs is no command', () => {
  expect(readLaunch(['electron', '.'], false).kind).toBe('app');
  expect(readLaunch(['electron', '--no-sandbox', '.', '--hidden'], false).kind).toBe('app');
  expect(readLaunch(['electron', '.', 'keys', 'list'], false)).toEqual({ kind: 'cli', argv: ['keys', 'list'] });
});

test('options of the app are read in both spellings, and switches of Chromium are left alone', () => {
  const launch = readLaunch(['gatehouse', '--ozone-platform=x11', '--port', '0', '--data=/srv/g', '--hidden'], true);
  if (launch.kind !== 'app') throw new Error('not taken for the app');
  expect([launch.text('port'), launch.text('data'), launch.text('json')]).toEqual(['0', '/srv/g', null]);
  expect([launch.flag('json'), launch.hidden, launch.link]).toEqual([false, true, null]);
});

test('a link that the app is opened with is no command', () => {
  const launch = readLaunch(['gatehouse', 'gatehouse://open/audit'], true);
  expect(launch.kind === 'app' && launch.link).toBe('gatehouse://open/audit');
});
