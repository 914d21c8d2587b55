import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { silentLog } from '../../../electron/core/diagnosis/log.ts';
import {
  childEnvironment,
  refuseEnvironmentName,
  resolveCommand,
} from '../../../electron/core/upstreams/environment.ts';
import { createProcesses } from '../../../electron/core/upstreams/processes.ts';
import { upstreamSignInSchema, upstreamsSchema } from '../../../electron/core/upstreams/upstreams.ts';
import { isAlive, NODE, newFolder, recorded, rig, stdioRecorder, waitFor } from './rig.ts';

test('M1: every word of the command line arrives as it was written, and no shell runs', async () => {
  const it = rig();
  const mark = (name: string) => join(it.folder, name);
  const words = [
    `; touch ${mark('p1')}`,
    `$(touch ${mark('p2')})`,
    `\`touch ${mark('p3')}\``,
    '| x',
    '&& y',
    '*',
    '~',
    '%PATH%',
    '',
    'a b',
  ];
  const file = mark('record');
  await it.addReady('recorder', stdioRecorder(file, ...words));
  expect(recorded(file)[0]?.argv).toEqual([file, ...words]);
  for (const name of ['p1', 'p2', 'p3']) expect(existsSync(mark(name))).toBe(false);
});

test('M7: a child sees the allow-listed environment and its own entries, nothing else', async () => {
  const it = rig({
    environment: {
      ...process.env,
      CANARY_PARENT: 'x',
      NODE_OPTIONS: '--no-warnings',
      ELECTRON_RUN_AS_NODE: '1',
      LD_PRELOAD: '/none.so',
      DYLD_INSERT_LIBRARIES: '/none.dylib',
      AWS_SECRET_ACCESS_KEY: 'x',
      PATH: `.:bin:${process.env.PATH}`,
    },
  });
  const other = stdioRecorder(join(it.folder, 'a'));
  await it.addReady('a', { ...other, secretEnv: ['SECRET_A'] } as typeof other, { SECRET_A: 'canary-a' });
  const b = await it.addReady('b', stdioRecorder(join(it.folder, 'b')));
  const real = readFileSync(`/proc/${b.pid}/environ`, 'utf8').split('\0').filter(Boolean);
  const names = real.map((entry) => entry.slice(0, entry.indexOf('=')));
  const allowed = ['HOME', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'USER', 'LANG', 'TMPDIR'];
  expect(names.filter((name) => !allowed.includes(name))).toEqual([]);
  const path = real.find((entry) => entry.startsWith('PATH='))?.slice(5);
  expect(path?.split(':').every((entry) => entry.startsWith('/'))).toBe(true);
  expect(recorded(join(it.folder, 'a'))[0]?.env?.SECRET_A).toBe('canary-a');
  expect(recorded(join(it.folder, 'b'))[0]?.env?.SECRET_A).toBeUndefined();
});

test.each(['NODE_OPTIONS', 'ld_preload', 'PATH', 'DYLD_INSERT_LIBRARIES', 'A=B', ''])(
  '%j is refused as an own entry',
  (name) => {
    expect(refuseEnvironmentName(name)).toMatch(/decides which code|is no name/);
  },
);

test('an exported shell function is not inherited', () => {
  expect(childEnvironment({ TERM: '() { :; }', USER: 'me' }, {})).toEqual({ USER: 'me' });
});

