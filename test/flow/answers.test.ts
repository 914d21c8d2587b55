import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { RequestInput } from '../../shared/api.ts';
import type { ApprovalView, AuditEntryView } from '../../shared/model.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { type Answer, eventually, type Recorder, startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';
import { sliceAfter } from '../support/json-slice.ts';
import { openLegacySession } from '../support/legacy-session.ts';

const SCHEMA = JSON.stringify({
  type: 'object',
  properties: { path: { type: 'string' }, n: { type: 'number' } },
  required: ['path'],
});
const POLICY = `defaultEffect: require_approval
rules:
  - name: not the system
    effect: deny
    reason: System files are not for agents.
    match:
      arguments: { field: /path, op: startsWith, value: /etc/ }
`;

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const ran = (recorder: Recorder) => recorder.calls().map((line) => sliceAfter(line, 'arguments'));
const metaOf = (answer: Answer) => (answer.message?.result?._meta ?? {}) as Readonly<Record<string, unknown>>;
const waiting = (gatehouse: TestGatehouse) => gatehouse.ask('approvalsList', { state: 'waiting' });

async function world({ holdMs = 50_000 } = {}) {
  const clock = fakeClock();
  const gatehouse = await startGatehouse({ clock });
  const key = await gatehouse.key({ name: 'agent' });
  await gatehouse.ask('clientSet', { client: key.clientId, holdMs });
  const recorder = await gatehouse.recorder('gated', { args: [`--schema=${SCHEMA}`] });
  const rule = async (yaml: string) =>
    expect(await gatehouse.ask('policyImport', { yaml })).toMatchObject({ kind: 'done' });
  await rule(POLICY);
  return {
    clock,
    gatehouse,
    key,
    recorder,
    rule,
    call: (text: string, tool = 'gated__shaped') => gatehouse.call(key.secret, tool, text),
    answer: (card: ApprovalView, more: Partial<RequestInput<'approvalApprove'>> = {}) =>
      gatehouse.ask('approvalApprove', { approval: card.id, argumentsSha256: card.argumentsSha256, ...more }),
    [Symbol.asyncDispose]: () => gatehouse.close(),
  };
}

const recordOf = (entries: readonly AuditEntryView[], requestId: string) =>
  entries.filter((entry) => entry.requestId === requestId);

