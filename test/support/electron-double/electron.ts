/**
 * ONE behaving double of the `electron` module, for tests in plain Node. It is not Electron: it draws nothing, sandboxes
 * nothing and starts no renderer. What it does do, it does as Electron does: it emits events, refuses a second handler
 * for a channel, copies what crosses IPC, answers to `new`, and keeps what was made so that a test can look at it and
 * press its buttons (`double`).
 */
import { EventEmitter } from 'node:events';
import { homedir } from 'node:os';
import { join } from 'node:path';

type Handler = (event: object, ...args: unknown[]) => unknown;

/** `ipcMain`, and the `ipc` of each webContents. */
class IpcMain extends EventEmitter {
  readonly handlers = new Map<string, Handler>();

  handle(channel: string, handler: Handler): void {
    if (this.handlers.has(channel)) throw new Error(`Attempted to register a second handler for '${channel}'`);
    this.handlers.set(channel, handler);
  }
  removeHandler(channel: string): void {
    this.handlers.delete(channel);
  }
}

export interface Frame {
  readonly url: string;
  readonly parent: Frame | null;
}

let contentsMade = 0;

class WebContents extends EventEmitter {
  readonly id = ++contentsMade;
  readonly ipc = new IpcMain();
  readonly sent: { readonly channel: string; readonly args: readonly unknown[] }[] = [];
  readonly preferences: Record<string, unknown>;
  openHandler: ((details: { url: string }) => { action: 'allow' | 'deny' }) | null = null;
  url = '';
  destroyed = false;

  constructor(preferences: Record<string, unknown>) {
    super();
    this.preferences = preferences;
    double.contents.push(this);
    app.emit('web-contents-created', {}, this);
  }
  getLastWebPreferences(): Record<string, unknown> {
    return this.preferences;
  }
  setWindowOpenHandler(handler: (details: { url: string }) => { action: 'allow' | 'deny' }): void {
    this.openHandler = handler;
  }
  send(channel: string, ...args: unknown[]): void {
    if (this.destroyed) throw new Error('Object has been destroyed');
    const copy = structuredClone(args);
    this.sent.push({ channel, args: copy });
    double.events.emit('sent', this, channel, copy);
  }
  getURL(): string {
    return this.url;
  }
  isDestroyed(): boolean {
    return this.destroyed;
  }

  /** What `ipcRenderer.invoke` does: this window's handlers, then everybody's; nobody is a rejection. */
  async invoked(channel: string, args: readonly unknown[], frame: Frame): Promise<unknown> {
    const handler = this.ipc.handlers.get(channel) ?? ipcMain.handlers.get(channel);
    if (handler === undefined) throw new Error(`No handler registered for '${channel}'`);
    return structuredClone(
      await handler({ type: 'frame', sender: this, senderFrame: frame }, ...structuredClone(args)),
    );
  }
  /** What `ipcRenderer.send` does. */
  sentByPage(channel: string, args: readonly unknown[], frame: Frame): void {
    const event = { type: 'frame', sender: this, senderFrame: frame };
    this.ipc.emit(channel, event, ...structuredClone(args));
    ipcMain.emit(channel, event, ...structuredClone(args));
  }
}

interface Bounds {
  x: number;
  y: number;
  width: number;
  height: number;
}

class BrowserWindow extends EventEmitter {
  readonly options: Record<string, unknown> & { webPreferences?: Record<string, unknown> };
  readonly webContents: WebContents;
  /** How it came into sight, in order: `show`, `showInactive`, `focus`, `hide` … */
  readonly shownBy: string[] = [];
  visible: boolean;
  minimized = false;
  destroyed = false;

  constructor(options: Record<string, unknown> = {}) {
    super();
    this.options = options;
    this.visible = options.show !== false;
    this.webContents = new WebContents(this.options.webPreferences ?? {});
    double.windows.push(this);
    double.events.emit('window', this);
  }
  #abort: (() => void) | null = null;

