import type Database from 'better-sqlite3';
import type { EntryDraft, EntryRow } from './entry.ts';
import { LOG_KINDS } from './schema.ts';

/**
 * The entries that close what an earlier run left open (design section 3): a call that was forwarded and never ended may
 * or may not have run; one that only asked has not.
 *
 * @param at wall clock of this start.
 */
export function closingEntries(db: Database.Database, at: number): readonly EntryDraft[] {
  // Everything before the last start was closed by it.
  const open = db
    .prepare<[string], EntryRow>(
      `SELECT * FROM entries e
       WHERE e.seq > coalesce((SELECT max(seq) FROM entries WHERE kind = ?), 0)
         AND e.phase IN ('asked', 'forwarded') AND e.request_id IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM entries x WHERE x.request_id = e.request_id AND x.phase = 'ended')
       ORDER BY e.seq`,
    )
    .all(LOG_KINDS.opened);
  // The last entry of each call says how far it came.
  const byRequest = new Map(open.map((row) => [row.request_id, row]));
  return [...byRequest.values()].map((row) => ({
    at,
    phase: 'ended',
    kind: row.kind,
    request_id: row.request_id,
    workspace: row.workspace,
    client_id: row.client_id,
    client: row.client,
    key_prefix: row.key_prefix,
    upstream: row.upstream,
    tool: row.tool,
    effect: row.effect,
    rule: row.rule,
    outcome: row.phase === 'forwarded' ? 'interrupted' : 'not_executed',
    error_class: null,
    detail: JSON.stringify({
      message:
        row.phase === 'forwarded'
          ? 'Gatehouse ended before the upstream answered: it is unknown whether it ran.'
          : 'Gatehouse ended before anybody answered: it was not run.',
      recovered: true,
    }),
  }));
}
