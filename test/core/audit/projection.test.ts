import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { Audit, AuditQuery } from '../../../electron/core/audit/audit.ts';
import type { RecordedCall } from '../../../electron/core/audit/scan.ts';
import { matchOf, searchText } from '../../../electron/core/audit/search-words.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { entryView, recordView } from '../../support/views.ts';
import { testKeychain } from './keychains.ts';
import { call, newFolder, openLog, until, written } from './log.ts';

const idsOf = async (audit: Audit, query: AuditQuery = {}) =>
  (await audit.list({ limit: 500, ...query })).records.map((record) => record.requestId);

const calls = (ids: readonly string[]) => ids.filter((id) => !id.startsWith('entry-'));

/** A call that was forwarded and answered. */
async function answered(audit: Audit, id: string, text: string): Promise<void> {
  const detail = { arguments: text, risk: 'read', argumentsBytes: text.length, clientTags: ['work'], policy: '3' };
  await written(audit, call(id, 'forwarded', { effect: 'allow', rule: 'reads', detail }));
  await written(audit, call(id, 'ended', { effect: 'allow', rule: 'reads', outcome: 'answered' }));
}

test('the index may be deleted, damaged or of another version: the next start makes it anew with the same answers', async () => {
  const folder = newFolder();
  const keychain = testKeychain();
  const path = join(folder, 'audit-index.db');
  const first = await openLog(folder, keychain);
  for (let n = 0; n < 30; n += 1) await answered(first.audit, `r${n}`, `{"path":"/p${n}"}`);
  const before = calls(await idsOf(first.audit));
  expect(before).toHaveLength(30);
  await first.audit.close();
  expect((statSync(path).mode & 0o777).toString(8)).toBe('600');

  const faults: readonly (() => void)[] = [
    () => rmSync(path),
    () => writeFileSync(path, Buffer.alloc(8192, 0x5a)),
    () => {
      const db = new Database(path);
      db.pragma('user_version = 99');
      db.exec('DELETE FROM records');
      db.close();
    },
    () => {
      // The head of the file is whole, what lies behind it is not.
      const bytes = readFileSync(path);
      bytes.fill(0xa5, 4096);
      writeFileSync(path, bytes);
    },
  ];
  for (const fault of faults) {
    fault();
    const { audit } = await openLog(folder, keychain);
    await until(async () => (await idsOf(audit, { text: 'p29' }).catch(() => [])).length === 1);
    expect(calls(await idsOf(audit))).toEqual(before);
    await audit.close();
  }
});

test('an index that belongs to another log is not asked', async () => {
  const folder = newFolder();
  const keychain = testKeychain();
  const one = await openLog(folder, keychain);
  await answered(one.audit, 'mine', '{}');
  expect(calls(await idsOf(one.audit))).toEqual(['mine']);
  await one.audit.close();
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(folder, `audit.db${suffix}`), { force: true });

  const other = await openLog(folder, testKeychain());
  for (let n = 0; n < 5; n += 1) await answered(other.audit, `theirs${n}`, '{}');
  expect(calls(await idsOf(other.audit))).toEqual(['theirs4', 'theirs3', 'theirs2', 'theirs1', 'theirs0']);
});

test('nobody need ask: the index follows the log within strides of a second', async () => {
  const clock = fakeClock();
  const { audit } = await openLog(newFolder(), testKeychain(), clock);
  await clock.advance(1_000);
  await answered(audit, 'r1', '{}');
  await clock.advance(1_000);
  await until(() => audit.indexed().seq >= 4);
  expect(audit.indexed()).toEqual({ seq: 4, head: 4 });
});

