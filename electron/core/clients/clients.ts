import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type BetterSqlite3 from 'better-sqlite3';
import type { Client, ClientView, Key, Role, Workspace } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import type { SealedTable } from '../seals/sealed-table.ts';
import { codeOf } from '../store/files.ts';
import { createExpiryWatch } from './expiry.ts';
import { createKeys, type KeyRow, keyFits, keyOf, mintKey, parseBearer, shownPart } from './keys.ts';
import { BAD_LABEL, freeLabel, parseLabel } from './label.ts';
import { createOnwardClock } from './onward-clock.ts';
import { createPins } from './pins.ts';
import { createWorkspaces, unknownWorkspace } from './workspaces.ts';

/** The caller is told only `401 unauthorized`; the audit is told which. */
export type RefusedKey =
  | 'missing'
  | 'malformed'
  | 'wrong'
  | 'revoked'
  | 'expired'
  | 'other_workspace'
  /** A token of a program that signed in by itself, for another address than the one it was given for. */
  | 'other_resource';

export type Authentication =
  | { readonly kind: 'accepted'; readonly client: Client; readonly key: Key; readonly workspace: Workspace }
  | {
      readonly kind: 'refused';
      readonly why: RefusedKey /** Where the key is one of ours. */;
      readonly keyPrefix: string | null;
    };

export interface NewKey {
  readonly workspaceId: string;
  readonly role: Role;
  readonly name: string;
  readonly expiresAt: number | null;
  readonly upstreams: readonly string[] | null;
  readonly scopeTags: readonly string[];
}

/** A program that signed in by itself, as the person confirmed it. */
export interface NewSignIn {
  readonly workspaceId: string;
  /** Untrusted text. */
  readonly callsItself: string;
  /** What signs in, and for which address: its earlier sign-in ends with this one, and its client stays. */
  readonly registration: string;
  readonly upstreams: readonly string[] | null;
  readonly expiresAt: number;
}

export interface ClientChange {
  readonly name?: string;
  readonly callsItself?: string | null;
  readonly tags?: readonly string[];
  readonly upstreams?: readonly string[] | null;
  readonly scopeTags?: readonly string[];
  readonly holdMs?: number;
}

export type ClientsResult<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'refused'; readonly message: string };

export interface Clients {
  /** `header` is the raw Authorization header; `workspaceSlug` is set for `/w/<slug>/…`, null means any. */
  authenticate(header: string | undefined, workspaceSlug: string | null): Authentication;
  /** The same for a key that is known by its id: that of a program that signed in by itself. */
  authenticateKey(keyId: string, workspaceSlug: string | null): Authentication;
  /** The client that a sign-in of this registration would take up again; null: a new one is made. */
  signedIn(registration: string, workspaceId: string): Client | null;
  signIn(wanted: NewSignIn): ClientsResult<{ readonly key: Key; readonly client: Client }>;
  /** The sign-in was used: it ends later now. Nothing happens to a key that has ended. */
  extendKey(keyId: string, expiresAt: number): void;
  createKey(wanted: NewKey): ClientsResult<{ readonly secret: string; readonly key: Key; readonly client: Client }>;
  /** By id or by shown prefix. */
  revokeKey(key: string): ClientsResult<Key>;
  rotateKey(key: string): ClientsResult<{ readonly secret: string; readonly key: Key }>;
  /** True while the key is neither revoked nor expired. */
  keyIsLive(keyId: string): boolean;
  get(clientId: string): Client | null;
  list(workspaceId?: string): readonly ClientView[];
  set(clientId: string, change: ClientChange): ClientsResult<ClientView>;
  /** The client as it calls itself now. Kept when the disk takes it, and never a reason to turn a request away. */
  introduced(client: Client, callsItself: string): Client;
  pins(clientId: string): readonly string[];
  /** Exposed names; pins shape listing only. */
  setPins(clientId: string, names: readonly string[]): void;
  workspaces(): readonly Workspace[];
  workspace(slugOrIdOrName: string): Workspace | null;
  /** From memory, for records. */
  workspaceName(id: string): string | null;
  /** The workspace used when none is named; created as "Personal" at first start. */
  defaultWorkspace(): Workspace;
  createWorkspace(name: string): ClientsResult<Workspace>;
  renameWorkspace(id: string, name: string): ClientsResult<Workspace>;
  /** Refused while it still has upstreams or live keys, and for the last one. */
  removeWorkspace(id: string): ClientsResult<Workspace>;
  /** Told of every key that ended (revoked, rotated away, expired while we run): open streams and waiting calls of it end. */
  onKeyEnded(listener: (keyId: string) => void): () => void;
  onChange(listener: () => void): () => void;
}

