import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { API, type RequestName } from '../../shared/api.ts';
import { formsIn, newCanary, newSecret, sweep, watchedSecrets, watchSecret } from '../support/canary.ts';
import { type DesktopApp, startDesktopApp } from '../support/electron-double/desktop-app.ts';
import { eventually, lastMessage } from '../support/gatehouse.ts';
import { environmentOf, newBase, RECORDER, recorded, startHeadless } from '../support/headless.ts';
import { type Ask, signIn } from '../support/sign-in.ts';
import { MODERN_META } from '../support/target.ts';
import { followAsBrowser } from '../support/vendors/browser.ts';
import { startVendor } from '../support/vendors/vendor.ts';

const MAIN = 0;
const APPROVAL = 1;
/** Requests that bring a secret in, and the one that hands a new key out, once. */
const BRINGS = ['upstreamAdd', 'upstreamChange', 'upstreamSignIn', 'signInStart', 'signInClient'];
const HANDS_OUT = ['keyCreate', 'keyRotate'];
/** What only looks, with what it needs to be answered. */
const LOOKS: Partial<Record<RequestName, unknown>> = {
  approvalsList: { state: 'all' },
  toolsFind: { query: 'echo' },
  upstreamLogs: { upstream: 'rec' },
  auditList: { limit: 500 },
};

