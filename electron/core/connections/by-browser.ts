import type { SignIn } from '../../../shared/connections.ts';
import type { Vault } from '../secrets/vault.ts';
import { clientSecretIssuerPlace } from '../upstreams/sign-in.ts';
import type { Upstreams } from '../upstreams/upstreams.ts';
import type { Attempt, Ending, Procedure } from './attempt.ts';
import type { ClientRegistration, SignInFault } from './authorization-server.ts';
import { authorization, checkCallback } from './authorize.ts';
import { type ClientWanted, obtainClient } from './client-id.ts';
import { readClientSecret } from './client-secret.ts';
import { type Connecting, connect } from './connected.ts';
import { scopesToAsk } from './discovery.ts';
import { createErrand, type Errand } from './errand.ts';
import { fault } from './faults.ts';
import { usedAtOf } from './presented.ts';
import { openRedirect, type Redirect } from './redirect.ts';
import { connectedPage, failedPage } from './redirect-page.ts';
import type { RedirectPorts } from './redirect-ports.ts';
import { refusedPage } from './refused-page.ts';
import type { Registrations } from './registrations.ts';
import { type Destination, destinationOf } from './server-choice.ts';
import { exchangeCode, type TokenParty } from './token-endpoint.ts';

export interface ByBrowser extends Connecting {
  readonly vault: Pick<Vault, 'get' | 'put' | 'state'>;
  readonly registrations: Registrations;
  readonly ports: RedirectPorts;
  readonly upstreams: Pick<Upstreams, 'challengeOf' | 'get' | 'setSignIn'>;
  /** Where our client metadata document is hosted; null: nowhere. */
  readonly metadataUrl: string | null;
}

type WithBrowser = Extract<SignIn, { kind: 'mcp_oauth' | 'oauth' }>;

/** MCP OAuth and classic OAuth: the person signs in at the vendor's page, and the browser brings a code back. */
export function signInByBrowser(parts: ByBrowser): Procedure {
  return async (attempt) => {
    const { upstream, signal, trace } = attempt;
    const { signIn, transport, name, settings } = upstream;
    if (transport.kind !== 'http' || (signIn.kind !== 'mcp_oauth' && signIn.kind !== 'oauth'))
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
    const scopes = await agreedScopes(attempt, signIn, destination);
    if (scopes === 'over') return fault('cancelled', { upstream: name });
    const { redirect: setting } = signIn;
    const opened = await openRedirect({ upstreamId: upstream.id, setting, ports: parts.ports, onStray: attempt.stray });
    if (opened.kind === 'unavailable') {
      const message = opened.message;
      trace.step({ name: 'redirect', outcome: 'failed', message });
      return { ...fault('redirect_unavailable', { upstream: name }), message };
    }
    const { redirect } = opened;
    // Cancelled, replaced or run out of time: nobody is waited for any more.
    signal.addEventListener('abort', redirect.close);
    if (signal.aborted) redirect.close();
    trace.step({ name: 'redirect', outcome: 'ok', message: `The browser is to come back to ${redirect.uri}.` });
    attempt.show({ redirectUri: redirect.uri });
    return atVendor(parts, errand, attempt, { signIn, destination, scopes, redirect });
  };
}

interface Prepared {
  readonly signIn: WithBrowser;
  readonly destination: Destination;
  readonly scopes: readonly string[] | null;
  readonly redirect: Redirect;
}

/** From the client id to the tokens. */
async function atVendor(parts: ByBrowser, errand: Errand, attempt: Attempt, prepared: Prepared): Promise<Ending> {
  const { signIn, destination, scopes, redirect } = prepared;
  const { server, resource } = destination;
  const { upstream, trace } = attempt;
  const client = await clientOf(parts, errand, attempt, prepared);
  if ('kind' in client) return client;
  /** What the vendor does not know any more is registered anew the next time. */
  const forgotten = (found: SignInFault): SignInFault => {
    if (found.code !== 'client_refused' || client.how !== 'registered') return found;
    parts.registrations.forget(upstream.id, server.issuer);
    return { ...found, next: { act: 'try_again', text: 'Sign in again: Gatehouse registers anew there.' } };
  };

  const asked = authorization(errand, {
    server,
    client,
    redirectUri: redirect.uri,
    scopes,
    resource: resource?.indicator ?? null,
    pkce: signIn.kind === 'mcp_oauth' || signIn.pkce,
  });
  if (asked.kind === 'fault') return asked;
  // A new client is known there, and so is one whose account is in use and only wants more.
  const isKnown = client.isNew === true || attempt.connection?.state === 'more_scopes';
  const refused = isKnown ? null : await refusedPage(errand, asked);
  if (refused !== null) {
    const ending = forgotten(refused);
    // What it has forgotten it is told once more; nobody needs to click for that. A new client is not looked at again.
    return ending === refused ? ending : atVendor(parts, errand, attempt, prepared);
  }
  const { url, expected } = asked;
  trace.step({
    name: 'authorize',
    outcome: 'waiting',
    message: `${expected.host} waits for you in the browser.`,
    request: { method: 'GET', url },
  });
  const query = await returned(attempt, redirect, url, expected.state);
  if (query === null) {
    // The vendor may have shown that it does not know this client: nobody is told, so the next one is a new one.
    if (client.how === 'registered') parts.registrations.forget(upstream.id, server.issuer);
    return fault('cancelled', { upstream: upstream.name });
  }

  const answer = checkCallback(errand, query, expected);
  if (answer.kind === 'fault') return forgotten(answer);
  const party: TokenParty = {
    server,
    client,
    resource: resource?.indicator ?? null,
    usedAt: usedAtOf(upstream.transport),
    scopes,
  };
  const { verifier, redirectUri } = expected;
  const exchanged = await exchangeCode(errand, party, { code: answer.code, verifier, redirectUri });
  if (exchanged.kind === 'fault') return forgotten(exchanged);
  return connect(parts, attempt, exchanged.tokens);
}

