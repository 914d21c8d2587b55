import { type JsonWebKey, verify } from 'node:crypto';
import type { Provider } from 'oidc-provider';

export interface LiveToken {
  readonly id: string;
  readonly account: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly audience: readonly string[];
  /** Seconds since 1970. */
  readonly endsAt: number;
}

/** What a token says when it is one of this provider's and not expired. `key` checks those that are signed. */
export async function liveToken(provider: Provider, key: JsonWebKey, token: string): Promise<LiveToken | null> {
  if (token.split('.').length === 3) return signedToken(key, token);
  const found = (await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token));
  if (found === undefined) return null;
  return {
    id: found.jti,
    account: 'accountId' in found ? (found.accountId ?? '') : '',
    clientId: found.clientId ?? '',
    scopes: (found.scope ?? '').split(' ').filter(Boolean),
    audience: [found.aud ?? []].flat(),
    endsAt: found.exp ?? 0,
  };
}

function signedToken(key: JsonWebKey, token: string): LiveToken | null {
  const [head = '', payload = '', signature = ''] = token.split('.');
  const signed = verify(
    'sha256',
    Buffer.from(`${head}.${payload}`),
    { key: key as never, format: 'jwk', dsaEncoding: 'ieee-p1363' } as never,
    Buffer.from(signature, 'base64url'),
  );
  if (!signed) return null;
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as {
    readonly jti: string;
    readonly sub: string;
    readonly client_id: string;
    readonly scope?: string;
    readonly aud: string | readonly string[];
    readonly exp: number;
  };
  return {
    id: claims.jti,
    account: claims.sub,
    clientId: claims.client_id,
    scopes: (claims.scope ?? '').split(' ').filter(Boolean),
    audience: [claims.aud].flat(),
    endsAt: claims.exp,
  };
}
