import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openAudit } from '../../electron/core/audit/open.ts';
import { silentLog } from '../../electron/core/diagnosis/log.ts';
import { systemClock } from '../../electron/core/platform.ts';
import { newBase, RECORDER, reached, startHeadless } from '../support/headless.ts';
import { createMemoryKeychain } from '../support/memory-keychain.ts';

/** Bytes of the audit's WAL are written at a place, not at the end: hence pwrite64 beside what the row names. */
const CALLS = 'fdatasync,fsync,write,pwrite64,writev,sendto,sendmsg';

test('O1: the entry is written and synced before the first byte goes to the upstream', {
  timeout: 60_000,
}, async () => {
  const base = newBase();
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  const trace = join(base, 'strace.txt');
  // -y names the file behind each descriptor; one file for all threads keeps their order.
  const before = ['strace', '-f', '-y', '-tt', '-s', '4096', '-e', `trace=${CALLS}`, '-e', 'signal=none', '-o', trace];
  await using gatehouse = await startHeadless({ base, before });
  const record = join(base, 'tmp', 'record.jsonl');
  await gatehouse.add('rec', { args: [RECORDER, record] });
  await gatehouse.review('rec', 'write');
  const key = await gatehouse.key('agent');
  const bystander = await gatehouse.key('bystander');

  const mark = 'o1-marker-of-this-call';
  const answering = gatehouse.call(key, 'rec__echo', `{"text":"${mark}"}`);
  const card = await gatehouse.card();
  expect(reached(record)).toEqual([]);
  await gatehouse.approve(card);
  expect((await answering).message?.result).not.toHaveProperty('isError');
  expect(reached(record)).toHaveLength(1);
  const entries = await gatehouse.audit((all) => all.filter(({ phase }) => phase === 'ended').length > 0);
  expect(entries.filter(({ kind }) => kind === 'tool_call').map(({ phase }) => phase)).toEqual([
    'asked',
    'forwarded',
    'ended',
  ]);
  expect((await gatehouse.call(bystander, 'demo__list_notes')).message?.result).not.toHaveProperty('isError');
  await gatehouse.stop();

  const lines = readFileSync(trace, 'utf8').split('\n');
  /** Numbers of the lines on which a call of this kind, on this file, was finished. */
  const at = (call: RegExp, file: string, text = '') =>
    lines.flatMap((line, n) => (call.test(line) && line.includes(file) && line.includes(text) ? [n] : []));
  const wal = '/audit.db-wal>';
  const [forwarded = -1] = at(/ (p?write(64|v)?|writev)\(/, wal, 'forwardedSha256');
  const [sent = -1] = at(/ (write|writev|sendto|sendmsg)\(\d+<(UNIX|socket|pipe)/, '', mark).filter((n) =>
    lines[n]?.includes('tools/call'),
  );
  expect(forwarded, 'the entry is written').toBeGreaterThan(0);
  expect(sent, 'the call is sent').toBeGreaterThan(0);
  // A sync that was begun after the entry was written, and that returned before the call was sent.
  const synced = at(/ (fdatasync|fsync)\(/, wal).filter((n) => n > forwarded && finishedAt(lines, n) < sent);
  expect(synced.length, 'it is synced between the two').toBeGreaterThan(0);
  const [asked = -1] = at(/ pwrite64\(/, wal, 'expiresAt');
  expect(asked).toBeGreaterThan(0);
  expect(asked).toBeLessThan(forwarded);
});

/** The line on which the call of line `n` returned: another one when strace was interrupted by a second thread. */
function finishedAt(lines: readonly string[], n: number): number {
  const line = lines[n] ?? '';
  if (!line.includes('<unfinished ...>')) return line.includes(' = 0') ? n : Number.POSITIVE_INFINITY;
  const [pid = ''] = line.trim().split(/\s+/);
  const end = lines.findIndex((later, m) => m > n && later.trim().startsWith(`${pid} `) && later.includes('resumed>'));
  return end < 0 || !lines[end]?.includes(' = 0') ? Number.POSITIVE_INFINITY : end;
}

test('O3: the connection that writes the audit has a WAL, full syncs, foreign keys and patience', async () => {
  const folder = newBase();
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const opened = await openAudit({
    folder,
    clock: systemClock,
    keychain: createMemoryKeychain(),
    version: 'test',
    log: silentLog,
  });
  if (opened.kind !== 'opened') throw new Error(opened.message);
  try {
    expect(await opened.writerPragmas()).toMatchObject({
      journal_mode: 'wal',
      synchronous: 2,
      foreign_keys: 1,
      busy_timeout: expect.toSatisfy((ms: number) => ms >= 1000),
      // On macOS a sync that the drive may keep in its cache is none; elsewhere these two change nothing.
      fullfsync: 1,
      checkpoint_fullfsync: 1,
      recursive_triggers: 1,
    });
  } finally {
    await opened.audit.close();
  }
});
