import type Database from 'better-sqlite3';
import type { CallFigures, Effect } from '../../../shared/model.ts';
import { localDay } from '../local-day.ts';
import type { AuditQuery } from './audit.ts';
import { conditionsOf } from './queries.ts';

/** What figures are told apart by. A day is one of the calendar of this machine, `2026-11-20`. */
export type FigureKey = 'client' | 'day';

/** The figures of one client, of one day, or of one client on one day. */
export interface GroupFigures extends CallFigures {
  readonly clientId: string | null;
  /** The label that it had at its last call. */
  readonly client: string | null;
  readonly day: string | null;
}

export interface FiguresAnswer {
  readonly total: CallFigures;
  /** Newest day first, then busiest first. */
  readonly groups: readonly GroupFigures[];
}

/** How many records, in ascending order, are counted in one go: some ten milliseconds. */
const CHUNK = 10_000;
/** How many tools are named. */
const BUSIEST = 10;

/**
 * Counts and waiting times of calls, from the index of the log (`projection.ts`), by one pass over the records of the
 * span. Percentiles are by nearest rank: the smallest value that so many of a hundred do not exceed. Yields after every
 * chunk, with the number of the last record it counted.
 */
export function* figuresOf(
  index: Database.Database,
  query: AuditQuery,
  by: readonly FigureKey[],
): Generator<number, FiguresAnswer> {
  const total = newTally();
  const groups = new Map<string, Group>();
  const dayOf = createDays();
  for (const rows of chunksOf(index, query)) {
    for (const row of rows) {
      count(total, row);
      if (by.length === 0) continue;
      const clientId = by.includes('client') ? row.client_id : null;
      const day = by.includes('day') ? dayOf(row.at) : null;
      const key = `${clientId === null ? '' : `=${clientId}`} ${day}`;
      const group = groups.get(key) ?? { clientId, day, client: null, tally: newTally() };
      groups.set(key, group);
      if (by.includes('client')) group.client = row.client;
      count(group.tally, row);
    }
    yield rows.at(-1)?.first ?? 0;
  }
  return {
    total: figuresIn(total),
    groups: [...groups.values()]
      .map(({ clientId, client, day, tally }) => ({ clientId, client, day, ...figuresIn(tally) }))
      .toSorted((a, b) => (b.day ?? '').localeCompare(a.day ?? '') || b.calls - a.calls),
  };
}

interface Row {
  readonly first: number;
  readonly at: number;
  readonly client_id: string | null;
  readonly client: string | null;
  readonly kind: string;
  readonly upstream: string | null;
  readonly tool: string | null;
  readonly effect: Effect | null;
  readonly outcome: string | null;
  readonly error_class: string | null;
  readonly approval: string | null;
  readonly waited_ms: number | null;
}

/** The calls of the span; acts and events are no calls. */
function* chunksOf(index: Database.Database, query: AuditQuery): Generator<readonly Row[]> {
  const where = conditionsOf(index, query);
  if (where === null) return;
  const select = index.prepare<[Record<string, string | number>], Row>(
    `SELECT r.first, r.at, r.client_id, r.client, r.kind, r.upstream, r.tool, r.effect, r.outcome, r.error_class,
       r.approval, r.waited_ms
     FROM records r
     WHERE ${[...where.conditions, 'r.first > @after'].join(' AND ')}
       AND +r.kind IN ('tool_call', 'prompt_get', 'resource_read', 'completion')
     ORDER BY r.first LIMIT ${CHUNK}`,
  );
  for (let after = 0; ; ) {
    const rows = select.all({ ...where.values, after });
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows;
    after = last.first;
  }
}

interface Group {
  readonly clientId: string | null;
  readonly day: string | null;
  client: string | null;
  readonly tally: Tally;
}

interface Tally {
  calls: number;
  readonly decisions: Record<Effect | 'none', number>;
  readonly outcomes: Map<string, number>;
  readonly approvals: Map<string, number>;
  readonly errorClasses: Map<string, number>;
  /** By upstream, by tool. */
  readonly tools: Map<string, Map<string, number>>;
  readonly waits: number[];
}

function newTally(): Tally {
  return {
    calls: 0,
    decisions: { allow: 0, deny: 0, require_approval: 0, none: 0 },
    outcomes: new Map(),
    approvals: new Map(),
    errorClasses: new Map(),
    tools: new Map(),
    waits: [],
  };
}

function count(tally: Tally, row: Row): void {
  tally.calls += 1;
  tally.decisions[row.effect ?? 'none'] += 1;
  add(tally.outcomes, row.outcome);
  add(tally.approvals, row.approval);
  add(tally.errorClasses, row.error_class);
  if (row.waited_ms !== null) tally.waits.push(row.waited_ms);
  if (row.kind !== 'tool_call' || row.upstream === null) return;
  const tools = tally.tools.get(row.upstream) ?? new Map<string, number>();
  tally.tools.set(row.upstream, tools);
  add(tools, row.tool);
}

/** Calls that have none are left out. */
function add(counts: Map<string, number>, name: string | null): void {
  if (name !== null) counts.set(name, (counts.get(name) ?? 0) + 1);
}

function figuresIn({ calls, decisions, outcomes, approvals, errorClasses, tools, waits }: Tally): CallFigures {
  const sorted = Float64Array.from(waits).sort();
  return {
    calls,
    decisions,
    outcomes: mostFirst(outcomes).map(([outcome, n]) => ({ outcome, calls: n })),
    approvals: mostFirst(approvals).map(([answer, n]) => ({ answer, calls: n })),
    waiting: sorted.length === 0 ? null : { calls: sorted.length, medianMs: rank(sorted, 50), p95Ms: rank(sorted, 95) },
    errorClasses: mostFirst(errorClasses).map(([errorClass, n]) => ({ errorClass, calls: n })),
    tools: [...tools]
      .flatMap(([upstream, names]) => [...names].map(([tool, n]) => ({ upstream, tool, calls: n })))
      .toSorted((a, b) => b.calls - a.calls || a.upstream.localeCompare(b.upstream) || a.tool.localeCompare(b.tool))
      .slice(0, BUSIEST),
  };
}

/** The figures where nobody called. */
export const NO_CALLS: CallFigures = figuresIn(newTally());

function mostFirst(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].toSorted((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
}

function rank(sorted: Float64Array, percent: number): number {
  return sorted[Math.ceil((sorted.length * percent) / 100) - 1] ?? 0;
}

/** Days of this machine's calendar. Every border between two days, wherever it is, is at a quarter of an hour. */
function createDays(): (at: number) => string {
  const known = new Map<number, string>();
  return (at) => {
    const quarter = Math.floor(at / 900_000);
    const day = known.get(quarter) ?? localDay(at);
    known.set(quarter, day);
    return day;
  };
}
