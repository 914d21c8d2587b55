import type BetterSqlite3 from 'better-sqlite3';
import type { Audit } from '../audit/audit.ts';
import type { Log } from '../diagnosis/log.ts';
import type { Clock } from '../platform.ts';
import type { Vault } from '../secrets/vault.ts';
import type { Upstreams } from '../upstreams/upstreams.ts';
import { type Connections, createConnections } from './connections.ts';
import { createKeptSignIns } from './kept-sign-ins.ts';
import { createProcedure } from './procedures.ts';
import { createRedirectPorts } from './redirect-ports.ts';
import { createRegistrations } from './registrations.ts';
import { createRenewals } from './renewals.ts';
import { createSignIns, type SignIns } from './sign-ins.ts';

export interface OpenedConnections {
  readonly connections: Connections;
  readonly signIns: SignIns;
  /** What else is known of the vendor of an upstream that was removed. */
  readonly forgetUpstream: readonly ((upstreamId: string) => void)[];
}

/** The accounts of `state.db`, and everything by which they sign in and stay so. */
export function openConnections(parts: {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
  readonly vault: Vault;
  readonly audit: Audit;
  readonly log: Log;
  readonly upstreams: Upstreams;
  readonly workspaceName: (id: string) => string | null;
  /** False: one command of the command line holds the data folder, and nothing is renewed behind it. */
  readonly running: boolean;
  /** Of Gatehouse, as told to vendors. */
  readonly version: string;
  /** Where our client metadata document is hosted; null: nowhere. */
  readonly metadataUrl: string | null;
}): OpenedConnections {
  const { db, clock, vault, audit, log, upstreams, workspaceName, running, version, metadataUrl } = parts;
  const outbound = { environment: process.env, lookup: undefined, clock, version };
  const registrations = createRegistrations({ db, vault, clock });
  const ports = createRedirectPorts(db);
  const connections = createConnections({
    db,
    clock,
    vault,
    audit,
    log,
    renewals: createRenewals({
      ...outbound,
      registrations,
      boundsOf(upstreamId) {
        const upstream = upstreams.definition(upstreamId);
        if (upstream === null || upstream.transport.kind !== 'http') return null;
        return { upstream: upstream.name, url: upstream.transport.url, allowPrivate: upstream.settings.allowPrivate };
      },
    }),
    upstream: upstreams.definition,
    workspaceName,
    running,
    replaced: upstreams.accountReplaced,
  });
  const signIns = createSignIns({
    clock,
    log,
    audit,
    kept: createKeptSignIns(db),
    connections,
    upstreams,
    workspaceName,
    procedure: createProcedure({ outbound, connections, upstreams, vault, registrations, ports, metadataUrl }),
  });
  return { connections, signIns, forgetUpstream: [registrations.forgetUpstream, ports.forget] };
}
