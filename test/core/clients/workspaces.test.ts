import Database from 'better-sqlite3';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Clients, clientsSchema, createClients } from '../../../electron/core/clients/clients.ts';
import { keysSchema, keysSignedInSchema } from '../../../electron/core/clients/keys.ts';
import { pinsSchema } from '../../../electron/core/clients/pins.ts';
import { freeSlug, workspacesSchema } from '../../../electron/core/clients/workspaces.ts';
import { type FakeClock, fakeClock } from '../../support/fake-clock.ts';

let db: Database.Database;
let clock: FakeClock;
let clients: Clients;

beforeEach(() => {
  db = new Database(':memory:');
  for (const schema of [workspacesSchema, clientsSchema, keysSchema, keysSignedInSchema, pinsSchema]) db.exec(schema);
  clock = fakeClock();
  clients = createClients({ db, clock });
});

function create(name: string) {
  const made = clients.createWorkspace(name);
  if (made.kind === 'refused') throw new Error(made.message);
  return made.value;
}

test('the first start makes the workspace “Personal”, and only the first', () => {
  const personal = clients.defaultWorkspace();
  expect(personal).toMatchObject({ slug: 'personal', name: 'Personal', createdAt: clock.now() });
  const again = createClients({ db, clock });
  expect(again.workspaces()).toEqual([personal]);
});

test('the default stays the oldest workspace, whatever is added or renamed', () => {
  const personal = clients.defaultWorkspace();
  create('Alpha');
  clients.renameWorkspace(personal.id, 'Zulu');
  expect(clients.defaultWorkspace()).toEqual({ ...personal, name: 'Zulu' });
});

test('a workspace is found by id, slug or name, and an id or slug goes before a name', () => {
  const work = create('Work at Home');
  const trap = create('work-at-home');
  expect(trap.slug).toBe('work-at-home-2');
  for (const key of [work.id, 'work-at-home', 'work at HOME']) expect(clients.workspace(key), key).toEqual(work);
  expect(clients.workspace('nowhere')).toBeNull();
});

describe('slugs', () => {
  test.for([
    ['Personal', 'personal'],
    ['Müller & Söhne', 'muller-sohne'],
    ['  --a--  ', 'a'],
    ['日本', 'workspace'],
    ['../../etc', 'etc'],
    ['x'.repeat(80), 'x'.repeat(32)],
    [`${'x'.repeat(31)} yy`, 'x'.repeat(31)],
  ] as const)('“%s” becomes %s', ([name, slug]) => {
    expect(freeSlug(name, () => false)).toBe(slug);
  });

  test('a taken slug gets a number and still fits', () => {
    const taken = new Set(['x'.repeat(32), `${'x'.repeat(30)}-2`]);
    expect(freeSlug('x'.repeat(40), (slug) => taken.has(slug))).toBe(`${'x'.repeat(30)}-3`);
  });
});

test('a name is taken once, in any case, and a new name leaves the slug as it is', () => {
  const work = create('Work');
  const message = 'There is already a workspace “work”. Choose another name.';
  expect(clients.createWorkspace('work')).toEqual({ kind: 'refused', message });
  expect(clients.renameWorkspace(clients.defaultWorkspace().id, 'work')).toEqual({ kind: 'refused', message });
  expect(clients.renameWorkspace(work.id, 'WORK')).toEqual({ kind: 'done', value: { ...work, name: 'WORK' } });
  expect(clients.renameWorkspace(work.id, 'a\nb')).toMatchObject({ kind: 'refused' });
  expect(clients.renameWorkspace('nowhere', 'x')).toEqual({
    kind: 'refused',
    message: 'There is no workspace “nowhere”. `gatehouse workspaces list` shows them.',
  });
  expect(clients.workspace('work')).toEqual({ ...work, name: 'WORK' });
});

describe('removing', () => {
  test('the last workspace stays', () => {
    expect(clients.removeWorkspace(clients.defaultWorkspace().id)).toEqual({
      kind: 'refused',
      message: 'Workspace “Personal” is the only one, so it stays.',
    });
    expect(clients.workspaces()).toHaveLength(1);
  });

  test('a workspace with a live key stays; when its keys have ended it goes with its clients', () => {
    const work = create('Work');
    const wanted = { role: 'executor', expiresAt: null, upstreams: null, scopeTags: [] } as const;
    const made = clients.createKey({ ...wanted, workspaceId: work.id, name: 'agent' });
    clients.createKey({ ...wanted, workspaceId: clients.defaultWorkspace().id, name: 'agent' });
    if (made.kind === 'refused') throw new Error(made.message);
    clients.setPins(made.value.client.id, ['a__b']);
    expect(clients.removeWorkspace(work.id)).toEqual({
      kind: 'refused',
      message: 'Workspace “Work” still has live keys. Revoke them first.',
    });
    clients.revokeKey(made.value.key.id);
    expect(clients.removeWorkspace(work.id)).toEqual({ kind: 'done', value: work });
    expect(clients.list().map((view) => view.workspace)).toEqual(['Personal']);
    expect(db.prepare('SELECT count(*) FROM keys').pluck().get()).toBe(1);
    expect(clients.pins(made.value.client.id)).toEqual([]);
    expect(clients.authenticate(`Bearer ${made.value.secret}`, null)).toMatchObject({ why: 'wrong' });
  });

  test('a workspace that an upstream belongs to stays whole', () => {
    db.exec('CREATE TABLE upstreams (workspace_id TEXT NOT NULL REFERENCES workspaces (id)) STRICT');
    const work = create('Work');
    const wanted = { role: 'executor', expiresAt: null, upstreams: null, scopeTags: [] } as const;
    const made = clients.createKey({ ...wanted, workspaceId: work.id, name: 'agent' });
    if (made.kind === 'refused') throw new Error(made.message);
    clients.revokeKey(made.value.key.id);
    db.prepare('INSERT INTO upstreams VALUES (?)').run(work.id);
    expect(clients.removeWorkspace(work.id)).toEqual({
      kind: 'refused',
      message: 'Workspace “Work” still has upstreams. Remove them first.',
    });
    expect(clients.list(work.id)).toHaveLength(1);
  });
});
