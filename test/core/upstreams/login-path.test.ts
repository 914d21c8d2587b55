import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../../electron/core/platform.ts';
import { createLoginPath } from '../../../electron/core/upstreams/login-path.ts';
import { wholeLines } from '../../support/lines.ts';
import { isAlive, newFolder, rig, waitFor } from './rig.ts';

/** A shell of our own: notes how it was called, runs `before`, then what it was given, with another PATH. */
function shell(
  before = '',
  path = '/opt/tools/bin:relative:/usr/bin:/bin',
): { file: string; calls: () => readonly string[] } {
  const folder = newFolder();
  const file = join(folder, 'shell');
  const record = join(folder, 'calls');
  writeFileSync(file, `#!/bin/sh\necho "$1" >> '${record}'\n${before}\nPATH='${path}'\nexport PATH\neval "$2"\n`);
  chmodSync(file, 0o755);
  return { file, calls: () => wholeLines(record) };
}

const ask = (file: string, environment = {}, limitMs = 5_000) =>
  createLoginPath({
    environment: { PATH: '/usr/bin:/own', SHELL: file, HOME: '/', ...environment },
    clock: systemClock,
    limitMs,
  });

test('the folders of the login shell come first, ours after them, each once and none relative', async () => {
  const { file } = shell();
  expect(await ask(file)()).toBe('/opt/tools/bin:/usr/bin:/bin:/own');
});

test('what a start-up file prints is not taken for the PATH', async () => {
  const { file } = shell('echo "Welcome back"; echo PATH=/evil; printf "\\033]0;title\\007\\n"');
  expect(await ask(file)()).toBe('/opt/tools/bin:/usr/bin:/bin:/own');
});

test('the shell is asked once, as an interactive login shell', async () => {
  const { file, calls } = shell();
  const path = ask(file);
  await Promise.all([path(), path()]);
  await path();
  expect(calls()).toEqual(['-ilc']);
});

test('a shell that hangs is ended after its time, with what it started, and our own PATH stays', async () => {
  const pid = join(newFolder(), 'pid');
  const { file } = shell(`sleep 60 & echo $! > '${pid}'; wait`);
  const began = performance.now();
  expect(await ask(file, {}, 300)()).toBe('/usr/bin:/own');
  expect(performance.now() - began).toBeLessThan(2_000);
  await waitFor(() => !isAlive(Number(readFileSync(pid, 'utf8'))), 'the end of what it started');
});

test('a start-up file that leaves a program running does not keep us waiting', async () => {
  const { file } = shell('sleep 60 &');
  const began = performance.now();
  expect(await ask(file)()).toBe('/opt/tools/bin:/usr/bin:/bin:/own');
  expect(performance.now() - began).toBeLessThan(2_000);
});

test.each([
  ['a shell that fails', () => shell('exit 1').file],
  ['a shell that is not there', () => '/no/such/shell'],
  ['a shell named by a relative path', () => 'sh'],
])('%s leaves our own PATH', async (_title, file) => {
  expect(await ask(file())()).toBe('/usr/bin:/own');
});

test('the shell sees nothing of ours beyond what upstreams see', async () => {
  const seen = join(newFolder(), 'seen');
  const { file } = shell(`/usr/bin/env > '${seen}'`);
  await ask(file, { CANARY_TOKEN: 'x', NODE_OPTIONS: '--no-warnings' })();
  expect(readFileSync(seen, 'utf8')).not.toMatch(/CANARY|NODE_OPTIONS/);
});

test('a command that only the login shell knows is found, and shown by its full path', async () => {
  const folder = newFolder();
  const file = join(folder, 'only-in-the-shell');
  writeFileSync(file, `#!/bin/sh\necho "PATH is $PATH" >&2\nexit 3\n`);
  chmodSync(file, 0o755);
  const environment = { PATH: '/usr/bin:/bin', SHELL: shell('', `${folder}:/usr/bin:/bin`).file, HOME: '/' };
  const it = rig({
    environment,
    loginPath: createLoginPath({ environment, clock: systemClock }),
    limits: { startsPerMinute: 1 },
  });
  const transport = { kind: 'stdio', command: 'only-in-the-shell', args: [], secretEnv: [], cwd: null } as const;
  const { id } = await it.add('x', transport);
  const view = await it.until(id, 'failed');
  expect(view.resolvedCommand).toBe(file);
  expect(new Set(view.lastStderr)).toEqual(new Set([`PATH is ${folder}:/usr/bin:/bin`]));
});
