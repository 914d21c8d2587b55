import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createVault, secretsSchema, type Vault } from '../../../electron/core/secrets/vault.ts';
import { filesUnder, newCanary, sweep } from '../../support/canary.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { createMemoryKeychain, type MemoryKeychain } from '../../support/memory-keychain.ts';

let folder: string;
let db: Database.Database;
let keychain: MemoryKeychain;
const clock = fakeClock();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-vault-'));
  db = new Database(join(folder, 'state.db'));
  db.pragma('journal_mode = WAL');
  db.exec(secretsSchema);
  keychain = createMemoryKeychain();
});

afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A vault as after a restart. */
const openVault = (masterKeyFile: string | null = null): Vault => createVault({ db, keychain, clock, masterKeyFile });
const rows = () => db.prepare('SELECT place, nonce, sealed FROM secrets ORDER BY place').all() as Row[];
interface Row {
  readonly place: string;
  readonly nonce: Buffer;
  readonly sealed: Buffer;
}

describe('storing', () => {
  test('what is put is got, also after a restart, and what was never put is missing', async () => {
    const vault = openVault();
    expect(await vault.put('upstream/1/env/TOKEN', 'Geheimnis ✓')).toEqual({ kind: 'written' });
    expect(await vault.put('upstream/1/env/EMPTY', '')).toEqual({ kind: 'written' });
    const again = openVault();
    expect(await again.get('upstream/1/env/TOKEN')).toEqual({ kind: 'found', value: 'Geheimnis ✓' });
    expect(await again.get('upstream/1/env/EMPTY')).toEqual({ kind: 'found', value: '' });
    expect(await again.get('upstream/1/env/OTHER')).toEqual({ kind: 'missing' });
    expect([again.has('upstream/1/env/TOKEN'), again.has('upstream/1/env/OTHER')]).toEqual([true, false]);
  });

  test('putting again replaces the value under a new nonce', async () => {
    const vault = openVault();
    await vault.put('a', 'same');
    const [first] = rows();
    await vault.put('a', 'same');
    const [second] = rows();
    expect(second?.nonce.equals(first?.nonce ?? Buffer.alloc(0))).toBe(false);
    expect(second?.sealed.equals(first?.sealed ?? Buffer.alloc(0))).toBe(false);
    await vault.put('a', 'new');
    expect(await vault.get('a')).toEqual({ kind: 'found', value: 'new' });
    expect(rows()).toHaveLength(1);
  });

  test('removing takes whole path segments and nothing beside them', async () => {
    const vault = openVault();
    for (const place of ['up/1', 'up/1/env/A', 'up/1/env/B', 'up/10/env/A', 'up/%/env/A', 'other']) {
      await vault.put(place, 'x');
    }
    vault.remove('up/1/env/B');
    expect(vault.has('up/1/env/B')).toBe(false);
    vault.removeAll('up/1');
    expect(rows().map((row) => row.place)).toEqual(['other', 'up/%/env/A', 'up/10/env/A']);
    vault.removeAll('up/%/');
    expect(rows().map((row) => row.place)).toEqual(['other', 'up/10/env/A']);
    vault.removeAll('');
    expect(rows()).toEqual([]);
  });

  test('a keychain that answers after the database was closed does no harm', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow = { ...keychain, read: (item: string) => promise.then(() => keychain.read(item)) };
    const opened = createVault({ db, keychain: slow, clock, masterKeyFile: null }).state();
    db.close();
    resolve();
    expect(await opened).toEqual({ kind: 'locked', reason: 'Gatehouse is closing.' });
    expect(keychain.items.size).toBe(0);
  });

  test('a sealed value that is copied to another place, or changed in one byte, does not open', async () => {
    const vault = openVault();
    await vault.put('mine', 'secret');
    await vault.put('yours', 'other');
    db.exec(
      "UPDATE secrets SET (nonce, sealed) = (SELECT nonce, sealed FROM secrets WHERE place = 'mine') WHERE place = 'yours'",
    );
    const damaged = { kind: 'unavailable', reason: 'The stored secret is damaged and cannot be read. Enter it again.' };
    expect(await vault.get('yours')).toEqual(damaged);
    expect(await vault.get('mine')).toEqual({ kind: 'found', value: 'secret' });
    const sealed = rows()[0]?.sealed ?? Buffer.alloc(0);
    for (let at = 0; at < sealed.length; at += 1) {
      const bent = Buffer.from(sealed);
      bent.writeUInt8((bent[at] ?? 0) ^ 1, at);
      db.prepare("UPDATE secrets SET sealed = ? WHERE place = 'mine'").run(bent);
      expect(await vault.get('mine'), `byte ${at}`).toEqual(damaged);
    }
  });

  test('N1: no form of a secret, nor of the master key, stands in the data folder', async () => {
    const canaries = [newCanary('env'), newCanary('header')];
    const vault = openVault();
    await vault.put('upstream/1/env/TOKEN', canaries[0] ?? '');
    await vault.put('upstream/1/header/Authorization', `Bearer ${canaries[1]}`);
    const masterKey = Buffer.from(keychain.items.get('master-key') ?? '', 'base64');
    expect(masterKey).toHaveLength(32);
    expect(filesUnder(folder).map((file) => file.slice(folder.length + 1))).toEqual(
      expect.arrayContaining(['state.db', 'state.db-wal', 'state.db-shm']),
    );
    for (const canary of canaries) expect(sweep(folder, canary)).toEqual([]);
    for (const file of filesUnder(folder)) {
      const bytes = readFileSync(file);
      for (const form of [masterKey, masterKey.toString('base64'), masterKey.toString('hex')]) {
        expect(bytes.includes(form), file).toBe(false);
      }
    }
  });

  test('the sweep itself finds every form of a canary', () => {
    const canary = newCanary('found');
    const raw = Buffer.from(canary);
    const forms: Record<string, Buffer> = {
      raw,
      hex: Buffer.from(raw.toString('hex').toUpperCase()),
      url: Buffer.from(encodeURIComponent(canary)),
      json: Buffer.from(JSON.stringify({ canary })),
      utf16: Buffer.from(canary, 'utf16le'),
      base64: Buffer.from(Buffer.from(`a${canary}b`).toString('base64')),
      base64url: Buffer.from(Buffer.from(`ab${canary}c`).toString('base64url')),
    };
    for (const [form, bytes] of Object.entries(forms)) {
      writeFileSync(join(folder, 'planted'), bytes);
      expect(sweep(folder, canary), form).toContainEqual({ file: join(folder, 'planted'), form });
    }
  });
});

