import { expect, test } from 'vitest';
import { writtenServer } from '../../../electron/core/connections/authorization-server.ts';
import { authorization } from '../../../electron/core/connections/authorize.ts';
import { PRESETS } from '../../../electron/core/connections/presets.ts';
import { refuseSignIn } from '../../../electron/core/upstreams/sign-in.ts';
import { signInSchema } from '../../../shared/api.ts';
import { errandTo, REDIRECT } from './errand-rig.ts';

test.each(PRESETS)('$name fills in a sign-in that is one', ({ name: _, registerAt, ...preset }) => {
  const signIn = signInSchema.parse({
    kind: 'oauth',
    clientId: 'me',
    clientSecret: preset.tokenAuth !== 'none',
    ...preset,
  });
  if (signIn.kind !== 'oauth') throw new Error(signIn.kind);
  expect(refuseSignIn(signIn, { kind: 'http', url: 'https://mcp.example.test/mcp', secretHeaders: [] })).toBeNull();
  for (const address of [preset.authorizeUrl, preset.tokenUrl, preset.revokeUrl ?? registerAt, registerAt]) {
    expect(new URL(address).protocol).toBe('https:');
  }
  const asked = authorization(errandTo('https://mcp.example.test/mcp'), {
    server: writtenServer(signIn),
    client: { clientId: 'me' },
    redirectUri: REDIRECT,
    scopes: signIn.scopes,
    resource: null,
    pkce: signIn.pkce,
  });
  if (asked.kind === 'fault') throw new Error(asked.message);
  // What a vendor wants beside the usual is still in its address.
  const { searchParams } = new URL(asked.url);
  for (const [key, value] of new URL(preset.authorizeUrl).searchParams) expect(searchParams.get(key)).toBe(value);
  expect(searchParams.has('code_challenge')).toBe(preset.pkce);
});

test('each vendor stands there once', () => {
  expect(new Set(PRESETS.map(({ name }) => name)).size).toBe(PRESETS.length);
});
