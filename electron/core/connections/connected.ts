import type { Attempt, Ending } from './attempt.ts';
import type { Connections } from './connections.ts';
import { fault } from './faults.ts';
import type { OutboundParts } from './outbound.ts';

/** What every mode needs to come to a connection. */
export interface Connecting {
  readonly outbound: OutboundParts;
  readonly connections: Pick<Connections, 'connect'>;
}

/** The last step of every sign-in: the account is kept, durably, and from then on it is connected. */
export async function connect(
  { connections }: Connecting,
  { upstream, label, connection, keeping }: Attempt,
  grant: Parameters<Connections['connect']>[0]['grant'],
): Promise<Ending> {
  const { id: upstreamId, name } = upstream;
  // The person gave up while the vendor answered: what came is thrown away.
  if (!keeping()) return fault('cancelled', { upstream: name });
  const kept = await connections.connect({ upstreamId, label, connectionId: connection?.id ?? null, grant });
  if (kept.kind === 'refused') return fault('secret_unavailable', { upstream: name, detail: kept.message });
  return { kind: 'connected', connection: kept.connection };
}
