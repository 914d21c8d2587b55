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
  const where = conditionsOf(index, query);
  if (where === null) return [];
  const conditions = [...where.conditions, ...(before === null ? [] : ['r.first < @before'])];
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

/** Over the records `r` of the index. Null: nothing can match. */
export function conditionsOf(index: Database.Database, query: AuditQuery): Where | null {
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
  if (query.from !== undefined || query.to !== undefined) {
    const { from = Number.MIN_SAFE_INTEGER, to = Number.MAX_SAFE_INTEGER } = query;
    const span = spanOf(index, from, to);
    if (span === null) return null;
    // The unary plus keeps SQLite from looking for times where it can go along the numbers.
    conditions.push('r.first >= @start', 'r.first < @end', '+r.at >= @from', '+r.at < @to');
    Object.assign(values, { from, to, start: span.first * SPAN, end: (span.last + 1) * SPAN });
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

/** The first and the last span that hold a time from `from` until before `to`. */
function spanOf(
  index: Database.Database,
  from: number,
  to: number,
): { readonly first: number; readonly last: number } | null {
  const { first, last } = index
    .prepare<[number, number], { first: number | null; last: number | null }>(
      'SELECT min(span) AS first, max(span) AS last FROM spans WHERE max_at >= ? AND min_at < ?',
    )
    .get(from, to) ?? { first: null, last: null };
  return first === null || last === null ? null : { first, last };
}
