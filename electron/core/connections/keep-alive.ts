import type { Clock } from '../platform.ts';
import type { CredentialsFor } from '../upstreams/credentials.ts';
import type { ConnectionTable } from './connection-table.ts';
import type { UpstreamFacts } from './presented.ts';

/**
 * Vendors end a grant that nobody has used for some weeks. Who connects an account keeps it, whether agents call it or
 * not: one that has rested for a day is renewed, as its next call would do.
 */
export function keepAlive({
  clock,
  table,
  upstream,
  credentialsFor,
  running,
}: {
  readonly clock: Clock;
  readonly table: Pick<ConnectionTable, 'all'>;
  upstream(id: string): UpstreamFacts | null;
  readonly credentialsFor: CredentialsFor;
  readonly running: boolean;
}): { stop(): void } {
  let cancel = running ? clock.after(LOOK_MS, look) : () => {};

  function look(): void {
    const now = clock.now();
    for (const { id, upstreamId, state, renews, expiresAt } of table.all()) {
      const isLive = state === 'connected' || state === 'more_scopes';
      const rests = renews && expiresAt !== null && now - expiresAt >= RESTED_MS;
      if (isLive && rests && upstream(upstreamId)?.enabled === true) void credentialsFor(upstreamId, id).present();
    }
    cancel = clock.after(LOOK_MS, look);
  }

  return { stop: () => cancel() };
}

const LOOK_MS = 60 * 60_000;
const RESTED_MS = 24 * 60 * 60_000;
