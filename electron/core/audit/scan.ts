import type Database from 'better-sqlite3';
import type { AuditRecordView, CallKind, Effect, Era, Risk, ShadowDecision } from '../../../shared/model.ts';
import { findRecords, recordReader } from './queries.ts';

/** A call as it was decided: what a rule may look at, what was decided, and what came of it. */
export interface RecordedCall {
  readonly requestId: string;
  /** Of its first entry, and its time. */
  readonly seq: number;
  readonly at: number;
  readonly workspace: string | null;
  readonly clientId: string | null;
  readonly client: string;
  readonly clientTags: readonly string[];
  readonly keyId: string | null;
  readonly keyPrefix: string | null;
  /** First characters of the SHA-256 of the session's id. */
  readonly session: string | null;
  readonly era: Era | null;
  readonly upstream: string;
  readonly upstreamTags: readonly string[];
  readonly connection: string | null;
  readonly kind: CallKind;
  readonly tool: string;
  readonly risk: Risk;
  readonly fingerprint: string | null;
  /** Redacted, and perhaps cut; exact otherwise. */
  readonly argumentsText: string;
  /** The end of the text is missing, so it is no JSON. */
  readonly isCut: boolean;
  readonly argumentsSha256: string | null;
  readonly effect: Effect;
  readonly rule: string | null;
  /** The standing approval that made `allow` of what the rule wanted to ask. */
  readonly standing: string | null;
  /** The trust in the client that did. */
  readonly trust: string | null;
  /** What a shadow said of it, where one ran. */
  readonly shadow: ShadowDecision | null;
  /** Which revision of the workspace's policy decided; null in records of older versions. */
  readonly policy: string | null;
  /** How the person answered, and where. */
  readonly approval: string | null;
  readonly approvedBy: string | null;
  /** Of the card that was answered. */
  readonly approvalId: string | null;
  /** The person changed the arguments before approving. */
  readonly edited: boolean;
  readonly waitedMs: number | null;
  readonly outcome: string | null;
  readonly errorClass: string | null;
}

export interface ScannedCalls {
  readonly calls: readonly RecordedCall[];
  /** What to give as `before` for the next batch; null when there is no more. */
  readonly nextBefore: number | null;
}

/** The next calls before `before`, newest first. Calls that ended before they were decided are left out. */
export function scanCalls(
  index: Database.Database,
  log: Database.Database,
  span: { readonly before: number | null; readonly sinceAt: number | null; readonly limit: number },
): ScannedCalls {
  const query = span.sinceAt === null ? {} : { from: span.sinceAt };
  const calls: RecordedCall[] = [];
  const read = recordReader(log);
  let before = span.before;
  while (calls.length < span.limit) {
    const found = findRecords(index, query, before, BATCH);
    for (const one of found) {
      before = one.first;
      const call = recordedCall(read(one));
      if (call !== null) calls.push(call);
      if (calls.length === span.limit) break;
    }
    if (found.length < BATCH) return { calls, nextBefore: calls.length === span.limit ? before : null };
  }
  return { calls, nextBefore: before };
}

const BATCH = 500;

const KINDS: Readonly<Record<string, Extract<CallKind, 'tool' | 'prompt' | 'resource'>>> = {
  tool_call: 'tool',
  prompt_get: 'prompt',
  resource_read: 'resource',
};

/** Null: it is no call, or ended before it was decided. */
export function recordedCall(record: AuditRecordView): RecordedCall | null {
  const { client, upstream, tool, effect } = record;
  const decided = record.entries.filter(({ phase }) => phase !== 'event');
  const opening = decided.find(({ detail }) => typeof detail.arguments === 'string')?.detail;
  const kind = callKindOf(opening?.callKind) ?? KINDS[record.kind];
  if (opening === undefined || kind === undefined) return null;
  if (client === null || upstream === null || tool === null || effect === null) return null;
  return {
    requestId: record.requestId,
    seq: record.entries[0]?.seq ?? 0,
    at: record.at,
    workspace: record.workspace,
    clientId: record.clientId,
    client,
    clientTags: textsOf(opening.clientTags),
    keyId: typeof opening.keyId === 'string' ? opening.keyId : null,
    keyPrefix: record.keyPrefix,
    session: record.session,
    era: record.era,
    upstream,
    upstreamTags: textsOf(opening.upstreamTags),
    connection: record.connection,
    kind,
    tool,
    // Nothing less was known of it: a rule on risk must not find it harmless.
    risk: record.risk ?? 'destructive',
    fingerprint: record.fingerprint,
    argumentsText: String(opening.arguments),
    isCut: opening.truncated === true,
    argumentsSha256: record.argumentsSha256,
    effect,
    rule: record.rule,
    standing: record.standing,
    trust: typeof opening.trust === 'string' ? opening.trust : null,
    shadow: shadowOf(opening.shadow),
    policy: typeof opening.policy === 'string' ? opening.policy : null,
    approval: record.approval,
    approvedBy: record.approvedBy,
    approvalId: approvalIdOf(decided),
    edited: record.edited,
    waitedMs: record.waitedMs,
    outcome: record.outcome,
    errorClass: record.errorClass,
  };
}

function callKindOf(value: unknown): Extract<CallKind, 'tool' | 'prompt' | 'resource'> | null {
  return value === 'tool' || value === 'prompt' || value === 'resource' ? value : null;
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

/** While it is asked for, an entry names the card alone; with the answer, inside of it. */
function approvalIdOf(entries: AuditRecordView['entries']): string | null {
  for (const { detail } of entries.toReversed()) {
    const { approval } = detail;
    if (typeof approval === 'string') return approval;
    const named =
      typeof approval === 'object' && approval !== null && 'approval' in approval ? approval.approval : null;
    if (typeof named === 'string') return named;
  }
  return null;
}

/** What stands in a detail is what some version of Gatehouse wrote. */
function shadowOf(value: unknown): ShadowDecision | null {
  if (typeof value !== 'object' || value === null) return null;
  const { id, effect, rule } = value as Readonly<Record<string, unknown>>;
  if (typeof id !== 'string' || (effect !== 'allow' && effect !== 'require_approval' && effect !== 'deny')) return null;
  return { id, effect, rule: typeof rule === 'string' ? rule : null };
}
