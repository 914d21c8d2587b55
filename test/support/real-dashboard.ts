import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { silentLog } from '../../electron/core/diagnosis/log.ts';
import { systemClock } from '../../electron/core/platform.ts';
import { type Dashboard, startDashboard } from '../../electron/dashboard/server.ts';
import { buildRenderer } from './built-renderer.ts';
import type { TestGatehouse } from './gatehouse.ts';

/** The real dashboard before a real core, as `gatehouse start` runs it. */
export interface RealDashboard extends AsyncDisposable {
  readonly dashboard: Dashboard;
  readonly port: number;
  /** Exchanges a fresh link, as the page does: what a signed-in tab sends with every request. */
  signIn(): Promise<{ readonly cookie: string; readonly authorization: string; readonly token: string }>;
}

/** Takes the renderer given, else the one that `npm test` has built; without one it builds one. */
export async function openRealDashboard(gatehouse: TestGatehouse, renderer?: string): Promise<RealDashboard> {
  const shipped = fileURLToPath(new URL('../../out/renderer', import.meta.url));
  const built = renderer !== undefined || existsSync(`${shipped}/index.html`) ? null : await buildRenderer();
  const dashboard = await startDashboard({
    core: gatehouse.core,
    rendererFolder: renderer ?? built?.folder ?? shipped,
    clock: systemClock,
    log: silentLog,
    record: gatehouse.core.record,
  });
  gatehouse.core.setDashboard(dashboard);
  return {
    dashboard,
    port: Number(new URL(dashboard.url).port),
    async signIn() {
      const token = dashboard.link().split('#sign-in=')[1] ?? '';
      const answer = await fetch(`${dashboard.url}/sign-in`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ token }),
      });
      const { token: tab } = (await answer.json()) as { token: string };
      const cookie = (answer.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? '';
      return { cookie, authorization: `Bearer ${tab}`, token: tab };
    },
    async [Symbol.asyncDispose]() {
      await dashboard.close();
      await built?.remove();
    },
  };
}
