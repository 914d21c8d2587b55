import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { systemClock } from '../../../electron/core/platform.ts';
import { type SealedTable, sealsSchema } from '../../../electron/core/seals/sealed-table.ts';
import { createSeals } from '../../../electron/core/seals/seals.ts';
import { createVault, secretsSchema } from '../../../electron/core/secrets/vault.ts';
import { createMemoryKeychain } from '../../support/memory-keychain.ts';

const PENS: SealedTable = {
  table: 'pens',
  id: '{row}.id',
  members: { colour: '{row}.colour', width: "{row}.more ->> '$.width'" },
  exempt: "{row}.colour = 'none'",
};

/** A file that several runs open one after the other, with the machine's one keychain. */
function machine() {
  const serialized: { image: Buffer | null } = { image: null };
  const keychain = createMemoryKeychain();
  let now = 0;
  return {
    keychain,
    /** Within some seconds a locked keychain is not asked again. */
    pass: (ms: number) => {
      now += ms;
    },
    open() {
      const db = serialized.image === null ? new Database(':memory:') : new Database(serialized.image);
      if (serialized.image === null) {
        db.exec(
          `${secretsSchema}${sealsSchema} CREATE TABLE pens (id TEXT PRIMARY KEY, colour TEXT, more TEXT) STRICT;`,
        );
      }
      const vault = createVault({ db, clock: { ...systemClock, monotonic: () => now }, keychain, masterKeyFile: null });
      const seals = createSeals({ db, clock: systemClock, vault, keychain, folder: '/data', tables: [PENS] });
      return {
        db,
        seals,
        add: (id: string, colour: string) =>
          db.prepare('INSERT INTO pens VALUES (?, ?, ?)').run(id, colour, '{"width":1}'),
        close() {
          serialized.image = db.serialize();
          db.close();
        },
      };
    },
    /** What another program does to the file. */
    tamper(sql: string) {
      const db = new Database(serialized.image ?? undefined);
      db.exec(sql);
      serialized.image = db.serialize();
      db.close();
    },
  };
}

async function oneRedPen() {
  const at = machine();
  const first = at.open();
  expect(await first.seals.check()).toEqual({ kind: 'checked' });
  first.add('p', 'red');
  first.close();
  return at;
}

test('a row that Gatehouse wrote is as it was confirmed at the next start; what is no member may differ', async () => {
  const at = await oneRedPen();
  at.tamper(`UPDATE pens SET more = '{"width":1,"note":"x"}'`);
  const next = at.open();
  await next.seals.check();
  expect(next.seals.difference('pens', 'p')).toBeNull();
});

test.each([
  ['a member changed', "UPDATE pens SET colour = 'blue'", { colour: 'red', width: 1 }, { colour: 'blue', width: 1 }],
  [
    'a member within JSON changed',
    `UPDATE pens SET more = '{"width":9}'`,
    { colour: 'red', width: 1 },
    { colour: 'red', width: 9 },
  ],
  ['the seal taken away', "DELETE FROM seals WHERE place = 'pens/p'", null, { colour: 'red', width: 1 }],
  ['every seal taken away', 'DELETE FROM seals', null, { colour: 'red', width: 1 }],
  [
    'a seal that is no seal',
    "UPDATE seals SET sealed = zeroblob(40) WHERE place = 'pens/p'",
    null,
    { colour: 'red', width: 1 },
  ],
  [
    'a seal of another place',
    "UPDATE seals SET sealed = (SELECT sealed FROM seals WHERE place = 'begun/pens') WHERE place = 'pens/p'",
    null,
    { colour: 'red', width: 1 },
  ],
])('seen by another program: %s', async (_what, sql, confirmed, now) => {
  const at = await oneRedPen();
  at.tamper(sql);
  const next = at.open();
  await next.seals.check();
  expect(next.seals.difference('pens', 'p')).toEqual({ table: 'pens', id: 'p', confirmed, now });
});

