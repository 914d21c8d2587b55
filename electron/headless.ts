import { fileURLToPath } from 'node:url';
import packageJson from '../package.json' with { type: 'json' };
import { connectText } from './cli/connect-lines.ts';
import { plainPlatform } from './cli/plain-platform.ts';
import type { StartSettings } from './cli/start.ts';
import { visible } from './cli/untrusted.ts';
import { serveControl } from './core/control/server.ts';
import { type Core, startCore } from './core/core.ts';
import { systemClock } from './core/platform.ts';
import { startDashboard } from './dashboard/server.ts';

export interface HeadlessParts {
  /** One line on stdout. */
  print(line: string): void;
  /** One line on stderr. */
  say(line: string): void;
  /** Why there is no window, as the rest of a sentence. */
  readonly why: string;
}

/** Runs the core with the dashboard in the place of windows until Ctrl-C or SIGTERM; returns the exit code. */
export async function runHeadless(settings: StartSettings, { print, say, why }: HeadlessParts): Promise<number> {
  const { port, dataFolder, json, unattended } = settings;
  const tell = json ? say : print;
  const stop = stopRequested();
  tell(`Gatehouse runs headless: ${visible(why)}.`);

  const started = await startCore(plainPlatform(dataFolder), {
    port,
    version: packageJson.version,
    unattended,
    listen: true,
  });
  if (started.kind === 'fault') {
    say(`gatehouse: ${visible(started.message)}`);
    return 1;
  }
  const { core } = started;
  const dashboard = await startDashboard({
    core,
    rendererFolder: rendererFolder(),
    clock: systemClock,
    log: core.log,
    record: core.record,
  });
  core.setDashboard(dashboard);
  const control = await serveControl({
    folder: dataFolder,
    api: core.api,
    subscribe: core.subscribe,
    log: core.log,
  });
  // Agents and dashboard work without it, so it is said and the rest keeps running.
  if (control.kind === 'fault') say(`gatehouse: ${visible(control.message)}`);

  const link = dashboard.link();
  await tellWhereItIs(core, link, tell);
  await tellWhatIsWrong(core, say);
  if (json) {
    const health = new URL('/health', core.endpoint).href;
    print(JSON.stringify({ endpoint: core.endpoint, dashboard: link, health, pid: process.pid }));
  }

  await stop;
  say('Closing Gatehouse.');
  if (control.kind === 'serving') await control.server.close();
  await dashboard.close();
  await core.close();
  return 0;
}

async function tellWhereItIs(core: Core, link: string, tell: (line: string) => void): Promise<void> {
  tell('');
  tell(`MCP endpoint   ${core.endpoint}`);
  tell(`Dashboard      ${link}`);
  tell('               (works once; gatehouse dashboard prints another)');
  tell('Make a key     npm run -s gatehouse -- keys create --role executor --name my-agent');
  const answer = await core.api.request('connectLines', {}, { origin: 'cli', label: 'start' });
  if (answer.kind !== 'answered' || !('signInOff' in answer.result)) return;
  for (const line of connectText(answer.result)) tell(line);
  tell('');
}

/** What a window would show as banners. */
async function tellWhatIsWrong(core: Core, say: (line: string) => void): Promise<void> {
  const answer = await core.api.request('status', {}, { origin: 'cli', label: 'start' });
  if (answer.kind !== 'answered' || !('banners' in answer.result)) return;
  for (const banner of answer.result.banners) say(`! ${visible(banner)}`);
}

/**
 * Resolves at the first Ctrl-C, SIGTERM or SIGHUP, or when the script that started us is gone. A second Ctrl-C ends at
 * once; one within half a second is the same key press, passed on by the processes above.
 */
function stopRequested(): Promise<void> {
  return new Promise((done) => {
    let askedAt: number | null = null;
    process.on('SIGINT', () => {
      if (askedAt !== null && systemClock.monotonic() - askedAt > 500) process.exit(130);
      askedAt ??= systemClock.monotonic();
      done();
    });
    process.on('SIGTERM', () => done());
    process.on('SIGHUP', () => done());
    if (process.channel) process.once('disconnect', () => done());
    process.channel?.unref();
  });
}

/** Beside `out/main` in the build and in an installed app; in `out/` of the source tree when run unbundled. */
function rendererFolder(): string {
  const built = import.meta.url.includes('/out/main/');
  return fileURLToPath(new URL(built ? '../renderer' : '../out/renderer', import.meta.url));
}

if (import.meta.main) {
  const { runCli } = await import('./cli/main.ts');
  process.exitCode = await runCli(['start', ...process.argv.slice(2)]);
}
