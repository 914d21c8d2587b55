import type { AuditEntryView, AuditRecordView } from '../../../shared/model.ts';
import { type EntryRow, parseDetail } from './entry.ts';

/** Joins the entries of one record, in ascending order: what is shown, and what the index keeps of it. */
export function recordOf(rows: readonly EntryRow[]): AuditRecordView {
  const entries = rows.map(entryOf);
  const newestFirst = entries.toReversed();
  /** What the call was known to be at last. */
  const latest = <K extends keyof AuditEntryView>(name: K) =>
    newestFirst.find((entry) => entry[name] !== null)?.[name] ?? null;
  // What happens during a call is told under its request id, and tells nothing of the call itself.
  const own = newestFirst.some(({ phase }) => phase !== 'event')
    ? newestFirst.filter(({ phase }) => phase !== 'event')
    : newestFirst;
  const said = (name: string): unknown =>
    own.find(({ detail }) => detail[name] !== undefined && detail[name] !== null)?.detail[name];
  const approval = entries.map(({ detail }) => detail.approval).findLast(isObject) ?? {};
  const edited = approval.edited;
  return {
    requestId: idOf(rows),
    at: entries[0]?.at ?? 0,
    workspace: latest('workspace'),
    clientId: latest('clientId'),
    client: latest('client'),
    keyPrefix: latest('keyPrefix'),
    session: textOf(said('session')),
    era: eraOf(said('era')),
    upstream: latest('upstream'),
    connection: textOf(said('connection')),
    tool: latest('tool'),
    kind: entries[0]?.kind ?? '',
    risk: riskOf(said('risk')),
    fingerprint: textOf(said('fingerprint')),
    effect: latest('effect'),
    rule: latest('rule'),
    reason: textOf(said('reason')),
    standing: textOf(said('standing')),
    approval: textOf(approval.answer),
    approvedBy: textOf(approval.by),
    edited: edited !== undefined && edited !== null && edited !== false,
    outcome: latest('outcome'),
    errorClass: latest('errorClass'),
    errorCode: numberOf(said('code')),
    totalMs: numberOf(said('totalMs')),
    upstreamMs: numberOf(said('upstreamMs')),
    waitedMs: numberOf(approval.waitedMs),
    argumentsBytes: numberOf(said('argumentsBytes')),
    argumentsSha256: textOf(said('argumentsSha256')),
    resultBytes: numberOf(said('resultBytes')),
    resultSha256: textOf(said('resultSha256')),
    entries,
  };
}

/** The request id of a call; an entry without one is a record of its own, `entry-<seq>`. */
export function idOf(rows: readonly Pick<EntryRow, 'seq' | 'request_id'>[]): string {
  return rows[0]?.request_id ?? `entry-${rows[0]?.seq ?? 0}`;
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

// What stands in a detail is what some version of Gatehouse wrote, or somebody with a database tool.
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const textOf = (value: unknown) => (typeof value === 'string' ? value : null);
const numberOf = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : null);
const eraOf = (value: unknown) => (value === 'legacy' || value === 'modern' ? value : null);
const riskOf = (value: unknown) => (value === 'read' || value === 'write' || value === 'destructive' ? value : null);
