import { createErrand } from './errand.ts';
import type { Tokens } from './grant.ts';
import type { OutboundBounds, OutboundParts } from './outbound.ts';
import { type Renewal, renew, revoke } from './token-endpoint.ts';
import { createTrace } from './trace.ts';

/** What the vendor of a grant is asked without the person. */
export interface Renewals {
  renew(upstreamId: string, grant: Tokens): Promise<Renewal<Tokens>>;
  /** RFC 7009. What the vendor did not do, in one sentence; null: it ended the grant. */
  revoke(upstreamId: string, grant: Tokens): Promise<string | null>;
}

export interface RenewalsParts extends OutboundParts {
  /** Null: the upstream was removed. */
  boundsOf(upstreamId: string): OutboundBounds | null;
}

export function createRenewals(parts: RenewalsParts): Renewals {
  function errandFor(upstreamId: string, grant: Tokens) {
    const gone = { upstream: 'The upstream', url: grant.usedAt, allowPrivate: false };
    return createErrand(parts, parts.boundsOf(upstreamId) ?? gone, createTrace(parts.clock));
  }
  return {
    renew: (upstreamId, grant) => renew(errandFor(upstreamId, grant), grant),
    async revoke(upstreamId, grant) {
      const ended = await revoke(errandFor(upstreamId, grant), grant);
      return ended.kind === 'revoked' ? null : ended.note;
    },
  };
}
