import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FAKE_START, type FakeClock, fakeClock } from '../support/fake-clock.ts';
import { type Answer, eventually, type Recorder } from '../support/gatehouse.ts';
import { openLegacySession } from '../support/legacy-session.ts';
import { openTarget, type Target } from '../support/target.ts';

const MINUTE = 60_000;
const classOf = (answer: Answer) => (answer.message?.result?._meta as Record<string, unknown>)?.['gatehouse/class'];

describe('E15 "always allow" too wide', () => {
  let clock: FakeClock;
  let target: Target;
  let gated: Recorder;
  let other: Recorder;
  let description: string;
  beforeAll(async () => {
    clock = fakeClock();
    target = await openTarget({ clock });
    description = `${target.gatehouse.folder}/description`;
    writeFileSync(description, 'Gives back what it was given.');
    const args = [`--description-file=${description}`];
    gated = await target.gatehouse.recorder('gated', { args });
    other = await target.gatehouse.recorder('other');
  });
  afterAll(() => target[Symbol.asyncDispose]());

  const { stringify } = JSON;
  const call = (text: string, { key = target.k1.secret, tool = 'gated__echo' } = {}) =>
    target.gatehouse.call(key, tool, text);
  /** It waits for a person: NOREACH until they said no. */
  async function isAsked(answering: Promise<Answer>, ran: Recorder = gated): Promise<void> {
    const before = ran.calls().length;
    const card = await target.gatehouse.card();
    expect(ran.calls()).toHaveLength(before);
    await target.gatehouse.ask('approvalDeny', { approval: card.id });
    expect(classOf(await answering)).toBe('approval_denied');
    expect(ran.calls()).toHaveLength(before);
    // A denial closes the same call for a minute; the next vector is not about that.
    await clock.advance(10 * MINUTE);
  }
  async function grant(text: string, scope: 'tool' | 'values', pins: readonly string[] = []): Promise<void> {
    const answering = call(text);
    const { id: approval, argumentsSha256 } = await target.gatehouse.card();
    const yes = { approval, argumentsSha256, scope, pins: [...pins] };
    expect(await target.gatehouse.ask('approvalApprove', yes)).toEqual({ kind: 'done' });
    expect(classOf(await answering)).toBeUndefined();
  }
  const runs = async (text: string) => {
    const before = gated.calls().length;
    expect(classOf(await call(text))).toBeUndefined();
    expect(gated.calls()).toHaveLength(before + 1);
  };

  test('E15 a grant for A/S/T: not T as B, not T on server S2, not another tool; it does hold for A/S/T', async () => {
    await grant('{"text":"first"}', 'tool');
    await runs('{"text":"any other"}');
    await isAsked(call('{"text":"as B"}', { key: target.k2.secret }));
    await isAsked(call('{"text":"on S2"}', { tool: 'other__echo' }), other);
    await isAsked(call('{"ms":1}', { tool: 'gated__slow' }));
    await runs('{"text":"still"}');
    const entries = await target.gatehouse.audit();
    expect(entries.filter(({ kind }) => kind === 'standing_approval_created')).toMatchObject([
      { client: 'attacker', upstream: 'gated', tool: 'echo', detail: { scope: 'tool', by: 'dashboard' } },
    ]);
    await target.gatehouse.ask('standingRevokeAll', { client: target.k1.clientId });
  });

  test('E15 an arg-bound grant: not with other values, not with the bound argument left out or of another kind', async () => {
    await grant('{"text":"/tmp/log","delayMs":0}', 'values', ['/text']);
    await runs('{"delayMs":1,"text":"/tmp/log"}');
    for (const text of ['/tmp/log2', '/tmp/LOG', '/tmp/log\u0000', '/tmp/log/../secret'])
      await isAsked(call(`{"text":${stringify(text)}}`));
    for (const whole of ['{}', '{"delayMs":0}', '{"nested":{"text":"/tmp/log"}}']) await isAsked(call(whole));
    await target.gatehouse.ask('standingRevokeAll', { client: target.k1.clientId });
  });

  test('E15 a session-bound grant ends with that session; another session of the same client is asked', async () => {
    const { gatehouse, k1 } = target;
    const [mine, later] = [
      await openLegacySession(gatehouse, k1.secret),
      await openLegacySession(gatehouse, k1.secret),
    ];
    const answering = mine.call('gated__echo', '{"text":"in a session"}');
    const { id: approval, argumentsSha256 } = await gatehouse.card();
    await gatehouse.ask('approvalApprove', { approval, argumentsSha256, scope: 'session' });
    expect(classOf(await answering)).toBeUndefined();
    expect(classOf(await mine.call('gated__echo', '{"text":"again"}'))).toBeUndefined();
    await isAsked(later.call('gated__echo', '{"text":"elsewhere"}'));
    await isAsked(call('{"text":"without a session"}'));
    await gatehouse.ask('standingRevokeAll', { client: k1.clientId });
  });

  test('E15 the key ends: the grant dies with it, although the client has another key', async () => {
    await grant('{"text":"of the first key"}', 'tool');
    const { gatehouse, k1 } = target;
    const rotated = await gatehouse.ask('keyRotate', { key: k1.prefix });
    if (rotated.kind !== 'done') throw new Error(rotated.message);
    expect(await gatehouse.ask('standingList', {})).toEqual([]);
    await isAsked(call('{"text":"with the second"}', { key: rotated.secret }));
    target = { ...target, k1: { ...k1, secret: rotated.secret } };
  });

  test('E15 the description changes: the grant dies, and comes back neither with the review nor with the old words', async () => {
    const { gatehouse } = target;
    await grant('{"text":"old words"}', 'tool');
    writeFileSync(description, 'Gives back what it was given, and more.');
    await gatehouse.ask('upstreamRefresh', { upstream: 'gated' });
    const changed = await eventually(async () => {
      const tools = await gatehouse.ask('toolsList', { upstream: 'gated' });
      return tools.find(({ name, state }) => name === 'echo' && state === 'changed') ?? null;
    }, 'the change');
    expect(await gatehouse.ask('standingList', {})).toEqual([]);
    expect(classOf(await call('{"text":"unreviewed"}'))).toBe('tool_changed');
    const accept = async (fingerprint: string) =>
      expect(
        await gatehouse.ask('toolsReview', {
          upstream: 'gated',
          accept: [{ name: 'echo', fingerprint, risk: 'write' }],
        }),
      ).toMatchObject({ kind: 'done' });
    await accept(changed.fingerprint);
    await isAsked(call('{"text":"new words"}'));
    await target.stillServes();
  });
});

