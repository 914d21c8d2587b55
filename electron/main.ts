import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { app, clipboard, powerMonitor, protocol, session } from 'electron';
import type { Topic } from '../shared/model.ts';
import { readStartSettings, type StartSettings } from './cli/start.ts';
import { serveControl } from './core/control/server.ts';
import { type Core, startCore } from './core/core.ts';
import { systemClock } from './core/platform.ts';
import { createKeychain } from './core/secrets/keychain.ts';
import { setAppMenu } from './desktop/app-menu.ts';
import { createApprovalWindow } from './desktop/approval-window.ts';
import type { Card } from './desktop/cards.ts';
import { createAccountConnector } from './desktop/connect-account.ts';
import { type Place, placeNamed, readDeepLink } from './desktop/deep-links.ts';
import { closeBeforeQuit, crash, fail } from './desktop/ending.ts';
import { type AppLaunch, linkIn, readLaunch } from './desktop/launch.ts';
import { collectLinks, type Links } from './desktop/link-inbox.ts';
import { lockContents, lockSession } from './desktop/locks.ts';
import { createLoginItem } from './desktop/login-item.ts';
import { createMainWindow } from './desktop/main-window.ts';
import { createNotifications, type Notifications } from './desktop/notifications.ts';
import { chooseNotifier } from './desktop/notifier.ts';
import { oneAtATime } from './desktop/one-at-a-time.ts';
import { openBrowser } from './desktop/open-browser.ts';
import { pageIsWhole } from './desktop/page-files.ts';
import { createPageHandler, PAGE_SCHEME, SCHEME } from './desktop/page-protocol.ts';
import { createDesktopPlatform } from './desktop/platform.ts';
import { openPreferences } from './desktop/preferences.ts';
import { followScreenLock } from './desktop/screen-lock.ts';
import { createTray, endTrustFromTray, pauseFromTray, readForTray, resumeFromTray } from './desktop/tray.ts';

/*
 * The desktop app, and its command line when it is started with a command. What must come before Electron's `ready` is
 * done as this file loads; nothing here may be awaited at the top, because Electron waits for this file before `ready`.
 */
const launch = readLaunch(process.argv, app.isPackaged);
if (launch.kind === 'cli') runCommand(launch.argv).catch(crash);
else startApp(launch);

async function runCommand(argv: readonly string[]): Promise<void> {
  app.dock?.hide();
  const { runCli } = await import('./cli/main.ts');
  const { stdin, stdout, stderr, env } = process;
  app.exit(await runCli(argv, { stdin, stdout, stderr, env, cwd: process.cwd() }));
}

/** What must be settled before `ready`: the folder, the one instance, the pages' scheme, the locks. */
function startApp(asked: AppLaunch): void {
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
  // SECURITY: whoever opened a debugging port could press Approve through it (security.md L16).
  if (
    app.isPackaged &&
    ['remote-debugging-port', 'remote-debugging-pipe'].some((name) => app.commandLine.hasSwitch(name))
  ) {
    fail('Gatehouse does not run with a debugging port: it could be used to approve calls. Start it without one.');
    return;
  }
  const settings = readStartSettings({ text: asked.text, flag: asked.flag, env: process.env, cwd: process.cwd() });
  if (typeof settings === 'string') {
    fail(settings);
    return;
  }

  // Electron's own files and its instance lock lie in the data folder, so that each data folder has one app of its own.
  const desktopFolder = join(settings.dataFolder, 'desktop');
  const obstacle = makeFolder(desktopFolder);
  if (obstacle !== null) {
    fail(obstacle);
    return;
  }
  app.setPath('userData', desktopFolder);
  app.setName('Gatehouse');
  if (!app.requestSingleInstanceLock()) {
    // The running one was told, and comes to the front.
    app.exit(0);
    return;
  }
  // SECURITY: every page there will ever be runs in the sandbox and is locked to its place.
  app.enableSandbox();
  app.on('web-contents-created', (_event, contents) => lockContents(contents));
  protocol.registerSchemesAsPrivileged([PAGE_SCHEME]);
  // Windows shows notifications only of programs that say who they are, as the installer wrote it down.
  if (process.platform === 'win32') app.setAppUserModelId('org.gatehouse.Gatehouse');
  if (app.isPackaged) app.setAsDefaultProtocolClient('gatehouse');
  app.on('window-all-closed', () => {
    // The tray lives on without a window.
  });
  const links = collectLinks(asked.link);
  app
    .whenReady()
    .then(() => run(settings, asked.hidden, desktopFolder, links))
    .catch(crash);
}

