import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import type { ApprovalRequest } from '../../../electron/core/approvals/request.ts';
import type { AuditWritten } from '../../../electron/core/audit/audit.ts';
import { client, sha256, world } from '../../support/approvals-world.ts';

const MINUTE = 60_000;
const DONE = { kind: 'done', standing: null };

describe('the endings of a parked call', () => {
  test('a yes gives the text that was shown to the caller, once, and the card is gone', async () => {
    const w = world();
    const { answer } = w.call();
    await w.clock.advance(7_000);
    const card = w.only();
    expect(card).toMatchObject({
      state: 'waiting',
      client: 'agent c1',
      upstream: 'files',
      tool: 'write_file',
      rule: 'ask',
      argumentsText: '{"path":"/a","n":9007199254740993}',
      argumentsSha256: sha256('{"path":"/a","n":9007199254740993}'),
      expiresAt: card.createdAt + 5 * MINUTE,
      decidedBy: null,
    });
    expect(w.yes(card.id)).toEqual(DONE);
    expect(await answer).toMatchObject({
      kind: 'approved',
      argumentsText: '{"path":"/a","n":9007199254740993}',
      by: 'dashboard',
      waitedMs: 7_000,
      approval: { id: card.id, state: 'redeemed', decidedBy: 'dashboard', decidedAt: w.clock.now() },
    });
    expect(w.approvals.list('waiting')).toEqual([]);
    expect(w.approvals.list('all')).toMatchObject([{ id: card.id, state: 'redeemed', decidedBy: 'dashboard' }]);
    expect(w.clock.pending()).toBe(0);
  });

  test('a no gives the reason', async () => {
    const w = world();
    const { answer } = w.call();
    await w.settle();
    const { id } = w.only();
    expect(w.approvals.deny(id, 'Not on a Friday.', 'dashboard')).toEqual(DONE);
    expect(await answer).toMatchObject({
      kind: 'denied',
      reason: 'Not on a Friday.',
      approval: { id, state: 'denied', denyReason: 'Not on a Friday.', decidedBy: 'dashboard' },
    });
    expect(w.approvals.list('waiting')).toEqual([]);
    expect(w.clock.pending()).toBe(0);
  });

  test('nobody answers for five minutes: the card is removed and the waiting caller hears it expired', async () => {
    const w = world();
    const { answer } = w.call({ holdMs: 10 * MINUTE });
    await w.clock.advance(5 * MINUTE - 1);
    const { id } = w.only();
    await w.clock.advance(1);
    expect(await answer).toMatchObject({ kind: 'expired', approval: { id, state: 'expired' } });
    expect(w.approvals.list('waiting')).toEqual([]);
    expect(w.yes(id)).toEqual({ kind: 'refused', message: 'The time to decide about this call is over.' });
    expect(w.clock.pending()).toBe(0);
  });

  test("the client's patience ends first: it hears pending, about every ten seconds that it waits, and the card stays", async () => {
    const w = world();
    const { answer, waiting } = w.call({ holdMs: 35_000 });
    await w.clock.advance(34_999);
    expect(waiting).toHaveLength(3);
    await w.clock.advance(1);
    const card = w.only();
    expect(await answer).toEqual({ kind: 'pending', approval: card });
    expect(card.callerLeft).toBe(false);
    await w.clock.advance(20_000);
    expect(waiting).toHaveLength(3);
  });

  test('a caller without any patience hears pending at once, after the card is on record', async () => {
    const w = world();
    const { answer } = w.call({ holdMs: 0 });
    expect(await answer).toMatchObject({ kind: 'pending', approval: { id: w.asked[0]!.id } });
  });

  test('nobody can approve: unavailable at once, no card, nothing recorded as asked', async () => {
    const w = world({ approver: false });
    expect(await w.call().answer).toEqual({
      kind: 'unavailable',
      reason: 'No approver available: the screen is locked, or no dashboard is open.',
    });
    expect(w.asked).toEqual([]);
    expect(w.approvals.list('all')).toEqual([]);
  });

  test('the call cannot be recorded: no card is ever shown', async () => {
    const w = world();
    const { answer } = w.call({ recordAsked: async () => ({ kind: 'unavailable', reason: 'The disk is full.' }) });
    expect(await answer).toEqual({ kind: 'audit_unavailable', reason: 'The disk is full.' });
    expect(w.cards).toEqual([]);
    expect(w.approvals.list('all')).toEqual([]);
    expect(w.clock.pending()).toBe(0);
  });

  test('the database cannot be written: no card is ever shown', async () => {
    const w = world();
    w.db.exec('DROP TABLE approvals');
    expect(await w.call().answer).toMatchObject({
      kind: 'audit_unavailable',
      reason: expect.stringContaining('cannot be saved'),
    });
    expect(w.cards).toEqual([]);
  });

  test('a fault while recording reaches the caller instead of leaving it hanging', async () => {
    const w = world();
    const fault = new Error('a bug');
    await expect(w.call({ recordAsked: () => Promise.reject(fault) }).answer).rejects.toBe(fault);
    expect(w.approvals.list('all')).toEqual([]);
  });
});

