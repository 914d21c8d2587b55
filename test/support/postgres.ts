import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { eventually } from './gatehouse.ts';

/** A real PostgreSQL server with a cluster of its own, on loopback. */
export interface TestPostgres extends AsyncDisposable {
  readonly port: number;
  /** The folder of its Unix socket. */
  readonly socketFolder: string;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  query<R extends pg.QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<readonly R[]>;
  start(): Promise<void>;
  /** `immediate` is what a power cut is to it: no checkpoint, no farewell to its clients. */
  stop(how: 'fast' | 'immediate'): Promise<void>;
  close(): Promise<void>;
}

const USER = 'gatehouse';
const PASSWORD = 'pässword: with @ and /';

/** Where Debian puts the programs of the newest version that is installed; null where none is. */
export function postgresPrograms(): string | null {
  const found = globSync('/usr/lib/postgresql/*/bin/postgres')
    .toSorted((a, b) => versionOf(a) - versionOf(b))
    .at(-1);
  return found === undefined ? null : join(found, '..');
}

/** @param tls PEM texts: connections may be encrypted then. */
export async function startPostgres(tls?: { readonly cert: string; readonly key: string }): Promise<TestPostgres> {
  const programs = postgresPrograms();
  if (programs === null) throw new Error('The Debian package postgresql is not installed: npm run setup installs it.');
  const base = mkdtempSync(join(tmpdir(), 'gatehouse-pg-'));
  const who = serverUser();
  if (who !== null) chownSync(base, who.uid, who.gid);
  const passwordFile = join(base, 'password');
  writeFileSync(passwordFile, PASSWORD, { mode: 0o600 });
  if (who !== null) chownSync(passwordFile, who.uid, who.gid);
  const data = join(base, 'data');
  const made = spawnSync(
    join(programs, 'initdb'),
    ['-D', data, '-U', USER, '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--no-locale', '-N'],
    { ...who, cwd: base, encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  for (const [name, text] of Object.entries(tls ?? {})) {
    const file = join(data, `server.${name === 'cert' ? 'crt' : 'key'}`);
    writeFileSync(file, text, { mode: 0o600 });
    if (who !== null) chownSync(file, who.uid, who.gid);
  }
  const port = await freePort();
  const at = { host: '127.0.0.1', port, user: USER, password: PASSWORD, database: 'postgres' };
  let server: ChildProcess | null = null;

  const postgres: TestPostgres = {
    port,
    socketFolder: base,
    user: USER,
    password: PASSWORD,
    database: 'postgres',
    async query<R extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []) {
      const client = new pg.Client(at);
      client.on('error', () => {});
      await client.connect();
      try {
        return (await client.query<R>(sql, [...values])).rows;
      } finally {
        await client.end();
      }
    },
    async start() {
      const settings = [
        'listen_addresses=127.0.0.1',
        `unix_socket_directories=${base}`,
        'max_connections=20',
        `ssl=${tls === undefined ? 'off' : 'on'}`,
      ];
      const started = spawn(
        join(programs, 'postgres'),
        ['-D', data, '-p', String(port), ...settings.flatMap((one) => ['-c', one])],
        {
          ...who,
          cwd: base,
          stdio: 'ignore',
        },
      );
      server = started;
      // A test that is ended from outside must neither wait for it nor leave it behind.
      started.unref();
      process.once('exit', () => started.kill('SIGQUIT'));
      await eventually(
        async () => {
          if (started.exitCode !== null) throw new Error(`postgres ended with ${started.exitCode}`);
          return (await answers(port)) && (await postgres.query('SELECT 1').catch(() => null)) !== null ? true : null;
        },
        'PostgreSQL',
        20_000,
      );
    },
    async stop(how) {
      const ending = server;
      server = null;
      if (ending === null || ending.exitCode !== null) return;
      const exited = new Promise((resolve) => ending.once('exit', resolve));
      ending.kill(how === 'fast' ? 'SIGINT' : 'SIGQUIT');
      await exited;
    },
    async close() {
      await postgres.stop('immediate');
      rmSync(base, { recursive: true, force: true });
    },
    [Symbol.asyncDispose]: () => postgres.close(),
  };
  await postgres.start();
  return postgres;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** PostgreSQL does not run as root. */
function serverUser(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const name = existsSync('/var/lib/postgresql') ? 'postgres' : 'nobody';
  const id = (option: string) => Number(spawnSync('id', [option, name], { encoding: 'utf8' }).stdout);
  return { uid: id('-u'), gid: id('-g') };
}

function versionOf(path: string): number {
  return Number(/\/postgresql\/(\d+)/.exec(path)?.[1] ?? 0);
}
