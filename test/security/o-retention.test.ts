import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import type { Audit } from '../../electron/core/audit/audit.ts';
import { verifyAudit } from '../../electron/core/audit/verify.ts';
import { testKeychain } from '../core/audit/keychains.ts';
import { call, newFolder, openLog, rows, tamper, until, written } from '../core/audit/log.ts';
import { type FakeClock, fakeClock } from '../support/fake-clock.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { createMemoryKeychain } from '../support/memory-keychain.ts';

const DAY = 24 * 3_600_000;
const CANARY = 'canary7f3a9zebra';
/** The full text keeps words without what they share with the word before. */
const TAIL = CANARY.slice(6);
const VERIFIER = fileURLToPath(new URL('../../verifier/verify-audit.mjs', import.meta.url));
const OLDER = { olderThanMs: 90 * DAY, keepBytes: null };

/** A log of 120 days, fifty calls each tenth; what is older than 90 days holds the canary in arguments and rules. */
async function longLog(folder: string, clock: FakeClock, keychain = testKeychain()) {
  const opened = await openLog(folder, keychain, clock);
  for (let day = 0; day < 120; day += 10) {
    const mark = day < 30 ? CANARY : 'harmless';
    const detail = { arguments: `{"path":"/${mark}/${day}"}`, note: `${mark}${'x'.repeat(5_000)}` };
    await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        opened.audit.write(call(`d${day}-${n}`, 'forwarded', { detail, rule: `rule-${mark}`, effect: 'allow' })),
      ),
    );
    await Promise.all(
      Array.from({ length: 50 }, (_, n) => opened.audit.write(call(`d${day}-${n}`, 'ended', { outcome: 'answered' }))),
    );
    await clock.advance(10 * DAY);
  }
  return { ...opened, keychain };
}

const filesWith = (folder: string, text: string) =>
  readdirSync(folder).filter(
    (name) => statSync(join(folder, name)).isFile() && readFileSync(join(folder, name)).includes(text),
  );

const find = async (audit: Audit, text: string) => (await audit.list({ text, limit: 500 })).records.length;

test('O14 a purge by age records itself, the log verifies from its checkpoint, and the canary is in no byte of any file', async () => {
  const folder = newFolder();
  const clock = fakeClock();
  const { audit, keychain } = await longLog(folder, clock);
  expect(await find(audit, CANARY)).toBe(150);
  expect(filesWith(folder, TAIL).map((name) => name.replace(/-wal$/, ''))).toEqual(
    expect.arrayContaining(['audit.db', 'audit-index.db']),
  );
  const before = rows<{ n: number }>(folder, 'SELECT count(*) n FROM entries')[0]?.n ?? 0;

  const answer = await audit.purge(OLDER, 'the test');
  if (answer.kind !== 'purged' || answer.removed === null) throw new Error(JSON.stringify(answer));
  expect(rows(folder, 'SELECT min(seq) first, count(*) n FROM entries')).toEqual([
    { first: answer.removed.upTo + 1, n: before - answer.removed.entries + 1 },
  ]);
  // 120 days from the first call on, less 90: those of the first 30 days, and the start before them.
  expect(answer.removed.entries).toBe(3 * 100 + 2);
  expect(await audit.purge(OLDER, 'the test')).toEqual({ kind: 'purged', removed: null });

  const report = await audit.verify();
  expect(report).toMatchObject({
    ok: true,
    firstSeq: answer.removed.upTo + 1,
    entries: before - answer.removed.entries + 1,
  });
  expect(report.notes.join()).toMatch(/^Entries 1 to \d+ were removed by retention on 2030-05-01/);
  const [told] = (await audit.list({ kind: 'audit_purged', limit: 2 })).records;
  expect(told?.entries[0]?.detail).toMatchObject({
    by: 'the test',
    olderThanMs: 90 * DAY,
    from: 1,
    to: answer.removed.upTo,
    checkpoint: { seq: answer.removed.upTo, number: expect.any(Number), chain: expect.any(String) },
  });

  expect(await find(audit, CANARY)).toBe(0);
  expect(await find(audit, 'harmless')).toBe(450);
  await until(() => filesWith(folder, TAIL).length === 0);
  await audit.close();
  expect(filesWith(folder, TAIL)).toEqual([]);
  expect(await verifyAudit(folder, keychain)).toMatchObject({ ok: true, problem: null });

  // And it goes on: started, called, purged again, verified.
  const again = await openLog(folder, keychain, clock);
  expect(again.problem).toBeNull();
  expect(await again.verified).toMatchObject({ ok: true });
  await clock.advance(40 * DAY);
  await written(again.audit, call('later', 'ended', { outcome: 'answered' }));
  expect(await again.audit.purge(OLDER, 'the test')).toMatchObject({ kind: 'purged', removed: { entries: 400 } });
  expect(await again.audit.verify()).toMatchObject({ ok: true });
});

