import Database from 'better-sqlite3';
import { beforeEach, describe, expect, test } from 'vitest';
import type { NewKey } from '../../../electron/core/clients/clients.ts';
import { type Clients, clientsSchema, createClients } from '../../../electron/core/clients/clients.ts';
import { keysSchema, keysSignedInSchema } from '../../../electron/core/clients/keys.ts';
import { pinsSchema } from '../../../electron/core/clients/pins.ts';
import { workspacesSchema } from '../../../electron/core/clients/workspaces.ts';
import { type FakeClock, fakeClock } from '../../support/fake-clock.ts';

const DAY = 86_400_000;
let db: Database.Database;
let clock: FakeClock;
let clients: Clients;
let ended: string[];
let changes: number;

beforeEach(() => {
  db = new Database(':memory:');
  for (const schema of [workspacesSchema, clientsSchema, keysSchema, keysSignedInSchema, pinsSchema]) db.exec(schema);
  clock = fakeClock();
  restart();
});

/** The same database in a new process: nobody else's timers. */
function restart(): void {
  clock = fakeClock(clock.now());
  clients = createClients({ db, clock });
  ended = [];
  changes = 0;
  clients.onKeyEnded((keyId) => ended.push(keyId));
  clients.onChange(() => {
    changes += 1;
  });
}

function wanted(name: string, more: Partial<NewKey> = {}): NewKey {
  const workspaceId = clients.defaultWorkspace().id;
  return { workspaceId, role: 'executor', name, expiresAt: null, upstreams: null, scopeTags: [], ...more };
}

function newKey(name: string, more: Partial<NewKey> = {}) {
  const made = clients.createKey(wanted(name, more));
  if (made.kind === 'refused') throw new Error(made.message);
  return made.value;
}

const opens = (secret: string) => clients.authenticate(`Bearer ${secret}`, null).kind === 'accepted';

describe('making a key', () => {
  test('makes a client of that name with what was asked for, and it is all there after a restart', () => {
    const made = newKey('my-agent', { role: 'reader', upstreams: ['github', 'later'], scopeTags: ['x', 'y'] });
    expect(made.client).toEqual({
      id: made.client.id,
      workspaceId: clients.defaultWorkspace().id,
      name: 'my-agent',
      callsItself: null,
      tags: [],
      upstreams: ['github', 'later'],
      scopeTags: ['x', 'y'],
      holdMs: 50_000,
      createdAt: clock.now(),
    });
    expect(made.key).toEqual({
      id: made.key.id,
      clientId: made.client.id,
      role: 'reader',
      prefix: made.secret.slice(0, 11),
      createdAt: clock.now(),
      expiresAt: null,
      revokedAt: null,
      lastUsedAt: null,
      signedIn: false,
    });
    restart();
    expect(clients.list()).toEqual([{ ...made.client, workspace: 'Personal', keys: [made.key] }]);
    expect(clients.get(made.client.id)).toEqual(made.client);
    expect(opens(made.secret)).toBe(true);
  });

  test('a label names one client of a workspace, in any case', () => {
    newKey('my-agent');
    for (const name of ['my-agent', 'My-Agent', '  my-agent ']) {
      expect(clients.createKey(wanted(name))).toEqual({
        kind: 'refused',
        message: expect.stringMatching(
          /^Workspace “Personal” already has a client “my-agent”\. Rotate its key, or choose another name\.$/i,
        ),
      });
    }
    const work = clients.createWorkspace('Work');
    if (work.kind === 'refused') throw new Error(work.message);
    expect(newKey('my-agent', { workspaceId: work.value.id }).client.workspaceId).toBe(work.value.id);
    expect(clients.list(work.value.id).map((view) => view.workspace)).toEqual(['Work']);
    expect(clients.list()).toHaveLength(2);
  });

  test('a label is free again when its last key has ended, for a new client and not for the old one', () => {
    const first = newKey('my-agent');
    clients.revokeKey(first.key.id);
    const second = newKey('my-agent');
    expect(second.client.id).not.toBe(first.client.id);
    expect([opens(first.secret), opens(second.secret)]).toEqual([false, true]);
  });

  test.for([
    ['', 'empty'],
    ['   ', 'blank'],
    ['x'.repeat(81), 'too long'],
    ['two\nlines', 'a line break'],
    ['abc\u202etxt', 'a bidi control'],
    ['abc\u200b', 'an invisible character'],
  ] as const)('a label is refused: %j (%s)', ([name]) => {
    expect(clients.createKey(wanted(name))).toEqual({
      kind: 'refused',
      message: 'A name has 1 to 80 characters and no line breaks or invisible characters.',
    });
    expect(clients.list()).toEqual([]);
  });

  test('a date that has passed and a workspace that does not exist are refused', () => {
    expect(clients.createKey(wanted('a', { expiresAt: clock.now() }))).toEqual({
      kind: 'refused',
      message: 'The key would already have expired. Give a date in the future.',
    });
    expect(clients.createKey(wanted('a', { workspaceId: 'nowhere' }))).toEqual({
      kind: 'refused',
      message: 'There is no workspace “nowhere”. `gatehouse workspaces list` shows them.',
    });
    expect(clients.list()).toEqual([]);
  });
});