describe('the person edits, then approves', () => {
  const SENT = '{"path":"/tmp/a","n":1}';
  const EDITED = '{ "n":9007199254740993, "path" : "/tmp/b" }';

  test.each(['2026-07-28', 'a session of 2025'])(
    'what they typed runs, byte for byte; the agent of %s is told; both versions are on record',
    async (era) => {
      await using w = await world();
      const { gatehouse, key, recorder } = w;
      const answering =
        era === '2026-07-28'
          ? w.call(SENT)
          : (await openLegacySession(gatehouse, key.secret)).call('gated__shaped', SENT);
      const card = await gatehouse.card();
      expect(card).toMatchObject({ editable: true, editedSha256: null });
      expect(await w.answer(card, { edited: EDITED })).toEqual({ kind: 'done' });
      const answer = await answering;
      expect(ran(recorder)).toEqual([EDITED]);
      const told = `The person changed the arguments of this call before approving it.\nIt ran with these arguments: ${EDITED}`;
      expect(answer.message?.result).toMatchObject({
        content: [{ text: expect.stringContaining('/tmp/b') }, { type: 'text', text: told }],
      });
      expect(metaOf(answer)['gatehouse/edited']).toBe(true);

      const record = recordOf(
        await gatehouse.audit((all) => recordOf(all, card.requestId).some(({ phase }) => phase === 'ended')),
        card.requestId,
      );
      const merged = Object.assign({}, ...record.map(({ detail }) => detail));
      expect(record.map(({ phase }) => phase)).toEqual(['asked', 'forwarded', 'ended']);
      expect(merged).toMatchObject({
        arguments: SENT,
        argumentsSha256: sha256(SENT),
        editedArguments: EDITED,
        forwardedSha256: sha256(EDITED),
        approval: { answer: 'approved', approval: card.id, by: 'dashboard', edited: true },
      });
      expect((await gatehouse.audit()).find(({ kind }) => kind === 'approval_answer')).toMatchObject({
        outcome: 'approved',
        detail: { call: card.requestId, editedArguments: EDITED, editedSha256: sha256(EDITED) },
      });
    },
  );

  test.each([
    ['a rule denies', '{"path":"/etc/shadow"}', 'System files are not for agents.'],
    ["the tool's schema refuses", '{"n":1}', 'Field "path" is missing.'],
    ['are no JSON', '{"path":', 'not JSON'],
    ['name a member twice', '{"path":"/tmp/a","path":"/etc/shadow"}', 'stands twice'],
    ['are no object', '["/tmp/a"]', 'must be a JSON object'],
  ])('arguments that %s are refused in a sentence, the card waits on and nothing runs', async (_what, edited, why) => {
    await using w = await world();
    const answering = w.call(SENT);
    const card = await w.gatehouse.card();
    expect(await w.answer(card, { edited })).toMatchObject({ kind: 'refused', message: expect.stringContaining(why) });
    expect(await waiting(w.gatehouse)).toMatchObject([{ id: card.id, state: 'waiting', editedSha256: null }]);
    expect(ran(w.recorder)).toEqual([]);
    await w.answer(card);
    expect((await answering).message?.result).not.toHaveProperty(['_meta', 'gatehouse/edited']);
    expect(ran(w.recorder)).toEqual([SENT]);
  });

  test('secrets that they typed are in no file, and the bytes that run are what they typed', async () => {
    await using w = await world();
    const edited = '{"path":"/tmp/x","password":"CANARY-2f8a"}';
    const answering = w.call(SENT);
    await w.answer(await w.gatehouse.card(), { edited });
    await answering;
    expect(ran(w.recorder)).toEqual([edited]);
    const entries = await w.gatehouse.audit((all) => all.some(({ kind }) => kind === 'approval_answer'));
    expect(JSON.stringify(entries)).not.toContain('CANARY');
    expect(JSON.stringify(entries)).toContain('[redacted]');
  });

  test('after the caller left, the identical retry of what it had sent redeems it, once', async () => {
    await using w = await world({ holdMs: 0 });
    expect(metaOf(await w.call(SENT))['gatehouse/class']).toBe('approval_pending');
    await w.answer(await w.gatehouse.card(), { edited: EDITED });
    expect(ran(w.recorder)).toEqual([]);
    const retried = await w.call('{ "n":1, "path":"/tmp/a" }');
    expect(metaOf(retried)['gatehouse/edited']).toBe(true);
    expect(ran(w.recorder)).toEqual([EDITED]);
    expect(metaOf(await w.call(SENT))['gatehouse/class']).toBe('approval_pending');
    expect(ran(w.recorder)).toEqual([EDITED]);
  });

  test('the policy is tightened after the edit: what would run is what is decided again', async () => {
    await using w = await world({ holdMs: 0 });
    await w.call(SENT);
    await w.answer(await w.gatehouse.card(), { edited: '{"path":"/tmp/secret"}' });
    await w.rule(POLICY.replace('/etc/', '/tmp/secret'));
    const answer = await w.call(SENT);
    expect(metaOf(answer)).toMatchObject({ 'gatehouse/class': 'policy_denied', 'gatehouse/rule': 'not the system' });
    expect(ran(w.recorder)).toEqual([]);
  });

  test('an upstream that fails: the agent still hears that its arguments were changed', async () => {
    await using w = await world();
    const answering = w.call('{"text":"x"}', 'gated__crash');
    await w.answer(await w.gatehouse.card(), { edited: '{}' });
    const answer = await answering;
    expect(metaOf(answer)['gatehouse/class']).toBe('upstream_crashed');
    expect(answer.text).toContain('The person changed the arguments of this call before approving it.');
  });
});