test('O14 a purge by size keeps about so much, never the last day, and parts no call', async () => {
  const folder = newFolder();
  const clock = fakeClock();
  const { audit } = await longLog(folder, clock);
  const used = () => {
    const [pages] = rows<{ used: number }>(
      folder,
      'SELECT (c.page_count - f.freelist_count) * s.page_size used FROM pragma_page_count c, pragma_freelist_count f, pragma_page_size s',
    );
    return pages?.used ?? 0;
  };
  expect(used()).toBeGreaterThan(3_500_000);
  await audit.purge({ olderThanMs: null, keepBytes: 2_000_000 }, 'the test');
  expect(used()).toBeLessThan(2_300_000);
  expect(used()).toBeGreaterThan(1_500_000);
  expect(
    rows(folder, `SELECT request_id FROM entries GROUP BY request_id HAVING request_id IS NOT NULL AND count(*) <> 2`),
  ).toEqual([]);
  await written(audit, call('today', 'ended', { outcome: 'answered' }));
  await audit.purge({ olderThanMs: null, keepBytes: 1 }, 'the test');
  expect(rows<{ n: number }>(folder, `SELECT count(*) n FROM entries WHERE kind = 'tool_call'`)[0]?.n).toBe(1);
  expect(await audit.verify()).toMatchObject({ ok: true });
});

test('O14 a call that is older than the limit at its beginning and younger at its end stays whole', async () => {
  const folder = newFolder();
  const clock = fakeClock();
  const { audit } = await openLog(folder, testKeychain(), clock);
  await written(audit, call('old', 'ended', { outcome: 'answered' }));
  await written(audit, call('long', 'forwarded'));
  await written(audit, call('old-too', 'ended', { outcome: 'answered' }));
  await clock.advance(95 * DAY);
  await written(audit, call('long', 'ended', { outcome: 'answered' }));
  expect(await audit.purge(OLDER, 'the test')).toMatchObject({ kind: 'purged' });
  const left = (await audit.list({ kind: 'tool_call', limit: 9 })).records.map((record) => record.requestId);
  expect(left).toEqual(['old-too', 'long']);
  expect(await audit.verify()).toMatchObject({ ok: true });
});

test('O14 calls that overlap all the time do not keep the log from being cut, and what is left of the one across the cut is found', async () => {
  const folder = newFolder();
  const clock = fakeClock();
  const { audit } = await openLog(folder, testKeychain(), clock);
  const OVERLAPPING = 100;
  await written(audit, call('0', 'forwarded'));
  for (let n = 1; n <= OVERLAPPING; n += 1) {
    if (n === OVERLAPPING) await clock.advance(95 * DAY);
    await Promise.all([
      audit.write(call(`${n - 1}`, 'ended', { outcome: 'answered' })),
      audit.write(call(`${n}`, 'forwarded')),
    ]);
  }
  await written(audit, call(`${OVERLAPPING}`, 'ended', { outcome: 'answered' }));
  expect(await audit.list({ kind: 'tool_call', limit: 500 })).toMatchObject({ records: { length: OVERLAPPING + 1 } });
  const answer = await audit.purge(OLDER, 'the test');
  // The start of the log, and every entry of the first 99 calls and of the one that went on.
  expect(answer).toMatchObject({ kind: 'purged', removed: { entries: 2 + 2 * OVERLAPPING - 1 } });
  const left = (await audit.list({ kind: 'tool_call', limit: 500 })).records;
  expect(left.map(({ requestId, entries }) => [requestId, entries.map(({ phase }) => phase)])).toEqual([
    [`${OVERLAPPING}`, ['forwarded', 'ended']],
    [`${OVERLAPPING - 1}`, ['ended']],
  ]);
  expect(await audit.verify()).toMatchObject({ ok: true });
});

