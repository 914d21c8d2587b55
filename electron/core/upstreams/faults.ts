import type { Failure } from './channel.ts';
import { NotLetIn } from './credentials.ts';
import { inWords } from './limits.ts';

/** What went wrong between us and an HTTP upstream, in words that follow its name. */
export interface Fault {
  readonly errorClass: Failure['errorClass'];
  readonly words: string;
  /** Nothing of the request can have reached the upstream. */
  readonly unsent: boolean;
  readonly status: number | null;
  /** Why its account was not let in, where that is what went wrong: it says more than the rest. */
  readonly failure?: Failure;
}

/** Reads what the SDK or the socket threw. Texts of the server are left out: they are not ours to show. */
export function faultOf(error: unknown, url: string | null): Fault {
  const chain = causes(error);
  const status = chain.map(statusOf).find((found) => found !== null) ?? null;
  const where = url === null ? 'it' : new URL(url).host;
  const failure = chain.find((link) => link instanceof NotLetIn)?.failure;
  if (failure !== undefined)
    return { errorClass: failure.errorClass, words: 'did not let the account in', unsent: true, status: 401, failure };
  if (
    chain.some((link) => link.name === 'UnauthorizedError' || link.name === 'InsufficientScopeError') ||
    status === 401
  ) {
    return { errorClass: 'auth_required', words: 'asks for a sign-in', unsent: true, status: status ?? 401 };
  }
  if (status !== null)
    return { errorClass: 'upstream_unreachable', words: inStatus(status), unsent: status < 500, status };
  const code = chain.map(codeOf).find((found) => found !== null) ?? null;
  const words = code === null ? undefined : UNSENT[code];
  if (code !== null && words !== undefined) {
    return {
      errorClass: 'upstream_unreachable',
      words: `${words.replace('%', where)} (${code})`,
      unsent: true,
      status,
    };
  }
  if (code !== null && /CERT|TLS|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) {
    return { errorClass: 'upstream_unreachable', words: `has no valid certificate (${code})`, unsent: true, status };
  }
  // The question for its era went unanswered: slow, not wrong.
  if (chain.some(isTimeout))
    return { errorClass: 'upstream_timeout', words: 'did not answer in time', unsent: false, status };
  return {
    errorClass: 'upstream_crashed',
    words: code === null ? 'answered with something that is not MCP' : `broke the connection (${code})`,
    unsent: false,
    status,
  };
}

/** The SDK's code, spelled out: reading the SDK takes longer than the rest of our start. */
function isTimeout(link: Link): boolean {
  return link.code === 'REQUEST_TIMEOUT';
}

/** It answered the question for its era, and does not speak the modern one. */
export function offersNoModern(error: unknown): boolean {
  const [link, ...below] = causes(error);
  if (link === undefined || statusOf(link) !== null) return false;
  // Of the SDK's code for all that went wrong there, the one with neither status nor cause says that none was offered.
  return link.code === UNSUPPORTED_VERSION || (link.code === 'ERA_NEGOTIATION_FAILED' && below.length === 0);
}

/** The handshake was refused in a way that a server of 2024-11-05 refuses it (MCP specification, backwards compatibility). */
export function mayBeSseOnly(fault: Fault): boolean {
  return fault.status === 404 || fault.status === 405;
}

export function neverAnswered(name: string, ms: number, garbage: number): string {
  const what = garbage > 0 ? 'prints text that is no MCP message and' : 'was started, but';
  return `${name} ${what} did not answer within ${inWords(ms)}.`;
}

interface Link {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly status?: unknown;
  readonly data?: unknown;
}

function causes(error: unknown): readonly Link[] {
  const found: Link[] = [];
  for (let next = error; typeof next === 'object' && next !== null && found.length < 8; ) {
    found.push(next);
    next = 'cause' in next ? next.cause : undefined;
  }
  return found;
}

function statusOf(link: Link): number | null {
  const data = link.data;
  const inData = typeof data === 'object' && data !== null && 'status' in data ? data.status : undefined;
  const status = inData ?? link.status ?? (link.name === 'SseError' ? link.code : undefined);
  return typeof status === 'number' && status >= 100 && status <= 599 ? status : null;
}

function codeOf(link: Link): string | null {
  return typeof link.code === 'string' &&
    /^(E[A-Z]|UND_ERR|CERT|SELF|UNABLE|DEPTH|HOSTNAME|ERR_TLS|ERR_SSL)/.test(link.code) &&
    !SDK_CODES.has(link.code)
    ? link.code
    : null;
}

function inStatus(status: number): string {
  if (status >= 300 && status < 400) return `redirects to another address, which is not followed (HTTP ${status})`;
  if (status === 404 || status === 405) return `has no MCP endpoint at this address (HTTP ${status})`;
  return `answered with HTTP ${status}`;
}

/** MCP 2026-07-28, UnsupportedProtocolVersionError. */
const UNSUPPORTED_VERSION = -32022;
/** The SDK's own codes that look like a system error. */
const SDK_CODES = new Set(['ERA_NEGOTIATION_FAILED']);

const UNSENT: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'is not reachable: nothing listens at %',
  ENOTFOUND: 'is not reachable: the name in % cannot be found',
  EAI_AGAIN: 'is not reachable: the name in % cannot be looked up now',
  EHOSTUNREACH: 'is not reachable: there is no way to %',
  EPRIVATE:
    'is not used: the name in % leads to a private or local address. If that is meant, allow it with --private-addresses allow',
  EPROXY:
    'is not reachable: the proxy that HTTP_PROXY or HTTPS_PROXY names does not answer, or does not let us through to %',
  ENETUNREACH: 'is not reachable: there is no network to %',
  ETIMEDOUT: 'is not reachable: % does not answer to the connection',
  UND_ERR_CONNECT_TIMEOUT: 'is not reachable: % does not answer to the connection',
  EACCES: 'is not reachable: the system refuses a connection to %',
};
