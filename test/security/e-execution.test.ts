import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApprovalView } from '../../shared/model.ts';
import { openDashboard, type Tab, type TestDashboard } from '../support/dashboard.ts';
import { FAKE_START, fakeClock } from '../support/fake-clock.ts';
import { type Answer, eventually, type Recorder, startGatehouse } from '../support/gatehouse.ts';
import { sliceAfter } from '../support/json-slice.ts';
import { openLegacySession } from '../support/legacy-session.ts';
import { MODERN_META, openTarget, type Target } from '../support/target.ts';

const sha256 = (text: string) => createHash('sha256').update(text, 'utf8').digest('hex');
const codeOf = (answer: Answer) => (answer.message?.result?._meta as Record<string, unknown>)?.['gatehouse/code'];

describe('what is approved is what runs', () => {
  let target: Target;
  let gated: Recorder;
  beforeAll(async () => {
    target = await openTarget();
    gated = target.watch(await target.gatehouse.recorder('gated'));
  });
  afterAll(() => target[Symbol.asyncDispose]());

  const NAMED = 'gated__echo';
  const inner = (text: string) => `{"upstream":"gated","tool":"echo","arguments":${text}}`;
  const WAYS = [
    ['tools/call of 2026-07-28', (text: string) => target.gatehouse.call(target.k1.secret, NAMED, text)],
    [
      'call_external_tool',
      (text: string) => target.gatehouse.call(target.k1.secret, 'call_external_tool', inner(text)),
    ],
    ['/u/gated/mcp', (text: string) => target.gatehouse.call(target.k1.secret, 'echo', text, { path: '/u/gated/mcp' })],
    [
      'a session of 2025-11-25',
      async (text: string) => (await openLegacySession(target.gatehouse, target.k1.secret)).call(NAMED, text),
    ],
  ] as const;
  const TEXTS = [
    '{"path":"/tmp/x","n":9007199254740991,"s":"é\u200b","k":{"b":1,"a":[true,null]}}',
    '{"path":"/tmp/x","n":9007199254740991,"s":"\\u00e9\\u200B","k":{"b":1,"a":[true,null]}}',
    '{ "k" : { "b":1e0, "a":[ true,null ] },\t"n":9007199254740993, "path":"\\/tmp\\/x", "__proto__":{"z":-0.0} }',
  ];

  test.each(WAYS.flatMap(([way, call]) => TEXTS.map((text, index) => [way, index + 1, text, call] as const)))(
    'E1 %s, text %i: the bytes on the card, in the audit and at the upstream are one',
    async (_way, _n, text, call) => {
      const before = gated.calls().length;
      const began = (await target.gatehouse.audit()).at(-1)?.seq ?? 0;
      const answering = call(text);
      const card = await target.gatehouse.card();
      expect(card.argumentsText).toBe(text);
      expect(gated.calls()).toHaveLength(before);
      await target.gatehouse.approve(card);
      expect((await answering).message?.result).toMatchObject({ content: [{ type: 'text' }] });

      const ran = gated.calls().slice(before);
      expect(ran).toHaveLength(1);
      const received = sha256(sliceAfter(ran[0] ?? '', 'arguments'));
      const entries = (
        await target.gatehouse.audit((all) => all.some((one) => one.seq > began && one.phase === 'ended'))
      ).filter((one) => one.seq > began && one.kind === 'tool_call');
      const kept = (await target.gatehouse.ask('approvalsList', { state: 'all' })).find(({ id }) => id === card.id);
      expect(entries.map((one) => one.phase)).toEqual(['asked', 'forwarded', 'ended']);
      expect({
        card: card.argumentsSha256,
        record: kept?.argumentsSha256,
        asked: entries[0]?.detail.argumentsSha256,
        forwarded: entries[1]?.detail.forwardedSha256,
      }).toEqual({ card: received, record: received, asked: received, forwarded: received });
      expect(received).toBe(sha256(text));
      await target.stillServes();
    },
  );

  const body = (path: string) =>
    `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"${NAMED}","arguments":{"path":"${path}"},"_meta":${JSON.stringify(MODERN_META)}}}`;
  const HEADERS = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': NAMED };

  test('E2 the same JSON-RPC id with other arguments is a call and a card of its own', async () => {
    const { gatehouse, k1 } = target;
    const before = gated.calls().length;
    const first = gatehouse.post(k1.secret, body('/tmp/x'), { headers: HEADERS });
    const card = await gatehouse.card();
    const second = gatehouse.post(k1.secret, body('/etc/shadow'), { headers: HEADERS });
    const other = await gatehouse.card(({ id }) => id !== card.id);
    expect([card.argumentsText, other.argumentsText]).toEqual(['{"path":"/tmp/x"}', '{"path":"/etc/shadow"}']);
    expect(gated.calls()).toHaveLength(before);

    expect(await gatehouse.approve(card)).toEqual({ kind: 'done' });
    expect((await first).message).toMatchObject({ id: 7, result: { content: [{ text: '{"path":"/tmp/x"}' }] } });
    expect(
      gated
        .calls()
        .slice(before)
        .map((line) => sliceAfter(line, 'arguments')),
    ).toEqual(['{"path":"/tmp/x"}']);
    expect(await gatehouse.card()).toMatchObject({ id: other.id, state: 'waiting' });

    const refused = { kind: 'tool_call', requestId: other.requestId, errorClass: 'approval_denied' };
    const answer = await target.refuses(refused, async () => {
      await gatehouse.ask('approvalDeny', { approval: other.id, reason: 'Not that file.' });
      return second;
    });
    expect(codeOf(answer)).toBe(41011);
    expect(gated.calls()).toHaveLength(before + 1);
  });

  test('E2 the same id again within one session: the yes to the first runs the first alone', async () => {
    const { gatehouse, k1 } = target;
    const before = gated.calls().length;
    const session = await openLegacySession(gatehouse, k1.secret);
    const aborted = new AbortController();
    const first = session.call(NAMED, '{"path":"/tmp/y"}', 7, aborted.signal).catch(() => null);
    const card = await gatehouse.card();
    const second = session.call(NAMED, '{"path":"/etc/gshadow"}', 7, aborted.signal).catch(() => null);
    // Either it is refused for its id, or it is a card of its own.
    const other = await Promise.race([second.then(() => null), gatehouse.card(({ id }) => id !== card.id)]);
    expect(await gatehouse.approve(card)).toEqual({ kind: 'done' });
    // A refusal is there before the first has run.
    await (other === null ? first : Promise.race([first, second]));
    if (other === null) expect((await second)?.message?.error?.code).toBe(-32600);
    else await gatehouse.ask('approvalDeny', { approval: other.id });
    // Where the second was refused at once, the first may still be on its way.
    await eventually(() => (gated.calls().length > before ? true : null), 'the first call');
    await target.stillServes();
    const ran = gated.calls().slice(before);
    expect(ran.map((line) => sliceAfter(line, 'arguments'))).toEqual(['{"path":"/tmp/y"}']);
    aborted.abort();
  });
});

