import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { describe, expect, test } from 'vitest';
import type { ApprovalView, AuditEntryView, StandingScope } from '../../shared/model.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { eventually, type Recorder, startGatehouse, type TestGatehouse, type TestKey } from '../support/gatehouse.ts';
import { sliceAfter } from '../support/json-slice.ts';

/** A connected agent: one call of `echo`, its result as it came. */
interface Agent {
  call(args: Record<string, unknown>, options?: CallOptions): Promise<Result>;
  close(): Promise<void>;
}
interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (message: string) => void;
}
interface Result {
  readonly isError?: unknown;
  readonly content?: unknown;
  readonly _meta?: Readonly<Record<string, unknown>> | undefined;
}

const TOOL = 'gated__echo';

async function legacyAgent(gatehouse: TestGatehouse, { secret }: TestKey): Promise<Agent> {
  const client = new LegacyClient({ name: 'old-agent', version: '1' });
  const requestInit = { headers: { authorization: `Bearer ${secret}` } };
  await client.connect(new LegacyTransport(new URL(gatehouse.core.endpoint), { requestInit }));
  return {
    call: (args, { signal, onProgress } = {}) =>
      client.callTool({ name: TOOL, arguments: args }, undefined, {
        ...(signal === undefined ? {} : { signal }),
        ...(onProgress === undefined ? {} : { onprogress: ({ message }) => onProgress(message ?? '') }),
      }),
    close: () => client.close(),
  };
}

