import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Policy } from '../../shared/model.ts';
import { FAKE_START, type FakeClock, fakeClock } from '../support/fake-clock.ts';
import { type Answer, type Recorder, startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';
import { openLegacySession } from '../support/legacy-session.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let clock: FakeClock;
let gatehouse: TestGatehouse;
let recorder: Recorder;
let key: string;
beforeEach(async () => {
  clock = fakeClock();
  gatehouse = await startGatehouse({ clock });
  recorder = await gatehouse.recorder('rec', { risks: { echo: 'write' }, risk: 'read', args: ['--tools=echo,look'] });
  key = (await gatehouse.key({ name: 'agent' })).secret;
});
afterEach(() => gatehouse.close());

/** While Gatehouse runs, the clock of the machine is set back by a day. */
const setBack = () => clock.set(clock.now() - DAY);
const classOf = (answer: Answer) =>
  (answer.message?.result?._meta as { readonly 'gatehouse/class'?: string } | undefined)?.['gatehouse/class'];
const echo = (text: string) => gatehouse.call(key, 'rec__echo', JSON.stringify({ text }));

test('a card set back by a day still ends five minutes after it came, and runs nothing', async () => {
  const waiting = echo('card');
  const card = await gatehouse.card();
  await clock.advance(MINUTE - 1);
  setBack();
  expect((await gatehouse.ask('approvalsList')).map(({ id }) => id)).toEqual([card.id]);
  expect(classOf(await waiting), 'the client is told to call again after its patience').toBe('approval_pending');
  await clock.advance(4 * MINUTE + 1);
  expect(await gatehouse.ask('approvalsList')).toEqual([]);
  expect(await gatehouse.approve(card)).toMatchObject({ kind: 'refused' });
  expect(recorder.calls()).toEqual([]);
});

test('a late yes is good for ten minutes, not for a day and ten minutes', async () => {
  expect(classOf(await patiently('late', echo('late')))).toBe('approval_pending');
  expect(await gatehouse.approve(await gatehouse.card())).toMatchObject({ kind: 'done' });
  setBack();
  await clock.advance(10 * MINUTE);
  expect(classOf(await patiently('late', echo('late')))).toBe('approval_pending');
  expect(recorder.calls()).toEqual([]);
});

test('a yes for 15 minutes and trust for 15 minutes end after 15 minutes', async () => {
  const first = echo('standing');
  const card = await gatehouse.card();
  await gatehouse.ask('approvalApprove', {
    approval: card.id,
    argumentsSha256: card.argumentsSha256,
    scope: 'minutes15',
  });
  await first;
  const other = await gatehouse.key({ name: 'trusted' });
  expect(await gatehouse.ask('trustStart', { client: other.clientId, minutes: 15 })).toMatchObject({ kind: 'done' });
  const trusted = () => gatehouse.call(other.secret, 'rec__echo', '{"text":"trusted"}');
  await clock.advance(10 * MINUTE);
  setBack();
  expect([classOf(await echo('again')), classOf(await trusted())]).toEqual([undefined, undefined]);
  expect(recorder.calls()).toHaveLength(3);
  await clock.advance(5 * MINUTE);
  expect(classOf(await patiently('again', echo('again')))).toBe('approval_pending');
  expect(classOf(await patiently('trusted', trusted()))).toBe('approval_pending');
  expect(recorder.calls()).toHaveLength(3);
});

test('a key with a date ends on its date, told apart in the audit', async () => {
  const short = await gatehouse.key({ name: 'short', expiresInMs: HOUR });
  const look = () => gatehouse.call(short.secret, 'rec__look');
  expect((await look()).status).toBe(200);
  await clock.advance(30 * MINUTE);
  setBack();
  expect((await look()).status).toBe(200);
  await clock.advance(30 * MINUTE);
  expect((await look()).status).toBe(401);
  const refused = await gatehouse.audit((all) => all.some(({ kind }) => kind === 'unauthorized'));
  expect(refused.filter(({ kind }) => kind === 'unauthorized')).toMatchObject([{ detail: { reason: 'expired' } }]);
});

test('a limit of calls per minute is neither lifted by it nor does it last a day', async () => {
  const policy: Policy = {
    defaultEffect: 'allow',
    rules: [
      {
        name: 'slowly',
        effect: 'allow',
        match: {},
        rateLimit: { calls: 2, per: '1m', by: 'client' },
      } as Policy['rules'][number],
    ],
  };
  expect(await gatehouse.ask('policyImport', { yaml: JSON.stringify(policy) })).toMatchObject({ kind: 'done' });
  const look = async () => classOf(await gatehouse.call(key, 'rec__look'));
  expect([await look(), await look(), await look()]).toEqual([undefined, undefined, 'rate_limited']);
  setBack();
  expect(await look()).toBe('rate_limited');
  await clock.advance(MINUTE);
  expect([await look(), await look(), await look()]).toEqual([undefined, undefined, 'rate_limited']);
});

test('a session goes on, back and forth', async () => {
  const session = await openLegacySession(gatehouse, key);
  for (const move of [-DAY, 2 * DAY, -3 * DAY]) {
    clock.set(clock.now() + move);
    await clock.advance(MINUTE);
    expect((await session.call('rec__look')).message?.result).not.toHaveProperty('isError');
  }
});

test('the audit keeps its order by number: it verifies, and the newest record is first whatever its time says', async () => {
  await gatehouse.call(key, 'rec__look', '{"when":"before"}');
  setBack();
  await gatehouse.call(key, 'rec__look', '{"when":"after"}');
  await gatehouse.audit((all) => all.filter(({ tool, phase }) => tool === 'look' && phase === 'ended').length === 2);
  const { records } = await gatehouse.ask('auditList', { tool: 'look' });
  expect(records.map(({ entries }) => String(entries[0]?.detail.arguments))).toEqual([
    '{"when":"after"}',
    '{"when":"before"}',
  ]);
  expect(records.map(({ at }) => at < FAKE_START)).toEqual([true, false]);
  const { records: older } = await gatehouse.ask('auditList', {
    before: records[0]?.entries[0]?.seq ?? 0,
    limit: 500,
    tool: 'look',
  });
  expect(older.map(({ requestId }) => requestId)).toEqual([records[1]?.requestId]);
  expect(await gatehouse.ask('auditVerify')).toMatchObject({ ok: true, problem: null });
});

/** The answer of a call that waits for a person, once its client's patience has ended. */
async function patiently(text: string, answering: Promise<Answer>): Promise<Answer> {
  await gatehouse.card((card) => card.argumentsText.includes(text));
  await clock.advance(MINUTE);
  return answering;
}
