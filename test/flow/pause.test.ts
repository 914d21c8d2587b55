import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Caller } from '../../electron/core/api.ts';
import { addReviewed } from '../support/fixture-upstream.ts';
import { type Answer, eventually, startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';
import { connectPeer } from '../support/peers/clients.ts';

const CLI: Caller = { origin: 'cli', label: 'command line' };
const TRAY: Caller = { origin: 'main-window', label: 'tray' };
const PAUSED = { 'gatehouse/code': 41010, 'gatehouse/class': 'paused', 'gatehouse/retryable': true };

const metaOf = (answer: Answer) => answer.message?.result?._meta;
const confirmation = (gatehouse: TestGatehouse) =>
  eventually(async () => (await gatehouse.ask('confirmationsList'))[0] ?? null, 'a confirmation');
const allowAll = (gatehouse: TestGatehouse) =>
  gatehouse.ask('policyImport', { yaml: 'defaultEffect: allow\nrules: []\n' });

test('while all is paused every kind of call is refused and reaches nobody; listing and finding go on and say so', async () => {
  await using gatehouse = await startGatehouse();
  await allowAll(gatehouse);
  const script = fileURLToPath(new URL('../support/peers/legacy-server.ts', import.meta.url));
  await addReviewed(gatehouse, 'peer', { kind: 'stdio', command: process.execPath, args: [script, 'stdio'] });
  const recorder = await gatehouse.recorder('rec');
  const key = await gatehouse.key({ name: 'agent', scopeTags: ['*'] });
  await using peer = await connectPeer('legacy', gatehouse.core.endpoint, key.secret);
  const calls = {
    tool: () => peer.request('tools/call', { name: 'rec__echo', arguments: { text: 'x' } }),
    viaMeta: () =>
      peer.request('tools/call', {
        name: 'call_external_tool',
        arguments: { upstream: 'rec', tool: 'echo', arguments: { text: 'y' } },
      }),
    prompt: () => peer.request('prompts/get', { name: 'peer__greet', arguments: { who: 'Ada' } }),
    resource: () => peer.request('resources/read', { uri: 'peer://items/7' }),
    completion: () =>
      peer.request('completion/complete', {
        ref: { type: 'ref/prompt', name: 'peer__greet' },
        argument: { name: 'who', value: 'A' },
      }),
  };
  for (const call of Object.values(calls)) await call();
  const reached = recorder.calls().length;
  const before = (await gatehouse.audit()).length;

  expect(await gatehouse.ask('callsPause', {}, TRAY)).toMatchObject({ kind: 'done', changed: true, note: null });
  for (const via of ['tool', 'viaMeta'] as const)
    expect(await calls[via]()).toMatchObject({ isError: true, _meta: PAUSED });
  for (const via of ['prompt', 'resource', 'completion'] as const)
    await expect(calls[via](), via).rejects.toThrow('The person paused all calls. Nothing was run.');
  expect(recorder.calls()).toHaveLength(reached);
  expect((await peer.request('tools/list')).tools).toContainEqual(expect.objectContaining({ name: 'rec__echo' }));
  const found = await peer.request('tools/call', { name: 'find_tools', arguments: { query: 'echo' } });
  expect(found).toMatchObject({
    structuredContent: {
      notes: expect.arrayContaining([
        'Calls are refused now. The person paused all calls. Nothing was run. Wait until the person resumes.',
      ]),
    },
  });

  const recorded = (await gatehouse.audit()).slice(before);
  expect(recorded.filter(({ phase }) => phase === 'forwarded')).toEqual([]);
  const refused = recorded.filter(({ errorClass }) => errorClass === 'paused');
  expect(refused.map(({ kind }) => kind)).toEqual([
    'tool_call',
    'tool_call',
    'prompt_get',
    'resource_read',
    'completion',
  ]);
  expect(refused[0]).toMatchObject({ phase: 'ended', outcome: 'refused', upstream: 'rec', tool: 'echo' });
  expect(recorded.find(({ kind }) => kind === 'calls_paused')).toMatchObject({ detail: { scope: 'all', by: 'tray' } });

  await gatehouse.ask('callsResume', {});
  for (const call of Object.values(calls)) await call();
  expect((await gatehouse.audit()).findLast(({ kind }) => kind === 'calls_resumed')).toMatchObject({
    detail: { scope: 'all', by: 'dashboard' },
  });
});

test('a client that is paused is told so, and the others do not notice', async () => {
  await using gatehouse = await startGatehouse();
  await allowAll(gatehouse);
  const recorder = await gatehouse.recorder('rec');
  const [one, two] = [await gatehouse.key({ name: 'one' }), await gatehouse.key({ name: 'two' })];
  await gatehouse.ask('callsPause', { client: one.clientId });
  const refused = await gatehouse.call(one.secret, 'rec__echo', '{"text":"no"}');
  expect(metaOf(refused)).toMatchObject(PAUSED);
  expect(refused.text).toContain('The person paused the calls of this client.');
  expect((await gatehouse.call(two.secret, 'rec__echo', '{"text":"yes"}')).text).toContain('yes');
  expect(recorder.calls()).toHaveLength(1);
  expect((await gatehouse.ask('status')).pauses).toMatchObject([
    { clientId: one.clientId, client: 'one', by: 'dashboard' },
  ]);
  expect(await gatehouse.ask('callsPause', { client: 'nobody' })).toMatchObject({ kind: 'refused' });
});

test('a pause survives a restart', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-pause-'));
  const first = await startGatehouse({ folder });
  await allowAll(first);
  const key = await first.key();
  await first.recorder('rec');
  await first.ask('callsPause', {});
  await first.close();

  await using second = await startGatehouse({ folder });
  expect(metaOf(await second.call(key.secret, 'rec__echo'))).toMatchObject(PAUSED);
  await second.ask('callsResume', {});
  await eventually(
    async () => ((await second.call(key.secret, 'rec__echo', '{"text":"on"}')).text.includes('on') ? true : null),
    'the call to run',
  );
  await second.close();
  rmSync(folder, { recursive: true, force: true });
});

