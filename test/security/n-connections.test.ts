import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { RequestInput } from '../../shared/api.ts';
import { filesUnder, formsIn, newCanary, newSecret, sweep, watchedSecrets, watchSecret } from '../support/canary.ts';
import { startListening } from '../support/fixture-upstream.ts';
import { type Headless, RECORDER, recorded, type Said, startHeadless } from '../support/headless.ts';
import { commandLines } from '../support/processes.ts';
import { signIn } from '../support/sign-in.ts';
import { createProgram, signIn as signInAsClient } from '../support/signing-in.ts';
import { followAsBrowser } from '../support/vendors/browser.ts';
import { startVendor, type Vendor } from '../support/vendors/vendor.ts';

type SignInSetting = RequestInput<'upstreamSignIn'>['signIn'];

test('N1: no token, code, verifier, client secret or API key of any way of signing in stands in clear anywhere in a whole run', {
  timeout: 90_000,
}, async () => {
  // Of the test: what the upstreams got is recorded here, so this is not swept.
  const own = mkdtempSync(join(tmpdir(), 'gatehouse-n1-'));
  onTestFinished(() => rmSync(own, { recursive: true, force: true }));
  const client = { id: 'confidential', secret: newSecret('client').replaceAll(/[^\w-]/g, '_') };
  const byItself = { id: 'by-itself', secret: newSecret('itself').replaceAll(/[^\w-]/g, '_') };
  watchSecret(client.secret);
  watchSecret(byItself.secret);
  await using mcp = await startVendor();
  await using classic = await startVendor({ registration: 'off', clients: [client], resourceOptional: true });
  await using machine = await startVendor({
    registration: 'off',
    clients: [{ ...byItself, grants: ['client_credentials'] }],
  });
  const record = { header: join(own, 'header.jsonl'), query: join(own, 'query.jsonl'), env: join(own, 'env.jsonl') };
  await using header = await startListening('recorder-http.mjs', record.header);
  await using query = await startListening('recorder-http.mjs', record.query);
  const keys = {
    header: newSecret('in-header').replaceAll('ä', 'a'),
    query: newSecret('in-query'),
    env: newSecret('in-env'),
    next: newSecret('next-key'),
  };
  watchSecret(keys.header);
  /** Not a secret: shows that the sweeps below find what is there. */
  const control = newCanary('control').replaceAll(/["/ä+ ~]/g, '');

  await using gatehouse = await startHeadless();
  const lines = new Set<string>();
  const watching = setInterval(() => commandLines().forEach((line) => void lines.add(line)), 25);
  onTestFinished(() => clearInterval(watching));
  const said: Said[] = [];
  const cli = async (words: readonly string[], stdin?: string) => {
    const answer = await gatehouse.cli(words, stdin);
    said.push(answer);
    return answer;
  };
  const replies: string[] = [];
  const follow = async (link: string) => {
    const { text, headers } = await followAsBrowser(link);
    replies.push(`${[...headers].join('\n')}\n${text}`);
  };
  const connect = (upstream: string, more: object = {}) =>
    signIn((name, input) => gatehouse.ask(name, input), { upstream, label: control, ...more }, { follow });
  const addressed = async (name: string, url: string, setting?: SignInSetting, clientSecret?: string) => {
    await gatehouse.add(name, { url });
    if (setting === undefined) return;
    const set = await gatehouse.ask('upstreamSignIn', {
      upstream: name,
      signIn: setting,
      ...(clientSecret === undefined ? {} : { clientSecret }),
    });
    expect(set, name).toMatchObject({ kind: 'done' });
  };

  // One account by each way of signing in.
  await addressed('mcp', mcp.mcpUrl);
  await addressed('classic', classic.mcpUrl, oauthOf(classic, client.id), client.secret);
  await addressed('machine', machine.mcpUrl, { kind: 'client_credentials', clientId: byItself.id }, byItself.secret);
  await addressed('header', header.url, { kind: 'api_key', place: { in: 'header', name: 'X-Api-Key' } });
  await addressed('query', query.url, { kind: 'api_key', place: { in: 'query', name: 'api_key' } });
  await gatehouse.add('env', { args: [RECORDER, record.env, '--leak=TOKEN'] });
  expect(
    await gatehouse.ask('upstreamSignIn', {
      upstream: 'env',
      signIn: { kind: 'api_key', place: { in: 'environment', name: 'TOKEN' } },
    }),
  ).toMatchObject({ kind: 'done' });
  for (const upstream of ['mcp', 'classic', 'machine'])
    expect(await connect(upstream), upstream).toMatchObject({ state: 'connected' });
  for (const upstream of ['header', 'query', 'env'] as const)
    expect(await connect(upstream, { secret: keys[upstream] }), upstream).toMatchObject({ state: 'connected' });
  const upstreams = ['mcp', 'classic', 'machine', 'header', 'query', 'env'];
  for (const upstream of upstreams) await gatehouse.review(upstream, 'read');
  const key = await gatehouse.key(control);

  // Calls as each account; tokens that end are renewed.
  const isRefused = async (upstream: string) => {
    const tool = ['mcp', 'classic', 'machine'].includes(upstream) ? 'whoami' : 'echo';
    const { message } = await gatehouse.call(
      key,
      `${upstream}__${tool}`,
      tool === 'echo' ? JSON.stringify({ text: control }) : '{}',
    );
    return message?.result?.isError === true || message?.error !== undefined;
  };
  for (const upstream of upstreams) expect(await isRefused(upstream), upstream).toBe(false);
  for (const vendor of [mcp, classic, machine]) vendor.expireAccessTokens();
  for (const upstream of upstreams) expect(await isRefused(upstream), upstream).toBe(false);
  expect(mcp.tokenRequests('refresh_token').length).toBeGreaterThan(0);

  // What was kept was really in use.
  const got = (file: string) => JSON.stringify(recorded(file));
  expect(got(record.header)).toContain(JSON.stringify(keys.header).slice(1, -1));
  expect(recorded(record.query).some(({ url }) => String(url).includes('api_key='))).toBe(true);
  expect(recorded(record.env).at(-1)).toBeDefined();
  expect(got(record.env)).toContain(JSON.stringify(keys.env).slice(1, -1));

  // A program of the person signs in at Gatehouse itself.
  const program = createProgram(gatehouse.endpoint, control);
  await signInAsClient(gatehouse, program);
  await (await program.connect()).close();

  // What goes wrong: a no, a code of somebody else, a secret that is refused, a key that is refused, a dead grant.
  const deny = (link: string) => followAsBrowser(link, { answer: 'deny' });
  expect(
    await signIn((name, input) => gatehouse.ask(name, input), { upstream: 'mcp', label: 'denied' }, { follow: deny }),
  ).toMatchObject({ state: 'failed', code: 'access_denied' });
  const strayCode = newSecret('stray-code').replaceAll(/[^\w-]/g, '_');
  watchSecret(strayCode);
  const astray = async (link: string) => {
    const back = new URL(new URL(link).searchParams.get('redirect_uri') ?? '');
    replies.push(
      await visit(`${back.href}?code=${strayCode}&state=${strayCode}`),
      await visit(`${back.href}?code=${strayCode}`),
    );
    await followAsBrowser(link);
  };
  expect(
    await signIn((name, input) => gatehouse.ask(name, input), { upstream: 'mcp', label: 'astray' }, { follow: astray }),
  ).toMatchObject({ state: 'connected' });
  const wrong = newSecret('wrong').replaceAll(/[^\w-]/g, '_');
  watchSecret(wrong);
  await gatehouse.ask('upstreamSignIn', {
    upstream: 'classic',
    signIn: oauthOf(classic, client.id),
    clientSecret: wrong,
  });
  expect(await connect('classic', { label: 'refused' })).toMatchObject({ state: 'failed' });
  mcp.revokeGrants();
  expect(await isRefused('mcp')).toBe(true);
  expect(await connect('env', { secret: keys.next })).toMatchObject({ state: 'connected' });

  // The person looks at everything, signs out and removes.
  for (const words of EVERYTHING) expect((await cli(words)).code, words.join(' ')).toBe(0);
  for (const name of LOOKS) await gatehouse.ask(name);
  for (const as of ['jsonl', 'csv'] as const) await gatehouse.ask('auditExport', { as });
  const accounts = await gatehouse.ask('connectionsList');
  expect(accounts.length).toBeGreaterThan(6);
  for (const { id } of accounts.slice(0, 3)) await gatehouse.ask('connectionSignOut', { connection: id });
  await gatehouse.ask('connectionRemove', { connection: accounts[3]?.id ?? '' });

  const canaries = [...watchedSecrets(), key];
  const kinds = {
    tokens: [...mcp.tokens(), ...classic.tokens(), ...machine.tokens()],
    codes: [mcp, classic].flatMap((vendor) => formOf(vendor, 'code')),
    verifiers: [mcp, classic].flatMap((vendor) => formOf(vendor, 'code_verifier')),
    refreshTokens: formOf(mcp, 'refresh_token'),
    client: [program.kept.tokens?.access_token ?? '', program.kept.tokens?.refresh_token ?? ''],
    secrets: [client.secret, byItself.secret],
    keys: Object.values(keys),
  };
  for (const [kind, values] of Object.entries(kinds)) {
    expect(values.length, kind).toBeGreaterThan(0);
    expect(canaries, kind).toEqual(expect.arrayContaining([...values]));
  }
  const check = () => canaries.flatMap((canary) => sweep(gatehouse.base, canary));
  expect(filesUnder(gatehouse.folder).map((file) => file.slice(gatehouse.folder.length + 1))).toEqual(
    expect.arrayContaining(['state.db', 'state.db-wal', 'state.db-shm', 'audit.db-wal', 'logs/gatehouse.log']),
  );
  expect(check(), 'while it runs').toEqual([]);
  await gatehouse.stop();
  expect(check(), 'after it ended').toEqual([]);
  const found = sweep(gatehouse.base, control).map(({ file }) => file.slice(gatehouse.folder.length + 1));
  for (const file of [/^state\.db/, /^audit\.db/, /^exports\//])
    expect(found.some((name) => file.test(name))).toBe(true);

  clearInterval(watching);
  const told = gatehouse.said();
  const places = {
    'command lines': [...lines].join('\n'),
    pages: replies.join('\n'),
    replies: repliesOf(gatehouse),
    'what commands said': said.map(({ stdout, stderr }) => stdout + stderr).join('\n'),
    'what Gatehouse said': told.stdout + told.stderr,
  };
  expect(places['command lines']).toContain('--leak=TOKEN');
  expect(places.pages).toContain('You can close this window.');
  for (const [place, content] of Object.entries(places)) {
    const bytes = Buffer.from(content);
    for (const canary of canaries) expect(formsIn(bytes, canary), `${place}: ${canary}`).toEqual([]);
  }
  for (const place of ['replies', 'what commands said'] as const) expect(places[place]).toContain(control);
});

function oauthOf(vendor: Vendor, clientId: string): SignInSetting {
  return {
    kind: 'oauth',
    authorizeUrl: `${vendor.issuer}/authorize`,
    tokenUrl: `${vendor.issuer}/token`,
    clientId,
    scopes: ['notes:read'],
  };
}

function formOf(vendor: Vendor, name: string): readonly string[] {
  return vendor.tokenRequests().flatMap(({ form }) => form.getAll(name));
}

/** All but the one that tells a new key, once, to whoever made it. */
function repliesOf({ replies }: Headless): string {
  return replies
    .filter(({ path }) => path !== '/api/keyCreate')
    .map(({ text }) => text)
    .join('\n');
}

function visit(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = request(url, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => resolve(`${response.rawHeaders.join('\n')}\n${body}`));
    });
    asking.on('error', reject);
    asking.end();
  });
}

const EVERYTHING: readonly (readonly string[])[] = [
  ['status', '--json'],
  ['clients', 'list', '--json'],
  ['keys', 'list', '--json'],
  ['upstreams', 'list', '--json'],
  ['upstreams', 'logs', 'env'],
  ['tools', 'list', '--json'],
  ['policy', 'export'],
  ['approvals', 'list', '--json'],
  ['audit', 'tail', '-n', '500', '--json'],
  ['audit', 'verify', '--json'],
  ['audit', 'export'],
];

const LOOKS = [
  'status',
  'clientsList',
  'upstreamsList',
  'connectionsList',
  'signInsList',
  'toolsList',
  'policyGet',
  'auditVerify',
  'presetsList',
  'connectLines',
] as const;
