import type { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server';
import { z } from 'zod';

/**
 * The requests of one session that are not answered yet, by JSON-RPC id. The SDK keeps one answer per id: a second request
 * under an id still in flight would be given the first one's answer, and the first would never end.
 */
export interface InFlight {
  /** False: a request with this id is still being worked on. Anything but a request is always taken. */
  take(message: unknown): boolean;
  /** The transport refused the message before it became a request. */
  drop(message: unknown): void;
  /** After a `notifications/cancelled`: nobody answers that request any more, so its stream and its id are free again. */
  endCancelled(message: unknown): Promise<void>;
}

export function watchInFlight(
  transport: Pick<WebStandardStreamableHTTPServerTransport, 'send' | 'closeSSEStream'>,
): InFlight {
  const open = new Set<string | number>();
  const send = transport.send.bind(transport);
  transport.send = async (message, options) => {
    try {
      await send(message, options);
    } finally {
      if (!('method' in message) && message.id !== undefined) open.delete(message.id);
    }
  };
  return {
    take(message) {
      const asked = request.safeParse(message);
      if (!asked.success) return true;
      if (open.has(asked.data.id)) return false;
      open.add(asked.data.id);
      return true;
    },
    drop(message) {
      const asked = request.safeParse(message);
      if (asked.success) open.delete(asked.data.id);
    },
    async endCancelled(message) {
      const told = cancelled.safeParse(message);
      if (!told.success) return;
      const { requestId } = told.data.params;
      if (!open.delete(requestId)) return;
      transport.closeSSEStream(requestId);
      // Into the closed stream: nobody is sent it, and the SDK forgets the request.
      await send({ jsonrpc: '2.0', id: requestId, error: { code: -32800, message: 'The call was cancelled.' } });
    },
  };
}

const id = z.union([z.string(), z.number()]);
const request = z.object({ method: z.string(), id });
const cancelled = z.object({ method: z.literal('notifications/cancelled'), params: z.object({ requestId: id }) });
