import type Database from 'better-sqlite3';
import type { AuditEntryView, AuditRecordView } from '../../../shared/model.ts';
import type { AuditFilter } from './audit.ts';
import { type EntryRow, parseDetail } from './entry.ts';

export interface RecordsPage {
  readonly records: readonly AuditRecordView[];
  /** What to give as `before` for the next page; null after the last. */
  readonly nextBefore: number | null;
}

/**
 * Newest first. A record stands where its first entry stands, so that pages do not move while calls end. An entry
 * without a request id is a record of its own, `entry-<seq>`.
 */
export function listRecords(db: Database.Database, filter: AuditFilter): RecordsPage {
  const conditions = [FIRST_OF_ITS_RECORD];
  const values: Record<string, string | number> = { limit: filter.limit + 1 };
  const where = (condition: string, name: string, value: string | number | undefined) => {
    if (value === undefined) return;
    conditions.push(condition);
    values[name] = value;
  };
  where('e.seq < @before', 'before', filter.before);
  // Who and what stand in the first entry of a call already; how it ended only in the last.
  where(`${clientColumn(db, filter.client)} = @client`, 'client', filter.client);
  where('e.upstream = @upstream', 'upstream', filter.upstream);
  where('e.tool = @tool', 'tool', filter.tool);
  where(inAnyEntry('x.outcome = @outcome'), 'outcome', filter.outcome);
  where(inAnyEntry('x.error_class = @errorClass'), 'errorClass', filter.errorClass);
  where(
    inAnyEntry(TEXT),
    'text',
    filter.text === undefined ? undefined : `%${filter.text.replace(/[\\%_]/g, '\\$&')}%`,
  );

  const heads = db
    .prepare<[typeof values], { seq: number; request_id: string | null }>(
      `SELECT e.seq, e.request_id FROM entries e WHERE ${conditions.join(' AND ')} ORDER BY e.seq DESC LIMIT @limit`,
    )
    .all(values);
  const page = heads.slice(0, filter.limit);
  const bySeq = db.prepare<[number], EntryRow>('SELECT * FROM entries WHERE seq = ?');
  const byRequest = db.prepare<[string], EntryRow>('SELECT * FROM entries WHERE request_id = ? ORDER BY seq');
  return {
    records: page.map(({ seq, request_id }) =>
      recordOf(
        request_id === null ? `entry-${seq}` : request_id,
        request_id === null ? bySeq.all(seq) : byRequest.all(request_id),
      ),
    ),
    nextBefore: heads.length > filter.limit ? (page.at(-1)?.seq ?? null) : null,
  };
}

/** A client is given by its label, or by its id; one condition on both would go without an index. */
function clientColumn(db: Database.Database, client: string | undefined): string {
  const isLabel = db.prepare('SELECT 1 FROM entries WHERE client = ? LIMIT 1').get(client ?? '') !== undefined;
  return isLabel ? 'e.client' : 'e.client_id';
}

const FIRST_OF_ITS_RECORD = `(e.request_id IS NULL OR NOT EXISTS
  (SELECT 1 FROM entries f WHERE f.request_id = e.request_id AND f.seq < e.seq))`;

const TEXT = `(x.client LIKE @text ESCAPE '\\' OR x.upstream LIKE @text ESCAPE '\\' OR x.tool LIKE @text ESCAPE '\\'
  OR x.kind LIKE @text ESCAPE '\\' OR x.rule LIKE @text ESCAPE '\\' OR x.outcome LIKE @text ESCAPE '\\'
  OR x.error_class LIKE @text ESCAPE '\\' OR x.request_id LIKE @text ESCAPE '\\' OR x.detail LIKE @text ESCAPE '\\')`;

/** The condition on `x`, for any entry of the record that begins with `e`. */
function inAnyEntry(condition: string): string {
  return `(${condition.replaceAll('x.', 'e.')} OR (e.request_id IS NOT NULL AND EXISTS
    (SELECT 1 FROM entries x WHERE x.request_id = e.request_id AND x.seq > e.seq AND ${condition})))`;
}

function recordOf(requestId: string, rows: readonly EntryRow[]): AuditRecordView {
  const newestFirst = rows.toReversed();
  /** What the call was known to be at last. */
  const latest = <K extends keyof EntryRow>(name: K) => newestFirst.find((row) => row[name] !== null)?.[name] ?? null;
  return {
    requestId,
    at: rows[0]?.at ?? 0,
    client: latest('client'),
    upstream: latest('upstream'),
    tool: latest('tool'),
    kind: rows[0]?.kind ?? '',
    effect: latest('effect'),
    rule: latest('rule'),
    outcome: latest('outcome'),
    errorClass: latest('error_class'),
    entries: rows.map(entryOf),
  };
}

function entryOf(row: EntryRow): AuditEntryView {
  return {
    seq: row.seq,
    at: row.at,
    phase: row.phase,
    kind: row.kind,
    requestId: row.request_id,
    workspace: row.workspace,
    clientId: row.client_id,
    client: row.client,
    keyPrefix: row.key_prefix,
    upstream: row.upstream,
    tool: row.tool,
    effect: row.effect,
    rule: row.rule,
    outcome: row.outcome,
    errorClass: row.error_class,
    detail: parseDetail(row.detail),
    hash: row.hash,
  };
}