describe('always with these values', () => {
  test('calls with the same values run without a card, others are asked for, and a deny still denies', async () => {
    await using w = await world();
    const { gatehouse } = w;
    const first = w.call('{"path":"/tmp/log","n":1}');
    expect(await w.answer(await gatehouse.card(), { scope: 'values', pins: ['/path'] })).toEqual({ kind: 'done' });
    await first;
    expect(metaOf(await w.call('{"n":2,"path":"/tmp/log"}'))['gatehouse/class']).toBeUndefined();
    expect(ran(w.recorder)).toEqual(['{"path":"/tmp/log","n":1}', '{"n":2,"path":"/tmp/log"}']);

    const other = w.call('{"path":"/tmp/logs","n":2}');
    const card = await gatehouse.card();
    await gatehouse.ask('approvalDeny', { approval: card.id });
    expect(metaOf(await other)['gatehouse/class']).toBe('approval_denied');

    await w.rule(POLICY.replace('/etc/', '/tmp/log'));
    expect(metaOf(await w.call('{"path":"/tmp/log","n":3}'))['gatehouse/class']).toBe('policy_denied');
    expect(ran(w.recorder)).toHaveLength(2);
  });

  test('it is found, revoked and on record from its creation to its end', async () => {
    await using w = await world();
    const { gatehouse } = w;
    const answering = w.call('{"path":"/tmp/log"}');
    await w.answer(await gatehouse.card(), { scope: 'values', pins: ['/path'] });
    await answering;
    for (const search of ['', 'agent', 'gated SHAPED', '/tmp/log', '/path'])
      expect(await gatehouse.ask('standingList', { search }), search).toHaveLength(1);
    expect(await gatehouse.ask('standingList', { search: 'agent other' })).toEqual([]);
    const [standing] = await gatehouse.ask('standingList', {});
    expect(await gatehouse.ask('standingRevokeAll', { client: w.key.clientId })).toEqual({ kind: 'done', revoked: 1 });
    expect(await gatehouse.ask('standingList', {})).toEqual([]);
    const entries = await gatehouse.audit((all) => all.some(({ kind }) => kind === 'standing_approval_revoked'));
    const about = { client: 'agent', upstream: 'gated', tool: 'shaped' };
    const detail = { standing: standing?.id, scope: 'values', pins: [{ pointer: '/path', shown: '"/tmp/log"' }] };
    expect(entries.filter(({ kind }) => kind.startsWith('standing_approval'))).toMatchObject([
      { kind: 'standing_approval_created', ...about, detail: { ...detail, by: 'dashboard' } },
      { kind: 'standing_approval_revoked', ...about, detail },
    ]);
    const asked = w.call('{"path":"/tmp/log"}');
    await gatehouse.ask('approvalDeny', { approval: (await gatehouse.card()).id });
    await asked;
  });
});

