import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import { connectionsSchema } from '../../../electron/core/connections/connection-table.ts';
import { type Connections, createConnections } from '../../../electron/core/connections/connections.ts';
import { createRenewals, type Renewals } from '../../../electron/core/connections/renewals.ts';
import { silentLog } from '../../../electron/core/diagnosis/log.ts';
import { type Clock, systemClock } from '../../../electron/core/platform.ts';
import { createVault, secretsSchema, type Vault } from '../../../electron/core/secrets/vault.ts';
import { upstreamSignInSchema, upstreamsSchema } from '../../../electron/core/upstreams/upstreams.ts';
import type { ConnectionView, SignIn } from '../../../shared/connections.ts';
import type { UpstreamTransport } from '../../../shared/model.ts';
import { createMemoryKeychain, type MemoryKeychain } from '../../support/memory-keychain.ts';
import { type Rig, rig } from '../upstreams/rig.ts';
import type { TokenVendor } from './token-vendor.ts';

/** Real upstreams, real accounts, a real vault: all over one real database. */
export interface World {
  readonly rig: Rig;
  readonly connections: Connections;
  readonly vault: Vault;
  readonly keychain: MemoryKeychain;
  readonly db: Database.Database;
  readonly folder: string;
  readonly renewals: Renewals;
  /** Adds the upstream, waits for its first end, and signs one account in with this grant. */
  connected(vendor: TokenVendor, grant?: ReturnType<TokenVendor['grant']>, label?: string): Promise<Connected>;
  add(name: string, transport: UpstreamTransport, signIn?: SignIn): Promise<string>;
  connect(wanted: Parameters<Connections['connect']>[0]): Promise<ConnectionView>;
}

export interface Connected {
  readonly upstreamId: string;
  readonly connection: ConnectionView;
}

export function world(
  options: { readonly clock?: Clock; readonly folder?: string; readonly keychain?: MemoryKeychain } = {},
): World {
  const clock = options.clock ?? systemClock;
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'connections-'));
  const db = new Database(join(folder, 'state.db'));
  const isNew = db.pragma('user_version', { simple: true }) === 0;
  if (isNew)
    db.exec(`${upstreamsSchema};${upstreamSignInSchema};${secretsSchema};${connectionsSchema};PRAGMA user_version = 1`);
  db.pragma('journal_mode = WAL');
  db.pragma('foreign_keys = ON');
  const keychain = options.keychain ?? createMemoryKeychain();
  const vault = createVault({ db, clock, keychain, masterKeyFile: null });
  const upstreamRig = rig({
    db,
    clock,
    vault,
    credentialsFor: (upstreamId, connectionId) => connections.credentialsFor(upstreamId, connectionId),
  });
  const renewals = createRenewals({
    environment: {},
    lookup: undefined,
    clock,
    version: '0',
    registrations: { forget() {} },
    boundsOf: () => ({ upstream: 'vendor', url: 'http://127.0.0.1:1/', allowPrivate: true }),
  });
  const connections = createConnections({
    db,
    clock,
    vault,
    renewals,
    audit: { writeSoon: (entry) => void (upstreamRig.events as unknown[]).push(entry) },
    log: silentLog,
    upstream: upstreamRig.upstreams.definition,
    workspaceName: () => 'Personal',
    running: true,
    replaced: upstreamRig.upstreams.accountReplaced,
  });
  onTestFinished(() => connections.close());
  const it: World = {
    rig: upstreamRig,
    connections,
    vault,
    keychain,
    db,
    folder,
    renewals,
    async add(name, transport, signIn) {
      const { id } = await upstreamRig.add(name, transport);
      if (signIn === undefined) return id;
      const set = await upstreamRig.upstreams.setSignIn(id, signIn, undefined);
      if (set.kind === 'refused') throw new Error(set.message);
      return id;
    },
    async connect(wanted) {
      const made = await connections.connect(wanted);
      if (made.kind === 'refused') throw new Error(made.message);
      return made.connection;
    },
    async connected(vendor, grant = vendor.grant({ now: clock.now() }), label = 'work') {
      const upstreamId = await it.add('vendor', { kind: 'http', url: vendor.url, secretHeaders: [] });
      await upstreamRig.until(upstreamId, 'failed');
      const connection = await it.connect({ upstreamId, label, connectionId: null, grant });
      await upstreamRig.until(upstreamId, 'ready');
      return { upstreamId, connection };
    },
  };
  return it;
}
