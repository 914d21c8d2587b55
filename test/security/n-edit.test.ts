import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveControl } from '../../electron/core/control/server.ts';
import { systemClock } from '../../electron/core/platform.ts';
import { createVault } from '../../electron/core/secrets/vault.ts';
import type { RequestInput, RequestName } from '../../shared/api.ts';
import { formsIn, newSecret, watchedSecrets, watchSecret } from '../support/canary.ts';
import { launchChromium } from '../support/chromium.ts';
import { eventually, PERSON, startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';
import { cli, environmentOf, RECORDER, recorded } from '../support/headless.ts';
import { createMemoryKeychain } from '../support/memory-keychain.ts';
import { openRealDashboard, type RealDashboard } from '../support/real-dashboard.ts';
import { signIn } from '../support/sign-in.ts';
import { followAsBrowser } from '../support/vendors/browser.ts';
import { startVendor, type Vendor } from '../support/vendors/vendor.ts';

const secrets = {
  env: newSecret('env'),
  header: watchSecret(`Bearer ${newSecret('header').replaceAll('ä', 'a')}`),
  client: newSecret('client'),
};

let base: string;
let folder: string;
let gatehouse: TestGatehouse;
let real: RealDashboard;
let vendor: Vendor;
const keychain = createMemoryKeychain();
const ids = { rec: '', web: '' };

/** The sign-in settings of the vector: a client that the person registered, with its secret. */
const SIGN_IN: RequestInput<'upstreamSignIn'>['signIn'] = {
  kind: 'oauth',
  authorizeUrl: 'https://vendor.example/authorize',
  tokenUrl: 'https://vendor.example/token',
  clientId: 'a-client-of-the-vendor',
  scopes: ['read'],
};

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'gatehouse-n4-'));
  folder = join(base, 'data');
  gatehouse = await startGatehouse({ folder, platform: { keychain } });
  const rec = await gatehouse.ask('upstreamAdd', {
    name: 'rec',
    transport: { kind: 'stdio', command: process.execPath, args: [RECORDER, record()], secretEnv: ['TOKEN'] },
    secrets: { TOKEN: secrets.env },
  });
  const web = await gatehouse.ask('upstreamAdd', {
    name: 'web',
    transport: { kind: 'http', url: 'https://127.0.0.1:9/mcp', secretHeaders: ['Authorization'] },
    secrets: { Authorization: secrets.header },
  });
  if (rec.kind !== 'done' || web.kind !== 'done') throw new Error('not added');
  Object.assign(ids, { rec: rec.upstream.id, web: web.upstream.id });
  await eventually(() => (recorded(record()).length > 0 ? true : null), 'the process');
  expect(
    await gatehouse.ask('upstreamSignIn', { upstream: 'web', signIn: SIGN_IN, clientSecret: secrets.client }),
  ).toMatchObject({ kind: 'done', upstream: { signIn: { clientSecret: true } } });
  // An account that is signed in, so that its tokens are there to be left out as well.
  vendor = await startVendor();
  await gatehouse.ask('upstreamAdd', { name: 'notes', transport: { kind: 'http', url: vendor.mcpUrl } });
  const signedIn = await signIn(
    gatehouse.ask,
    { upstream: 'notes', label: 'work' },
    { follow: (link) => followAsBrowser(link) },
  );
  expect(signedIn).toMatchObject({ state: 'connected' });
  expect(watchedSecrets()).toEqual(expect.arrayContaining([...vendor.tokens()]));
  real = await openRealDashboard(gatehouse);
});
afterAll(async () => {
  await real[Symbol.asyncDispose]();
  await gatehouse.close();
  await vendor.stop();
  rmSync(base, { recursive: true, force: true });
});

const record = () => join(base, 'record.jsonl');

/** What lies in the vault, opened with the key of this keychain as the next start would. */
async function stored(place: string): Promise<string | null> {
  const db = new Database(join(folder, 'state.db'));
  const read = await createVault({ db, keychain, clock: systemClock, masterKeyFile: null }).get(place);
  db.close();
  return read.kind === 'found' ? read.value : null;
}