test('the card shows only after `asked` is durable, and cannot be approved before', async () => {
  const w = world();
  let written: (answer: AuditWritten) => void = () => {};
  const { answer } = w.call({
    holdMs: 5_000,
    recordAsked: (card) => {
      w.asked.push(card);
      return new Promise((resolve) => {
        written = resolve;
      });
    },
  });
  await w.clock.advance(6_000);
  expect(w.cards).toEqual([]);
  expect(w.approvals.list('all')).toEqual([]);
  expect(w.yes(w.asked[0]!.id)).toMatchObject({ kind: 'refused' });
  written({ kind: 'written', seq: 1 });
  expect(await answer).toMatchObject({ kind: 'pending' });
  expect(w.cards).toHaveLength(1);
  expect(w.only().id).toBe(w.asked[0]!.id);
});

describe('a parked call outlives the client', () => {
  test('the caller disconnects: the card stays, marked, and a yes then starts nothing by itself', async () => {
    const w = world();
    const first = w.call();
    await w.settle();
    first.leave();
    expect(await first.answer).toMatchObject({ kind: 'caller_left', approval: { callerLeft: true, state: 'waiting' } });
    const card = w.only();
    expect(card.callerLeft).toBe(true);
    expect(w.yes(card.id)).toEqual(DONE);
    await w.settle();
    expect(w.approvals.list('all')).toMatchObject([
      { id: card.id, state: 'approved', expiresAt: w.clock.now() + 10 * MINUTE },
    ]);
    expect(w.approvals.list('waiting')).toEqual([]);
  });

  test('the retry with the same arguments in another order redeems the late yes once, with the text that was shown', async () => {
    const w = world();
    const first = w.call({ argumentsText: '{"a":1,"b":[2]}', holdMs: 1000 });
    await w.clock.advance(1000);
    expect(await first.answer).toMatchObject({ kind: 'pending' });
    const { id } = w.only();
    expect(w.yes(id, 'once', '{"a":1,"b":[2]}')).toEqual(DONE);
    await w.clock.advance(10 * MINUTE - 1);
    const retry = w.call({ argumentsText: '{ "b": [2], "a": 1 }', keyId: 'k2', sessionId: 'another' });
    expect(await retry.answer).toMatchObject({
      kind: 'approved',
      argumentsText: '{"a":1,"b":[2]}',
      approval: { id, state: 'redeemed' },
    });
    expect(w.asked).toHaveLength(1);

    const again = w.call({ argumentsText: '{"a":1,"b":[2]}' });
    await w.settle();
    expect(w.only().id).not.toBe(id);
    again.leave();
  });

  test('a late yes that nobody redeems within ten minutes is gone', async () => {
    const w = world();
    const first = w.call();
    await w.settle();
    first.leave();
    const { id } = w.only();
    w.yes(id);
    await w.clock.advance(10 * MINUTE);
    expect(w.approvals.list('all')).toMatchObject([{ id, state: 'expired' }]);
    const retry = w.call();
    await w.settle();
    expect(w.only().id).not.toBe(id);
    retry.leave();
  });

  test('a late yes is redeemed although no approver is there any more', async () => {
    const w = world();
    const first = w.call();
    await w.settle();
    first.leave();
    w.yes(w.only().id);
    w.leave();
    expect(await w.call().answer).toMatchObject({ kind: 'approved' });
    expect(await w.call().answer).toMatchObject({ kind: 'unavailable' });
  });

  test('a retry attaches to the waiting card: no second card, nothing recorded twice, and the mark is taken off', async () => {
    const w = world();
    const first = w.call();
    await w.settle();
    first.leave();
    const second = w.call({ requestId: 'r2' });
    await w.settle();
    expect(w.only().callerLeft).toBe(false);
    expect(w.cards).toHaveLength(1);
    expect(w.asked).toHaveLength(1);
    w.yes(w.only().id);
    expect(await second.answer).toMatchObject({ kind: 'approved', approval: { id: w.cards[0]!.id } });
  });

  test('attaching does not count against the limit', async () => {
    const w = world();
    const calls = Array.from({ length: 30 }, () => w.call());
    await w.settle();
    expect(w.cards).toHaveLength(1);
    expect(w.approvals.deny(w.only().id, '', 'dashboard')).toEqual(DONE);
    for (const { answer } of calls) expect(await answer).toMatchObject({ kind: 'denied' });
  });

  test.each<[string, Partial<ApprovalRequest>]>([
    ['other arguments', { argumentsText: '{"path":"/a","n":9007199254740992}' }],
    ['another client', { client: client('c2') }],
    ['another upstream', { upstreamId: 'u2' }],
    ['another account', { connection: { id: 'c-work', label: 'work' } }],
    ['another tool', { tool: 'move_file' }],
    ['another definition', { fingerprint: 'f2' }],
  ])('a yes does not serve a call with %s', async (_title, more) => {
    const w = world();
    const first = w.call();
    await w.settle();
    first.leave();
    w.yes(w.only().id);
    const other = w.call(more);
    await w.settle();
    expect(w.cards).toHaveLength(2);
    expect(w.only().id).toBe(w.cards[1]!.id);
    other.leave();
    expect(await w.call().answer).toMatchObject({ kind: 'approved', approval: { id: w.cards[0]!.id } });
  });

  test('two callers wait at one card: the yes goes to one, the other asks anew and is answered on its own', async () => {
    const w = world();
    const first = w.call({ requestId: 'r1' });
    await w.settle();
    const second = w.call({ requestId: 'r2' });
    const third = w.call({ requestId: 'r3' });
    await w.settle();
    const { id } = w.only();
    w.yes(id);
    expect(await first.answer).toMatchObject({ kind: 'approved', approval: { id } });
    await w.settle();
    const fresh = w.only();
    expect(fresh).toMatchObject({ requestId: 'r2' });
    expect(w.asked.map((card) => card.requestId)).toEqual(['r1', 'r2']);
    w.yes(fresh.id);
    expect(await second.answer).toMatchObject({ kind: 'approved', approval: { id: fresh.id } });
    await w.settle();
    w.approvals.deny(w.only().id, 'enough', 'dashboard');
    expect(await third.answer).toMatchObject({ kind: 'denied', reason: 'enough' });
  });

  test('the time a caller waits is counted once, over all cards it waits at', async () => {
    const w = world();
    w.call({ requestId: 'r1', holdMs: 50_000 });
    const second = w.call({ requestId: 'r2', holdMs: 50_000 });
    await w.clock.advance(40_000);
    w.yes(w.only().id);
    await w.clock.advance(10_000);
    expect(await second.answer).toMatchObject({ kind: 'pending', approval: { requestId: 'r2' } });
  });

  test('a caller that has gone before anything was asked opens no card', async () => {
    const w = world();
    const gone = new AbortController();
    gone.abort();
    expect(await w.call({ signal: gone.signal }).answer).toMatchObject({ kind: 'caller_left' });
    expect(w.asked).toEqual([]);
    expect(w.approvals.list('all')).toEqual([]);
  });
});

