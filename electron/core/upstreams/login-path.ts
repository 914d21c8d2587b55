import { spawn } from 'node:child_process';
import { homedir, userInfo } from 'node:os';
import { delimiter, isAbsolute } from 'node:path';
import type { Clock } from '../platform.ts';
import { childEnvironment, type Environment } from './environment.ts';

/**
 * `PATH` as the person's login shell has it, before our own entries. A program that a desktop starts gets the bare PATH of
 * the session, in which `npx`, `uvx` and `docker` are often missing. The shell is asked once; if it says nothing in time,
 * our own PATH stays. On Windows there is no such shell, and the session's PATH is the person's.
 */
export function createLoginPath(parts: {
  readonly environment: Environment;
  readonly clock: Clock;
  readonly limitMs?: number;
}): () => Promise<string | undefined> {
  let asked: Promise<string | undefined> | null = null;
  return () => {
    asked ??= ask(parts.environment, parts.clock, parts.limitMs ?? LIMIT_MS);
    return asked;
  };
}

async function ask(environment: Environment, clock: Clock, limitMs: number): Promise<string | undefined> {
  const own = environment.PATH;
  const shell = environment.SHELL ?? userInfo().shell;
  if (process.platform === 'win32' || shell === null || !isAbsolute(shell)) return own;
  const said = await printed(shell, environment, clock, limitMs);
  const found = said === null ? null : between(said);
  if (found === null) return own;
  return [...new Set([...found.split(delimiter), ...(own ?? '').split(delimiter)])].filter(isAbsolute).join(delimiter);
}

/** Everything the shell wrote, its greetings included; null when it failed or took too long. */
function printed(shell: string, environment: Environment, clock: Clock, limitMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    // A session of its own: an interactive shell would otherwise reach for the terminal we were started from.
    const child = spawn(shell, ['-ilc', `echo ${MARKER}; printenv PATH; echo ${MARKER}`], {
      cwd: homedir(),
      env: { ...childEnvironment(environment, {}), TERM: 'dumb' },
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let text = '';
    const end = (result: string | null) => {
      cancel();
      if (child.pid !== undefined) endGroup(child.pid);
      child.stdout.destroy();
      resolve(result);
    };
    const cancel = clock.after(limitMs, () => end(null));
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      // What a start-up file leaves running may keep the pipe open for ever.
      if (between(text) !== null) end(text);
      else if (text.length > LONGEST) end(null);
    });
    child.on('error', () => end(null));
    child.on('close', () => end(text));
  });
}

function between(text: string): string | null {
  const found = new RegExp(`^${MARKER}\\r?\\n(.+?)\\r?\\n${MARKER}\\r?$`, 'm').exec(text);
  return found?.[1] ?? null;
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

const MARKER = '__gatehouse_path__';
const LIMIT_MS = 5_000;
const LONGEST = 1024 * 1024;