/** Lists are JSON; `upstreams` is null where the client may see every upstream of its workspace. */
export const clientsSchema = `
  CREATE TABLE clients (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL COLLATE NOCASE,
    calls_itself TEXT,
    tags TEXT NOT NULL CHECK (json_type(tags) = 'array'),
    upstreams TEXT CHECK (upstreams IS NULL OR json_type(upstreams) = 'array'),
    scope_tags TEXT NOT NULL CHECK (json_type(scope_tags) = 'array'),
    hold_ms INTEGER NOT NULL CHECK (hold_ms BETWEEN 0 AND 600000),
    created_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX clients_of_workspace ON clients (workspace_id, name);
`;

/** Which rules are meant for a client, and what it can see. */
export const sealedClients: SealedTable = {
  table: 'clients',
  id: '{row}.id',
  members: {
    workspace: '{row}.workspace_id',
    name: '{row}.name',
    tags: '{row}.tags',
    upstreams: '{row}.upstreams',
  },
  mend: {
    setBack: `
      UPDATE clients SET workspace_id = @row ->> 'workspace', name = @row ->> 'name', tags = @row ->> 'tags',
        upstreams = @row ->> 'upstreams'
      WHERE id = @id`,
    // It sees nothing until the person says what.
    withdraw: "UPDATE clients SET upstreams = '[]', tags = '[]' WHERE id = @id",
  },
};

/**
 * A label names one client with a live key in its workspace. A client whose keys have all ended gives its label free, so
 * that a new client can take its place without taking over its standing approvals.
 */
