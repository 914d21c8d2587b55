import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fakeClock } from '../support/fake-clock.ts';
import { type Answer, eventually, type Recorder } from '../support/gatehouse.ts';
import { openLegacySession } from '../support/legacy-session.ts';
import { MODERN_META, openTarget, type Target } from '../support/target.ts';

const classOf = (answer: Answer) => (answer.message?.result?._meta as Record<string, unknown>)?.['gatehouse/class'];

test('E17 annotations of a server lower no gate: neither before its review nor after it', async () => {
  await using target = await openTarget({ clock: fakeClock() });
  const { gatehouse, k1 } = target;
  const liar = target.watch(await gatehouse.recorder('liar', { args: ['--tools=delete_all'], review: false }));
  const [tool] = await eventually(async () => {
    const tools = await gatehouse.ask('toolsList', { upstream: 'liar' });
    return tools.length > 0 ? tools : null;
  }, 'its tool');
  expect(tool?.offered).toMatchObject({ annotations: { readOnlyHint: true, destructiveHint: false } });
  expect(tool).toMatchObject({ state: 'awaiting_review', proposedRisk: 'destructive' });
  await target.refuses({ errorClass: 'awaiting_review' }, () =>
    gatehouse.call(k1.secret, 'call_external_tool', '{"upstream":"liar","tool":"delete_all","arguments":{}}'),
  );

  const { fingerprint = '', proposedRisk: risk = 'read' } = tool ?? {};
  await gatehouse.ask('toolsReview', { upstream: 'liar', accept: [{ name: 'delete_all', fingerprint, risk }] });
  const answering = gatehouse.call(k1.secret, 'liar__delete_all', '{}');
  const card = await gatehouse.card();
  // The real name stands on the card, and what the server calls it is marked as its own words.
  expect(card).toMatchObject({ tool: 'delete_all', title: 'Read file', risk: 'destructive' });
  await target.refuses({ kind: 'tool_call', errorClass: 'approval_denied', requestId: card.requestId }, async () => {
    await gatehouse.ask('approvalDeny', { approval: card.id });
    return answering;
  });
  expect(liar.calls()).toEqual([]);
});

describe('E19 ungated paths to the same effect', () => {
  let target: Target;
  let gated: Recorder;
  beforeAll(async () => {
    target = await openTarget();
    gated = target.watch(await target.gatehouse.recorder('gated'));
  });
  afterAll(() => target[Symbol.asyncDispose]());

  const TEXT = '{"text":"the same effect"}';
  const modern = (params: string, name: string) =>
    target.gatehouse.post(
      target.k1.secret,
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params.replace('}$', `,"_meta":${JSON.stringify(MODERN_META)}}`)}}`,
      { headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': name } },
    );

  test.each<[string, () => Promise<Answer>]>([
    ['tools/call of 2026-07-28', () => target.gatehouse.call(target.k1.secret, 'gated__echo', TEXT)],
    [
      'call_external_tool',
      () =>
        target.gatehouse.call(
          target.k1.secret,
          'call_external_tool',
          `{"upstream":"gated","tool":"echo","arguments":${TEXT}}`,
        ),
    ],
    ['/u/gated/mcp', () => target.gatehouse.call(target.k1.secret, 'echo', TEXT, { path: '/u/gated/mcp' })],
    [
      'a session of 2025-11-25',
      async () => (await openLegacySession(target.gatehouse, target.k1.secret)).call('gated__echo', TEXT),
    ],
    [
      'the task extension',
      () => modern(`{"name":"gated__echo","arguments":${TEXT},"task":{"ttl":60000}}$`, 'gated__echo'),
    ],
  ])('E19 %s: the same card, the same record, nothing before the yes', async (_way, send) => {
    const before = gated.calls().length;
    const answering = send();
    const card = await target.gatehouse.card();
    expect(card).toMatchObject({ upstream: 'gated', tool: 'echo', argumentsText: TEXT, risk: 'write' });
    expect(gated.calls()).toHaveLength(before);
    await target.gatehouse.approve(card);
    expect(classOf(await answering)).toBeUndefined();
    expect(gated.calls()).toHaveLength(before + 1);
    const entries = await target.gatehouse.audit((all) =>
      all.some(({ requestId, phase }) => requestId === card.requestId && phase === 'ended'),
    );
    const record = entries.filter(({ requestId }) => requestId === card.requestId);
    expect(record.map(({ kind, phase, tool }) => [kind, phase, tool])).toEqual([
      ['tool_call', 'asked', 'echo'],
      ['tool_call', 'forwarded', 'echo'],
      ['tool_call', 'ended', 'echo'],
    ]);
  });

  test('E19 a retry of a call that was answered is a call of its own, and asked again', async () => {
    const { gatehouse, k1 } = target;
    for (const round of [1, 2]) {
      const before = gated.calls().length;
      const answering = gatehouse.call(k1.secret, 'gated__echo', '{"text":"once more"}');
      const card = await gatehouse.card();
      expect(gated.calls(), `round ${round}`).toHaveLength(before);
      await gatehouse.approve(card);
      await answering;
    }
  });

  test('E19 what no route or method is for reaches nothing: /messages, /sse, a console, a notification, a batch', async () => {
    const { gatehouse, k1 } = target;
    const body = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'gated__echo', arguments: {}, _meta: MODERN_META },
    };
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'gated__echo' };
    const { result } = await target.refusals(async () => {
      const answers: Answer[] = [];
      for (const path of ['/messages', '/messages/?session_id=1', '/sse', '/console', '/api/callTool'])
        answers.push(await gatehouse.post(k1.secret, body, { path, headers }));
      answers.push(await gatehouse.post(k1.secret, [body], { headers }));
      return answers;
    });
    expect(result.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404, 400]);
    const { id: _id, ...notification } = body;
    await gatehouse.post(k1.secret, notification, { headers });
    expect(await gatehouse.ask('approvalsList', { state: 'waiting' })).toEqual([]);
    expect(gated.calls()).toHaveLength(7);
  });

  test('E19 resources/read of a template with side effects: a rule on resources asks about it as about a tool', async () => {
    const { gatehouse, k1 } = target;
    const files = target.watch(await gatehouse.recorder('files', { args: ['--others=1'] }));
    await gatehouse.ask('policyImport', { yaml: 'defaultEffect: require_approval\nrules: []\n' });
    const uri = 'item://0/remove-everything';
    const reads = () => files.events().filter(({ raw }) => raw?.includes('"resources/read"') === true).length;
    const answering = gatehouse.post(
      k1.secret,
      { jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri, _meta: MODERN_META } },
      { headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'resources/read', 'mcp-name': uri } },
    );
    const card = await gatehouse.card();
    expect(card).toMatchObject({ upstream: 'files', tool: uri });
    expect(reads()).toBe(0);
    await gatehouse.approve(card);
    await answering;
    expect(reads()).toBe(1);
    const entries = await gatehouse.audit((all) =>
      all.some(({ requestId, phase }) => requestId === card.requestId && phase === 'ended'),
    );
    expect(
      entries.filter(({ requestId }) => requestId === card.requestId).map(({ kind, phase }) => [kind, phase]),
    ).toEqual([
      ['resource_read', 'asked'],
      ['resource_read', 'forwarded'],
      ['resource_read', 'ended'],
    ]);
  });
});
