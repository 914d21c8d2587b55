import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  connectFreedesktopNotifier,
  escapeMarkup,
  type FreedesktopNotifier,
} from '../../electron/desktop/freedesktop-notifier.ts';
import { type Dunst, hasDunst, startDunst } from '../support/notifications/dunst.ts';

const run = promisify(execFile);

test('F7 text of agents and servers is not markup in a notification', () => {
  expect(escapeMarkup('<b>Approved</b> & <img src=x>')).toBe('&lt;b&gt;Approved&lt;/b&gt; &amp; &lt;img src=x&gt;');
});

test('a machine that the tests are meant for has dunst, Xvfb and a session bus', () => {
  if (process.env.CI === 'true') expect(hasDunst).toBe(true);
});

test('no session bus is an ending, not an error', async () => {
  vi.stubEnv('DBUS_SESSION_BUS_ADDRESS', 'unix:path=/nonexistent/bus');
  const answer = await connectFreedesktopNotifier('Gatehouse', '');
  expect(answer.kind).toBe('absent');
});

describe.skipIf(!hasDunst)('with a real dunst', () => {
  let dunst: Dunst;
  let connected: Extract<FreedesktopNotifier, { kind: 'connected' }>;

  beforeAll(async () => {
    dunst = await startDunst();
    vi.stubEnv('DBUS_SESSION_BUS_ADDRESS', dunst.env.DBUS_SESSION_BUS_ADDRESS ?? '');
    const answer = await connectFreedesktopNotifier('Gatehouse', '');
    if (answer.kind !== 'connected') throw new Error(answer.reason);
    connected = answer;
  });
  afterAll(() => {
    connected?.close();
    dunst?.close();
    vi.unstubAllEnvs();
  });

  const show = (body: string) => {
    const heard: string[] = [];
    const close = connected.notifier.show(
      {
        title: 'Gatehouse: a call waits for you',
        body,
        buttons: [
          { key: 'k-approve', label: 'Approve once' },
          { key: 'k-deny', label: 'Deny' },
        ],
      },
      {
        pressed: (key) => heard.push(key),
        opened: () => heard.push('opened'),
        closed: () => heard.push('closed'),
      },
    );
    return { heard, close };
  };
  const displayed = () => vi.waitFor(async () => expect(await dunst.dunstctl('count', 'displayed')).toBe('1'));
  const gone = () => vi.waitFor(async () => expect(await dunst.dunstctl('count', 'displayed')).toBe('0'));

  test('a notification is shown with its text as text, and taken back', async () => {
    const { close } = show('notes / <b>append</b>\nfor A & B');
    await displayed();
    close();
    await gone();
    const history = JSON.parse(await dunst.dunstctl('history')) as {
      data: { summary: { data: string }; body: { data: string }; appname: { data: string } }[][];
    };
    const last = history.data[0]?.[0];
    expect(last && [last.appname.data, last.summary.data, last.body.data]).toEqual([
      'Gatehouse',
      'Gatehouse: a call waits for you',
      'notes / &lt;b&gt;append&lt;/b&gt;\nfor A &amp; B',
    ]);
  });

  test('pressing the button named Deny is heard as that button, once', async () => {
    const { heard, close } = show('notes / append');
    await displayed();
    await dunst.press('Deny');
    await vi.waitFor(() => expect(heard).toContain('k-deny'));
    // dunst leaves a pressed notification standing; whoever showed it takes it back.
    close();
    await gone();
    expect(heard).toEqual(['k-deny']);
  });

  test('clicking the notification itself opens', async () => {
    const { heard } = show('notes / append');
    await displayed();
    await dunst.dunstctl('action', '0');
    await vi.waitFor(() => expect(heard).toContain('opened'));
    await dunst.dunstctl('close-all');
    await gone();
  });

  test('a press that another program on the bus makes up is not heard', async () => {
    const { heard, close } = show('notes / append');
    await displayed();
    for (let id = 1; id < 10; id++) {
      await run(
        'dbus-send',
        [
          '--session',
          '/org/freedesktop/Notifications',
          'org.freedesktop.Notifications.ActionInvoked',
          `uint32:${id}`,
          'string:k-approve',
        ],
        { env: dunst.env },
      );
    }
    // The real press comes after the forged ones on the same bus, so hearing it means they were passed over.
    await dunst.press('Deny');
    await vi.waitFor(() => expect(heard).toContain('k-deny'));
    expect(heard).not.toContain('k-approve');
    close();
    await gone();
  });
});
