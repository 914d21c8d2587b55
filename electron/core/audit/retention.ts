import type BetterSqlite3 from 'better-sqlite3';
import type { RetentionView } from '../../../shared/model.ts';
import type { Log } from '../diagnosis/log.ts';
import type { Clock } from '../platform.ts';
import type { Audit } from './audit.ts';

/** How long the audit is kept: a setting, and what applies it once a day. */
export interface Retention {
  get(): RetentionView;
  set(wanted: Pick<RetentionView, 'olderThanMs' | 'keepBytes'>): void;
  close(): void;
}

/** In `state.db`. Null in both: everything is kept, which is how it begins. */
export const retentionSchema = `
CREATE TABLE audit_retention (
  only          INTEGER PRIMARY KEY CHECK (only = 1),
  older_than_ms INTEGER CHECK (older_than_ms > 0),
  keep_bytes    INTEGER CHECK (keep_bytes > 0),
  applied_at    INTEGER
) STRICT;
`;

/** How long after a start it first looks, how often it looks, and how often it applies. Milliseconds. */
const FIRST_MS = 60_000;
const LOOK_MS = 3_600_000;
const APPLY_MS = 24 * 3_600_000;

/** @param running false: only the setting is wanted, nothing is applied. */
export function createRetention(parts: {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
  readonly audit: Pick<Audit, 'purge'>;
  readonly log: Log;
  readonly running: boolean;
}): Retention {
  const { db, clock, audit, log, running } = parts;
  const select = db.prepare<[], RetentionView>(
    'SELECT older_than_ms AS olderThanMs, keep_bytes AS keepBytes, applied_at AS appliedAt FROM audit_retention',
  );
  const upsert = db.prepare('INSERT OR REPLACE INTO audit_retention VALUES (1, @olderThanMs, @keepBytes, @appliedAt)');
  const get = (): RetentionView => select.get() ?? { olderThanMs: null, keepBytes: null, appliedAt: null };
  let cancel = running ? clock.after(FIRST_MS, look) : () => {};

  function look(): void {
    cancel = clock.after(LOOK_MS, look);
    void apply();
  }

  async function apply(): Promise<void> {
    const { olderThanMs, keepBytes, appliedAt } = get();
    if (olderThanMs === null && keepBytes === null) return;
    // A clock that was set back must not put it off for ever.
    if (appliedAt !== null && Math.abs(clock.now() - appliedAt) < APPLY_MS) return;
    const answer = await audit.purge({ olderThanMs, keepBytes }, 'retention');
    if (answer.kind === 'unavailable') {
      log.warn('audit_not_purged', { reason: answer.reason });
      return;
    }
    upsert.run({ ...get(), appliedAt: clock.now() });
    if (answer.removed !== null) log.info('audit_purged', { entries: answer.removed.entries });
  }

  return {
    get,
    set: ({ olderThanMs, keepBytes }) => void upsert.run({ olderThanMs, keepBytes, appliedAt: null }),
    close: () => cancel(),
  };
}
