import type Database from 'better-sqlite3';
import type { AuditRecordView } from '../../../shared/model.ts';
import type { AuditFilter, AuditQuery } from './audit.ts';
import type { EntryRow } from './entry.ts';
import { SPAN } from './projection-schema.ts';
import { recordOf } from './record.ts';
import { matchOf } from './search-words.ts';

export interface RecordsPage {
  readonly records: readonly AuditRecordView[];
  /** What to give as `before` for the next page; null after the last. */
  readonly nextBefore: number | null;
}

/**
 * Newest first. A record stands where its first entry stands, so that pages do not move while calls end.
 *
 * @param index the projection, which finds; @param log `audit.db`, which tells.
 */
export function listRecords(index: Database.Database, log: Database.Database, filter: AuditFilter): RecordsPage {
  const found = findRecords(index, filter, filter.before ?? null, filter.limit + 1);
  const page = found.slice(0, filter.limit);
  const read = recordReader(log);
  return {
    records: page.map(read).filter((record) => record.entries.length > 0),
    nextBefore: found.length > filter.limit ? (page.at(-1)?.first ?? null) : null,
  };
}

export interface FoundRecord {
  /** Number of its first entry, and of all of them. */
  readonly first: number;
  readonly seqs: string;
}

/** At most `limit` records before `before`, newest first. */
export function findRecords(
  index: Database.Database,
  query: AuditQuery,
  before: number | null,
  limit: number,
): readonly FoundRecord[] {
  const found: FoundRecord[] = [];
  for (const stretch of stretchesOf(index, query)) {
    found.push(...findWithin(index, query, stretch, before, limit - found.length));
    if (found.length >= limit) break;
  }
  return found;
}

function findWithin(
  index: Database.Database,
  query: AuditQuery,
  stretch: Stretch | null,
  before: number | null,
  limit: number,
): readonly FoundRecord[] {
  const where = conditionsWithin(index, query, stretch);
  if (where === null) return [];
  const bound = ['r.first < @before', ...(where.match === null ? [] : ['t.rowid < @before'])];
  const conditions = [...where.conditions, ...(before === null ? [] : bound)];
  const values = { ...where.values, limit, ...(before === null ? {} : { before }) };
  const text = where.match === null ? '' : 'record_text t CROSS JOIN ';
  const order = where.match === null ? 'r.first' : 't.rowid';
  return index
    .prepare<[typeof values], FoundRecord>(
      `SELECT r.first, r.seqs FROM ${text}records r
       ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`} ORDER BY ${order} DESC LIMIT @limit`,
    )
    .all(values);
}

/** One record with all its entries, from the log. */
export function recordReader(log: Database.Database): (found: FoundRecord) => AuditRecordView {
  const bySeq = log.prepare<[number], EntryRow>('SELECT * FROM entries WHERE seq = ?');
  return ({ seqs }) => recordOf(seqs.split(',').flatMap((seq) => bySeq.all(Number(seq))));
}

const COLUMNS = {
  upstream: 'upstream',
  tool: 'tool',
  effect: 'effect',
  rule: 'rule',
  outcome: 'outcome',
  errorClass: 'error_class',
  kind: 'kind',
  workspace: 'workspace',
} as const satisfies Partial<Record<keyof AuditQuery, string>>;

export interface Where {
  readonly conditions: readonly string[];
  readonly values: Readonly<Record<string, string | number>>;
  readonly match: string | null;
}

/** For a walk over all that a query finds. Null: nothing can match. */
export function conditionsOf(index: Database.Database, query: AuditQuery): Where | null {
  const [newest, ...older] = stretchesOf(index, query);
  if (newest === undefined) return null;
  const oldest = older.at(-1) ?? newest;
  return conditionsWithin(index, query, newest === null || oldest === null ? null : { ...newest, start: oldest.start });
}

/** Null: nothing can match. */
function conditionsWithin(index: Database.Database, query: AuditQuery, stretch: Stretch | null): Where | null {
  const conditions: string[] = [];
  const values: Record<string, string | number> = {};
  for (const [name, column] of Object.entries(COLUMNS)) {
    const value = query[name as keyof typeof COLUMNS];
    if (value === undefined) continue;
    conditions.push(`r.${column} = @${name}`);
    values[name] = value;
  }
  if (query.requestId !== undefined) {
    const seq = /^entry-(\d{1,15})$/.exec(query.requestId)?.[1];
    conditions.push(seq === undefined ? 'r.request_id = @requestId' : 'r.first = @requestId AND r.request_id IS NULL');
    values.requestId = seq === undefined ? query.requestId : Number(seq);
  }
  if (query.client !== undefined) {
    conditions.push(`r.${clientColumn(index, query.client)} = @client`);
    values.client = query.client;
  }
  if (stretch !== null) {
    // The unary plus keeps SQLite from looking for times where it can go along the numbers.
    conditions.push('r.first >= @start', 'r.first < @end', '+r.at >= @from', '+r.at < @to');
    Object.assign(values, stretch);
  }
  if (query.text === undefined || query.text.trim() === '') return { conditions, values, match: null };
  const match = matchOf(query.text);
  if (match === null) return null;
  const near = ['t.rowid = r.first', 'record_text MATCH @match'];
  if (values.end !== undefined) near.push('t.rowid >= @start', 't.rowid < @end');
  return { conditions: [...near, ...conditions], values: { ...values, match }, match };
}

/** A client is given by its label, or by its id; one condition on both would go without an index. */
function clientColumn(index: Database.Database, client: string): 'client' | 'client_id' {
  const isLabel = index.prepare('SELECT 1 FROM records WHERE client = ? LIMIT 1').get(client) !== undefined;
  return isLabel ? 'client' : 'client_id';
}

/** Numbers of records from `start` on and before `end`, in which times of the span that is asked for can stand. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly start: number;
  readonly end: number;
}

/** Newest first; one, unless the clock was set. A null: there is no bound in time. */
function stretchesOf(index: Database.Database, query: AuditQuery): readonly (Stretch | null)[] {
  if (query.from === undefined && query.to === undefined) return [null];
  const { from = Number.MIN_SAFE_INTEGER, to = Number.MAX_SAFE_INTEGER } = query;
  const spans = index
    .prepare<[number, number], number>('SELECT span FROM spans WHERE max_at >= ? AND min_at < ? ORDER BY span DESC')
    .pluck()
    .all(from, to);
  const stretches: Stretch[] = [];
  for (const span of spans) {
    const last = stretches.at(-1);
    const start = span * SPAN;
    if (last?.start === start + SPAN) stretches[stretches.length - 1] = { ...last, start };
    else stretches.push({ from, to, start, end: start + SPAN });
  }
  return stretches;
}