describe('a burst of one tool', () => {
  test('is answered by selection: each chosen call runs once as shown, the others wait on', async () => {
    await using w = await world();
    const { gatehouse } = w;
    const answers = [1, 2, 3, 4].map((n) => w.call(`{"path":"/tmp/${n}"}`));
    const cards = await eventually(async () => {
      const all = await waiting(gatehouse);
      return all.length === 4 ? all : null;
    }, 'four rows');
    expect(new Set(cards.map(({ group }) => group)).size).toBe(1);
    const at = (n: number) => cards.find(({ argumentsText }) => argumentsText.includes(`/tmp/${n}`))!;
    const of = ({ id, argumentsSha256 }: ApprovalView) => ({ approval: id, argumentsSha256 });
    const done = await gatehouse.ask('approvalsApproveMany', {
      calls: [of(at(1)), { ...of(at(2)), argumentsSha256: at(1).argumentsSha256 }, of(at(3))],
    });
    expect(done).toMatchObject({
      kind: 'done',
      answers: [
        { approval: at(1).id, answer: { kind: 'done' } },
        { approval: at(2).id, answer: { kind: 'refused', message: expect.stringContaining('look at it again') } },
        { approval: at(3).id, answer: { kind: 'done' } },
      ],
    });
    await Promise.all([answers[0], answers[2]]);
    expect(ran(w.recorder).toSorted()).toEqual(['{"path":"/tmp/1"}', '{"path":"/tmp/3"}']);
    expect((await waiting(gatehouse)).map(({ id }) => id)).toEqual([at(2).id, at(4).id]);

    await gatehouse.ask('approvalsDenyMany', { approvals: [at(2).id, at(4).id], reason: 'Enough.', pause: true });
    for (const denied of await Promise.all([answers[1], answers[3]])) {
      expect(metaOf(denied!)['gatehouse/class']).toBe('approval_denied');
      expect(denied!.text).toContain('Enough.');
    }
    expect(metaOf(await w.call('{"path":"/tmp/9"}'))['gatehouse/class']).toBe('paused');
    expect(ran(w.recorder)).toHaveLength(2);
    const said = (await gatehouse.audit((all) => all.some(({ kind }) => kind === 'calls_paused'))).filter(
      ({ kind }) => kind === 'approval_answer',
    );
    expect(said.map(({ outcome, detail }) => [outcome, detail.call])).toEqual([
      ['approved', at(1).requestId],
      ['refused', at(2).requestId],
      ['approved', at(3).requestId],
      ['denied', at(2).requestId],
      ['denied', at(4).requestId],
    ]);
  });

  test('deny and pause: the call is denied, the client is refused until it is resumed, another client is not', async () => {
    await using w = await world();
    const { gatehouse } = w;
    const answering = w.call('{"path":"/tmp/1"}');
    const card = await gatehouse.card();
    await gatehouse.ask('approvalDeny', { approval: card.id, reason: 'Stop.', pause: true });
    expect((await answering).text).toContain('The person denied this call: Stop.');
    expect(metaOf(await w.call('{"path":"/tmp/2"}'))['gatehouse/class']).toBe('paused');
    const other = await gatehouse.key({ name: 'other' });
    const third = gatehouse.call(other.secret, 'gated__shaped', '{"path":"/tmp/3"}');
    const theirs = await gatehouse.card();
    expect(theirs.client).toBe('other');
    await w.answer(theirs);
    await third;
    await gatehouse.ask('callsResume', { client: w.key.clientId });
    const resumed = w.call('{"path":"/tmp/2"}');
    await w.answer(await gatehouse.card());
    expect(metaOf(await resumed)['gatehouse/class']).toBeUndefined();
    expect(await gatehouse.audit()).toContainEqual(
      expect.objectContaining({
        kind: 'calls_paused',
        client: 'agent',
        detail: expect.objectContaining({ by: 'dashboard', approval: card.id }),
      }),
    );
  });

  test.each(['main-window', 'notification', 'cli'] as const)('none of this is answered from %s', async (origin) => {
    await using w = await world();
    const { gatehouse } = w;
    const answering = w.call('{"path":"/tmp/1"}');
    const { id: approval, argumentsSha256 } = await gatehouse.card();
    const from = { origin, label: origin };
    const request = async (name: string, input: unknown) => {
      const answer = await gatehouse.core.api.request(name, input, from);
      return answer.kind === 'answered' ? (answer.result as { kind: string }).kind : answer.kind;
    };
    const no = expect.stringMatching(/forbidden|refused/);
    expect(await request('approvalsApproveMany', { calls: [{ approval, argumentsSha256 }] })).toBe('forbidden');
    expect(await request('approvalsDenyMany', { approvals: [approval] })).toBe('forbidden');
    for (const more of [
      { edited: '{"path":"/tmp/2"}' },
      { scope: 'values', pins: ['/path'] },
      { scope: 'session' },
      { scope: 'tool' },
      { scope: 'minutes15' },
    ])
      expect(await request('approvalApprove', { approval, argumentsSha256, ...more })).toEqual(no);
    expect(await gatehouse.card()).toMatchObject({ id: approval, state: 'waiting' });
    expect(await gatehouse.ask('standingList', {})).toEqual([]);
    await gatehouse.ask('approvalDeny', { approval });
    await answering;
    expect(ran(w.recorder)).toEqual([]);
  });
});
