import type { Tokens } from './grant.ts';

/** Whether the grant can be renewed without the person. */
export function renews(grant: Tokens): boolean {
  return grant.by === 'client_credentials' || grant.refreshToken !== null;
}

/** It ends soon, by our clock: a minute before, and of a short life its last tenth. */
export function isDue(grant: Tokens, now: number): boolean {
  if (grant.expiresAt === null || !renews(grant)) return false;
  const life = Math.max(0, grant.expiresAt - grant.obtainedAt);
  return now >= grant.expiresAt - Math.min(MARGIN_MS, life / 10);
}

const MARGIN_MS = 60_000;
