import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Clients, clientsSchema, createClients } from '../../../electron/core/clients/clients.ts';
import { keysSchema, keysSignedInSchema } from '../../../electron/core/clients/keys.ts';
import { pinsSchema } from '../../../electron/core/clients/pins.ts';
import { workspacesSchema } from '../../../electron/core/clients/workspaces.ts';
import { filesUnder, sweep } from '../../support/canary.ts';
import { type FakeClock, fakeClock } from '../../support/fake-clock.ts';

let folder: string;
let db: Database.Database;
let clock: FakeClock;
let clients: Clients;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-clients-'));
  db = new Database(join(folder, 'state.db'));
  db.pragma('journal_mode = WAL');
  for (const schema of [workspacesSchema, clientsSchema, keysSchema, keysSignedInSchema, pinsSchema]) db.exec(schema);
  clock = fakeClock();
  clients = createClients({ db, clock });
});

afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

function newKey(name: string, expiresAt: number | null = null) {
  const workspaceId = clients.defaultWorkspace().id;
  const made = clients.createKey({ workspaceId, role: 'executor', name, expiresAt, upstreams: null, scopeTags: [] });
  if (made.kind === 'refused') throw new Error(made.message);
  return made.value;
}

describe('who is let in', () => {
  test('a live key is accepted as its client, role and workspace', () => {
    const { secret, key, client } = newKey('my-agent');
    expect(clients.authenticate(`Bearer ${secret}`, null)).toEqual({
      kind: 'accepted',
      client,
      key,
      workspace: clients.defaultWorkspace(),
    });
    expect(clients.authenticate(`Bearer ${secret}`, 'personal')).toMatchObject({ kind: 'accepted' });
  });

  test('A14: every wrong header is refused with its reason, and none makes it throw', () => {
    const { secret, key } = newKey('my-agent');
    const stranger = `gh_aaaaaaaa_${'A'.repeat(43)}`;
    const turned = `${secret.slice(0, -1)}${secret.endsWith('A') ? 'B' : 'A'}`;
    const cases: readonly (readonly [string | undefined, string, string | null])[] = [
      [undefined, 'missing', null],
      ['', 'malformed', null],
      ['Bearer x', 'wrong', null],
      [`Bearer ${secret.slice(0, -1)}`, 'wrong', key.prefix],
      [`Bearer ${secret}x`, 'wrong', key.prefix],
      [`Bearer ${turned}`, 'wrong', key.prefix],
      [`Bearer ${stranger}`, 'wrong', null],
      [`Bearer ${'x'.repeat(10_000)}`, 'malformed', null],
      ['Bearer é', 'malformed', null],
      [`Bearer ${secret.slice(0, -1)}é`, 'malformed', null],
      ['Basic x', 'malformed', null],
      [`Basic ${Buffer.from(`u:${secret}`).toString('base64')}`, 'malformed', null],
      [`Bearer  ${secret}`, 'malformed', null],
      [`Bearer ${secret}, Bearer ${secret}`, 'malformed', null],
      [secret, 'malformed', null],
    ];
    for (const [header, why, keyPrefix] of cases) {
      expect(clients.authenticate(header, null), header).toEqual({ kind: 'refused', why, keyPrefix });
    }
    expect(clients.authenticate(`Bearer ${secret}`, null).kind).toBe('accepted');
  });

  test('one key does not open the door of another', () => {
    const [a, b] = [newKey('a'), newKey('b')];
    const mixed = `${a.key.prefix}_${b.secret.slice(12)}`;
    expect(clients.authenticate(`Bearer ${mixed}`, null)).toEqual({
      kind: 'refused',
      why: 'wrong',
      keyPrefix: a.key.prefix,
    });
  });

  test('a revoked key is told apart from a wrong one, for the audit', () => {
    const { secret, key } = newKey('my-agent');
    clients.revokeKey(key.id);
    expect(clients.authenticate(`Bearer ${secret}`, null)).toEqual({
      kind: 'refused',
      why: 'revoked',
      keyPrefix: key.prefix,
    });
    expect(clients.authenticate(`Bearer ${secret.slice(0, -1)}!`, null)).toMatchObject({ why: 'malformed' });
    expect(clients.authenticate(`Bearer ${key.prefix}_${'A'.repeat(43)}`, null)).toMatchObject({ why: 'wrong' });
  });

  test('a key ends at the very millisecond it says', () => {
    const { secret, key } = newKey('my-agent', clock.now() + 1_000);
    clock.set(clock.now() + 999);
    expect(clients.authenticate(`Bearer ${secret}`, null).kind).toBe('accepted');
    clock.set(clock.now() + 1);
    expect(clients.authenticate(`Bearer ${secret}`, null)).toEqual({
      kind: 'refused',
      why: 'expired',
      keyPrefix: key.prefix,
    });
    expect(clients.keyIsLive(key.id)).toBe(false);
  });

  test('at another workspace, or one that does not exist, the key is refused alike', () => {
    clients.createWorkspace('Work');
    const { secret, key } = newKey('my-agent');
    for (const slug of ['work', 'nowhere', '', 'PERSONAL']) {
      expect(clients.authenticate(`Bearer ${secret}`, slug), slug).toEqual({
        kind: 'refused',
        why: 'other_workspace',
        keyPrefix: key.prefix,
      });
    }
  });

  test('A17: no form of a key stands in the data folder', () => {
    const made = [newKey('a'), newKey('b')];
    for (const { secret } of made) clients.authenticate(`Bearer ${secret}`, null);
    expect(filesUnder(folder).length).toBeGreaterThanOrEqual(2);
    for (const { secret } of made) {
      expect(sweep(folder, secret)).toEqual([]);
      expect(sweep(folder, secret.slice(12))).toEqual([]);
      expect(sweep(folder, Buffer.from(secret.slice(12), 'base64url').toString('latin1'))).toEqual([]);
    }
    const rows = db.prepare('SELECT salt, hash FROM keys').all() as { salt: Buffer; hash: Buffer }[];
    expect(rows[0]?.salt.equals(rows[1]?.salt ?? Buffer.alloc(0))).toBe(false);
    expect(JSON.stringify(clients.list())).not.toContain(made[0]?.secret.slice(12));
  });
});

