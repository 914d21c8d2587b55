import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A private X server and session bus with a real dunst on it. */
export interface Dunst {
  /** DISPLAY, DBUS_SESSION_BUS_ADDRESS and the folders of dunst. */
  readonly env: NodeJS.ProcessEnv;
  dunstctl(...args: readonly string[]): Promise<string>;
  /** Presses the button with this label, as the person does through dunst's menu. */
  press(label: string): Promise<void>;
  close(): void;
}

export const hasDunst = ['/usr/bin/dunst', '/usr/bin/xvfb-run', '/usr/bin/dbus-run-session'].every(existsSync);

/** The bus must know the display before dunst is started on it, so X comes first. */
export async function startDunst(): Promise<Dunst> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-dunst-'));
  const want = join(folder, 'want');
  const pick = join(folder, 'pick.sh');
  const config = join(folder, 'dunstrc');
  writeFileSync(pick, `#!/bin/sh\ngrep -F "$(cat '${want}')" | head -1\n`);
  chmodSync(pick, 0o755);
  writeFileSync(config, `[global]\ndmenu = ${pick}\nmarkup = full\nformat = "%s\\n%b"\n`);

  const script = `echo "$DISPLAY $DBUS_SESSION_BUS_ADDRESS"; exec dunst -conf "${config}"`;
  const home = { HOME: folder, XDG_RUNTIME_DIR: folder };
  const child = spawn('xvfb-run', ['-a', 'dbus-run-session', '--', 'sh', '-c', script], {
    env: { ...process.env, ...home },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const [display = '', address = ''] = (await firstLine(child)).split(' ');
  const env = { ...process.env, ...home, DISPLAY: display, DBUS_SESSION_BUS_ADDRESS: address };
  const dunstctl = async (...args: readonly string[]) => (await run('dunstctl', [...args], { env })).stdout.trim();
  for (let tries = 0; tries < 100; tries++) {
    const ready = await dunstctl('is-paused').catch(() => null);
    if (ready === 'false') break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }

  return {
    env,
    dunstctl,
    async press(label) {
      writeFileSync(want, label);
      await dunstctl('context');
    },
    close() {
      if (child.pid !== undefined) process.kill(-child.pid);
    },
  };
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('no output to read');
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error('the display or the bus did not start');
}
