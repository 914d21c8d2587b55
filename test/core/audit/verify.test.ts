import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { verifyAudit } from '../../../electron/core/audit/verify.ts';
import { ABSENT, LOCKED, testKeychain } from './keychains.ts';
import { call, newFolder, openLog, rows, tamper, written } from './log.ts';

/** A closed log with entries 1 and 2 of the start and `calls` more, each in a commit of its own. */
async function closedLog(calls = 8, keychain = testKeychain()) {
  const folder = newFolder();
  const { audit } = await openLog(folder, keychain);
  for (let n = 0; n < calls; n += 1) await written(audit, call(`r${n}`, 'ended', { outcome: 'answered' }));
  await audit.close();
  return { folder, keychain };
}

const copyChain = (folder: string, to: string) => {
  for (const name of readdirSync(folder).filter((each) => each.startsWith('audit.db')))
    copyFileSync(join(folder, name), join(to, name));
};

test('a log that nobody touched verifies without the app', async () => {
  const { folder, keychain } = await closedLog();
  expect(await verifyAudit(folder, keychain)).toMatchObject({
    ok: true,
    entries: 10,
    badSeq: null,
    signingKey: 'keychain',
    notes: [],
  });
});

test.each([
  ['edited', `UPDATE entries SET tool = 'write' WHERE seq = 5`, 5, /was changed/],
  ['edited in its detail', `UPDATE entries SET detail = '{"x":1}' WHERE seq = 7`, 7, /was changed/],
  [
    'with text moved from one member to the next',
    `UPDATE entries SET client = 'agentfiles', upstream = '' WHERE seq = 4`,
    4,
    /was changed/,
  ],
  ['deleted', 'DELETE FROM entries WHERE seq = 6', 6, /is missing/],
  [
    'deleted, and closed up',
    'DELETE FROM entries WHERE seq = 6; UPDATE entries SET seq = seq - 1 WHERE seq > 6',
    6,
    /was changed/,
  ],
  ['swapped with the next', 'UPDATE entries SET seq = -seq WHERE seq IN (4, 5)', 4, /is missing/],
  [
    'cut off with its signature',
    'DELETE FROM commits WHERE seq >= 9; DELETE FROM entries WHERE seq >= 9',
    9,
    /it had reached entry 10/,
  ],
  ['cut off without its signature', 'DELETE FROM entries WHERE seq >= 9', 9, /had been signed/],
  ['deprived of its signature', 'DELETE FROM commits WHERE seq = 10', 10, /no valid signature/],
  ['deprived of a signature in the middle', 'DELETE FROM commits WHERE seq = 5', 5, /one was deleted/],
  [
    'given another signature',
    `UPDATE commits SET signature = (SELECT signature FROM commits WHERE seq = 4) WHERE seq = 6`,
    6,
    /no valid signature/,
  ],
])('O8 an entry %s is found and named', async (_, statement, badSeq, problem) => {
  const { folder, keychain } = await closedLog();
  // Checks on columns are no obstacle to whoever edits the file.
  tamper(folder, 'PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON', statement);
  const report = await verifyAudit(folder, keychain);
  expect(report).toMatchObject({ ok: false, badSeq });
  expect(report.problem).toMatch(problem);
});

test('an entry rewritten with every hash after it still does not fit its signature', async () => {
  const { folder, keychain } = await closedLog();
  await rewrite(folder, 5);
  const report = await verifyAudit(folder, keychain);
  expect(report).toMatchObject({ ok: false, badSeq: 5 });
  expect(report.problem).toMatch(/not those that were signed/);
});

test('a log rewritten and signed anew with another key is not taken for ours', async () => {
  const { folder } = await closedLog(8, testKeychain());
  const other = await closedLog();
  const report = await verifyAudit(folder, other.keychain);
  expect(report.ok).toBe(false);
  expect(report.problem).toMatch(/a key that is not yours/);
});

test('an older copy put back is found by the anchor, offline and at the next start, and stays a problem', async () => {
  const { folder, keychain } = await closedLog(3);
  const backup = newFolder();
  copyChain(folder, backup);
  const { audit } = await openLog(folder, keychain);
  await written(audit, call('later', 'ended'));
  await audit.close();
  for (const name of readdirSync(folder).filter((each) => each.startsWith('audit.db'))) rmSync(join(folder, name));
  copyChain(backup, folder);

  expect(await verifyAudit(folder, keychain)).toMatchObject({
    ok: false,
    badSeq: 6,
    problem: expect.stringMatching(/older copy/),
  });

  const again = await openLog(folder, keychain);
  expect(again.problem).toMatch(/it had reached entry 7/);
  expect(await again.verified).toMatchObject({ ok: false });
  await again.audit.close();
  const report = await verifyAudit(folder, keychain);
  expect(report).toMatchObject({ ok: false, badSeq: 6 });
  // Numbers that were given once are not given again: the hole stays where it is.
  expect(rows(folder, 'SELECT seq FROM entries WHERE seq > 5 ORDER BY seq LIMIT 1')).toEqual([{ seq: 8 }]);
});