test('N1: no secret crosses between a window of the desktop app and its main process, nor stands in a file it writes', {
  timeout: 60_000,
}, async () => {
  const base = newBase();
  // Of the test: what the upstream got is recorded here, so this is not swept.
  const own = mkdtempSync(join(tmpdir(), 'gatehouse-n1-'));
  onTestFinished(() => {
    for (const folder of [base, own]) rmSync(folder, { recursive: true, force: true });
  });
  const folder = join(base, 'data');
  const record = join(own, 'record.jsonl');
  const [env, replaced, header] = [
    newSecret('env'),
    newSecret('replaced'),
    watchSecret(newCanary('header').replaceAll('ä', 'a')),
  ];
  /** Not a secret: shows that the sweeps below find what is there. */
  const control = newCanary('control').replaceAll(/["/ä+ ~]/g, '');

  // What a person has set up before.
  const before = await startHeadless({ base, folder });
  await before.add('rec', { args: [RECORDER, record, '--leak=TOKEN'], secrets: { TOKEN: env } });
  await before.add('gone', { url: 'http://127.0.0.1:9/mcp', secrets: { Authorization: `Bearer ${header}` } });
  await using vendor = await startVendor();
  await before.add('mcp', { url: vendor.mcpUrl });
  await before.add('keyed', { args: [RECORDER, join(own, 'keyed.jsonl')] });
  await before.ask('upstreamSignIn', {
    upstream: 'keyed',
    signIn: { kind: 'api_key', place: { in: 'environment', name: 'TOKEN' } },
  });
  await before.review('rec', 'write');
  const key = await before.key(control);
  await before.stop();

  const app = await startDesktopApp(folder, environmentOf(base));
  const main = await app.page(MAIN);
  const request = (name: RequestName, input: unknown): Promise<unknown> =>
    main.evaluate(`window.gatehouse.request(${JSON.stringify(name)}, ${JSON.stringify(input)})`);
  await eventually(() => (recorded(record).length > 2 ? true : null), 'the upstream to run', 10_000);
  expect(recorded(record).at(0)).toMatchObject({ kind: 'started', env: { TOKEN: env } });

  // An agent calls, and the person answers in the approval window.
  const calling = callTool(app, key, 'rec__echo', JSON.stringify({ text: control }));
  await pressed(app, 'Approve once', control);
  expect((await calling)?.result).not.toHaveProperty('isError');
  const failing = callTool(app, key, 'gone__x', '{}');
  expect((await failing)?.error).toBeDefined();

  // A secret is replaced and a key made, each with a yes in the approval window.
  const changing = request('upstreamChange', { upstream: await idOf(request, 'rec'), secrets: { TOKEN: replaced } });
  await pressed(app, 'Confirm', 'New secret values for');
  expect(await changing).toMatchObject({ kind: 'done' });
  await eventually(
    () => (recorded(record).some(({ env: got }) => (got as { TOKEN?: string })?.TOKEN === replaced) ? true : null),
    'the new secret',
    10_000,
  );
  const making = request('keyCreate', { role: 'reader', name: 'made here' });
  await pressed(app, 'Confirm', 'made here');
  const { secret: made } = (await making) as { secret: string };
  expect(made).toMatch(/^gh_/);

  // An account is signed in from the window, and another with a key that is typed there.
  const apiKey = newSecret('api-key');
  const asked: Ask = (name, input) => request(name, input) as never;
  const person = { follow: (link: string) => followAsBrowser(link) };
  expect(await signIn(asked, { upstream: 'mcp', label: 'work' }, person)).toMatchObject({ state: 'connected' });
  expect(await signIn(asked, { upstream: 'keyed', label: 'work', secret: apiKey }, person)).toMatchObject({
    state: 'connected',
  });
  await eventually(
    () =>
      recorded(join(own, 'keyed.jsonl')).some(({ env: got }) => (got as { TOKEN?: string })?.TOKEN === apiKey)
        ? true
        : null,
    'the key in use',
    10_000,
  );

  // Every screen, and every request that only looks.
  for (const name of ['Approvals', 'Tools', 'Upstreams', 'Audit', 'Clients', 'Policy']) {
    await main.getByRole('navigation').getByRole('button', { name }).click();
    await main.getByRole('heading', { level: 2 }).waitFor();
  }
  const looks = (Object.keys(API) as RequestName[]).filter((name) => name in LOOKS || API[name].safeParse({}).success);
  for (const name of looks) {
    if (/List$|Get$|Export$|Verify$|Lines$|^status$|Find$|Logs$/.test(name)) await request(name, LOOKS[name] ?? {});
  }
  const masterKey = readFileSync(join(base, 'master-key'), 'utf8').trim();
  expect(vendor.tokens().length).toBeGreaterThan(0);
  const canaries = [env, replaced, header, key, made, masterKey, ...watchedSecrets()];
  const onDisk = () => canaries.flatMap((canary) => sweep(folder, canary));
  expect(onDisk(), 'while it runs').toEqual([]);
  const ipc = [...app.ipc];
  await app.close();
  expect(onDisk(), 'after it ended').toEqual([]);
  expect(sweep(folder, control).length).toBeGreaterThan(1);
  expect(canaries.flatMap((canary) => sweep(join(base, 'tmp'), canary))).toEqual([]);

  const crossings = new Set(ipc.map((crossed) => crossed.request));
  for (const name of [
    'upstreamsList',
    'clientsList',
    'auditList',
    'auditExport',
    'upstreamLogs',
    'policyExport',
    'connectionsList',
    'signInGet',
  ])
    expect([...crossings]).toContain(name);
  const everything = ipc.filter(
    ({ request: name, direction }) =>
      !(BRINGS.includes(name) && direction === 'to the main process') &&
      !(HANDS_OUT.includes(name) && direction === 'to the page'),
  );
  const hits = everything.flatMap((crossed) =>
    canaries.filter((canary) => formsIn(Buffer.from(crossed.text), canary).length > 0).map(() => crossed),
  );
  expect(hits).toEqual([]);
  expect(everything.some(({ text }) => text.includes(control))).toBe(true);
  // Each secret crossed where it had to, once: so the trace is whole.
  const crossed = (canary: string) => ipc.filter(({ text }) => formsIn(Buffer.from(text), canary).length > 0);
  expect(crossed(replaced).map(({ request: name, direction }) => [name, direction])).toEqual([
    ['upstreamChange', 'to the main process'],
  ]);
  expect(crossed(made).map(({ request: name, direction }) => [name, direction])).toEqual([
    ['keyCreate', 'to the page'],
  ]);
  expect(crossed(apiKey).map(({ request: name, direction }) => [name, direction])).toEqual([
    ['signInStart', 'to the main process'],
  ]);
  for (const canary of canaries) expect(formsIn(Buffer.from(app.said()), canary)).toEqual([]);
});

const idOf = async (request: (name: RequestName, input: unknown) => Promise<unknown>, name: string) =>
  ((await request('upstreamsList', {})) as { id: string; name: string }[]).find((one) => one.name === name)?.id ?? '';

/** A press of the mouse in the approval window, once it shows this text and was there long enough to be read. */
async function pressed(app: DesktopApp, button: string, text: string): Promise<void> {
  const page = await app.page(APPROVAL);
  await page.getByText(text).first().waitFor();
  await new Promise((resolve) => setTimeout(resolve, 650));
  await app.press(APPROVAL, page.getByRole('button', { name: button, exact: true }));
}

async function callTool(app: DesktopApp, key: string, tool: string, argumentsText: string) {
  const response = await fetch(app.ready.endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: `Bearer ${key}`,
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': tool,
    },
    body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${tool}","arguments":${argumentsText},"_meta":${JSON.stringify(MODERN_META)}}}`,
  });
  return lastMessage(response, await response.text());
}
