import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createPostgresDestination } from '../../../electron/core/sinks/postgres.ts';
import type { SinkTarget } from '../../../shared/model.ts';
import { startPostgres, type TestPostgres } from '../../support/postgres.ts';
import { batchOf, rowsOf } from './rows.ts';

const DOCS = readFileSync(new URL('../../../docs/audit-sinks.md', import.meta.url), 'utf8');
const SENDER = { machine: 'box1', version: '1' };
const NEVER = new AbortController().signal;

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.close());

/** The statement of the documentation behind its mark. */
function documented(mark: string): string {
  const found = new RegExp(`<!-- test: ${mark} -->\\n\`\`\`sql\\n([\\s\\S]*?)\`\`\``).exec(DOCS)?.[1];
  if (found === undefined) throw new Error(`docs/audit-sinks.md has no statement "${mark}"`);
  return found;
}

type Target = Extract<SinkTarget, { kind: 'postgres' }>;

function sink(change: Partial<Target> = {}, password = postgres.password) {
  const { port, user, database } = postgres;
  const target: Target = {
    ...{ kind: 'postgres', host: '127.0.0.1', port, user, database, table: 'gatehouse_audit' },
    ...{ tls: 'off', caFile: null, password: true },
    ...change,
  } as Target;
  const destination = createPostgresDestination(target, SENDER, { password });
  onTestFinished(() => destination.close());
  return destination;
}

test('a repeated delivery changes nothing, and the documented query finds the copy whole', async () => {
  const one = sink({ table: 'twice' });
  const batch = batchOf(rowsOf(1, 50));
  expect(await one.deliver(batch, NEVER)).toEqual({ kind: 'delivered' });
  expect(await one.deliver(batch, NEVER)).toEqual({ kind: 'delivered' });
  expect(await one.deliver(batchOf(rowsOf(40, 60)), NEVER)).toEqual({ kind: 'delivered' });
  const [count] = await postgres.query<{ all: string; machines: string }>(
    'SELECT count(*) AS all, count(DISTINCT machine) AS machines FROM twice',
  );
  expect(count).toEqual({ all: '60', machines: '1' });
  expect(await postgres.query('SELECT * FROM twice_commits')).toHaveLength(2);
  expect(await postgres.query(documented('verify').replaceAll('gatehouse_audit', 'twice'))).toEqual([]);
});

test.each([
  ["UPDATE t SET tool = 'other' WHERE seq = 7", [{ seq: '7', problem: 'changed' }]],
  ['DELETE FROM t WHERE seq = 7', [{ seq: '8', problem: 'entries before it are missing' }]],
  ['DELETE FROM t WHERE seq < 7', [{ seq: '7', problem: 'the entries before it are not here' }]],
  [
    "UPDATE t SET hash = repeat('a', 64) WHERE seq = 7",
    [
      { seq: '7', problem: 'changed' },
      { seq: '8', problem: 'does not follow the entry before it' },
    ],
  ],
])('the documented query names what was done to the copy: %s', async (statement, expected) => {
  const table = `t${expected.length}_${statement.length}`;
  // Text of every length in bytes: the hash is over UTF-8.
  const rows = rowsOf(1, 12, 'ä€😀\n');
  await sink({ table }).deliver(batchOf(rows), NEVER);
  await postgres.query(statement.replace(/\bt\b/, table));
  const found = await postgres.query(documented('verify').replaceAll('gatehouse_audit', table));
  expect(found).toMatchObject(expected);
  expect(found).toHaveLength(expected.length);
});

test('the documented tables and a role that can only add are enough, and the documented questions are answered', async () => {
  await postgres.query(`CREATE SCHEMA docs; SET search_path = docs; ${documented('tables')} ${documented('role')}
    GRANT USAGE ON SCHEMA docs TO gatehouse_box1`);
  const adding = sink({ user: 'gatehouse_box1', table: 'docs.gatehouse_audit' }, 'choose one');
  expect(await adding.check(NEVER)).toMatchObject({ kind: 'reached' });
  expect(await adding.deliver(batchOf(rowsOf(1, 3)), NEVER)).toEqual({ kind: 'delivered' });
  expect(await adding.deliver(batchOf(rowsOf(1, 4)), NEVER)).toEqual({ kind: 'delivered' });
  expect(await postgres.query('SELECT * FROM docs.gatehouse_audit')).toHaveLength(4);
  for (const mark of ['refused', 'answers', 'verify'])
    expect(await postgres.query(documented(mark).replaceAll('gatehouse_audit', 'docs.gatehouse_audit'))).toEqual([]);
});

