import type { ConnectionView } from '../../shared/connections.ts';
import type { UpstreamView } from '../../shared/model.ts';
import { visibleString } from '../card/escapes.ts';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge, useLive } from '../live.ts';
import { Problem } from '../parts/notes.tsx';

/** Which account calls use that name none: everybody's, and where one client is to use another. */
export function Defaults({
  upstream,
  accounts,
}: {
  readonly upstream: UpstreamView;
  readonly accounts: readonly ConnectionView[];
}) {
  const bridge = useBridge();
  const act = useAct();
  const clients = useLive('clientsList', { workspace: upstream.workspaceId }, ['clients']).data ?? [];
  const common = accounts.find(({ isDefault }) => isDefault);
  const choose = (connection: string, client: string | null) =>
    void act.run(() => bridge.request('connectionDefault', { connection, client }));
  return (
    <section className="defaults" aria-label="Which account calls use">
      <h5>A call that names no account uses</h5>
      <div className="defaults-rows">
        <label className="filter">
          <span className="defaults-who">every client</span>
          <select value={common?.id ?? ''} disabled={act.busy} onChange={(event) => choose(event.target.value, null)}>
            {common === undefined && <option value="">none</option>}
            {accounts.map(({ id, label }) => (
              <option key={id} value={id}>
                {visibleString(label)}
              </option>
            ))}
          </select>
        </label>
        {clients.map((client) => {
          const own = accounts.find(({ defaultFor }) => defaultFor.includes(client.id));
          return (
            <label key={client.id} className="filter">
              <span className="defaults-who">
                <Visible text={client.name} />
              </span>
              <select
                value={own?.id ?? ''}
                disabled={act.busy}
                onChange={(event) => choose(event.target.value, client.id)}
              >
                {own === undefined && <option value="">as every client</option>}
                {accounts.map(({ id, label }) => (
                  <option key={id} value={id}>
                    {visibleString(label)}
                  </option>
                ))}
              </select>
            </label>
          );
        })}
      </div>
      <Problem message={act.problem} />
    </section>
  );
}
