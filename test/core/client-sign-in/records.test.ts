import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { createAdapter, REUSE_GRACE_MS } from '../../../electron/core/client-sign-in/adapter.ts';
import { createRecords } from '../../../electron/core/client-sign-in/records.ts';
import { MIGRATIONS } from '../../../electron/core/schema.ts';
import { createVault } from '../../../electron/core/secrets/vault.ts';
import { FAKE_START, fakeClock } from '../../support/fake-clock.ts';
import { createMemoryKeychain } from '../../support/memory-keychain.ts';

async function world() {
  const db = new Database(':memory:');
  for (const { statements } of MIGRATIONS) for (const statement of statements) db.exec(statement);
  const clock = fakeClock();
  const vault = createVault({ db, clock, keychain: createMemoryKeychain(), masterKeyFile: null });
  await vault.state();
  const records = createRecords({ db, clock, vault });
  return { db, clock, records, vault };
}

const TOKEN = 'a-token-that-only-its-program-knows';

test('a record is found by its id, and neither the id nor what is in it stands in the file', async () => {
  const { db, records } = await world();
  records.put('AccessToken', TOKEN, { accountId: 'key-1', aud: '/mcp', secretThing: 'not to be read' }, null);
  expect(records.find('AccessToken', TOKEN)).toEqual({
    kind: 'found',
    payload: { accountId: 'key-1', aud: '/mcp', secretThing: 'not to be read' },
  });
  const file = db.serialize().toString('latin1');
  expect(file).not.toContain(TOKEN);
  expect(file).not.toContain('not to be read');
});

test('what another program moves, swaps, copies or makes up is no record', async () => {
  const { db, records } = await world();
  records.put('AccessToken', TOKEN, { accountId: 'key-1', aud: '/mcp' }, null);
  records.put('AccessToken', 'another', { accountId: 'key-2', aud: '/mcp' }, null);
  records.put('Grant', 'grant', { accountId: 'key-1' }, null);
  const missing = { kind: 'missing' };

  db.exec(
    `UPDATE client_sign_in SET sealed = (SELECT sealed FROM client_sign_in WHERE kind = 'Grant') WHERE kind <> 'Grant'`,
  );
  expect([records.find('AccessToken', TOKEN), records.find('AccessToken', 'another')]).toEqual([missing, missing]);

  records.put('RefreshToken', TOKEN, { accountId: 'key-1' }, null);
  db.exec(`UPDATE client_sign_in SET kind = 'AuthorizationCode' WHERE kind = 'RefreshToken'`);
  expect(records.find('AuthorizationCode', TOKEN)).toEqual(missing);

  db.exec(
    `INSERT INTO client_sign_in (kind, id_sha256, sealed, used_at)
     SELECT 'Client', id_sha256, zeroblob(200), 0 FROM client_sign_in WHERE kind = 'Grant'`,
  );
  expect(records.find('Client', 'grant')).toEqual(missing);
});

test('with the vault closed a record is there and cannot be read', async () => {
  const { db, clock, records } = await world();
  records.put('AccessToken', TOKEN, { accountId: 'key-1' }, null);
  const closed = createRecords({ db, clock, vault: { sealer: () => null } });
  expect(closed.find('AccessToken', TOKEN)).toEqual({ kind: 'locked' });
  expect(closed.find('AccessToken', 'unknown')).toEqual({ kind: 'missing' });
  expect(closed.put('AccessToken', 'new', {}, null)).toBe('locked');
});

test('what has expired goes, and of registrations those not used for longest', async () => {
  const { clock, records } = await world();
  for (const id of ['one', 'two', 'three']) {
    records.put('Client', id, { client_id: id }, null);
    await clock.advance(1000);
  }
  records.used('one');
  records.put('AccessToken', 'old', {}, FAKE_START + 1000);
  records.put('AccessToken', 'new', {}, FAKE_START + 1_000_000);
  records.clean(2);
  expect(['one', 'two', 'three'].filter((id) => records.find('Client', id).kind === 'found')).toEqual(['one', 'three']);
  expect(['old', 'new'].filter((id) => records.find('AccessToken', id).kind === 'found')).toEqual(['new']);
});

test('a registration that is signed in stays, however long ago it was used', async () => {
  const { db, clock, records } = await world();
  records.put('Client', 'signed-in', {}, null);
  db.exec(`
    INSERT INTO workspaces (id, slug, name, created_at) VALUES ('w', 'w', 'w', 0);
    INSERT INTO clients VALUES ('c', 'w', 'c', NULL, '[]', NULL, '[]', 0, 0);
    INSERT INTO keys (id, client_id, role, prefix, salt, hash, created_at, registration)
    SELECT 'k', 'c', 'executor', 'gs_x', zeroblob(16), zeroblob(32), 0, id_sha256 || ' /mcp'
    FROM client_sign_in WHERE kind = 'Client'`);
  for (const id of ['a', 'b', 'c']) {
    await clock.advance(1000);
    records.put('Client', id, {}, null);
  }
  records.clean(2);
  expect(records.find('Client', 'signed-in').kind).toBe('found');
  expect(['a', 'b', 'c'].filter((id) => records.find('Client', id).kind === 'found')).toEqual(['b', 'c']);
});

test('a used refresh token is a used one only after the grace, and for good', async () => {
  const { clock, records } = await world();
  const ended: string[] = [];
  const adapter = createAdapter({ records, clock, grantEnded: (keyId) => ended.push(keyId) });
  const tokens = adapter('RefreshToken');
  const exp = FAKE_START / 1000 + 3600;
  await tokens.upsert(TOKEN, { accountId: 'key-1', grantId: 'grant', exp }, 3600);
  await tokens.consume(TOKEN);
  expect(await tokens.find(TOKEN)).not.toHaveProperty('consumed');
  await clock.advance(REUSE_GRACE_MS - 1000);
  // A second use within the grace does not make it longer.
  await tokens.consume(TOKEN);
  await clock.advance(1000);
  expect(await tokens.find(TOKEN)).toHaveProperty('consumed', FAKE_START / 1000);

  const codes = adapter('AuthorizationCode');
  await codes.upsert('code', { grantId: 'grant', exp }, 60);
  await codes.consume('code');
  expect(await codes.find('code')).toHaveProperty('consumed');

  await adapter('Grant').upsert('grant', { accountId: 'key-1' }, 3600);
  await adapter('Grant').revokeByGrantId('grant');
  expect([await tokens.find(TOKEN), await codes.find('code')]).toEqual([undefined, undefined]);
  expect(ended).toEqual([]);
  await adapter('Grant').destroy('grant');
  expect(ended).toEqual(['key-1']);
});
