import { describe, expect, test } from 'vitest';
import { findDataFolder, type Machine } from '../../../electron/core/control/data-folder.ts';

const linux: Machine = { env: {}, platform: 'linux', home: '/home/ada', cwd: '/srv' };

describe('the data folder', () => {
  test.each<[string, Machine, string]>([
    ['~/.local/share/gatehouse on Linux', linux, '/home/ada/.local/share/gatehouse'],
    ['below XDG_DATA_HOME where it is set', { ...linux, env: { XDG_DATA_HOME: '/data' } }, '/data/gatehouse'],
    [
      'not below a relative XDG_DATA_HOME',
      { ...linux, env: { XDG_DATA_HOME: 'data' } },
      '/home/ada/.local/share/gatehouse',
    ],
    [
      'in Application Support on macOS',
      { ...linux, platform: 'darwin' },
      '/home/ada/Library/Application Support/Gatehouse',
    ],
    [
      'in APPDATA on Windows',
      { ...linux, platform: 'win32', env: { APPDATA: 'C:\\Roaming' } },
      'C:\\Roaming\\Gatehouse',
    ],
    ['GATEHOUSE_DATA where it is set', { ...linux, env: { GATEHOUSE_DATA: '/var/gh' } }, '/var/gh'],
  ])('is %s', (_, machine, folder) => {
    expect(findDataFolder(null, machine)).toEqual({ kind: 'found', folder });
  });

  test('is what --data says before anything else, seen from where the command was typed', () => {
    const machine = { ...linux, env: { GATEHOUSE_DATA: '/var/gh' } };
    expect(findDataFolder('mine', machine)).toEqual({ kind: 'found', folder: '/srv/mine' });
  });

  test('may name a variable where no shell reads it', () => {
    const machine = { ...linux, env: { GATEHOUSE_DATA: `\${STATE_DIRECTORY}/gh`, STATE_DIRECTORY: '/var/lib/g' } };
    expect(findDataFolder(null, machine)).toEqual({ kind: 'found', folder: '/var/lib/g/gh' });
  });

  test('named with a variable that is not set is a fault that names the variable', () => {
    const machine = { ...linux, env: { GATEHOUSE_DATA: `\${STATE_DIRECTORY}/gh` } };
    expect(findDataFolder(null, machine)).toEqual({
      kind: 'fault',
      message:
        'GATEHOUSE_DATA names the environment variable STATE_DIRECTORY, which is not set; set it or write the path out.',
    });
  });

  test('without HOME, or without APPDATA on Windows, is a fault that names the variable', () => {
    expect(findDataFolder(null, { ...linux, home: '' })).toMatchObject({ message: expect.stringContaining(' HOME ') });
    expect(findDataFolder(null, { ...linux, platform: 'win32' })).toMatchObject({
      message: expect.stringContaining(' APPDATA '),
    });
  });
});