  /** A newer address ends a load that is under way, and its promise rejects, as in Electron. */
  loadURL(url: string): Promise<void> {
    this.#abort?.();
    this.webContents.url = url;
    double.events.emit('load', this, url);
    return new Promise((resolve, reject) => {
      const end = setImmediate(() => {
        this.#abort = null;
        if (!this.destroyed) this.emit('ready-to-show');
        resolve();
      });
      this.#abort = () => {
        clearImmediate(end);
        reject(Object.assign(new Error(`ERR_ABORTED (-3) loading '${url}'`), { code: 'ERR_ABORTED', errno: -3 }));
      };
    });
  }
  show(): void {
    this.#appear('show');
  }
  showInactive(): void {
    this.#appear('showInactive');
  }
  hide(): void {
    this.shownBy.push('hide');
    this.visible = false;
    this.emit('hide');
  }
  focus(): void {
    this.shownBy.push('focus');
    this.emit('focus');
  }
  restore(): void {
    this.minimized = false;
    this.emit('restore');
  }
  close(): void {
    let prevented = false;
    this.emit('close', { preventDefault: () => (prevented = true) });
    if (!prevented) this.destroy();
  }
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.webContents.destroyed = true;
    this.visible = false;
    this.webContents.emit('destroyed');
    this.emit('closed');
    if (double.windows.every((window) => window.destroyed)) app.emit('window-all-closed');
  }
  isVisible(): boolean {
    return this.visible;
  }
  isMinimized(): boolean {
    return this.minimized;
  }
  isDestroyed(): boolean {
    return this.destroyed;
  }
  getNormalBounds(): Bounds {
    return { x: 0, y: 0, width: 1000, height: 700 };
  }
  #appear(how: string): void {
    if (this.destroyed) throw new Error('Object has been destroyed');
    this.shownBy.push(how);
    const before = this.visible;
    this.visible = true;
    if (!before) this.emit('show');
  }
}

class Tray extends EventEmitter {
  image: NativeImage;
  tooltip = '';
  menu: Menu | null = null;
  destroyed = false;

  constructor(image: NativeImage) {
    super();
    this.image = image;
    double.trays.push(this);
  }
  setImage(image: NativeImage): void {
    this.image = image;
  }
  setToolTip(text: string): void {
    this.tooltip = text;
  }
  setContextMenu(menu: Menu | null): void {
    this.menu = menu;
  }
  isDestroyed(): boolean {
    return this.destroyed;
  }
  destroy(): void {
    this.destroyed = true;
  }
}

interface MenuItem {
  readonly label?: string;
  readonly enabled?: boolean;
  readonly submenu?: readonly MenuItem[];
  click?(): void;
}

class Menu {
  readonly items: readonly MenuItem[];
  constructor(items: readonly MenuItem[] = []) {
    this.items = items;
  }
  static buildFromTemplate(items: readonly MenuItem[]): Menu {
    return new Menu(items);
  }
  static setApplicationMenu(menu: Menu | null): void {
    double.applicationMenu = menu;
  }
}

class NativeImage {
  readonly path: string;
  template = false;
  constructor(path: string) {
    this.path = path;
  }
  setTemplateImage(template: boolean): void {
    this.template = template;
  }
}

class Notification extends EventEmitter {
  static isSupported(): boolean {
    return true;
  }
  readonly options: Record<string, unknown>;
  shown = false;
  constructor(options: Record<string, unknown> = {}) {
    super();
    this.options = options;
    double.notifications.push(this);
  }
  show(): void {
    this.shown = true;
    this.emit('show', {});
  }
  close(): void {
    this.shown = false;
    this.emit('close', {});
  }
}

class Protocol {
  readonly handlers = new Map<string, (request: Request) => Promise<Response>>();
  handle(scheme: string, handler: (request: Request) => Promise<Response>): void {
    if (this.handlers.has(scheme)) throw new Error(`The scheme ${scheme} has a handler already`);
    this.handlers.set(scheme, handler);
  }
  registerSchemesAsPrivileged(schemes: readonly unknown[]): void {
    if (app.isReady()) throw new Error('protocol.registerSchemesAsPrivileged should be called before app is ready');
    double.privilegedSchemes.push(...schemes);
  }
}

type Decide = (contents: unknown, permission: string, answer: (granted: boolean) => void, details: unknown) => void;

class Session extends EventEmitter {
  readonly protocol = new Protocol();
  permissionRequest: Decide | null = null;
  permissionCheck: ((contents: unknown, permission: string, origin: string, details: unknown) => boolean) | null = null;
  devicePermission: ((details: unknown) => boolean) | null = null;
  displayMedia: ((request: unknown, answer: (streams: object) => void) => void) | null = null;
  beforeRequest: ((request: { url: string }, answer: (verdict: { cancel?: boolean }) => void) => void) | null = null;
  readonly webRequest = {
    onBeforeRequest: (listener: NonNullable<Session['beforeRequest']>): void => {
      this.beforeRequest = listener;
    },
  };
  setPermissionRequestHandler(handler: Decide): void {
    this.permissionRequest = handler;
  }
  setPermissionCheckHandler(handler: NonNullable<Session['permissionCheck']>): void {
    this.permissionCheck = handler;
  }
  setDevicePermissionHandler(handler: NonNullable<Session['devicePermission']>): void {
    this.devicePermission = handler;
  }
  setDisplayMediaRequestHandler(handler: NonNullable<Session['displayMedia']>): void {
    this.displayMedia = handler;
  }
}

