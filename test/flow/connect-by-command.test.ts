import { expect, onTestFinished, test } from 'vitest';
import { serveControl } from '../../electron/core/control/server.ts';
import { command, run } from '../cli/control-double.ts';
import { eventually, startGatehouse } from '../support/gatehouse.ts';
import { followAsBrowser } from '../support/vendors/browser.ts';
import type { VendorProfile } from '../support/vendors/profile.ts';
import { startVendor } from '../support/vendors/vendor.ts';

/** A whole Gatehouse with the socket of its command line, and a real vendor added as `notes`. */
async function open(profile: VendorProfile = {}) {
  const vendor = await startVendor(profile);
  onTestFinished(() => vendor.stop());
  const gatehouse = await startGatehouse();
  onTestFinished(() => gatehouse.close());
  const { core, folder } = gatehouse;
  const control = await serveControl({ folder, api: core.api, subscribe: core.subscribe, log: core.log });
  if (control.kind === 'fault') throw new Error(control.message);
  onTestFinished(() => control.server.close());
  const added = await gatehouse.ask('upstreamAdd', { name: 'notes', transport: { kind: 'http', url: vendor.mcpUrl } });
  expect(added.kind).toBe('done');
  return { vendor, gatehouse, folder };
}

test('upstreams connect signs in at a real vendor: the person confirms, opens the link, and it ends by itself', async () => {
  const { vendor, gatehouse, folder } = await open();
  const running = command(['upstreams', 'connect', 'notes', '--account', 'work'], { folder });
  const confirmation = await eventually(
    async () => (await gatehouse.ask('confirmationsList'))[0] ?? null,
    'the confirmation',
  );
  expect(confirmation.title).toBe('Connect an account at "notes"');
  await gatehouse.ask('confirmationAnswer', { confirmation: confirmation.id, answer: 'confirm' });
  await expect.poll(() => running.out, { timeout: 10_000 }).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\S+\n$/);
  await followAsBrowser(running.out.trim(), { account: 'grace' });
  expect(await running.code).toBe(0);
  expect(running.err).toContain('ok        resource_metadata (200)');
  expect(running.err).toContain('ok        token (200)');
  expect(running.err).toContain("notes is connected as 'work'.");

  const listed = await run(['upstreams', 'accounts', 'notes'], { folder });
  expect(listed.out).toMatch(/notes +work +connected +yes +http:\/\/127\.0\.0\.1:\d+ +notes:read +by itself/);
  const trace = await run(['upstreams', 'trace', 'notes'], { folder });
  expect(trace.out).toMatch(/^notes as 'work', \S+ \S+: connected\n/);
  expect(trace.out).toContain(`          | issuer: ${vendor.issuer}`);
  for (const token of vendor.tokens()) expect(running.out + running.err + listed.out + trace.out).not.toContain(token);

  // Rules go by the name, so the person confirms that too.
  const renaming = run(['upstreams', 'rename-account', 'notes', 'work', 'office'], { folder });
  const question = await eventually(async () => (await gatehouse.ask('confirmationsList'))[0] ?? null, 'the question');
  expect(question.lines).toContainEqual({ label: 'Account', value: 'office', before: 'work' });
  await gatehouse.ask('confirmationAnswer', { confirmation: question.id, answer: 'confirm' });
  expect(await renaming).toMatchObject({ code: 0 });
  expect(await run(['upstreams', 'disconnect', 'notes'], { folder })).toMatchObject({
    code: 0,
    err: "'office' at notes is signed out.\n",
  });
  expect(vendor.seen.some(({ path }) => path.includes('revo'))).toBe(true);
});

test('adding an address that wants an account leads to the command that connects one', async () => {
  const { vendor, gatehouse, folder } = await open();
  const running = command(['upstreams', 'add', 'more', '--url', vendor.mcpUrl], { folder });
  const confirmation = await eventually(
    async () => (await gatehouse.ask('confirmationsList'))[0] ?? null,
    'the confirmation',
  );
  await gatehouse.ask('confirmationAnswer', { confirmation: confirmation.id, answer: 'confirm' });
  expect(await running.code).toBe(0);
  expect(running.err).toContain(
    'The upstream more is added. It needs an account; to connect one: gatehouse upstreams connect more\n',
  );
});

test('a sign-in that fails is exit code 1, with the vendor’s own words, and the trace has the step', async () => {
  const { gatehouse, folder } = await open();
  const running = command(['upstreams', 'connect', 'notes'], { folder });
  const confirmation = await eventually(
    async () => (await gatehouse.ask('confirmationsList'))[0] ?? null,
    'the confirmation',
  );
  await gatehouse.ask('confirmationAnswer', { confirmation: confirmation.id, answer: 'confirm' });
  await expect.poll(() => running.out, { timeout: 10_000 }).toContain('http://');
  await followAsBrowser(running.out.trim(), { answer: 'deny' });
  expect(await running.code).toBe(1);
  expect(running.err).toMatch(/Why: {2}access_denied: .*The person said no/);
  expect(running.err).toContain("      gatehouse upstreams connect notes --account 'main'");
  const trace = await run(['upstreams', 'trace', 'notes'], { folder });
  expect(trace.out).toMatch(/FAILED {4}callback.*access_denied/);
});
