import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { authorization } from '../../../electron/core/connections/authorize.ts';
import { refusedPage } from '../../../electron/core/connections/refused-page.ts';
import { errandTo, REDIRECT } from './errand-rig.ts';

async function seen(status: number, body: string, headers: Record<string, string> = {}) {
  let visits = 0;
  const server = createServer((_, response) => {
    visits += 1;
    response.writeHead(status, { 'content-type': body.startsWith('{') ? 'application/json' : 'text/html', ...headers });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const errand = errandTo(`${origin}/mcp`);
  const asked = authorization(errand, {
    server: {
      issuer: origin,
      authorizeUrl: `${origin}/authorize`,
      tokenUrl: `${origin}/token`,
      registerUrl: null,
      revokeUrl: null,
      metadata: null,
    },
    client: { clientId: 'me' },
    redirectUri: REDIRECT,
    scopes: null,
    resource: null,
    pkce: true,
  });
  if (asked.kind === 'fault') throw new Error(asked.message);
  const refusal = await refusedPage(errand, asked);
  return { refusal, visits, steps: errand.trace.steps() };
}

test.each<[number, string, string, RegExp]>([
  [400, '<p>redirect_uri_mismatch: canary</p>', 'redirect_rejected', /does not send the browser back/],
  [400, '<h1>Invalid Redirect URI</h1>', 'redirect_rejected', /./],
  [404, '<h1>Callback URL mismatch.</h1>', 'redirect_rejected', /./],
  [
    400,
    '{"error":"invalid_request","error_description":"Unregistered redirect_uri"}',
    'redirect_rejected',
    /says: "invalid_request: Unregistered redirect_uri"/,
  ],
  [403, '{"error":"invalid_redirect_uri"}', 'redirect_rejected', /./],
  [400, '<p>invalid_client: client is invalid</p>', 'client_refused', /./],
  [401, '{"error":"invalid_client"}', 'client_refused', /says: "invalid_client"/],
])('HTTP %i %s: %s', async (status, body, code, message) => {
  const { refusal, steps, visits } = await seen(status, body);
  expect(refusal).toMatchObject({ code, message: expect.stringMatching(message) });
  expect(steps.at(-1)).toMatchObject({ name: 'authorize', outcome: 'failed', status });
  expect(JSON.stringify([refusal, steps])).not.toContain('canary');
  expect(visits).toBe(1);
});

test.each<[number, string, Record<string, string>]>([
  [200, '<h1>Sign in</h1> redirect_uri', {}],
  [302, 'redirect_uri', { location: '/login?redirect_uri=x' }],
  [302, '', { location: `${REDIRECT}?error=invalid_scope` }],
  [403, '<h1>Are you human?</h1> invalid redirect_uri', {}],
  [400, '<h1>Something else</h1><a href="/authorize?client_id=me&redirect_uri=http%3A%2F%2F127.0.0.1">again</a>', {}],
  [400, '{"error":"invalid_scope"}', {}],
  [500, '{"error":"server_error","error_description":"redirect_uri"}', {}],
  [400, '{}', {}],
])('HTTP %i %s is left to the browser', async (status, body, headers) => {
  const { refusal, visits } = await seen(status, body, headers);
  expect(refusal).toBeNull();
  expect(visits).toBe(1);
});