export function createClients(parts: { readonly db: BetterSqlite3.Database; readonly clock: Clock }): Clients {
  const { db } = parts;
  const clock = createOnwardClock(parts.clock);
  const workspaces = createWorkspaces({ db, clock });
  const keys = createKeys({ db, clock });
  const pins = createPins(db);
  const keyEnded = new Set<(keyId: string) => void>();
  const listeners = new Set<() => void>();
  const expiry = createExpiryWatch(clock, (keyId) => {
    endKey(keyId);
    tellChange();
  });
  /** Compared where no row has the prefix, so that both refusals cost the same. */
  const decoy = mintKey();

  const sql = {
    byPrefix: db.prepare<[string], Joined>(`${JOIN} WHERE keys.prefix = ?`),
    byKeyId: db.prepare<[string], Joined>(`${JOIN} WHERE keys.id = ?`),
    get: db.prepare<[string], ClientRow>('SELECT * FROM clients WHERE id = ?'),
    all: db.prepare<[], ClientRow>('SELECT * FROM clients ORDER BY created_at, rowid'),
    named: db
      .prepare<[string, string, string, number], string>(
        `SELECT clients.id FROM clients JOIN keys ON keys.client_id = clients.id
         WHERE workspace_id = ? AND name = ? AND clients.id <> ?
           AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)`,
      )
      .pluck(),
    liveIn: db
      .prepare<[string, number], number>(
        `SELECT count(*) FROM clients JOIN keys ON keys.client_id = clients.id
         WHERE workspace_id = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)`,
      )
      .pluck(),
    add: db.prepare(
      `INSERT INTO clients (id, workspace_id, name, calls_itself, tags, upstreams, scope_tags, hold_ms, created_at)
       VALUES (?, ?, ?, NULL, '[]', ?, ?, ?, ?)`,
    ),
    set: db.prepare(
      'UPDATE clients SET name = ?, calls_itself = ?, tags = ?, upstreams = ?, scope_tags = ?, hold_ms = ? WHERE id = ?',
    ),
  };

  for (const key of keys.all()) if (key.revokedAt === null) expiry.watch(key.id, key.expiresAt);

  function endKey(keyId: string): void {
    expiry.forget(keyId);
    for (const listener of [...keyEnded]) listener(keyId);
  }

  function tellChange(): void {
    for (const listener of [...listeners]) listener();
  }

  function done<T>(value: T): ClientsResult<T> {
    tellChange();
    return { kind: 'done', value };
  }

  function get(clientId: string): Client | null {
    const row = sql.get.get(clientId);
    return row ? clientOf(row) : null;
  }

  function viewOf(client: Client): ClientView {
    return {
      ...client,
      workspace: workspaces.find(client.workspaceId)?.name ?? '',
      keys: keys.ofClient(client.id),
    };
  }

  /** A key that can still be revoked or rotated. */
  function liveKey(text: string): Extract<ClientsResult<Key>, { kind: 'refused' }> | { kind: 'live'; key: Key } {
    const key = keys.find(text);
    if (!key) return refused(`There is no key “${shownPart(text)}”. \`gatehouse keys list\` shows them.`);
    if (key.revokedAt !== null) return refused(`Key ${key.prefix} was already revoked.`);
    if (!keys.isLive(key.id)) return refused(`Key ${key.prefix} has expired. Create a new key.`);
    return { kind: 'live', key };
  }

  const rotate = db.transaction((old: Key) => {
    keys.revoke(old.id);
    return keys.add(old.clientId, old.role, old.expiresAt);
  });

  function add(wanted: Pick<NewKey, 'workspaceId' | 'upstreams' | 'scopeTags'>, name: string): string {
    const id = randomBytes(16).toString('hex');
    const upstreams = wanted.upstreams && JSON.stringify(wanted.upstreams);
    sql.add.run(id, wanted.workspaceId, name, upstreams, JSON.stringify(wanted.scopeTags), HOLD_MS, clock.now());
    return id;
  }

  const create = db.transaction((wanted: NewKey, name: string) => {
    const id = add(wanted, name);
    return { ...keys.add(id, wanted.role, wanted.expiresAt), client: get(id)! };
  });

  function liveKeysOf(registration: string, workspaceId: string): readonly Key[] {
    return keys.ofRegistration(registration).filter(({ clientId }) => get(clientId)?.workspaceId === workspaceId);
  }

  const signIn = db.transaction((wanted: NewSignIn, earlier: readonly Key[]) => {
    for (const { id } of earlier) keys.revoke(id);
    const isTaken = (name: string) => sql.named.get(wanted.workspaceId, name, '', clock.now()) !== undefined;
    const id = earlier[0]?.clientId ?? add({ ...wanted, scopeTags: [] }, freeLabel(wanted.callsItself, isTaken));
    return { key: keys.addSignedIn(id, wanted.expiresAt, wanted.registration), client: get(id)! };
  });

  function acceptedRow(row: Joined, workspaceSlug: string | null): Authentication {
    if (row.revoked_at !== null) return unauthorized('revoked', row.prefix);
    if (row.expires_at !== null && row.expires_at <= clock.now()) return unauthorized('expired', row.prefix);
    if (workspaceSlug !== null && workspaceSlug !== row.workspace_slug) {
      return unauthorized('other_workspace', row.prefix);
    }
    const key = keyOf(row);
    keys.used(key);
    return { kind: 'accepted', key, ...clientAndWorkspaceOf(row) };
  }

  function set(clientId: string, change: ClientChange): ClientsResult<ClientView> {
    const client = get(clientId);
    if (!client) return refused(`There is no client “${clientId}”. \`gatehouse clients list\` shows them.`);
    const next = changed(client, change);
    if (next === null) return refused(BAD_LABEL);
    if (change.name !== undefined && sql.named.get(client.workspaceId, next.name, client.id, clock.now())) {
      return refused(taken(next.name, workspaces.find(client.workspaceId)?.name ?? ''));
    }
    if (!Number.isInteger(next.holdMs) || next.holdMs < 0 || next.holdMs > LONGEST_HOLD_MS) {
      return refused('A held call waits between 0 and 600 seconds.');
    }
    // A program says its name at every start; only news is written.
    if (isDeepStrictEqual(next, client)) return { kind: 'done', value: viewOf(client) };
    const { name, callsItself, tags, scopeTags, holdMs, id } = next;
    const upstreams = next.upstreams && JSON.stringify(next.upstreams);
    sql.set.run(name, callsItself, JSON.stringify(tags), upstreams, JSON.stringify(scopeTags), holdMs, id);
    return done(viewOf(next));
  }

  return {
    authenticate(header, workspaceSlug) {
      const read = parseBearer(header);
      if (read.kind === 'missing' || read.kind === 'malformed') return unauthorized(read.kind, null);
      if (read.prefix === null) return unauthorized('wrong', null);
      const row = sql.byPrefix.get(read.prefix);
      const fits = read.kind === 'key' && keyFits(row ?? decoy, read.secret);
      if (!row || !fits) return unauthorized('wrong', row ? row.prefix : null);
      return acceptedRow(row, workspaceSlug);
    },
    authenticateKey(keyId, workspaceSlug) {
      const row = sql.byKeyId.get(keyId);
      return row === undefined ? unauthorized('wrong', null) : acceptedRow(row, workspaceSlug);
    },
    signedIn(registration, workspaceId) {
      const [key] = liveKeysOf(registration, workspaceId);
      return key === undefined ? null : get(key.clientId);
    },
    signIn(wanted) {
      if (!workspaces.list().some(({ id }) => id === wanted.workspaceId))
        return refused(unknownWorkspace(wanted.workspaceId));
      const earlier = liveKeysOf(wanted.registration, wanted.workspaceId);
      const made = signIn(wanted, earlier);
      expiry.watch(made.key.id, made.key.expiresAt);
      for (const { id } of earlier) endKey(id);
      return done(made);
    },
    extendKey(keyId, expiresAt) {
      if (!keys.isLive(keyId)) return;
      keys.extend(keyId, expiresAt);
      expiry.watch(keyId, expiresAt);
    },
    createKey(wanted) {
      const name = parseLabel(wanted.name);
      if (name === null) return refused(BAD_LABEL);
      const workspace = workspaces.list().find((it) => it.id === wanted.workspaceId);
      if (!workspace) return refused(unknownWorkspace(wanted.workspaceId));
      if (wanted.expiresAt !== null && wanted.expiresAt <= clock.now()) {
        return refused('The key would already have expired. Give a date in the future.');
      }
      if (sql.named.get(workspace.id, name, '', clock.now())) return refused(taken(name, workspace.name));
      const created = create(wanted, name);
      expiry.watch(created.key.id, created.key.expiresAt);
      return done(created);
    },
    revokeKey(text) {
      const found = liveKey(text);
      if (found.kind === 'refused') return found;
      keys.revoke(found.key.id);
      endKey(found.key.id);
      return done(keys.find(found.key.id)!);
    },
    rotateKey(text) {
      const found = liveKey(text);
      if (found.kind === 'refused') return found;
      if (found.key.signedIn) return refused(SIGNED_IN(found.key.prefix));
      const rotated = rotate(found.key);
      expiry.watch(rotated.key.id, rotated.key.expiresAt);
      endKey(found.key.id);
      return done(rotated);
    },
    keyIsLive: keys.isLive,
    get,
    list(workspaceId) {
      const clients = sql.all.all().map(clientOf);
      return clients.filter((it) => workspaceId === undefined || it.workspaceId === workspaceId).map(viewOf);
    },
    set,
    introduced(client, callsItself) {
      const next = changed(client, { callsItself }) ?? client;
      try {
        if (next.callsItself !== client.callsItself) set(client.id, { callsItself });
      } catch (error) {
        if (!codeOf(error).startsWith('SQLITE_')) throw error;
      }
      return next;
    },
    pins: pins.of,
    setPins(clientId, names) {
      pins.set(clientId, names);
      tellChange();
    },
    workspaces: workspaces.list,
    workspace: workspaces.find,
    workspaceName: workspaces.nameOf,
    defaultWorkspace: workspaces.default,
    createWorkspace(name) {
      const result = workspaces.create(name);
      return result.kind === 'done' ? done(result.value) : result;
    },
    renameWorkspace(id, name) {
      const result = workspaces.rename(id, name);
      return result.kind === 'done' ? done(result.value) : result;
    },
    removeWorkspace(id) {
      const workspace = workspaces.find(id);
      if (workspace && sql.liveIn.get(workspace.id, clock.now())) {
        return refused(`Workspace “${workspace.name}” still has live keys. Revoke them first.`);
      }
      const result = workspaces.remove(id);
      return result.kind === 'done' ? done(result.value) : result;
    },
    onKeyEnded: (listener) => listen(keyEnded, listener),
    onChange: (listener) => listen(listeners, listener),
  };
}

