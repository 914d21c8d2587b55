import type { Tokens } from './grant.ts';

/** Whether the grant can be renewed without the person. */
export function renews(grant: Tokens): boolean {
  return grant.by === 'client_credentials' || grant.refreshToken !== null;
}

/**
 * It ends soon, by our clock: a minute before, and of a short life its last fifth. Servers count in whole seconds, so a life
 * of a few of them may end one earlier than they said.
 */
export function isDue(grant: Tokens, now: number): boolean {
  if (grant.expiresAt === null || !renews(grant)) return false;
  const life = Math.max(0, grant.expiresAt - grant.obtainedAt);
  const rounding = Math.min(ROUNDING_MS, life * 0.75);
  return now >= grant.expiresAt - Math.min(MARGIN_MS, Math.max(life / 5, rounding));
}

const MARGIN_MS = 60_000;
const ROUNDING_MS = 1_500;
