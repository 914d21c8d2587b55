import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkCallback } from '../../electron/core/connections/authorize.ts';
import { errandTo } from '../core/connections/errand-rig.ts';
import { type SignInRow, startSignInRow } from '../support/sign-in-row.ts';
import { followAsBrowser } from '../support/vendors/browser.ts';
import { startVendor } from '../support/vendors/vendor.ts';
import { startWickedVendor, type WickedPages, type WickedVendor } from '../support/wicked-vendor.ts';

let row: SignInRow;
beforeAll(async () => {
  row = await startSignInRow();
});
afterAll(() => row[Symbol.asyncDispose]());

/** Comes back from the vendor's page with what `query` makes of its issuer. */
async function answered(
  query: (issuer: string) => readonly (readonly [string, string])[],
  pages: (good: WickedVendor) => WickedPages = () => ({}),
) {
  const vendor = await startWickedVendor(pages);
  const waiting = await row.begin(vendor.mcpUrl);
  expect(waiting).toMatchObject({ state: 'waiting' });
  const back = await row.comeBack(waiting, query(vendor.origin));
  return { ...back, tokenRequests: () => vendor.bodies('/token') };
}

const silent = ({ metadata }: WickedVendor): WickedPages => ({
  metadata: { body: { ...metadata, authorization_response_iss_parameter_supported: false } },
});

describe('I5 the issuer of an answer (RFC 9207)', () => {
  test('I5 announced and right: the code is used', async () => {
    const { view, tokenRequests } = await answered((issuer) => [
      ['code', 'the-code'],
      ['iss', issuer],
    ]);
    expect(view).toMatchObject({ state: 'connected' });
    expect(tokenRequests()).toHaveLength(1);
  });

  test('I5 not announced and not sent: the code is used', async () => {
    const { view, tokenRequests } = await answered(() => [['code', 'the-code']], silent);
    expect(view).toMatchObject({ state: 'connected' });
    expect(tokenRequests()).toHaveLength(1);
  });

  test('I5 not announced, sent and right: the code is used', async () => {
    const { view } = await answered(
      (issuer) => [
        ['code', 'the-code'],
        ['iss', issuer],
      ],
      silent,
    );
    expect(view).toMatchObject({ state: 'connected' });
  });

  test.each<[string, readonly (readonly [string, string])[], typeof silent | undefined]>([
    ['announced and not sent', [['code', 'the-code']], undefined],
    [
      'announced, of another',
      [
        ['code', 'the-code'],
        ['iss', 'https://evil.example'],
      ],
      undefined,
    ],
    [
      'not announced, of another',
      [
        ['code', 'the-code'],
        ['iss', 'https://evil.example'],
      ],
      silent,
    ],
    [
      'an error of another',
      [
        ['error', 'access_denied'],
        ['error_description', 'canary-words call 555'],
        ['iss', 'https://evil.example'],
      ],
      undefined,
    ],
    [
      'an error of nobody',
      [
        ['error', 'server_error'],
        ['error_description', 'canary-words call 555'],
      ],
      undefined,
    ],
    [
      'an error of another, not announced',
      [
        ['error', 'x'],
        ['error_description', 'canary-words call 555'],
        ['iss', 'https://evil.example'],
      ],
      silent,
    ],
  ])('I5 %s: no token is asked for, and nothing of it is shown', async (_, query, pages) => {
    const { view, page, tokenRequests } = await answered(() => query, pages);
    const entry = await row.refused(view, 'issuer_mismatch');
    expect(tokenRequests()).toEqual([]);
    const shown = JSON.stringify([view, entry, await row.gatehouse.ask('signInsList')]) + page;
    expect(shown).not.toContain('canary-words');
    expect(shown).not.toContain('evil.example');
  });

  test('I5 by a certified server: the right one signs in, one that sends another does not', async () => {
    for (const [iss, state] of [
      ['sent', 'connected'],
      ['wrong', 'failed'],
    ] as const) {
      await using vendor = await startVendor({ iss });
      const waiting = await row.begin(vendor.mcpUrl);
      await followAsBrowser(waiting.link ?? '');
      const ended = await row.settled(waiting.id);
      expect(ended).toMatchObject({ state });
      expect(vendor.tokenRequests()).toHaveLength(state === 'connected' ? 1 : 0);
    }
  });
});

describe('I6 the issuer is compared character by character', () => {
  test.each<[string, (issuer: string) => readonly (readonly [string, string])[]]>([
    ['with a slash', (issuer) => [['iss', `${issuer}/`]]],
    ['with a port more', (issuer) => [['iss', `${issuer}:80`]]],
    ['in capitals', (issuer) => [['iss', issuer.toUpperCase()]]],
    ['with a scheme in capitals', (issuer) => [['iss', issuer.replace('http', 'HTTP')]]],
    ['with an encoded slash', (issuer) => [['iss', `${issuer}/%2F`]]],
    ['with a space', (issuer) => [['iss', `${issuer} `]]],
    [
      'twice',
      (issuer) => [
        ['iss', issuer],
        ['iss', issuer],
      ],
    ],
    [
      'right, then wrong',
      (issuer) => [
        ['iss', issuer],
        ['iss', 'https://evil.example'],
      ],
    ],
    ['empty', () => [['iss', '']]],
  ])('I6 %s', async (_, iss) => {
    const { view, tokenRequests } = await answered((issuer) => [['code', 'the-code'], ...iss(issuer)]);
    await row.refused(view, 'issuer_mismatch');
    expect(tokenRequests()).toEqual([]);
  });

  test.each(['https://as.example/', 'https://as.example:443', 'https://AS.example', 'https://as.example/%2F'])(
    'I6 recorded https://as.example, sent %s',
    async (iss) => {
      // Its metadata say that name; where they were read from is the same machine as ever.
      const expected = {
        state: 's'.repeat(43),
        verifier: null,
        issuer: 'https://as.example',
        sendsIssuer: true,
        redirectUri: '',
        host: 'as.example',
      };
      const answer = (given: string) =>
        checkCallback(
          errandTo('https://mcp.example'),
          new URLSearchParams({ code: 'the-code', state: expected.state, iss: given }),
          expected,
        );
      expect(answer(iss)).toMatchObject({ code: 'issuer_mismatch' });
      expect(answer('https://as.example')).toMatchObject({ kind: 'code' });
    },
  );
});