test('a waiting card outlasts the pause: approving meanwhile is refused with the reason, and runs it afterwards', async () => {
  await using gatehouse = await startGatehouse();
  const key = await gatehouse.key();
  const recorder = await gatehouse.recorder('rec');
  const call = gatehouse.call(key.secret, 'rec__echo', '{"text":"held"}');
  const card = await gatehouse.card();
  await gatehouse.ask('callsPause', {});
  expect(await gatehouse.approve(card)).toEqual({
    kind: 'refused',
    message: 'Calls are paused, so nothing would run. Resume, then approve; the call still waits.',
  });
  // A retry is refused before it reaches the card.
  expect(metaOf(await gatehouse.call(key.secret, 'rec__echo', '{"text":"held"}'))).toMatchObject(PAUSED);
  await gatehouse.ask('callsResume', {});
  expect(await gatehouse.approve(card)).toEqual({ kind: 'done' });
  expect((await call).text).toContain('held');
  expect(recorder.calls()).toHaveLength(1);
});

test('a call that is approved in the same moment as all is paused does not run, and an approved question is not asked', async () => {
  await using gatehouse = await startGatehouse();
  const key = await gatehouse.key();
  const recorder = await gatehouse.recorder('rec');
  const call = gatehouse.call(key.secret, 'rec__echo', '{"text":"late"}');
  const card = await gatehouse.card();
  const approved = gatehouse.approve(card);
  await gatehouse.ask('callsPause', {});
  expect(await approved).toEqual({ kind: 'done' });
  expect(metaOf(await call)).toMatchObject(PAUSED);
  expect(recorder.calls()).toEqual([]);
  await gatehouse.ask('callsResume', {});

  await gatehouse.ask('policyImport', {
    yaml: 'defaultEffect: allow\nrules:\n  - name: ask for sampling\n    effect: require_approval\n    match:\n      kind: [sampling]\n',
  });
  await using peer = await connectPeer('legacy', gatehouse.core.endpoint, key.secret);
  const asking = peer.request('tools/call', { name: 'rec__ask_client', arguments: {} });
  const question = await gatehouse.card(({ tool }) => tool.includes('sampling/createMessage'));
  const answered = gatehouse.approve(question);
  await gatehouse.ask('callsPause', {});
  await answered;
  expect(JSON.stringify(await asking)).toContain('Not asked: The person paused all calls.');
  expect(peer.asked).toEqual([]);
  expect((await gatehouse.audit()).find(({ kind }) => kind === 'sampling_requested')).toMatchObject({
    outcome: 'refused',
    errorClass: 'paused',
  });
});

test('what waits for its turn at an upstream when all is paused is not sent any more; what runs there runs on', async () => {
  await using gatehouse = await startGatehouse();
  await allowAll(gatehouse);
  const key = await gatehouse.key();
  const recorder = await gatehouse.recorder('rec');
  await gatehouse.ask('upstreamChange', { upstream: recorder.id, limits: { inFlight: 1 } });
  const runs = gatehouse.call(key.secret, 'rec__slow', '{"ms":600}');
  await eventually(() => (recorder.calls().length === 1 ? true : null), 'the first call');
  const waits = gatehouse.call(key.secret, 'rec__echo', '{"text":"queued"}');
  await gatehouse.audit((entries) => entries.filter(({ phase }) => phase === 'forwarded').length === 2);
  await gatehouse.ask('callsPause', {});
  expect(metaOf(await waits)).toMatchObject(PAUSED);
  expect((await runs).text).toContain('took 600');
  expect(recorder.calls()).toHaveLength(1);
  const ended = await gatehouse.audit((entries) => entries.filter(({ phase }) => phase === 'ended').length === 2);
  expect(
    ended.filter(({ phase }) => phase === 'ended').map(({ outcome, errorClass }) => [outcome, errorClass]),
  ).toEqual(
    expect.arrayContaining([
      ['answered', null],
      ['failed', 'paused'],
    ]),
  );
});

test.each([
  ['the command line', CLI],
  ['the tray', TRAY],
])('resuming from %s waits for the person; pausing never does', async (_where, caller) => {
  await using gatehouse = await startGatehouse();
  await gatehouse.ask('callsPause', {}, caller);
  for (const [answer, left] of [
    ['refuse', 1],
    ['confirm', 0],
  ] as const) {
    const resuming = gatehouse.ask('callsResume', {}, caller);
    const asked = await confirmation(gatehouse);
    expect(asked).toMatchObject({ kind: 'resume', title: 'Resume all calls', requestedBy: caller.label });
    expect((await gatehouse.ask('status')).pauses).toHaveLength(1);
    await gatehouse.ask('confirmationAnswer', { confirmation: asked.id, answer });
    expect((await resuming).kind).toBe(answer === 'confirm' ? 'done' : 'refused');
    expect((await gatehouse.ask('status')).pauses).toHaveLength(left);
  }
  expect(await gatehouse.ask('callsResume', {}, caller)).toMatchObject({ kind: 'done', changed: false });
});

test('where nobody can confirm, a resume from the command line is refused and all stays paused', async () => {
  await using gatehouse = await startGatehouse({ approver: false });
  await gatehouse.ask('callsPause', {}, CLI);
  expect(await gatehouse.ask('callsResume', {}, CLI)).toMatchObject({ kind: 'refused' });
  expect((await gatehouse.ask('status')).pauses).toHaveLength(1);
});