test('a record changes in the index as its call goes on, and every filter tells its latest state', async () => {
  const { audit } = await openLog(newFolder(), testKeychain());
  const asked = { effect: 'require_approval', rule: 'ask' } as const;
  await written(audit, call('r1', 'asked', asked));
  expect(calls(await idsOf(audit, { effect: 'require_approval' }))).toEqual(['r1']);
  expect(calls(await idsOf(audit, { outcome: 'answered' }))).toEqual([]);
  const approval = { answer: 'approved', by: 'dashboard', waitedMs: 1_234, edited: true };
  await written(audit, call('r1', 'forwarded', { ...asked, detail: { approval, session: 'abc', era: 'modern' } }));
  await written(
    audit,
    call('r1', 'ended', { ...asked, outcome: 'answered', detail: { totalMs: 1_300, upstreamMs: 20, resultBytes: 9 } }),
  );
  for (const query of [{ rule: 'ask' }, { outcome: 'answered' }, { client: 'agent', effect: asked.effect }])
    expect(calls(await idsOf(audit, query))).toEqual(['r1']);
  const [record] = (await audit.list({ limit: 1 })).records;
  expect(record).toMatchObject({
    approval: 'approved',
    approvedBy: 'dashboard',
    waitedMs: 1_234,
    edited: true,
    session: 'abc',
    era: 'modern',
    totalMs: 1_300,
    upstreamMs: 20,
    resultBytes: 9,
  });
});

test('a span of time finds what was recorded in it, also across a clock that was set back', async () => {
  const clock = fakeClock();
  const { audit } = await openLog(newFolder(), testKeychain(), clock);
  const start = clock.now();
  await answered(audit, 'a', '{}');
  await clock.advance(60_000);
  await answered(audit, 'b', '{}');
  clock.set(start - 3_600_000);
  await answered(audit, 'c', '{}');
  clock.set(start + 120_000);
  await answered(audit, 'd', '{}');

  expect(calls(await idsOf(audit))).toEqual(['d', 'c', 'b', 'a']);
  expect(calls(await idsOf(audit, { from: start, to: start + 60_000 }))).toEqual(['a']);
  expect(calls(await idsOf(audit, { from: start, to: start + 60_001 }))).toEqual(['b', 'a']);
  expect(calls(await idsOf(audit, { to: start }))).toEqual(['c']);
  expect(calls(await idsOf(audit, { from: start + 1 }))).toEqual(['d', 'b']);
  expect(calls(await idsOf(audit, { from: start + 999_999 }))).toEqual([]);
});

test('text is found by words, pieces of paths and names, and beginnings of words; nothing typed is an operator', async () => {
  const { audit } = await openLog(newFolder(), testKeychain());
  await answered(audit, 'path', '{"path":"/home/ann/projects/gatehouse/readFile.ts"}');
  await answered(audit, 'name', '{"query":"list_pull_requests NEAR Zürich"}');
  await answered(audit, 'both', '{"query":"projects requests","id":"018f-77aa"}');
  const find = async (text: string) => calls(await idsOf(audit, { text }));
  expect(await find('projects/gateh')).toEqual(['path']);
  expect(await find('/home/ann/')).toEqual(['path']);
  expect(await find('file ')).toEqual(['path']);
  expect(await find('readfile')).toEqual(['path']);
  expect(await find('pull_req')).toEqual(['name']);
  expect(await find('zurich')).toEqual(['name']);
  expect(await find('projects')).toEqual(['both', 'path']);
  expect(await find('requests projects')).toEqual(['both']);
  expect(await find('018f-77')).toEqual(['both']);
  // Finished by a space, a word is whole.
  expect(await find('proj ')).toEqual([]);
  expect(await find('proj')).toEqual(['both', 'path']);
  for (const typed of ['NEAR(', '"', 'a OR b*', '^x', 'words:home', '-home', '{}', "'; DROP TABLE records; --"])
    expect((await find(typed)).length).toBeLessThan(3);
  expect(await find('NEAR')).toEqual(['name']);
  expect(await find('words:home')).toEqual([]);
  expect(matchOf('…')).toBeNull();
  // With other filters the words narrow further.
  expect(calls(await idsOf(audit, { text: 'projects', client: 'nobody' }))).toEqual([]);
});

test('text that is one long word, or all humps, is taken in no slower than any other', () => {
  for (const long of ['x'.repeat(60_000), 'aB'.repeat(30_000), `${'x'.repeat(59_999)}A`]) {
    const began = process.cpuUsage();
    searchText(recordView({ entries: [entryView({ detail: { arguments: long } })] }));
    const { user } = process.cpuUsage(began);
    // A square of the length is billions of steps; this is thousands.
    expect(user / 1_000).toBeLessThan(500);
  }
});

