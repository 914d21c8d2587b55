/** What the bridge looks at in a message of the server; the bytes it hands on are never made from it. */
export interface ServerMessage {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

export function parseMessage(bytes: Buffer): ServerMessage {
  const value = parsed(bytes);
  return typeof value === 'object' && value !== null ? value : {};
}

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
