import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, posix, win32 } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What a child process of an upstream sees: the few variables programs cannot do without, and the upstream's own
 * entries. Nothing else of ours: not tokens of the shell, not what makes a runtime load other code.
 */
export function childEnvironment(base: Environment, own: Readonly<Record<string, string>>): Record<string, string> {
  const inherited: Record<string, string> = {};
  for (const name of process.platform === 'win32' ? INHERITED_WINDOWS : INHERITED) {
    const value = base[name];
    // An exported shell function is code.
    if (value !== undefined && !value.startsWith('()')) inherited[name] = value;
  }
  if (inherited.PATH !== undefined) inherited.PATH = absoluteEntries(inherited.PATH).join(delimiter);
  return { ...inherited, ...own };
}

export type ResolvedCommand =
  | { readonly kind: 'found'; readonly path: string }
  | { readonly kind: 'missing'; readonly message: string };

/** Where commands are looked for; another one in tests. */
export interface System {
  readonly platform: NodeJS.Platform;
  isExecutable(path: string): boolean;
}

export const thisSystem: System = { platform: process.platform, isExecutable };

/** The absolute path of what will run. Never looks in the current folder, and not at relative entries of PATH. */
export function resolveCommand(command: string, base: Environment, system: System = thisSystem): ResolvedCommand {
  const isWindows = system.platform === 'win32';
  const path = isWindows ? win32 : posix;
  if (path.isAbsolute(command)) {
    return system.isExecutable(command)
      ? { kind: 'found', path: command }
      : { kind: 'missing', message: `The command ${command} does not exist or may not be executed.` };
  }
  if (/[/\\]/.test(command)) {
    return { kind: 'missing', message: `The command ${command} is a relative path. Give its full path.` };
  }
  const folders = (base.PATH ?? '').split(path.delimiter).filter((entry) => path.isAbsolute(entry));
  // Beside `npx.cmd` lies `npx`, a shell script that Windows cannot run.
  const endings = !isWindows || WINDOWS_ENDINGS.includes(path.extname(command).toLowerCase()) ? [''] : WINDOWS_ENDINGS;
  for (const folder of folders) {
    for (const ending of endings) {
      const found = path.join(folder, command + ending);
      if (system.isExecutable(found)) return { kind: 'found', path: found };
    }
  }
  const looked = folders.length === 0 ? 'PATH holds no absolute folder' : `looked in ${folders.join(', ')}`;
  return { kind: 'missing', message: `The command ${command} was not found (${looked}).` };
}

/** Why a name may not be an own entry of an upstream's environment; null when it may. */
export function refuseEnvironmentName(name: string): string | null {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name))
    return `${JSON.stringify(name)} is no name for an environment entry.`;
  // Values are secret, so nobody sees at review what such an entry would make the program load.
  if (LOADS_CODE.test(name)) return `${name} decides which code a program runs and cannot be set for an upstream.`;
  return null;
}

function absoluteEntries(path: string): readonly string[] {
  return path.split(delimiter).filter((entry) => isAbsolute(entry));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Absent or unreadable: for the question asked here both mean no.
    return false;
  }
}

/** In the order in which Windows itself prefers them. */
const WINDOWS_ENDINGS = ['.com', '.exe', '.bat', '.cmd'];
const INHERITED = ['HOME', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'USER', 'LANG', 'TMPDIR'];
const INHERITED_WINDOWS = [
  'APPDATA',
  'HOMEDRIVE',
  'HOMEPATH',
  'LOCALAPPDATA',
  'PATH',
  'PROCESSOR_ARCHITECTURE',
  'PROGRAMFILES',
  'SYSTEMDRIVE',
  'SYSTEMROOT',
  'TEMP',
  'TMP',
  'USERNAME',
  'USERPROFILE',
];
const LOADS_CODE =
  /^(PATH|NODE_OPTIONS|NODE_PATH|ELECTRON_RUN_AS_NODE|LD_.*|DYLD_.*|BASH_ENV|ENV|PYTHONSTARTUP|PYTHONPATH|PERL5OPT|PERL5LIB|RUBYOPT|JAVA_TOOL_OPTIONS|GIT_SSH_COMMAND)$/i;
