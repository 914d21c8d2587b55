import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import {
  approvalsAnswersSchema,
  approvalsSchema,
  createApprovals,
} from '../../../electron/core/approvals/approvals.ts';
import { createApprovers } from '../../../electron/core/approvals/approvers.ts';
import type { ApprovalRequest } from '../../../electron/core/approvals/request.ts';
import type { Client, StandingScope } from '../../../shared/model.ts';
import { fakeClock } from '../../support/fake-clock.ts';

const MINUTE = 60_000;
const client: Client = {
  id: 'c1',
  workspaceId: 'w',
  name: 'agent',
  callsItself: null,
  tags: [],
  upstreams: null,
  scopeTags: [],
  holdMs: 0,
  createdAt: 0,
};
const bound = {
  clientId: 'c1',
  sessionId: 's1',
  upstreamId: 'u1',
  connection: null,
  tool: 'write_file',
  fingerprint: 'f1',
};

function world(db = new Database(':memory:')) {
  if (db.prepare(`SELECT count(*) AS n FROM sqlite_schema WHERE name = 'approvals'`).pluck().get() === 0)
    db.exec(approvalsSchema + approvalsAnswersSchema);
  const clock = fakeClock();
  const approvers = createApprovers();
  const leave = approvers.arrive('desktop');
  const approvals = createApprovals({ db, clock, approvers });
  const request = (more: Partial<ApprovalRequest> = {}) =>
    approvals.request({
      requestId: 'r',
      workspace: 'Personal',
      client,
      keyId: 'k1',
      ...bound,
      upstream: 'files',
      title: null,
      risk: 'write',
      decision: { effect: 'require_approval', rule: null, reason: 'It asks.', standing: null },
      argumentsText: '{}',
      holdMs: MINUTE,
      signal: new AbortController().signal,
      onWaiting() {},
      recordAsked: async () => ({ kind: 'written', seq: 1 }),
      recordLapsed() {},
      ...more,
    });
  const grant = async (scope: StandingScope, more: Partial<ApprovalRequest> = {}, pins: readonly string[] = []) => {
    const answer = request(more);
    await clock.advance(0);
    const card = approvals.list('waiting')[0]!;
    const { argumentsSha256 } = card;
    const result = approvals.approve(card.id, { argumentsSha256, scope, pins }, 'dashboard');
    if (result.kind === 'refused') approvals.deny(card.id, '', 'dashboard');
    return { result, answer: await answer };
  };
  return { db, clock, approvers, leave, approvals, request, grant };
}

test('a yes for once leaves nothing standing', async () => {
  const w = world();
  await w.grant('once');
  expect(w.approvals.standing()).toEqual([]);
  expect(w.approvals.standingFor(bound)).toBeNull();
});

describe.each(['session', 'minutes15', 'tool'] as const)('a yes for %s', (scope) => {
  test('satisfies exactly what it is bound to, and counts its uses', async () => {
    const w = world();
    expect((await w.grant(scope)).answer).toMatchObject({ kind: 'approved' });
    const [standing] = w.approvals.standing();
    expect(standing).toMatchObject({
      client: 'agent',
      upstream: 'files',
      tool: 'write_file',
      fingerprint: 'f1',
      scope,
      usedCount: 0,
    });
    expect(w.approvals.standingFor(bound)).toBe(standing!.id);
    for (const other of [
      { clientId: 'c2' },
      { upstreamId: 'u2' },
      { connection: { id: 'c-work', label: 'work' } },
      { tool: 'x' },
      { fingerprint: 'f2' },
    ]) {
      expect(w.approvals.standingFor({ ...bound, ...other })).toBeNull();
    }
    expect(w.approvals.standing()[0]!.usedCount).toBe(1);
  });

  test.each<[string, (w: ReturnType<typeof world>, id: string) => void]>([
    ['it is revoked', (w, id) => expect(w.approvals.revokeStanding(id)).toMatchObject({ kind: 'done' })],
    ['its key ends', (w) => w.approvals.cancelForKey('k1')],
    ['its tool changes', (w) => w.approvals.cancelForTool('u1', 'write_file')],
  ])('ends for good when %s', async (_title, end) => {
    const w = world();
    await w.grant(scope);
    end(w, w.approvals.standing()[0]!.id);
    expect(w.approvals.standingFor(bound)).toBeNull();
    expect(w.approvals.standing()).toEqual([]);
    expect(world(w.db).approvals.standing()).toEqual([]);
  });

  test('is not touched by what ends others', async () => {
    const w = world();
    await w.grant(scope);
    w.approvals.cancelForKey('k2');
    w.approvals.cancelForTool('u1', 'other');
    expect(w.approvals.revokeStanding('unknown')).toMatchObject({ kind: 'refused' });
    expect(w.approvals.standingFor(bound)).not.toBeNull();
  });
});