interface ClientRow {
  readonly id: string;
  readonly workspace_id: string;
  readonly name: string;
  readonly calls_itself: string | null;
  readonly tags: string;
  readonly upstreams: string | null;
  readonly scope_tags: string;
  readonly hold_ms: number;
  readonly created_at: number;
}

/** One key with its client and workspace, whose names that clash are prefixed. */
type Joined = KeyRow &
  Omit<ClientRow, 'id' | 'created_at'> & {
    readonly client_created_at: number;
    readonly workspace_slug: string;
    readonly workspace_name: string;
    readonly workspace_created_at: number;
  };

const JOIN = `
  SELECT keys.*, clients.workspace_id, clients.name, clients.calls_itself, clients.tags, clients.upstreams,
    clients.scope_tags, clients.hold_ms, clients.created_at AS client_created_at, workspaces.slug AS workspace_slug,
    workspaces.name AS workspace_name, workspaces.created_at AS workspace_created_at
  FROM keys JOIN clients ON clients.id = keys.client_id JOIN workspaces ON workspaces.id = clients.workspace_id`;

/** Design section 3: how long a parked call holds its response unless the person says otherwise. */
const HOLD_MS = 50_000;
const LONGEST_HOLD_MS = 600_000;
const LONGEST_CALLS_ITSELF = 200;