describe('exactly once', () => {
  test('500 calls, each approved twice at once: each yes is given out once and the second is refused', async () => {
    const w = world();
    let approved = 0;
    for (let round = 0; round < 500; round++) {
      const text = `{"round":${round}}`;
      const callers = [w.call({ argumentsText: text }), w.call({ argumentsText: text })];
      await w.settle();
      const { id } = w.only();
      const results = await Promise.all([0, 1].map(async () => w.yes(id, 'once', text)));
      expect(results).toEqual([DONE, { kind: 'refused', message: 'This call was already approved.' }]);
      await w.settle();
      // The other caller asks anew; it leaves, and that card is denied so that the next round starts clean.
      callers[1]!.leave();
      w.approvals.deny(w.only().id, '', 'dashboard');
      const answers = await Promise.all(callers.map(({ answer }) => answer));
      approved += answers.filter(({ kind }) => kind === 'approved').length;
      await w.clock.advance(6 * MINUTE);
    }
    expect(approved).toBe(500);
    const count = w.db.prepare(`SELECT count(*) AS n FROM approvals WHERE state = 'redeemed'`).get();
    expect(count).toEqual({ n: 500 });
  });

  test('twenty retries race for one late yes: one gets it', async () => {
    const w = world();
    const first = w.call();
    await w.settle();
    first.leave();
    w.yes(w.only().id);
    const retries = Array.from({ length: 20 }, () => w.call({ holdMs: 0 }));
    await w.settle();
    const kinds = (await Promise.all(retries.map(({ answer }) => answer))).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'approved')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'pending')).toHaveLength(19);
  });

  test('the database itself refuses to let an approval go back, or be redeemed twice', async () => {
    const w = world();
    w.call();
    await w.settle();
    const { id } = w.only();
    w.yes(id);
    for (const state of ['redeemed', 'approved', 'waiting', 'denied']) {
      expect(() => w.db.prepare('UPDATE approvals SET state = ? WHERE id = ?').run(state, id)).toThrow(
        'cannot go back',
      );
    }
  });

  test('a yes that cannot be saved is refused, runs nothing, and the card still waits', async () => {
    const w = world();
    const { answer } = w.call({ holdMs: MINUTE });
    await w.settle();
    const { id } = w.only();
    w.db.pragma('query_only = ON');
    expect(w.yes(id)).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('cannot be saved, so nothing was run'),
    });
    w.db.pragma('query_only = OFF');
    expect(w.only().id).toBe(id);
    expect(w.yes(id)).toEqual(DONE);
    expect(await answer).toMatchObject({ kind: 'approved' });
  });

  test('a yes to a row that the database no longer has as waiting is refused, and runs nothing', async () => {
    const w = world();
    const { answer } = w.call({ holdMs: MINUTE });
    await w.settle();
    const { id } = w.only();
    w.db.prepare(`UPDATE approvals SET state = 'expired' WHERE id = ?`).run(id);
    expect(w.yes(id)).toMatchObject({ kind: 'refused', message: expect.stringContaining('is not waiting') });
    await w.clock.advance(MINUTE);
    expect(await answer).toMatchObject({ kind: 'pending' });
  });

  test('a late yes that cannot be marked as used is not handed out', async () => {
    const w = world();
    const first = w.call();
    await w.settle();
    first.leave();
    w.yes(w.only().id);
    w.db.pragma('query_only = ON');
    expect(await w.call().answer).toMatchObject({ kind: 'audit_unavailable' });
    w.db.pragma('query_only = OFF');
    expect(await w.call().answer).toMatchObject({ kind: 'approved' });
  });
});

