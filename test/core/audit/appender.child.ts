/** Appends to one log from three threads at once, as if two Gatehouse ran: `node appender.child.ts <folder> <key> <name>`. */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { createAppender } from '../../../electron/core/audit/appender.ts';
import { draftOf } from '../../../electron/core/audit/entry.ts';
import { AUDIT_MIGRATIONS } from '../../../electron/core/audit/schema.ts';
import { openDatabase } from '../../../electron/core/store/database.ts';

const THREADS = 3;
const APPENDS = 50;

if (isMainThread) {
  const [folder, key, name] = process.argv.slice(2);
  const ends = Array.from({ length: THREADS }, (_, thread) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { folder, key, name: `${name}-${thread}` } });
    const end = Promise.withResolvers<void>();
    worker.on('error', end.reject);
    worker.on('exit', () => end.resolve());
    return end.promise;
  });
  await Promise.all(ends);
} else {
  const { folder, key, name } = workerData as Readonly<Record<'folder' | 'key' | 'name', string>>;
  const path = join(folder, 'audit.db');
  const opened = openDatabase({ path, migrations: AUDIT_MIGRATIONS, synchronous: 'FULL', at: 0, check: false });
  if (opened.kind !== 'open') throw new Error(opened.message);
  const privateKey = createPrivateKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).toString('base64');
  const appender = createAppender(opened.db, path, privateKey, publicKey);
  for (let n = 0; n < APPENDS; n += 1)
    appender.append([draftOf({ phase: 'ended', kind: 'tool_call', requestId: `${name}-${n}` }, n)]);
  opened.db.close();
  parentPort?.close();
}