/** The whole query that the browser brought back; null: it is over. The browser's page waits for how that turns out. */
function returned(attempt: Attempt, redirect: Redirect, link: string, state: string): Promise<URLSearchParams | null> {
  const { upstream, label, signal, over } = attempt;
  return new Promise((resolve) => {
    redirect.expect(state, async (query) => {
      attempt.returned();
      resolve(query);
      const ending = await over;
      return ending.state === 'connected' ? connectedPage(upstream.name, label) : failedPage(upstream.name, label);
    });
    signal.addEventListener('abort', () => resolve(null));
    if (signal.aborted) resolve(null);
    attempt.waiting(link);
  });
}

/**
 * What will be asked for. What goes beyond what the account has is shown before the vendor is asked for it, unless the
 * person wrote it down for this upstream.
 */
async function agreedScopes(
  attempt: Attempt,
  signIn: WithBrowser,
  { server, resource }: Destination,
): Promise<readonly string[] | null | 'over'> {
  const { connection, trace } = attempt;
  const set = signIn.scopes === null || signIn.scopes.length === 0 ? null : signIn.scopes;
  const granted = connection === null || connection.state === 'signed_out' ? null : connection.scopes;
  const had = connection?.asksFor ?? (set === null ? granted : null);
  const scopes = scopesToAsk(resource, server, { set, had });
  const known = new Set([...(granted ?? []), ...(set ?? []), 'offline_access']);
  const newScopes = granted === null ? [] : (scopes ?? []).filter((scope) => !known.has(scope));
  attempt.show({ scopes, newScopes });
  if (newScopes.length === 0) return scopes;
  trace.step({ name: 'choice', outcome: 'waiting', message: 'It wants more than before.', read: newScopes });
  const agreed = await attempt.ask('confirm_scopes', { scopes, newScopes });
  if (agreed === null) return 'over';
  trace.step({ name: 'choice', outcome: 'ok', message: 'You agreed to ask for more.' });
  return scopes;
}

/** What we are called at the vendor; where it gives no name by itself, the person is asked for one. */
async function clientOf(
  parts: ByBrowser,
  errand: Errand,
  attempt: Attempt,
  { signIn, destination, scopes, redirect }: Prepared,
): Promise<ClientRegistration | SignInFault> {
  const { upstream } = attempt;
  const byHand = await clientByHand(parts, attempt, signIn, destination.server.issuer);
  const wanted = {
    upstreamId: upstream.id,
    server: destination.server,
    redirectUri: redirect.uri,
    metadataUrl: parts.metadataUrl,
    scopes,
  };
  const isStopped = byHand !== null && 'kind' in byHand;
  const client = isStopped ? byHand : await obtainClient(errand, parts.registrations, { ...wanted, byHand });
  if (!('kind' in client) || client.next.act !== 'paste_client_id') return client;
  const { message, next } = client;
  const given = await attempt.ask('needs_client_id', { message, next });
  if (given === null) return fault('cancelled', { upstream: upstream.name });
  const { clientId, clientSecret } = given;
  const isKept = await keepClient(parts, upstream.id, given, destination.server.issuer);
  if (isKept !== null) return fault('secret_unavailable', { upstream: upstream.name, detail: isKept });
  return obtainClient(errand, parts.registrations, {
    ...wanted,
    byHand: { clientId, clientSecret, tokenAuth: 'auto' },
  });
}

async function clientByHand(
  { vault }: Pick<ByBrowser, 'vault'>,
  { upstream, trace }: Attempt,
  signIn: WithBrowser,
  issuer: string,
): Promise<ClientWanted['byHand'] | SignInFault> {
  if (signIn.clientId === null) return null;
  const secret = await readClientSecret(vault, upstream, issuer);
  if (secret.kind === 'fault') {
    trace.step({ name: 'client_id', outcome: 'failed', message: secret.message });
    return secret;
  }
  const tokenAuth = signIn.kind === 'oauth' ? signIn.tokenAuth : 'auto';
  return { clientId: signIn.clientId, clientSecret: secret.value, tokenAuth };
}

/** It is the upstream's own from then on, by what its sign-in is now. Null: kept. */
async function keepClient(
  { upstreams, vault }: Pick<ByBrowser, 'upstreams' | 'vault'>,
  upstreamId: string,
  { clientId, clientSecret }: { readonly clientId: string; readonly clientSecret: string | null },
  issuer: string,
): Promise<string | null> {
  const now = upstreams.get(upstreamId)?.signIn;
  if (now?.kind !== 'mcp_oauth') return 'The sign-in of the upstream was changed meanwhile.';
  const kept = await upstreams.setSignIn(upstreamId, { ...now, clientId }, clientSecret);
  if (kept.kind === 'refused') return kept.message;
  if (clientSecret === null) return null;
  const bound = await vault.put(clientSecretIssuerPlace(upstreamId), issuer);
  return bound.kind === 'unavailable' ? bound.reason : null;
}