test.each<[string, () => ReturnType<typeof sink>, RegExp]>([
  ['a wrong password', () => sink({}, 'wrong'), /refuses the user gatehouse .*add it again with the right user/],
  ['an unknown database', () => sink({ database: 'nowhere' }), /There is no database nowhere/],
  ['a port where nobody is', () => sink({ port: 1 }), /No PostgreSQL answers/],
  ['a server without TLS', () => sink({ tls: 'verify' }), /does not support SSL/],
])('%s is said in a sentence, without the password', async (_what, made, sentence) => {
  const failed = await made().deliver(batchOf(rowsOf(1, 1)), NEVER);
  expect(failed).toMatchObject({ kind: 'failed', reason: expect.stringMatching(sentence) });
  expect(JSON.stringify(failed)).not.toContain(postgres.password);
});

test('a table without the primary key is refused: a repeated delivery would be there twice', async () => {
  await postgres.query(
    'CREATE TABLE keyless (chain text, seq bigint); CREATE TABLE keyless_commits (chain text, seq bigint)',
  );
  expect(await sink({ table: 'keyless' }).check(NEVER)).toMatchObject({
    kind: 'failed',
    reason: expect.stringContaining('no primary key (chain, seq)'),
  });
});

test('many machines that are set up at once make one table', async () => {
  const results = await Promise.all(
    Array.from({ length: 8 }, () => sink({ table: 'at_once' }).deliver(batchOf(rowsOf(1, 5)), NEVER)),
  );
  expect(results).toEqual(Array.from({ length: 8 }, () => ({ kind: 'delivered' })));
  expect(await postgres.query('SELECT * FROM at_once')).toHaveLength(5);
});

test('over a Unix socket', async () => {
  const destination = sink({ host: postgres.socketFolder, table: 'by_socket' });
  expect(await destination.deliver(batchOf(rowsOf(1, 2)), NEVER)).toEqual({ kind: 'delivered' });
});

const hasOpenssl = existsSync('/usr/bin/openssl');

describe.skipIf(!hasOpenssl)('over TLS (needs openssl)', () => {
  let secured: TestPostgres;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-tls-'));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'ca.pem')];
    const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ${key} -out ${cert} -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1`;
    execFileSync('openssl', words.split(' '), { stdio: 'ignore' });
    secured = await startPostgres({ cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') });
  });
  afterAll(async () => {
    await secured.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('with its authority given, the connection is encrypted', async () => {
    const destination = sink({ port: secured.port, tls: 'verify', caFile: join(folder, 'ca.pem') });
    expect(await destination.deliver(batchOf(rowsOf(1, 2)), NEVER)).toEqual({ kind: 'delivered' });
    expect(
      await secured.query(
        "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'gatehouse'",
      ),
    ).toEqual([{ ssl: true }]);
  });

  test.each<[string, Partial<Target>, RegExp]>([
    ['an authority that nobody here knows', {}, /is not one to trust \(“self-signed certificate/],
    ['a certificate of another name', { host: 'localhost' }, /is not one to trust \(“Hostname/],
    [
      'an authority whose file is not there',
      { caFile: '/nonexistent/ca.pem' },
      /The file \/nonexistent\/ca.pem cannot be read/,
    ],
  ])('%s is refused, and no password is sent', async (_what, change, sentence) => {
    const caFile = 'host' in change ? join(folder, 'ca.pem') : null;
    const failed = await sink({ port: secured.port, tls: 'verify', caFile, ...change }).deliver(
      batchOf(rowsOf(1, 2)),
      NEVER,
    );
    expect(failed).toMatchObject({ kind: 'failed', reason: expect.stringMatching(sentence) });
  });
});
