import type { RequestArguments } from '../../../shared/api.ts';
import { differenceOf } from '../../../shared/difference.ts';
import { countOf } from '../../../shared/kinds.ts';
import type { Client, ConfirmationView, DefinitionKind, ToolView } from '../../../shared/model.ts';
import type { Handlers } from '../api.ts';
import type { Approvals } from '../approvals/approvals.ts';
import type { Audit } from '../audit/audit.ts';
import { type KnownConnections, needsSignIn } from '../call/connection.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Inventory } from '../catalog/inventory.ts';
import type { Clients } from '../clients/clients.ts';
import type { Upstreams } from '../upstreams/upstreams.ts';
import type { Foresee } from './policy.ts';
import { upstreamOf } from './upstreams.ts';
import type { Widening } from './widening.ts';
import { workspaceOf } from './workspace-of.ts';

type Accepted = RequestArguments<'toolsReview'>['accept'][number];

type Names = 'toolsList' | 'toolsFind' | 'toolsReview';

export function toolRequests(parts: {
  readonly inventory: Inventory;
  readonly approvals: Pick<Approvals, 'cancelForTool'>;
  readonly catalog: Pick<Catalog, 'search' | 'upstreams'>;
  readonly connections: KnownConnections;
  readonly upstreams: Upstreams;
  readonly clients: Clients;
  readonly audit: Audit;
  readonly foresee: Foresee;
  readonly widening: Widening;
}): Pick<Handlers, Names> {
  const { inventory, approvals, catalog, connections, upstreams, clients, audit, foresee, widening } = parts;

  const viewOf = (upstreamId: string, name: string): ToolView | undefined =>
    inventory.view(upstreamId).find((tool) => tool.kind === 'tool' && tool.name === name);

  return {
    toolsList({ workspace, upstream }) {
      if (upstream !== undefined) {
        const found = upstreamOf(upstreams, upstream);
        return found.kind === 'refused' ? [] : inventory.view(found.upstream.id);
      }
      const found = workspaceOf(clients, workspace);
      if (found.kind === 'refused') return [];
      const own = new Set(
        upstreams.list(workspace === undefined ? undefined : found.workspace.id).map((one) => one.id),
      );
      return inventory.view().filter((tool) => own.has(tool.upstreamId));
    },

    toolsFind({ query, limit, client: wanted, workspace }) {
      const place = workspaceOf(clients, workspace);
      if (place.kind === 'refused') return { found: [], notes: [place.message] };
      const client =
        wanted === undefined
          ? anybodyIn(place.workspace.id)
          : (clients.list().find((one) => one.id === wanted || one.name === wanted) ?? null);
      if (client === null) return { found: [], notes: [`There is no client "${wanted}".`] };
      const { found, notes } = catalog.search(client, query, limit);
      const notConnected = catalog
        .upstreams(client)
        .filter((one) => needsSignIn(connections, client, one))
        .map(({ name }) => `${name}: not connected. Connect an account on the Upstreams page.`);
      return {
        found: found.flatMap((hit) => {
          const tool = viewOf(hit.upstream.id, hit.tool.name);
          return tool === undefined
            ? []
            : [{ tool, upstream: hit.upstream.name, score: hit.score, decision: foresee(client, hit) }];
        }),
        notes: [...notConnected, ...notes],
      };
    },

    async toolsReview({ upstream: wanted, accept }, caller) {
      const found = upstreamOf(upstreams, wanted);
      if (found.kind === 'refused') return found;
      const offered = new Map(inventory.view(found.upstream.id).map((one) => [keyOf(one), one]));
      const refusal = await widening(
        {
          kind: 'review',
          title: `Accept ${countOf(accept)} of "${found.upstream.name}"`,
          lines: accept.flatMap((one) => linesOf(one, offered.get(keyOf(one)))),
        },
        caller,
      );
      if (refusal !== null) return refusal;
      const before = new Map(inventory.tools(found.upstream.id).map((tool) => [tool.name, tool.risk]));
      const reviewed = inventory.review(found.upstream.id, accept);
      if (reviewed.kind === 'refused') return reviewed;
      // A yes was given to a tool of the risk it had; what lasts of it must not carry over to another (design section 3).
      for (const { kind, name, risk } of accept)
        if (kind === 'tool' && before.get(name) !== risk)
          approvals.cancelForTool(found.upstream.id, name, 'risk_changed');
      audit.writeSoon({
        phase: 'event',
        kind: 'tools_reviewed',
        upstream: found.upstream.name,
        detail: {
          tools: accept.map(({ kind, name, fingerprint, risk }) => {
            const flags = offered.get(keyOf({ kind, name }))?.flags ?? [];
            return { kind, name, fingerprint, risk, ...(flags.length === 0 ? {} : { flags }) };
          }),
          by: caller.label,
        },
      });
      return { kind: 'done', accepted: reviewed.accepted };
    },
  };
}

const LABELS: Readonly<Record<DefinitionKind, string>> = {
  tool: 'Tool',
  prompt: 'Prompt',
  resource_template: 'Resource template',
};

/** What the person confirms of one: what it is, every warning about it, what changed since it was reviewed, and all of its text. */
function linesOf(one: Accepted, view: ToolView | undefined): ConfirmationView['lines'] {
  const { reviewed = null, offered = null, flags = [] } = view ?? {};
  const changes = reviewed !== null && offered !== null ? differenceOf(reviewed, offered) : [];
  return [
    {
      label: LABELS[one.kind],
      value: `${labelled(one)} (${one.risk}, fingerprint ${one.fingerprint.slice(0, 16)})`,
    },
    ...flags.map((flag) => ({ label: 'Warning', value: flag })),
    ...changes.map(({ member, before, after }) => ({
      label: `${before === null ? 'New' : after === null ? 'Gone' : 'Changed'}: ${member}`,
      value: after ?? '',
      before: before ?? '',
    })),
    { label: 'What a model would read', value: JSON.stringify(offered, null, 1) },
  ];
}

const keyOf = ({ kind, name }: { readonly kind: DefinitionKind; readonly name: string }): string => `${kind} ${name}`;

/** Only a prompt's name may have spaces: in quotes it cannot pose as what stands beside it. */
const labelled = ({ kind, name }: { readonly kind: DefinitionKind; readonly name: string }): string =>
  kind === 'prompt' ? JSON.stringify(name) : name;

/** A client that may see the whole workspace. */
const anybodyIn = (workspaceId: string): Client => ({
  id: '',
  workspaceId,
  name: 'any client',
  callsItself: null,
  tags: [],
  upstreams: null,
  scopeTags: [],
  holdMs: 0,
  createdAt: 0,
});
