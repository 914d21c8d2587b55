import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually, startGatehouse } from '../support/gatehouse.ts';

test('a command that holds the data folder alone asks nobody, starts nothing, and the app goes on from there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-offline-'));
  const alone = await startGatehouse({ folder, listen: false, approver: false });
  expect(alone.port).toBe(0);
  const cli = { origin: 'cli', label: 'cli' } as const;
  const made = await alone.ask('keyCreate', { role: 'executor', name: 'made-alone' }, cli);
  expect(made.kind).toBe('done');
  const record = join(folder, 'record.jsonl');
  const script = join(process.cwd(), 'test/support/recorder-stdio.mjs');
  const added = await alone.ask(
    'upstreamAdd',
    { name: 'later', transport: { kind: 'stdio', command: process.execPath, args: [script, record] } },
    cli,
  );
  expect(added.kind).toBe('done');
  await alone.close();
  expect(existsSync(record)).toBe(false);

  await using app = await startGatehouse({ folder });
  const tools = await eventually(async () => {
    const listed = await app.ask('toolsList', { upstream: 'later' });
    return listed.length > 0 ? listed : null;
  }, 'the tools of the upstream');
  expect(tools.every((tool) => tool.state === 'awaiting_review')).toBe(true);
  const demo = await app.ask('toolsList', { upstream: 'demo' });
  expect(demo.map((tool) => tool.state)).toEqual(Array(7).fill('reviewed'));
  const secret = made.kind === 'done' ? made.secret : '';
  expect((await app.call(secret, 'demo__list_notes')).message?.result).toMatchObject({
    structuredContent: { titles: ['welcome', 'shopping'] },
  });
  await app.close();
  rmSync(folder, { recursive: true, force: true });
});

test('while the app runs, a key asked for on the command line waits for the person', async () => {
  await using gatehouse = await startGatehouse();
  const cli = { origin: 'cli', label: 'cli' } as const;
  const asking = gatehouse.ask('keyCreate', { role: 'executor', name: 'wanted' }, cli);
  const [confirmation] = await eventually(async () => {
    const waiting = await gatehouse.ask('confirmationsList');
    return waiting.length > 0 ? waiting : null;
  }, 'the confirmation');
  expect(confirmation).toMatchObject({ kind: 'key', requestedBy: 'cli' });
  expect(
    await gatehouse.core.api.request('confirmationAnswer', { confirmation: confirmation?.id, answer: 'confirm' }, cli),
  ).toMatchObject({ kind: 'forbidden' });
  await gatehouse.ask('confirmationAnswer', { confirmation: confirmation?.id ?? '', answer: 'refuse' });
  expect(await asking).toEqual({ kind: 'refused', message: 'The person refused it. Nothing was changed.' });
  expect(await gatehouse.ask('clientsList')).toEqual([]);
});

test.each([
  ['its name', { name: 'trusted' }],
  ['its tags', { tags: ['trusted'] }],
  ['what it may see', { upstreams: null }],
])('changing %s on the command line waits for the person, because rules match on it', async (_what, change) => {
  await using gatehouse = await startGatehouse({ approver: false });
  const { clientId } = await gatehouse.key({ upstreams: [] });
  const answer = await gatehouse.ask('clientSet', { client: clientId, ...change }, { origin: 'cli', label: 'cli' });
  expect(answer).toMatchObject({ kind: 'refused', message: expect.stringContaining('Nobody can confirm it now') });
  expect(await gatehouse.ask('clientsList')).toMatchObject([
    { name: expect.stringMatching(/^client-/), tags: [], upstreams: [] },
  ]);
});
