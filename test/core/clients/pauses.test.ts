import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createPauses } from '../../../electron/core/clients/pauses.ts';
import { MIGRATIONS } from '../../../electron/core/schema.ts';
import { openStore, type Store } from '../../../electron/core/store/store.ts';
import { FAKE_START, fakeClock } from '../../support/fake-clock.ts';

const clock = fakeClock();
let folder: string;
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-pauses-'));
  store = open();
  store.db.exec(`INSERT INTO workspaces (id, slug, name, created_at) VALUES ('w', 'w', 'W', 0)`);
  for (const id of ['a', 'b'])
    store.db
      .prepare(
        `INSERT INTO clients (id, workspace_id, name, tags, scope_tags, hold_ms, created_at) VALUES (?, 'w', ?, '[]', '[]', 0, 0)`,
      )
      .run(id, id);
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(): Store {
  const opened = openStore({ path: join(folder, 'state.db'), migrations: MIGRATIONS, clock });
  if (opened.kind !== 'opened') throw new Error(opened.message);
  return opened.store;
}

test('the pause of everything covers every client, a pause of one covers that one, and each is lifted on its own', () => {
  const pauses = createPauses({ db: store.db, clock });
  let told = 0;
  pauses.onChange(() => {
    told += 1;
  });
  expect(pauses.pauseClient('a', 'dashboard')).toEqual({ kind: 'paused' });
  expect([pauses.pausedFor('a'), pauses.pausedFor('b')]).toEqual([
    { clientId: 'a', by: 'dashboard', since: FAKE_START },
    null,
  ]);
  pauses.pauseAll('tray');
  expect(pauses.pausedFor('b')).toMatchObject({ clientId: null, by: 'tray' });
  expect(pauses.pausedFor('a')).toMatchObject({ clientId: null });
  expect(pauses.list().map(({ clientId }) => clientId)).toEqual([null, 'a']);
  expect(pauses.resumeAll()).toEqual({ kind: 'resumed' });
  expect([pauses.pausedFor('a')?.clientId, pauses.pausedFor('b')]).toEqual(['a', null]);
  expect(pauses.resumeClient('a')).toEqual({ kind: 'resumed' });
  expect(pauses.resumeClient('a')).toEqual({ kind: 'not_paused' });
  expect(told).toBe(4);
});

test('who paused first, and since when, stays; and survives a restart', async () => {
  const pauses = createPauses({ db: store.db, clock });
  pauses.pauseAll('tray');
  pauses.pauseClient('b', 'command line');
  const before = pauses.list();
  await clock.advance(60_000);
  expect(pauses.pauseAll('dashboard')).toEqual({ kind: 'already' });
  expect(pauses.list()).toEqual(before);
  store.close();
  store = open();
  expect(createPauses({ db: store.db, clock }).list()).toEqual(before);
});

test('a disk that takes nothing keeps nobody from pausing, and resumes nothing that would be back after a restart', () => {
  const pauses = createPauses({ db: store.db, clock });
  store.db.pragma('query_only = ON');
  expect(pauses.pauseAll('tray')).toMatchObject({ kind: 'unsaved' });
  expect(pauses.pausedFor('a')).not.toBeNull();
  expect(pauses.resumeAll()).toMatchObject({ kind: 'unsaved' });
  expect(pauses.pausedFor('a')).not.toBeNull();
  store.db.pragma('query_only = OFF');
  expect(pauses.resumeAll()).toEqual({ kind: 'resumed' });
});
