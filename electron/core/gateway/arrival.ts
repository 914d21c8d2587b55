import type { Client, Key, Workspace } from '../../../shared/model.ts';

/** One accepted request on its way to a handler: who sent it, to which endpoint, and the exact text it carried. */
export interface Arrival {
  readonly requestId: string;
  readonly workspace: Workspace;
  readonly client: Client;
  readonly key: Key;
  /** `/u/<upstream>/mcp`: this upstream alone, under its own names. */
  readonly onlyUpstream: string | null;
  /** Exact texts by path; see `EXACT_PATHS`. */
  readonly slices: ReadonlyMap<string, string>;
  /** Aborts when the caller's connection closes. */
  readonly gone: AbortSignal;
}

/** What is relayed of a client's request, of its answers in a retry, and of its answer to a request of an upstream. */
export const PARAMS_PATH = '/params';
export const META_PATH = '/params/_meta';
export const INPUT_RESPONSES_PATH = '/params/inputResponses';
export const RESULT_PATH = '/result';
export const ERROR_PATH = '/error';
/** Where arguments stand in a message: of the call itself, and of the call inside `call_external_tool`. */
export const ARGUMENTS_PATH = '/params/arguments';
export const INNER_ARGUMENTS_PATH = '/params/arguments/arguments';
export const EXACT_PATHS = [
  PARAMS_PATH,
  META_PATH,
  INPUT_RESPONSES_PATH,
  RESULT_PATH,
  ERROR_PATH,
  ARGUMENTS_PATH,
  INNER_ARGUMENTS_PATH,
] as const;

/** The SDK hands `authInfo.extra` to handlers untouched; that is how a handler learns which request it serves. */
export function authInfoOf(arrival: Arrival): {
  token: string;
  clientId: string;
  scopes: string[];
  extra: Record<string, unknown>;
} {
  return { token: '', clientId: arrival.client.id, scopes: [], extra: { arrival } };
}

export function arrivalOf(authInfo: { readonly extra?: Record<string, unknown> } | undefined): Arrival {
  const arrival = authInfo?.extra?.arrival;
  if (arrival === undefined) throw new Error('a handler was reached without an arrival');
  return arrival as Arrival;
}
