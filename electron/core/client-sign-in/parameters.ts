import { SCOPE } from './metadata.ts';
import { resourceNamed } from './resource.ts';

/**
 * What a program may say in an authorization request. Everything else is left out before the library sees it: hints,
 * claims and prompts have no meaning where a person answers each request in a window of ours.
 */
const AUTHORIZE = [
  'client_id',
  'redirect_uri',
  'response_type',
  'state',
  'code_challenge',
  'code_challenge_method',
] as const;
const TOKEN = ['grant_type', 'client_id', 'code', 'code_verifier', 'redirect_uri', 'refresh_token'] as const;
const REVOKE = ['client_id', 'token', 'token_type_hint'] as const;

/** Parameters that stand twice are passed on twice: the library refuses them in the words of its protocol. */
export function authorizeParameters(given: URLSearchParams, issuer: string, port: number): URLSearchParams {
  const kept = only(given, AUTHORIZE);
  kept.append('scope', SCOPE);
  const resources = given.getAll('resource');
  if (resources.length === 0) kept.append('resource', `${issuer}/mcp`);
  for (const resource of resources) kept.append('resource', oneName(resource, issuer, port));
  return kept;
}

export function tokenParameters(given: URLSearchParams, issuer: string, port: number): URLSearchParams {
  const kept = only(given, TOKEN);
  for (const resource of given.getAll('resource')) kept.append('resource', oneName(resource, issuer, port));
  return kept;
}

export function revokeParameters(given: URLSearchParams): URLSearchParams {
  return only(given, REVOKE);
}

function only(given: URLSearchParams, names: readonly string[]): URLSearchParams {
  return new URLSearchParams([...given].filter(([name]) => names.includes(name)));
}

/** Whichever of our names the client used, one resource is one text; what is none of ours stays and is refused. */
function oneName(resource: string, issuer: string, port: number): string {
  const known = resourceNamed(resource, port);
  return known === null ? resource : issuer + known.path;
}
