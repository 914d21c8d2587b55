import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { createJsonlDestination } from '../../../electron/core/sinks/jsonl.ts';
import { eventually } from '../../support/gatehouse.ts';
import { jsonLines } from '../../support/lines.ts';
import { batchOf, rowsOf } from './rows.ts';

const SENDER = { machine: 'box', version: '1' };
const NEVER = new AbortController().signal;

function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-jsonl-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'audit.jsonl');
}

function fileSink(path: string, maxBytes = 100_000_000, keep = 3) {
  const destination = createJsonlDestination({ kind: 'jsonl', path, maxBytes, keep }, SENDER);
  onTestFinished(() => destination.close());
  return destination;
}

const seqs = (path: string) =>
  jsonLines<{ readonly type: string; readonly seq: number }>(path)
    .filter(({ type }) => type === 'entry')
    .map(({ seq }) => seq);

test('a full file is set aside under a number, and the oldest goes', async () => {
  const path = newFile();
  const sink = fileSink(path, 65_536, 2);
  for (let from = 1; from <= 1_000; from += 100)
    expect(await sink.deliver(batchOf(rowsOf(from, from + 99)), NEVER)).toEqual({ kind: 'delivered' });
  expect(readdirSync(join(path, '..')).toSorted()).toEqual(['audit.jsonl', 'audit.jsonl.1', 'audit.jsonl.2']);
  const kept = [`${path}.2`, `${path}.1`, path].flatMap(seqs);
  expect(kept.at(-1)).toBe(1_000);
  expect(kept).toEqual(kept.map((_, n) => (kept[0] ?? 0) + n));
  expect(kept.length).toBeLessThan(1_000);
  for (const each of [path, `${path}.1`]) {
    expect(statSync(each).size).toBeLessThanOrEqual(65_536);
    expect(statSync(each).mode & 0o777).toBe(0o600);
  }
});

test('half a line, left by a kill, is taken away before the next one is added', async () => {
  const path = newFile();
  const first = fileSink(path);
  await first.deliver(batchOf(rowsOf(1, 2)), NEVER);
  await first.close();
  appendFileSync(path, '{"type":"entry","machine":"box","chain":"c');
  expect(await fileSink(path).deliver(batchOf(rowsOf(3, 3)), NEVER)).toEqual({ kind: 'delivered' });
  expect(seqs(path)).toEqual([1, 2, 3]);
});

test('a file that somebody else rotated away is begun anew', async () => {
  const path = newFile();
  const sink = fileSink(path);
  await sink.deliver(batchOf(rowsOf(1, 2)), NEVER);
  renameSync(path, `${path}.theirs`);
  await sink.deliver(batchOf(rowsOf(3, 4)), NEVER);
  expect(seqs(`${path}.theirs`)).toEqual([1, 2]);
  expect(seqs(path)).toEqual([3, 4]);
});

test.skipIf(process.platform === 'win32')('a link is not followed', async () => {
  const path = newFile();
  symlinkSync(join(path, '..', 'elsewhere'), path);
  expect(await fileSink(path).deliver(batchOf(rowsOf(1, 1)), NEVER)).toMatchObject({
    kind: 'failed',
    reason: expect.stringContaining('is a link'),
  });
  expect(existsSync(join(path, '..', 'elsewhere'))).toBe(false);
});

test('kill -9 between delivery and cursor: nothing is lost, and what is there twice has the same number', async () => {
  const path = newFile();
  const child = fileURLToPath(new URL('./courier.child.ts', import.meta.url));
  const cursors = join(path, '..', 'sinks.db');
  const start = (stopAt: string) => {
    const started = spawn(process.execPath, [child, path, cursors, stopAt], { stdio: 'ignore' });
    onTestFinished(() => void started.kill('SIGKILL'));
    return started;
  };

  const killed = start('before-cursor');
  await eventually(() => (existsSync(path) && seqs(path).length > 0 ? true : null), 'the first delivery', 10_000);
  killed.kill('SIGKILL');
  await new Promise((resolve) => killed.once('exit', resolve));
  expect(seqs(path)).toEqual([1, 2, 3, 4, 5]);

  const second = start('never');
  const code = await new Promise<number | null>((resolve) => second.once('exit', resolve));
  expect(code).toBe(0);
  expect(seqs(path)).toEqual([1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  expect(new Set(lines).size).toBe(lines.length / 2);
}, 20_000);
