import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually, startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';
import { RECORDER, recorded } from '../support/headless.ts';
import { createMemoryKeychain, type MemoryKeychain } from '../support/memory-keychain.ts';

let folder: string;
let record: string;
let keychain: MemoryKeychain;
let key: string;
let gatehouse: TestGatehouse | null;

/** A Gatehouse with one upstream that needs a secret, set up and closed again. */
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-lost-'));
  record = join(folder, 'record.jsonl');
  keychain = createMemoryKeychain();
  const before = await start();
  key = (await before.key({ name: 'agent' })).secret;
  const added = await before.ask('upstreamAdd', {
    name: 'rec',
    transport: { kind: 'stdio', command: process.execPath, args: [RECORDER, record], secretEnv: ['TOKEN'] },
    secrets: { TOKEN: 'the first value of it' },
  });
  if (added.kind !== 'done') throw new Error(added.message);
  const tools = await eventually(async () => {
    const listed = await before.ask('toolsList', { upstream: 'rec' });
    return listed.length > 0 ? listed : null;
  }, 'the tools');
  const accept = tools.map(({ name, fingerprint }) => ({ name, fingerprint, risk: 'read' as const }));
  await before.ask('toolsReview', { upstream: 'rec', accept });
  expect(await echo(before)).not.toHaveProperty('isError');
  await before.close();
});
afterEach(async () => {
  await gatehouse?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<TestGatehouse> {
  gatehouse = await startGatehouse({ folder, platform: { keychain } });
  return gatehouse;
}

const echo = async (at: TestGatehouse) => (await at.call(key, 'rec__echo', '{"text":"x"}')).message?.result;
const rec = async (at: TestGatehouse) => (await at.ask('upstreamsList')).find(({ name }) => name === 'rec');
const ready = (at: TestGatehouse) =>
  eventually(async () => ((await rec(at))?.status === 'ready' ? true : null), 'the upstream', 15_000);

test('a keychain that is locked at the start is said to be locked, and all is there when it is unlocked, by itself', async () => {
  keychain.mood = 'locked';
  const at = await start();
  expect((await at.ask('status')).banners).toContain('The stand-in keychain is locked.');
  expect((await at.ask('status')).secretsLost).toBeNull();
  // The key that signs the audit is locked away as well, and nothing runs unrecorded.
  expect(await echo(at)).toMatchObject({ isError: true, _meta: { 'gatehouse/class': 'audit_unavailable' } });
  expect(await at.ask('secretsBeginAnew')).toEqual({
    kind: 'refused',
    message: 'The key of the stored secrets is not lost, so nothing was changed.',
  });
  let told = 0;
  at.core.subscribe((topic) => void (topic === 'status' && told++));
  keychain.mood = 'open';
  await ready(at);
  expect(told, 'the windows take the sentence away').toBeGreaterThan(0);
  await eventually(async () => ((await at.ask('status')).banners.length === 0 ? true : null), 'the audit', 15_000);
  expect(await echo(at)).not.toHaveProperty('isError');
});

test('a lost key is said with what it sealed; nothing is thrown away before the person says so, and then one entry mends it', async () => {
  const lostKey = keychain.items.get('master-key') ?? '';
  keychain.items.delete('master-key');
  const at = await start();
  const { banners, secretsLost } = await at.ask('status');
  expect(banners).toContain(
    'The key that opens the stored secrets is no longer in the keychain. Put it back from a backup, or begin with a new one and enter them again: gatehouse secrets begin-anew',
  );
  expect(secretsLost).toEqual(['TOKEN of rec']);
  expect(await echo(at)).toMatchObject({ isError: true, _meta: { 'gatehouse/class': 'secret_unavailable' } });

  // From the command line it waits for the person, who refuses, and the backup is put back.
  const cli = { origin: 'cli', label: 'cli' } as const;
  const asking = at.ask('secretsBeginAnew', {}, cli);
  const card = await eventually(async () => (await at.ask('confirmationsList'))[0] ?? null, 'the question');
  expect(card).toMatchObject({ kind: 'secrets', title: 'Begin with a new key for secrets' });
  expect(card.lines.filter(({ label }) => label === 'Lost for good').map(({ value }) => value)).toEqual([
    'TOKEN of rec',
  ]);
  await at.ask('confirmationAnswer', { confirmation: card.id, answer: 'refuse' });
  expect(await asking).toMatchObject({ kind: 'refused' });
  keychain.items.set('master-key', lostKey);
  await ready(at);
  expect(await echo(at)).not.toHaveProperty('isError');
  await at.close();

  // The next time there is no backup.
  keychain.items.delete('master-key');
  const again = await start();
  expect(await again.ask('secretsBeginAnew')).toEqual({ kind: 'done', lost: ['TOKEN of rec'] });
  expect(await again.ask('status')).toMatchObject({ secretsLost: null, banners: [] });
  // What is started is confirmed anew, because no seal says any more what was; keys and reviews stay.
  const asked = await eventually(async () => {
    const now = await rec(again);
    return now?.toConfirm && now.reason !== null ? now : null;
  }, 'the question about the upstream');
  expect(asked.reason).toContain('is not known to be confirmed by you');
  await again.ask('upstreamConfirm', { upstream: 'rec' });
  await eventually(
    async () => ((await rec(again))?.reason?.includes('needs a value for TOKEN') ? true : null),
    'that the value is missing',
  );
  expect(await again.ask('upstreamChange', { upstream: 'rec', secrets: { TOKEN: 'the second one' } })).toMatchObject({
    kind: 'done',
  });
  await ready(again);
  expect(await echo(again)).not.toHaveProperty('isError');
  expect(recorded(record).findLast(({ kind }) => kind === 'started')).toMatchObject({
    env: { TOKEN: 'the second one' },
  });
  expect((await again.audit()).find(({ kind }) => kind === 'secrets_begun_anew')).toMatchObject({
    outcome: 'done',
    detail: { lost: ['TOKEN of rec'] },
  });
  await again.close();
  const last = await start();
  await ready(last);
  expect(await echo(last)).not.toHaveProperty('isError');
});