describe('ending a key', () => {
  test.for(['id', 'prefix', 'secret'] as const)(
    'A18: revoked by its %s, it ends at once and listeners are told',
    (by) => {
      const made = newKey('my-agent');
      const other = newKey('other');
      const name = { id: made.key.id, prefix: made.key.prefix, secret: made.secret }[by];
      expect(clients.revokeKey(name)).toEqual({ kind: 'done', value: { ...made.key, revokedAt: clock.now() } });
      expect(ended).toEqual([made.key.id]);
      expect([clients.keyIsLive(made.key.id), opens(made.secret), opens(other.secret)]).toEqual([false, false, true]);
      expect(clients.revokeKey(name)).toEqual({
        kind: 'refused',
        message: `Key ${made.key.prefix} was already revoked.`,
      });
      expect(clients.rotateKey(name)).toMatchObject({ kind: 'refused' });
      expect(ended).toEqual([made.key.id]);
    },
  );

  test('a key that does not exist is named, and never with its secret half', () => {
    const stranger = `gh_aaaaaaaa_${'A'.repeat(43)}`;
    const message = 'There is no key “gh_aaaaaaaa”. `gatehouse keys list` shows them.';
    expect(clients.revokeKey(stranger)).toEqual({ kind: 'refused', message });
    expect(clients.rotateKey(stranger)).toEqual({ kind: 'refused', message });
  });

  test('rotated, the old key ends at once and the new one has its client, role and date', async () => {
    const old = newKey('my-agent', { role: 'reader', expiresAt: clock.now() + DAY });
    clock.set(clock.now() + 1_000);
    const rotated = clients.rotateKey(old.key.prefix);
    if (rotated.kind === 'refused') throw new Error(rotated.message);
    const { secret, key } = rotated.value;
    expect(key).toMatchObject({
      clientId: old.client.id,
      role: 'reader',
      expiresAt: old.key.expiresAt,
      revokedAt: null,
    });
    expect(key.id).not.toBe(old.key.id);
    expect([opens(old.secret), opens(secret)]).toEqual([false, true]);
    expect(ended).toEqual([old.key.id]);
    expect(clients.list()[0]?.keys.map((it) => it.revokedAt)).toEqual([clock.now(), null]);
    await clock.advance(DAY);
    expect(ended).toEqual([old.key.id, key.id]);
  });

  test('listeners hear of an expiry when it comes, also weeks ahead and after a restart', async () => {
    const month = newKey('month', { expiresAt: clock.now() + 30 * DAY });
    const day = newKey('day', { expiresAt: clock.now() + DAY });
    const revoked = newKey('revoked', { expiresAt: clock.now() + DAY });
    clients.revokeKey(revoked.key.id);
    newKey('for ever');
    restart();
    await clock.advance(DAY - 1);
    expect(ended).toEqual([]);
    await clock.advance(1);
    expect(ended).toEqual([day.key.id]);
    clock.set(clock.now() + 29 * DAY - 60_000);
    await clock.advance(60_000);
    expect(ended).toEqual([day.key.id, month.key.id]);
    expect(clients.rotateKey(day.key.id)).toEqual({
      kind: 'refused',
      message: `Key ${day.key.prefix} has expired. Create a new key.`,
    });
  });

  test('after the machine slept through the date, listeners hear of it within a minute', async () => {
    const { key } = newKey('my-agent', { expiresAt: clock.now() + DAY });
    clock.set(clock.now() + 2 * DAY);
    await clock.advance(60_000);
    expect(ended).toEqual([key.id]);
    expect(clock.pending()).toBe(0);
  });

  test('a key that was revoked before its date is not told of twice', async () => {
    const { key } = newKey('my-agent', { expiresAt: clock.now() + 1_000 });
    clients.revokeKey(key.id);
    await clock.advance(DAY);
    expect(ended).toEqual([key.id]);
    expect(clock.pending()).toBe(0);
  });

  test('who stopped listening hears nothing', () => {
    const heard: string[] = [];
    const stop = clients.onKeyEnded((keyId) => heard.push(keyId));
    stop();
    clients.revokeKey(newKey('my-agent').key.id);
    expect(heard).toEqual([]);
  });
});

