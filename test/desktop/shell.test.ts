/**
 * This is not a run in Electron. The built main process runs in plain Node over one behaving double of the `electron`
 * module; the built pages and preloads run in Debian's Chromium. It proves that the bundles load, that channel names
 * match, and the sender checks, the CSP, the answer gate and the flow. It does not prove Electron's own behaviour:
 * windows, tray drawing, single instance, the custom protocol, the real sandbox, fuses, native notifications.
 */
import { mkdtempSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { RequestInput, RequestName, RequestResult } from '../../shared/api.ts';
import type { ApprovalView } from '../../shared/model.ts';
import { type DesktopApp, runMain, startDesktopApp } from '../support/electron-double/desktop-app.ts';

const MAIN = 0;
const APPROVAL = 1;

interface WindowFacts {
  readonly title: string;
  readonly url: string;
  readonly preferences: Readonly<Record<string, unknown>>;
  readonly shownBy: readonly string[];
  readonly visible: boolean;
  readonly channels: readonly string[];
  readonly listens: readonly string[];
}

const answerTo = ({ id, argumentsSha256 }: ApprovalView) => ({ approval: id, argumentsSha256 });
const newFolder = () => mkdtempSync(join(tmpdir(), 'gatehouse-shell-'));

describe('the desktop app over the double', () => {
  let app: DesktopApp;
  let key: string;
  const folder = newFolder();

  beforeAll(async () => {
    app = await startDesktopApp(folder);
  });
  afterAll(async () => {
    await app?.close();
  });

  const windows = () => app.ask<WindowFacts[]>('windows');
  const windowAt = async (index: number) => {
    const found = (await windows())[index];
    if (found === undefined) throw new Error(`there is no window ${index}`);
    return found;
  };
  /** A request as any script in the page can make it. Pages are driven by text, because tests know no DOM types. */
  const request = <N extends RequestName>(page: Page, name: N, input: RequestInput<N>): Promise<RequestResult<N>> =>
    page.evaluate(`window.gatehouse.request(${JSON.stringify(name)}, ${JSON.stringify(input)})`);
  const waiting = (page: Page): Promise<readonly ApprovalView[]> =>
    request(page, 'approvalsList', { state: 'waiting' });

  /** A real MCP client calls a tool of the demo upstream that the starter policy asks a person about. */
  const callWriteNote = (title: string, text: string) => callTool('demo__write_note', { title, text });
  /** Another tool than that: calls of one tool are rows of one card. */
  const callDeleteAll = () => callTool('demo__delete_all_notes', {});
  const callTool = async (name: string, args: Record<string, unknown>) => {
    const client = new Client({ name: 'shell-test', version: '1' });
    await client.connect(
      new StreamableHTTPClientTransport(new URL(app.ready.endpoint), {
        requestInit: { headers: { authorization: `Bearer ${key}` } },
      }),
    );
    try {
      return await client.callTool({ name, arguments: args });
    } finally {
      await client.close();
    }
  };
  const textOf = (result: Awaited<ReturnType<typeof callTool>>) => JSON.stringify(result.content);
  const cardShown = async (text: string) => {
    const page = await app.page(APPROVAL);
    await page.getByText(text).first().waitFor();
    return page;
  };
  /** As long as a person needs at least: the guard of the card and the gate behind it let go after 500 ms. */
  const readIt = () => new Promise((resolve) => setTimeout(resolve, 650));

  test('the main window opens on its page, and no complaint of page or CSP is heard', async () => {
    const page = await app.page(MAIN);
    await page.getByRole('heading', { name: 'Approvals' }).waitFor();
    expect((await windowAt(MAIN)).url).toBe('app://ui/index.html');
    await page.getByText('Nothing waits for you').waitFor();
    expect(app.complaints).toEqual([]);
  });

  test('a key asked for in the main window is confirmed in the approval window, which takes no focus', async () => {
    const main = await app.page(MAIN);
    const created = request(main, 'keyCreate', { role: 'executor', name: 'shell-test' });
    const page = await app.page(APPROVAL);
    const confirm = page.getByRole('button', { name: 'Confirm' });
    await confirm.waitFor();
    expect((await windowAt(APPROVAL)).shownBy).toEqual(['showInactive']);
    expect(await page.evaluate('document.activeElement.tagName')).not.toBe('BUTTON');

    await readIt();
    await app.press(APPROVAL, confirm);
    const answer = await created;
    if (answer.kind !== 'done') throw new Error(answer.message);
    key = answer.secret;
    await vi.waitFor(async () => expect((await windowAt(APPROVAL)).visible).toBe(false));
  });

  test('a waiting call is listed in the main window, reviewed and approved in the approval window, and then runs', async () => {
    const call = callWriteNote('first', 'written after a yes');
    const main = await app.page(MAIN);
    const row = main.getByRole('article').filter({ hasText: 'write_note' });
    const review = row.getByRole('button', { name: 'Review' });
    await review.waitFor();
    expect(await main.getByRole('button', { name: /^Approve/ }).count()).toBe(0);

    await app.press(MAIN, review);
    const page = await cardShown('first');
    await vi.waitFor(async () => expect((await windowAt(APPROVAL)).shownBy.slice(-2)).toEqual(['show', 'focus']));
    expect(await page.locator('body').innerText()).toContain('written after a yes');
    await readIt();
    await app.press(APPROVAL, page.getByRole('button', { name: 'Approve once' }));
    expect(textOf(await call)).toContain('Wrote \\"first\\"');
  });

  test('F17 in the approval window a scripted click, dispatched events and a direct call of the preload approve nothing', async () => {
    const call = callWriteNote('scripted', 'must not run');
    const page = await cardShown('scripted');
    await readIt();
    const [approval] = await waiting(page);
    if (approval === undefined) throw new Error('nothing waits');

    await page.evaluate(`{
      const button = [...document.querySelectorAll('button')].find((one) => one.textContent === 'Approve once');
      button.click();
      const at = button.getBoundingClientRect();
      const where = { bubbles: true, clientX: at.x + 5, clientY: at.y + 5, button: 0 };
      for (const kind of ['pointerdown', 'pointerup']) button.dispatchEvent(new PointerEvent(kind, where));
      for (const kind of ['mousedown', 'mouseup', 'click']) button.dispatchEvent(new MouseEvent(kind, where));
      for (const kind of ['keydown', 'keyup'])
        button.dispatchEvent(new KeyboardEvent(kind, { key: 'Enter', bubbles: true }));
    }`);
    const direct = await request(page, 'approvalApprove', answerTo(approval));
    expect(direct).toEqual({
      kind: 'refused',
      message: 'Not answered: nobody pressed the button. Press it in this window.',
    });
    expect((await waiting(page)).map(({ id, state }) => [id, state])).toEqual([[approval.id, 'waiting']]);

    // The same message again right after a real press, as a replay would: the press is spent by its own answer.
    await app.press(APPROVAL, page.getByRole('button', { name: 'Deny', exact: true }));
    const replayed = await app
      .ask<{ result: unknown }>(
        'invoke',
        APPROVAL,
        'gatehouse:approval:request',
        ['approvalApprove', answerTo(approval)],
        { url: 'app://ui/approval.html', parent: null },
      )
      .then(({ result }) => result);
    expect(replayed).toEqual({ kind: 'refused', message: expect.stringMatching(/^Not answered: /) });
    const result = await call;
    expect(result._meta?.['gatehouse/class']).toBe('approval_denied');
  });

  test('F17 the main window can approve nothing, by its own channel or the other', async () => {
    const call = callWriteNote('from the main window', 'approved elsewhere');
    const page = await cardShown('from the main window');
    await readIt();
    const [approval] = await waiting(page);
    if (approval === undefined) throw new Error('nothing waits');
    const input = answerTo(approval);

    const main = await app.page(MAIN);
    await expect(request(main, 'approvalApprove', input)).rejects.toThrow(/approval window/i);
    await expect(
      app.ask('invoke', MAIN, 'gatehouse:approval:request', ['approvalApprove', input], {
        url: 'app://ui/index.html',
        parent: null,
      }),
    ).rejects.toThrow("No handler registered for 'gatehouse:approval:request'");

    expect((await waiting(page)).map(({ id }) => id)).toEqual([approval.id]);
    await app.press(APPROVAL, page.getByRole('button', { name: 'Approve once' }));
    expect(textOf(await call)).toContain('Wrote');
  });

  test('a press within half a second of the card is refused by the main process, whatever the page says', async () => {
    const call = callWriteNote('too soon', 'approved later');
    const page = await cardShown('too soon');
    const [approval] = await waiting(page);
    if (approval === undefined) throw new Error('nothing waits');
    await app.ask('pressAsItAppears', APPROVAL);
    const answer = await request(page, 'approvalApprove', answerTo(approval));
    expect(answer).toEqual({
      kind: 'refused',
      message: 'Not answered: the card had just appeared. Read it, then press the button again.',
    });
    await readIt();
    await app.press(APPROVAL, page.getByRole('button', { name: 'Approve once' }));
    await call;
  });

  test('a click in the tray pauses all calls; resuming there is confirmed in the approval window', async () => {
    const tray = async () =>
      (await app.ask<{ tray: { tooltip: string; image: string; labels: string[] }[] }>('facts')).tray[0];
    await app.ask('clickMenu', 'Pause all calls');
    await vi.waitFor(async () => expect((await tray())?.tooltip).toBe('Gatehouse: All calls are paused'));
    expect((await tray())?.image.endsWith('/assets/tray-paused.png')).toBe(true);
    expect(textOf(await callWriteNote('paused', 'must not run'))).toContain('The person paused all calls.');

    await app.ask('clickMenu', 'Resume all calls');
    const page = await app.page(APPROVAL);
    const confirm = page.getByRole('button', { name: 'Confirm' });
    await confirm.waitFor();
    expect((await tray())?.labels).toContain('Resume all calls');
    await readIt();
    await app.press(APPROVAL, confirm);
    await vi.waitFor(async () => expect((await tray())?.labels).toContain('Pause all calls'));
  });

  test('with two cards the one in the address is shown and answered, and paging moves both', async () => {
    const first = callWriteNote('one', 'first of two');
    const page = await cardShown('first of two');
    const second = callDeleteAll();
    await page.getByRole('button', { name: /Next/ }).waitFor();
    await app.press(APPROVAL, page.getByRole('button', { name: /Next/ }));
    await page.getByRole('article', { name: /delete_all_notes/ }).waitFor();
    await readIt();
    await app.press(APPROVAL, page.getByRole('button', { name: 'Approve once' }));
    expect(textOf(await second)).toContain('Deleted');
    await page.getByText('first of two').first().waitFor();
    await readIt();
    await app.press(APPROVAL, page.getByRole('button', { name: 'Approve once' }));
    expect(textOf(await first)).toContain('Wrote \\"one\\"');
  });

  test('a burst of one tool is one table: what is ticked is answered by one press, the rest waits on', async () => {
    const calls = ['red', 'green', 'blue'].map((title) => callWriteNote(title, `a burst of ${title}`));
    const page = await cardShown('a burst of red');
    for (const title of ['green', 'blue']) await page.getByText(`a burst of ${title}`).first().waitFor();
    for (const title of ['red', 'blue']) {
      await app.press(APPROVAL, page.getByRole('row', { name: new RegExp(title) }).locator('.check'));
    }
    await readIt();
    await app.press(APPROVAL, page.getByRole('button', { name: 'Approve 2 calls once' }));
    expect(textOf((await calls[0])!)).toContain('Wrote \\"red\\"');
    expect(textOf((await calls[2])!)).toContain('Wrote \\"blue\\"');
    expect(await waiting(page)).toMatchObject([{ tool: 'write_note', state: 'waiting' }]);
    await readIt();
    await app.press(APPROVAL, page.getByRole('button', { name: 'Approve once' }));
    expect(textOf((await calls[1])!)).toContain('Wrote \\"green\\"');
  });

  test('closing the approval window is no answer, and only something new brings it back', async () => {
    const call = callWriteNote('put away', 'waits on');
    const page = await cardShown('waits on');
    await vi.waitFor(async () => expect((await windowAt(APPROVAL)).visible).toBe(true));
    await app.ask('closeWindow', APPROVAL);
    expect((await windowAt(APPROVAL)).visible).toBe(false);
    expect(await waiting(page)).toHaveLength(1);

    const next = callDeleteAll();
    await vi.waitFor(async () => expect((await windowAt(APPROVAL)).visible).toBe(true));
    await page.getByText('waits on').first().waitFor();
    await readIt();
    await app.press(APPROVAL, page.getByRole('button', { name: 'Approve once' }));
    await call;
    await page.getByRole('article', { name: /delete_all_notes/ }).waitFor();
    await readIt();
    await app.press(APPROVAL, page.getByRole('button', { name: 'Approve once' }));
    await next;
  });

  test('behind a locked screen there is nobody to ask, and afterwards there is again', async () => {
    await app.ask('power', 'lock-screen');
    const locked = await callWriteNote('locked', 'must not run');
    expect(locked._meta?.['gatehouse/class']).toBe('approval_unavailable');
    await app.ask('power', 'unlock-screen');
    const call = callWriteNote('unlocked', 'is asked about');
    const page = await cardShown('is asked about');
    await readIt();
    await app.press(APPROVAL, page.getByRole('button', { name: 'Approve once' }));
    expect(textOf(await call)).toContain('Wrote');
  });

  test('L1 every window is locked: sandbox, isolation, no Node, no developer tools', async () => {
    expect(await windows()).toHaveLength(2);
    for (const { preferences } of await windows())
      expect(preferences).toMatchObject({
        sandbox: true,
        contextIsolation: true,
        nodeIntegration: false,
        nodeIntegrationInWorker: false,
        nodeIntegrationInSubFrames: false,
        webSecurity: true,
        allowRunningInsecureContent: false,
        experimentalFeatures: false,
        webviewTag: false,
        navigateOnDragDrop: false,
        devTools: false,
        session: true,
      });
    const facts = await app.ask<{ sandboxEnabled: boolean; hasApplicationMenu: boolean }>('facts');
    expect([facts.sandboxEnabled, facts.hasApplicationMenu]).toEqual([true, false]);
  });

  test('K5 no page can be led elsewhere, open a window or embed another page', async () => {
    for (const index of [MAIN, APPROVAL]) {
      for (const event of ['will-navigate', 'will-frame-navigate', 'will-redirect', 'will-attach-webview'])
        expect([event, await app.ask('contentsEvent', index, event, 'https://evil.test/')]).toEqual([
          event,
          { prevented: true },
        ]);
      expect(await app.ask('windowOpen', index, 'https://evil.test/')).toEqual({ action: 'deny' });
    }
  });

  test('L12 every permission is denied, asked for or looked up, and nothing outside the bundle is fetched', async () => {
    for (const kind of [
      'media',
      'geolocation',
      'notifications',
      'clipboard-read',
      'midi',
      'hid',
      'pointerLock',
      'openExternal',
    ])
      expect([kind, await app.ask('permission', kind)]).toEqual([kind, { asked: false, looked: false, device: false }]);
    expect(await app.ask('request', 'https://evil.test/x')).toEqual({ cancel: true });
    expect(await app.ask('request', 'app://ui.evil.test/x')).toEqual({ cancel: true });
    expect(await app.ask('request', 'app://ui/index.html')).toEqual({ cancel: false });
  });

  test('L4 every channel refuses another page, another frame and another origin', async () => {
    const senders = [
      { url: 'data:text/html,x', parent: null },
      { url: 'http://127.0.0.1:8080/index.html', parent: null },
      { url: 'app://ui.evil.test/index.html', parent: null },
      { url: 'app://ui/other.html', parent: null },
      { url: 'about:blank', parent: null },
      null,
    ];
    let channels = 0;
    for (const [index, page] of [
      [MAIN, 'app://ui/index.html'],
      [APPROVAL, 'app://ui/approval.html'],
    ] as const) {
      const { channels: handled } = await windowAt(index);
      channels += handled.length;
      const own = { url: page, parent: null };
      const other = { url: index === MAIN ? 'app://ui/approval.html' : 'app://ui/index.html', parent: null };
      for (const channel of handled) {
        for (const frame of [...senders, other, { url: page, parent: own }])
          await expect(app.ask('invoke', index, channel, ['status', {}], frame)).rejects.toThrow(
            'This page may not send messages to Gatehouse.',
          );
        expect(await app.ask('invoke', index, channel, ['status', {}], own)).toMatchObject({ kind: 'answered' });
      }
    }
    expect(channels).toBe(2);
    expect((await windowAt(MAIN)).listens).toEqual(['gatehouse:main:review']);
    expect((await windowAt(APPROVAL)).listens).toEqual([]);
    expect(await app.ask('globalChannels')).toEqual([]);
  });

  test('L6 the pages get the bridge and nothing else of Electron or Node', async () => {
    for (const [index, names] of [
      [MAIN, ['request', 'review', 'subscribe', 'surface']],
      [APPROVAL, ['request', 'subscribe', 'surface']],
    ] as const) {
      const page = await app.page(index);
      const seen = await page.evaluate(`({
        bridge: Object.keys(window.gatehouse).sort(),
        leaked: ['require', 'process', 'module', 'ipcRenderer', 'electron', 'Buffer'].filter((name) => name in window),
      })`);
      expect(seen).toEqual({ bridge: names, leaked: [] });
    }
  });

  test('the approval window makes no request but those of its cards', async () => {
    const page = await app.page(APPROVAL);
    for (const name of ['keyCreate', 'upstreamAdd', 'policyImport', 'toolsReview', 'auditExport'] as const)
      await expect(request(page, name as 'status', {})).rejects.toThrow(
        'The approval window does not make this request.',
      );
  });

  test('L8 inline script, eval and foreign requests are stopped by the CSP', async () => {
    const page = await app.page(MAIN);
    const outcome = await page.evaluate(`(async () => {
      const script = document.createElement('script');
      script.textContent = 'globalThis.inlineRan = true';
      document.head.append(script);
      const refused = (run) => {
        try {
          run();
          return false;
        } catch (error) {
          return error instanceof EvalError;
        }
      };
      // Only what a timer calls is under the policy: what the browser is told to evaluate is not.
      const later = (run) => new Promise((resolve) => setTimeout(() => resolve(refused(run))));
      return {
        inlineRan: 'inlineRan' in globalThis,
        evalRefused: await later(() => (0, eval)('1')),
        functionRefused: await later(() => new Function('return 1')),
        foreign: await fetch('https://evil.test/').then(() => 'fetched', () => 'refused'),
      };
    })()`);
    expect(outcome).toEqual({ inlineRan: false, evalRefused: true, functionRefused: true, foreign: 'refused' });
  });

  test('the tray says how many wait, lists them, and leads to pages and to quitting', async () => {
    const call = callWriteNote('in the tray', 'is listed');
    const page = await cardShown('is listed');
    const tray = () => app.ask<{ tray: { tooltip: string; image: string; labels: string[] }[] }>('facts');
    await vi.waitFor(async () => expect((await tray()).tray[0]?.tooltip).toBe('Gatehouse: 1 request waits for you'));
    const { labels, image } = (await tray()).tray[0] ?? { labels: [], image: '' };
    expect(labels).toContain('Review shell-test: demo / write_note');
    expect(image.endsWith('/assets/tray-waiting.png')).toBe(true);
    await app.ask('clickMenu', 'Audit');
    await vi.waitFor(async () => expect((await windowAt(MAIN)).url).toBe('app://ui/index.html#/audit'));
    await (await app.page(MAIN)).getByRole('heading', { name: 'Audit' }).waitFor();

    await readIt();
    await app.press(APPROVAL, page.getByRole('button', { name: 'Approve once' }));
    await call;
    await vi.waitFor(async () => expect((await tray()).tray[0]?.tooltip).toBe('Gatehouse'));
  });

  test('a waiting call is announced without its long arguments, and a click on the notification opens its card', async () => {
    const call = callWriteNote('announced', 'CANARY'.repeat(60));
    const page = await cardShown('announced');
    const shown = () => app.ask<{ notifications: { title: string; body: string; shown: boolean }[] }>('facts');
    await vi.waitFor(async () => {
      const last = (await shown()).notifications.at(-1);
      expect(last && [last.title, last.body, last.shown]).toEqual([
        'Gatehouse: a call waits for you',
        'demo / write_note\nfor shell-test\nOpen it to read the whole call.',
        true,
      ]);
    });
    const before = (await windowAt(APPROVAL)).shownBy.length;
    await app.ask('clickNotification');
    await vi.waitFor(async () => expect((await windowAt(APPROVAL)).shownBy.slice(before)).toEqual(['show', 'focus']));
    await readIt();
    await app.press(APPROVAL, page.getByRole('button', { name: 'Approve once' }));
    expect(textOf(await call)).toContain('Wrote');
    await vi.waitFor(async () => expect((await shown()).notifications.at(-1)?.shown).toBe(false));
  });

  test('the switches in the tray are kept, in a file that only its user can read', async () => {
    await app.ask('clickMenu', 'Approve short calls in notifications');
    const file = join(folder, 'desktop', 'preferences.json');
    await vi.waitFor(() => expect(statSync(file).mode & 0o777).toBe(0o600));
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ notifications: { show: true, approve: false } });
  });

  test('a second start brings the window to the front, on the page its link names', async () => {
    const before = (await windowAt(MAIN)).shownBy.length;
    await app.ask('secondInstances', ['gatehouse', 'gatehouse://open/tools']);
    expect((await windowAt(MAIN)).url).toBe('app://ui/index.html#/tools');
    expect((await windowAt(MAIN)).shownBy.slice(before)).toEqual(['show', 'focus']);
    await app.ask('secondInstances', ['gatehouse', 'gatehouse://approve/everything']);
    expect((await windowAt(MAIN)).shownBy.slice(before)).toEqual(['show', 'focus']);
  });

  test('an address that is overtaken by the next one does no harm', async () => {
    await app.ask('secondInstances', ['gatehouse', 'gatehouse://open/tools'], ['gatehouse', 'gatehouse://open/policy']);
    await (await app.page(MAIN)).getByRole('heading', { name: 'Policy' }).first().waitFor();
    expect((await windowAt(MAIN)).url).toBe('app://ui/index.html#/policy');
  });
});

describe('the main file before there is anything to show', () => {
  test('with a command it is the command line and shows nothing', async () => {
    const { exit } = runMain(['keys', 'list', '--data', newFolder()]);
    const { code, stderr } = await exit;
    expect([code, stderr]).toEqual([
      0,
      'There are no keys yet. Make one: gatehouse keys create --role executor --name my-agent\n',
    ]);
  });

  test('L21 while another instance runs it hands over and ends', async () => {
    const { exit } = runMain(['--data', newFolder(), '--port', '0'], { ELECTRON_DOUBLE_OTHER_INSTANCE: '1' });
    expect(await exit).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('why it does not start is one sentence in a dialog, and exit code 1', async () => {
    const { exit } = runMain(['--port', '99999', '--data', newFolder()]);
    const { code, stderr } = await exit;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^\[dialog\] Gatehouse did not start: --port is '99999'; it must be a number/m);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test('L16 a packaged app does not run with a debugging port', async () => {
    const { exit } = runMain(['--remote-debugging-port=9222', '--data', newFolder(), '--port', '0']);
    const { code, stderr } = await exit;
    expect(code).toBe(1);
    expect(stderr).toContain('does not run with a debugging port');
  });
});
