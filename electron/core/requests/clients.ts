import type { Handlers } from '../api.ts';
import type { Audit } from '../audit/audit.ts';
import type { Clients } from '../clients/clients.ts';
import { shownPart } from '../clients/keys.ts';
import type { Clock } from '../platform.ts';
import type { Widening } from './widening.ts';
import { workspaceOf } from './workspace-of.ts';

type Names =
  | 'workspacesList'
  | 'workspaceCreate'
  | 'workspaceRename'
  | 'workspaceRemove'
  | 'clientsList'
  | 'clientSet'
  | 'keyCreate'
  | 'keyRevoke'
  | 'keyRotate';

export function clientRequests(parts: {
  readonly clients: Clients;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly widening: Widening;
  readonly workspaceCreated: (workspaceId: string) => void;
}): Pick<Handlers, Names> {
  const { clients, audit, clock, widening } = parts;
  return {
    workspacesList: () => clients.workspaces(),

    workspaceCreate({ name }, caller) {
      const made = clients.createWorkspace(name);
      if (made.kind === 'refused') return made;
      parts.workspaceCreated(made.value.id);
      audit.writeSoon({
        phase: 'event',
        kind: 'workspace_created',
        workspace: made.value.name,
        detail: { by: caller.label },
      });
      return { kind: 'done', workspace: made.value };
    },

    workspaceRename({ workspace, name }, caller) {
      const found = workspaceOf(clients, workspace);
      if (found.kind === 'refused') return found;
      const renamed = clients.renameWorkspace(found.workspace.id, name);
      if (renamed.kind === 'refused') return renamed;
      audit.writeSoon({
        phase: 'event',
        kind: 'workspace_renamed',
        workspace: renamed.value.name,
        detail: { before: found.workspace.name, by: caller.label },
      });
      return { kind: 'done' };
    },

    workspaceRemove({ workspace }, caller) {
      const found = workspaceOf(clients, workspace);
      if (found.kind === 'refused') return found;
      const removed = clients.removeWorkspace(found.workspace.id);
      if (removed.kind === 'refused') return removed;
      audit.writeSoon({
        phase: 'event',
        kind: 'workspace_removed',
        workspace: found.workspace.name,
        detail: { by: caller.label },
      });
      return { kind: 'done' };
    },

    clientsList({ workspace }) {
      if (workspace === undefined) return clients.list();
      const found = workspaceOf(clients, workspace);
      return found.kind === 'refused' ? [] : clients.list(found.workspace.id);
    },

    async clientSet({ client: wanted, ...change }, caller) {
      const client = clients.list().find((one) => one.id === wanted || one.name === wanted);
      if (client === undefined)
        return { kind: 'refused', message: `There is no client "${wanted}". "clients list" shows which there are.` };
      // What it may see widens, and so do a label and tags: rules match on them. Listing and hold time do not.
      if (change.upstreams !== undefined || change.tags !== undefined || change.name !== undefined) {
        const refusal = await widening(
          {
            kind: 'client',
            title: `Change what "${client.name}" may reach`,
            lines: [
              { label: 'Client', value: client.name },
              ...(change.name === undefined ? [] : [{ label: 'New name', value: change.name }]),
              ...(change.upstreams === undefined
                ? []
                : [
                    {
                      label: 'Upstreams',
                      value: change.upstreams === null ? 'all of its workspace' : change.upstreams.join(', '),
                    },
                  ]),
              ...(change.tags === undefined ? [] : [{ label: 'Tags', value: change.tags.join(', ') }]),
            ],
          },
          caller,
        );
        if (refusal !== null) return refusal;
      }
      const set = clients.set(client.id, {
        ...(change.name === undefined ? {} : { name: change.name }),
        ...(change.tags === undefined ? {} : { tags: change.tags }),
        ...(change.upstreams === undefined ? {} : { upstreams: change.upstreams }),
        ...(change.scopeTags === undefined ? {} : { scopeTags: change.scopeTags }),
        ...(change.holdMs === undefined ? {} : { holdMs: change.holdMs }),
      });
      if (set.kind === 'refused') return set;
      audit.writeSoon({
        phase: 'event',
        kind: 'client_changed',
        clientId: client.id,
        client: set.value.name,
        workspace: set.value.workspace,
        detail: { change, by: caller.label },
      });
      return { kind: 'done', client: set.value };
    },

    async keyCreate(input, caller) {
      const found = workspaceOf(clients, input.workspace);
      if (found.kind === 'refused') return found;
      const refusal = await widening(
        {
          kind: 'key',
          title: `Create a key for "${input.name}"`,
          lines: [
            { label: 'Client', value: input.name },
            { label: 'Role', value: input.role },
            { label: 'Workspace', value: found.workspace.name },
            {
              label: 'Upstreams',
              value: input.upstreams === null ? 'all of the workspace' : input.upstreams.join(', '),
            },
            {
              label: 'Expires',
              value: input.expiresInMs === null ? 'never' : new Date(clock.now() + input.expiresInMs).toISOString(),
            },
          ],
        },
        caller,
      );
      if (refusal !== null) return refusal;
      const made = clients.createKey({
        workspaceId: found.workspace.id,
        role: input.role,
        name: input.name,
        expiresAt: input.expiresInMs === null ? null : clock.now() + input.expiresInMs,
        upstreams: input.upstreams,
        scopeTags: input.scopeTags,
      });
      if (made.kind === 'refused') return made;
      const { secret, key, client } = made.value;
      audit.writeSoon({
        phase: 'event',
        kind: 'key_created',
        workspace: found.workspace.name,
        clientId: client.id,
        client: client.name,
        keyPrefix: key.prefix,
        detail: { role: key.role, expiresAt: key.expiresAt, upstreams: client.upstreams, by: caller.label },
      });
      const view = clients.list(found.workspace.id).find((one) => one.id === client.id);
      if (view === undefined) throw new Error('a client that was just created is not listed');
      return { kind: 'done', secret, key, client: view };
    },

    keyRevoke({ key }, caller) {
      const revoked = clients.revokeKey(key);
      if (revoked.kind === 'refused') return revoked;
      const client = clients.get(revoked.value.clientId);
      audit.writeSoon({
        phase: 'event',
        kind: 'key_revoked',
        clientId: client?.id ?? null,
        client: client?.name ?? null,
        keyPrefix: revoked.value.prefix,
        detail: { by: caller.label },
      });
      return { kind: 'done' };
    },

    async keyRotate({ key }, caller) {
      // SECURITY: whoever gives the whole key is understood, and no card or record repeats it (N1).
      const old = clients
        .list()
        .flatMap((client) => client.keys.map(({ id, prefix }) => ({ id, prefix, client: client.name })))
        .find(({ id, prefix }) => id === key || prefix === shownPart(key));
      const before = old?.prefix ?? shownPart(key);
      const of = old === undefined ? [] : [{ label: 'Client', value: old.client }];
      const lines = [...of, { label: 'Key', value: before }];
      const refusal = await widening({ kind: 'key', title: 'Replace a key by a new one', lines }, caller);
      if (refusal !== null) return refusal;
      const rotated = clients.rotateKey(key);
      if (rotated.kind === 'refused') return rotated;
      const client = clients.get(rotated.value.key.clientId);
      audit.writeSoon({
        phase: 'event',
        kind: 'key_rotated',
        clientId: client?.id ?? null,
        client: client?.name ?? null,
        keyPrefix: rotated.value.key.prefix,
        detail: { before, by: caller.label },
      });
      return { kind: 'done', ...rotated.value };
    },
  };
}
