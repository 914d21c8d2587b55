import { readFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import pg from 'pg';
import type { SinkTarget } from '../../../shared/model.ts';
import { codeOf } from '../store/files.ts';
import type { Batch, Delivered, Destination, Sender } from './destination.ts';
import {
  COMMIT_COLUMNS,
  createStatements,
  ENTRY_COLUMNS,
  insertCommits,
  insertEntries,
  tableNames,
} from './postgres-table.ts';

type PostgresTarget = Extract<SinkTarget, { kind: 'postgres' }>;

/** Connecting takes no longer. Milliseconds. */
const CONNECT_MS = 10_000;

interface Connection {
  readonly client: pg.Client;
  /** Ends it without asking the server. */
  drop(): void;
}

/**
 * Rows in a table of PostgreSQL, in one transaction a batch. The primary key (chain, seq) makes a second delivery of the
 * same entry change nothing. After any failure the connection is dropped and made anew.
 */
export function createPostgresDestination(
  target: PostgresTarget,
  sender: Sender,
  secrets: Readonly<Record<string, string>>,
): Destination {
  let connection: Connection | null = null;

  async function connected(signal: AbortSignal): Promise<pg.Client> {
    if (connection !== null) return connection.client;
    const made = await connect(target, secrets.password ?? '');
    if (signal.aborted) {
      made.drop();
      throw new Error('it was too late');
    }
    made.client.on('error', () => {
      if (connection === made) connection = null;
    });
    connection = made;
    await prepare(made.client, target);
    return made.client;
  }

  function drop(): void {
    connection?.drop();
    connection = null;
  }

  async function attempt<T>(signal: AbortSignal, act: (client: pg.Client) => Promise<T>): Promise<T | Failed> {
    signal.addEventListener('abort', drop, { once: true });
    try {
      return await act(await connected(signal));
    } catch (error) {
      drop();
      return failure(error, target);
    } finally {
      signal.removeEventListener('abort', drop);
    }
  }

  return {
    deliver: (batch, signal) =>
      attempt<Delivered>(signal, async (client) => {
        await client.query('BEGIN');
        await client.query(insertEntries(target.table), entryValues(batch, sender));
        if (batch.commits.length > 0) await client.query(insertCommits(target.table), commitValues(batch));
        await client.query('COMMIT');
        return { kind: 'delivered' };
      }),
    check: (signal) =>
      attempt(signal, async (client) => {
        await client.query('SELECT 1');
        return { kind: 'reached' as const, message: `The table ${target.table} in ${placeOf(target)} is ready.` };
      }),
    async close() {
      drop();
    },
  };
}

function entryValues({ chain, entries }: Batch, { machine }: Sender): unknown[] {
  return [machine, chain, ...ENTRY_COLUMNS.map((name) => entries.map((entry) => entry[name]))];
}

function commitValues({ chain, commits }: Batch): unknown[] {
  return [chain, ...COMMIT_COLUMNS.map((name) => commits.map((commit) => commit[name]))];
}

async function connect(target: PostgresTarget, password: string): Promise<Connection> {
  const { host, port, database, user, tls, caFile } = target;
  const ca = caFile === null ? {} : { ca: await authority(caFile) };
  const socket = new Socket();
  const client = new pg.Client({
    host,
    port,
    database,
    user,
    password,
    ssl: tls === 'off' ? false : { rejectUnauthorized: true, ...ca },
    application_name: 'gatehouse',
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    stream: () => socket,
  });
  // Also while it connects: an error without a listener would end the worker.
  client.on('error', () => {});
  const drop = () => {
    socket.destroy();
    void client.end().catch(() => {});
  };
  try {
    await client.connect();
    return { client, drop };
  } catch (error) {
    drop();
    throw error;
  }
}

async function authority(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Unusable(
      `The file ${path} cannot be read (${codeOf(error)}). It should hold the authority of the server.`,
    );
  }
}

class Unusable extends Error {}

