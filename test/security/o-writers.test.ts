import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { verifyAudit } from '../../electron/core/audit/verify.ts';
import { testKeychain } from '../core/audit/keychains.ts';
import { newFolder, openLog, rows } from '../core/audit/log.ts';
import { eventually, startGatehouse } from '../support/gatehouse.ts';
import { createMemoryKeychain } from '../support/memory-keychain.ts';

const CHILD = fileURLToPath(new URL('../core/audit/appender.child.ts', import.meta.url));

test('O10 two processes with three threads of 50 appends each fork nothing and lose nothing, and the log verifies', async () => {
  const folder = newFolder();
  const keychain = testKeychain();
  const { audit } = await openLog(folder, keychain);
  await audit.close();
  const key = keychain.items.get('audit-signing-key') ?? '';
  const codes = await Promise.all(
    ['a', 'b'].map(async (name) => {
      const child = spawn(process.execPath, [CHILD, folder, key, name], { stdio: ['ignore', 'ignore', 'pipe'] });
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      const [code] = await once(child, 'exit');
      return code === 0 ? 0 : said;
    }),
  );
  expect(codes).toEqual([0, 0]);
  const found = rows<{ request_id: string }>(folder, `SELECT request_id FROM entries WHERE kind = 'tool_call'`);
  const wanted = ['a', 'b'].flatMap((name) =>
    [0, 1, 2].flatMap((thread) => Array.from({ length: 50 }, (_, n) => `${name}-${thread}-${n}`)),
  );
  expect(found.map((row) => row.request_id).toSorted()).toEqual(wanted.toSorted());
  expect(rows(folder, 'SELECT prev FROM entries GROUP BY prev HAVING count(*) > 1')).toEqual([]);
  expect(await verifyAudit(folder, keychain)).toMatchObject({ ok: true, problem: null, lastSeq: 302 });
});

test('O12 a log damaged in its middle is set aside whole at the start; a new one names it, the person is told, and calls run', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-o12-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const platform = { keychain: createMemoryKeychain() };
  const first = await startGatehouse({ folder, platform });
  const { secret } = await first.key();
  for (let n = 0; n < 120; n += 1) await first.call(secret, 'demo__list_notes', '{}');
  const before = await first.ask('auditVerify');
  await first.close();
  const path = join(folder, 'audit.db');
  const db = new Database(path);
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
  const bytes = readFileSync(path);
  const middle = Math.floor(bytes.length / 2 / 4096) * 4096;
  bytes.fill(0xa5, middle, middle + 4096);
  writeFileSync(path, bytes);

  await using gatehouse = await startGatehouse({ folder, platform });
  const [aside] = readdirSync(folder).filter((name) => /^audit\.db\.broken-\w+$/.test(name));
  const kept = readFileSync(join(folder, aside ?? ''));
  expect(kept.equals(bytes)).toBe(true);
  expect((await gatehouse.ask('status')).banners.join()).toContain(
    `The audit log was broken and is kept as ${join(folder, aside ?? '')}`,
  );
  const [started] = (await gatehouse.ask('auditList', { kind: 'chain_started' })).records;
  expect(started?.entries[0]).toMatchObject({
    seq: 1,
    detail: { previous: { file: join(folder, aside ?? ''), lastKnownHead: { seq: expect.any(Number) } } },
  });
  const { lastKnownHead } = (started?.entries[0]?.detail.previous ?? {}) as {
    readonly lastKnownHead?: { seq: number };
  };
  expect(lastKnownHead?.seq).toBeGreaterThanOrEqual(before.lastSeq ?? 0);

  // Of the old log nothing is shown as if it stood in the new one.
  expect((await gatehouse.ask('auditList', { kind: 'tool_call' })).records).toEqual([]);
  const answer = await gatehouse.call(secret, 'demo__list_notes', '{}');
  expect(answer.message?.result).not.toHaveProperty('isError');
  await eventually(
    async () => ((await gatehouse.ask('auditList', { kind: 'tool_call' })).records.length === 1 ? 1 : null),
    'the call',
  );
  expect(await gatehouse.ask('auditVerify')).toMatchObject({ ok: true, firstSeq: 1 });
});
