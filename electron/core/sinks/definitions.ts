import { randomUUID } from 'node:crypto';
import { isAbsolute } from 'node:path';
import type BetterSqlite3 from 'better-sqlite3';
import { z } from 'zod';
import type { SinkTarget } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import type { SealedTable } from '../seals/sealed-table.ts';

/** What the person wrote down about one sink. Secret values are in the vault, never here. */
export interface SinkDefinition {
  readonly id: string;
  readonly name: string;
  readonly target: SinkTarget;
  readonly paused: boolean;
  /** It gets what follows this entry. */
  readonly startSeq: number;
  readonly createdAt: number;
}

export interface SinkDefinitions {
  /** By name. */
  all(): readonly SinkDefinition[];
  insert(wanted: Pick<SinkDefinition, 'id' | 'name' | 'target' | 'startSeq'>): SinkDefinition;
  setPaused(id: string, paused: boolean): void;
  remove(id: string): void;
  newId(): string;
}

export const sinksSchema = `
CREATE TABLE sinks (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  target TEXT NOT NULL CHECK (json_valid(target)),
  paused INTEGER NOT NULL CHECK (paused IN (0, 1)),
  start_seq INTEGER NOT NULL CHECK (start_seq >= 0),
  created_at INTEGER NOT NULL
) STRICT;
`;

/** Where the audit goes is confirmed by the person; whether it is paused is not. */
export const sealedSinks: SealedTable = {
  table: 'sinks',
  id: '{row}.id',
  members: { name: '{row}.name', target: '{row}.target', startSeq: '{row}.start_seq' },
};

export function createSinkDefinitions(db: BetterSqlite3.Database, clock: Clock): SinkDefinitions {
  const select = db.prepare('SELECT id, name, target, paused, start_seq, created_at FROM sinks ORDER BY name');
  const insert = db.prepare(
    'INSERT INTO sinks (id, name, target, paused, start_seq, created_at) VALUES (?, ?, ?, 0, ?, ?)',
  );
  const setPaused = db.prepare('UPDATE sinks SET paused = ? WHERE id = ?');
  const remove = db.prepare('DELETE FROM sinks WHERE id = ?');
  return {
    all: () => select.all().map(definitionOf),
    insert({ id, name, target, startSeq }) {
      const createdAt = clock.now();
      insert.run(id, name, JSON.stringify(target), startSeq, createdAt);
      return { id, name, target, startSeq, createdAt, paused: false };
    },
    setPaused: (id, paused) => void setPaused.run(paused ? 1 : 0, id),
    remove: (id) => void remove.run(id),
    newId: () => randomUUID(),
  };
}

/** Names of the secrets a target needs, with their places in the vault. */
export function sinkSecrets(id: string, target: SinkTarget): ReadonlyMap<string, string> {
  switch (target.kind) {
    case 'otlp':
      return new Map(target.secretHeaders.map((name) => [name, `sink/${id}/header/${name}`]));
    case 'postgres':
      return new Map(target.password ? [['password', `sink/${id}/password`]] : []);
    case 'jsonl':
      return new Map();
  }
}

/** Why this cannot be added beside those that are there, with these secrets, in a sentence; null when it can. */
export function refuseSink(
  { name, target }: Pick<SinkDefinition, 'name' | 'target'>,
  secrets: Readonly<Record<string, string>>,
  all: readonly SinkDefinition[],
): string | null {
  const unfit = refuseTarget(target);
  if (unfit !== null) return unfit;
  if (all.some((one) => one.name === name))
    return `There is already a sink "${name}". Choose another name, or remove that one first.`;
  const same = all.find((one) => one.target.kind === target.kind && placeOf(one.target) === placeOf(target));
  if (same !== undefined) return `The sink "${same.name}" delivers there already.`;
  const needed = sinkSecrets('', target);
  const missing = [...needed.keys()].find((wanted) => (secrets[wanted] ?? '') === '');
  if (missing !== undefined) return `${missing} has no value.`;
  const extra = Object.keys(secrets).find((given) => !needed.has(given));
  if (extra !== undefined) return `${extra} is not among the secrets of this sink.`;
  const bad = Object.entries(secrets).find(([, value]) => !/^[\t\x20-\x7e\x80-\xff]*$/.test(value));
  if (bad !== undefined && target.kind === 'otlp')
    return `The value of ${bad[0]} holds characters that no header can hold.`;
  return null;
}

