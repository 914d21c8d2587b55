import { describe, expect, test } from 'vitest';
import type { ApprovalView } from '../../shared/model.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { type Answer, startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';
import { openLegacySession } from '../support/legacy-session.ts';

const MINUTE = 60_000;
const POLICY = `defaultEffect: allow
rules:
  - name: look at what is private
    match: {}
    holdResult: { pattern: private }
`;
const TEXT = '{"text":"private letters","n":1}';
const metaOf = (answer: Answer) => (answer.message?.result?._meta ?? {}) as Readonly<Record<string, unknown>>;
const classOf = (answer: Answer) => metaOf(answer)['gatehouse/class'];

async function world({ holdMs = 50_000, approver = true } = {}) {
  const clock = fakeClock();
  const gatehouse = await startGatehouse({ clock, approver });
  const key = await gatehouse.key({ name: 'agent' });
  await gatehouse.ask('clientSet', { client: key.clientId, holdMs });
  const recorder = await gatehouse.recorder('files');
  expect(await gatehouse.ask('policyImport', { yaml: POLICY })).toMatchObject({ kind: 'done' });
  return {
    clock,
    gatehouse,
    key,
    recorder,
    call: (text = TEXT, secret = key.secret) => gatehouse.call(secret, 'files__echo', text),
    ran: () => recorder.calls().length,
    release: ({ id, held }: ApprovalView) =>
      gatehouse.ask('resultRelease', { approval: id, resultSha256: held?.resultSha256 ?? '' }),
    [Symbol.asyncDispose]: () => gatehouse.close(),
  };
}

const waiting = (gatehouse: TestGatehouse) => gatehouse.ask('approvalsList', { state: 'waiting' });

/** The audit of one call, once `kind` is in it. */
async function recordOf(gatehouse: TestGatehouse, requestId: string, kind: string) {
  const of = (all: Awaited<ReturnType<TestGatehouse['audit']>>) => all.filter((one) => one.requestId === requestId);
  return of(await gatehouse.audit((all) => of(all).some((one) => one.kind === kind || one.phase === kind)));
}

describe('a result that a rule holds', () => {
  test.each(['2026-07-28', 'a session of 2025'])(
    'is shown whole, and given out as it came when it is released (%s)',
    async (era) => {
      await using w = await world();
      const { gatehouse, key } = w;
      const answering =
        era === '2026-07-28' ? w.call() : (await openLegacySession(gatehouse, key.secret)).call('files__echo', TEXT);
      const card = await gatehouse.card();
      expect(w.ran()).toBe(1);
      expect(card).toMatchObject({
        client: 'agent',
        upstream: 'files',
        tool: 'echo',
        rule: 'look at what is private',
        argumentsText: TEXT,
        editable: false,
        held: { resultText: expect.stringContaining('private letters') },
      });
      expect(await w.release({ ...card, held: { resultText: '', resultSha256: 'of another' } })).toMatchObject({
        kind: 'refused',
        message: expect.stringContaining('look at it again'),
      });
      expect(await w.release(card)).toEqual({ kind: 'done' });
      const answer = await answering;
      expect(answer.message?.result).toMatchObject({ content: [{ text: TEXT }] });
      // What was shown is what is given out, to the byte, within what the protocol adds around it.
      expect(answer.text).toContain(card.held?.resultText.slice(0, -1) ?? 'nothing');
      expect(w.ran()).toBe(1);
      expect(await waiting(gatehouse)).toEqual([]);
      const record = await recordOf(gatehouse, card.requestId, 'ended');
      expect(record.map(({ phase, kind }) => (phase === 'event' ? kind : phase))).toEqual([
        'forwarded',
        'result_held',
        'ended',
      ]);
      expect(record[1]).toMatchObject({ detail: { approval: card.id, resultSha256: card.held?.resultSha256 } });
      expect(record[2]).toMatchObject({
        outcome: 'answered',
        detail: { heldResult: { answer: 'released', approval: card.id, by: 'dashboard' } },
      });
      expect(JSON.stringify(record[1])).not.toContain('private letters');
    },
  );

  test('is withheld with a reason: the agent hears that the call ran, and that it must not be made again', async () => {
    await using w = await world();
    const answering = w.call();
    const card = await w.gatehouse.card();
    await w.gatehouse.ask('resultWithhold', { approval: card.id, reason: 'These are mine.' });
    const answer = await answering;
    expect(metaOf(answer)).toMatchObject({
      'gatehouse/class': 'approval_denied',
      'gatehouse/retryable': false,
      'gatehouse/rule': 'look at what is private',
    });
    expect(answer.text).toContain('The call did run. Its result is withheld from you: These are mine.');
    expect(answer.text).not.toContain('private letters');
    const entries = await w.gatehouse.audit((all) => all.some(({ kind }) => kind === 'result_answer'));
    expect(entries.find(({ kind }) => kind === 'result_answer')).toMatchObject({
      outcome: 'withheld',
      client: 'agent',
      detail: { call: card.requestId, reason: 'These are mine.', by: 'dashboard' },
    });
    // Said once, to the call it was about: the next one is a call of its own.
    const next = w.call();
    await w.release(await w.gatehouse.card());
    expect(classOf(await next)).toBeUndefined();
    expect(w.ran()).toBe(2);
  });

  test('nobody looks for five minutes: expired, and it says that the call ran', async () => {
    await using w = await world({ holdMs: 600_000 });
    const answering = w.call();
    await w.gatehouse.card();
    await w.clock.advance(5 * MINUTE);
    const answer = await answering;
    expect(metaOf(answer)).toMatchObject({ 'gatehouse/class': 'approval_expired', 'gatehouse/retryable': false });
    expect(answer.text).toContain('The call did run.');
    expect(await waiting(w.gatehouse)).toEqual([]);
  });

  test('nobody is there to look: unavailable at once, and it says that the call ran', async () => {
    await using w = await world({ approver: false });
    const answer = await w.call();
    expect(metaOf(answer)).toMatchObject({ 'gatehouse/class': 'approval_unavailable', 'gatehouse/retryable': false });
    expect(answer.message?.result).toMatchObject({
      content: [{ text: expect.stringContaining('did run. Its result is held by rule "look at what is private"') }],
    });
    expect(answer.text).not.toContain('private letters');
    expect(w.ran()).toBe(1);
  });

  test('what no rule holds is given out at once', async () => {
    await using w = await world();
    expect(classOf(await w.call('{"text":"public"}'))).toBeUndefined();
    expect(await waiting(w.gatehouse)).toEqual([]);
  });
});