async function allStored() {
  return {
    env: await stored(`upstream/${ids.rec}/env/TOKEN`),
    header: await stored(`upstream/${ids.web}/header/Authorization`),
    client: await stored(`upstream/${ids.web}/client_secret`),
  };
}

/** What was read is sent back as it was read. */
async function asPage(name: RequestName, input: unknown) {
  const answer = await gatehouse.core.api.request(name, input, PERSON);
  return answer.kind === 'answered' ? answer.result : answer;
}

function holdsNone(text: string | Buffer, where: string): void {
  const bytes = Buffer.from(text as string);
  for (const [name, secret] of Object.entries(secrets)) expect(formsIn(bytes, secret), `${where}: ${name}`).toEqual([]);
  for (const secret of watchedSecrets()) expect(formsIn(bytes, secret), where).toEqual([]);
}

describe('N4: editing keeps a secret out of sight and in its place', () => {
  test('N4: what an editor is given has placeholders, and saved unchanged every secret is as it was', async () => {
    for (const view of await gatehouse.ask('upstreamsList')) {
      holdsNone(JSON.stringify(view), 'the view');
      const { transport, tags, signIn } = view;
      if (transport.kind === 'demo') continue;
      expect(await asPage('upstreamChange', { upstream: view.id, transport, tags })).toMatchObject({
        kind: 'done',
      });
      expect(await asPage('upstreamSignIn', { upstream: view.id, signIn })).toMatchObject({
        kind: 'done',
        upstream: { signIn },
      });
    }
    expect(await allStored()).toEqual(secrets);
    expect(await gatehouse.ask('upstreamRestart', { upstream: 'rec' })).toMatchObject({ kind: 'done' });
    const starts = recorded(record()).filter(({ kind }) => kind === 'started');
    expect(starts.length).toBeGreaterThan(1);
    expect(starts.at(-1)).toMatchObject({ env: { TOKEN: secrets.env } });
  });

  test.each([
    ['client id', { clientId: 'another-client' }],
    ['token address', { tokenUrl: 'https://evil.example/token' }],
  ])('N4: a secret goes with what it was for: with another %s it is forgotten', async (_what, change) => {
    expect(await gatehouse.ask('upstreamSignIn', { upstream: 'web', signIn: { ...SIGN_IN, ...change } })).toMatchObject(
      {
        kind: 'done',
        upstream: { signIn: { clientSecret: false } },
      },
    );
    expect((await allStored()).client).toBeNull();
    await gatehouse.ask('upstreamSignIn', { upstream: 'web', signIn: SIGN_IN, clientSecret: secrets.client });
    expect(await allStored()).toEqual(secrets);
  });

  test('N4: exports, lists and every --json of the command line leave secrets out', async () => {
    const control = await serveControl({ folder, api: gatehouse.core.api, subscribe: gatehouse.core.subscribe });
    if (control.kind === 'fault') throw new Error(control.message);
    try {
      for (const words of LOOKS) {
        const said = await cli(folder, environmentOf(base), words);
        expect([said.code, said.stderr.includes('gatehouse:')], `${words.join(' ')}: ${said.stderr}`).toEqual([
          0,
          false,
        ]);
        holdsNone(said.stdout + said.stderr, words.join(' '));
      }
    } finally {
      await control.server.close();
    }
    for (const as of ['chain', 'jsonl', 'csv'] as const) {
      const { path } = await gatehouse.ask('auditExport', as === 'chain' ? {} : { as });
      const bytes = readFileSync(path);
      expect(bytes.includes('upstream_sign_in_set')).toBe(true);
      holdsNone(bytes, `the export as ${as}`);
    }
    holdsNone(JSON.stringify(await gatehouse.ask('policyExport')), 'the policy');
  });
});

