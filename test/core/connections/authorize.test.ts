import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { AuthorizationServer, ServerMetadata } from '../../../electron/core/connections/authorization-server.ts';
import {
  type Authorization,
  authorization,
  checkCallback,
  type Wanted,
} from '../../../electron/core/connections/authorize.ts';
import { errandTo, REDIRECT } from './errand-rig.ts';

const ISSUER = 'https://as.example.test';

function serverOf(
  metadata: Partial<ServerMetadata> | null = {},
  authorizeUrl = `${ISSUER}/authorize`,
): AuthorizationServer {
  const own = { issuer: ISSUER, token_endpoint: `${ISSUER}/token`, authorization_endpoint: authorizeUrl };
  return {
    issuer: ISSUER,
    authorizeUrl,
    tokenUrl: `${ISSUER}/token`,
    registerUrl: null,
    revokeUrl: null,
    metadata:
      metadata === null
        ? null
        : {
            ...own,
            scopes_supported: null,
            code_challenge_methods_supported: ['S256'],
            token_endpoint_auth_methods_supported: null,
            client_id_metadata_document_supported: null,
            authorization_response_iss_parameter_supported: null,
            ...metadata,
          },
  };
}

function ask(server: AuthorizationServer, own: Partial<Wanted> = {}): Authorization {
  const errand = errandTo('https://mcp.example.test/mcp');
  const wanted = {
    client: { clientId: 'me' },
    redirectUri: REDIRECT,
    scopes: ['a'],
    resource: 'https://mcp.example.test/mcp',
    pkce: true,
  };
  const asked = authorization(errand, { server, ...wanted, ...own });
  if (asked.kind === 'fault') throw new Error(asked.message);
  return asked;
}

const back = ({ expected }: Authorization, query: string) => {
  const errand = errandTo('https://mcp.example.test/mcp');
  const given = new URLSearchParams(query);
  if (!given.has('state')) given.set('state', expected.state);
  return { result: checkCallback(errand, given, expected), errand };
};

test('what the browser is given', () => {
  const asked = ask(serverOf());
  const { origin, pathname, searchParams } = new URL(asked.url);
  expect(origin + pathname).toBe(`${ISSUER}/authorize`);
  const { state, verifier } = asked.expected;
  expect(Object.fromEntries(searchParams)).toEqual({
    response_type: 'code',
    client_id: 'me',
    redirect_uri: REDIRECT,
    state,
    code_challenge: createHash('sha256')
      .update(verifier ?? '')
      .digest('base64url'),
    code_challenge_method: 'S256',
    scope: 'a',
    resource: 'https://mcp.example.test/mcp',
  });
  expect(Buffer.from(state, 'base64url')).toHaveLength(32);
  // RFC 7636, 4.1.
  expect(verifier).toMatch(/^[A-Za-z0-9\-._~]{43,128}$/);
});

test('each sign-in has a state and a verifier of its own', () => {
  const [one, other] = [ask(serverOf()), ask(serverOf())];
  expect(one.expected.state).not.toBe(other.expected.state);
  expect(one.expected.verifier).not.toBe(other.expected.verifier);
});

test('consent is asked for with offline_access alone', () => {
  const prompt = (scopes: readonly string[] | null) =>
    new URL(ask(serverOf(), { scopes }).url).searchParams.get('prompt');
  expect(prompt(['a', 'offline_access'])).toBe('consent');
  expect(prompt(['a'])).toBeNull();
  expect(prompt(null)).toBeNull();
});

test('what an address already says is kept, and what is ours replaces it', () => {
  const asked = ask(serverOf({}, `${ISSUER}/authorize?tenant=x&client_id=other&scope=all#there`), {
    scopes: null,
    resource: null,
    pkce: false,
  });
  const { searchParams, hash } = new URL(asked.url);
  expect(searchParams.get('tenant')).toBe('x');
  expect(searchParams.getAll('client_id')).toEqual(['me']);
  expect(searchParams.has('resource')).toBe(false);
  expect(searchParams.has('code_challenge')).toBe(false);
  expect(asked.expected.verifier).toBeNull();
  expect(hash).toBe('');
});

describe('what comes back', () => {
  test('a code', () => {
    expect(back(ask(serverOf()), 'code=abc').result).toEqual({ kind: 'code', code: 'abc' });
  });

  test.each([['state=wrong&code=x'], ['state=&code=x']])('%s is not of this sign-in', (query) => {
    expect(back(ask(serverOf()), query).result).toMatchObject({ code: 'state_mismatch' });
  });

  test('two states, or none', () => {
    const asked = ask(serverOf());
    const errand = errandTo('https://mcp.example.test/mcp');
    const check = (query: string) => checkCallback(errand, new URLSearchParams(query), asked.expected);
    expect(check('code=x')).toMatchObject({ code: 'state_mismatch' });
    expect(check(`code=x&state=${asked.expected.state}&state=y`)).toMatchObject({ code: 'state_mismatch' });
  });

  test.each([['code=a&code=b'], ['code='], ['x=y'], [`code=${'c'.repeat(20_000)}`]])(
    '%.20s holds no one code',
    (query) => {
      expect(back(ask(serverOf()), query).result).toMatchObject({ code: 'authorization_failed' });
    },
  );

  test.each([
    ['error=access_denied&error_description=You+said+no', 'access_denied', 'You said no'],
    ['error=invalid_scope', 'scope_refused', 'invalid_scope'],
    ['error=unauthorized_client', 'client_refused', 'unauthorized_client'],
    ['error=server_error&code=x', 'authorization_failed', 'server_error'],
  ])('%s', (query, code, said) => {
    const { result, errand } = back(ask(serverOf()), query);
    expect(result).toMatchObject({ kind: 'fault', code, message: expect.stringContaining(said) });
    expect(errand.trace.steps().at(-1)).toMatchObject({ name: 'callback', outcome: 'failed' });
  });

  test('without metadata there is no issuer to compare with', () => {
    expect(back(ask(serverOf(null)), 'code=abc&iss=https%3A%2F%2Fanything.test').result).toMatchObject({
      kind: 'code',
    });
    const two = back(ask(serverOf(null)), 'code=abc&iss=a&iss=b').result;
    expect(two).toMatchObject({ code: 'issuer_mismatch' });
  });
});
