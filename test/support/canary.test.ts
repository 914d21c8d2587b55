import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { assertNoSecretIn, newSecret } from './canary.ts';
import { startGatehouse } from './gatehouse.ts';

test('a secret in any file of Gatehouse’s own is found, in whatever form; files of the test are its own', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-canary-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const secret = newSecret('found');
  mkdirSync(join(folder, 'logs'));
  writeFileSync(join(folder, 'record-rec-1.jsonl'), secret);
  assertNoSecretIn(folder);
  for (const name of ['state.db-wal', 'audit.db', 'logs/gatehouse.log', 'audit.db.broken-1']) {
    const file = join(folder, name);
    writeFileSync(file, `… ${Buffer.from(`a${secret}`).toString('base64')} …`);
    expect(() => assertNoSecretIn(folder)).toThrow(`${file}: base64`);
    rmSync(file);
  }
});

test('a Gatehouse of this file that wrote down a secret, or the key of a client, does not close without a word', async () => {
  const gatehouse = await startGatehouse();
  const { secret } = await gatehouse.key();
  appendFileSync(join(gatehouse.folder, 'logs/gatehouse.log'), `${secret}\n`);
  await expect(gatehouse.close()).rejects.toThrow('logs/gatehouse.log: raw');
  rmSync(gatehouse.folder, { recursive: true, force: true });
});
