import { hostOf } from './authorization-server.ts';
import { postAsClient } from './client-form.ts';
import type { Errand } from './errand.ts';
import type { GivenTokens } from './token-endpoint.ts';
import type { Told } from './trace.ts';

/** Ends a grant at the vendor (RFC 7009), as far as the vendor lets us; here it ends in any case. */
export async function revoke(
  errand: Errand,
  tokens: GivenTokens,
): Promise<{ readonly kind: 'revoked' } | { readonly kind: 'not_revoked'; readonly note: string }> {
  const { upstream, trace } = errand;
  const notRevoked = (why: string, told: Partial<Told> = {}) => {
    const note = `${why} To end it there too, remove Gatehouse in the account settings of the vendor.`;
    trace.step({ name: 'revoke', outcome: 'skipped', message: note, ...told });
    return { kind: 'not_revoked' as const, note };
  };
  if (tokens.revokeUrl === null) return notRevoked(`${upstream} offers no way to end a sign-in from here.`);
  // The refresh token first: with it most servers end the whole grant.
  const ending = [
    { token: tokens.refreshToken, hint: 'refresh_token' },
    { token: tokens.accessToken, hint: 'access_token' },
  ];
  for (const { token, hint } of ending) {
    if (token === null) continue;
    trace.hide(token);
    const answer = await postAsClient(errand, tokens.revokeUrl, tokens, { token, token_type_hint: hint });
    const request = { method: 'POST', url: tokens.revokeUrl };
    if (answer.kind === 'fault') return notRevoked(answer.message, { outcome: 'failed', request });
    const { status } = answer;
    if (status !== 200 && status !== 204) {
      // RFC 7009, 2.2.1: a server need not know how to end an access token; with the refresh token the grant has ended.
      if (hint === 'access_token' && tokens.refreshToken !== null) break;
      return notRevoked(`${hostOf(tokens.revokeUrl)} did not end it (HTTP ${status}).`, {
        outcome: 'failed',
        request,
        status,
      });
    }
    trace.step({ name: 'revoke', outcome: 'ok', message: `The ${hint.replace('_', ' ')} was ended.`, request, status });
  }
  return { kind: 'revoked' };
}
