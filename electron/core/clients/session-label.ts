import { createHash } from 'node:crypto';

/**
 * A session as people and rules know it: the first 16 hex digits of the SHA-256 of its id. The id itself is a secret of
 * client and gateway; null is a stateless request.
 */
export function sessionLabel(sessionId: string | null): string | null {
  return sessionId === null ? null : createHash('sha256').update(sessionId, 'utf8').digest('hex').slice(0, 16);
}
