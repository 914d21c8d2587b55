import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Migration, openStore, type Store } from '../../../electron/core/store/store.ts';
import { fakeClock } from '../../support/fake-clock.ts';

const ONE: Migration = {
  version: 1,
  statements: ['CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT'],
};
const TWO: Migration = {
  version: 2,
  statements: [
    'CREATE TABLE b (a INTEGER NOT NULL REFERENCES a (id)) STRICT',
    "INSERT INTO a (name) VALUES ('from migration')",
  ],
};

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-store-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'data', 'state.db');
}

const open = (path: string, migrations: readonly Migration[] = [ONE]) =>
  openStore({ path, migrations, clock: fakeClock() });

function opened(path: string, migrations?: readonly Migration[]): { store: Store; setAside: string | null } {
  const answer = open(path, migrations);
  if (answer.kind !== 'opened') throw new Error(answer.message);
  onTestFinished(() => answer.store.close());
  return answer;
}

test('a new store has the safe settings and the newest schema', () => {
  const { store, setAside } = opened(newPath(), [ONE, TWO]);
  const pragma = (name: string) => store.db.pragma(name, { simple: true });
  expect(setAside).toBeNull();
  expect([pragma('journal_mode'), pragma('foreign_keys'), pragma('busy_timeout'), pragma('user_version')]).toEqual([
    'wal',
    1,
    5000,
    2,
  ]);
  expect(() => store.db.exec('INSERT INTO b VALUES (99)')).toThrow(/FOREIGN KEY/);
});

test('an older store gets the missing migrations once and keeps its rows', () => {
  const path = newPath();
  const first = opened(path, [ONE]);
  first.store.db.exec("INSERT INTO a (name) VALUES ('kept')");
  first.store.close();
  opened(path, [ONE, TWO]).store.close();
  const { store } = opened(path, [ONE, TWO]);
  expect(store.db.prepare('SELECT name FROM a').pluck().all()).toEqual(['kept', 'from migration']);
});

test('a migration that fails leaves nothing of itself behind', () => {
  const path = newPath();
  opened(path, [ONE]).store.close();
  const wrong: Migration = { version: 2, statements: ['CREATE TABLE half (x) ', 'NOT SQL'] };
  expect(() => open(path, [ONE, wrong])).toThrow(/syntax error/);
  const { store } = opened(path, [ONE]);
  expect(store.db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").pluck().get()).toBe(0);
  expect(store.db.pragma('user_version', { simple: true })).toBe(1);
});

test('a store of a newer version is refused with both numbers and left as it is', () => {
  const path = newPath();
  opened(path, [ONE, TWO]).store.close();
  const before = readFileSync(path);
  expect(open(path, [ONE])).toEqual({
    kind: 'newer',
    message:
      'state.db was written by a newer version of Gatehouse (schema 2); this version knows 1. Update Gatehouse, or start with another --data folder.',
  });
  expect(readFileSync(path).equals(before)).toBe(true);
});

test.each([
  ['is no database at all', () => Buffer.from('this is not a database, '.repeat(500))],
  ['has a page overwritten', (whole: Buffer) => Buffer.from(whole).fill(0x5a, 8192, 12_288)],
  ['is cut in half', (whole: Buffer) => whole.subarray(0, Math.floor(whole.length / 2))],
])('a file that %s is set aside whole, and a new store takes its place', (_, damage) => {
  const path = newPath();
  const first = opened(path);
  const insert = first.store.db.prepare('INSERT INTO a (name) VALUES (?)');
  for (let n = 0; n < 500; n += 1) insert.run(`name ${n}`.repeat(10));
  first.store.close();
  const broken = damage(readFileSync(path));
  writeFileSync(path, broken);

  const { store, setAside } = opened(path);
  expect(setAside).toBe(`${path}.broken-20300101T000000000Z`);
  expect(readFileSync(setAside ?? '').equals(broken)).toBe(true);
  expect(store.db.prepare('SELECT count(*) FROM a').pluck().get()).toBe(0);
});

test('a second broken file of the same moment does not replace the first', () => {
  const path = newPath();
  for (const text of ['first', 'second']) {
    rmSync(path, { force: true });
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, `${text} not a database `.repeat(100));
    opened(path).store.close();
  }
  const aside = readdirSync(join(path, '..'))
    .filter((name) => name.includes('broken'))
    .toSorted();
  expect(aside).toEqual(['state.db.broken-20300101T000000000Z', 'state.db.broken-20300101T000000000Z-2']);
  expect(aside.map((name) => readFileSync(join(path, '..', name), 'utf8').split(' ')[0])).toEqual(['first', 'second']);
});

test('a folder that cannot be made is a fault that names the path and what to do', () => {
  const path = newPath();
  writeFileSync(join(path, '..', '..', 'data'), 'a file where the folder should be');
  const answer = open(path);
  expect(answer).toMatchObject({ kind: 'not_writable' });
  expect(answer.kind !== 'opened' && answer.message).toContain(path);
  expect(answer.kind !== 'opened' && answer.message).toMatch(/start with another --data folder/);
});

test('a store that another program holds is a fault, not damage', () => {
  const path = newPath();
  const { store } = opened(path);
  // Exclusive mode holds the file as a database tool would.
  store.db.pragma('locking_mode = EXCLUSIVE');
  store.db.exec("INSERT INTO a (name) VALUES ('x')");
  expect(open(path)).toMatchObject({ kind: 'locked', message: expect.stringMatching(/held by another program/) });
  expect(readdirSync(join(path, '..')).filter((name) => name.includes('broken'))).toEqual([]);
});

test.each([0o000, 0o777])('L19 under umask %o folder, database, -wal and -shm are the owner\u2019s alone', (umask) => {
  const path = newPath();
  const before = process.umask(umask);
  try {
    opened(path).store.db.exec("INSERT INTO a (name) VALUES ('x')");
  } finally {
    process.umask(before);
  }
  const mode = (name: string) => (statSync(name).mode & 0o777).toString(8);
  expect(mode(join(path, '..'))).toBe('700');
  for (const suffix of ['', '-wal', '-shm']) expect([suffix, mode(path + suffix)]).toEqual([suffix, '600']);
});
