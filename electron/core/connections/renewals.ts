import { createErrand } from './errand.ts';
import type { Tokens } from './grant.ts';
import type { OutboundBounds, OutboundParts } from './outbound.ts';
import type { Registrations } from './registrations.ts';
import { revoke } from './revocation.ts';
import { type Renewal, renew } from './token-endpoint.ts';
import { createTrace } from './trace.ts';

/** What the vendor of a grant is asked without the person. */
export interface Renewals {
  renew(upstreamId: string, grant: Tokens): Promise<Renewal<Tokens>>;
  /** RFC 7009. What the vendor did not do, in one sentence; null: it ended the grant. */
  revoke(upstreamId: string, grant: Tokens): Promise<string | null>;
}

export interface RenewalsParts extends OutboundParts {
  readonly registrations: Pick<Registrations, 'forget'>;
  /** Null: the upstream was removed. */
  boundsOf(upstreamId: string): OutboundBounds | null;
}

export function createRenewals(parts: RenewalsParts): Renewals {
  function errandFor(upstreamId: string, grant: Tokens) {
    const gone = { upstream: 'The upstream', url: grant.usedAt, allowPrivate: false };
    return createErrand(parts, parts.boundsOf(upstreamId) ?? gone, createTrace(parts.clock));
  }
  return {
    async renew(upstreamId, grant) {
      const renewal = await renew(errandFor(upstreamId, grant), grant);
      // The vendor's page for a client it does not know leads nowhere: the next sign-in registers anew.
      if (renewal.kind === 'dead' && renewal.clientRefused) parts.registrations.forget(upstreamId, grant.issuer);
      return renewal;
    },
    async revoke(upstreamId, grant) {
      const ended = await revoke(errandFor(upstreamId, grant), grant);
      return ended.kind === 'revoked' ? null : ended.note;
    },
  };
}
