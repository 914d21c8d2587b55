import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { createApprovers } from '../../../electron/core/approvals/approvers.ts';
import { createHeldResults, heldResultsSchema } from '../../../electron/core/approvals/held-results.ts';
import type { ApprovalView } from '../../../shared/model.ts';
import { client } from '../../support/approvals-world.ts';
import { fakeClock } from '../../support/fake-clock.ts';

function world(db = new Database(':memory:')) {
  db.exec(heldResultsSchema.replace('CREATE TABLE', 'CREATE TABLE IF NOT EXISTS'));
  const clock = fakeClock();
  const approvers = createApprovers();
  approvers.arrive('dashboard');
  const results = createHeldResults<string>({ db, clock, approvers });
  const lapsed: [string, ApprovalView][] = [];
  const bound = {
    upstreamId: 'u1',
    connection: null,
    kind: 'tool',
    tool: 'read',
    fingerprint: 'f1',
    argumentsText: '{"a":1}',
  };
  const caller = (holdMs = 50_000) => {
    const aborter = new AbortController();
    return { holdMs, signal: aborter.signal, onWaiting() {}, leave: () => aborter.abort() };
  };
  const hold = (who = caller(), more: Partial<Parameters<typeof results.hold>[0]> = {}) =>
    results.hold(
      {
        ...bound,
        requestId: 'r1',
        workspace: 'Personal',
        client: client('c1'),
        keyId: 'k1',
        sessionId: null,
        upstream: 'files',
        title: null,
        risk: 'read',
        rule: 'look',
        reason: 'It is looked at.',
        resultText: '{"content":[]}',
        result: 'the result',
        recordHeld() {},
        recordLapsed: (how, view) => lapsed.push([how, view]),
        ...more,
      },
      who,
    );
  const again = (who = caller()) => results.takeUp({ ...bound, clientId: 'c1', argumentsText: '{ "a" : 1 }' }, who);
  const release = (id = results.list()[0]!.id) =>
    results.release(id, results.list().find((one) => one.id === id)?.held?.resultSha256 ?? '', 'dashboard');
  return { db, clock, approvers, results, lapsed, caller, hold, again, release };
}

test('a call that comes while another waits for its result is a call of its own', async () => {
  const w = world();
  const first = w.hold();
  expect(w.again()).toBeNull();
  w.release();
  expect(await first).toMatchObject({ kind: 'released', result: 'the result' });
  expect(w.again()).toBeNull();
});

test('a released result is handed out once, to whoever comes back first', async () => {
  const w = world();
  expect(await w.hold(w.caller(0))).toMatchObject({ kind: 'pending' });
  w.release();
  expect(await w.again()?.answer).toMatchObject({ kind: 'released', result: 'the result' });
  expect(w.again()).toBeNull();
  expect([w.results.list(), w.lapsed, w.clock.pending()]).toEqual([[], [], 0]);
});

test('the caller leaves: the card says so, and who comes back waits on', async () => {
  const w = world();
  const who = w.caller();
  const answer = w.hold(who);
  who.leave();
  expect(await answer).toMatchObject({ kind: 'caller_left' });
  expect(w.results.list()).toMatchObject([{ callerLeft: true, state: 'waiting' }]);
  const back = w.again();
  expect(w.results.list()).toMatchObject([{ callerLeft: false }]);
  w.results.withhold(w.results.list()[0]!.id, 'No.', 'dashboard');
  expect(await back?.answer).toMatchObject({ kind: 'withheld', reason: 'No.' });
});

test('it is decided about once, by the text that was shown', () => {
  const w = world();
  void w.hold(w.caller(0));
  const { id } = w.results.list()[0]!;
  expect(w.results.release(id, 'another', 'dashboard')).toMatchObject({ kind: 'refused' });
  expect(w.release(id)).toMatchObject({ kind: 'done' });
  expect(w.release(id)).toMatchObject({ kind: 'refused' });
  expect(w.results.withhold(id, '', 'dashboard')).toMatchObject({ kind: 'refused' });
  expect(w.results.release('unknown', '', 'dashboard')).toMatchObject({ kind: 'refused' });
});

test('ended by force: the next start knows that there was one and not what it was, once', () => {
  const w = world();
  void w.hold(w.caller(0), { resultText: 'CANARY' });
  expect(JSON.stringify(w.db.prepare('SELECT * FROM held_results').all())).not.toContain('CANARY');
  const after = world(w.db);
  expect(after.results.lost).toMatchObject([{ requestId: 'r1', client: 'agent c1', upstream: 'files', tool: 'read' }]);
  expect(after.results.list()).toEqual([]);
  expect(after.again()).toBeNull();
  expect(world(w.db).results.lost).toEqual([]);
});

test('quit in order: lost and recorded by itself, nothing is left for the next start', () => {
  const w = world();
  void w.hold(w.caller(0));
  w.results.close();
  expect(w.lapsed).toMatchObject([['lost', { state: 'waiting' }]]);
  expect(world(w.db).results.lost).toEqual([]);
});

test('five of one client and twenty in all; beyond them nothing is held, and nothing given out', async () => {
  const w = world();
  for (let n = 0; n < 5; n += 1) void w.hold(w.caller(0), { argumentsText: `{"n":${n}}` });
  expect(await w.hold()).toMatchObject({ kind: 'unavailable', reason: expect.stringContaining('too many') });
  for (let n = 0; n < 15; n += 1)
    void w.hold(w.caller(0), { client: client(`d${n % 3}`), argumentsText: `{"n":${n}}` });
  expect(await w.hold(w.caller(0), { client: client('e') })).toMatchObject({ kind: 'unavailable' });
  expect(w.results.list()).toHaveLength(20);
});

test('that it is held cannot be saved: it is not given out', async () => {
  const w = world();
  w.db.exec('DROP TABLE held_results');
  expect(await w.hold()).toMatchObject({ kind: 'unavailable', reason: expect.stringContaining('cannot be saved') });
});

test('a machine that slept over the end gives nothing out afterwards', async () => {
  const w = world();
  void w.hold(w.caller(0));
  const { id } = w.results.list()[0]!;
  w.clock.set(w.clock.now() + 6 * 60_000);
  expect(w.release(id)).toMatchObject({ kind: 'refused' });
  expect(await w.again()?.answer).toMatchObject({ kind: 'expired' });
});
