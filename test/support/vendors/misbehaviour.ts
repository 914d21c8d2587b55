import { type Answered, type Arrived, json } from './front.ts';
import { faultPage } from './pages.ts';
import type { Refusal, VendorProfile } from './profile.ts';
import { ROUTES } from './provider.ts';
import type { Records } from './records.ts';

/*
 * What a certified provider cannot be made to do, done to its answers on their way out.
 */

/** An answer that the provider itself would not give. */
export function refusalOf(profile: VendorProfile, records: Records, at: string, arrived: Arrived): Answered | null {
  if (at === ROUTES.registration && arrived.method === 'POST') {
    if (typeof profile.registration === 'object') return words(profile.registration);
    if (profile.registration === 'without scopes' && 'scope' in JSON.parse(arrived.body)) {
      return words({ error: 'invalid_client_metadata', description: 'unknown scope' });
    }
    if (profile.redirects === 'localhost' && !registersLocalhostOnly(arrived.body)) {
      return words({ error: 'invalid_redirect_uri', description: 'redirect_uris must use http://localhost' });
    }
  }
  if (at === ROUTES.authorization && profile.redirects !== undefined && profile.redirects !== 'loopback') {
    const client = records.get('Client', arrived.query.get('client_id') ?? '');
    const registered = client?.redirect_uris?.includes(arrived.query.get('redirect_uri') ?? '');
    if (client !== undefined && registered !== true) {
      return { status: 400, headers: { 'content-type': 'text/html' }, body: faultPage('redirect_uri_mismatch') };
    }
  }
  return null;
}

/** A refusal as RFC 6749 and RFC 7591 write it. */
export function words({ status = 400, error, description }: Refusal): Answered {
  return json(status, { error, error_description: description });
}

function registersLocalhostOnly(body: string): boolean {
  const { redirect_uris = [] } = JSON.parse(body) as { redirect_uris?: readonly string[] };
  return redirect_uris.every((uri) => new URL(uri).hostname === 'localhost');
}

export function alteredMetadata(profile: VendorProfile, { body }: Answered): string {
  const { code_challenge_methods_supported: _, ...metadata } = JSON.parse(body) as Record<string, unknown>;
  const { authorization_response_iss_parameter_supported: __, ...withoutIss } = metadata;
  const announced = ['sent', 'missing', 'wrong'].includes(profile.iss ?? 'sent');
  const pkce = profile.pkce ?? 'S256';
  return JSON.stringify({
    ...(announced ? metadata : withoutIss),
    ...(pkce === 'absent' ? {} : { code_challenge_methods_supported: [pkce] }),
    ...(profile.metadataIssuer === undefined ? {} : { issuer: profile.metadataIssuer }),
  });
}

export function alteredCallback(profile: VendorProfile, location: string): string {
  const url = new URL(location);
  const iss = profile.iss ?? 'sent';
  if (iss === 'silent' || iss === 'missing') url.searchParams.delete('iss');
  if (iss === 'wrong' || iss === 'wrong-unannounced') url.searchParams.set('iss', 'https://other.example');
  return url.href;
}
