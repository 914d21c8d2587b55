import type { Resource } from './resource.ts';

/** What may be asked for: to use Gatehouse as the person allows it. What each call may do is decided by rules. */
export const SCOPE = 'mcp';

export const PATHS = {
  authorize: '/oauth/authorize',
  token: '/oauth/token',
  register: '/oauth/register',
  revoke: '/oauth/revoke',
  signIn: '/oauth/sign-in',
} as const;

/**
 * Protected resource metadata, RFC 9728. `resource` names the host that the client used, which it compares with the
 * address it was given; the authorization server is one and the same for all of them.
 */
export function resourceMetadata(resource: Resource, host: string, issuer: string): unknown {
  return {
    resource: `http://${host}${resource.path}`,
    authorization_servers: [issuer],
    scopes_supported: [SCOPE],
    bearer_methods_supported: ['header'],
    resource_name: 'Gatehouse',
  };
}

/** Authorization server metadata, RFC 8414: what is switched on, and nothing else. */
export function serverMetadata(issuer: string): unknown {
  return {
    issuer,
    authorization_endpoint: issuer + PATHS.authorize,
    token_endpoint: issuer + PATHS.token,
    registration_endpoint: issuer + PATHS.register,
    revocation_endpoint: issuer + PATHS.revoke,
    scopes_supported: [SCOPE],
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_methods_supported: ['none'],
    revocation_endpoint_auth_methods_supported: ['none'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
  };
}
