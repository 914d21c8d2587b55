import type { Era } from '../../../shared/model.ts';
import { readExactJson } from '../../core/exact-json.ts';
import { encode } from '../../core/upstreams/parameter-headers.ts';

/** One line of the client: its bytes as they came, and what must be known of them to carry them over HTTP. */
export type Line =
  | (Carried & {
      readonly kind: 'request';
      /** The exact text of the id, so that an answer of ours bears the same. */
      readonly idText: string;
      readonly id: string | number;
      readonly method: string;
      readonly era: Era;
      /** Name of the tool that is called; null for every other request. */
      readonly tool: string | null;
    })
  | (Carried & {
      readonly kind: 'notification';
      readonly method: string;
      readonly era: Era;
      /** Text of the id of the request that is cancelled. */
      readonly cancels: string | null;
    })
  /** An answer to a request of the server, or something that only the gateway can say what is wrong with. */
  | (Carried & { readonly kind: 'other' });

interface Carried {
  readonly bytes: Buffer;
  /** What 2026-07-28 wants beside the body (Streamable HTTP, request headers); empty in the earlier revisions. */
  readonly headers: Readonly<Record<string, string>>;
}

export function readLine(bytes: Buffer): Line {
  const other = { kind: 'other', bytes, headers: {} } as const;
  const read = readExactJson(bytes, [ID, CANCELLED]);
  if (read.kind === 'refused' || !isObject(read.value)) return other;
  const { id, method } = read.value;
  if (typeof method !== 'string') return other;
  const params = isObject(read.value.params) ? read.value.params : {};
  const revision = isObject(params._meta) ? params._meta['io.modelcontextprotocol/protocolVersion'] : undefined;
  const era = typeof revision === 'string' ? 'modern' : 'legacy';
  const headers = typeof revision === 'string' ? modernHeaders(revision, method, params) : {};
  if (id === undefined) {
    const cancels = method === 'notifications/cancelled' ? (read.slices.get(CANCELLED) ?? null) : null;
    return { kind: 'notification', bytes, headers, method, era, cancels };
  }
  if (typeof id !== 'string' && typeof id !== 'number') return other;
  const tool = method === 'tools/call' && typeof params.name === 'string' ? params.name : null;
  return { kind: 'request', bytes, headers, idText: read.slices.get(ID) ?? String(id), id, method, era, tool };
}

/** The exact text of the arguments of a `tools/call`. */
export function argumentsOf(line: Line): string {
  const read = readExactJson(line.bytes, [ARGUMENTS]);
  return (read.kind === 'read' ? read.slices.get(ARGUMENTS) : undefined) ?? '{}';
}

const ID = '/id';
const CANCELLED = '/params/requestId';
const ARGUMENTS = '/params/arguments';

/** Which member of `params` a proxy may route by. */
const NAMED_BY: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
};

function modernHeaders(
  revision: string,
  method: string,
  params: Readonly<Record<string, unknown>>,
): Record<string, string> {
  const name = params[NAMED_BY[method] ?? ''];
  return {
    'mcp-protocol-version': encode(revision),
    'mcp-method': encode(method),
    ...(typeof name === 'string' ? { 'mcp-name': encode(name) } : {}),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
