import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { verifyAudit } from '../../../electron/core/audit/verify.ts';
import { newFolder, rows, until } from './log.ts';
import { fileKeychain } from './recorder.child.ts';

interface Child {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly lines: string[];
  readonly exit: Promise<number | null>;
}

function record(folder: string, keychain: string, mode: 'flood' | 'steady', before: readonly string[] = []): Child {
  const script = fileURLToPath(new URL('./recorder.child.ts', import.meta.url));
  const [command = '', ...args] = [...before, process.execPath, script, folder, keychain, mode];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  let rest = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  child.stderr.on('data', (chunk: Buffer) => lines.push(`stderr ${chunk.toString()}`));
  return { process: child, pid: child.pid ?? 0, lines, exit: new Promise((resolve) => child.once('exit', resolve)) };
}

/** Reproducible: mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

test('O4 after kill -9 at full speed the log opens, verifies, and holds every entry that was said to be durable', async () => {
  const folder = newFolder();
  const keychain = join(newFolder(), 'keychain.json');
  const next = random(20_300_101);
  const acknowledged = new Map<number, string>();
  for (let kill = 0; kill < 5; kill += 1) {
    const child = record(folder, keychain, 'flood');
    await until(() => child.lines.length > 1);
    await new Promise((resolve) => setTimeout(resolve, next() * 400));
    child.process.kill('SIGKILL');
    await child.exit;
    expect(child.lines[0]).toMatch(/^opened \d+ $/);
    for (const line of child.lines) {
      const ack = line.match(/^ack (\d+) (\S+)$/);
      if (ack) acknowledged.set(Number(ack[1]), ack[2] ?? '');
    }
    expect(rows<{ quick_check: string }>(folder, 'PRAGMA quick_check')).toEqual([{ quick_check: 'ok' }]);
    expect((await verifyAudit(folder, fileKeychain(keychain))).problem).toBeNull();
  }
  expect(acknowledged.size).toBeGreaterThan(500);
  const inFile = new Map(
    rows<{ seq: number; request_id: string }>(folder, 'SELECT seq, request_id FROM entries').map((row) => [
      row.seq,
      row.request_id,
    ]),
  );
  expect([...acknowledged].filter(([seq, id]) => inFile.get(seq) !== id)).toEqual([]);

  // The next start has closed every call that the last kill left open.
  const last = record(folder, keychain, 'steady');
  await until(() => last.lines.length > 0);
  last.process.stdin?.write('end\n');
  await last.exit;
  const open = rows(
    folder,
    `SELECT request_id FROM entries GROUP BY request_id HAVING request_id LIKE '%-%' AND sum(phase = 'ended') <> 1`,
  );
  expect(open).toEqual([]);
  expect(
    rows<{ n: number }>(folder, `SELECT count(*) n FROM entries WHERE outcome = 'interrupted'`)[0]?.n,
  ).toBeGreaterThan(0);
});

test.skipIf(process.platform !== 'linux')(
  'O6 a full disk refuses at once, loses nothing that was promised, and goes on by itself',
  async () => {
    const folder = newFolder();
    const keychain = join(newFolder(), 'keychain.json');
    const child = record(folder, keychain, 'steady');
    await until(() => child.lines.some((line) => line.startsWith('ok ')));
    const limit = (bytes: string) => execFileSync('prlimit', [`--pid=${child.pid}`, `--fsize=${bytes}`]);
    // No file may grow: neither the WAL nor, by a checkpoint, the database.
    limit(
      `${Math.min(statSync(join(folder, 'audit.db')).size, statSync(join(folder, 'audit.db-wal')).size)}:unlimited`,
    );
    await until(() => child.lines.some((line) => line.startsWith('refused ')), 5_000);
    const refusal = child.lines.find((line) => line.startsWith('refused ')) ?? '';
    expect(refusal).toMatch(/audit\.db cannot be written \(SQLITE_\w+\)|is full/);
    expect(refusal).toMatch(/goes on by itself/);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    const refusedUntil = child.lines.length;
    expect(child.lines.at(-1)).toMatch(/^refused /);

    limit('unlimited:unlimited');
    await until(() => child.lines.slice(refusedUntil).some((line) => line.startsWith('ok ')), 2_000);
    child.process.stdin?.write('end\n');
    expect(await child.exit).toBe(0);
    expect(child.lines.filter((line) => line.startsWith('stderr'))).toEqual([]);

    expect((await verifyAudit(folder, fileKeychain(keychain))).problem).toBeNull();
    const gaps = rows<{ detail: string }>(folder, `SELECT detail FROM entries WHERE kind = 'audit_unavailable_gap'`);
    expect(gaps).toHaveLength(1);
    expect(JSON.parse(gaps[0]?.detail ?? '{}').ms).toBeGreaterThan(1_000);
    // Every tick was recorded, once and in order, though nobody waited for it.
    const ticks = rows<{ detail: string }>(folder, `SELECT detail FROM entries WHERE kind = 'tick' ORDER BY seq`).map(
      (row) => JSON.parse(row.detail).n,
    );
    // Some 60 come in that time; a busy machine makes fewer.
    expect(ticks.length).toBeGreaterThan(20);
    expect(ticks).toEqual(ticks.map((_, n) => n + 1));
    // What was refused is not there; what was answered is.
    const ok = child.lines.filter((line) => line.startsWith('ok ')).map((line) => Number(line.slice(3)));
    const recorded = rows<{ seq: number }>(
      folder,
      `SELECT seq FROM entries WHERE phase = 'forwarded' ORDER BY seq`,
    ).map((row) => row.seq);
    expect(recorded).toEqual(ok);
  },
);

test('a file taken away while Gatehouse runs refuses calls: entries do not go into a file that nobody will find', async () => {
  const folder = newFolder();
  const child = record(folder, join(newFolder(), 'keychain.json'), 'steady');
  await until(() => child.lines.some((line) => line.startsWith('ok ')));
  rmSync(join(folder, 'audit.db'));
  await until(() => child.lines.some((line) => line.startsWith('refused ')), 2_000);
  expect(child.lines.find((line) => line.startsWith('refused '))).toMatch(/was moved or deleted while Gatehouse runs/);
});