/** The app from `ready` to quit, in order. */
async function run(settings: StartSettings, hidden: boolean, desktopFolder: string, links: Links): Promise<void> {
  const { dataFolder, port, unattended, json } = settings;
  if (!cardsCanBeShown()) {
    fail('The files of its windows are not complete, so nobody could approve a call. Install Gatehouse again.');
    return;
  }
  let notifications: Notifications | null = null;
  const platform = createDesktopPlatform({
    dataFolder,
    keychain: createKeychain(),
    notify: (notice) => notifications?.notice(notice),
    openBrowser,
  });
  const started = await startCore(platform, {
    port,
    version: app.getVersion(),
    unattended,
    listen: true,
  });
  if (started.kind === 'fault') {
    fail(started.message);
    return;
  }
  const { core } = started;
  const { api } = core;

  const control = await serveControl({ folder: dataFolder, api, subscribe: core.subscribe, log: core.log });
  if (control.kind === 'fault') {
    await core.close();
    fail(control.message);
    return;
  }

  // SECURITY: a session in memory only, so that no argument that was ever shown is left in a cache on the disk.
  const ui = session.fromPartition('gatehouse-ui', { cache: false });
  lockSession(ui);
  ui.protocol.handle(SCHEME, createPageHandler(place('renderer')));
  setAppMenu(process.platform);

  const preferences = openPreferences(desktopFolder);
  const icon = asset('icon.png');
  const shell = { api, session: ui, icon, packaged: app.isPackaged };
  const approvalWindow = createApprovalWindow({
    ...shell,
    clock: systemClock,
    preload: place('preload', 'approval-preload.cjs'),
  });
  const review = (card: Card | null): void => void approvalWindow.review(card);
  const mainWindow = createMainWindow({ ...shell, preload: place('preload', 'preload.cjs'), preferences, review });
  const open = (place: Place | null): void => mainWindow.open(place);
  const openLink = (text: string): void => {
    const link = readDeepLink(text);
    if (link.kind === 'open') open(link.place);
  };

  const notifier = await chooseNotifier(icon);
  notifications = createNotifications({
    notifier: notifier.notifier,
    api,
    nonce: () => randomBytes(16).toString('hex'),
    choice: preferences.notifications,
    open: review,
  });
  const loginItem = createLoginItem({
    app,
    platform: process.platform,
    env: process.env,
    home: app.getPath('home'),
    command: [process.env.APPIMAGE ?? app.getPath('exe'), '--hidden'],
  });
  const accounts = createAccountConnector({ api, subscribe: core.subscribe, open });
  const tray = createTray({
    assets: asset,
    platform: process.platform,
    read: async () => ({
      ...(await readForTray(api)),
      notifications: preferences.notifications(),
      startsAtLogin: loginItem.isOn(),
      now: systemClock.now(),
    }),
    actions: {
      open,
      review,
      connect: (wanted) => void accounts.connect(wanted),
      signOut: (connection) => void accounts.signOut(connection),
      pauseAll: () => void pauseFromTray(api),
      resumeAll: () => void resumeFromTray(api),
      endTrust: (trust) => void endTrustFromTray(api, trust),
      copyEndpoint: () => void clipboard.writeText(core.endpoint),
      setNotifications: (choice) => {
        preferences.setNotifications(choice);
        refresh.ask();
      },
      setStartsAtLogin: (on) => {
        loginItem.set(on);
        refresh.ask();
      },
      quit: () => app.quit(),
    },
  });
  const endLock = followScreenLock({
    powerMonitor,
    approvers: core.approvers,
    canShow: cardsCanBeShown,
    clock: systemClock,
    platform: process.platform,
  });

  const refresh = oneAtATime(async () => {
    await Promise.all([tray.refresh(), approvalWindow.refresh(), notifications.refresh()]);
  }, crash);
  const unsubscribe = core.subscribe((topic) => {
    mainWindow.tell(topic);
    approvalWindow.tell(topic);
    if (SHOWN_OUTSIDE.includes(topic)) refresh.ask();
  });
  core.onCard((card) => {
    if ('approval' in card) notifications.approval(card.approval);
    else notifications.confirmation(card.confirmation);
    refresh.ask();
  });
  core.onOpenPage((name) => open(placeNamed(name)));
  app.on('second-instance', (_event, argv) => {
    const link = linkIn(argv);
    if (link === null) open(null);
    else openLink(link);
  });
  app.on('activate', () => open(null));
  links.follow(openLink);

  closeBeforeQuit(async () => {
    unsubscribe();
    await refresh.end();
    endLock();
    notifications.closeAll();
    notifier.close();
    approvalWindow.close();
    accounts.close();
    tray.close();
    await control.server.close();
    await core.close();
  });
  refresh.ask();
  if (!hidden && !app.getLoginItemSettings().wasOpenedAtLogin) open(null);
  sayReady(core, json);
}

/** What tray, approval window and notifications are drawn from. */
const SHOWN_OUTSIDE: readonly Topic[] = ['status', 'approvals', 'confirmations', 'upstreams', 'connections'];

/** Why the folder cannot be had, in a sentence; null when it is there. */
function makeFolder(folder: string): string | null {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return null;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return `The folder ${folder} cannot be made (${code}). Make its parent writable for your user, or start with another --data folder.`;
  }
}

function cardsCanBeShown(): boolean {
  return pageIsWhole(place('renderer'), 'approval.html');
}

/** Built files and assets, seen from `out/main/main.js`. */
function place(...path: readonly string[]): string {
  return join(import.meta.dirname, '..', ...path);
}
function asset(name: string): string {
  return place('..', 'assets', name);
}

function sayReady({ endpoint, port }: Core, json: boolean): void {
  const health = `http://127.0.0.1:${port}/health`;
  const line = json
    ? JSON.stringify({ endpoint, dashboard: null, health, pid: process.pid })
    : `Gatehouse runs in the tray. MCP endpoint: ${endpoint}`;
  process.stdout.write(`${line}\n`);
}