test.each([
  [
    'more is deleted than was recorded',
    'DELETE FROM commits WHERE seq <= (SELECT max(seq) FROM checkpoints) + 5; DELETE FROM entries WHERE seq <= (SELECT max(seq) FROM checkpoints) + 5',
    /is missing/,
  ],
  [
    'a checkpoint is made up for what was deleted',
    `INSERT INTO checkpoints SELECT c.seq, c.hash, c.number, p.chain, p.public_key FROM commits c, checkpoints p WHERE c.seq = (SELECT max(seq) FROM commits WHERE seq < (SELECT max(seq) FROM commits));
     DELETE FROM commits WHERE seq <= (SELECT max(seq) FROM checkpoints); DELETE FROM entries WHERE seq <= (SELECT max(seq) FROM checkpoints)`,
    /nothing that was signed says/,
  ],
  [
    'the checkpoint itself is removed',
    'DROP TRIGGER checkpoints_refuse_delete; DELETE FROM checkpoints',
    /Entry 1 is missing/,
  ],
  [
    'the checkpoint is given another hash',
    `DROP TRIGGER checkpoints_refuse_update; UPDATE checkpoints SET hash = '${'0'.repeat(64)}'`,
    /was written after another entry|nothing that was signed says/,
  ],
])('O14 a purge is no way to delete unseen: %s', async (_, statement, problem) => {
  const folder = newFolder();
  const clock = fakeClock();
  const { audit, keychain } = await longLog(folder, clock);
  await audit.purge(OLDER, 'the test');
  await audit.close();
  tamper(folder, 'PRAGMA foreign_keys = OFF', statement);
  const report = await verifyAudit(folder, keychain);
  expect(report.ok).toBe(false);
  expect(report.problem).toMatch(problem);
});

test('O14 the tables refuse to delete what no checkpoint released', async () => {
  const folder = newFolder();
  const clock = fakeClock();
  const { audit } = await longLog(folder, clock);
  await audit.purge(OLDER, 'the test');
  await audit.close();
  const Database = (await import('better-sqlite3')).default;
  const db = new Database(join(folder, 'audit.db'));
  for (const statement of [
    'DELETE FROM entries',
    'DELETE FROM commits',
    'DELETE FROM checkpoints',
    'UPDATE checkpoints SET seq = 1',
  ])
    expect(() => db.exec(statement)).toThrow(/append-only/);
  db.close();
});

