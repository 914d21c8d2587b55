import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { lockDataFolder } from '../../../electron/core/store/lock.ts';

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-lock-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function otherProcess(folder: string): Promise<{ child: ChildProcess; said: string }> {
  const script = fileURLToPath(new URL('./holder.child.ts', import.meta.url));
  const child = spawn(process.execPath, [script, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const said = await new Promise<string>((resolve) =>
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim())),
  );
  return { child, said };
}

const ended = (child: ChildProcess) => new Promise((resolve) => child.once('exit', resolve));

function take(folder: string) {
  const lock = lockDataFolder(folder);
  if (lock.kind === 'locked') onTestFinished(() => lock.release());
  return lock;
}

test('L21 a second process is refused and told the pid of the first', async () => {
  const folder = newFolder();
  expect(take(folder).kind).toBe('locked');
  expect((await otherProcess(folder)).said).toBe(`taken ${process.pid}`);
});

test('L21 in one process the second lock is refused too, and trying does not let go of the first', async () => {
  const folder = newFolder();
  expect(take(folder).kind).toBe('locked');
  expect(take(folder)).toEqual({ kind: 'taken', pid: process.pid });
  // POSIX locks are lost when a process closes any handle of the file; the try above must not have.
  expect((await otherProcess(folder)).said).toBe(`taken ${process.pid}`);
});

test('after kill -9 of its holder the folder is free at once', async () => {
  const folder = newFolder();
  const { child, said } = await otherProcess(folder);
  expect(said).toBe('locked');
  expect(take(folder)).toEqual({ kind: 'taken', pid: child.pid });
  child.kill('SIGKILL');
  await ended(child);
  expect(take(folder).kind).toBe('locked');
});

test('a released lock can be taken by another process, and releasing twice is harmless', async () => {
  const folder = newFolder();
  const lock = take(folder);
  if (lock.kind !== 'locked') throw new Error(lock.kind);
  lock.release();
  lock.release();
  expect((await otherProcess(folder)).said).toBe('locked');
});

test('a pid that was left behind decides nothing', () => {
  const folder = newFolder();
  writeFileSync(join(folder, 'instance.pid'), '1\n');
  expect(take(folder).kind).toBe('locked');
});

test('a lock file full of rubbish does not keep Gatehouse out', async () => {
  const folder = newFolder();
  writeFileSync(join(folder, 'instance.lock'), 'rubbish '.repeat(1000));
  expect(take(folder).kind).toBe('locked');
  expect((await otherProcess(folder)).said).toBe(`taken ${process.pid}`);
});

test('a folder that cannot be made is a fault that names it', () => {
  const file = join(newFolder(), 'file');
  writeFileSync(file, '');
  const lock = lockDataFolder(join(file, 'data'));
  expect(lock).toMatchObject({ kind: 'not_writable', message: expect.stringContaining(join(file, 'data')) });
});

test('L19 under umask 000 the files of the lock are the owner\u2019s alone', () => {
  const folder = newFolder();
  const before = process.umask(0);
  try {
    expect(take(folder).kind).toBe('locked');
  } finally {
    process.umask(before);
  }
  for (const name of ['instance.lock', 'instance.pid'])
    expect([name, statSync(join(folder, name)).mode & 0o777]).toEqual([name, 0o600]);
});