describe('what is refused as an answer', () => {
  test('an approval that is over says what became of it', async () => {
    const w = world();
    w.call();
    await w.settle();
    const { id } = w.only();
    w.approvals.deny(id, '', 'dashboard');
    expect(w.yes(id)).toEqual({ kind: 'refused', message: 'This call was already denied.' });
    expect(w.approvals.deny(id, '', 'dashboard')).toEqual({
      kind: 'refused',
      message: 'This call was already denied.',
    });
    expect(w.yes('no-such-id')).toEqual({ kind: 'refused', message: 'There is no such approval.' });
  });

  test('a yes to other arguments than those of the call', async () => {
    const w = world();
    w.call();
    await w.settle();
    const { id } = w.only();
    // The same call to the eye of a machine, but not the text that was shown.
    expect(w.yes(id, 'once', '{"n":9007199254740993,"path":"/a"}')).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('not those of this call'),
    });
    expect(w.only().state).toBe('waiting');
  });

  test('a yes from a notification to a destructive call, or beyond once', async () => {
    const w = world();
    w.call({ risk: 'destructive' });
    await w.settle();
    const { id, argumentsSha256 } = w.only();
    expect(w.approvals.approve(id, { argumentsSha256, scope: 'once' }, 'notification')).toMatchObject({
      kind: 'refused',
    });
    w.approvals.deny(id, '', 'notification');
    w.call({ tool: 'other' });
    await w.settle();
    const other = w.only();
    expect(
      w.approvals.approve(other.id, { argumentsSha256: other.argumentsSha256, scope: 'session' }, 'notification'),
    ).toMatchObject({
      kind: 'refused',
    });
    expect(
      w.approvals.approve(other.id, { argumentsSha256: other.argumentsSha256, scope: 'once' }, 'notification'),
    ).toEqual(DONE);
  });
});

