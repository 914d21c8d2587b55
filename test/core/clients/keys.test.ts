import { describe, expect, test } from 'vitest';
import { keyFits, mintKey, parseBearer, shownPart } from '../../../electron/core/clients/keys.ts';

test('a key has a public prefix and 256 random bits, and only a salted hash of it is kept', () => {
  const key = mintKey();
  expect(key.secret).toMatch(/^gh_[a-z2-7]{8}_[A-Za-z0-9_-]{43}$/);
  expect(key.prefix).toBe(key.secret.slice(0, 11));
  expect(Buffer.from(key.secret.slice(12), 'base64url')).toHaveLength(32);
  expect([key.salt.length, key.hash.length]).toEqual([16, 32]);
  expect(keyFits(key, key.secret)).toBe(true);
  expect(keyFits(key, mintKey().secret)).toBe(false);
  expect(keyFits({ salt: mintKey().salt, hash: key.hash }, key.secret)).toBe(false);
});

test('B7: ten thousand keys are all different and their order says nothing of their time', () => {
  const prefixes = Array.from({ length: 10_000 }, () => mintKey().prefix);
  expect(new Set(prefixes).size).toBe(10_000);
  const sorted = prefixes.toSorted();
  const rank = new Map(sorted.map((prefix, at) => [prefix, at]));
  const mean = (prefixes.length - 1) / 2;
  let covariance = 0;
  let variance = 0;
  for (const [at, prefix] of prefixes.entries()) {
    covariance += (at - mean) * ((rank.get(prefix) ?? 0) - mean);
    variance += (at - mean) ** 2;
  }
  // Six standard deviations of Spearman's rank correlation for 10,000 values.
  expect(Math.abs(covariance / variance)).toBeLessThan(0.06);
});

describe('reading an Authorization header', () => {
  const { secret, prefix } = mintKey();
  test.for([
    ['no header', undefined, { kind: 'missing' }],
    ['a key', `Bearer ${secret}`, { kind: 'key', prefix, secret }],
    ['the scheme in lower case (RFC 9110, 11.1)', `bearer ${secret}`, { kind: 'key', prefix, secret }],
    ['an empty header', '', { kind: 'malformed' }],
    ['the scheme alone', 'Bearer', { kind: 'malformed' }],
    ['the scheme and a space', 'Bearer ', { kind: 'malformed' }],
    ['the key alone', secret, { kind: 'malformed' }],
    ['two spaces', `Bearer  ${secret}`, { kind: 'malformed' }],
    ['a tab', `Bearer\t${secret}`, { kind: 'malformed' }],
    ['a space in front', ` Bearer ${secret}`, { kind: 'malformed' }],
    ['a space behind', `Bearer ${secret} `, { kind: 'malformed' }],
    ['a line break behind', `Bearer ${secret}\n`, { kind: 'malformed' }],
    ['a null character', `Bearer ${secret}\0`, { kind: 'malformed' }],
    ['another scheme', 'Basic x', { kind: 'malformed' }],
    ['a scheme that begins like it', `BearerX ${secret}`, { kind: 'malformed' }],
    ['two keys', `Bearer ${secret} ${secret}`, { kind: 'malformed' }],
    ['two headers joined', `Bearer ${secret}, Bearer ${secret}`, { kind: 'malformed' }],
    ['parameters', `Bearer ${secret}; a=b`, { kind: 'malformed' }],
    ['another alphabet', 'Bearer é', { kind: 'malformed' }],
    ['another alphabet of the same length', `Bearer ${secret.slice(0, -1)}é`, { kind: 'malformed' }],
    ['length 10,000', `Bearer ${'x'.repeat(10_000)}`, { kind: 'malformed' }],
    ['length 1', 'Bearer x', { kind: 'foreign', prefix: null }],
    ['one character less', `Bearer ${secret.slice(0, -1)}`, { kind: 'foreign', prefix }],
    ['one character more', `Bearer ${secret}x`, { kind: 'foreign', prefix }],
    ['one character more that pads', `Bearer ${secret}=`, { kind: 'foreign', prefix }],
    ['the prefix alone', `Bearer ${prefix}`, { kind: 'foreign', prefix: null }],
    ['the key in upper case', `Bearer ${secret.toUpperCase()}`, { kind: 'foreign', prefix: null }],
    ['a token of somebody else', 'Bearer eyJhbGciOi.J9.x-y_z~+/==', { kind: 'foreign', prefix: null }],
  ] as const)('%s', ([, header, expected]) => {
    expect(parseBearer(header)).toEqual(expected);
  });

  test('a header that invites backtracking costs nothing', () => {
    const started = performance.now();
    for (let i = 0; i < 1_000; i += 1) parseBearer(`Bearer ${'='.repeat(490)}!`);
    for (let i = 0; i < 1_000; i += 1) parseBearer(`Bearer a${'='.repeat(490)}!`);
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});

test('of a whole key only the prefix is shown', () => {
  const { secret, prefix } = mintKey();
  expect([shownPart(secret), shownPart(prefix), shownPart('an-id')]).toEqual([prefix, prefix, 'an-id']);
});
