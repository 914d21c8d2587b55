import { homedir } from 'node:os';
import { isAbsolute, join, posix, resolve, win32 } from 'node:path';
import { expandVariables } from '../diagnosis/variables.ts';

export type DataFolder =
  | { readonly kind: 'found'; readonly folder: string }
  | { readonly kind: 'fault'; readonly message: string };

/** What the choice depends on: the process's own, or a test's. */
export interface Machine {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly home: string;
  readonly cwd: string;
}

export const thisMachine = (): Machine => ({
  env: process.env,
  platform: process.platform,
  home: homedir(),
  cwd: process.cwd(),
});

/**
 * The data folder that app and command line share: what was asked for (`--data`), else GATEHOUSE_DATA, else the
 * platform's own place for application data (XDG Base Directory on Linux).
 */
export function findDataFolder(asked: string | null, machine: Machine = thisMachine()): DataFolder {
  const { env, platform, home, cwd } = machine;
  const named = asked ?? (env.GATEHOUSE_DATA || null);
  if (named !== null) {
    const expanded = expandVariables(named, asked === null ? 'GATEHOUSE_DATA' : '--data', env);
    return expanded.kind === 'fault' ? expanded : { kind: 'found', folder: resolve(cwd, expanded.text) };
  }
  if (platform === 'win32') {
    if (!env.APPDATA) return missing('APPDATA', 'it says where Windows keeps application data');
    return { kind: 'found', folder: win32.join(env.APPDATA, 'Gatehouse') };
  }
  // The XDG specification says that a relative path in it is to be ignored.
  if (platform === 'linux' && env.XDG_DATA_HOME && isAbsolute(env.XDG_DATA_HOME)) {
    return { kind: 'found', folder: join(env.XDG_DATA_HOME, 'gatehouse') };
  }
  if (home === '') return missing('HOME', 'it says where your home folder is');
  if (platform === 'darwin') {
    return { kind: 'found', folder: posix.join(home, 'Library', 'Application Support', 'Gatehouse') };
  }
  return { kind: 'found', folder: posix.join(home, '.local', 'share', 'gatehouse') };
}

function missing(name: string, why: string): DataFolder {
  return {
    kind: 'fault',
    message: `The environment variable ${name} is not set (${why}); set it, or give a folder with --data.`,
  };
}
