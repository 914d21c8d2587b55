import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fakeClock } from '../../support/fake-clock.ts';
import { testKeychain } from './keychains.ts';
import { call, newFolder, openLog, rows, written } from './log.ts';

test('an entry answered as written is in the file, chained and signed', async () => {
  const folder = newFolder();
  const keychain = testKeychain();
  const { audit } = await openLog(folder, keychain);
  const seq = await written(audit, call('r1', 'forwarded', { detail: { a: 1 } }));

  const [row] = rows<{ seq: number; prev: string; detail: string }>(
    folder,
    `SELECT * FROM entries WHERE request_id = 'r1'`,
  );
  expect(row).toMatchObject({ seq, detail: '{"a":1}' });
  const [before] = rows<{ hash: string }>(folder, `SELECT hash FROM entries WHERE seq = ${seq - 1}`);
  expect(row?.prev).toBe(before?.hash);
  const report = await audit.verify();
  expect(report).toMatchObject({ ok: true, problem: null, firstSeq: 1, lastSeq: seq, signingKey: 'keychain' });
  expect(report.publicKey).not.toBeNull();
});

test('O3 the connection that writes has the safe settings', async () => {
  const { writerPragmas } = await openLog(newFolder(), testKeychain());
  expect(await writerPragmas()).toMatchObject({
    journal_mode: 'wal',
    synchronous: 2,
    foreign_keys: 1,
    busy_timeout: 5000,
    fullfsync: 1,
    checkpoint_fullfsync: 1,
    recursive_triggers: 1,
  });
});

test('what was recorded in one turn of the event loop is one signed commit, in order', async () => {
  const folder = newFolder();
  const { audit } = await openLog(folder, testKeychain());
  const [before] = rows<{ n: number }>(folder, 'SELECT count(*) n FROM commits');
  const seqs = await Promise.all(Array.from({ length: 50 }, (_, n) => written(audit, call(`r${n}`, 'ended'))));
  expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
  const [after] = rows<{ n: number }>(folder, 'SELECT count(*) n FROM commits');
  expect((after?.n ?? 0) - (before?.n ?? 0)).toBe(1);
  expect(
    rows<{ request_id: string }>(folder, `SELECT request_id FROM entries WHERE kind = 'tool_call' ORDER BY seq`).map(
      (row) => row.request_id,
    ),
  ).toEqual(Array.from({ length: 50 }, (_, n) => `r${n}`));
});

test('the table refuses UPDATE, DELETE and REPLACE', async () => {
  const folder = newFolder();
  const { audit } = await openLog(folder, testKeychain());
  await written(audit, call('r1', 'ended'));
  const Database = (await import('better-sqlite3')).default;
  const db = new Database(join(folder, 'audit.db'));
  const refusal = /append-only/;
  expect(() => db.exec(`UPDATE entries SET tool = 'x' WHERE seq = 2`)).toThrow(refusal);
  expect(() => db.exec('DELETE FROM entries WHERE seq = 2')).toThrow(refusal);
  expect(() => db.exec('INSERT OR REPLACE INTO entries SELECT * FROM entries WHERE seq = 2')).toThrow(refusal);
  expect(() => db.exec('UPDATE commits SET seq = 9')).toThrow(refusal);
  expect(() => db.exec('DELETE FROM commits')).toThrow(refusal);
  db.close();
});

test('L19 nothing of the log is readable by others, whatever the umask', async () => {
  const folder = newFolder();
  const before = process.umask(0);
  try {
    const { audit } = await openLog(folder, testKeychain({ kind: 'absent', reason: 'none' }));
    await written(audit, call('r1', 'ended'));
    const { path } = await audit.exportLines();
    const mode = (name: string) => (statSync(name).mode & 0o777).toString(8);
    expect(mode(folder)).toBe('700');
    for (const name of ['audit.db', 'audit.db-wal', 'audit.db-shm', 'audit-signing-key'])
      expect([name, mode(join(folder, name))]).toEqual([name, '600']);
    expect(mode(join(folder, 'exports'))).toBe('700');
    expect(mode(path)).toBe('600');
  } finally {
    process.umask(before);
  }
});

test('the entries of a call are one record, newest call first, and pages do not move while calls end', async () => {
  const { audit } = await openLog(newFolder(), testKeychain());
  await written(audit, call('a', 'asked', { effect: 'require_approval', rule: 'ask' }));
  await written(audit, call('b', 'ended', { outcome: 'refused', errorClass: 'policy_denied', client: 'other' }));
  await written(audit, call('a', 'forwarded'));
  const first = await audit.list({ limit: 1 });
  expect(first.records.map((record) => record.requestId)).toEqual(['b']);
  await written(audit, call('a', 'ended', { outcome: 'answered', detail: { resultBytes: 7 } }));
  const second = await audit.list({ limit: 1, before: first.nextBefore ?? 0 });
  expect(second.records).toHaveLength(1);
  expect(second.records[0]).toMatchObject({
    requestId: 'a',
    effect: 'require_approval',
    rule: 'ask',
    outcome: 'answered',
  });
  expect(second.records[0]?.entries.map((entry) => entry.phase)).toEqual(['asked', 'forwarded', 'ended']);
  expect(second.records[0]?.entries[2]?.detail).toEqual({ resultBytes: 7 });
});

