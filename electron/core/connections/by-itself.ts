import type { Vault } from '../secrets/vault.ts';
import type { Upstreams } from '../upstreams/upstreams.ts';
import type { Procedure } from './attempt.ts';
import { obtainClient } from './client-id.ts';
import { readClientSecret } from './client-secret.ts';
import { type Connecting, connect } from './connected.ts';
import { scopesToAsk } from './discovery.ts';
import { createErrand } from './errand.ts';
import { fault } from './faults.ts';
import { usedAtOf } from './presented.ts';
import type { Registrations } from './registrations.ts';
import { destinationOf } from './server-choice.ts';
import { clientCredentials } from './token-endpoint.ts';

/** Client credentials (RFC 6749, 4.4): no person and no browser, a token at once. */
export function signInByItself(
  parts: Connecting & {
    readonly vault: Pick<Vault, 'get' | 'put'>;
    readonly registrations: Registrations;
    readonly upstreams: Pick<Upstreams, 'challengeOf'>;
  },
): Procedure {
  return async (attempt) => {
    const { upstream, signal, trace } = attempt;
    const { signIn, transport, name, settings } = upstream;
    if (transport.kind !== 'http' || signIn.kind !== 'client_credentials')
      return fault('authorization_failed', { upstream: name, detail: 'OAuth is for an address.' });
    const bounds = { upstream: name, url: transport.url, allowPrivate: settings.allowPrivate, signal };
    const errand = createErrand(parts.outbound, bounds, trace);
    const destination = await destinationOf(
      errand,
      attempt,
      signIn,
      transport.url,
      parts.upstreams.challengeOf(upstream.id),
    );
    if (destination.kind === 'fault') return destination;
    const { server, resource } = destination;
    const secret = await readClientSecret(parts.vault, upstream, server.issuer);
    if (secret.kind === 'fault') {
      trace.step({ name: 'client_id', outcome: 'failed', message: secret.message });
      return secret;
    }
    const set = signIn.scopes.length === 0 ? null : signIn.scopes;
    const scopes = scopesToAsk(resource, server, { set, had: null })?.filter((one) => one !== 'offline_access') ?? null;
    attempt.show({ scopes });
    const client = await obtainClient(errand, parts.registrations, {
      upstreamId: upstream.id,
      server,
      redirectUri: '',
      byHand: { clientId: signIn.clientId, clientSecret: secret.value, tokenAuth: signIn.tokenAuth },
      metadataUrl: null,
      scopes,
    });
    if ('kind' in client) return client;
    const exchanged = await clientCredentials(errand, {
      server,
      client,
      resource: resource?.indicator ?? null,
      usedAt: usedAtOf(transport),
      scopes,
    });
    return exchanged.kind === 'fault' ? exchanged : connect(parts, attempt, exchanged.tokens);
  };
}
