import type { JSONRPCMessage } from '@modelcontextprotocol/client';
import { readExactText } from '../exact-json.ts';

/** One message of an upstream: what it says, and the exact text of what is relayed of it. */
export interface Heard {
  readonly message: JSONRPCMessage;
  /** Of `params`, `result` or `error`. Null where it must be written anew, see `readHeard`. */
  readonly text: string | null;
}

/**
 * Reads what an upstream wrote; null: it is no MCP message. A text in which a name stands twice in one object, or that is
 * nested deeper than 64 levels, is not passed on as it is: a client may read another value there than the rules did, so
 * it gets what they read (the last of the two), written anew.
 */
export function readHeard(text: string): Heard | null {
  const read = readExactText(text, PATHS);
  const value = read.kind === 'read' ? read.value : read.why === 'syntax' ? null : parsed(text);
  if (!isMessage(value)) return null;
  const relayed = read.kind === 'read' ? PATHS.flatMap((path) => read.slices.get(path) ?? []) : [];
  // Between values a line break is a space like any other, and would end a message in an event stream or on a pipe.
  return { message: value, text: relayed.length === 1 ? (relayed[0]?.replace(/[\r\n]/g, ' ') ?? null) : null };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: programs print banners and warnings on standard output.
    return null;
  }
}

function isMessage(value: unknown): value is JSONRPCMessage {
  if (!isObject(value) || value.jsonrpc !== '2.0') return false;
  const hasId = typeof value.id === 'string' || typeof value.id === 'number';
  const isRequest = typeof value.method === 'string' && (value.id === undefined || hasId);
  return isRequest || (hasId && (isObject(value.result) || isError(value.error)));
}

function isError(value: unknown): boolean {
  return isObject(value) && typeof value.code === 'number' && typeof value.message === 'string';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const PATHS = ['/params', '/result', '/error'];