class App extends EventEmitter {
  isPackaged = true;
  readonly dock = undefined;
  readonly paths = new Map<string, string>();
  readonly #ready = Promise.withResolvers<void>();
  #isReady = false;
  readonly commandLine = {
    hasSwitch: (name: string): boolean =>
      process.argv.some((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`)),
  };

  constructor() {
    super();
    // Electron becomes ready after the main file was evaluated.
    setTimeout(() => {
      this.#isReady = true;
      this.emit('ready');
      this.#ready.resolve();
    }, 20);
  }
  isReady(): boolean {
    return this.#isReady;
  }
  whenReady(): Promise<void> {
    return this.#ready.promise;
  }
  getVersion(): string {
    return '0.1.0';
  }
  setName(_name: string): void {}
  getPath(name: string): string {
    const set = this.paths.get(name);
    if (set !== undefined) return set;
    if (name === 'home') return homedir();
    if (name === 'exe') return process.execPath;
    return join(homedir(), `.electron-double-${name}`);
  }
  setPath(name: string, path: string): void {
    this.paths.set(name, path);
  }
  requestSingleInstanceLock(): boolean {
    return !double.otherInstance;
  }
  enableSandbox(): void {
    if (this.#isReady) throw new Error('app.enableSandbox() can only be called before app is ready');
    double.sandboxEnabled = true;
  }
  setAsDefaultProtocolClient(scheme: string): boolean {
    double.protocolClients.push(scheme);
    return true;
  }
  getLoginItemSettings(): { openAtLogin: boolean; wasOpenedAtLogin: boolean } {
    return { openAtLogin: false, wasOpenedAtLogin: false };
  }
  setLoginItemSettings(): void {}
  quit(): void {
    let prevented = false;
    this.emit('before-quit', { preventDefault: () => (prevented = true) });
    if (prevented) return;
    for (const window of double.windows) window.close();
    this.emit('quit', {}, 0);
    process.exit(0);
  }
  exit(code = 0): void {
    process.exit(code);
  }
}

/** Everything that was made, for a test to look at. */
export const double = {
  /** `window`(window) · `load`(window, url) · `sent`(contents, channel, args) */
  events: new EventEmitter(),
  windows: [] as BrowserWindow[],
  contents: [] as WebContents[],
  trays: [] as Tray[],
  notifications: [] as Notification[],
  sessions: new Map<string, Session>(),
  privilegedSchemes: [] as unknown[],
  protocolClients: [] as string[],
  errorBoxes: [] as { readonly title: string; readonly content: string }[],
  applicationMenu: undefined as Menu | null | undefined,
  sandboxEnabled: false,
  clipboard: '',
  /** Addresses that went to the person's browser. */
  openedOutside: [] as string[],
  /** Set before the main file loads: another instance holds the lock. */
  otherInstance: process.env.ELECTRON_DOUBLE_OTHER_INSTANCE === '1',
};
export type Double = typeof double;
export type { BrowserWindow as WindowDouble, WebContents as ContentsDouble };

export const app = new App();
export const ipcMain = new IpcMain();
export const protocol = new Protocol();
export const session = {
  defaultSession: new Session(),
  fromPartition(name: string): Session {
    const known = double.sessions.get(name) ?? new Session();
    double.sessions.set(name, known);
    return known;
  },
};
export const powerMonitor = Object.assign(new EventEmitter(), { getSystemIdleState: () => 'active' });
export const nativeImage = { createFromPath: (path: string) => new NativeImage(path) };
export const clipboard = {
  async writeText(text: string): Promise<void> {
    double.clipboard = text;
  },
};
export const dialog = {
  showErrorBox(title: string, content: string): void {
    double.errorBoxes.push({ title, content });
    process.stderr.write(`[dialog] ${title}: ${content}\n`);
  },
};
export const shell = {
  async openExternal(url: string): Promise<void> {
    double.openedOutside.push(url);
  },
};
export { BrowserWindow, Menu, Notification, Tray };

export default {
  app,
  BrowserWindow,
  clipboard,
  dialog,
  ipcMain,
  Menu,
  nativeImage,
  Notification,
  powerMonitor,
  protocol,
  session,
  shell,
  Tray,
} satisfies { [Name in keyof typeof import('electron')]?: unknown };
