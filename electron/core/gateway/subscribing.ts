import type { UpstreamOutcome } from '../upstreams/request.ts';
import type { McpServerParts } from './mcp-server.ts';

/**
 * The same parts for the server of one session, where each subscription that the upstream took is noted down: by URI, with
 * the upstream that has it. `noted` makes the change and sees to it that it is kept.
 */
export function subscribing(
  parts: McpServerParts,
  subscriptions: Map<string, string>,
  noted: (change: () => void) => void,
): McpServerParts {
  return {
    ...parts,
    upstreams: {
      ...parts.upstreams,
      async subscribe(upstreamId, uri, sessionKey, connectionId) {
        if (subscriptions.size >= MOST_SUBSCRIPTIONS && !subscriptions.has(uri)) return TOO_MANY;
        const outcome = await parts.upstreams.subscribe(upstreamId, uri, sessionKey, connectionId);
        if (outcome.kind === 'answered') noted(() => subscriptions.set(uri, upstreamId));
        return outcome;
      },
      async unsubscribe(upstreamId, uri, sessionKey) {
        if (subscriptions.has(uri)) noted(() => subscriptions.delete(uri));
        return parts.upstreams.unsubscribe(upstreamId, uri, sessionKey);
      },
    },
  };
}

/** Resources that one session may subscribe to. */
export const MOST_SUBSCRIPTIONS = 1000;

const TOO_MANY: UpstreamOutcome = {
  kind: 'error',
  code: -32602,
  message: `A session subscribes to at most ${MOST_SUBSCRIPTIONS} resources.`,
};
