import { randomUUID } from 'node:crypto';
import type BetterSqlite3 from 'better-sqlite3';
import { z } from 'zod';
import { signInSchema } from '../../../shared/api.ts';
import type { SignIn } from '../../../shared/connections.ts';
import type { UpstreamSettings, UpstreamTransport } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import type { SealedTable } from '../seals/sealed-table.ts';
import { refuseEnvironmentName } from './environment.ts';
import { erasSchema } from './eras.ts';
import { isLoopback } from './private-addresses.ts';
import { processesSchema } from './processes.ts';
import { readSettings } from './settings.ts';
import { isUsual, usualSignIn } from './sign-in.ts';

/** What the person wrote down about one upstream. Secret values are in the vault, never here. */
export interface UpstreamDefinition {
  readonly id: string;
  readonly workspaceId: string;
  readonly name: string;
  readonly transport: UpstreamTransport;
  readonly tags: readonly string[];
  readonly enabled: boolean;
  readonly settings: UpstreamSettings;
  /** How accounts sign in there. */
  readonly signIn: SignIn;
  /** What it said at its last start that it can do: an upstream that starts with the first call is known before. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** The absolute path that the command was resolved to when it first ran. */
  readonly resolvedCommand: string | null;
}

export interface Definitions {
  all(): readonly UpstreamDefinition[];
  insert(wanted: Pick<UpstreamDefinition, 'id' | 'workspaceId' | 'name' | 'transport' | 'tags' | 'settings'>): void;
  update(id: string, change: Partial<Omit<UpstreamDefinition, 'id' | 'workspaceId' | 'name'>>): void;
  remove(id: string): void;
  newId(): string;
}

export const upstreamsSchema = `
CREATE TABLE upstreams (
  id TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL,
  name TEXT NOT NULL,
  transport TEXT NOT NULL CHECK (json_valid(transport)),
  tags TEXT NOT NULL CHECK (json_valid(tags)),
  enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  settings TEXT NOT NULL CHECK (json_valid(settings)),
  capabilities TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(capabilities)),
  resolved_command TEXT,
  created_at INTEGER NOT NULL,
  UNIQUE (workspace_id, name)
) STRICT;
${erasSchema}
${processesSchema}
`;

/** How accounts sign in, where the person set it; null: as usual for its transport. */
export const upstreamSignInSchema = 'ALTER TABLE upstreams ADD COLUMN sign_in TEXT CHECK (json_valid(sign_in))';

/** What is confirmed of an upstream: under which name it runs what, and what lets rules or the network see it otherwise. */
export const sealedUpstreams: SealedTable = {
  table: 'upstreams',
  id: '{row}.id',
  members: {
    workspace: '{row}.workspace_id',
    name: '{row}.name',
    transport: '{row}.transport',
    tags: '{row}.tags',
    allowPrivate: "{row}.settings ->> '$.allowPrivate'",
    resolvedCommand: '{row}.resolved_command',
    signIn: '{row}.sign_in',
  },
  // It is this program's own code, whatever else the row says.
  exempt: "{row}.transport ->> '$.kind' = 'demo'",
};

export function createDefinitions(db: BetterSqlite3.Database, clock: Clock): Definitions {
  const select = db.prepare(`SELECT ${COLUMNS} FROM upstreams`);
  const one = db.prepare(`SELECT ${COLUMNS} FROM upstreams WHERE id = ?`);
  const insert = db.prepare(
    'INSERT INTO upstreams (id, workspace_id, name, transport, tags, settings, enabled, created_at) VALUES (?, ?, ?, ?, ?, ?, 1, ?)',
  );
  const update = db.prepare(
    'UPDATE upstreams SET transport = ?, tags = ?, enabled = ?, settings = ?, sign_in = ?, capabilities = ?, resolved_command = ? WHERE id = ?',
  );
  const remove = db.prepare('DELETE FROM upstreams WHERE id = ?');
  return {
    all: () => select.all().map(definitionOf),
    insert({ id, workspaceId, name, transport, tags, settings }) {
      const [runs, tagged, run] = [transport, tags, settings].map((value) => JSON.stringify(value));
      insert.run(id, workspaceId, name, runs, tagged, run, clock.now());
    },
    update(id, change) {
      const row = one.get(id);
      if (row === undefined) return;
      const next = { ...definitionOf(row), ...change };
      update.run(
        JSON.stringify(next.transport),
        JSON.stringify(next.tags),
        next.enabled ? 1 : 0,
        JSON.stringify(next.settings),
        isUsual(next.signIn, next.transport) ? null : JSON.stringify(next.signIn),
        JSON.stringify(next.capabilities),
        next.resolvedCommand,
        id,
      );
    },
    remove: (id) => void remove.run(id),
    newId: () => randomUUID(),
  };
}

/** Why this cannot be an upstream, in a sentence; null when it can. */
export function refuseDefinition(name: string, transport: UpstreamTransport, tags: readonly string[]): string | null {
  if (!NAME.test(name)) {
    return `${JSON.stringify(name)} cannot be the name of an upstream: use 1 to 32 of a-z, 0-9 and -, and begin with a letter or digit.`;
  }
  const badTag = tags.find((tag) => !TAG.test(tag));
  if (badTag !== undefined) return `${JSON.stringify(badTag)} cannot be a tag: use 1 to 32 of a-z, 0-9, - and _.`;
  switch (transport.kind) {
    case 'demo':
      return null;
    case 'stdio':
      return refuseStdio(transport);
    case 'http':
      return refuseHttp(transport);
  }
}

