import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SignInRow, startSignInRow } from '../support/sign-in-row.ts';
import { startWickedVendor } from '../support/wicked-vendor.ts';

let row: SignInRow;
beforeAll(async () => {
  row = await startSignInRow();
});
afterAll(() => row[Symbol.asyncDispose]());

describe('I3 PKCE', () => {
  test('I3 the challenge is S256 of the verifier that is shown at the token endpoint', async () => {
    const vendor = await startWickedVendor();
    const waiting = await row.begin(vendor.mcpUrl);
    const asked = new URL(waiting.link ?? '').searchParams;
    expect(asked.get('code_challenge_method')).toBe('S256');
    await row.comeBack(waiting, [
      ['code', 'the-code'],
      ['iss', vendor.origin],
    ]);
    const verifier = new URLSearchParams(vendor.bodies('/token')[0]).get('code_verifier') ?? '';
    expect(asked.get('code_challenge')).toBe(createHash('sha256').update(verifier).digest('base64url'));
    expect(JSON.stringify(await row.gatehouse.ask('signInsList'))).not.toContain(verifier);
  });

  test.each([['plain'], []])(
    'I3 (design: an override) metadata that say %j are refused, and not when the person lets them',
    async (...methods) => {
      const vendor = await startWickedVendor(({ metadata: { code_challenge_methods_supported: _, ...others } }) => ({
        metadata: { body: methods.length === 0 ? others : { ...others, code_challenge_methods_supported: methods } },
      }));
      const ended = await row.begin(vendor.mcpUrl);
      await row.refused(ended, 'pkce_unsupported');
      expect(ended.next).toMatchObject({ act: 'allow_no_pkce' });
      expect(vendor.bodies('/register')).toEqual([]);

      const waiting = await row.again(ended, { allowNoPkce: true });
      expect(waiting).toMatchObject({ state: 'waiting' });
      expect(new URL(waiting.link ?? '').searchParams.get('code_challenge_method')).toBe('S256');
    },
  );
});

describe('I7 metadata of another issuer', () => {
  test.each([
    ['https://honest.example', (self: string) => self],
    ['the same host at another port', () => 'http://127.0.0.1:1'],
    ['with a path', (self: string) => `${self}/tenant`],
    ['with a slash', (self: string) => `${self}/`],
  ])('I7 %s', async (issuer, named) => {
    const vendor = await startWickedVendor(({ origin, metadata }) => ({
      metadata: { body: { ...metadata, issuer: issuer.startsWith('https:') ? issuer : named(origin) } },
    }));
    await row.refused(await row.begin(vendor.mcpUrl), 'issuer_mismatch');
    expect(vendor.seen.map(({ path }) => path)).not.toContain('/register');
    expect(vendor.bodies('/token')).toEqual([]);
  });
});