test('a session ends with itself: another session is asked again', async () => {
  const w = world();
  await w.grant('session');
  expect(w.approvals.standingFor({ ...bound, sessionId: 's2' })).toBeNull();
  expect(w.approvals.standingFor({ ...bound, sessionId: null })).toBeNull();
});

test('a client without a session cannot be trusted for one', async () => {
  const w = world();
  const { result } = await w.grant('session', { sessionId: null });
  expect(result).toMatchObject({ kind: 'refused', message: expect.stringContaining('no session') });
  expect(w.approvals.standing()).toEqual([]);
});

test('fifteen minutes end on time, also when the clock is set back, and early when the machine slept', async () => {
  const w = world();
  await w.grant('minutes15');
  w.clock.set(w.clock.now() - 24 * 60 * MINUTE);
  await w.clock.advance(15 * MINUTE - 1);
  expect(w.approvals.standingFor(bound)).not.toBeNull();
  await w.clock.advance(1);
  expect(w.approvals.standingFor(bound)).toBeNull();

  const asleep = world();
  await asleep.grant('minutes15');
  asleep.clock.set(asleep.clock.now() + 20 * MINUTE);
  expect(asleep.approvals.standing()).toEqual([]);
});

test('a call that runs by trust uses up the yes that waited for it; other arguments do not', async () => {
  const w = world();
  const late = async (argumentsText: string) => {
    await w.request({ argumentsText, holdMs: 0 });
    return w.approvals.list('waiting').find((card) => card.argumentsText === argumentsText)!;
  };
  const [used, kept] = [await late('{"a":1,"b":2}'), await late('{"a":2}')];
  w.approvals.approve(used.id, { argumentsSha256: used.argumentsSha256, scope: 'tool' }, 'dashboard');
  w.approvals.approve(kept.id, { argumentsSha256: kept.argumentsSha256, scope: 'once' }, 'dashboard');
  const standing = w.approvals.standingFor({ ...bound, argumentsText: '{ "b":2, "a":1 }' });
  expect(standing).not.toBeNull();
  w.approvals.revokeStanding(standing ?? '');
  const states = new Map(w.approvals.list('all').map(({ id, state }) => [id, state]));
  expect([states.get(used.id), states.get(kept.id)]).toEqual(['redeemed', 'approved']);
  expect(await w.request({ argumentsText: '{"a":1,"b":2}', holdMs: 0 })).toMatchObject({ kind: 'pending' });
  expect(await w.request({ argumentsText: '{"a":2}', holdMs: 0 })).toMatchObject({ kind: 'approved' });
});

test('trust in the moment ends at quit, trust in the tool stays with its count', async () => {
  const w = world();
  await w.grant('session', { tool: 'a' });
  await w.grant('minutes15', { tool: 'b' });
  await w.grant('tool', { tool: 'c' });
  w.approvals.standingFor({ ...bound, tool: 'c' });
  await w.clock.advance(MINUTE);
  const after = world(w.db);
  expect(after.approvals.standing()).toMatchObject([{ tool: 'c', scope: 'tool', usedCount: 1, expiresAt: null }]);
  expect(after.approvals.standingFor({ ...bound, tool: 'c' })).not.toBeNull();
});

