import type { KnownConnections } from '../../electron/core/call/connection.ts';
import type { ConnectionView } from '../../shared/connections.ts';

/** Accounts in memory, for tests of what stands above them. */
export interface MemoryConnections extends KnownConnections {
  /** The first one of an upstream is its default. */
  add(upstreamId: string, label: string, more?: Partial<ConnectionView>): ConnectionView;
  set(id: string, change: Partial<ConnectionView>): void;
  remove(id: string): void;
  /** `clientId` null: of every client without a choice of its own. */
  makeDefault(id: string, clientId?: string | null): void;
}

/** No upstream has any. */
export const noConnections: KnownConnections = { choose: () => ({ kind: 'none' }), get: () => null, list: () => [] };

export function memoryConnections(): MemoryConnections {
  const views = new Map<string, ConnectionView>();
  const own = new Map<string, string>();
  const of = (upstreamId?: string) =>
    [...views.values()].filter((view) => upstreamId === undefined || view.upstreamId === upstreamId);
  return {
    list: of,
    get: (id) => views.get(id) ?? null,
    choose(clientId, upstreamId, label) {
      const all = of(upstreamId);
      if (label !== null) {
        const connection = all.find((view) => view.label === label);
        return connection ? { kind: 'chosen', connection } : { kind: 'unknown', labels: all.map((view) => view.label) };
      }
      const wanted = own.get(`${clientId} ${upstreamId}`);
      const connection = all.find(({ id }) => id === wanted) ?? all.find(({ isDefault }) => isDefault);
      return connection ? { kind: 'chosen', connection } : { kind: 'none' };
    },
    add(upstreamId, label, more = {}) {
      const view: ConnectionView = {
        id: `${upstreamId}-${views.size + 1}`,
        workspaceId: 'w',
        upstreamId,
        upstream: upstreamId,
        label,
        mode: 'mcp_oauth',
        state: 'connected',
        reason: null,
        issuer: null,
        scopes: null,
        asksFor: null,
        expiresAt: null,
        renews: true,
        isDefault: of(upstreamId).length === 0,
        defaultFor: [],
        connectedAt: 0,
        lastUsedAt: null,
        ...more,
      };
      views.set(view.id, view);
      return view;
    },
    set(id, change) {
      const view = views.get(id);
      if (view) views.set(id, { ...view, ...change });
    },
    remove: (id) => void views.delete(id),
    makeDefault(id, clientId = null) {
      const view = views.get(id);
      if (!view) return;
      if (clientId !== null) own.set(`${clientId} ${view.upstreamId}`, id);
      else for (const one of of(view.upstreamId)) views.set(one.id, { ...one, isDefault: one.id === id });
    },
  };
}