describe('time', () => {
  test('setting the clock back does not give more time to decide', async () => {
    const w = world();
    const { answer } = w.call({ holdMs: 10 * MINUTE });
    await w.settle();
    w.clock.set(w.clock.now() - 24 * 60 * MINUTE);
    await w.clock.advance(5 * MINUTE);
    expect(await answer).toMatchObject({ kind: 'expired' });
  });

  test('a machine that slept over the end does not take a yes afterwards', async () => {
    const w = world();
    const { answer } = w.call({ holdMs: 10 * MINUTE });
    await w.settle();
    const { id } = w.only();
    w.clock.set(w.clock.now() + 20 * MINUTE);
    expect(w.yes(id)).toEqual({ kind: 'refused', message: 'The time to decide about this call is over.' });
    expect(await answer).toMatchObject({ kind: 'expired' });
  });

  test('after a restart what waited, and a yes that was not redeemed, are expired, never a yes', async () => {
    const db = new Database(':memory:');
    const before = world({ db });
    before.call({ argumentsText: '{"one":1}' });
    await before.settle();
    const waiting = before.only().id;
    const late = before.call();
    await before.settle();
    late.leave();
    const approved = before.approvals.list('waiting').find(({ id }) => id !== waiting)!.id;
    expect(before.yes(approved)).toEqual(DONE);

    const after = world({ db, schema: false });
    expect(after.approvals.list('waiting')).toEqual([]);
    expect(after.approvals.list('all').map(({ id, state }) => [id, state])).toEqual(
      expect.arrayContaining([
        [waiting, 'expired'],
        [approved, 'expired'],
      ]),
    );
    expect(after.yes(waiting, 'once', '{"one":1}')).toEqual({
      kind: 'refused',
      message: 'The time to decide about this call is over.',
    });
    after.call();
    await after.settle();
    expect(after.only().id).not.toBe(approved);
  });
});

test('arguments are never written to the database', async () => {
  const w = world();
  w.call({ argumentsText: '{"password":"CANARY-4711"}' });
  await w.settle();
  w.yes(w.only().id, 'tool', '{"password":"CANARY-4711"}');
  expect(w.db.serialize().includes('CANARY-4711')).toBe(false);
  expect(w.approvals.list('all')).toMatchObject([
    { argumentsText: '', argumentsSha256: sha256('{"password":"CANARY-4711"}') },
  ]);
});

test('ids are 128 random bits', async () => {
  const w = world();
  for (let n = 0; n < 5; n++) w.call({ argumentsText: `{"n":${n}}` });
  await w.settle();
  const ids = w.cards.map(({ id }) => id);
  expect(new Set(ids).size).toBe(5);
  for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/);
});