test('trust in the moment ends when the screen is locked; a dashboard tab that closes ends nothing', async () => {
  const w = world();
  await w.grant('session', { tool: 'a' });
  await w.grant('tool', { tool: 'c' });
  w.approvers.arrive('dashboard')();
  expect(w.approvals.standing()).toHaveLength(2);
  w.leave();
  expect(w.approvals.standing()).toMatchObject([{ tool: 'c' }]);
});

test.each(['minutes15', 'tool', 'values'] as const)('a destructive tool is never trusted for %s', async (scope) => {
  const w = world();
  const { result } = await w.grant(scope, { risk: 'destructive' }, ['']);
  expect(result).toEqual({
    kind: 'refused',
    message: 'A destructive tool is approved call by call, or for one session at most.',
  });
  expect(w.approvals.standing()).toEqual([]);
});

test('a standing approval that cannot be saved is none, and neither is the yes', async () => {
  const w = world();
  w.db.exec('DROP TABLE standing_approvals');
  const { result, answer } = await w.grant('tool');
  expect(result).toMatchObject({ kind: 'refused', message: expect.stringContaining('cannot be saved') });
  expect(answer.kind).toBe('denied');
  expect(w.approvals.standing()).toEqual([]);
});

test('the other callers at a card are covered by the standing approval given there: no second card', async () => {
  const w = world();
  const cards: string[] = [];
  w.approvals.onCard(({ id }) => cards.push(id));
  const first = w.request({ requestId: 'r1' });
  const second = w.request({ requestId: 'r2' });
  await w.clock.advance(0);
  const card = w.approvals.list('waiting')[0]!;
  w.approvals.approve(card.id, { argumentsSha256: card.argumentsSha256, scope: 'session' }, 'dashboard');
  expect(await first).toMatchObject({ kind: 'approved', by: 'dashboard' });
  const other = await second;
  expect(other).toMatchObject({ kind: 'approved', by: 'standing approval', approval: { requestId: 'r2' } });
  expect(other.kind === 'approved' && other.approval.id).not.toBe(card.id);
  expect(cards).toEqual([card.id]);
});

