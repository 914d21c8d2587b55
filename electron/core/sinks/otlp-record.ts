import { type LogRecord, SeverityNumber } from '@opentelemetry/api';
import { type CommitRow, type EntryRow, parseDetail } from '../audit/entry.ts';
import type { Sender } from './destination.ts';
import { commitLine, entryLine } from './lines.ts';

/**
 * One entry as an OpenTelemetry log record. The body is the line of the export, from which its hash can be computed; the
 * attributes are for searching (`docs/audit-sinks.md`). What is not known is left out.
 */
export function entryRecord(entry: EntryRow, chain: string, sender: Sender): LogRecord {
  const { number, text } = severityOf(entry);
  const detail = parseDetail(entry.detail);
  return {
    timestamp: entry.at,
    eventName: `gatehouse.${entry.phase === 'event' ? 'event' : 'call'}.${entry.kind}`,
    severityNumber: number,
    severityText: text,
    body: entryLine(entry, chain, sender),
    attributes: known({
      'log.record.uid': `${chain}/${entry.seq}`,
      'gatehouse.chain': chain,
      'gatehouse.seq': entry.seq,
      'gatehouse.hash': entry.hash,
      'gatehouse.prev': entry.prev,
      'gatehouse.phase': entry.phase,
      'gatehouse.kind': entry.kind,
      'gatehouse.request_id': entry.request_id,
      'gatehouse.workspace': entry.workspace,
      'gatehouse.client.id': entry.client_id,
      'gatehouse.client.name': entry.client,
      'gatehouse.key_prefix': entry.key_prefix,
      'gatehouse.upstream': entry.upstream,
      'gatehouse.connection': typeof detail.connection === 'string' ? detail.connection : null,
      'gatehouse.effect': entry.effect,
      'gatehouse.rule': entry.rule,
      'gatehouse.outcome': entry.outcome,
      'error.type': entry.error_class,
      'mcp.method.name': METHODS[entry.kind] ?? null,
      'gen_ai.operation.name': entry.kind === 'tool_call' ? 'execute_tool' : null,
      'gen_ai.tool.name': entry.kind === 'tool_call' ? entry.tool : null,
      'gen_ai.prompt.name': entry.kind === 'prompt_get' ? entry.tool : null,
      'mcp.resource.uri': entry.kind === 'resource_read' ? entry.tool : null,
      'gatehouse.duration_ms': typeof detail.totalMs === 'number' ? detail.totalMs : null,
    }),
  };
}

/** The signed head of a group of entries. */
export function commitRecord(commit: CommitRow, at: number, chain: string, sender: Sender): LogRecord {
  return {
    timestamp: at,
    eventName: 'gatehouse.commit',
    severityNumber: SeverityNumber.DEBUG,
    severityText: 'DEBUG',
    body: commitLine(commit, chain, sender),
    attributes: {
      'log.record.uid': `${chain}/${commit.seq}/commit`,
      'gatehouse.chain': chain,
      'gatehouse.seq': commit.seq,
      'gatehouse.hash': commit.hash,
    },
  };
}

/**
 * ERROR: it went wrong at Gatehouse or an upstream, or it is not known whether it ran. WARN: somebody said no. INFO: the
 * rest.
 */
export function severityOf(entry: Pick<EntryRow, 'kind' | 'outcome' | 'error_class'>): {
  readonly number: SeverityNumber;
  readonly text: 'ERROR' | 'WARN' | 'INFO';
} {
  const isError =
    entry.outcome === 'failed' ||
    entry.outcome === 'interrupted' ||
    SERIOUS_KINDS.has(entry.kind) ||
    entry.error_class === 'internal';
  if (isError) return { number: SeverityNumber.ERROR, text: 'ERROR' };
  const isWarning = entry.outcome === 'refused' || entry.outcome === 'not_executed' || entry.error_class !== null;
  return isWarning ? { number: SeverityNumber.WARN, text: 'WARN' } : { number: SeverityNumber.INFO, text: 'INFO' };
}

const SERIOUS_KINDS: ReadonlySet<string> = new Set([
  'tampering_found',
  'audit_unavailable_gap',
  'audit_gap',
  'sink_gap',
]);

/** https://opentelemetry.io/docs/specs/semconv/registry/attributes/mcp/ */
const METHODS: Readonly<Record<string, string>> = {
  tool_call: 'tools/call',
  prompt_get: 'prompts/get',
  resource_read: 'resources/read',
  completion: 'completion/complete',
};

function known(
  attributes: Readonly<Record<string, string | number | null>>,
): Readonly<Record<string, string | number>> {
  return Object.fromEntries(
    Object.entries(attributes).filter((pair): pair is [string, string | number] => pair[1] !== null),
  );
}
