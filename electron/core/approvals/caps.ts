import type { ApprovalView } from '../../../shared/model.ts';
import type { TooMany } from './request.ts';

/** What may wait for the person at once (design section 9, F13). */
export interface Caps {
  /** Cards of one client. */
  readonly perClient: number;
  /** Cards in all. */
  readonly all: number;
  /** Calls of one client to one tool: they are the rows of one card. */
  readonly rows: number;
}

export const CAPS: Caps = { perClient: 5, all: 20, rows: 50 };

/** Arguments of the calls on one card, in characters: what waits is in memory, and a person reads it. */
const CHARACTERS = 8_000_000;

/** Why one more call may not wait; null: it may. */
export function overCaps(
  call: { readonly clientId: string; readonly group: string; readonly argumentsText: string },
  waiting: readonly ApprovalView[],
  caps: Caps,
): TooMany | null {
  const rows = waiting.filter(({ group }) => group === call.group);
  if (rows.length > 0) {
    const characters = rows.reduce((sum, { argumentsText }) => sum + argumentsText.length, call.argumentsText.length);
    const full = rows.length >= caps.rows || characters > CHARACTERS;
    return full ? { kind: 'too_many', limit: rows.length, scope: 'tool' } : null;
  }
  const cards = new Set(waiting.map(({ group }) => group));
  const own = new Set(waiting.flatMap(({ clientId, group }) => (clientId === call.clientId ? [group] : [])));
  if (own.size >= caps.perClient) return { kind: 'too_many', limit: caps.perClient, scope: 'client' };
  if (cards.size >= caps.all) return { kind: 'too_many', limit: caps.all, scope: 'all' };
  return null;
}