describe('the date of the last use', () => {
  const lastUse = (keyId: string) => db.prepare('SELECT last_used_at FROM keys WHERE id = ?').pluck().get(keyId);

  test('is written at most once a minute', () => {
    const { secret, key } = newKey('my-agent');
    const start = clock.now();
    const use = () => clients.authenticate(`Bearer ${secret}`, null);
    expect(lastUse(key.id)).toBeNull();
    use();
    expect(lastUse(key.id)).toBe(start);
    clock.set(start + 59_999);
    use();
    expect(lastUse(key.id)).toBe(start);
    clock.set(start + 60_000);
    use();
    expect(lastUse(key.id)).toBe(start + 60_000);
  });

  test('is not touched by a refused key', () => {
    const { secret, key } = newKey('my-agent');
    clients.authenticate(`Bearer ${secret}`, 'other');
    clients.authenticate(`Bearer ${secret}x`, null);
    expect(lastUse(key.id)).toBeNull();
  });

  test('does not turn a valid key away when the database cannot be written', () => {
    const { secret, key } = newKey('my-agent');
    db.pragma('query_only = ON');
    expect(clients.authenticate(`Bearer ${secret}`, null).kind).toBe('accepted');
    db.pragma('query_only = OFF');
    expect(lastUse(key.id)).toBeNull();
    clock.set(clock.now() + 60_000);
    clients.authenticate(`Bearer ${secret}`, null);
    expect(lastUse(key.id)).toBe(clock.now());
  });
});
