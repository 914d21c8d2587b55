import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FakeClock, fakeClock } from '../support/fake-clock.ts';
import { type Answer, eventually, type Recorder } from '../support/gatehouse.ts';
import { openTarget, type Target } from '../support/target.ts';

const MINUTE = 60_000;
const metaOf = (answer: Answer) => (answer.message?.result?._meta ?? {}) as Readonly<Record<string, unknown>>;
const classOf = (answer: Answer) => metaOf(answer)['gatehouse/class'];
const TOOLS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];

describe('F13 approval spam', () => {
  let clock: FakeClock;
  let target: Target;
  let gated: Recorder;
  beforeAll(async () => {
    clock = fakeClock();
    target = await openTarget({ clock });
    gated = target.watch(await target.gatehouse.recorder('gated', { args: [`--tools=${TOOLS.join()}`] }));
    await target.gatehouse.ask('clientSet', { client: target.k1.clientId, holdMs: 0 });
    await target.gatehouse.ask('clientSet', { client: target.k2.clientId, holdMs: 0 });
  });
  afterAll(() => target[Symbol.asyncDispose]());

  const waiting = () => target.gatehouse.ask('approvalsList', { state: 'waiting' });
  const cards = async () => new Set((await waiting()).map(({ group }) => group)).size;

  test('F13 (design: five cards per client, a card holds up to 50 rows) 50 distinct calls of 10 tools in 10 s: five cards, the rest 41016', async () => {
    const { gatehouse, k1 } = target;
    const heard: string[] = [];
    const stop = gatehouse.core.onCard((card) => heard.push('approval' in card ? card.approval.tool : ''));
    const { result: answers, rows } = await target.refusals(async () => {
      const all: Answer[] = [];
      for (let n = 0; n < 50; n += 1) {
        all.push(await gatehouse.call(k1.secret, `gated__${TOOLS[n % 10]}`, `{"n":${n}}`));
        await clock.advance(200);
      }
      return all;
    });
    stop();
    const refused = answers.filter((answer) => classOf(answer) === 'too_many_pending');
    expect(answers.filter((answer) => classOf(answer) === 'approval_pending')).toHaveLength(25);
    expect(refused).toHaveLength(25);
    for (const answer of refused) {
      expect(metaOf(answer)).toMatchObject({ 'gatehouse/code': 41016, 'gatehouse/retryable': true });
      expect(answer.text).toContain('5 cards of this client already wait for the person.');
    }
    expect(rows.map(({ errorClass }) => errorClass)).toEqual(Array(25).fill('too_many_pending'));
    expect(await cards()).toBe(5);
    expect(await waiting()).toHaveLength(25);
    // Grouped: each burst came up and was announced once.
    expect(heard).toEqual(TOOLS.slice(0, 5));
  });

  test('F13 (design: 20 in all) the cards of all clients together are bounded, and another client has its own five', async () => {
    const { gatehouse } = target;
    const others = await Promise.all(['b', 'c', 'd', 'e'].map((name) => gatehouse.key({ name })));
    const answers: Answer[] = [];
    for (const { secret, clientId } of others) {
      await gatehouse.ask('clientSet', { client: clientId, holdMs: 0 });
      for (const tool of TOOLS.slice(0, 5)) answers.push(await gatehouse.call(secret, `gated__${tool}`, '{"n":1}'));
    }
    expect(await cards()).toBe(20);
    expect(answers.map(classOf)).toEqual([...Array(15).fill('approval_pending'), ...Array(5).fill('too_many_pending')]);
    expect(answers.at(-1)?.text).toContain('20 cards already wait for the person.');
    expect(gated.calls()).toEqual([]);
    await target.stillServes();
  });

  test('F13 "pause this client" with the denial of the whole burst: nothing of it waits any more, nothing new comes up', async () => {
    const { gatehouse, k1 } = target;
    const own = (await waiting()).filter(({ clientId }) => clientId === k1.clientId);
    for (const rows of Map.groupBy(own, ({ group }) => group).values()) {
      const said = await gatehouse.ask('approvalsDenyMany', { approvals: rows.map(({ id }) => id), pause: true });
      expect(said).toMatchObject({ kind: 'done' });
    }
    const answer = await target.refuses({ kind: 'tool_call', errorClass: 'paused' }, () =>
      gatehouse.call(k1.secret, 'gated__ten', '{"n":99}'),
    );
    expect(classOf(answer)).toBe('paused');
    expect((await waiting()).filter(({ clientId }) => clientId === k1.clientId)).toEqual([]);
    await gatehouse.ask('callsResume', { client: k1.clientId });
  });

  test('F13 (design: a card holds up to 50 rows) 60 calls of one tool: 50 rows on one card, ten are refused', async () => {
    const { gatehouse, k1 } = target;
    await clock.advance(10 * MINUTE);
    const answers: Answer[] = [];
    for (let n = 0; n < 60; n += 1) answers.push(await gatehouse.call(k1.secret, 'gated__six', `{"n":${n}}`));
    expect(answers.filter((answer) => classOf(answer) === 'approval_pending')).toHaveLength(50);
    expect(answers.slice(50).map(classOf)).toEqual(Array(10).fill('too_many_pending'));
    expect([await cards(), (await waiting()).length]).toEqual([1, 50]);
    expect(gated.calls()).toEqual([]);
  });
});