describe('changing a client', () => {
  test('members that are given change and the others stay', () => {
    const { client } = newKey('my-agent', { upstreams: ['a'], scopeTags: ['x'] });
    const change = { name: 'renamed', tags: ['t'], upstreams: null, holdMs: 0, callsItself: undefined };
    expect(clients.set(client.id, change)).toMatchObject({ kind: 'done', value: { workspace: 'Personal' } });
    const now = { ...client, name: 'renamed', tags: ['t'], upstreams: null, holdMs: 0 };
    expect(clients.get(client.id)).toEqual(now);
    restart();
    expect(clients.get(client.id)).toEqual(now);
  });

  test('what a program calls itself is kept as text, cut to 200 characters, and written only when it is news', () => {
    const { client } = newKey('my-agent');
    const before = changes;
    clients.set(client.id, { callsItself: `<b>${'x'.repeat(1_000)}` });
    expect(clients.get(client.id)?.callsItself).toBe(`<b>${'x'.repeat(197)}`);
    clients.set(client.id, { callsItself: `<b>${'x'.repeat(1_000)}` });
    expect(changes - before).toBe(1);
  });

  test('that says its name on a full disk is served under it; the name is kept when there is room', () => {
    const made = clients.createKey(wanted('my-agent'));
    if (made.kind !== 'done') throw new Error(made.message);
    const { client } = made.value;
    db.pragma('query_only = ON');
    expect(clients.introduced(client, 'claude')).toEqual({ ...client, callsItself: 'claude' });
    db.pragma('query_only = OFF');
    expect(clients.get(client.id)?.callsItself).toBeNull();
    clients.introduced(client, 'claude');
    expect(clients.get(client.id)?.callsItself).toBe('claude');
  });

  test('a taken label, a hold that is too long and an unknown client are refused, and nothing changes', () => {
    newKey('other');
    const { client } = newKey('my-agent');
    expect(clients.set(client.id, { name: 'OTHER' })).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('already has a client “OTHER”'),
    });
    expect(clients.set(client.id, { name: 'My-Agent' }).kind).toBe('done');
    for (const holdMs of [-1, 600_001, 1.5, Number.NaN]) {
      expect(clients.set(client.id, { holdMs })).toEqual({
        kind: 'refused',
        message: 'A held call waits between 0 and 600 seconds.',
      });
    }
    expect(clients.set('nobody', { holdMs: 1 })).toMatchObject({ kind: 'refused' });
    expect(clients.get(client.id)).toEqual({ ...client, name: 'My-Agent' });
  });

  test('pins keep their order, without doubles, apart per client', () => {
    const [a, b] = [newKey('a').client, newKey('b').client];
    clients.setPins(a.id, ['z__one', 'a__two', 'z__one']);
    clients.setPins(b.id, ['c__three']);
    expect([clients.pins(a.id), clients.pins(b.id)]).toEqual([['z__one', 'a__two'], ['c__three']]);
    clients.setPins(a.id, ['a__two']);
    restart();
    expect([clients.pins(a.id), clients.pins(b.id)]).toEqual([['a__two'], ['c__three']]);
  });

  test('every change is told', () => {
    const before = changes;
    const { key, client } = newKey('my-agent');
    clients.setPins(client.id, ['a__b']);
    clients.rotateKey(key.id);
    clients.createWorkspace('Work');
    clients.createKey(wanted('my-agent'));
    expect(changes - before).toBe(4);
  });
});