describe('what ends a wait from outside', () => {
  test("the client's key ends: its cards and callers are cancelled, its late yes is void", async () => {
    const w = world();
    const waiting = w.call();
    const late = w.call({ tool: 'late' });
    await w.settle();
    late.leave();
    w.yes(w.approvals.list('waiting').find(({ tool }) => tool === 'late')!.id);
    const other = w.call({ keyId: 'k2', client: client('c2') });
    await w.settle();
    w.approvals.cancelForKey('k1');
    expect(await waiting.answer).toMatchObject({
      kind: 'cancelled',
      because: 'key_ended',
      reason: expect.stringContaining('key'),
      approval: { state: 'cancelled' },
    });
    expect(w.only().clientId).toBe('c2');
    w.call({ tool: 'late', keyId: 'k3' });
    await w.settle();
    expect(w.approvals.list('waiting').map(({ tool }) => tool)).toEqual(['write_file', 'late']);
    other.leave();
  });

  test('a caller whose own key ended does not get a yes at a card that another key opened', async () => {
    const w = world();
    const opener = w.call({ keyId: 'k1' });
    await w.settle();
    const other = w.call({ keyId: 'k2' });
    await w.settle();
    w.approvals.cancelForKey('k2');
    expect(await other.answer).toMatchObject({ kind: 'cancelled', because: 'key_ended' });
    w.yes(w.only().id);
    expect(await opener.answer).toMatchObject({ kind: 'approved' });
  });

  test('the tool changes: its cards are cancelled, those of other tools stay', async () => {
    const w = world();
    const changed = w.call();
    w.call({ tool: 'other' });
    await w.settle();
    w.approvals.cancelForTool('u1', 'write_file');
    expect(await changed.answer).toMatchObject({
      kind: 'cancelled',
      because: 'tool_changed',
      reason: expect.stringContaining('tool changed'),
    });
    expect(w.only().tool).toBe('other');
    expect(w.yes(w.cards[0]!.id)).toMatchObject({ kind: 'refused', message: expect.stringContaining('cancelled') });
  });

  test('the upstream is removed: its cards are cancelled and its trust ends, those of others stay', async () => {
    const w = world();
    const first = w.call({ tool: 'trusted' });
    await w.settle();
    w.yes(w.only().id, 'tool');
    await first.answer;
    const waiting = w.call();
    w.call({ upstreamId: 'u2' });
    await w.settle();
    w.approvals.cancelForUpstream('u1');
    expect(await waiting.answer).toMatchObject({ kind: 'cancelled', because: 'upstream_removed' });
    expect(w.approvals.standing()).toEqual([]);
    expect(w.approvals.list('waiting')).toHaveLength(1);
  });

  test('the key ends while `asked` is being recorded: no card is shown', async () => {
    const w = world();
    let written: (answer: AuditWritten) => void = () => {};
    const { answer } = w.call({
      recordAsked: () =>
        new Promise((resolve) => {
          written = resolve;
        }),
    });
    await w.settle();
    w.approvals.cancelForKey('k1');
    written({ kind: 'written', seq: 1 });
    expect(await answer).toMatchObject({ kind: 'cancelled' });
    await w.settle();
    expect(w.cards).toEqual([]);
  });
});

describe('an end that no caller hears is recorded, and no other', () => {
  test('nobody answers a card whose caller was told pending', async () => {
    const w = world();
    await w.call({ holdMs: 0 }).answer;
    await w.clock.advance(300_000);
    expect(w.lapsed).toMatchObject([{ state: 'expired', decidedBy: null }]);
  });

  test('a late yes that is not redeemed', async () => {
    const w = world();
    await w.call({ holdMs: 0 }).answer;
    w.yes(w.only().id);
    await w.clock.advance(600_000);
    expect(w.lapsed).toMatchObject([{ state: 'expired', decidedBy: 'dashboard' }]);
  });

  test('the tool changes after the caller was told pending', async () => {
    const w = world();
    await w.call({ holdMs: 0 }).answer;
    w.approvals.cancelForTool('u1', 'write_file');
    expect(w.lapsed).toMatchObject([{ state: 'cancelled', denyReason: expect.stringContaining('changed') }]);
  });

  test('a caller that hears it records it itself, and a no is the record of the person', async () => {
    const w = world();
    const held = w.call({ holdMs: 400_000 });
    await w.call({ tool: 'other', holdMs: 0 }).answer;
    w.approvals.deny(w.approvals.list('waiting').find(({ tool }) => tool === 'other')!.id, '', 'dashboard');
    await w.clock.advance(300_000);
    expect(await held.answer).toMatchObject({ kind: 'expired' });
    expect(w.lapsed).toEqual([]);
  });

  test('a card that was never shown was never asked', async () => {
    const w = world();
    const { answer, leave } = w.call({ recordAsked: () => new Promise(() => {}) });
    await w.settle();
    leave();
    await answer;
    w.approvals.cancelForKey('k1');
    expect(w.lapsed).toEqual([]);
  });
});

