import type { ConnectionState, NextStep, SignInMode, TraceName } from '../../shared/connections.ts';

/** How an account is: in words, and the name of its colour. */
export const STATES: Readonly<Record<ConnectionState, readonly [words: string, colour: string]>> = {
  connected: ['connected', 'ready'],
  reconnect: ['reconnect needed', 'failed'],
  more_scopes: ['wants more scopes', 'wanting'],
  locked: ['locked', 'wanting'],
  signed_out: ['signed out', 'stopped'],
};

export const MODES: Readonly<Record<SignInMode, string>> = {
  none: 'None',
  api_key: 'API key',
  mcp_oauth: 'MCP OAuth',
  oauth: 'Classic OAuth',
  client_credentials: 'Client credentials',
};

export const STEPS: Readonly<Record<TraceName, string>> = {
  challenge: 'Challenge',
  resource_metadata: 'Resource metadata',
  server_metadata: 'Server metadata',
  choice: 'Choice of server',
  client_id: 'Client id',
  redirect: 'Redirect address',
  authorize: 'Authorization',
  callback: 'Callback',
  token: 'Token',
  refresh: 'Refresh',
  revoke: 'Revocation',
  check: 'Check',
};

/** What the button of a next step says. */
export const ACTS: Readonly<Record<NextStep['act'], string>> = {
  paste_client_id: 'Paste a client id…',
  use_classic_oauth: 'Use classic OAuth…',
  check_url: 'Check the URL…',
  allow_host: 'Allow this host',
  allow_no_pkce: 'Sign in without the promise of PKCE',
  set_redirect: 'Set the redirect address…',
  try_again: 'Try again',
  paste_key: 'Paste a key…',
  unlock_keychain: 'Try again',
  ask_vendor: 'Copy what happened',
};

/** The host that a link leads to; null when it is no address that a browser may be sent to. */
export function hostOf(link: string): string | null {
  if (!URL.canParse(link)) return null;
  const { protocol, host } = new URL(link);
  return protocol === 'https:' || protocol === 'http:' ? host : null;
}