const refused = (message: string) => ({ kind: 'refused', message }) as const;

const SIGNED_IN = (prefix: string) =>
  `${prefix} is a program that signed in by itself; nobody holds a key that could be replaced. Revoke it, and the program signs in again.`;

const unauthorized = (why: RefusedKey, keyPrefix: string | null) => ({ kind: 'refused', why, keyPrefix }) as const;

function taken(name: string, workspace: string): string {
  return `Workspace “${workspace}” already has a client “${name}”. Rotate its key, or choose another name.`;
}

/** Members that are not given stay. Null when the new label is none. */
function changed(client: Client, change: ClientChange): Client | null {
  const name = change.name === undefined ? client.name : parseLabel(change.name);
  if (name === null) return null;
  const callsItself = change.callsItself === undefined ? client.callsItself : change.callsItself;
  return {
    ...client,
    name,
    callsItself: callsItself?.slice(0, LONGEST_CALLS_ITSELF).toWellFormed() ?? null,
    tags: change.tags ?? client.tags,
    upstreams: change.upstreams === undefined ? client.upstreams : change.upstreams,
    scopeTags: change.scopeTags ?? client.scopeTags,
    holdMs: change.holdMs ?? client.holdMs,
  };
}

function clientAndWorkspaceOf(row: Joined): { readonly client: Client; readonly workspace: Workspace } {
  return {
    client: clientOf({ ...row, id: row.client_id, created_at: row.client_created_at }),
    workspace: {
      id: row.workspace_id,
      slug: row.workspace_slug,
      name: row.workspace_name,
      createdAt: row.workspace_created_at,
    },
  };
}

function clientOf(row: ClientRow): Client {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    name: row.name,
    callsItself: row.calls_itself,
    tags: JSON.parse(row.tags),
    upstreams: row.upstreams === null ? null : JSON.parse(row.upstreams),
    scopeTags: JSON.parse(row.scope_tags),
    holdMs: row.hold_ms,
    createdAt: row.created_at,
  };
}

function listen<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