describe('a person is not flooded', () => {
  test('five cards of one client wait, the sixth is too many; other clients are not affected; twenty in all', async () => {
    const w = world();
    const flood = (id: string, count: number) =>
      Array.from({ length: count }, (_, n) => w.call({ client: client(id), tool: `tool${n}`, holdMs: 0 }).answer);
    const kindsOf = async (answers: readonly Promise<{ kind: string }>[]) =>
      (await Promise.all(answers)).map(({ kind }) => kind);
    const first = await Promise.all(flood('c1', 50));
    expect(first.filter(({ kind }) => kind === 'pending')).toHaveLength(5);
    expect(first.filter(({ kind }) => kind === 'too_many')).toHaveLength(45);
    expect(first.at(-1)).toEqual({ kind: 'too_many', limit: 5, scope: 'client' });
    for (const id of ['c2', 'c3', 'c4']) {
      expect(await kindsOf(flood(id, 5))).toEqual(Array(5).fill('pending'));
    }
    expect(await w.call({ client: client('c5') }).answer).toEqual({ kind: 'too_many', limit: 20, scope: 'all' });
    expect(w.cards).toHaveLength(20);

    w.approvals.deny(w.cards[0]!.id, '', 'dashboard');
    expect(await w.call({ client: client('c5'), holdMs: 0 }).answer).toMatchObject({ kind: 'pending' });
  });

  test('a denied call made again within a minute is denied by itself, with the same reason, however it is spaced', async () => {
    const w = world();
    const first = w.call({ argumentsText: '{"a":1}' });
    await w.settle();
    const { id } = w.only();
    w.approvals.deny(id, 'No.', 'dashboard');
    await first.answer;
    for (let n = 1; n <= 100; n++) {
      const answer = await w.call({ argumentsText: `{"a":${' '.repeat(n)}1}` }).answer;
      expect(answer).toMatchObject({ kind: 'denied', reason: 'No.', approval: { id } });
    }
    expect(w.cards).toHaveLength(1);
    const other = w.call({ argumentsText: '{"a":1}', client: client('c2') });
    await w.settle();
    expect(w.cards).toHaveLength(2);
    other.leave();
    await w.clock.advance(MINUTE);
    w.call({ argumentsText: '{"a":1}' });
    await w.settle();
    expect(w.cards).toHaveLength(3);
  });

  test('three denials of a tool within five minutes close it to that client for five minutes', async () => {
    const w = world();
    for (const n of [1, 2, 3]) {
      const { answer } = w.call({ argumentsText: `{"n":${n}}` });
      await w.settle();
      expect(w.approvals.deny(w.only().id, `no ${n}`, 'dashboard')).toEqual(DONE);
      await answer;
      await w.clock.advance(MINUTE);
    }
    const cooled = await w.call({ argumentsText: '{"n":4}' }).answer;
    expect(cooled).toMatchObject({
      kind: 'denied',
      reason:
        'This tool was denied 3 times within five minutes; it can be asked for again in 4 minutes. The last reason given: no 3',
    });
    for (const more of [{ tool: 'other' }, { client: client('c2') }, { upstreamId: 'u2' }]) {
      expect(await w.call({ argumentsText: '{"n":4}', holdMs: 0, ...more }).answer).toMatchObject({ kind: 'pending' });
    }
    await w.clock.advance(4 * MINUTE);
    expect(await w.call({ argumentsText: '{"n":4}', holdMs: 0 }).answer).toMatchObject({ kind: 'pending' });
  });

  test('three denials over a longer time close nothing', async () => {
    const w = world();
    for (const n of [1, 2, 3]) {
      w.call({ argumentsText: `{"n":${n}}` });
      await w.settle();
      w.approvals.deny(w.only().id, '', 'dashboard');
      await w.clock.advance(2.5 * MINUTE);
    }
    expect(await w.call({ argumentsText: '{"n":4}', holdMs: 0 }).answer).toMatchObject({ kind: 'pending' });
  });
});

test('listeners hear of each change and of each card once', async () => {
  const w = world();
  w.call();
  await w.settle();
  expect([w.cards.length, w.changes()]).toEqual([1, 1]);
  w.yes(w.only().id);
  expect([w.cards.length, w.changes()]).toEqual([1, 2]);
});