test('O8 a middle entry edited while Gatehouse was closed is told by the check in the background of the start', async () => {
  const { folder, keychain } = await closedLog();
  tamper(folder, `UPDATE entries SET outcome = 'refused' WHERE seq = 4`);
  const { verified, problem } = await openLog(folder, keychain);
  expect(problem).toBeNull();
  expect(await verified).toMatchObject({ ok: false, badSeq: 4 });
});

test('a log that is gone is missed: the new one says what the old one had reached', async () => {
  const { folder, keychain } = await closedLog();
  for (const name of readdirSync(folder).filter((each) => each.startsWith('audit.db'))) rmSync(join(folder, name));
  const { problem, audit } = await openLog(folder, keychain);
  expect(problem).toMatch(/was gone: it had reached entry 10/);
  const report = await audit.verify();
  expect(report.notes.join()).toMatch(/it had reached entry 10/);
});

test('O12 a damaged file is set aside whole, and a new chain starts that names it and its last known head', async () => {
  const { folder, keychain } = await closedLog();
  const broken = readFileSync(join(folder, 'audit.db'));
  broken.fill(0x5a, 0, 4096);
  writeFileSync(join(folder, 'audit.db'), broken);
  const { setAside, audit, problem } = await openLog(folder, keychain);
  expect(setAside).toMatch(/audit\.db\.broken-20300101T000000000Z$/);
  expect(readFileSync(setAside ?? '').equals(broken)).toBe(true);
  expect(problem).toBeNull();
  const started = (await audit.list({ limit: 50 })).records.find((record) => record.kind === 'chain_started');
  expect(started?.entries[0]?.detail).toMatchObject({ previous: { file: setAside, lastKnownHead: { seq: 10 } } });
  expect(await audit.verify()).toMatchObject({ ok: true, firstSeq: 1 });
  await audit.close();
  expect((await openLog(folder, keychain)).problem).toBeNull();
});

test('O12 4 kB overwritten in the middle never goes unnoticed', async () => {
  const { folder, keychain } = await closedLog(400);
  const path = join(folder, 'audit.db');
  const size = readFileSync(path).length;
  for (const part of [0.25, 0.5, 0.75]) {
    const copy = newFolder();
    copyFileSync(path, join(copy, 'audit.db'));
    const bytes = readFileSync(path);
    bytes.fill(0xa5, Math.floor(size * part), Math.floor(size * part) + 4096);
    writeFileSync(join(copy, 'audit.db'), bytes);
    expect((await verifyAudit(copy, keychain)).ok).toBe(false);
  }
});

test('a newer schema is refused with both numbers and left as it is', async () => {
  const { folder, keychain } = await closedLog();
  tamper(folder, 'PRAGMA user_version = 7');
  await expect(openLog(folder, keychain)).rejects.toThrow(
    'audit.db was written by a newer version of Gatehouse (schema 7); this version knows 2. Update Gatehouse, or start with another --data folder.',
  );
});

test('without a keychain the key is a file, and verify says what that is worth', async () => {
  const { folder, keychain } = await closedLog(3, testKeychain(ABSENT));
  expect(existsSync(join(folder, 'audit-signing-key'))).toBe(true);
  const report = await verifyAudit(folder, keychain);
  expect(report).toMatchObject({ ok: true, signingKey: 'file' });
  expect(report.notes.join()).toMatch(/whoever can read the data folder can also forge/);
  expect(report.notes.join()).toMatch(/cut off at the end would not be seen/);
});

test('a locked keychain makes no new key: nothing is recorded until a call finds it unlocked', async () => {
  const { fakeClock } = await import('../../support/fake-clock.ts');
  const { folder, keychain } = await closedLog();
  const item = keychain.items.get('audit-signing-key');
  keychain.fault = LOCKED;
  const clock = fakeClock();
  const { audit } = await openLog(folder, keychain, clock);
  expect(audit.available()).toEqual({ ok: false, reason: expect.stringMatching(/keychain is locked/) });
  expect(await audit.write(call('x', 'forwarded'))).toMatchObject({ kind: 'unavailable' });
  audit.writeSoon({ phase: 'event', kind: 'host_rejected' });
  expect(existsSync(join(folder, 'audit-signing-key'))).toBe(false);

  keychain.fault = null;
  await clock.advance(60_000);
  await expect.poll(() => audit.available().ok).toBe(true);
  expect(keychain.items.get('audit-signing-key')).toBe(item);
  const { records } = await audit.list({ limit: 50 });
  expect(records.map((record) => record.kind)).toContain('host_rejected');
  expect((await audit.verify()).problem).toBeNull();
});