describe('M9: nothing that an upstream started outlives it', () => {
  test.each([
    ['a child in its group that ignores SIGTERM and keeps the pipes open', ['--stubborn-child']],
    ['a server that itself ignores SIGTERM and the end of its input', ['--ignore-sigterm', '--stubborn-child']],
  ])('%s', async (_title, words) => {
    const it = rig();
    const file = join(it.folder, 'record');
    const view = await it.addReady('stubborn', stdioRecorder(file, ...words));
    const child = recorded(file).find((entry) => entry.kind === 'child')?.child ?? 0;
    expect([isAlive(view.pid ?? 0), isAlive(child)]).toEqual([true, true]);
    const began = performance.now();
    await it.upstreams.stopAll();
    expect(performance.now() - began).toBeLessThan(5_000);
    expect([isAlive(view.pid ?? 0), isAlive(child)]).toEqual([false, false]);
    expect(it.db.prepare('SELECT count(*) AS n FROM upstream_processes').get()).toEqual({ n: 0 });
  });

  test('a descendant that left the group', async () => {
    const it = rig();
    const file = join(it.folder, 'pids');
    const script = `
      const {spawn} = require('node:child_process');
      const child = spawn(process.execPath, ['-e', "process.on('SIGTERM',()=>{});setInterval(()=>{},1000)"], {detached: true, stdio: 'ignore'});
      require('node:fs').writeFileSync(${JSON.stringify(file)}, String(child.pid));
      setInterval(() => {}, 1000)`;
    const { id } = await it.add('leaver', {
      kind: 'stdio',
      command: NODE,
      args: ['-e', script],
      secretEnv: [],
      cwd: null,
    });
    const pid = Number(await waitFor(() => existsSync(file) && readFileSync(file, 'utf8'), 'the pid'));
    expect(isAlive(pid)).toBe(true);
    await it.upstreams.remove(id);
    expect(isAlive(pid)).toBe(false);
  });

  test('children of a server that crashed', async () => {
    const it = rig({ limits: { startsPerMinute: 1 } });
    const file = join(it.folder, 'record');
    const view = await it.addReady('crashing', stdioRecorder(file, '--stubborn-child'));
    const child = recorded(file).find((entry) => entry.kind === 'child')?.child ?? 0;
    await it.call(view.id, 'crash');
    await waitFor(() => !isAlive(child), 'the end of the child');
  });

  test('everything, when Gatehouse itself exits without stopping anything', async () => {
    const folder = newFolder();
    const file = join(folder, 'record');
    await runApart(folder, file, 'process.exit(0)');
    await waitFor(
      () => recorded(file).every((entry) => !isAlive(entry.pid) && !isAlive(entry.child ?? 0)),
      'the end of all',
    );
  });

  test('what a killed Gatehouse left behind is ended by the next start, and only that', async () => {
    const folder = newFolder();
    const file = join(folder, 'record');
    await runApart(folder, file, 'process.kill(process.pid, "SIGKILL")');
    const pids = recorded(file).flatMap((entry) => [entry.pid, entry.child ?? entry.pid]);
    expect(pids.every((pid) => isAlive(pid))).toBe(true);
    const db = new Database(join(folder, 'state.db'));
    // A process that has the number of an old one, but not its start time, is somebody else's.
    const stranger = spawn(NODE, ['-e', 'setInterval(()=>{},1000)'], { detached: true });
    db.prepare("INSERT INTO upstream_processes SELECT ?, 'x', boot, '1', '' FROM upstream_processes LIMIT 1").run(
      stranger.pid,
    );
    const processes = createProcesses({ db, log: silentLog });
    expect(processes.cleanUp()).toBe(1);
    await waitFor(() => pids.every((pid) => !isAlive(pid)), 'the end of all');
    expect(isAlive(stranger.pid ?? 0)).toBe(true);
    expect(db.prepare('SELECT count(*) AS n FROM upstream_processes').get()).toEqual({ n: 0 });
    stranger.kill('SIGKILL');
  });
});

test('M18: a command is found in absolute folders of PATH only, never in the current one', () => {
  const folder = newFolder();
  mkdirSync(join(folder, 'bin'));
  for (const place of ['tool', 'bin/tool']) writeFileSync(join(folder, place), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(folder, 'bin/plain'), '', { mode: 0o644 });
  const before = process.cwd();
  process.chdir(folder);
  try {
    expect(resolveCommand('tool', { PATH: `.:bin::${folder}/bin` })).toEqual({
      kind: 'found',
      path: `${folder}/bin/tool`,
    });
    expect(resolveCommand('tool', { PATH: '.:bin:' })).toEqual({
      kind: 'missing',
      message: 'The command tool was not found (PATH holds no absolute folder).',
    });
    expect(resolveCommand('./tool', { PATH: '.' })).toMatchObject({
      message: expect.stringContaining('relative path'),
    });
    expect(resolveCommand('plain', { PATH: `${folder}/bin` })).toEqual({
      kind: 'missing',
      message: `The command plain was not found (looked in ${folder}/bin).`,
    });
  } finally {
    process.chdir(before);
  }
});

test('a command is written down by its full path and runs outside our own folder', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const recorder = stdioRecorder(file);
  const view = await it.addReady('named', { ...recorder, command: 'node' } as typeof recorder);
  expect(view.resolvedCommand).toMatch(/^\/.*\/node$/);
  expect(recorded(file)[0]?.cwd).toBe(process.env.HOME);
});

/** A Gatehouse of its own, with one stubborn upstream, that ends as `end` says once the upstream is ready. */
async function runApart(folder: string, file: string, end: string): Promise<void> {
  const core = new URL('../../../electron/core/', import.meta.url).pathname;
  const recorder = JSON.stringify(stdioRecorder(file, '--ignore-sigterm', '--stubborn-child'));
  const script = join(folder, 'apart.ts');
  writeFileSync(
    script,
    `import Database from '${new URL('../../../node_modules/better-sqlite3/lib/index.js', import.meta.url).pathname}';
import { createUpstreams } from '${core}upstreams/upstreams.ts';
import { systemClock } from '${core}platform.ts';
import { silentLog } from '${core}diagnosis/log.ts';
const db = new Database('${join(folder, 'state.db')}');
db.exec(${JSON.stringify(`${upstreamsSchema};${upstreamSignInSchema}`)});
const inventory = { tools: () => [], readAhead: async () => {}, takeIn: () => ({ changed: false, problems: [] }) };
const upstreams = createUpstreams({ db, clock: systemClock, vault: {}, inventory, log: silentLog, audit: { writeSoon() {} } });
const { upstream } = await upstreams.add({ workspaceId: 'w', name: 'x', transport: ${recorder}, tags: [], secrets: {} });
const timer = setInterval(() => {
  if (upstreams.get(upstream.id).status !== 'ready') return;
  clearInterval(timer);
  ${end};
}, 10);
`,
  );
  const child = spawn(NODE, [script], { stdio: ['ignore', 'inherit', 'inherit'] });
  await new Promise((resolve) => child.once('exit', resolve));
}
