import type BetterSqlite3 from 'better-sqlite3';
import type { Clock } from '../platform.ts';

/** All calls, or those of one client, are refused until somebody resumes them. */
export interface Pause {
  /** Null: every client. */
  readonly clientId: string | null;
  /** Who paused: `dashboard`, `command line`, `tray` … */
  readonly by: string;
  readonly since: number;
}

/** `unsaved`: it holds now, but would not survive a restart, because the disk did not take it. */
export type Paused = { readonly kind: 'paused' | 'already' } | { readonly kind: 'unsaved'; readonly reason: string };
export type Resumed =
  | { readonly kind: 'resumed' | 'not_paused' }
  | { readonly kind: 'unsaved'; readonly reason: string };

/** The pause of everything and the pauses of single clients, each lifted on its own; all survive a restart. */
export interface Pauses {
  pauseAll(by: string): Paused;
  pauseClient(clientId: string, by: string): Paused;
  /** Clients that were paused one by one stay paused. */
  resumeAll(): Resumed;
  resumeClient(clientId: string): Resumed;
  /** What refuses the calls of this client now; the pause of everything is named first. */
  pausedFor(clientId: string): Pause | null;
  /** The pause of everything first, then the oldest. */
  list(): readonly Pause[];
  onChange(listener: () => void): () => void;
}

/** One row per pause; the row without a client is the pause of everything. */
export const pausesSchema = `
CREATE TABLE pauses (
  client_id TEXT REFERENCES clients (id) ON DELETE CASCADE,
  paused_by TEXT NOT NULL,
  since INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX pauses_once ON pauses (ifnull(client_id, ''));
`;

export function createPauses({ db, clock }: { readonly db: BetterSqlite3.Database; readonly clock: Clock }): Pauses {
  const insert = db.prepare<[string | null, string, number]>('INSERT INTO pauses VALUES (?, ?, ?)');
  const remove = db.prepare<[string | null]>('DELETE FROM pauses WHERE client_id IS ?');
  const rows = db.prepare<[], Row>('SELECT client_id, paused_by, since FROM pauses').all();
  const pauses = new Map<string | null, Pause>(
    rows.map(({ client_id, paused_by, since }) => [client_id, { clientId: client_id, by: paused_by, since }]),
  );
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of listeners) listener();
  };

  /** A pause holds before it is saved: a full disk must not keep anybody from stopping. */
  function pause(clientId: string | null, by: string): Paused {
    if (pauses.has(clientId)) return { kind: 'already' };
    const made = { clientId, by, since: clock.now() };
    pauses.set(clientId, made);
    tell();
    const problem = problemOf(() => insert.run(clientId, by, made.since));
    return problem === null ? { kind: 'paused' } : { kind: 'unsaved', reason: problem };
  }

  /** A pause ends only when that is saved: what would come back after a restart has not ended. */
  function resume(clientId: string | null): Resumed {
    if (!pauses.has(clientId)) return { kind: 'not_paused' };
    const problem = problemOf(() => remove.run(clientId));
    if (problem !== null) return { kind: 'unsaved', reason: problem };
    pauses.delete(clientId);
    tell();
    return { kind: 'resumed' };
  }

  return {
    pauseAll: (by) => pause(null, by),
    pauseClient: (clientId, by) => pause(clientId, by),
    resumeAll: () => resume(null),
    resumeClient: (clientId) => resume(clientId),
    pausedFor: (clientId) => pauses.get(null) ?? pauses.get(clientId) ?? null,
    list: () =>
      [...pauses.values()].toSorted(
        (a, b) => Number(a.clientId !== null) - Number(b.clientId !== null) || a.since - b.since,
      ),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** What an agent is told while its calls are refused. */
export function pausedMessage({ clientId }: Pause): string {
  const what = clientId === null ? 'The person paused all calls.' : 'The person paused the calls of this client.';
  return `${what} Nothing was run. Wait until the person resumes.`;
}

interface Row {
  readonly client_id: string | null;
  readonly paused_by: string;
  readonly since: number;
}

function problemOf(write: () => unknown): string | null {
  try {
    write();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