describe('always with these values', () => {
  const argumentsText = '{"repo":"gate","labels":[{"name":"bug"}],"n":1.0,"body":"first"}';
  const holdsFor = (w: ReturnType<typeof world>, text: string, more: object = {}) =>
    w.approvals.standingFor({ ...bound, ...more, argumentsText: text }) !== null;

  test('holds for calls with the pinned values, whatever the other arguments are and however they are written', async () => {
    const w = world();
    await w.grant('values', { argumentsText }, ['/repo', '/labels/0/name']);
    expect(w.approvals.standing()).toMatchObject([
      {
        scope: 'values',
        pins: [
          { pointer: '/repo', shown: '"gate"' },
          { pointer: '/labels/0/name', shown: '"bug"' },
        ],
      },
    ]);
    expect(holdsFor(w, argumentsText)).toBe(true);
    expect(holdsFor(w, '{ "labels":[ {"x":2,"name":"b\\u0075g"} ], "extra":true, "repo" : "gate" }')).toBe(true);
    for (const other of [
      '{"repo":"Gate","labels":[{"name":"bug"}]}',
      '{"repo":"gate","labels":[{"name":"bug2"}]}',
      '{"repo":"gate"}',
      '{"repo":["gate"],"labels":[{"name":"bug"}]}',
      '{"deep":{"repo":"gate","labels":[{"name":"bug"}]}}',
      '"gate"',
      'no json',
    ])
      expect(holdsFor(w, other), other).toBe(false);
    for (const more of [
      { clientId: 'c2' },
      { upstreamId: 'u2' },
      { connection: { id: 'c-x', label: 'x' } },
      { tool: 'x' },
      { fingerprint: 'y' },
    ])
      expect(holdsFor(w, argumentsText, more)).toBe(false);
    // Who does not say what the arguments are is not covered by it.
    expect(w.approvals.standingFor(bound)).toBeNull();
  });

  test('the whole may be pinned; numbers count as they are written', async () => {
    const w = world();
    await w.grant('values', { argumentsText }, ['']);
    expect(holdsFor(w, '{"n":1.0,"body":"first","repo":"gate","labels":[{"name":"bug"}]}')).toBe(true);
    expect(holdsFor(w, argumentsText.replace('1.0', '1'))).toBe(false);
    expect(holdsFor(w, argumentsText.replace('}]', '}],"more":null'))).toBe(false);
  });

  test('a member whose name has a slash or a tilde is pinned by its escaped name', async () => {
    const w = world();
    await w.grant('values', { argumentsText: '{"a/b":{"~":"1"},"a":{"b":"2"}}' }, ['/a~1b/~0']);
    expect(holdsFor(w, '{"a/b":{"~":"1"},"a":{"b":"3"}}')).toBe(true);
    expect(holdsFor(w, '{"a/b":{"~":"2"},"a":{"b":"2"}}')).toBe(false);
  });

  test.each([
    ['no pin', [], 'Choose at least one argument'],
    ['a pin on what is not there', ['/repo', '/nope'], 'no argument at /nope'],
  ])('%s leaves nothing standing, and the call waits on', async (_what, pins, why) => {
    const w = world();
    const { result } = await w.grant('values', { argumentsText }, pins);
    expect(result).toMatchObject({ kind: 'refused', message: expect.stringContaining(why) });
    expect(w.approvals.standing()).toEqual([]);
  });

  test('it stays over a restart, and its values are in no file: not in clear where they look like a secret', async () => {
    const w = world();
    const secret = '{"api_key":"CANARY-0123456789","path":"/tmp/x"}';
    await w.grant('values', { argumentsText: secret }, ['/api_key', '/path']);
    const after = world(w.db);
    expect(after.approvals.standing()).toMatchObject([
      { scope: 'values', pins: [{ shown: '"[redacted]"' }, { shown: '"/tmp/x"' }] },
    ]);
    expect(JSON.stringify(w.db.prepare('SELECT * FROM standing_approvals').all())).not.toContain('CANARY');
    expect(holdsFor(after, secret)).toBe(true);
    expect(holdsFor(after, secret.replace('CANARY', 'OTHER'))).toBe(false);
  });
});

test('all standing approvals of one client are revoked at once, those of another stay', async () => {
  const w = world();
  await w.grant('tool', { tool: 'a' });
  await w.grant('minutes15', { tool: 'b' });
  await w.grant('tool', { tool: 'a', client: { ...client, id: 'c2' } });
  expect(w.approvals.revokeStandingOf('c1')).toBe(2);
  expect(w.approvals.standing()).toMatchObject([{ clientId: 'c2' }]);
  expect(w.approvals.revokeStandingOf('c1')).toBe(0);
});

test('one that ends while nothing can be written ends at once, and is not back with the next start', async () => {
  const db = new Database(':memory:');
  const w = world(db);
  await w.grant('tool');
  db.exec(`CREATE TRIGGER full BEFORE DELETE ON standing_approvals BEGIN SELECT RAISE(ABORT, 'disk full'); END`);
  w.approvals.cancelForKey('k1');
  expect(w.approvals.standing()).toEqual([]);
  expect(w.approvals.standingFor(bound)).toBeNull();
  const onDisk = () => db.prepare('SELECT count(*) FROM standing_approvals').pluck().get();
  await w.clock.advance(MINUTE);
  expect(onDisk()).toBe(1);
  db.exec('DROP TRIGGER full');
  await w.clock.advance(MINUTE);
  expect(onDisk()).toBe(0);
});