test('E6 500 calls, each approved twice at the same moment, run 500 times', { timeout: 60_000 }, async () => {
  await using gatehouse = await startGatehouse();
  const keys = await Promise.all(['a', 'b', 'c', 'd'].map((name) => gatehouse.key({ name })));
  const recorder = await gatehouse.recorder('gated');
  const dashboard = await openDashboard(gatehouse);
  const [one, two] = [await dashboard.signIn(), await dashboard.signIn()];
  const yes = ({ id, argumentsSha256 }: ApprovalView) => ({ approval: id, argumentsSha256 });
  const byTab = (tab: Tab) => async (card: ApprovalView) => (await tab.post('approvalApprove', yes(card))).result;
  const byWindow = async (card: ApprovalView) =>
    gatehouse.ask('approvalApprove', yes(card), { origin: 'approval-window', label: 'approval window' });
  /** Two tabs, a double click in one, a tab and the window of the desktop, and the window twice. */
  const pairs = [
    [byTab(one), byTab(two)],
    [byTab(one), byTab(one)],
    [byTab(two), byWindow],
    [byWindow, byWindow],
  ] as const;

  const cards: ApprovalView[] = [];
  for (let round = 0; round < 25; round += 1) {
    const answering = keys.flatMap(({ secret }, who) =>
      [0, 1, 2, 3, 4].map((n) => gatehouse.call(secret, 'gated__echo', `{"text":"${round}-${who}-${n}"}`)),
    );
    const waiting = await eventually(async () => {
      const all = await gatehouse.ask('approvalsList', { state: 'waiting' });
      return all.length === 20 ? all : null;
    }, 'twenty cards');
    cards.push(...waiting);
    const results = await Promise.all(
      waiting.map((card, at) => Promise.all((pairs[at % pairs.length] ?? pairs[0]).map((approve) => approve(card)))),
    );
    for (const pair of results) {
      expect(pair).toContainEqual({ kind: 'done' });
      expect(pair).toContainEqual({ kind: 'refused', message: 'This call was already approved.' });
    }
    for (const answer of await Promise.all(answering)) expect(answer.message?.result?.isError).toBeUndefined();
  }
  const ran = recorder.calls().map((line) => sliceAfter(line, 'arguments'));
  expect(ran).toHaveLength(500);
  expect(new Set(ran)).toEqual(new Set(cards.map(({ argumentsText }) => argumentsText)));
  expect(new Set(cards.map(({ id }) => id)).size).toBe(500);
  await dashboard.close();
});