/** Makes the tables where they are missing, and sees that a repeated row is one row and that a commit is a commit. */
async function prepare(client: pg.Client, { table }: PostgresTarget): Promise<void> {
  const { entries, commits } = tableNames(table);
  for (const name of [entries, commits]) {
    const there = await client.query<{ readonly found: string | null }>('SELECT to_regclass($1) AS found', [name]);
    if (there.rows[0]?.found != null) continue;
    await client.query('BEGIN');
    // Many machines may be set up at once, and CREATE TABLE IF NOT EXISTS alone is no match for that.
    await client.query("SELECT pg_advisory_xact_lock(hashtext('gatehouse audit sink'))");
    for (const statement of createStatements(table)) await client.query(statement);
    await client.query('COMMIT');
  }
  const keyed = await client.query<{ readonly keyed: string }>(KEYED, [entries, commits]);
  if (keyed.rows[0]?.keyed !== '2') {
    throw new Unusable(
      `The table ${table}, or ${table}_commits, has no primary key (chain, seq), so a repeated delivery would be there twice. Drop it and let Gatehouse make it, or choose another name.`,
    );
  }
  const durable = await client.query<{ readonly synchronous_commit: string }>('SHOW synchronous_commit');
  // Else COMMIT would be answered before it is on the disk, and a crash of the server would lose what we count as there.
  if (durable.rows[0]?.synchronous_commit === 'off') await client.query('SET synchronous_commit = local');
}

const KEYED = `SELECT count(DISTINCT i.indrelid) AS keyed FROM pg_index i
  WHERE i.indrelid IN (to_regclass($1), to_regclass($2)) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
    AND (SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_attribute a
         WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)) = ARRAY['chain', 'seq']`;

type Failed = Extract<Delivered, { kind: 'failed' }>;

function placeOf({ database, host, port }: PostgresTarget): string {
  return `${database} on ${host}${host.startsWith('/') ? '' : `:${port}`}`;
}

/** What the server, the network or the certificate said, in our words; its own text is quoted, it may say more. */
function failure(error: unknown, target: PostgresTarget): Failed {
  if (error instanceof Unusable) return failed(error.message);
  const place = placeOf(target);
  const said = error instanceof Error ? error.message : String(error);
  const code = codeOf(error) || (error instanceof AggregateError ? codeOf(error.errors[0]) : '');
  // https://www.postgresql.org/docs/current/errcodes-appendix.html
  switch (code) {
    case 'ECONNREFUSED':
    case 'ENOENT':
      return failed(`No PostgreSQL answers for ${place}. Start it, or see that host and port are right.`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return failed(`The name ${target.host} is not found. See that it is right and that the network is there.`);
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'CERT_HAS_EXPIRED':
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return failed(
        `The certificate of ${place} is not one to trust (“${said}”). Add the sink with the name in the certificate, and with its authority: ?sslrootcert=/path/ca.pem.`,
      );
    case '28P01':
    case '28000':
      return failed(
        `PostgreSQL refuses the user ${target.user} for ${place} (“${said}”). Remove the sink and add it again with the right user and password.`,
      );
    case '3D000':
      return failed(`There is no database ${target.database} at ${place}. Create it, or give another name.`);
    case '42501':
      return failed(
        `The user ${target.user} may not do that in ${place} (“${said}”). It needs INSERT on the two tables, and CREATE on the schema where they are not there yet.`,
      );
    case '42703':
    case '42P10':
    case '42804':
      return failed(
        `The table ${target.table} is not as Gatehouse makes it (“${said}”). Drop it and let Gatehouse make it, or choose another name.`,
      );
    case '53100':
      return failed(`The disk of PostgreSQL at ${place} is full.`);
    case '57P01':
    case '57P02':
    case '57P03':
      return failed(`PostgreSQL at ${place} is starting or stopping. It is tried again.`);
  }
  // Class 22: what a row holds cannot be stored.
  if (code.startsWith('22'))
    return { ...failed(`PostgreSQL at ${place} cannot store it (“${said}”).`), because: 'batch' };
  return failed(`PostgreSQL at ${place} failed: “${said}”. It is tried again.`);
}

function failed(reason: string): Failed {
  return { kind: 'failed', reason };
}
