import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A real process of this project, with what it wrote so far. */
export interface Program {
  readonly child: ChildProcess;
  readonly out: string;
  readonly err: string;
  /** The first line on stdout. */
  readonly firstLine: Promise<string>;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

export function program(
  command: string,
  args: readonly string[],
  { env = {}, cwd = ROOT }: { readonly env?: Readonly<Record<string, string | undefined>>; readonly cwd?: string } = {},
): Program {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  const firstLine = new Promise<string>((done, failed) => {
    child.stdout.on('data', (chunk) => {
      out += chunk;
      if (out.includes('\n')) done(out.slice(0, out.indexOf('\n')));
    });
    child.on('close', () => failed(new Error(`ended without a line on stdout; stderr: ${err}`)));
  });
  firstLine.catch(() => {});
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((done) => {
    child.on('close', (code, signal) => done({ code, signal }));
  });
  return {
    child,
    firstLine,
    ended,
    get out() {
      return out;
    },
    get err() {
      return err;
    },
  };
}

/** Runs a process to its end. */
export async function ran(...[command, args, setting]: Parameters<typeof program>) {
  const running = program(command, args, setting);
  const { code } = await running.ended;
  return { code, out: running.out, err: running.err };
}