test('pages over hundreds of records join without a gap or a repetition, whatever the filter', async () => {
  const { audit } = await openLog(newFolder(), testKeychain());
  await Promise.all(
    Array.from({ length: 300 }, async (_, n) => {
      const detail = { arguments: `{"n":"word${n} common"}` };
      await audit.write(call(`r${n}`, 'ended', { outcome: 'refused', effect: n % 2 ? 'deny' : 'allow', detail }));
    }),
  );
  for (const query of [{ outcome: 'refused' }, { text: 'common' }, { client: 'agent', from: 0 }]) {
    const seen: string[] = [];
    for (let before: number | null = Number.MAX_SAFE_INTEGER; before !== null; ) {
      const page = await audit.list({ ...query, limit: 70, before });
      expect(page.behind).toBe(0);
      seen.push(...page.records.map((record) => record.requestId));
      before = page.nextBefore;
    }
    expect(seen).toEqual(Array.from({ length: 300 }, (_, n) => `r${299 - n}`));
  }
});

test('a scan gives decided calls newest first, with what a rule may look at, and ends where it is told', async () => {
  const clock = fakeClock();
  const { audit } = await openLog(newFolder(), testKeychain(), clock);
  for (let n = 0; n < 6; n += 1) {
    await answered(audit, `r${n}`, `{"n":${n}}`);
    await clock.advance(1_000);
  }
  await written(audit, call('undecided', 'ended', { outcome: 'refused', errorClass: 'unknown_tool', tool: null }));
  audit.writeSoon({ phase: 'event', kind: 'policy_changed', detail: { arguments: '{}' } });
  const scan = async (span: Parameters<Audit['scanCalls']>[0]) => {
    const found: RecordedCall[] = [];
    for await (const batch of audit.scanCalls(span)) found.push(...batch);
    return found;
  };
  const all = await scan({ limit: 100 });
  expect(all.map((one) => one.requestId)).toEqual(['r5', 'r4', 'r3', 'r2', 'r1', 'r0']);
  expect(all[0]).toMatchObject({
    client: 'agent',
    clientTags: ['work'],
    upstream: 'files',
    upstreamTags: [],
    kind: 'tool',
    tool: 'read',
    risk: 'read',
    argumentsText: '{"n":5}',
    isCut: false,
    effect: 'allow',
    rule: 'reads',
    policy: '3',
    outcome: 'answered',
  });
  expect((await scan({ limit: 2 })).map((one) => one.requestId)).toEqual(['r5', 'r4']);
  expect((await scan({ limit: 100, sinceAt: clock.now() - 2_000 })).map((one) => one.requestId)).toEqual(['r5', 'r4']);
  for await (const [first] of audit.scanCalls({ limit: 100 })) {
    expect(first?.requestId).toBe('r5');
    break;
  }
});

test('what happens during a call does not change what its record says of it', async () => {
  const { audit } = await openLog(newFolder(), testKeychain());
  await written(audit, call('r1', 'forwarded', { detail: { arguments: '{"mine":1}', reason: 'a rule' } }));
  await written(
    audit,
    call('r1', 'event', { kind: 'sampling_requested', detail: { arguments: '{"theirs":1}', reason: 'asks' } }),
  );
  await written(audit, call('r1', 'ended', { outcome: 'answered', effect: 'allow' }));
  const [record] = (await audit.list({ limit: 1 })).records;
  expect(record).toMatchObject({ kind: 'tool_call', reason: 'a rule', outcome: 'answered' });
  const scanned: RecordedCall[] = [];
  for await (const batch of audit.scanCalls({ limit: 5 })) scanned.push(...batch);
  expect(scanned.map((one) => one.argumentsText)).toEqual(['{"mine":1}']);
});

test('where no index can be made the question says why, and calls are recorded and verify as before', async () => {
  const folder = newFolder();
  mkdirSync(join(folder, 'audit-index.db'));
  const { audit } = await openLog(folder, testKeychain());
  await answered(audit, 'r1', '{}');
  await expect(audit.list({ limit: 1 })).rejects.toThrow(/^The audit log cannot be read: .* cannot be written/);
  expect(audit.available()).toEqual({ ok: true });
  expect((await audit.verify()).problem).toBeNull();
  rmSync(join(folder, 'audit-index.db'), { recursive: true });
  expect(calls(await idsOf(audit))).toEqual(['r1']);
});
