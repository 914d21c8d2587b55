import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { RequestInput } from '../../shared/api.ts';
import type { SignInView } from '../../shared/connections.ts';
import type { UpstreamView } from '../../shared/model.ts';
import { httpRecorder, recorded } from '../core/upstreams/rig.ts';
import { accountsOf, UPSTREAM } from '../support/accounts.ts';
import { newSecret } from '../support/canary.ts';
import { eventually, startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';
import { startVendor } from '../support/vendors/vendor.ts';

type SignIn = RequestInput<'upstreamSignIn'>['signIn'];

/** The upstream as the person sets it up: added, and then how accounts sign in there. */
async function addUpstream(
  gatehouse: TestGatehouse,
  transport: RequestInput<'upstreamAdd'>['transport'],
  signIn: SignIn,
  clientSecret?: string,
): Promise<UpstreamView> {
  const added = await gatehouse.ask('upstreamAdd', { name: UPSTREAM, transport });
  if (added.kind !== 'done') throw new Error(added.message);
  const secret = clientSecret === undefined ? {} : { clientSecret };
  const set = await gatehouse.ask('upstreamSignIn', { upstream: UPSTREAM, signIn, ...secret });
  if (set.kind !== 'done') throw new Error(set.message);
  return added.upstream;
}

async function begin(gatehouse: TestGatehouse, wanted: Partial<RequestInput<'signInStart'>>): Promise<SignInView> {
  const started = await gatehouse.ask('signInStart', { upstream: UPSTREAM, label: 'work', ...wanted });
  if (started.kind !== 'done') throw new Error(started.message);
  return eventually(async () => {
    const found = await gatehouse.ask('signInGet', { signIn: started.signIn.id });
    return found.kind === 'done' && found.signIn.state !== 'working' ? found.signIn : null;
  }, 'the end of the sign-in');
}

/** Header values can hold no more than this. */
const newKey = (label: string) => newSecret(label).replace(/[^\x21-\x7e]/g, '-');

test('an API key in a header: tried, kept, and with every request from then on; a wrong one changes nothing', async () => {
  await using gatehouse = await startGatehouse();
  const key = newKey('api-key');
  const record = join(gatehouse.folder, 'remote.jsonl');
  const remote = await httpRecorder(record, `--token=${key}`);
  const place = { in: 'header', name: 'Authorization', prefix: 'Bearer ' } as const;
  const upstream = await addUpstream(gatehouse, { kind: 'http', url: remote.url }, { kind: 'api_key', place });
  const client = await gatehouse.key();
  expect(await begin(gatehouse, { secret: newKey('wrong') })).toMatchObject({
    state: 'failed',
    code: 'key_refused',
    next: { act: 'paste_key' },
  });
  expect(await gatehouse.ask('connectionsList')).toEqual([]);
  expect(await begin(gatehouse, { secret: key })).toMatchObject({ state: 'connected', mode: 'api_key' });
  const tools = await eventually(async () => {
    const listed = await gatehouse.ask('toolsList', { upstream: upstream.id });
    return listed.length > 0 ? listed : null;
  }, 'the tools');
  await gatehouse.ask('toolsReview', {
    upstream: upstream.id,
    accept: tools.map(({ name, fingerprint }) => ({ name, fingerprint, risk: 'read' as const })),
  });
  const called = await gatehouse.call(client.secret, `${UPSTREAM}__echo`, '{"text":"with the key"}');
  expect(called.text).toContain('with the key');
  // A wrong key in place of the good one is refused, and the good one goes on.
  expect(await begin(gatehouse, { secret: newKey('wrong') })).toMatchObject({ code: 'key_refused' });
  expect((await gatehouse.call(client.secret, `${UPSTREAM}__echo`, '{"text":"still"}')).text).toContain('still');
  expect(JSON.stringify([await gatehouse.ask('signInsList', {}), await gatehouse.audit()])).not.toContain(key);
});

test('an API key in the environment: the process is started with it, and with the next one in its place', async () => {
  await using gatehouse = await startGatehouse();
  const [first, second] = [newKey('first'), newKey('second')];
  const file = join(gatehouse.folder, 'process.jsonl');
  const place = { in: 'environment', name: 'NOTES_TOKEN' } as const;
  const script = fileURLToPath(new URL('../support/recorder-stdio.mjs', import.meta.url));
  const transport = { kind: 'stdio' as const, command: process.execPath, args: [script, file] };
  await addUpstream(gatehouse, transport, { kind: 'api_key', place });
  const tokenOfLastStart = () =>
    recorded(file)
      .filter(({ kind }) => kind === 'started')
      .map((entry) => (entry as { readonly env?: Record<string, string> }).env?.NOTES_TOKEN)
      .at(-1);
  expect(await begin(gatehouse, { secret: first })).toMatchObject({ state: 'connected' });
  await eventually(() => (tokenOfLastStart() === first ? true : null), 'a process with the key', 10_000);
  expect(await begin(gatehouse, { secret: second })).toMatchObject({ state: 'connected' });
  await eventually(() => (tokenOfLastStart() === second ? true : null), 'a process with the new key', 10_000);
  expect(await gatehouse.ask('connectionsList')).toMatchObject([
    { label: 'work', mode: 'api_key', state: 'connected' },
  ]);
});

test('client credentials: no person, no browser, and the calls go out', async () => {
  await using gatehouse = await startGatehouse();
  const secret = newKey('machine');
  await using vendor = await startVendor({
    registration: 'off',
    clients: [{ id: 'machine', secret, grants: ['client_credentials'] }],
  });
  const signIn: SignIn = { kind: 'client_credentials', clientId: 'machine', scopes: ['notes:read'] };
  const upstream = await addUpstream(gatehouse, { kind: 'http', url: vendor.mcpUrl }, signIn, secret);
  expect(await begin(gatehouse, {})).toMatchObject({ state: 'connected', link: null, redirectUri: null });
  const accounts = accountsOf(gatehouse, vendor, await gatehouse.key(), upstream);
  await accounts.review();
  expect(await accounts.whoami()).toMatchObject({ client: 'machine', scopes: ['notes:read'] });
  expect(vendor.seen.some(({ path }) => path === '/authorize')).toBe(false);
});

test('classic OAuth: straight to the addresses that were given, with the client and its secret', async () => {
  await using gatehouse = await startGatehouse();
  const secret = newKey('classic');
  await using vendor = await startVendor({
    registration: 'off',
    clients: [{ id: 'classic', secret, auth: 'client_secret_post' }],
    resourceOptional: true,
  });
  const signIn: SignIn = {
    kind: 'oauth',
    authorizeUrl: `${vendor.issuer}/authorize`,
    tokenUrl: `${vendor.issuer}/token`,
    revokeUrl: `${vendor.issuer}/revoke`,
    clientId: 'classic',
    scopes: ['notes:read'],
    tokenAuth: 'post',
  };
  const upstream = await addUpstream(gatehouse, { kind: 'http', url: vendor.mcpUrl }, signIn, secret);
  const accounts = accountsOf(gatehouse, vendor, await gatehouse.key(), upstream);
  expect(await accounts.signIn({ account: 'grace' })).toMatchObject({ state: 'connected', mode: 'oauth' });
  await accounts.review();
  expect(await accounts.whoami()).toMatchObject({ account: 'grace', client: 'classic' });
  const { id } = await accounts.connection();
  expect(await gatehouse.ask('connectionSignOut', { connection: id })).toMatchObject({
    kind: 'done',
    note: null,
    connection: { state: 'signed_out' },
  });
  expect(vendor.seen.some(({ path }) => path === '/revoke')).toBe(true);
});