test('O18 the stand-alone verifier checks an export on a machine without Gatehouse, also after a purge, and by a key brought along', async () => {
  const folder = newFolder();
  const clock = fakeClock();
  const { audit } = await longLog(folder, clock);
  const whole = await audit.exportLines();
  await audit.purge(OLDER, 'the test');
  await clock.advance(1);
  const { path } = await audit.exportLines();
  // Another machine: a folder with the one file and the export, and nothing above it.
  const away = mkdtempSync(join(tmpdir(), 'elsewhere-'));
  onTestFinished(() => rmSync(away, { recursive: true, force: true }));
  cpSync(VERIFIER, join(away, 'verify-audit.mjs'));
  const imports = [...readFileSync(VERIFIER, 'utf8').matchAll(/^import .* from '(.*)';$/gm)].map((found) => found[1]);
  expect(imports).toEqual(['node:crypto', 'node:fs']);
  const run = (file: string, ...more: string[]) => {
    const words = [join(away, 'verify-audit.mjs'), file, ...more];
    const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', cwd: away, env: {} });
    return { status, said: stdout + stderr };
  };
  expect(run(whole.path)).toMatchObject({ status: 0, said: expect.stringMatching(/^valid: 1202 entries, 1 to 1202,/) });
  expect(run(path)).toMatchObject({
    status: 0,
    said: expect.stringMatching(/removed by retention, as a signed entry says\nvalid: 901 entries, 303 to 1203,/),
  });

  const lines = readFileSync(path, 'utf8').split('\n');
  const header = JSON.parse(lines[0] ?? '');
  const key = join(away, 'key.pem');
  writeFileSync(key, header.publicKey);
  expect(run(path, '--key', key).status).toBe(0);
  const { generateKeyPairSync } = await import('node:crypto');
  writeFileSync(key, generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }));
  expect(run(path, '--key', key)).toMatchObject({ status: 1, said: expect.stringMatching(/not by the one you gave/) });

  const changed = (what: string, edit: (all: string[]) => string[]) => {
    const file = join(away, `${what}.jsonl`);
    writeFileSync(file, edit([...lines]).join('\n'));
    return run(file);
  };
  expect(changed('edited', (all) => all.map((line) => line.replace('d50-1', 'd50-9')))).toMatchObject({ status: 1 });
  expect(changed('shorter', (all) => all.slice(0, -3))).toMatchObject({ status: 1 });
  expect(changed('hole', (all) => all.filter((_, n) => n !== 40))).toMatchObject({ status: 1 });
  expect(changed('no-json', (all) => [...all.slice(0, 9), '{', ...all.slice(9)])).toMatchObject({ status: 1 });
  // Somebody cuts the beginning off and writes a checkpoint of their own into the header.
  const cut = changed('cut', ([first = '', ...rest]) => {
    const commit = rest.findIndex((line, n) => n > 100 && line.includes('"type":"commit"'));
    const { seq, hash, number } = JSON.parse(rest[commit] ?? '');
    const own = { ...JSON.parse(first), checkpoint: { ...header.checkpoint, seq, hash, number } };
    own.entries = header.head.seq - seq;
    return [JSON.stringify(own), ...rest.slice(commit + 1)];
  });
  expect(cut).toMatchObject({
    status: 1,
    said: expect.stringMatching(/no signed entry says that retention removed them/),
  });
  expect(run(join(away, 'nothing.jsonl')).status).toBe(2);
});

test('O14 the daily setting removes what is too old by itself, and changing it is recorded and confirmed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-o14-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const clock = fakeClock();
  const platform = { keychain: createMemoryKeychain() };
  await using gatehouse = await startGatehouse({ folder, clock, platform });
  const { secret } = await gatehouse.key();
  await gatehouse.call(secret, 'demo__list_notes');
  await clock.advance(100 * DAY);
  const set = await gatehouse.ask('auditRetentionSet', { olderThanMs: 90 * DAY });
  expect(set).toMatchObject({ kind: 'done', retention: { olderThanMs: 90 * DAY, keepBytes: null, appliedAt: null } });
  await clock.advance(3_600_000);
  await until(async () => (await gatehouse.ask('auditList', { kind: 'audit_purged' })).records.length === 1);
  expect((await gatehouse.ask('auditList', { kind: 'tool_call' })).records).toEqual([]);
  expect((await gatehouse.ask('auditList', { kind: 'retention_changed' })).records).toHaveLength(1);
  await until(async () => (await gatehouse.ask('auditState', {})).retention.appliedAt !== null);
  await clock.advance(3 * 3_600_000);
  expect((await gatehouse.ask('auditList', { kind: 'audit_purged' })).records).toHaveLength(1);
  expect(await gatehouse.ask('auditVerify')).toMatchObject({ ok: true });

  // The command line shortens nothing without the person.
  const cli = { origin: 'cli', label: 'command line' } as const;
  const asking = gatehouse.ask('auditPurge', { olderThanMs: DAY }, cli);
  await until(async () => (await gatehouse.ask('confirmationsList')).length === 1);
  const [shown] = await gatehouse.ask('confirmationsList');
  expect(shown).toMatchObject({ kind: 'audit', title: 'Remove the beginning of the audit' });
  await gatehouse.ask('confirmationAnswer', { confirmation: shown?.id ?? '', answer: 'refuse' });
  expect(await asking).toMatchObject({ kind: 'refused' });
});
