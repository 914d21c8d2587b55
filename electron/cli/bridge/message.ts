import { z } from 'zod';

/** What the bridge looks at in a message of the server; the bytes it hands on are never made from it. */
export interface ServerMessage {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

export function parseMessage(bytes: Buffer): ServerMessage {
  const value = parsed(bytes);
  return typeof value === 'object' && value !== null ? value : {};
}

/**
 * What a listener looks at again after it was gone: each kind of change that the acknowledgement of its subscription names
 * (MCP 2026-07-28, subscriptions), told once and stamped like it.
 */
export function missedChanges({ params }: ServerMessage): readonly Buffer[] {
  const taken = acknowledged.safeParse(params);
  if (!taken.success) return [];
  const { notifications, _meta } = taken.data;
  const told = (method: string, more: object = {}) =>
    Buffer.from(JSON.stringify({ jsonrpc: '2.0', method, params: { ...more, _meta } }));
  return [
    ...(notifications.toolsListChanged ? [told('notifications/tools/list_changed')] : []),
    ...(notifications.promptsListChanged ? [told('notifications/prompts/list_changed')] : []),
    ...(notifications.resourcesListChanged ? [told('notifications/resources/list_changed')] : []),
    ...notifications.resourceSubscriptions.map((uri) => told('notifications/resources/updated', { uri })),
  ];
}

const acknowledged = z.object({
  _meta: z.record(z.string(), z.unknown()),
  notifications: z.object({
    toolsListChanged: z.boolean().default(false),
    promptsListChanged: z.boolean().default(false),
    resourcesListChanged: z.boolean().default(false),
    resourceSubscriptions: z.array(z.string()).default([]),
  }),
});

/** The JSON-RPC error of an HTTP refusal; a sentence of our own where its body is none. */
export function refusalOf(status: number, body: Buffer): RpcError {
  const { error } = parseMessage(body);
  if (typeof error !== 'object' || error === null || !('code' in error) || !('message' in error))
    return { code: INTERNAL, message: `Gatehouse answered with HTTP ${status}.` };
  const { code, message } = error;
  const data = 'data' in error ? { data: error.data } : {};
  return { code: Number(code), message: String(message), ...data };
}

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/** JSON-RPC 2.0, 5.1: internal error. */
export const INTERNAL = -32603;

/** An answer of the bridge's own. `idText` is the text of the id as the client wrote it. */
export function errorLine(idText: string, error: RpcError): Buffer {
  return Buffer.from(`{"jsonrpc":"2.0","id":${idText},"error":${JSON.stringify(error)}}`);
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return null;
  }
}
