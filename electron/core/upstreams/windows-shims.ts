import { readFileSync } from 'node:fs';
import { win32 } from 'node:path';
import { type Environment, resolveCommand, type System, thisSystem } from './environment.ts';

export type Runnable =
  | { readonly kind: 'runs'; readonly command: string; readonly args: readonly string[] }
  | { readonly kind: 'missing'; readonly message: string };

/**
 * What to start for a command that was found. On Windows `npx`, `npm` and what npm installs are `.cmd` files: only cmd.exe
 * runs those, and it reads arguments as commands. So the program that such a file calls is started in its place, without
 * a shell.
 */
export function runnable(
  path: string,
  base: Environment,
  system: System = thisSystem,
  read: (path: string) => string = (file) => readFileSync(file, 'utf8'),
): Runnable {
  if (system.platform !== 'win32' || !/\.(cmd|bat)$/i.test(path)) return { kind: 'runs', command: path, args: [] };
  const call = callIn(read(path));
  if (call === null) {
    return {
      kind: 'missing',
      message: `${path} is a script for cmd.exe, which reads arguments as commands and is therefore not used. Give the program that the script calls, with its arguments.`,
    };
  }
  const folder = win32.dirname(path);
  const target = win32.join(folder, call.target);
  if (call.program === null) return { kind: 'runs', command: target, args: [] };
  const beside = win32.join(folder, `${call.program}.exe`);
  if (system.isExecutable(beside)) return { kind: 'runs', command: beside, args: [...call.words, target] };
  const found = resolveCommand(call.program, base, system);
  return found.kind === 'missing' ? found : { kind: 'runs', command: found.path, args: [...call.words, target] };
}

interface ShimCall {
  /** `node`; null when the target is a program itself. */
  readonly program: string | null;
  readonly words: readonly string[];
  /** Relative to the folder of the shim. */
  readonly target: string;
}

/** Reads the two forms there are: what `cmd-shim` writes for every package of npm, and `npx.cmd` and `npm.cmd` of Node. */
function callIn(text: string): ShimCall | null {
  const ofPackage = /"%_prog%"[ \t]+((?:--?[\w=-]+[ \t]+)*)"%(?:~dp0|dp0%)\\?([^"%]+)"[ \t]+%\*/i.exec(text);
  if (ofPackage) {
    const program = /SET "_prog=([\w-]+)"/i.exec(text)?.[1];
    if (program === undefined) return null;
    const words = (ofPackage[1] ?? '').split(/[ \t]+/).filter(Boolean);
    return { program, words, target: ofPackage[2] ?? '' };
  }
  const ofNode = /"%NODE_EXE%"[ \t]+"%(NP[MX]_CLI_JS)%"[ \t]+%\*/i.exec(text);
  if (ofNode) {
    const target = new RegExp(`SET "${ofNode[1]}=%~dp0\\\\?([^"%]+)"`, 'i').exec(text)?.[1];
    return target === undefined ? null : { program: 'node', words: [], target };
  }
  const direct = /^@?"%(?:~dp0|dp0%)\\?([^"%]+\.exe)"[ \t]+%\*[ \t]*$/im.exec(text);
  return direct ? { program: null, words: [], target: direct[1] ?? '' } : null;
}
