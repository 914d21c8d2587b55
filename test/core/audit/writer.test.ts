import { generateKeyPairSync } from 'node:crypto';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { draftOf } from '../../../electron/core/audit/entry.ts';
import type { FromWriter } from '../../../electron/core/audit/messages.ts';
import { startWriter } from '../../../electron/core/audit/workers.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { newFolder, rows, until } from './log.ts';

/** The real worker, spoken to message by message. */
async function writerOf(folder: string, again = false) {
  const heard: FromWriter[] = [];
  const deaths: string[] = [];
  const writer = startWriter({
    clock: fakeClock(),
    message: (message) => void heard.push(message),
    death: (why) => void deaths.push(why),
  });
  onTestFinished(() => writer.end(true));
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  writer.post({ kind: 'open', folder, at: 0, again });
  const begin = {
    kind: 'begin',
    privateKey,
    publicKey: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
  } as const;
  writer.post({ ...begin, keptIn: 'file', anchor: null, at: 0, version: 'x' });
  const kinds = () => heard.map((message) => message.kind);
  await until(() => kinds().includes('begun'));
  heard.length = 0;
  return {
    writer,
    heard,
    kinds,
    deaths,
    batch: (kind: string, retry = false) =>
      writer.post({ kind: 'batch', drafts: [draftOf({ phase: 'event', kind }, 0)], retry }),
  };
}

test('after a failure every batch is refused until a retry succeeds, so that nothing overtakes what failed', async () => {
  const folder = newFolder();
  const { batch, heard, kinds } = await writerOf(folder);
  renameSync(join(folder, 'audit.db'), join(folder, 'elsewhere'));
  batch('first');
  await until(() => kinds().includes('failed'));
  renameSync(join(folder, 'elsewhere'), join(folder, 'audit.db'));
  batch('second');
  await until(() => kinds().filter((kind) => kind === 'failed').length === 2);
  batch('first', true);
  await until(() => kinds().includes('committed'));
  batch('second');
  await until(() => kinds().filter((kind) => kind === 'committed').length === 2);
  const seqs = heard.flatMap((message) => (message.kind === 'committed' ? [message.firstSeq] : []));
  expect(seqs).toEqual([3, 4]);
  expect(rows(folder, 'SELECT kind FROM entries WHERE seq > 2 ORDER BY seq')).toEqual([
    { kind: 'first' },
    { kind: 'second' },
  ]);
});

test('while nothing can be written the writer asks for another try about every 250 ms, and stops asking when it works', async () => {
  const folder = newFolder();
  const { batch, kinds, heard } = await writerOf(folder);
  renameSync(join(folder, 'audit.db'), join(folder, 'elsewhere'));
  const start = performance.now();
  batch('first');
  await until(() => kinds().filter((kind) => kind === 'try_again').length === 3);
  expect(performance.now() - start).toBeGreaterThan(700);
  renameSync(join(folder, 'elsewhere'), join(folder, 'audit.db'));
  batch('first', true);
  await until(() => kinds().includes('committed'));
  heard.length = 0;
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(kinds()).toEqual([]);
});

test('batches that wait while the writer is busy become one commit', async () => {
  const folder = newFolder();
  const { batch, heard } = await writerOf(folder);
  for (let n = 0; n < 200; n += 1) batch(`e${n}`);
  await until(
    () => heard.reduce((sum, message) => sum + (message.kind === 'committed' ? message.count : 0), 0) === 200,
  );
  expect(heard.length).toBeLessThan(20);
  expect(
    rows<{ kind: string }>(folder, 'SELECT kind FROM entries WHERE seq > 2 ORDER BY seq').map((row) => row.kind),
  ).toEqual(Array.from({ length: 200 }, (_, n) => `e${n}`));
});

test('two writers on one file do not fork the chain', async () => {
  const folder = newFolder();
  const one = await writerOf(folder);
  const two = await writerOf(folder, true);
  for (let n = 0; n < 50; n += 1) {
    one.batch('one');
    two.batch('two');
  }
  const committed = (heard: readonly FromWriter[]) =>
    heard.reduce((sum, message) => sum + (message.kind === 'committed' ? message.count : 0), 0);
  await until(() => committed(one.heard) === 50 && committed(two.heard) === 50);
  const [fork] = rows<{ n: number }>(
    folder,
    'SELECT count(*) n FROM entries e WHERE seq > 1 AND prev <> (SELECT hash FROM entries p WHERE p.seq = e.seq - 1)',
  );
  expect(fork?.n).toBe(0);
  expect(rows<{ n: number }>(folder, "SELECT count(*) n FROM entries WHERE kind IN ('one', 'two')")[0]?.n).toBe(100);
});
