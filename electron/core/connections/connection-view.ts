import type { ConnectionView } from '../../../shared/connections.ts';
import type { Vault, VaultState } from '../secrets/vault.ts';
import type { Connection, ConnectionTable } from './connection-table.ts';
import { grantPlace } from './grant.ts';
import { GONE, type Grants, lostWith } from './grants.ts';
import { misfitOf, type UpstreamFacts } from './presented.ts';

export interface ConnectionViewParts {
  readonly table: Pick<ConnectionTable, 'choosers'>;
  readonly grants: Pick<Grants, 'isHeld' | 'shut'>;
  readonly vault: Pick<Vault, 'has'>;
  vaultState(): VaultState;
  upstream(id: string): UpstreamFacts | null;
}

/** An account as it is shown: nothing secret, and the state it is in now. */
export function createConnectionView(parts: ConnectionViewParts): (connection: Connection) => ConnectionView {
  function stateOf(
    { id, state, reason, mode, usedAt }: Connection,
    upstream: UpstreamFacts | null,
  ): Pick<ConnectionView, 'state' | 'reason'> {
    if (state === 'signed_out' || state === 'reconnect') return { state, reason };
    const unfit = upstream === null ? null : misfitOf(mode, usedAt, upstream);
    if (unfit !== null) return { state: 'reconnect', reason: unfit };
    const shut = parts.grants.shut(id);
    if (shut !== null && shut.why !== 'locked') return { state: 'reconnect', reason: shut.reason };
    // Looked at with every call: what is in memory was read.
    if (parts.grants.isHeld(id)) return { state, reason };
    if (!parts.vault.has(grantPlace(id))) return { state: 'reconnect', reason: GONE };
    const vault = parts.vaultState();
    if (vault.kind === 'ready') return { state, reason };
    if (vault.kind === 'lost') return { state: 'reconnect', reason: lostWith(vault.reason) };
    return { state: 'locked', reason: vault.reason };
  }

  return (connection) => {
    const { id, upstreamId, label, mode, issuer, scopes, asksFor, expiresAt, renews, isDefault } = connection;
    const upstream = parts.upstream(upstreamId);
    return {
      id,
      workspaceId: upstream?.workspaceId ?? '',
      upstreamId,
      upstream: upstream?.name ?? '',
      label,
      mode,
      ...stateOf(connection, upstream),
      issuer,
      scopes,
      asksFor,
      expiresAt,
      renews,
      isDefault,
      defaultFor: parts.table.choosers(id),
      connectedAt: connection.connectedAt,
      lastUsedAt: connection.lastUsedAt,
    };
  };
}