test('a row of another program is no row of ours, and a row that opens nothing needs no seal until it is another one', async () => {
  const at = await oneRedPen();
  at.tamper(`INSERT INTO pens VALUES ('q', 'red', '{"width":1}'), ('r', 'none', '{}')`);
  const next = at.open();
  await next.seals.check();
  expect(next.seals.difference('pens', 'q')).toMatchObject({ confirmed: null });
  expect(next.seals.difference('pens', 'r')).toBeNull();
  next.close();
  at.tamper("UPDATE pens SET colour = 'red' WHERE id = 'r'");
  const last = at.open();
  await last.seals.check();
  expect(last.seals.difference('pens', 'r')).toMatchObject({ confirmed: null, now: { colour: 'red' } });
});

test('changing one member of a row that was changed by another program confirms nothing; accepting it does', async () => {
  const at = await oneRedPen();
  at.tamper("UPDATE pens SET colour = 'blue'");
  const next = at.open();
  await next.seals.check();
  next.db.prepare(`UPDATE pens SET more = '{"width":2}'`).run();
  const seen = next.seals.difference('pens', 'p');
  if (seen === null) throw new Error('it is seen');
  expect(next.seals.accept(seen), 'it is another one than was shown').toBe(false);
  next.close();
  const again = at.open();
  await again.seals.check();
  const shown = again.seals.difference('pens', 'p');
  expect(shown).toMatchObject({ confirmed: { colour: 'red', width: 1 }, now: { colour: 'blue', width: 2 } });
  if (shown === null) throw new Error('it is seen');
  expect(again.seals.accept(shown)).toBe(true);
  expect(again.seals.difference('pens', 'p')).toBeNull();
  again.close();
  const last = at.open();
  await last.seals.check();
  expect(last.seals.difference('pens', 'p')).toBeNull();
});

test('rows that are older than seals are sealed once, by the first start that has a keychain', async () => {
  const at = machine();
  at.keychain.mood = 'absent';
  const old = at.open();
  expect(await old.seals.check()).toEqual({ kind: 'unchecked' });
  old.add('p', 'red');
  old.close();
  at.keychain.mood = 'open';
  const first = at.open();
  await first.seals.check();
  expect(first.seals.difference('pens', 'p')).toBeNull();
  first.close();
  at.tamper("UPDATE pens SET colour = 'blue'; DELETE FROM seals");
  const next = at.open();
  await next.seals.check();
  expect(next.seals.difference('pens', 'p')).toMatchObject({ now: { colour: 'blue' } });
});

test('what is written while the keychain is locked is sealed once it is open, and what was changed before is not', async () => {
  const at = await oneRedPen();
  at.tamper(`INSERT INTO pens VALUES ('q', 'red', '{"width":1}')`);
  at.tamper("UPDATE pens SET colour = 'blue' WHERE id = 'p'");
  at.keychain.mood = 'locked';
  const next = at.open();
  expect(await next.seals.check()).toEqual({ kind: 'unavailable', reason: 'The stand-in keychain is locked.' });
  next.add('new', 'red');
  next.db.prepare(`UPDATE pens SET more = '{"width":2}' WHERE id = 'p'`).run();
  at.keychain.mood = 'open';
  at.pass(6_000);
  expect(await next.seals.check()).toEqual({ kind: 'checked' });
  expect(next.seals.difference('pens', 'q')).toMatchObject({ confirmed: null });
  next.close();
  const last = at.open();
  await last.seals.check();
  expect(last.seals.difference('pens', 'new')).toBeNull();
  expect(last.seals.difference('pens', 'p')).toMatchObject({ confirmed: { colour: 'red' }, now: { colour: 'blue' } });
  expect(last.seals.difference('pens', 'q')).toMatchObject({ confirmed: null });
});

test('a key that is another one opens no seal', async () => {
  const at = await oneRedPen();
  at.keychain.items.set('master-key', Buffer.alloc(32, 7).toString('base64'));
  const next = at.open();
  await next.seals.check();
  expect(next.seals.difference('pens', 'p')).toEqual({
    table: 'pens',
    id: 'p',
    confirmed: null,
    now: { colour: 'red', width: 1 },
  });
});
