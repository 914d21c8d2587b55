import type { FigureGroup } from '../../../shared/model.ts';
import type { Handlers } from '../api.ts';
import type { Audit, AuditQuery } from '../audit/audit.ts';
import { type GroupFigures, NO_CALLS } from '../audit/figures.ts';
import { type Exposure, type ExposureRow, exposureSum } from '../catalog/exposure.ts';
import type { Clients } from '../clients/clients.ts';
import { localDay } from '../local-day.ts';

export function figureRequests(parts: {
  readonly audit: Pick<Audit, 'figures'>;
  readonly exposure: Pick<Exposure, 'figures'>;
  readonly clients: Pick<Clients, 'get' | 'workspaces'>;
}): Pick<Handlers, 'auditFigures'> {
  const { audit, exposure, clients } = parts;

  function isWanted(row: ExposureRow, client: string | undefined, workspace: string | undefined): boolean {
    const known = clients.get(row.clientId);
    const inWorkspace = clients.workspaces().find(({ id }) => id === known?.workspaceId)?.name;
    return (
      (client === undefined || client === row.clientId || client === known?.name) &&
      (workspace === undefined || workspace === inWorkspace)
    );
  }

  return {
    async auditFigures({ from, to, client, workspace, by }) {
      const query: AuditQuery = {
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { to }),
        ...(client === undefined ? {} : { client }),
        ...(workspace === undefined ? {} : { workspace }),
      };
      const days = [from === undefined ? null : localDay(from), to === undefined ? null : localDay(to - 1)] as const;
      const [calls, rows] = await Promise.all([audit.figures(query, by), exposure.figures(...days)]);
      const listed = rows.filter((row) => isWanted(row, client, workspace));
      const keyOf = (of: { readonly clientId: string | null; readonly day: string | null }) =>
        JSON.stringify([by.includes('client') ? of.clientId : null, by.includes('day') ? of.day : null]);
      const exposed = Map.groupBy(listed, keyOf);
      const groups: FigureGroup[] = calls.groups.map((group) => ({
        ...group,
        exposure: exposureSum(exposed.get(keyOf(group)) ?? []),
      }));
      // A client that only lists tools has no call, and yet something to tell.
      const called = new Set(calls.groups.map(keyOf));
      for (const [key, [first, ...more]] of by.length === 0 ? [] : exposed) {
        if (called.has(key) || first === undefined) continue;
        const of: GroupFigures = {
          ...NO_CALLS,
          clientId: by.includes('client') ? first.clientId : null,
          client: by.includes('client') ? (clients.get(first.clientId)?.name ?? null) : null,
          day: by.includes('day') ? first.day : null,
        };
        groups.push({ ...of, exposure: exposureSum([first, ...more]) });
      }
      return {
        total: { ...calls.total, exposure: exposureSum(listed) },
        groups: groups.toSorted((a, b) => (b.day ?? '').localeCompare(a.day ?? '') || b.calls - a.calls),
        behind: calls.behind,
      };
    },
  };
}
