import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Locator, type Page } from 'playwright-core';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const MAIN = join(ROOT, 'out', 'main', 'main.js');

export interface Ready {
  readonly endpoint: string;
  readonly dashboard: null;
  readonly health: string;
  readonly pid: number;
}

/** The built app over the double, and its pages in a real Chromium. */
export interface DesktopApp {
  readonly ready: Ready;
  /** Asks the double; see run-main.mjs. */
  ask<T>(name: string, ...args: readonly unknown[]): Promise<T>;
  /** The page of the n-th window, loaded. */
  page(index: number): Promise<Page>;
  /** Everything that crossed between a page and the main process so far, in both directions. */
  readonly ipc: readonly Crossed[];
  /** stdout and stderr so far. */
  said(): string;
  /** What the pages complained about: errors, and breaches of the CSP. */
  readonly complaints: readonly string[];
  /** A press of the mouse, seen by the main process before the page, as in Electron. */
  press(index: number, target: Locator): Promise<void>;
  close(): Promise<void>;
}

export interface Crossed {
  readonly window: number;
  readonly direction: 'to the main process' | 'to the page';
  readonly channel: string;
  /** The name of the request that it is, or that it answers; empty for what the main process says unasked. */
  readonly request: string;
  readonly text: string;
}

export interface Exit {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function runMain(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): { child: ChildProcess; exit: Promise<Exit>; said(): string } {
  const child = fork(join(import.meta.dirname, 'run-main.mjs'), [MAIN, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  const exit = new Promise<Exit>((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
  return { child, exit, said: () => stdout + stderr };
}

export async function startDesktopApp(dataFolder: string, env: NodeJS.ProcessEnv = {}): Promise<DesktopApp> {
  const { child, exit, said } = runMain(['--data', dataFolder, '--port', '0', '--json'], {
    // A bus that is not there: notifications are Electron's own then, which the double keeps.
    DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent/bus',
    ...env,
  });
  const ipc: Crossed[] = [];
  const wire = openWire(child);
  const complaints: string[] = [];
  // Listened for before the browser is started: whichever of the two is quicker, nothing is missed.
  const announced = Promise.race([
    new Promise<Ready>((resolve) => {
      let text = '';
      child.stdout?.on('data', (chunk) => {
        text += chunk;
        const line = text.split('\n').find((candidate) => candidate.startsWith('{'));
        if (line !== undefined && text.includes(`${line}\n`)) resolve(JSON.parse(line) as Ready);
      });
    }),
    exit.then(({ stderr }) => {
      throw new Error(`the app ended before it was ready: ${stderr}`);
    }),
  ]);
  const launching = chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });

  const pages = new Map<number, Promise<Page>>();
  wire.events.on('load', (index: number, url: string) => {
    const known = pages.get(index);
    const loaded = (known ?? openPage(index)).then(async (page) => {
      await page.goto(toWeb(url));
      return page;
    });
    pages.set(index, loaded);
  });
  wire.events.on('sent', async (index: number, channel: string, args: readonly unknown[]) => {
    ipc.push({ window: index, direction: 'to the page', channel, request: '', text: JSON.stringify(args) });
    const page = await pages.get(index);
    await page?.evaluate(`__deliver(${JSON.stringify(channel)}, ${JSON.stringify(args)})`).catch(() => {
      // The page is between two documents; it asks for everything when it is there.
    });
  });

  /** One page with the preload that its window was made with, in a context of its own. */
  async function openPage(index: number): Promise<Page> {
    const windows = await wire.ask<{ preferences: { preload: string } }[]>('windows');
    const preload = windows[index]?.preferences.preload ?? '';
    const context = await (await launching).newContext({ viewport: { width: 1000, height: 760 } });
    await serveBundle(context, wire.ask);
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    const frameOf = (url: string) => ({ url: toApp(url), parent: null });
    await page.exposeBinding('__invoke', async ({ frame }, channel: string, args: readonly unknown[]) => {
      const request = String(args[0]);
      const crossed = (direction: Crossed['direction'], what: unknown) =>
        void ipc.push({ window: index, direction, channel, request, text: JSON.stringify(what) ?? '' });
      crossed('to the main process', args);
      try {
        const result = await wire.ask('invoke', index, channel, args, frameOf(frame.url()));
        crossed('to the page', result);
        return { result };
      } catch (error) {
        crossed('to the page', String(error));
        return { error: `Error invoking remote method '${channel}': ${String(error)}` };
      }
    });
    await page.exposeBinding('__send', ({ frame }, channel: string, args: readonly unknown[]) => {
      const text = JSON.stringify(args);
      ipc.push({ window: index, direction: 'to the main process', channel, request: '', text });
      return wire.ask('send', index, channel, args, frameOf(frame.url()));
    });
    await page.addInitScript({ content: sandboxed(readFileSync(preload, 'utf8')) });
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(`window ${index}: ${message.text()}`);
    });
    page.on('pageerror', (error) => complaints.push(`window ${index}: ${error.message}`));
    let document = '';
    page.on('framenavigated', (frame) => {
      if (frame !== page.mainFrame() || !frame.url().startsWith(WEB)) return;
      const url = toApp(frame.url());
      const inPage = document !== '' && document === url.split('#')[0];
      document = url.split('#')[0] ?? '';
      void wire.ask('contentsEvent', index, inPage ? 'did-navigate-in-page' : 'did-navigate', url, inPage ? true : 200);
    });
    return page;
  }