describe('H9 clock tricks extend a grant', () => {
  const zone = process.env.TZ;
  afterAll(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });

  /** 15 minutes given to the tool; `runs` says whether a call of it runs without asking now. */
  async function granted(start = FAKE_START) {
    const clock = fakeClock(start);
    const target = await openTarget({ clock });
    const { gatehouse, k1 } = target;
    const gated = await gatehouse.recorder('gated');
    await gatehouse.ask('clientSet', { client: k1.clientId, holdMs: 0 });
    let calls = 0;
    const call = () => gatehouse.call(k1.secret, 'gated__echo', `{"n":${++calls}}`);
    await call();
    const { id: approval, argumentsSha256 } = await gatehouse.card();
    await gatehouse.ask('approvalApprove', { approval, argumentsSha256, scope: 'minutes15' });
    return {
      clock,
      gated,
      gatehouse,
      async runs() {
        const before = gated.calls().length;
        const ended = classOf(await call());
        expect(['approval_pending', undefined]).toContain(ended);
        expect(gated.calls().length - before).toBe(ended === undefined ? 1 : 0);
        return ended === undefined;
      },
      [Symbol.asyncDispose]: () => target[Symbol.asyncDispose](),
    };
  }

  test('H9 the clock is set back a day: 15 minutes are 15 minutes', async () => {
    await using w = await granted();
    expect(await w.runs()).toBe(true);
    w.clock.set(w.clock.now() - 24 * 60 * MINUTE);
    await w.clock.advance(15 * MINUTE - 1000);
    expect(await w.runs()).toBe(true);
    await w.clock.advance(1000);
    expect(await w.runs()).toBe(false);
    expect(await w.gatehouse.ask('standingList', {})).toEqual([]);
  });

  test('H9 the machine sleeps for 20 minutes: no timer ran and the monotonic clock stood still, and the grant is over', async () => {
    await using w = await granted();
    await w.clock.advance(MINUTE);
    expect(await w.runs()).toBe(true);
    w.clock.set(w.clock.now() + 20 * MINUTE);
    expect(await w.runs()).toBe(false);
  });

  test.each([
    ['begins', Date.UTC(2030, 2, 31, 0, 55)],
    ['ends', Date.UTC(2030, 9, 27, 0, 55)],
  ])('H9 daylight saving time %s meanwhile: 15 minutes are 15 minutes', async (_what, start) => {
    process.env.TZ = 'Europe/Berlin';
    const [before, after] = [new Date(start).getTimezoneOffset(), new Date(start + 10 * MINUTE).getTimezoneOffset()];
    expect(Math.abs(before - after)).toBe(60);
    await using w = await granted(start);
    await w.clock.advance(15 * MINUTE - 1000);
    expect(await w.runs()).toBe(true);
    await w.clock.advance(1000);
    expect(await w.runs()).toBe(false);
  });
});
