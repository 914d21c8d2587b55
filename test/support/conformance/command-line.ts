import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../../out/main/cli.js', import.meta.url));

/** What `gatehouse <args>` prints on stdout, for the Gatehouse that runs in `data`; throws what it says when it fails. */
export async function gatehouse(data: string, args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [CLI, ...args, '--data', data], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (code !== 0) throw new Error(`gatehouse ${args.slice(0, 3).join(' ')}: ${stderr.trim()}`);
  return stdout;
}
