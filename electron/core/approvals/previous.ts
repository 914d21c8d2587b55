import type { PreviousCall } from '../../../shared/model.ts';
import type { ApprovalRequest } from './request.ts';

/**
 * The last approved call of each tool by each client, to show what differs from it. In memory alone, because arguments may
 * hold secrets and those are never in clear on disk (security.md N5): after a start there is nothing to compare with.
 */
export interface PreviousCalls {
  approved(call: ApprovalRequest, argumentsText: string, at: number): void;
  find(call: ApprovalRequest): PreviousCall | null;
}

/** Tools remembered at once, and the longest arguments kept of one, in characters: 16 million at most. */
const TOOLS = 256;
const LONGEST = 65_536;

export function createPreviousCalls(): PreviousCalls {
  const last = new Map<string, PreviousCall>();
  return {
    approved(call, argumentsText, at) {
      const key = keyOf(call);
      last.delete(key);
      last.set(key, { at, argumentsText: argumentsText.length > LONGEST ? null : argumentsText });
      const [oldest] = last.keys();
      if (last.size > TOOLS && oldest !== undefined) last.delete(oldest);
    },
    find: (call) => last.get(keyOf(call)) ?? null,
  };
}

function keyOf({ client, upstreamId, connection, tool }: ApprovalRequest): string {
  return JSON.stringify([client.id, upstreamId, connection?.id ?? null, tool]);
}
