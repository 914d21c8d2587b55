import { expect, test } from 'vitest';
import type { Caller } from '../../electron/core/api.ts';
import type { RequestResult } from '../../shared/api.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { type Answer, eventually, startGatehouse, type TestGatehouse, type TestOptions } from '../support/gatehouse.ts';

const CLI: Caller = { origin: 'cli', label: 'command line' };
const POLICY = `defaultEffect: require_approval
rules:
  - name: no failing
    effect: deny
    match:
      tool: fail
`;
const classOf = (answer: Answer) =>
  (answer.message?.result?._meta as Record<string, unknown> | undefined)?.['gatehouse/class'];
const ran = (answer: Answer) => answer.message?.result?.isError === undefined && answer.message?.error === undefined;

async function world(options: TestOptions = {}) {
  const gatehouse = await startGatehouse(options);
  await gatehouse.ask('policyImport', { yaml: POLICY });
  const key = await gatehouse.key({ name: 'agent' });
  // Whatever asks the person answers at once that it does.
  await gatehouse.ask('clientSet', { client: key.clientId, holdMs: 0 });
  const recorder = await gatehouse.recorder('rec', { risks: { delete_all: 'destructive' } });
  return {
    gatehouse,
    key,
    recorder,
    call: (tool: string, text = '{}') => gatehouse.call(key.secret, `rec__${tool}`, text),
    [Symbol.asyncDispose]: () => gatehouse.close(),
  };
}

async function trust(gatehouse: TestGatehouse, client: string, minutes: 5 | 15 | 60 = 15) {
  const started = await gatehouse.ask('trustStart', { client, minutes });
  if (started.kind !== 'done') throw new Error(started.message);
  return started.trust;
}

test('what a rule would ask about runs; a destructive tool is asked, a denied one refused, another client is asked', async () => {
  await using w = await world();
  const other = await w.gatehouse.key({ name: 'other' });
  await w.gatehouse.ask('clientSet', { client: other.clientId, holdMs: 0 });
  const { id } = await trust(w.gatehouse, w.key.clientId);
  expect(ran(await w.call('echo', '{"text":"unasked"}'))).toBe(true);
  expect(classOf(await w.call('delete_all'))).toBe('approval_pending');
  expect(classOf(await w.call('fail'))).toBe('policy_denied');
  expect(classOf(await w.gatehouse.call(other.secret, 'rec__echo'))).toBe('approval_pending');
  expect(w.recorder.calls()).toHaveLength(1);

  const entries = await w.gatehouse.audit();
  expect(entries.find(({ phase, tool }) => phase === 'forwarded' && tool === 'echo')).toMatchObject({
    effect: 'allow',
    detail: { trust: id, standing: null },
  });
  expect(entries.find(({ kind }) => kind === 'trust_started')).toMatchObject({
    client: 'agent',
    detail: { trust: id, minutes: 15, by: 'dashboard' },
  });
  expect((await w.gatehouse.ask('status')).trusts).toMatchObject([
    { id, client: 'agent', by: 'dashboard', minutes: 15, usedCount: 1 },
  ]);
});

test('it ends by its button, at its time and with the key, each end on record, and then the person is asked again', async () => {
  const clock = fakeClock();
  await using w = await world({ clock });
  const first = await trust(w.gatehouse, w.key.clientId);
  expect(await w.gatehouse.ask('trustEnd', { trust: first.id })).toEqual({ kind: 'done' });
  expect(await w.gatehouse.ask('trustEnd', { trust: first.id })).toMatchObject({ kind: 'refused' });
  expect(classOf(await w.call('echo', '{"n":1}'))).toBe('approval_pending');

  await trust(w.gatehouse, w.key.clientId, 5);
  await clock.advance(4 * 60_000);
  expect(ran(await w.call('echo', '{"n":2}'))).toBe(true);
  await clock.advance(60_000);
  expect(classOf(await w.call('echo', '{"n":3}'))).toBe('approval_pending');

  await trust(w.gatehouse, w.key.clientId);
  await w.gatehouse.ask('keyRevoke', { key: w.key.keyId });
  expect((await w.gatehouse.ask('status')).trusts).toEqual([]);
  const ends = await w.gatehouse.audit((entries) => entries.filter(({ kind }) => kind === 'trust_ended').length === 3);
  expect(ends.filter(({ kind }) => kind === 'trust_ended').map(({ detail }) => [detail.because, detail.used])).toEqual([
    ['person', 0],
    ['time', 1],
    ['key_ended', 0],
  ]);
});

test('H10 it ends when the desktop is locked, and is not there after a restart', async () => {
  await using w = await world();
  const lock = w.gatehouse.core.approvers.arrive('desktop');
  await trust(w.gatehouse, w.key.clientId);
  lock();
  expect((await w.gatehouse.ask('status')).trusts).toEqual([]);
  expect(classOf(await w.call('echo'))).toBe('approval_pending');

  await trust(w.gatehouse, w.key.clientId);
  await w.gatehouse.core.close();
  const again = await startGatehouse({ folder: w.gatehouse.folder });
  expect((await again.ask('status')).trusts).toEqual([]);
  const ended = (await again.audit()).filter(({ kind }) => kind === 'trust_ended');
  expect(ended.map(({ detail }) => detail.because)).toEqual(['screen_locked', 'quit']);
  await again.close();
});

test('a pause is stronger, and so is a yes that waits: it is used up, so that it runs nothing when the trust is over', async () => {
  await using w = await world();
  expect(classOf(await w.call('echo', '{"text":"late"}'))).toBe('approval_pending');
  await w.gatehouse.approve(await w.gatehouse.card());
  const { id } = await trust(w.gatehouse, w.key.clientId);
  await w.gatehouse.ask('callsPause', {});
  expect(classOf(await w.call('echo', '{"text":"late"}'))).toBe('paused');
  await w.gatehouse.ask('callsResume', {});
  expect(ran(await w.call('echo', '{"text":"late"}'))).toBe(true);
  expect((await w.gatehouse.ask('status')).trusts[0]?.usedCount).toBe(0);
  await w.gatehouse.ask('trustEnd', { trust: id });
  expect(classOf(await w.call('echo', '{"text":"late"}'))).toBe('approval_pending');
  expect(w.recorder.calls()).toHaveLength(1);
});

test('from the command line it begins only when the person has confirmed what it covers', async () => {
  await using w = await world();
  for (const [answer, trusts] of [
    ['refuse', 0],
    ['confirm', 1],
  ] as const) {
    const starting = w.gatehouse.ask('trustStart', { client: w.key.clientId, minutes: 60 }, CLI);
    const asked = await eventually(
      async () => (await w.gatehouse.ask('confirmationsList'))[0] ?? null,
      'a confirmation',
    );
    expect(asked).toMatchObject({ kind: 'trust', title: 'Allow everything from agent for 60 minutes' });
    expect(JSON.stringify(asked.lines)).toContain('destructive tools, and what a rule denies');
    expect((await w.gatehouse.ask('status')).trusts).toEqual([]);
    await w.gatehouse.ask('confirmationAnswer', { confirmation: asked.id, answer });
    const started: RequestResult<'trustStart'> = await starting;
    expect(started.kind).toBe(answer === 'confirm' ? 'done' : 'refused');
    expect((await w.gatehouse.ask('status')).trusts).toHaveLength(trusts);
  }
});
