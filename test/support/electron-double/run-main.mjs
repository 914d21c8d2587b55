/**
 * Runs the built desktop app in plain Node with the double in the place of `electron`, and lets the test that forked
 * this process look at what was made and press its buttons, by messages `{id, name, args}`.
 * Usage: fork(run-main.mjs, [out/main/main.js, ...arguments of the app]).
 */
import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';

const ELECTRON = new URL('./electron.ts', import.meta.url).href;
registerHooks({
  resolve: (name, context, next) =>
    name === 'electron' ? { url: ELECTRON, format: 'module-typescript', shortCircuit: true } : next(name, context),
});

const [, , main, ...args] = process.argv;
const { app, double, ipcMain, powerMonitor } = await import('electron');

const windowOf = (contents) => double.windows.findIndex((window) => window.webContents === contents);
double.events.on('load', (window, url) => tell('load', double.windows.indexOf(window), url));
double.events.on('sent', (contents, channel, sent) => tell('sent', windowOf(contents), channel, sent));

const ASKED = {
  windows: () =>
    double.windows.map(({ options, webContents, shownBy, visible, destroyed }) => ({
      title: options.title,
      url: webContents.url,
      preferences: { ...webContents.preferences, session: webContents.preferences.session !== undefined },
      shownBy,
      visible,
      destroyed,
      channels: [...webContents.ipc.handlers.keys()],
      listens: webContents.ipc.eventNames(),
    })),
  facts: () => ({
    sandboxEnabled: double.sandboxEnabled,
    privilegedSchemes: double.privilegedSchemes,
    protocolClients: double.protocolClients,
    errorBoxes: double.errorBoxes,
    hasApplicationMenu: double.applicationMenu !== null,
    clipboard: double.clipboard,
    openedOutside: double.openedOutside,
    notifications: double.notifications.map(({ options, shown }) => ({ ...options, shown })),
    tray: double.trays.map(({ tooltip, image, menu }) => ({
      tooltip,
      image: image.path,
      labels: (menu?.items ?? []).map(({ label }) => label ?? '—'),
    })),
  }),
  async serve(url) {
    const handler = ui().protocol.handlers.get('app');
    const response = await handler(new Request(url));
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: Buffer.from(await response.arrayBuffer()).toString('base64'),
    };
  },
  invoke: (index, channel, sent, frame) => double.windows[index].webContents.invoked(channel, sent, frame),
  send: (index, channel, sent, frame) => double.windows[index].webContents.sentByPage(channel, sent, frame),
  /** An event of a webContents; `event.preventDefault()` is reported. */
  contentsEvent(index, name, ...rest) {
    let prevented = false;
    double.windows[index].webContents.emit(name, { preventDefault: () => (prevented = true) }, ...rest);
    return { prevented };
  },
  /** The window comes into sight and is pressed in the same moment. */
  pressAsItAppears(index) {
    const { webContents } = double.windows[index];
    double.windows[index].emit('show');
    for (const type of ['mouseDown', 'mouseUp'])
      webContents.emit('before-mouse-event', {}, { type, button: 'left', x: 1, y: 1 });
  },
  windowOpen: (index, url) => double.windows[index].webContents.openHandler({ url }),
  closeWindow: (index) => double.windows[index].close(),
  /** One label for each menu on the way. */
  clickMenu(...labels) {
    let items = double.trays[0].menu.items;
    let item;
    for (const label of labels) {
      item = items.find((candidate) => candidate.label === label);
      if (item === undefined)
        throw new Error(`no item "${label}" among ${items.map((candidate) => candidate.label ?? '—').join(', ')}`);
      items = item.submenu ?? [];
    }
    item.click();
  },
  clickNotification: () => void double.notifications.at(-1).emit('click', {}),
  async permission(kind) {
    const session = ui();
    const asked = await new Promise((answer) => session.permissionRequest(null, kind, answer, {}));
    return { asked, looked: session.permissionCheck(null, kind, 'app://ui', {}), device: session.devicePermission({}) };
  },
  request: (url) => new Promise((answer) => ui().beforeRequest({ url }, answer)),
  secondInstances(...starts) {
    for (const argv of starts) app.emit('second-instance', {}, argv, process.cwd(), null);
  },
  globalChannels: () => [...ipcMain.handlers.keys(), ...ipcMain.eventNames()],
  power: (event) => void powerMonitor.emit(event),
  quit: () => void app.quit(),
};

process.on('message', async ({ id, name, args: given }) => {
  try {
    process.send({ id, result: await ASKED[name](...given) });
  } catch (error) {
    process.send({ id, error: error instanceof Error ? error.message : String(error) });
  }
});
process.on('disconnect', () => process.exit(0));

process.argv = [process.execPath, ...args];
await import(pathToFileURL(main).href);

function ui() {
  return double.sessions.get('gatehouse-ui');
}

function tell(event, ...rest) {
  process.send({ event, args: rest });
}
