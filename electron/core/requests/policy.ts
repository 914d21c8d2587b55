import type { Client, Decision, Workspace } from '../../../shared/model.ts';
import type { Handlers } from '../api.ts';
import type { Audit } from '../audit/audit.ts';
import type { Found } from '../call/aim.ts';
import { chooseConnection, type KnownConnections } from '../call/connection.ts';
import { foreseenFacts } from '../call/facts.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Clients } from '../clients/clients.ts';
import { readExactText } from '../exact-json.ts';
import type { Clock } from '../platform.ts';
import { comparePolicies } from '../policy/compare.ts';
import { explain } from '../policy/explain.ts';
import { lintPolicy } from '../policy/lint.ts';
import type { Policies } from '../policy/policy.ts';
import type { KnownNames } from '../policy/warnings.ts';
import type { Upstreams } from '../upstreams/upstreams.ts';
import { changePolicy } from './policy-change.ts';
import { upstreamOf } from './upstreams.ts';
import type { Widening } from './widening.ts';
import { workspaceOf } from './workspace-of.ts';

type Names = 'policyGet' | 'policyExport' | 'policyImport' | 'policyLint' | 'policyDiff' | 'policyDecide';

/** What the policy says of a tool before its arguments are known. */
export type Foresee = (client: Client, found: Found) => Decision;

export function policyRequests(parts: {
  readonly policies: Policies;
  readonly clients: Clients;
  readonly upstreams: Upstreams;
  readonly catalog: Pick<Catalog, 'findDirect'>;
  readonly connections: KnownConnections;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly widening: Widening;
}): Pick<Handlers, Names> {
  const { policies, clients, upstreams, catalog, connections, clock } = parts;

  /** What there is to match in a workspace now. */
  function knownNames({ id }: Workspace): KnownNames {
    const [servers, callers] = [upstreams.list(id), clients.list(id)];
    return {
      workspace: clients.workspaces().map(({ name }) => name),
      upstream: servers.map(({ name }) => name),
      tag: servers.flatMap(({ tags }) => tags),
      connection: servers.flatMap((server) => connections.list(server.id).map(({ label }) => label)),
      client: callers.map(({ name }) => name),
      clientTag: callers.flatMap(({ tags }) => tags),
    };
  }

  return {
    policyGet({ workspace }) {
      const found = workspaceOf(clients, workspace);
      if (found.kind === 'refused') return { policy: null, problem: found.message };
      const { policy, problem } = policies.get(found.workspace.id);
      return { policy, problem };
    },

    policyExport({ workspace }) {
      const found = workspaceOf(clients, workspace);
      if (found.kind === 'refused') return { yaml: `# ${found.message}\n` };
      const { policy, problem } = policies.get(found.workspace.id);
      if (policy === null) return { yaml: `# ${problem ?? 'There is no policy: every call is denied.'}\n` };
      return { yaml: policies.toYaml(policy) };
    },

    async policyImport({ workspace, yaml }, caller) {
      const found = workspaceOf(clients, workspace);
      if (found.kind === 'refused') return found;
      const parsed = policies.parseYaml(yaml);
      if (parsed.kind === 'refused') return parsed;
      const { workspace: of } = found;
      const title = `Replace the policy of ${of.name}`;
      const refusal = await changePolicy(parts, { workspace: of, policy: parsed.policy, title }, caller);
      if (refusal !== null) return refusal;
      return { kind: 'done', policy: parsed.policy };
    },

    policyLint({ workspace, yaml }) {
      const found = workspaceOf(clients, workspace);
      if (found.kind === 'refused') return found;
      const { policy, findings } = lintPolicy(yaml, knownNames(found.workspace));
      return { kind: 'done', findings, rules: policy?.rules.length ?? null };
    },

    policyDiff({ workspace, yaml }) {
      const found = workspaceOf(clients, workspace);
      if (found.kind === 'refused') return found;
      const parsed = policies.parseYaml(yaml);
      if (parsed.kind === 'refused') return parsed;
      return { kind: 'done', difference: comparePolicies(policies.get(found.workspace.id).policy, parsed.policy) };
    },

    policyDecide({ client: wantedClient, upstream: wantedUpstream, tool, connection: label, argumentsText, at }) {
      const client = clients.list().find((one) => one.id === wantedClient || one.name === wantedClient);
      if (client === undefined) return { kind: 'refused', message: `There is no client "${wantedClient}".` };
      const found = upstreamOf(upstreams, wantedUpstream);
      if (found.kind === 'refused') return found;
      const hit = catalog.findDirect(client, found.upstream.name, tool);
      if (hit === null)
        return { kind: 'refused', message: `"${client.name}" sees no tool "${tool}" of "${found.upstream.name}".` };
      const read = readExactText(argumentsText);
      if (read.kind === 'refused') return { kind: 'refused', message: read.message };
      const { policy } = policies.get(client.workspaceId);
      const target = {
        kind: 'own',
        upstream: found.upstream.name,
        name: tool,
        ...(label === undefined ? {} : { connection: label }),
      } as const;
      const { connection, refusal } = chooseConnection(connections, client, found.upstream, target);
      if (refusal?.kind === 'refused') return { kind: 'refused', message: refusal.message };
      const facts = foreseenFacts(client.workspace, client, hit, connection, at ?? clock.now(), read.value);
      const explanation = explain(policy, facts);
      return { kind: 'done', decision: explanation.decision, explanation };
    },
  };
}