describe('a held result outlives the client', () => {
  test('pending; the identical call attaches to it and the tool does not run again', async () => {
    await using w = await world({ holdMs: 0 });
    const { gatehouse } = w;
    const pending = await w.call();
    expect(metaOf(pending)).toMatchObject({ 'gatehouse/class': 'approval_pending', 'gatehouse/retryable': true });
    expect(pending.text).toContain('the call did run');
    expect(pending.text).not.toContain('private letters');
    const card = await gatehouse.card();
    await gatehouse.ask('clientSet', { client: w.key.clientId, holdMs: 50_000 });
    const retry = w.call('{ "n":1, "text":"private letters" }');
    await w.clock.advance(1000);
    expect((await waiting(gatehouse)).map(({ id }) => id)).toEqual([card.id]);
    await w.release(card);
    expect((await retry).message?.result).toMatchObject({ content: [{ text: TEXT }] });
    expect(w.ran()).toBe(1);
    const entries = await gatehouse.audit((all) =>
      all.some(({ detail }) => (detail.heldResult as { of?: string } | undefined)?.of !== undefined),
    );
    const retried = entries.find(({ detail }) => (detail.heldResult as { of?: string } | undefined)?.of !== undefined);
    expect(retried).toMatchObject({
      phase: 'ended',
      outcome: 'answered',
      detail: { heldResult: { answer: 'released', of: card.requestId, approval: card.id } },
    });
    expect(entries.filter(({ phase }) => phase === 'forwarded')).toHaveLength(1);
  });

  test('released while nobody waits: given to the next identical call, once; then the call is made anew', async () => {
    await using w = await world({ holdMs: 0 });
    await w.call();
    const card = await w.gatehouse.card();
    expect(await w.release(card)).toEqual({ kind: 'done' });
    expect(await waiting(w.gatehouse)).toEqual([]);
    for (const [text, secret] of [
      ['{"text":"private","n":2}', undefined],
      [TEXT, (await w.gatehouse.key({ name: 'other' })).secret],
    ] as const) {
      // Other arguments, and another client, are other calls.
      const before = w.ran();
      const heard = w.call(text, secret);
      const theirs = await w.gatehouse.card();
      expect([theirs.id === card.id, w.ran()]).toEqual([false, before + 1]);
      await w.gatehouse.ask('resultWithhold', { approval: theirs.id });
      await heard;
    }
    const before = w.ran();
    expect((await w.call()).message?.result).toMatchObject({ content: [{ text: TEXT }] });
    expect(w.ran()).toBe(before);
    expect(classOf(await w.call())).toBe('approval_pending');
    expect(w.ran()).toBe(before + 1);
  });

  test('withheld, or not looked at, while nobody waits: the next identical call hears it and runs nothing', async () => {
    await using w = await world({ holdMs: 0 });
    await w.call();
    await w.gatehouse.ask('resultWithhold', { approval: (await w.gatehouse.card()).id, reason: 'No.' });
    expect((await w.call()).text).toContain('Its result is withheld from you: No.');
    expect(w.ran()).toBe(1);
    await w.call();
    await w.clock.advance(5 * MINUTE);
    expect(classOf(await w.call())).toBe('approval_expired');
    expect(w.ran()).toBe(2);
  });

  test('a released result that nobody comes back for is gone after ten minutes, and that is on record', async () => {
    await using w = await world({ holdMs: 0 });
    await w.call();
    const card = await w.gatehouse.card();
    await w.release(card);
    await w.clock.advance(10 * MINUTE);
    const record = await recordOf(w.gatehouse, card.requestId, 'result_expired');
    expect(record.at(-1)).toMatchObject({ kind: 'result_expired', outcome: 'withheld', detail: { approval: card.id } });
    expect(classOf(await w.call())).toBe('approval_pending');
    expect(w.ran()).toBe(2);
  });

  test('the key ends: nobody gets the result, whoever comes back for it', async () => {
    await using w = await world();
    // The key's connections are closed with it.
    const answering = w.call().catch(() => null);
    await w.gatehouse.card();
    const rotated = await w.gatehouse.ask('keyRotate', { key: w.key.prefix });
    if (rotated.kind !== 'done') throw new Error(rotated.message);
    await answering;
    expect(await waiting(w.gatehouse)).toEqual([]);
    expect((await w.gatehouse.audit()).some(({ outcome }) => outcome === 'answered')).toBe(false);
  });

  test('Gatehouse is quit: the result is lost, never given out, and that is on record', async () => {
    await using w = await world({ holdMs: 0 });
    const { gatehouse } = w;
    await w.call();
    const { requestId, id } = await gatehouse.card();
    await gatehouse.core.close();
    await using again = await startGatehouse({ folder: gatehouse.folder, clock: w.clock });
    const record = await recordOf(again, requestId, 'result_lost');
    expect(record.at(-1)).toMatchObject({ kind: 'result_lost', outcome: 'withheld', detail: { approval: id } });
    expect(record.filter(({ kind }) => kind === 'result_lost')).toHaveLength(1);
    expect(await waiting(again)).toEqual([]);
  });
});

