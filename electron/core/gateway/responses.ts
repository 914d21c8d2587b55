import type { IncomingMessage, ServerResponse } from 'node:http';

/** On every response of every listener, error pages included (security.md A21). Never any `Access-Control-*`. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'x-frame-options': 'DENY',
  // What is not a page may load nothing and stand in no frame.
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
};

/** On top of the above on everything that is HTML. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'",
};

export interface JsonRpcErrorBody {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/** What a person can quote, and the log and the audit have as well: `data` of a JSON-RPC error of ours. */
export function requestIdData(requestId: string): { readonly 'gatehouse/requestId': string } {
  return { 'gatehouse/requestId': requestId };
}

/**
 * Answers with a JSON-RPC error. Without an `id` where the message was not (or must not be) read; with the id of
 * the request once the caller has shown a key, and at a fault of ours.
 */
export function sendError(
  response: ServerResponse,
  status: number,
  error: JsonRpcErrorBody,
  options: {
    readonly id?: string | number | null;
    readonly headers?: Readonly<Record<string, string>>;
    readonly close?: boolean;
    readonly requestId?: string;
  } = {},
): void {
  const { id, requestId } = options;
  const body = JSON.stringify({
    jsonrpc: '2.0',
    ...(id === undefined ? {} : { id }),
    error: requestId === undefined ? error : { ...error, data: requestIdData(requestId) },
  });
  sendBytes(response, status, 'application/json', body, {
    ...options.headers,
    ...(options.close ? { connection: 'close' } : {}),
  });
}

export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  sendBytes(response, status, 'application/json', JSON.stringify(value), headers);
}

/** `headers` take the place of those of every page. */
export function sendPage(
  response: ServerResponse,
  status: number,
  html: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  sendBytes(response, status, 'text/html; charset=utf-8', html, { ...PAGE_HEADERS, ...headers });
}

export function sendScript(response: ServerResponse, script: string): void {
  sendBytes(response, 200, 'text/javascript; charset=utf-8', script, {});
}

/** On to another address, by GET. */
export function sendOn(response: ServerResponse, location: string): void {
  sendBytes(response, 303, 'text/plain; charset=utf-8', '', { location });
}

function sendBytes(
  response: ServerResponse,
  status: number,
  type: string,
  body: string,
  headers: Readonly<Record<string, string>>,
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    ...headers,
    ...(hasUnreadBody(response.req) ? { connection: 'close' } : {}),
    'content-type': type,
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

/** A short body is thrown away and the connection kept; a long one would be read for nothing, so its connection ends. */
const THROWN_AWAY = 65_536;

function hasUnreadBody({ complete, headers }: IncomingMessage): boolean {
  if (complete) return false;
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > THROWN_AWAY;
}

/** For answers written to a bare socket, where there is no request to answer (malformed HTTP, header deadline). */
export function rawResponse(status: string): string {
  const headers = Object.entries(SECURITY_HEADERS).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${status}`, ...headers, 'connection: close', 'content-length: 0', '', ''].join('\r\n');
}