test('each filter finds its records by any of their entries, and nothing else', async () => {
  const { audit } = await openLog(newFolder(), testKeychain());
  await written(audit, call('a', 'forwarded', { detail: { arguments: '{"path":"/100%_sure"}' } }));
  await written(audit, call('a', 'ended', { outcome: 'answered' }));
  await written(
    audit,
    call('b', 'ended', {
      outcome: 'refused',
      errorClass: 'policy_denied',
      client: 'other',
      clientId: 'c2',
      upstream: 'mail',
      tool: 'send',
    }),
  );
  const found = async (filter: Omit<Parameters<typeof audit.list>[0], 'limit'>) =>
    (await audit.list({ limit: 50, ...filter })).records.map((record) => record.requestId);
  expect(await found({ client: 'other' })).toEqual(['b']);
  expect(await found({ client: 'c1' })).toEqual(['a']);
  expect(await found({ upstream: 'mail' })).toEqual(['b']);
  expect(await found({ tool: 'read' })).toEqual(['a']);
  expect(await found({ outcome: 'answered' })).toEqual(['a']);
  expect(await found({ errorClass: 'policy_denied' })).toEqual(['b']);
  expect(await found({ text: '100%_su' })).toEqual(['a']);
  expect(await found({ text: '100%su' })).toEqual(['a']);
  expect(await found({ text: '100sure' })).toEqual([]);
  expect(await found({ effect: 'deny' })).toEqual([]);
  expect(await found({ client: 'other', outcome: 'answered' })).toEqual([]);
});

test('writeSoon is seen by the list that follows it', async () => {
  const { audit } = await openLog(newFolder(), testKeychain());
  audit.writeSoon({ phase: 'event', kind: 'key_created' });
  const { records } = await audit.list({ limit: 1 });
  expect(records[0]).toMatchObject({ kind: 'key_created', requestId: expect.stringMatching(/^entry-\d+$/) });
});

test('a number too large for JavaScript, a lone surrogate and a NUL do not break the chain', async () => {
  const { audit } = await openLog(newFolder(), testKeychain());
  await written(
    audit,
    call('a', 'ended', { client: 'x\uD800y\0z', detail: { text: '\uD800\0', big: 9007199254740993n } }),
  );
  expect((await audit.verify()).problem).toBeNull();
  const { records } = await audit.list({ limit: 1 });
  expect(records[0]?.client).toBe('x\uFFFDy\uFFFDz');
  expect(records[0]?.entries[0]?.detail).toEqual({ text: '\uD800\0', big: '9007199254740993' });
});

test('a restart closes what was left open: forwarded is interrupted, asked alone was not run', async () => {
  const folder = newFolder();
  const keychain = testKeychain();
  const first = await openLog(folder, keychain);
  await written(first.audit, call('done', 'forwarded'));
  await written(first.audit, call('done', 'ended', { outcome: 'answered' }));
  await written(first.audit, call('ran', 'asked'));
  await written(first.audit, call('ran', 'forwarded'));
  await written(first.audit, call('waited', 'asked'));
  await first.audit.close();

  const second = await openLog(folder, keychain);
  expect(second.recovered).toBe(2);
  const { records } = await second.audit.list({ limit: 50 });
  const outcome = (id: string) => records.find((record) => record.requestId === id)?.outcome;
  expect([outcome('done'), outcome('ran'), outcome('waited')]).toEqual(['answered', 'interrupted', 'not_executed']);
  expect(records.find((record) => record.requestId === 'ran')?.entries.at(-1)?.detail.message).toMatch(
    /unknown whether it ran/,
  );
  await second.audit.close();

  const third = await openLog(folder, keychain);
  expect(third.recovered).toBe(0);
  expect((await third.audit.verify()).problem).toBeNull();
});

test('the head is anchored at the start, at most once a minute after that, and when it closes', async () => {
  const folder = newFolder();
  const keychain = testKeychain();
  const clock = fakeClock();
  const { audit } = await openLog(folder, keychain, clock);
  const anchors = () => keychain.writes.filter((item) => item.startsWith('audit-head')).length;
  const anchored = () =>
    JSON.parse([...keychain.items].find(([item]) => item.startsWith('audit-head'))?.[1] ?? '{}').seq;
  expect(anchors()).toBe(1);
  for (let n = 0; n < 5; n += 1) await written(audit, call(`r${n}`, 'ended'));
  expect(anchors()).toBe(1);
  await clock.advance(60_000);
  expect(anchors()).toBe(2);
  expect(anchored()).toBe(7);
  await written(audit, call('last', 'ended'));
  await audit.close();
  expect(anchors()).toBe(3);
  expect(anchored()).toBe(8);
});

test('after close nothing is recorded and nothing hangs', async () => {
  const { audit } = await openLog(newFolder(), testKeychain());
  await audit.close();
  expect(await audit.write(call('late', 'forwarded'))).toEqual({
    kind: 'unavailable',
    reason: 'Gatehouse is closing.',
  });
  expect(audit.available().ok).toBe(false);
  await audit.close();
});

test('an export has header, entries and commits, one a line, whatever stands in them', async () => {
  const { audit } = await openLog(newFolder(), testKeychain());
  await written(audit, call('a', 'ended', { detail: { arguments: '=HYPERLINK("http://evil")\n"' } }));
  const { path, entries } = await audit.exportLines();
  const lines = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines[0]).toMatchObject({
    type: 'header',
    format: 'gatehouse-audit',
    formatVersion: 2,
    checkpoint: null,
    entries,
  });
  expect(lines[0].publicKey).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
  expect(lines[0].head.seq).toBe(entries);
  expect(lines.filter((line) => line.type === 'entry')).toHaveLength(entries);
  expect(lines.at(-1)).toMatchObject({ type: 'commit', seq: entries });
});