test('an edited call whose result is held: whoever comes back for it hears of the edit', async () => {
  await using w = await world({ holdMs: 0 });
  const { gatehouse } = w;
  await gatehouse.ask('policyImport', { yaml: POLICY.replace('allow', 'require_approval') });
  await w.call('{"text":"a"}');
  const { id: approval, argumentsSha256 } = await gatehouse.card();
  await gatehouse.ask('approvalApprove', { approval, argumentsSha256, edited: '{"text":"private b"}' });
  expect(classOf(await w.call('{"text":"a"}'))).toBe('approval_pending');
  await w.release(await gatehouse.card(({ held }) => held !== null));
  const answer = await w.call('{"text":"a"}');
  expect(answer.message?.result).toMatchObject({ content: [{ text: '{"text":"private b"}' }, {}] });
  expect(metaOf(answer)['gatehouse/edited']).toBe(true);
  expect(w.ran()).toBe(1);
});

test.each(['main-window', 'notification', 'cli'] as const)(
  'no result is released or withheld from %s',
  async (origin) => {
    await using w = await world({ holdMs: 0 });
    await w.call();
    const { id: approval, held } = await w.gatehouse.card();
    for (const [name, input] of [
      ['resultRelease', { approval, resultSha256: held?.resultSha256 }],
      ['resultWithhold', { approval }],
    ] as const) {
      const answer = await w.gatehouse.core.api.request(name, input, { origin, label: origin });
      expect(answer.kind).toBe('forbidden');
    }
    expect(await waiting(w.gatehouse)).toMatchObject([{ id: approval, state: 'waiting' }]);
  },
);
