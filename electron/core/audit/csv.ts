import type { AuditRecordView } from '../../../shared/model.ts';

/** The columns of a CSV export: the record's own members, then its arguments as they are kept. */
const COLUMNS = [
  'requestId',
  'workspace',
  'client',
  'clientId',
  'keyPrefix',
  'session',
  'era',
  'upstream',
  'connection',
  'kind',
  'tool',
  'risk',
  'fingerprint',
  'effect',
  'rule',
  'reason',
  'standing',
  'approval',
  'approvedBy',
  'edited',
  'outcome',
  'errorClass',
  'errorCode',
  'totalMs',
  'upstreamMs',
  'waitedMs',
  'argumentsBytes',
  'argumentsSha256',
  'resultBytes',
  'resultSha256',
] as const satisfies readonly (keyof AuditRecordView)[];

export function csvHead(): string {
  return row(['time', ...COLUMNS, 'arguments']);
}

/** One record as one line of RFC 4180, with CRLF at its end. */
export function csvLine(record: AuditRecordView): string {
  const { detail } = record.entries.find((entry) => entry.detail.arguments !== undefined) ?? {};
  const kept = detail?.arguments;
  return row([
    new Date(record.at).toISOString(),
    ...COLUMNS.map((name) => record[name]),
    typeof kept === 'string' ? kept : kept === undefined ? null : JSON.stringify(kept),
  ]);
}

function row(values: readonly (string | number | boolean | null)[]): string {
  return `${values.map(cell).join(',')}\r\n`;
}

/**
 * Text that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, CSV injection); numbers are ours.
 * A line break becomes a space: one record is one line for every program.
 */
function cell(value: string | number | boolean | null): string {
  if (value === null) return '';
  if (typeof value !== 'string') return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  const line = safe.replace(/[\r\n\u2028\u2029]+/g, ' ');
  return /[",\t]|^ | $/.test(line) ? `"${line.replaceAll('"', '""')}"` : line;
}