const LOOKS: readonly (readonly string[])[] = [
  ['status', '--json'],
  ['connect', '--json'],
  ['upstreams', 'list', '--json'],
  ['upstreams', 'accounts', '--json'],
  ['upstreams', 'trace', 'notes', '--json'],
  ['upstreams', 'sign-in', 'web'],
  ['upstreams', 'list'],
  ['upstreams', 'logs', 'rec'],
  ['tools', 'list', '--json'],
  ['clients', 'list', '--json'],
  ['policy', 'export'],
  ['approvals', 'list', '--json'],
  ['audit', 'tail', '-n', '500', '--json'],
  ['audit', 'export'],
];

describe('N3, N4: the screens', () => {
  test('N3, N4: a person who opens and saves every setting of an upstream is shown no secret, and the page holds none', {
    timeout: 60_000,
  }, async () => {
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      const replies: Promise<Buffer>[] = [];
      page.on('response', (response) => {
        if (response.url().includes('/api/') && !response.url().endsWith('/api/stream')) replies.push(response.body());
      });
      await page.goto(real.dashboard.link());
      for (const screen of ['Approvals', 'Tools', 'Audit', 'Clients', 'Policy', 'Upstreams']) {
        await page.getByRole('navigation').getByRole('button', { name: screen }).click();
        await page.getByRole('heading', { level: 2 }).waitFor();
        holdsNone(await shown(page), screen);
      }
      for (const name of ['rec', 'web']) {
        const card = page.getByRole('article').filter({ has: page.getByRole('heading', { name, exact: true }) });
        await card.getByRole('button', { name: 'Settings', exact: true }).click();
        const form = page.getByRole('region', { name: `Settings of ${name}` });
        await form.waitFor();
        holdsNone(await shown(page), `the settings of ${name}`);
        await form.getByRole('button', { name: 'Save', exact: true }).click();
        await form.waitFor({ state: 'detached' });
      }
      page.removeAllListeners('response');
      for (const name of ['web', 'notes']) {
        const card = page.getByRole('article').filter({ has: page.getByRole('heading', { name, exact: true }) });
        await card.getByRole('button', { name: 'Sign-in', exact: true }).click();
        const form = page.getByRole('form', { name: `How accounts sign in at ${name}` });
        await form.waitFor();
        if (name === 'web') {
          const secret = form.getByLabel('Client secret');
          expect([await secret.inputValue(), await secret.getAttribute('placeholder')]).toEqual([
            '',
            'kept; type to replace it',
          ]);
        }
        holdsNone(await shown(page), `how accounts sign in at ${name}`);
        await form.getByRole('button', { name: 'Save', exact: true }).click();
        await form.waitFor({ state: 'detached' });
      }
      for (const trace of await page.getByRole('button', { name: /^Last sign-in/ }).all()) await trace.click();
      await page.getByText('The browser came back with a code.').first().waitFor();
      holdsNone(await shown(page), 'the trace');
      for (const reply of await Promise.all(replies)) holdsNone(reply, 'a reply');
      expect(replies.length).toBeGreaterThan(6);
      const heap = await heapOf(await page.context().newCDPSession(page));
      expect(heap.includes('a-client-of-the-vendor'), 'the snapshot holds what the page was given').toBe(true);
      holdsNone(heap, 'the heap of the page');
    } finally {
      await browser.close();
    }
    expect(await allStored()).toEqual(secrets);
  });
});

/** The page and what stands in its fields. */
async function shown(page: Page): Promise<string> {
  const values = await page
    .locator('input, textarea, select')
    .evaluateAll((fields) => fields.map((field) => (field as { value?: string }).value ?? ''));
  return [await page.content(), ...values].join('\n');
}

async function heapOf(session: CDPSession): Promise<Buffer> {
  const chunks: string[] = [];
  session.on('HeapProfiler.addHeapSnapshotChunk', ({ chunk }) => void chunks.push(chunk));
  await session.send('HeapProfiler.takeHeapSnapshot');
  return Buffer.from(chunks.join(''));
}
