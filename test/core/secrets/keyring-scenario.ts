/**
 * One scenario against the keyring of the session bus, run by `keyring.test.ts` under `keyring.sh`. Prints what it saw as
 * one line of JSON; the test judges it.
 */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { createKeychain } from '../../../electron/core/secrets/keychain.ts';
import { createVault, secretsSchema } from '../../../electron/core/secrets/vault.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { lockKeyring, unlockKeyring } from '../../support/keyring.ts';

const keychain = createKeychain({ service: 'Gatehouse test' });
const folder = process.env.HOME ?? '';
const clock = fakeClock();

function openDb(name: string): Database.Database {
  const db = new Database(join(folder, name));
  db.pragma('journal_mode = WAL');
  if (db.pragma('user_version', { simple: true }) === 0) db.exec(`${secretsSchema}; PRAGMA user_version = 1`);
  return db;
}

const openVault = (name: string, masterKeyFile: string | null = null) =>
  createVault({ db: openDb(name), keychain, clock, masterKeyFile });

const sealedRows = (name: string) => openDb(name).prepare('SELECT count(*) FROM secrets').pluck().get();

const scenarios: Record<string, () => Promise<unknown>> = {
  async items() {
    return {
      before: await keychain.read('item'),
      written: await keychain.write('item', 'Schlüssel ✓'),
      after: await keychain.read('item'),
      removed: await keychain.remove('item'),
      removedAgain: await keychain.remove('item'),
      gone: await keychain.read('item'),
    };
  },
  async vault() {
    const put = await openVault('state.db').put('upstream/1/env/TOKEN', 'Geheimnis ✓');
    const again = openVault('state.db');
    const item = await keychain.read('master-key');
    return {
      put,
      state: await again.state(),
      got: await again.get('upstream/1/env/TOKEN'),
      keyBytes: item.kind === 'found' ? Buffer.from(item.value, 'base64').length : item,
      probe: await keychain.read('write-check'),
    };
  },
  async locked() {
    await openVault('state.db').put('a', 'one');
    const before = await keychain.read('master-key');
    await lockKeyring();
    const vault = openVault('state.db');
    const fresh = openVault('fresh.db');
    const locked = {
      read: await keychain.read('master-key'),
      write: await keychain.write('master-key', 'other'),
      remove: await keychain.remove('master-key'),
      state: await vault.state(),
      get: await vault.get('a'),
      put: await vault.put('b', 'two'),
      freshState: await fresh.state(),
      freshPut: await fresh.put('a', 'three'),
      rows: [sealedRows('state.db'), sealedRows('fresh.db')],
    };
    await unlockKeyring();
    await clock.advance(10_000);
    const after = await keychain.read('master-key');
    return {
      locked,
      state: await vault.state(),
      get: await vault.get('a'),
      freshPut: await fresh.put('a', 'three'),
      sameKey: before.kind === 'found' && after.kind === 'found' && before.value === after.value,
    };
  },
  async lockedBeforeFirstUse() {
    await lockKeyring();
    const vault = openVault('state.db');
    const locked = { state: await vault.state(), put: await vault.put('a', 'one') };
    await unlockKeyring();
    const between = await keychain.read('master-key');
    await clock.advance(10_000);
    return { locked, between, put: await vault.put('a', 'one'), state: await vault.state(), get: await vault.get('a') };
  },
  async without() {
    const vault = openVault('state.db');
    const byFile = openVault('file.db', join(folder, 'master.key'));
    return {
      read: await keychain.read('item'),
      write: await keychain.write('item', 'x'),
      state: await vault.state(),
      put: await vault.put('a', 'one'),
      rows: sealedRows('state.db'),
      byFile: { put: await byFile.put('a', 'one'), state: await byFile.state(), get: await byFile.get('a') },
    };
  },
};

const scenario = scenarios[process.argv[2] ?? ''];
if (!scenario) throw new Error(`no scenario ${process.argv[2]}`);
console.log(JSON.stringify(await scenario()));