  const [browser, ready] = await Promise.all([launching, announced]);

  const pageAt = async (index: number): Promise<Page> => {
    for (let tries = 0; tries < 200; tries++) {
      const page = pages.get(index);
      if (page !== undefined) return page;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error(`window ${index} was never loaded`);
  };

  return {
    ready,
    ipc,
    said,
    complaints,
    ask: wire.ask,
    page: pageAt,
    async press(index, target) {
      const page = await pageAt(index);
      // Waits until it can be pressed, and presses nothing yet.
      await target.click({ trial: true });
      const box = await target.boundingBox();
      if (box === null) throw new Error('there is nothing to press');
      const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
      await page.mouse.move(x, y);
      await wire.ask('contentsEvent', index, 'before-mouse-event', { type: 'mouseDown', button: 'left', x, y });
      await page.mouse.down();
      await wire.ask('contentsEvent', index, 'before-mouse-event', { type: 'mouseUp', button: 'left', x, y });
      await page.mouse.up();
    },
    async close() {
      await Promise.allSettled(pages.values());
      await browser.close();
      await wire.ask('quit').catch(() => {});
      const { code, stderr } = await exit;
      if (code !== 0) throw new Error(`the app quit with code ${code}: ${stderr}`);
    },
  };
}

/** Chromium knows no `app://`, so the bundle appears under an https origin that is answered without any network. */
const WEB = 'https://ui.gatehouse.invalid';
const toWeb = (url: string): string => url.replace('app://ui', WEB);
const toApp = (url: string): string => url.replace(WEB, 'app://ui');

type Ask = DesktopApp['ask'];

async function serveBundle(context: BrowserContext, ask: Ask): Promise<void> {
  await context.route('**/*', async (route) => {
    const url = route.request().url();
    if (!url.startsWith(`${WEB}/`)) return route.abort('blockedbyclient');
    const { status, headers, body } = await ask<{ status: number; headers: Record<string, string>; body: string }>(
      'serve',
      toApp(url),
    );
    return route.fulfill({ status, headers, body: Buffer.from(body, 'base64') });
  });
}

/** The preload as Electron's sandbox runs it: CommonJS, and `require` knows `electron` alone. */
function sandboxed(preload: string): string {
  return `(() => {
    const { __invoke, __send } = globalThis;
    delete globalThis.__invoke;
    delete globalThis.__send;
    const listeners = new Map();
    Object.defineProperty(globalThis, '__deliver', {
      value: (channel, args) => { for (const listener of listeners.get(channel) ?? []) listener({}, ...args); },
    });
    const electron = {
      contextBridge: {
        exposeInMainWorld(name, api) {
          Object.defineProperty(globalThis, name, { value: Object.freeze({ ...api }), enumerable: true });
        },
      },
      ipcRenderer: {
        async invoke(channel, ...args) {
          const answer = await __invoke(channel, args);
          if ('error' in answer) throw new Error(answer.error);
          return answer.result;
        },
        send: (channel, ...args) => void __send(channel, args),
        on: (channel, listener) => void listeners.set(channel, [...(listeners.get(channel) ?? []), listener]),
        removeListener: (channel, listener) =>
          void listeners.set(channel, (listeners.get(channel) ?? []).filter((one) => one !== listener)),
      },
    };
    const require = (name) => {
      if (name !== 'electron') throw new Error('module not found: ' + name);
      return electron;
    };
    const module = { exports: {} };
    ((require, module, exports) => {
      ${preload}
    })(require, module, module.exports);
  })();`;
}

function openWire(child: ChildProcess): { readonly events: EventEmitter; readonly ask: Ask } {
  const events = new EventEmitter();
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let asked = 0;
  child.on(
    'message',
    (message: { id?: number; result?: unknown; error?: string; event?: string; args?: unknown[] }) => {
      if (message.event !== undefined) {
        events.emit(message.event, ...(message.args ?? []));
        return;
      }
      const answer = waiting.get(message.id ?? 0);
      waiting.delete(message.id ?? 0);
      if (message.error !== undefined) answer?.reject(new Error(message.error));
      else answer?.resolve(message.result);
    },
  );
  child.on('close', () => {
    for (const answer of waiting.values()) answer.reject(new Error('the app has ended'));
    waiting.clear();
  });
  return {
    events,
    ask<T>(name: string, ...args: readonly unknown[]) {
      const id = ++asked;
      const answer = Promise.withResolvers<unknown>();
      waiting.set(id, answer);
      if (child.connected) child.send({ id, name, args });
      else answer.reject(new Error('the app has ended'));
      return answer.promise as Promise<T>;
    },
  };
}
