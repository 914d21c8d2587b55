import type { Client, Decision } from '../../../shared/model.ts';
import type { Clients } from '../clients/clients.ts';
import type { Connections } from '../connections/connections.ts';
import type { Clock } from '../platform.ts';
import { alwaysDenied, decide } from '../policy/decide.ts';
import type { Policies } from '../policy/policy.ts';
import type { Found } from './aim.ts';
import { foreseenFacts } from './facts.ts';

/** What the policy would say of a tool before anybody calls it: for lists and searches. */
export interface Foresight {
  /** Of a call without arguments, as the account that the client's calls go out with. */
  foresee(client: Client, found: Found): Decision;
  /** Whether no call of it is ever allowed, whatever its arguments and account. */
  neverAllowed(client: Client): (found: Found) => boolean;
}

export function createForesight(parts: {
  readonly clients: Pick<Clients, 'workspace'>;
  readonly policies: Pick<Policies, 'get'>;
  readonly connections: Pick<Connections, 'choose'>;
  readonly clock: Clock;
}): Foresight {
  const { clients, policies, connections, clock } = parts;
  const workspaceOf = (client: Client) => clients.workspace(client.workspaceId)?.name ?? '';
  return {
    foresee(client, found) {
      const chosen = connections.choose(client.id, found.upstream.id, null);
      const connection = chosen.kind === 'chosen' ? chosen.connection : null;
      const facts = foreseenFacts(workspaceOf(client), client, found, connection, clock.now(), {});
      return decide(policies.get(client.workspaceId).policy, facts);
    },
    neverAllowed(client) {
      // Read once for a whole list: of thousands of tools, each look at the database would be felt by everybody.
      const workspace = workspaceOf(client);
      const { policy } = policies.get(client.workspaceId);
      const now = clock.now();
      return (found) => alwaysDenied(policy, foreseenFacts(workspace, client, found, null, now, undefined));
    },
  };
}