async function modernAgent(gatehouse: TestGatehouse, { secret }: TestKey): Promise<Agent> {
  const client = new ModernClient(
    { name: 'new-agent', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  const requestInit = { headers: { authorization: `Bearer ${secret}` } };
  await client.connect(new ModernTransport(new URL(gatehouse.core.endpoint), { requestInit }));
  return {
    call: (args, { signal, onProgress } = {}) =>
      client.callTool(
        { name: TOOL, arguments: args },
        {
          ...(signal === undefined ? {} : { signal }),
          ...(onProgress === undefined ? {} : { onprogress: ({ message }) => onProgress(message ?? '') }),
        },
      ),
    close: () => client.close(),
  };
}

const ERAS = [
  ['a client of 2025', legacyAgent],
  ['a client of 2026-07-28', modernAgent],
] as const;

const classOf = (result: Result) => result._meta?.['gatehouse/class'];
const textOf = (result: Result) => JSON.stringify(result.content);
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const ran = (recorder: Recorder) => recorder.calls().map((line) => sliceAfter(line, 'arguments'));
const waiting = (gatehouse: TestGatehouse) => gatehouse.ask('approvalsList', { state: 'waiting' });
const yes = (gatehouse: TestGatehouse, card: ApprovalView, scope: StandingScope) =>
  gatehouse.ask('approvalApprove', { approval: card.id, argumentsSha256: card.argumentsSha256, scope });

async function world(connect: (gatehouse: TestGatehouse, key: TestKey) => Promise<Agent>, holdMs = 50_000) {
  const clock = fakeClock();
  const gatehouse = await startGatehouse({ clock });
  const key = await gatehouse.key({ name: 'agent' });
  await gatehouse.ask('clientSet', { client: key.clientId, holdMs });
  const recorder = await gatehouse.recorder('gated');
  const agent = await connect(gatehouse, key);
  return {
    clock,
    gatehouse,
    key,
    recorder,
    agent,
    async [Symbol.asyncDispose]() {
      await agent.close();
      await gatehouse.close();
    },
  };
}

/** The entries of the calls so far, one list per record. */
async function records(gatehouse: TestGatehouse): Promise<readonly (readonly AuditEntryView[])[]> {
  const entries = (await gatehouse.audit()).filter((entry) => entry.requestId !== null);
  return [...Map.groupBy(entries, (entry) => entry.requestId).values()];
}

describe.each(ERAS)('a parked call outlives %s', (_era, connect) => {
  test('held, told that it waits, then pending; the retry attaches to the card and gets the answer', async () => {
    await using w = await world(connect);
    const told: string[] = [];
    const first = w.agent.call({ text: 'a', n: 1 }, { onProgress: (message) => told.push(message) });
    const card = await w.gatehouse.card();
    await w.clock.advance(49_999);
    await expect.poll(() => told.length).toBe(4);
    expect(told[0]).toContain('Waiting for the person');
    await w.clock.advance(1);
    const pending = await first;
    expect(pending).toMatchObject({
      isError: true,
      _meta: { 'gatehouse/code': 41018, 'gatehouse/class': 'approval_pending', 'gatehouse/approvalId': card.id },
    });
    expect(textOf(pending)).toContain('Call again with the same arguments');

    const retry = w.agent.call({ text: 'a', n: 1 });
    await eventually(async () => ((await waiting(w.gatehouse)).length === 1 ? true : null), 'one card');
    await w.clock.advance(1000);
    expect((await waiting(w.gatehouse)).map(({ id }) => id)).toEqual([card.id]);
    expect(ran(w.recorder)).toEqual([]);
    await w.gatehouse.approve(card);
    expect(await retry).toMatchObject({ content: [{ text: '{"text":"a","n":1}' }] });
    expect(ran(w.recorder)).toEqual(['{"text":"a","n":1}']);
    const [asked, answered] = await records(w.gatehouse);
    expect(asked?.map((entry) => entry.outcome ?? entry.phase)).toEqual(['asked', 'pending']);
    expect(answered).toMatchObject([
      { phase: 'forwarded', detail: { approval: { answer: 'approved', approval: card.id, by: 'dashboard' } } },
      { phase: 'ended', outcome: 'answered' },
    ]);
  });

  test('a yes after the client left starts nothing by itself and is redeemed once, by the same call in another order', async () => {
    await using w = await world(connect, 0);
    expect(classOf(await w.agent.call({ path: '/x', options: { deep: true, n: 1 } }))).toBe('approval_pending');
    const card = await w.gatehouse.card();
    await w.gatehouse.approve(card);
    await w.clock.advance(60_000);
    expect(ran(w.recorder)).toEqual([]);
    expect(await w.gatehouse.ask('approvalsList', { state: 'all' })).toMatchObject([
      { id: card.id, state: 'approved' },
    ]);

    const redeemed = await w.agent.call({ options: { n: 1, deep: true }, path: '/x' });
    expect(redeemed.isError).toBeUndefined();
    // What runs is the text that was shown, not the text of the retry.
    expect(ran(w.recorder)).toEqual([card.argumentsText]);
    expect(sha256(ran(w.recorder)[0] ?? '')).toBe(card.argumentsSha256);

    expect(classOf(await w.agent.call({ path: '/x', options: { deep: true, n: 1 } }))).toBe('approval_pending');
    expect((await w.gatehouse.card()).id).not.toBe(card.id);
    expect(ran(w.recorder)).toHaveLength(1);
  });

  test('other arguments are another card, and another client never gets the yes', async () => {
    await using w = await world(connect, 0);
    await w.agent.call({ n: 1 });
    await w.gatehouse.approve(await w.gatehouse.card());
    const otherKey = await w.gatehouse.key({ name: 'other' });
    await w.gatehouse.ask('clientSet', { client: otherKey.clientId, holdMs: 0 });
    const other = await connect(w.gatehouse, otherKey);
    for (const [agent, args] of [
      [w.agent, { n: '1' }],
      [w.agent, { n: 1, m: null }],
      [other, { n: 1 }],
    ] as const) {
      expect(classOf(await agent.call(args))).toBe('approval_pending');
    }
    expect(await waiting(w.gatehouse)).toHaveLength(3);
    expect(ran(w.recorder)).toEqual([]);
    await other.close();
  });

  test('the client cancels while it is held: the card stays, marked, and its yes waits for the retry', async () => {
    await using w = await world(connect);
    const cancelling = new AbortController();
    const first = w.agent.call({ text: 'c' }, { signal: cancelling.signal });
    const gone = expect(first).rejects.toThrow();
    const card = await w.gatehouse.card();
    cancelling.abort();
    await gone;
    const left = await w.gatehouse.card(({ callerLeft }) => callerLeft);
    expect(left.id).toBe(card.id);
    await w.gatehouse.approve(left);
    expect(ran(w.recorder)).toEqual([]);
    expect((await w.agent.call({ text: 'c' })).isError).toBeUndefined();
    expect(ran(w.recorder)).toEqual(['{"text":"c"}']);
  });

  test('the person says no after the client left: the retry hears it with the reason', async () => {
    await using w = await world(connect, 0);
    await w.agent.call({ text: 'n' });
    await w.gatehouse.ask('approvalDeny', { approval: (await w.gatehouse.card()).id, reason: 'Wrong file.' });
    const denied = await w.agent.call({ text: 'n' });
    expect(denied._meta).toMatchObject({ 'gatehouse/code': 41011, 'gatehouse/class': 'approval_denied' });
    expect(textOf(denied)).toContain('The person denied this call: Wrong file.');
    expect(await waiting(w.gatehouse)).toEqual([]);
  });

  test('a yes for the tool skips the card, counts its uses, and ends when it is revoked', async () => {
    await using w = await world(connect);
    const first = w.agent.call({ n: 1 });
    await yes(w.gatehouse, await w.gatehouse.card(), 'tool');
    await first;
    expect(await w.gatehouse.ask('standingList')).toMatchObject([{ scope: 'tool', tool: 'echo', usedCount: 0 }]);
    expect((await w.agent.call({ n: 2 })).isError).toBeUndefined();
    const [standing] = await w.gatehouse.ask('standingList');
    expect(standing).toMatchObject({ client: 'agent', usedCount: 1 });
    const latest = (await records(w.gatehouse)).at(-1);
    expect(latest).toMatchObject([
      { phase: 'forwarded', effect: 'allow', detail: { standing: standing?.id } },
      { phase: 'ended' },
    ]);

    await w.gatehouse.ask('standingRevoke', { standing: standing?.id ?? '' });
    const asked = w.agent.call({ n: 3 });
    await w.gatehouse.ask('approvalDeny', { approval: (await w.gatehouse.card()).id });
    expect(classOf(await asked)).toBe('approval_denied');
    expect(ran(w.recorder)).toEqual(['{"n":1}', '{"n":2}']);
  });

  test('the policy is tightened while the call waits: the yes does not outweigh it', async () => {
    await using w = await world(connect);
    const call = w.agent.call({ text: 'p' });
    const card = await w.gatehouse.card();
    const yaml =
      'defaultEffect: require_approval\nrules:\n  - name: no-echo\n    effect: deny\n    match: {tool: [echo]}\n';
    expect(await w.gatehouse.ask('policyImport', { yaml })).toMatchObject({ kind: 'done' });
    expect(await w.gatehouse.approve(card)).toEqual({ kind: 'done' });
    const denied = await call;
    expect(denied._meta).toMatchObject({ 'gatehouse/class': 'policy_denied', 'gatehouse/rule': 'no-echo' });
    expect(ran(w.recorder)).toEqual([]);
    // The yes was for one call and is used up: it does not come back with the policy.
    await w.gatehouse.ask('policyImport', { yaml: 'defaultEffect: require_approval\nrules: []\n' });
    const again = w.agent.call({ text: 'p' });
    const second = await w.gatehouse.card();
    expect(second.id).not.toBe(card.id);
    await w.gatehouse.ask('approvalDeny', { approval: second.id });
    await again;
  });

  test('the tool changes while the call waits: the caller hears that, not that a person said no', async () => {
    await using w = await world(connect);
    const call = w.agent.call({ text: 't' });
    const card = await w.gatehouse.card();
    const changer = await w.gatehouse.key({ name: 'changer' });
    const changing = w.gatehouse.call(changer.secret, 'gated__change_definition', '{"description":"Other."}');
    await w.gatehouse.approve(await w.gatehouse.card(({ tool }) => tool === 'change_definition'));
    await changing;
    await eventually(async () => {
      // Changed lists are read again a moment after they were announced.
      await w.clock.advance(1000);
      return (await waiting(w.gatehouse)).length === 0 ? true : null;
    }, 'the card to be cancelled');
    const refused = await call;
    expect(refused._meta).toMatchObject({ 'gatehouse/code': 41013, 'gatehouse/class': 'tool_changed' });
    expect(textOf(refused)).toContain('The tool changed while the call waited');
    expect(textOf(refused)).not.toContain('denied');
    expect(await w.gatehouse.approve(card)).toMatchObject({ kind: 'refused' });
    expect(ran(w.recorder)).toEqual(['{"description":"Other."}']);
    expect(classOf(await w.agent.call({ text: 't' }))).toBe('tool_changed');
  });

  test('the key is revoked while the call waits: the card is cancelled and nothing runs', async () => {
    await using w = await world(connect);
    const call = w.agent.call({ text: 'k' }).catch((error: unknown) => error);
    const card = await w.gatehouse.card();
    await w.gatehouse.ask('keyRevoke', { key: w.key.keyId });
    expect(await waiting(w.gatehouse)).toEqual([]);
    expect(await w.gatehouse.approve(card)).toEqual({
      kind: 'refused',
      message:
        'This call was cancelled: its key ended, its account changed, or its tool was changed, judged anew or removed.',
    });
    const ended = await eventually(async () => {
      const [record] = await records(w.gatehouse);
      return record?.find((entry) => entry.phase === 'ended') ?? null;
    }, 'the end of the call on record');
    expect(ended).toMatchObject({ outcome: 'refused', errorClass: 'approval_denied', requestId: card.requestId });
    expect(ended.detail.message).toBe('The key of this client ended while the call waited.');
    expect(ran(w.recorder)).toEqual([]);
    await Promise.race([call, new Promise((resolve) => setTimeout(resolve, 500))]);
  });
});

test('a yes for the session holds in that session alone; a client without sessions cannot be given one', async () => {
  await using w = await world(legacyAgent);
  const first = w.agent.call({ n: 1 });
  expect(await yes(w.gatehouse, await w.gatehouse.card(), 'session')).toEqual({ kind: 'done' });
  await first;
  await w.agent.call({ n: 2 });
  expect(ran(w.recorder)).toEqual(['{"n":1}', '{"n":2}']);
  expect(await w.gatehouse.ask('standingList')).toMatchObject([{ scope: 'session', usedCount: 1 }]);

  for (const connect of [legacyAgent, modernAgent]) {
    const other = await connect(w.gatehouse, w.key);
    const asked = other.call({ n: 3 });
    const card = await w.gatehouse.card();
    if (connect === modernAgent) {
      expect(await yes(w.gatehouse, card, 'session')).toEqual({
        kind: 'refused',
        message: 'This client has no session; approve the call once, for 15 minutes, or for the tool.',
      });
    }
    await w.gatehouse.approve(card);
    await asked;
    await other.close();
  }
});

test('a new look at the risk ends the trust in a tool, and cancels its cards in words of its own', async () => {
  await using w = await world(modernAgent);
  const judge = async (risk: 'write' | 'destructive') => {
    const tool = (await w.gatehouse.ask('toolsList', { upstream: 'gated' })).find((one) => one.name === 'echo');
    const accept = [{ name: 'echo', fingerprint: tool?.fingerprint ?? '', risk }];
    expect(await w.gatehouse.ask('toolsReview', { upstream: 'gated', accept })).toEqual({ kind: 'done', accepted: 1 });
  };
  const first = w.agent.call({ n: 1 });
  await yes(w.gatehouse, await w.gatehouse.card(), 'tool');
  await first;
  // Reviewed again as it was: the trust stays.
  await judge('write');
  expect((await w.agent.call({ n: 2 })).isError).toBeUndefined();

  await judge('destructive');
  expect(await w.gatehouse.ask('standingList')).toEqual([]);
  const asked = w.agent.call({ n: 3 });
  expect(await w.gatehouse.card()).toMatchObject({ risk: 'destructive' });
  await judge('write');
  const cancelled = await asked;
  expect(cancelled._meta).toMatchObject({ 'gatehouse/class': 'tool_changed', 'gatehouse/retryable': true });
  expect(textOf(cancelled)).toContain('The person judged the risk of this tool anew while the call waited');
  expect(ran(w.recorder)).toEqual(['{"n":1}', '{"n":2}']);
});

test('an upstream that is removed takes its cards and the trust in its tools with it', async () => {
  await using w = await world(modernAgent);
  const first = w.agent.call({ n: 1 });
  await yes(w.gatehouse, await w.gatehouse.card(), 'tool');
  await first;
  const waits = w.gatehouse.call(w.key.secret, 'gated__fail', '{"text":"never"}');
  await w.gatehouse.card();
  expect(await w.gatehouse.ask('upstreamRemove', { upstream: 'gated' })).toEqual({ kind: 'done' });
  expect((await waits).text).toContain('The upstream of this tool was removed while the call waited.');
  expect([await waiting(w.gatehouse), await w.gatehouse.ask('standingList')]).toEqual([[], []]);
  expect(ran(w.recorder)).toEqual(['{"n":1}']);
});

test('after a restart what waited is expired, a yes that was not used is none, and trust in a tool stays', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-restart-'));
  const first = await startGatehouse({ folder });
  const key = await first.key({ name: 'agent' });
  await first.ask('clientSet', { client: key.clientId, holdMs: 0 });
  const recorder = await first.recorder('gated');
  const park = async (gatehouse: TestGatehouse, tool: string, text: string) => {
    await gatehouse.call(key.secret, `gated__${tool}`, text);
    return gatehouse.card((card) => card.argumentsText === text);
  };
  const trusted = await park(first, 'fail', '{"text":"trusted"}');
  await yes(first, trusted, 'tool');
  await first.call(key.secret, 'gated__fail', '{"text":"trusted"}');
  const undecided = await park(first, 'echo', '{"text":"undecided"}');
  const late = await park(first, 'echo', '{"text":"late yes"}');
  await first.approve(late);
  await first.close();

  await using gatehouse = await startGatehouse({ folder });
  expect(await waiting(gatehouse)).toEqual([]);
  const states = new Map((await gatehouse.ask('approvalsList', { state: 'all' })).map(({ id, state }) => [id, state]));
  expect([trusted, undecided, late].map(({ id }) => states.get(id))).toEqual(['redeemed', 'expired', 'expired']);
  for (const card of [undecided, late]) {
    expect(await gatehouse.approve(card)).toMatchObject({ kind: 'refused' });
    const answer = await gatehouse.call(key.secret, 'gated__echo', card.argumentsText);
    expect(answer.message?.result?._meta).toMatchObject({ 'gatehouse/class': 'approval_pending' });
  }
  expect(ran(recorder)).toEqual(['{"text":"trusted"}']);
  await eventually(async () => {
    const answer = await gatehouse.call(key.secret, 'gated__fail', '{"text":"still trusted"}');
    return textOf(answer.message?.result ?? {}).includes('still trusted') ? true : null;
  }, 'the trusted tool to run');
  await gatehouse.close();
  rmSync(folder, { recursive: true, force: true });
});
