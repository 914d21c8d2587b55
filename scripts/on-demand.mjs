import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { environment, ROOT } from './node24.mjs';
import { during, say } from './progress.mjs';

/** Packages that only one script needs: a folder with a lock file of its own, installed when it is first wanted. */
export async function installOnDemand(folder) {
  const at = join(ROOT, folder);
  const stamp = join(at, 'node_modules/.gatehouse-stamp');
  const wanted = readFileSync(join(at, 'package-lock.json'), 'utf8');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    await during(`Installing ${folder}`, 'npm', ['ci', '--loglevel=error'], { cwd: at, env: environment() });
    writeFileSync(stamp, wanted);
  }
  return join(at, 'node_modules');
}

/** The version of the package in this folder, or null. */
export function versionAt(folder) {
  const file = join(folder, 'package.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).version : null;
}

/**
 * Continues this script in a network namespace that holds nothing but loopback, and never returns then. Where that is not
 * possible (it takes root on Linux) it says so and returns.
 */
export async function withLoopbackOnly() {
  if (process.env[INSIDE] === '1') return say('Only loopback exists here: nothing can reach outside.');
  const able =
    process.getuid?.() === 0 && spawnSync('unshare', ['--net', 'ip', 'link', 'set', 'lo', 'up']).status === 0;
  if (!able) {
    say('Not run by root on Linux, so the network is not taken away: programs started here may reach outside.');
    return;
  }
  const again = [
    '--net',
    'sh',
    '-c',
    'ip link set lo up && exec "$@"',
    'sh',
    process.execPath,
    ...process.argv.slice(1),
  ];
  const child = spawn('unshare', again, {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [INSIDE]: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  await new Promise(() => child.on('exit', (code) => process.exit(code ?? 1)));
}

const INSIDE = 'GATEHOUSE_LOOPBACK_ONLY';
