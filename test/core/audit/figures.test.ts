import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import type { AuditQuery } from '../../../electron/core/audit/audit.ts';
import { type FigureKey, figuresOf as stepsOf } from '../../../electron/core/audit/figures.ts';
import { projectionSchema, SPAN } from '../../../electron/core/audit/projection-schema.ts';

interface Row {
  readonly client_id: string | null;
  readonly client: string | null;
  readonly at: number;
  readonly kind: string;
  readonly upstream: string | null;
  readonly tool: string | null;
  readonly effect: string | null;
  readonly outcome: string | null;
  readonly error_class: string | null;
  readonly approval: string | null;
  readonly waited_ms: number | null;
}

const NOON = new Date(2026, 10, 20, 12).getTime();
const DAY = 86_400_000;
const CALL: Row = {
  client_id: 'a',
  client: 'agent',
  at: NOON,
  kind: 'tool_call',
  upstream: 'files',
  tool: 'read',
  effect: 'allow',
  outcome: 'answered',
  error_class: null,
  approval: null,
  waited_ms: null,
};

/** Everything in one go. */
function figuresOf(index: Database.Database, query: AuditQuery, by: readonly FigureKey[]) {
  const steps = stepsOf(index, query, by);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The index of a log in which these records stand. */
function indexOf(rows: readonly Row[]): Database.Database {
  const db = new Database(':memory:');
  onTestFinished(() => void db.close());
  db.exec(projectionSchema);
  const insert = db.prepare(
    `INSERT INTO records (first, seqs, request_id, at, client_id, client, upstream, kind, tool, edited, effect, outcome, error_class, approval, waited_ms)
     VALUES (@first, @first, @request_id, @at, @client_id, @client, @upstream, @kind, @tool, 0, @effect, @outcome, @error_class, @approval, @waited_ms)`,
  );
  const span = db.prepare(
    'INSERT INTO spans VALUES (?, ?, ?) ON CONFLICT (span) DO UPDATE SET min_at = min(min_at, excluded.min_at), max_at = max(max_at, excluded.max_at)',
  );
  rows.forEach((row, n) => {
    insert.run({ ...row, first: n + 1, request_id: `r${n}` });
    span.run(Math.floor((n + 1) / SPAN), row.at, row.at);
  });
  return db;
}

/** The same random rows each time. */
function someRows(count: number): readonly Row[] {
  let seed = 7;
  const pick = <T>(from: readonly T[]): T => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return from[Math.floor((seed / 2 ** 31) * from.length)] as T;
  };
  return Array.from({ length: count }, (_, n) => ({
    client_id: pick(['a', 'b', null]),
    client: pick(['agent', 'other']),
    at: NOON - pick([0, 1, 2, 3]) * DAY - n,
    kind: pick(['tool_call', 'tool_call', 'prompt_get', 'key_created', 'confirmation']),
    upstream: pick(['files', 'github', null]),
    tool: pick(['read', 'write', 'list', null]),
    effect: pick(['allow', 'deny', 'require_approval', null]),
    outcome: pick(['answered', 'refused', 'failed', null]),
    error_class: pick(['policy_denied', 'upstream_timeout', null, null]),
    approval: pick(['approved', 'denied', null]),
    waited_ms: pick([null, 5, 10, 200, 3_000, 60_000]),
  }));
}

const CALL_KINDS = new Set(['tool_call', 'prompt_get', 'resource_read', 'completion']);

