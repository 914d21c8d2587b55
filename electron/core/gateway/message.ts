/** One JSON-RPC message as it arrived, told apart by what must be done with it. */
export type Message =
  | { readonly kind: 'request'; readonly id: string | number; readonly method: string; readonly value: unknown }
  | { readonly kind: 'notification'; readonly method: string; readonly value: unknown }
  | { readonly kind: 'response'; readonly value: unknown }
  | { readonly kind: 'none'; readonly why: string };

/** One JSON-RPC message, or why it is none. Batches are refused in every revision (design section 9, C5). */
export function messageOf(value: unknown): Message {
  if (Array.isArray(value)) return none('Batches are not accepted; send one message.');
  if (typeof value !== 'object' || value === null) return none('The body is not a JSON-RPC message.');
  const { jsonrpc, id, method, params } = value as Record<string, unknown>;
  if (jsonrpc !== '2.0') return none('jsonrpc must be "2.0".');
  if (params !== undefined && (typeof params !== 'object' || params === null || Array.isArray(params)))
    return none('params must be an object.');
  if (method === undefined) {
    const isResponse = isId(id) && ('result' in value || 'error' in value);
    return isResponse ? { kind: 'response', value } : none('The body is not a JSON-RPC message.');
  }
  if (typeof method !== 'string') return none('method must be a string.');
  if (id === undefined) return { kind: 'notification', method, value };
  // A number that does not survive parsing would come back as another id, and the caller would wait for ever.
  if (!isId(id)) return none('id must be a string or an integer of at most 53 bits.');
  return { kind: 'request', id, method, value };
}

function isId(id: unknown): id is string | number {
  return typeof id === 'string' || Number.isSafeInteger(id);
}

function none(why: string): Message {
  return { kind: 'none', why };
}
