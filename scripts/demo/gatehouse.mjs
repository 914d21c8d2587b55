import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { environment, ROOT } from '../node24.mjs';

const CLI = join(ROOT, 'out/main/cli.js');

/**
 * Gatehouse as a person starts it, headless, in its own data folder, with a master key file in place of a keychain.
 * `node` are options for Node itself, `more` is more environment.
 */
export async function startGatehouse(folder, port, { node = [], more = {} } = {}) {
  const env = { ...environment(), GATEHOUSE_MASTER_KEY_FILE: join(folder, 'master-key'), ...more };
  const child = spawn(
    process.execPath,
    [...node, CLI, 'start', '--headless', '--port', String(port), '--data', folder, '--json'],
    { env, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const ready = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('exit', () => reject(new Error(`Gatehouse did not start: ${said.trim()}`)));
  });
  const { endpoint, dashboard } = JSON.parse(ready);

  return {
    endpoint,
    dashboard,
    port: Number(new URL(endpoint).port),
    pid: child.pid,
    /** One command of the command line; rejects with what it said when it fails. */
    async cli(args) {
      const command = spawn(process.execPath, [CLI, ...args.slice(0, 2), '--data', folder, ...args.slice(2)], {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let stdout = '';
      let stderr = '';
      command.stdout.on('data', (chunk) => {
        stdout += chunk;
      });
      command.stderr.on('data', (chunk) => {
        stderr += chunk;
      });
      const [code] = await once(command, 'close');
      if (code !== 0) throw new Error(`gatehouse ${args.slice(0, 2).join(' ')}: ${stderr.trim()}`);
      return { stdout, stderr };
    },
    kill: () => child.kill('SIGKILL'),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}