/** The definition of each figure, in the plainest way. */
function byHand(rows: readonly Row[]) {
  const calls = rows.filter(({ kind }) => CALL_KINDS.has(kind));
  const count = (value: (row: Row) => string | null) => {
    const counts = new Map<string, number>();
    for (const row of calls) {
      const name = value(row);
      if (name !== null) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  };
  const waits = calls
    .flatMap(({ waited_ms }) => (waited_ms === null ? [] : [waited_ms]))
    .toSorted((one, other) => one - other);
  const rank = (percent: number) => waits[Math.ceil((waits.length * percent) / 100) - 1];
  const effects = count(({ effect }) => effect ?? 'none');
  return {
    calls: calls.length,
    decisions: Object.fromEntries(
      ['allow', 'deny', 'require_approval', 'none'].map((name) => [name, effects.get(name) ?? 0]),
    ),
    outcomes: count(({ outcome }) => outcome),
    approvals: count(({ approval }) => approval),
    errorClasses: count(({ error_class }) => error_class),
    tools: count(({ kind, upstream, tool }) =>
      kind !== 'tool_call' || upstream === null || tool === null ? null : `${upstream} / ${tool}`,
    ),
    waiting: waits.length === 0 ? null : { calls: waits.length, medianMs: rank(50), p95Ms: rank(95) },
  };
}

type Figures = ReturnType<typeof figuresOf>['total'];

function asByHand({ calls, decisions, outcomes, approvals, errorClasses, tools, waiting }: Figures) {
  return {
    calls,
    decisions,
    outcomes: new Map(outcomes.map((one) => [one.outcome, one.calls])),
    approvals: new Map(approvals.map((one) => [one.answer, one.calls])),
    errorClasses: new Map(errorClasses.map((one) => [one.errorClass, one.calls])),
    tools: new Map(tools.map((one) => [`${one.upstream} / ${one.tool}`, one.calls])),
    waiting,
  };
}

// More than one chunk.
const ROWS = someRows(12_000);

test('every figure is what counting by hand gives, in all and for each client on each day', () => {
  const { total, groups } = figuresOf(indexOf(ROWS), {}, ['client', 'day']);
  expect(asByHand(total)).toEqual(byHand(ROWS));
  expect(groups).toHaveLength(12);
  for (const group of groups) {
    const own = ROWS.filter(({ client_id, at }) => client_id === group.clientId && localDay(at) === group.day);
    expect(asByHand(group)).toEqual(byHand(own));
  }
  expect(groups.map(({ day }) => day)).toEqual(
    groups
      .map(({ day }) => day)
      .toSorted()
      .toReversed(),
  );
});

test('by client alone, by day alone, and of one client in a span of time', () => {
  const index = indexOf(ROWS);
  const clients = figuresOf(index, {}, ['client']).groups;
  expect(clients.map(({ clientId, day }) => [clientId, day]).toSorted()).toEqual([
    [null, null],
    ['a', null],
    ['b', null],
  ]);
  const days = figuresOf(index, {}, ['day']).groups;
  expect(days.map(({ day, clientId, client }) => [day, clientId, client])).toEqual(
    ['2026-11-20', '2026-11-19', '2026-11-18', '2026-11-17'].map((day) => [day, null, null]),
  );
  const [from, to] = [NOON - 2 * DAY, NOON - DAY];
  const { total } = figuresOf(index, { client: 'a', from, to }, []);
  expect(asByHand(total)).toEqual(
    byHand(ROWS.filter(({ client_id, at }) => client_id === 'a' && at >= from && at < to)),
  );
});

test('a client is shown by the label of its last call, and only its ten busiest tools are named', () => {
  const rows = [
    { ...CALL, client: 'old name' },
    { ...CALL, client: 'new name' },
    ...Array.from({ length: 12 }, (_, n) =>
      Array.from({ length: n + 2 }, () => ({ ...CALL, client: 'new name', tool: `t${n}` })),
    ).flat(),
  ];
  const [group] = figuresOf(indexOf(rows), {}, ['client']).groups;
  expect(group).toMatchObject({ clientId: 'a', client: 'new name' });
  expect(group?.tools.map(({ tool, calls }) => [tool, calls])).toEqual(
    Array.from({ length: 10 }, (_, n) => [`t${11 - n}`, 13 - n]),
  );
});

test('nothing at all is no call, and no division by nothing', () => {
  expect(figuresOf(indexOf([]), {}, ['client'])).toEqual({
    total: expect.objectContaining({ calls: 0, waiting: null, tools: [] }),
    groups: [],
  });
});

function localDay(at: number): string {
  return new Date(at).toLocaleDateString('sv-SE');
}