describe('E8 an approval that is over', () => {
  const clock = fakeClock(FAKE_START);
  let target: Target;
  let gated: Recorder;
  let dashboard: TestDashboard;
  let tab: Tab;
  beforeAll(async () => {
    target = await openTarget({ clock });
    gated = target.watch(await target.gatehouse.recorder('gated'));
    dashboard = await openDashboard(target.gatehouse, clock);
    tab = await dashboard.signIn();
  });
  afterAll(async () => {
    await dashboard.close();
    await target[Symbol.asyncDispose]();
  });

  let calls = 0;
  const park = async () => {
    calls += 1;
    const answering = target.gatehouse.call(target.k1.secret, 'gated__echo', `{"text":"call ${calls}"}`);
    return { answering, card: await target.gatehouse.card(({ state }) => state === 'waiting') };
  };
  const approve = (id: string, argumentsSha256: string) =>
    tab.post('approvalApprove', { approval: id, argumentsSha256, scope: 'once' });
  const replay = { kind: 'approval_answer', outcome: 'refused' } as const;

  test.each([
    [
      'finished',
      'This call was already approved.',
      async ({ card }: { card: ApprovalView }) => void (await approve(card.id, card.argumentsSha256)),
    ],
    [
      'denied',
      'This call was already denied.',
      async ({ card }: { card: ApprovalView }) => void (await tab.post('approvalDeny', { approval: card.id })),
    ],
    ['expired', 'The time to decide about this call is over.', async () => clock.advance(300_000)],
    [
      'cancelled',
      'This call was cancelled: its key ended, its account changed, or its tool was changed, judged anew or removed.',
      async ({ card }: { card: ApprovalView }) => {
        const tool = (await target.gatehouse.ask('toolsList', { upstream: 'gated' })).find(
          (one) => one.name === 'echo',
        );
        const accept = [{ name: 'echo', fingerprint: card.fingerprint, risk: 'destructive' as const }];
        await target.gatehouse.ask('toolsReview', { upstream: 'gated', accept });
        await target.gatehouse.ask('toolsReview', {
          upstream: 'gated',
          accept: [{ name: 'echo', fingerprint: tool?.fingerprint ?? '', risk: 'write' }],
        });
      },
    ],
  ])('E8 %s: approving it again runs nothing and says so', async (_what, message, finish) => {
    const parked = await park();
    await finish(parked);
    await parked.answering;
    const { id, argumentsSha256 } = parked.card;
    const answer = await target.refuses({ ...replay, detail: expect.objectContaining({ why: message }) }, () =>
      approve(id, argumentsSha256),
    );
    expect(answer.result).toEqual({ kind: 'refused', message });
  });

  test('E8 another digest than the one shown approves nothing, and the card goes on waiting', async () => {
    const { answering, card } = await park();
    const [head = '0'] = card.argumentsSha256;
    const wrong = [
      card.argumentsSha256.replace(head, head === '0' ? '1' : '0'),
      card.argumentsSha256.toUpperCase(),
      card.argumentsSha256.slice(0, 63),
      '',
    ];
    for (const digest of wrong) {
      const answer = await target.refuses(replay, () => approve(card.id, digest));
      expect(answer.result).toEqual({
        kind: 'refused',
        message: 'The arguments that were shown are not those of this call; look at it again.',
      });
    }
    expect(await target.gatehouse.card()).toMatchObject({ id: card.id, state: 'waiting' });
    await approve(card.id, card.argumentsSha256);
    expect((await answering).message?.result?.isError).toBeUndefined();
  });

  test('E8 an id that nobody gave out approves nothing; ids are 128 bits', async () => {
    const one = await park();
    for (const id of ['AAAAAAAAAAAAAAAAAAAAAA', one.card.id.toLowerCase(), `${one.card.id} `]) {
      const answer = await target.refuses(replay, () => approve(id, one.card.argumentsSha256));
      expect(answer.result).toEqual({ kind: 'refused', message: 'There is no such approval.' });
    }
    expect(one.card.id).toMatch(/^[\w-]{22}$/);
    await tab.post('approvalDeny', { approval: one.card.id });
    expect(codeOf(await one.answering)).toBe(41011);
    expect(gated.calls().filter((line) => line.includes(one.card.argumentsText))).toEqual([]);
  });
});