/** Names of the secrets a transport needs, with their places in the vault. */
export function secretPlaces(id: string, transport: UpstreamTransport): ReadonlyMap<string, string> {
  switch (transport.kind) {
    case 'stdio':
      return new Map(transport.secretEnv.map((name) => [name, `upstream/${id}/env/${name}`]));
    case 'http':
      return new Map(transport.secretHeaders.map((name) => [name, `upstream/${id}/header/${name}`]));
    case 'demo':
      return new Map();
  }
}

/** Part of every fingerprint of its tools: what answers under this name. Never a secret. */
export function endpointOf(transport: UpstreamTransport): string {
  switch (transport.kind) {
    case 'stdio':
      return JSON.stringify([
        transport.command,
        ...transport.args,
        ...(transport.cwd === null ? [] : [{ cwd: transport.cwd }]),
      ]);
    case 'http':
      return transport.url;
    case 'demo':
      return 'demo';
  }
}

/** Why these secrets do not fit the transport; null when they do. */
export function refuseSecrets(
  transport: UpstreamTransport,
  needed: ReadonlyMap<string, string>,
  given: Readonly<Record<string, string>>,
  isStored: (place: string) => boolean,
): string | null {
  for (const [name, value] of Object.entries(given)) {
    if (!needed.has(name)) return `${name} is not among the secrets of this upstream.`;
    if (value === '' || value.includes('\0')) return `The value of ${name} is empty or holds a NUL character.`;
    if (transport.kind === 'http' && !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      return `The value of ${name} holds characters that no header can hold.`;
    }
  }
  for (const [name, place] of needed) {
    if (given[name] === undefined && !isStored(place)) return `${name} has no value.`;
  }
  return null;
}

/** For the audit: names only. A word of a command line, or the query of an address, may be somebody's secret. */
export function whatRuns(transport: UpstreamTransport): Readonly<Record<string, unknown>> {
  switch (transport.kind) {
    case 'stdio':
      return { transport: 'stdio', command: transport.command };
    case 'http':
      return { transport: 'http', origin: new URL(transport.url).origin };
    case 'demo':
      return { transport: 'demo' };
  }
}

function refuseStdio(transport: Extract<UpstreamTransport, { kind: 'stdio' }>): string | null {
  if (transport.command.trim() === '') return 'The command is empty.';
  if ([transport.command, ...transport.args, transport.cwd ?? ''].some((word) => word.includes('\0'))) {
    return 'The command holds a character (NUL) that no command line can hold.';
  }
  if (transport.cwd !== null && !transport.cwd.startsWith('/') && !/^[A-Za-z]:[\\/]/.test(transport.cwd)) {
    return `The working folder ${transport.cwd} is a relative path. Give its full path.`;
  }
  return transport.secretEnv.map(refuseEnvironmentName).find((reason) => reason !== null) ?? null;
}

function refuseHttp(transport: Extract<UpstreamTransport, { kind: 'http' }>): string | null {
  const url = URL.canParse(transport.url) ? new URL(transport.url) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    return `${JSON.stringify(transport.url)} is no http or https address.`;
  }
  if (url.username !== '' || url.password !== '') {
    return 'The address holds a user name or a password. Give them as a header instead; its value is kept in the keychain.';
  }
  const bad = transport.secretHeaders.find((name) => !HEADER.test(name) || RESERVED_HEADERS.test(name));
  if (bad !== undefined) return `${JSON.stringify(bad)} cannot be set as a header of an upstream.`;
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && transport.secretHeaders.length > 0) {
    return `Headers with secrets are not sent to ${url.host} over plain http, where anybody on the way reads them. Use https.`;
  }
  return null;
}

function definitionOf(row: unknown): UpstreamDefinition {
  const { id, workspace_id, name, tags, enabled, settings, sign_in, capabilities, resolved_command, ...stored } =
    rowSchema.parse(row);
  const transport = transportSchema.parse(JSON.parse(stored.transport));
  return {
    id,
    workspaceId: workspace_id,
    name,
    transport,
    tags: z.array(z.string()).parse(JSON.parse(tags)),
    enabled: enabled === 1,
    settings: readSettings(settings),
    signIn: sign_in === null ? usualSignIn(transport) : signInSchema.parse(JSON.parse(sign_in)),
    capabilities: z.record(z.string(), z.unknown()).parse(JSON.parse(capabilities)),
    resolvedCommand: resolved_command,
  };
}

const rowSchema = z.object({
  id: z.string(),
  workspace_id: z.string(),
  name: z.string(),
  transport: z.string(),
  tags: z.string(),
  enabled: z.number(),
  settings: z.string(),
  sign_in: z.string().nullable(),
  capabilities: z.string(),
  resolved_command: z.string().nullable(),
});
export const transportSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('stdio'),
    command: z.string(),
    args: z.array(z.string()),
    secretEnv: z.array(z.string()),
    cwd: z.string().nullable(),
  }),
  z.object({ kind: z.literal('http'), url: z.string(), secretHeaders: z.array(z.string()) }),
  z.object({ kind: z.literal('demo') }),
]);

const COLUMNS = 'id, workspace_id, name, transport, tags, enabled, settings, sign_in, capabilities, resolved_command';
const NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;
const TAG = /^[a-z0-9][a-z0-9_-]{0,31}$/;
/** RFC 9110, 5.6.2. */
const HEADER = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;
/** What the transport itself says, or what would change where a message ends. */
const RESERVED_HEADERS =
  /^(host|connection|content-.*|transfer-encoding|te|trailer|upgrade|accept|expect|keep-alive|proxy-.*|mcp-.*|last-event-id)$/i;