test('a keyring that hides its items while locked is not taken for an empty one', async () => {
  const { folder, keychain } = await closedLog(3);
  const key = keychain.items.get('audit-signing-key');
  const hiding = { ...keychain, read: async () => ({ kind: 'missing' }) as const, write: async () => LOCKED };
  const { audit } = await openLog(folder, hiding);
  expect(audit.available()).toEqual({ ok: false, reason: expect.stringMatching(/keychain is locked/) });
  expect(keychain.items.get('audit-signing-key')).toBe(key);
  expect(existsSync(join(folder, 'audit-signing-key'))).toBe(false);
});

test('another key is announced in the chain, and verify notes it', async () => {
  const { folder } = await closedLog(3, testKeychain(ABSENT));
  const keychain = testKeychain();
  const { audit } = await openLog(folder, keychain);
  const report = await audit.verify();
  expect(report).toMatchObject({ ok: true, signingKey: 'keychain' });
  expect(report.notes.join()).toMatch(/signing key changed once/);
});

test('O18 the stand-alone verifier verifies an export, and finds an edited and a missing line', async () => {
  const folder = newFolder();
  const { audit } = await openLog(folder, testKeychain());
  for (let n = 0; n < 5; n += 1) await written(audit, call(`r${n}`, 'ended', { detail: { text: 'Zürich\u2028"\n' } }));
  const { path } = await audit.exportLines();
  const script = fileURLToPath(new URL('../../../verifier/verify-audit.mjs', import.meta.url));
  const run = (file: string) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, file], { encoding: 'utf8' });
    return { status, said: stdout + stderr };
  };
  expect(run(path)).toMatchObject({ status: 0, said: expect.stringMatching(/7 entries/) });

  const lines = readFileSync(path, 'utf8').split('\n');
  const edited = join(folder, 'edited.jsonl');
  writeFileSync(edited, lines.map((line) => line.replace('"r2"', '"r9"')).join('\n'));
  expect(run(edited)).toMatchObject({ status: 1, said: expect.stringMatching(/entry 5/) });
  const shorter = join(folder, 'shorter.jsonl');
  writeFileSync(shorter, lines.slice(0, -3).join('\n'));
  expect(run(shorter)).toMatchObject({ status: 1, said: expect.stringMatching(/ends at entry 6/) });
});

/** Changes entry `seq` and makes every hash after it fit again, as somebody who knows the format would. */
async function rewrite(folder: string, seq: number): Promise<void> {
  const { entryHash } = await import('../../../electron/core/audit/entry.ts');
  type Row = import('../../../electron/core/audit/entry.ts').EntryRow;
  const found = rows<Row>(folder, `SELECT * FROM entries WHERE seq >= ${seq} ORDER BY seq`);
  let prev = found[0]?.prev ?? '';
  const statements = found.map((row) => {
    const changed = { ...row, prev, ...(row.seq === seq ? { tool: 'write' } : {}) };
    const hash = entryHash(changed);
    prev = hash;
    return `UPDATE entries SET tool = '${changed.tool}', prev = '${changed.prev}', hash = '${hash}' WHERE seq = ${row.seq}`;
  });
  tamper(folder, ...statements);
}

test('a start reads the whole file only when it is not as it was left, and then finds what is broken in it', async () => {
  const { folder, keychain } = await closedLog(400);
  const path = join(folder, 'audit.db');
  const times = statSync(path);
  const bytes = readFileSync(path);
  const page = Math.floor(bytes.indexOf('tool_call', bytes.length / 2) / 4096) * 4096;
  bytes.fill(0xa5, page, page + 4096);
  writeFileSync(path, bytes);
  // With its time put back nothing shows: the walk in the background finds it, says so, and the next start reads it all.
  // To the middle of its millisecond: seconds as a fraction may come back a trace smaller.
  utimesSync(path, times.atime, (Math.trunc(times.mtimeMs) + 0.5) / 1000);
  const quiet = await openLog(folder, keychain);
  expect(quiet.setAside).toBeNull();
  expect(await quiet.verified).toMatchObject({
    ok: false,
    problem: expect.stringMatching(/damaged|was changed|missing/),
  });
  await quiet.audit.close();
  const told = await openLog(folder, keychain);
  expect(told.setAside).toMatch(/audit\.db\.broken-/);
  await told.audit.close();

  // Whoever touches the file is noticed at once.
  const touched = readFileSync(path);
  touched.fill(0xa5, Math.floor(touched.length / 2), Math.floor(touched.length / 2) + 4096);
  writeFileSync(path, touched);
  expect((await openLog(folder, keychain)).setAside).toMatch(/audit\.db\.broken-/);
});