describe('the master key', () => {
  test('one key is made once, however many ask at the same time', async () => {
    const vault = openVault();
    await Promise.all(['a', 'b', 'c', 'd'].map((place) => vault.put(place, place)));
    expect(keychain.asked.filter((question) => question === 'write master-key')).toHaveLength(1);
    expect(await openVault().get('d')).toEqual({ kind: 'found', value: 'd' });
  });

  test('a second data folder takes the key that is there', async () => {
    await openVault().put('a', 'one');
    const key = keychain.items.get('master-key');
    const other = new Database(':memory:');
    other.exec(secretsSchema);
    await createVault({ db: other, keychain, clock, masterKeyFile: null }).put('a', 'two');
    expect(keychain.items.get('master-key')).toBe(key);
    expect(await openVault().get('a')).toEqual({ kind: 'found', value: 'one' });
  });

  test('a keyring that hides its items while locked does not get its key overwritten', async () => {
    await openVault().put('a', 'one');
    const key = keychain.items.get('master-key');
    keychain.mood = 'hiding';
    const other = new Database(':memory:');
    other.exec(secretsSchema);
    const vault = createVault({ db: other, keychain, clock, masterKeyFile: null });
    expect(await vault.put('a', 'two')).toEqual({ kind: 'written' });
    expect(keychain.items.get('master-key')).toBe(key);
    expect(await openVault().get('a')).toEqual({ kind: 'found', value: 'one' });
  });

  test('while secrets are stored, a key that is gone is lost and never replaced', async () => {
    await openVault().put('a', 'one');
    const key = keychain.items.get('master-key') ?? '';
    keychain.items.delete('master-key');
    const vault = openVault();
    const reason =
      'The key that opens the stored secrets is no longer in the keychain. Put it back from a backup, or begin with a new one and enter them again: gatehouse secrets begin-anew';
    expect(await vault.state()).toEqual({ kind: 'lost', reason });
    expect(await vault.get('a')).toEqual({ kind: 'unavailable', reason });
    expect(await vault.put('b', 'two')).toEqual({ kind: 'unavailable', reason });
    expect(keychain.items.has('master-key')).toBe(false);
    keychain.items.set('master-key', key);
    expect(await vault.get('a')).toEqual({ kind: 'found', value: 'one' });
  });

  test('another key in the place of the old one is noticed before anything is sealed with it', async () => {
    await openVault().put('a', 'one');
    keychain.items.set('master-key', Buffer.alloc(32, 7).toString('base64'));
    const vault = openVault();
    expect((await vault.state()).kind).toBe('lost');
    expect((await vault.put('b', 'two')).kind).toBe('unavailable');
    expect(rows().map((row) => row.place)).toEqual(['a']);
  });

  test('once no secret is stored any more, a new key may take the place of a lost one', async () => {
    const vault = openVault();
    await vault.put('a', 'one');
    keychain.items.delete('master-key');
    const again = openVault();
    expect((await again.state()).kind).toBe('lost');
    again.removeAll('');
    expect(await again.put('a', 'two')).toEqual({ kind: 'written' });
    expect(await openVault().get('a')).toEqual({ kind: 'found', value: 'two' });
  });

  test('a lost key is replaced when the person says so, and what it sealed is named and forgotten', async () => {
    const vault = openVault();
    await vault.put('upstream/1/env/TOKEN', 'one');
    await vault.put('connection/1/grant', 'two');
    expect(await vault.beginAnew(), 'while nothing is lost').toEqual({ kind: 'ready', by: 'keychain' });
    expect(await openVault().get('connection/1/grant')).toEqual({ kind: 'found', value: 'two' });
    for (const instead of [null, 'hunter2', Buffer.alloc(32, 7).toString('base64')]) {
      if (instead === null) keychain.items.delete('master-key');
      else keychain.items.set('master-key', instead);
      const lost = openVault();
      expect((await lost.state()).kind).toBe('lost');
      keychain.mood = 'locked';
      expect((await lost.beginAnew()).kind, 'nothing is forgotten before another key can follow').not.toBe('ready');
      keychain.mood = 'open';
      await clock.advance(5_000);
      expect(lost.places()).toContain('connection/1/grant');
      expect(await lost.beginAnew()).toEqual({ kind: 'ready', by: 'keychain' });
      expect([lost.places(), await lost.get('connection/1/grant')]).toEqual([[], { kind: 'missing' }]);
      expect(await lost.put('connection/1/grant', 'new')).toEqual({ kind: 'written' });
      expect(await openVault().get('connection/1/grant')).toEqual({ kind: 'found', value: 'new' });
    }
  });

  test('an entry that is no key of ours is left alone', async () => {
    keychain.items.set('master-key', 'hunter2');
    expect(await openVault().state()).toMatchObject({ kind: 'lost', reason: expect.stringContaining('“master-key”') });
    expect(keychain.items.get('master-key')).toBe('hunter2');
  });

  test('a locked keychain is asked again after five seconds and not before, so the desktop does not ask in a row', async () => {
    keychain.mood = 'locked';
    const vault = openVault();
    const locked = { kind: 'locked', reason: 'The stand-in keychain is locked.' };
    expect(await vault.state()).toEqual(locked);
    for (let i = 0; i < 20; i += 1) await vault.put('a', 'one');
    expect(keychain.asked).toEqual(['read master-key']);
    keychain.mood = 'open';
    await clock.advance(5_000);
    expect(await vault.state()).toEqual({ kind: 'ready', by: 'keychain' });
  });

  test('a vault that was opened stays open when the keychain locks', async () => {
    const vault = openVault();
    await vault.put('a', 'one');
    keychain.mood = 'locked';
    expect(await vault.get('a')).toEqual({ kind: 'found', value: 'one' });
    expect(await vault.state()).toEqual({ kind: 'ready', by: 'keychain' });
  });
});