describe('F14 nagging after a denial', () => {
  let clock: FakeClock;
  let target: Target;
  let gated: Recorder;
  beforeAll(async () => {
    clock = fakeClock();
    target = await openTarget({ clock });
    // Not watched for NOREACH: the other client's calls do reach it.
    gated = await target.gatehouse.recorder('gated', { args: [`--tools=${TOOLS.join()}`] });
  });
  afterAll(() => target[Symbol.asyncDispose]());

  const call = (key: string, text: string, tool = 'gated__one') => target.gatehouse.call(key, tool, text);
  const waiting = () => target.gatehouse.ask('approvalsList', { state: 'waiting' });
  async function deny(key: string, text: string, reason: string, tool?: string) {
    const answering = call(key, text, tool);
    const card = await target.gatehouse.card();
    await target.gatehouse.ask('approvalDeny', { approval: card.id, reason });
    expect(classOf(await answering)).toBe('approval_denied');
  }

  test('F14 a denied call re-sent 100 times, one space more each time, is denied by itself; the other client is asked', async () => {
    const { gatehouse, k1, k2 } = target;
    await deny(k1.secret, '{"path":"/tmp/x"}', 'Not this file.');
    const { result, rows } = await target.refusals(async () => {
      const answers: Answer[] = [];
      for (let n = 1; n <= 100; n += 1) {
        answers.push(await call(k1.secret, `{"path":${' '.repeat(n)}"/tmp/x"}`));
        expect(await waiting()).toEqual([]);
        if (n % 20 !== 0) continue;
        // Alternating clients: the denial of one is not that of the other.
        const answering = call(k2.secret, `{"path":"/tmp/x","n":${n}}`);
        const card = await gatehouse.card();
        expect(card.client).toBe('bystander');
        await gatehouse.approve(card);
        expect(classOf(await answering)).toBeUndefined();
      }
      return answers;
    });
    expect(gated.calls()).toHaveLength(5);
    expect(result.map(classOf)).toEqual(Array(100).fill('approval_denied'));
    expect(rows).toHaveLength(100);
  });

  test('F14 the reason is told again each time, until the minute is over', async () => {
    const { k1 } = target;
    await clock.advance(10 * MINUTE);
    await deny(k1.secret, '{"path":"/tmp/y"}', 'Use the log instead.');
    await clock.advance(59_000);
    const answer = await target.refuses({ kind: 'tool_call', errorClass: 'approval_denied' }, () =>
      call(k1.secret, '{ "path" : "/tmp/y" }'),
    );
    expect(answer.text).toContain('Use the log instead.');
    await clock.advance(1000);
    const asked = call(k1.secret, '{"path":"/tmp/y"}');
    const [card] = await eventually(async () => ((await waiting()).length > 0 ? waiting() : null), 'a card');
    await target.gatehouse.approve(card!);
    expect(classOf(await asked)).toBeUndefined();
  });

  test('F14 three denials of a tool close that tool to that client for five minutes: not its other tools, not other clients', async () => {
    const { gatehouse, k1, k2 } = target;
    await clock.advance(10 * MINUTE);
    for (const n of [1, 2, 3]) await deny(k1.secret, `{"n":${n}}`, `no ${n}`);
    const answer = await target.refuses({ kind: 'tool_call', errorClass: 'approval_denied' }, () =>
      call(k1.secret, '{"n":4}'),
    );
    expect(answer.text).toContain(
      'This tool was denied 3 times within five minutes; it can be asked for again in 5 minutes.',
    );
    for (const [key, tool] of [
      [k1.secret, 'gated__two'],
      [k2.secret, 'gated__one'],
    ] as const) {
      const asked = call(key, '{"n":4}', tool);
      await gatehouse.approve(await gatehouse.card());
      expect(classOf(await asked)).toBeUndefined();
    }
    await clock.advance(5 * MINUTE);
    const asked = call(k1.secret, '{"n":4}');
    await gatehouse.approve(await gatehouse.card());
    expect(classOf(await asked)).toBeUndefined();
  });
});
