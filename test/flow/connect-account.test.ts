import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { RequestResult } from '../../shared/api.ts';
import type { SignInState, SignInView } from '../../shared/connections.ts';
import { watchSecret } from '../support/canary.ts';
import { eventually, startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';
import { followAsBrowser } from '../support/vendors/browser.ts';
import type { VendorProfile } from '../support/vendors/profile.ts';
import { startVendor, type Vendor } from '../support/vendors/vendor.ts';

async function vendorOf(profile: VendorProfile = {}): Promise<Vendor> {
  const vendor = await startVendor(profile);
  onTestFinished(async () => {
    for (const token of vendor.tokens()) watchSecret(token);
    await vendor.stop();
  });
  return vendor;
}

async function addUpstream(gatehouse: TestGatehouse, vendor: Vendor): Promise<string> {
  const added = await gatehouse.ask('upstreamAdd', { name: 'notes', transport: { kind: 'http', url: vendor.mcpUrl } });
  if (added.kind !== 'done') throw new Error(added.message);
  return added.upstream.id;
}

function started(answer: RequestResult<'signInStart'>): SignInView {
  if (answer.kind !== 'done') throw new Error(answer.message);
  return answer.signIn;
}

const stateOf = (gatehouse: TestGatehouse, id: string, ...states: readonly SignInState[]) =>
  eventually(async () => {
    const found = await gatehouse.ask('signInGet', { signIn: id });
    return found.kind === 'done' && states.includes(found.signIn.state) ? found.signIn : null;
  }, states.join(' or '));

/** As the person does in the window: Connect, then the vendor's page in a browser. */
async function signIn(gatehouse: TestGatehouse, upstream: string, label: string, person = {}): Promise<SignInView> {
  const { id } = started(await gatehouse.ask('signInStart', { upstream, label }));
  const { link } = await stateOf(gatehouse, id, 'waiting', 'failed');
  await followAsBrowser(link ?? '', person);
  return stateOf(gatehouse, id, 'connected', 'failed');
}

test('an account is connected in one go: its tools come, an agent calls them as it, and a restart is not noticed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-connect-'));
  let gatehouse = await startGatehouse({ folder });
  onTestFinished(() => gatehouse.close());
  const vendor = await vendorOf();
  const upstream = await addUpstream(gatehouse, vendor);
  await eventually(
    async () => ((await gatehouse.ask('upstreamsList')).find(({ id }) => id === upstream)?.needsSignIn ? true : null),
    'the sign-in that it asks for',
  );
  const done = await signIn(gatehouse, 'notes', 'work', { account: 'grace' });
  expect(done).toMatchObject({ state: 'connected', label: 'work' });
  const tools = await eventually(async () => {
    const listed = await gatehouse.ask('toolsList', { upstream });
    return listed.length > 0 ? listed : null;
  }, 'its tools');
  await gatehouse.ask('toolsReview', {
    upstream,
    accept: tools.map(({ name, fingerprint }) => ({ name, fingerprint, risk: 'read' as const })),
  });
  const { secret } = await gatehouse.key();
  const answer = await gatehouse.call(secret, 'notes__whoami');
  expect(answer.text).toContain('grace');
  expect(await gatehouse.ask('connectionsList')).toMatchObject([
    { upstream: 'notes', label: 'work', state: 'connected', issuer: vendor.issuer, isDefault: true, renews: true },
  ]);
  const events = (await gatehouse.audit()).filter(({ phase, upstream: name }) => phase === 'event' && name === 'notes');
  const kinds = events.map(({ kind }) => kind);
  expect(kinds).toEqual(expect.arrayContaining(['sign_in_started', 'connection_made', 'sign_in_connected']));
  expect(JSON.stringify(events)).toContain(vendor.issuer);

  await gatehouse.close();
  gatehouse = await startGatehouse({ folder });
  const again = await gatehouse.call(secret, 'notes__whoami');
  expect(again.text).toContain('grace');
  expect(vendor.tokenRequests('authorization_code')).toHaveLength(1);
  expect(await gatehouse.ask('signInsList', { upstream: 'notes' })).toMatchObject([
    { id: done.id, state: 'connected' },
  ]);
});