describe('GATEHOUSE_MASTER_KEY_FILE', () => {
  const file = () => join(folder, 'master.key');

  test.for(['000', '022', '277'])(
    'L17, L19: a file that does not exist is made for its owner alone, under umask %s',
    async (mask) => {
      keychain.mood = 'absent';
      const umask = process.umask(Number.parseInt(mask, 8));
      try {
        expect(await openVault(file()).put('a', 'one')).toEqual({ kind: 'written' });
      } finally {
        process.umask(umask);
      }
      expect(statSync(file()).mode & 0o777).toBe(0o600);
      expect(Buffer.from(readFileSync(file(), 'utf8').trim(), 'base64')).toHaveLength(32);
      expect(await openVault(file()).get('a')).toEqual({ kind: 'found', value: 'one' });
      expect(keychain.asked).toEqual([]);
    },
  );

  test.for(['640', '604', '620', '660'])('a file with mode %s is refused, and its key is not used', async (mode) => {
    writeFileSync(file(), Buffer.alloc(32, 1).toString('hex'));
    chmodSync(file(), Number.parseInt(mode, 8));
    const reason = `The master key file ${file()} (GATEHOUSE_MASTER_KEY_FILE) can be read by others, so it is not used. Run chmod 600 on it.`;
    const vault = openVault(file());
    expect(await vault.state()).toEqual({ kind: 'absent', reason });
    expect(await vault.put('a', 'one')).toEqual({ kind: 'unavailable', reason });
    chmodSync(file(), 0o600);
    expect(await vault.state()).toEqual({ kind: 'ready', by: 'file' });
  });

  const bytes = Buffer.from(Array.from({ length: 32 }, (_, i) => 255 - i));
  test.for([
    ['hex', bytes.toString('hex')],
    ['base64', `${bytes.toString('base64')}\n`],
    ['base64url', bytes.toString('base64url')],
  ] as const)('the same key in %s opens the same secrets', async ([, text]) => {
    writeFileSync(file(), bytes.toString('hex'), { mode: 0o600 });
    await openVault(file()).put('a', 'one');
    writeFileSync(file(), text);
    expect(await openVault(file()).get('a')).toEqual({ kind: 'found', value: 'one' });
  });

  test.for([
    ['nothing', ''],
    ['a password', 'hunter2'],
    ['31 bytes', bytes.subarray(1).toString('hex')],
    ['33 bytes', Buffer.concat([bytes, bytes.subarray(0, 1)]).toString('base64')],
    ['much', 'x'.repeat(10_000)],
  ] as const)('a file with %s is refused and left as it is', async ([, text]) => {
    writeFileSync(file(), text, { mode: 0o600 });
    expect(await openVault(file()).state()).toEqual({
      kind: 'absent',
      reason: `The master key file ${file()} (GATEHOUSE_MASTER_KEY_FILE) does not hold a key: 32 bytes in base64 or hex. If there is nothing to lose, remove it and a new one is made.`,
    });
    expect(readFileSync(file(), 'utf8')).toBe(text);
  });

  test('a folder, and a file in no folder, are refused with a sentence', async () => {
    expect(await openVault(folder).state()).toMatchObject({
      kind: 'absent',
      reason: expect.stringContaining('not a file'),
    });
    const nowhere = join(folder, 'no', 'master.key');
    expect(await openVault(nowhere).state()).toEqual({
      kind: 'absent',
      reason: `The master key file ${nowhere} (GATEHOUSE_MASTER_KEY_FILE) cannot be made (ENOENT). Make its folder, or name another file.`,
    });
  });

  test('a file that vanished while secrets are stored is lost and not made anew', async () => {
    await openVault(file()).put('a', 'one');
    rmSync(file());
    expect((await openVault(file()).state()).kind).toBe('lost');
    expect(existsSync(file())).toBe(false);
  });

  test('secrets sealed by the keychain say so when a file is named instead, and a new file is not made over them', async () => {
    await openVault().put('a', 'one');
    expect(await openVault(file()).state()).toMatchObject({
      kind: 'lost',
      reason: expect.stringContaining('Unset GATEHOUSE_MASTER_KEY_FILE'),
    });
    expect(existsSync(file())).toBe(false);
  });

  test('secrets sealed by a file say so when the file is not named any more', async () => {
    await openVault(file()).put('a', 'one');
    expect(await openVault().state()).toEqual({
      kind: 'lost',
      reason:
        'The stored secrets were sealed with a key file. Set GATEHOUSE_MASTER_KEY_FILE to it, or begin with a new one and enter them again: gatehouse secrets begin-anew',
    });
    expect(keychain.items.size).toBe(0);
  });
});
