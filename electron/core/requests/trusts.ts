import type { Handlers } from '../api.ts';
import type { Trusts } from '../approvals/trusts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Clients } from '../clients/clients.ts';
import type { Widening } from './widening.ts';

/** Starting trust widens and is the person's; ending it narrows and is done at once. */
export function trustRequests(parts: {
  readonly trusts: Trusts;
  readonly clients: Pick<Clients, 'get'>;
  readonly audit: Audit;
  readonly widening: Widening;
  /** Trust lives in the running app; a command that opened the data folder by itself would take it away at once. */
  readonly running: boolean;
}): Pick<Handlers, 'trustStart' | 'trustEnd'> {
  const { trusts, clients, audit, widening, running } = parts;
  trusts.onEnd((trust, because) => {
    audit.writeSoon({
      phase: 'event',
      kind: 'trust_ended',
      clientId: trust.clientId,
      client: trust.client,
      outcome: 'done',
      detail: { trust: trust.id, because, used: trust.usedCount },
    });
  });
  return {
    async trustStart({ client: wanted, minutes }, caller) {
      if (!running)
        return {
          kind: 'refused',
          message: 'Gatehouse is not running, and trust ends with it. Start it, then try again.',
        };
      if (clients.get(wanted) === null) return { kind: 'refused', message: 'There is no such client.' };
      const refusal = await widening(
        {
          kind: 'trust',
          title: `Allow everything from ${clients.get(wanted)?.name ?? ''} for ${minutes} minutes`,
          lines: [
            { label: 'Covers', value: 'every call that a rule would ask you about' },
            { label: 'Does not cover', value: 'destructive tools, and what a rule denies' },
            { label: 'Ends', value: `after ${minutes} minutes, when the screen is locked, or when Gatehouse is quit` },
          ],
        },
        caller,
      );
      if (refusal !== null) return refusal;
      // Asked for anew: it may have been removed while the person thought about it.
      const client = clients.get(wanted);
      if (client === null) return { kind: 'refused', message: 'The client was removed meanwhile.' };
      const trust = trusts.start(client, minutes, caller.label);
      audit.writeSoon({
        phase: 'event',
        kind: 'trust_started',
        clientId: client.id,
        client: client.name,
        outcome: 'done',
        detail: { trust: trust.id, minutes, by: caller.label },
      });
      return { kind: 'done', trust };
    },

    trustEnd({ trust }) {
      return trusts.end(trust) ? { kind: 'done' } : { kind: 'refused', message: 'This trust has already ended.' };
    },
  };
}
