import type { Refused } from '../../../shared/api.ts';
import type { Workspace } from '../../../shared/model.ts';
import type { Clients } from '../clients/clients.ts';

/** The named workspace (id, slug or name), or the default one when none is named. */
export function workspaceOf(
  clients: Clients,
  named: string | undefined,
): { readonly kind: 'found'; readonly workspace: Workspace } | Refused {
  const workspace = named === undefined ? clients.defaultWorkspace() : clients.workspace(named);
  if (workspace !== null) return { kind: 'found', workspace };
  const known = clients
    .workspaces()
    .map((one) => one.name)
    .join(', ');
  return { kind: 'refused', message: `There is no workspace "${named}". There are: ${known}.` };
}
