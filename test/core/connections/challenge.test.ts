import { expect, test } from 'vitest';
import { readChallenge } from '../../../electron/core/connections/challenge.ts';

const URL_ = 'https://mcp.example.test/.well-known/oauth-protected-resource';

test.each<[header: string, read: object | null]>([
  [`Bearer resource_metadata="${URL_}"`, { scheme: 'bearer', resourceMetadata: URL_ }],
  [`bearer RESOURCE_METADATA = "${URL_}" , scope="a b  a"`, { resourceMetadata: URL_, scopes: ['a', 'b'] }],
  [`Bearer realm="x, Basic y=\\"z\\"", resource_metadata="${URL_}"`, { resourceMetadata: URL_ }],
  [
    `Basic realm="api", Bearer error="invalid_token", resource_metadata="${URL_}"`,
    { error: 'invalid_token', resourceMetadata: URL_ },
  ],
  [`Negotiate dG9rZW4=, DPoP algs="ES256", resource_metadata="${URL_}"`, { scheme: 'dpop', resourceMetadata: URL_ }],
  [`Basic resource_metadata="https://evil.test", Bearer scope="a"`, { resourceMetadata: null, scopes: ['a'] }],
  [`Bearer scope="a", Basic scope="b", realm="x"`, { scopes: ['a'] }],
  [`Bearer resource_metadata=${URL_}`, { resourceMetadata: URL_ }],
  [
    'Bearer error="insufficient_scope", error_description="say \\"please\\"", scope="repo"',
    { error: 'insufficient_scope', errorDescription: 'say "please"', scopes: ['repo'] },
  ],
  ['Bearer scope="a", scope="b"', { scopes: ['a'] }],
  ['Bearer', { scheme: 'bearer', resourceMetadata: null, scopes: null, error: null, errorDescription: null }],
  ['Bearer,Basic realm="x"', { scheme: 'bearer' }],
  ['Bearer scope=""', { scopes: null }],
  ['Bearer scope="ok b\u00e4d"', { scopes: ['ok'] }],
  ['Basic realm="x"', null],
  ['"', null],
  ['', null],
])('%s', (header, read) => {
  const found = readChallenge(header);
  if (read === null) expect(found).toBeNull();
  else expect(found).toMatchObject(read);
});

test('there was none', () => expect(readChallenge(null)).toBeNull());

test('a header that is made to be slow is not', () => {
  const started = performance.now();
  for (const header of [
    'Bearer '.repeat(9000),
    'a="'.repeat(9000),
    `${'a='.repeat(9000)}`,
    ' ,'.repeat(9000),
    '\\"'.repeat(9000),
  ]) {
    readChallenge(header);
  }
  // A pattern that goes back and forth takes minutes for these.
  expect(performance.now() - started).toBeLessThan(5_000);
});
