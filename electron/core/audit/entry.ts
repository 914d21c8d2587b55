import { hash as digest } from 'node:crypto';
import type { AuditPhase, Effect } from '../../../shared/model.ts';
import type { AuditInput } from './audit.ts';

/** What the writer is given: an `AuditInput` with its time, every member there, `detail` as JSON text. */
export interface EntryDraft {
  readonly at: number;
  readonly phase: AuditPhase;
  readonly kind: string;
  readonly request_id: string | null;
  readonly workspace: string | null;
  readonly client_id: string | null;
  readonly client: string | null;
  readonly key_prefix: string | null;
  readonly upstream: string | null;
  readonly tool: string | null;
  readonly effect: Effect | null;
  readonly rule: string | null;
  readonly outcome: string | null;
  readonly error_class: string | null;
  readonly detail: string;
}

/** One row of `entries`. Hashes are lower-case hex. */
export interface EntryRow extends EntryDraft {
  readonly seq: number;
  readonly prev: string;
  readonly hash: string;
}

/** One row of `commits`: the signed head of one group commit. */
export interface CommitRow {
  readonly number: number;
  readonly seq: number;
  readonly hash: string;
  readonly key_id: string;
  /** Base64. */
  readonly signature: string;
}

/** Where a chain stands. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** What stands before the first entry. */
export const NO_HEAD: Head = { seq: 0, hash: '0'.repeat(64) };

/** The members of an entry that are hashed, in the order in which they are. */
export const HASHED = [
  'seq',
  'at',
  'phase',
  'kind',
  'request_id',
  'workspace',
  'client_id',
  'client',
  'key_prefix',
  'upstream',
  'tool',
  'effect',
  'rule',
  'outcome',
  'error_class',
  'detail',
  'prev',
] as const satisfies readonly (keyof EntryRow)[];

/** SHA-256, in hex, of the entry's canonical text (`docs/audit-format.md`). */
export function entryHash(row: Omit<EntryRow, 'hash'>): string {
  let text = 'gatehouse audit entry 1\n';
  for (const name of HASHED) {
    const value = row[name];
    if (value === null) {
      text += '-\n';
      continue;
    }
    const written = String(value);
    // The length makes it impossible to move text from one member into the next.
    text += `${Buffer.byteLength(written)}:${written}\n`;
  }
  return digest('sha256', text, 'hex');
}

/** The text of a commit that is signed. */
export function signedText(commit: Pick<CommitRow, 'number' | 'seq' | 'hash'>): Buffer {
  return Buffer.from(`gatehouse audit head 1\n${commit.number}\n${commit.seq}\n${commit.hash}\n`);
}

/** Longest `detail` that is stored whole, in characters. */
export const MAX_DETAIL = 1_048_576;
/** Longest of every other text, in characters: names from clients and servers are theirs to choose. */
export const MAX_TEXT = 1_024;

/** @throws TypeError when `detail` is not JSON (a cycle), which is the caller's bug. */
export function draftOf(input: AuditInput, at: number): EntryDraft {
  return {
    at: Math.trunc(at),
    phase: input.phase,
    kind: text(input.kind) ?? '',
    request_id: text(input.requestId),
    workspace: text(input.workspace),
    client_id: text(input.clientId),
    client: text(input.client),
    key_prefix: text(input.keyPrefix),
    upstream: text(input.upstream),
    tool: text(input.tool),
    effect: input.effect ?? null,
    rule: text(input.rule),
    outcome: text(input.outcome),
    error_class: text(input.errorClass),
    detail: detailText(input.detail ?? {}),
  };
}

/** The members of a `detail`; none when somebody wrote something else into it. */
export function parseDetail(text: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : {};
  } catch {
    return {};
  }
}

function detailText(detail: Readonly<Record<string, unknown>>): string {
  const whole = JSON.stringify(detail, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
  if (whole.length <= MAX_DETAIL) return whole;
  return JSON.stringify({
    cut: true,
    characters: whole.length,
    sha256: digest('sha256', whole, 'hex'),
    start: whole.slice(0, 65_536).toWellFormed(),
  });
}

/** What SQLite gives back is what was hashed: no lone surrogate (it would be replaced), no NUL (tools stop at it). */
function text(value: string | null | undefined): string | null {
  if (value === null || value === undefined) return null;
  const cut = value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value;
  return cut.replaceAll('\0', '\uFFFD').toWellFormed();
}