/** Why nothing can be delivered there, in a sentence; null when it can. */
function refuseTarget(target: SinkTarget): string | null {
  switch (target.kind) {
    case 'otlp':
      return refuseOtlp(target);
    case 'postgres':
      return refusePostgres(target);
    case 'jsonl':
      return isAbsolute(target.path) && !target.path.includes('\0')
        ? null
        : `The path ${target.path} is relative. Give the full path of the file.`;
  }
}

/** The address without anything secret: there is nothing secret in it. */
export function placeOf(target: SinkTarget): string {
  switch (target.kind) {
    case 'otlp':
      return target.url;
    case 'postgres':
      return `${target.user}@${target.host}:${target.port}/${target.database} table ${target.table}`;
    case 'jsonl':
      return target.path;
  }
}

function refuseOtlp({ url, secretHeaders }: Extract<SinkTarget, { kind: 'otlp' }>): string | null {
  const { protocol, hostname, host, username, password, search, hash } = new URL(url);
  if (username !== '' || password !== '') {
    return 'The address holds a user name or a password. Give them as a header instead; its value is kept in the vault.';
  }
  if (search !== '' || hash !== '') {
    return 'The address has a part after ? or #. It would be shown and stored as it is; give what is secret as a header.';
  }
  const bad = secretHeaders.find((name) => RESERVED_HEADERS.test(name));
  if (bad !== undefined) return `"${bad}" cannot be set as a header.`;
  if (protocol === 'http:' && !isThisMachine(hostname) && secretHeaders.length > 0) {
    return `Headers with secrets are not sent to ${host} over plain http, where anybody on the way reads them. Use https.`;
  }
  return null;
}

function refusePostgres({ host, tls, caFile }: Extract<SinkTarget, { kind: 'postgres' }>): string | null {
  if (tls === 'off' && !isThisMachine(host)) {
    return `The audit is not sent to ${host} without encryption, where anybody on the way reads it. Use TLS (sslmode=verify-full, with sslrootcert for an authority of your own).`;
  }
  if (caFile !== null && !isAbsolute(caFile)) return `The path ${caFile} is relative. Give the full path of the file.`;
  return null;
}

/** Loopback, or the folder of a Unix socket. */
export function isThisMachine(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || /^(\[::1\]|::1|127\.\d+\.\d+\.\d+)$/.test(host);
}

function definitionOf(row: unknown): SinkDefinition {
  const { id, name, target, paused, start_seq, created_at } = rowSchema.parse(row);
  return {
    id,
    name,
    target: targetSchema.parse(JSON.parse(target)),
    paused: paused === 1,
    startSeq: start_seq,
    createdAt: created_at,
  };
}

const rowSchema = z.object({
  id: z.string(),
  name: z.string(),
  target: z.string(),
  paused: z.number(),
  start_seq: z.number(),
  created_at: z.number(),
});
const targetSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('otlp'), url: z.string(), secretHeaders: z.array(z.string()) }),
  z.object({
    kind: z.literal('postgres'),
    host: z.string(),
    port: z.number(),
    database: z.string(),
    user: z.string(),
    table: z.string(),
    tls: z.enum(['verify', 'off']),
    caFile: z.string().nullable(),
    password: z.boolean(),
  }),
  z.object({ kind: z.literal('jsonl'), path: z.string(), maxBytes: z.number(), keep: z.number() }),
]);

/** What the exporter itself says. */
const RESERVED_HEADERS = /^(host|connection|content-.*|transfer-encoding|te|trailer|upgrade|user-agent|expect)$/i;
