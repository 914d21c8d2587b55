import { readChallenge } from './challenge.ts';
import type { Connection } from './connection-table.ts';

/** An upstream that wants more than was granted (RFC 6750, 3.1, `insufficient_scope`). */
export interface StepUp {
  /** Granted and wanted together; null: it is not asked for again. */
  readonly asksFor: readonly string[] | null;
  /** What it is about, in words that follow the upstream's name. */
  readonly words: string;
}

/** At most two a day: a server that is never content would send the person to sign in for ever (security.md I17). */
export function stepUpOf(connection: Connection, challenge: string | null, now: number): StepUp {
  const wanted = readChallenge(challenge)?.scopes ?? null;
  if (wanted === null) {
    return { asksFor: null, words: 'wants more access for this, and does not say which. Ask its vendor.' };
  }
  const named = wanted.join(' ');
  if (connection.mode === 'client_credentials') {
    return {
      asksFor: null,
      words: `wants more access for this (scopes: ${named}). The person adds it to how accounts sign in there.`,
    };
  }
  if (stepUpsOf(connection, now) >= MOST_STEP_UPS) {
    return {
      asksFor: null,
      words: `wants more access for this (scopes: ${named}), although the person has signed in twice for more. It is not asked for again today.`,
    };
  }
  const union = [...new Set([...(connection.asksFor ?? connection.scopes ?? []), ...wanted])];
  return {
    asksFor: union,
    words: `wants more access for this (scopes: ${named}). The person can grant it by signing in again.`,
  };
}

/** Sign-ins for more scopes, of the last day. */
export function stepUpsOf({ stepUps, steppedUpAt }: Connection, now: number): number {
  return steppedUpAt === null || Math.abs(now - steppedUpAt) >= DAY_MS ? 0 : stepUps;
}

const MOST_STEP_UPS = 2;
const DAY_MS = 24 * 60 * 60_000;
