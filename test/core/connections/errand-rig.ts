import type { LookupFunction } from 'node:net';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import type { SignInFault } from '../../../electron/core/connections/authorization-server.ts';
import { type Authorization, authorization, checkCallback } from '../../../electron/core/connections/authorize.ts';
import { obtainClient } from '../../../electron/core/connections/client-id.ts';
import { discoverResource, discoverServer, scopesToAsk } from '../../../electron/core/connections/discovery.ts';
import { createErrand, type Errand } from '../../../electron/core/connections/errand.ts';
import { createRegistrations, registrationsSchema } from '../../../electron/core/connections/registrations.ts';
import { exchangeCode, type GivenTokens } from '../../../electron/core/connections/token-endpoint.ts';
import { createTrace } from '../../../electron/core/connections/trace.ts';
import { type Clock, systemClock } from '../../../electron/core/platform.ts';
import { createVault, secretsSchema } from '../../../electron/core/secrets/vault.ts';
import type { Environment } from '../../../electron/core/upstreams/environment.ts';
import { createMemoryKeychain } from '../../support/memory-keychain.ts';
import { followAsBrowser, type Person } from '../../support/vendors/browser.ts';

/** Like the loopback listener of a sign-in; what a browser would load of it is read from its address bar. */
export const REDIRECT = 'http://127.0.0.1:33333/callback';

export function errandTo(
  url: string,
  own: {
    readonly allowPrivate?: boolean;
    readonly clock?: Clock;
    readonly lookup?: LookupFunction;
    readonly environment?: Environment;
    readonly signal?: AbortSignal;
  } = {},
): Errand {
  const clock = own.clock ?? systemClock;
  return createErrand(
    { clock, environment: own.environment ?? {}, lookup: own.lookup, version: 'test' },
    {
      upstream: 'Notes',
      url,
      allowPrivate: own.allowPrivate ?? false,
      ...(own.signal === undefined ? {} : { signal: own.signal }),
    },
    createTrace(clock),
  );
}

/** Registrations in a real database, with a real vault under a key of the test. */
export function realRegistrations(clock: Clock = systemClock) {
  const db = new Database(':memory:');
  onTestFinished(() => void db.close());
  db.exec(secretsSchema);
  db.exec(registrationsSchema);
  const keychain = createMemoryKeychain();
  const vault = createVault({ db, keychain, clock, masterKeyFile: null });
  return { db, vault, keychain, registrations: createRegistrations({ db, vault, clock }) };
}

export interface SignedIn {
  readonly tokens: GivenTokens;
  readonly asked: Authorization;
  readonly errand: Errand;
}

/** A whole sign-in by the parts, as a person at the vendor's pages does it. */
export async function signInAt(
  url: string,
  own: {
    readonly person?: Person;
    readonly byHand?: { readonly clientId: string; readonly clientSecret: string | null };
    readonly metadataUrl?: string;
    readonly allowNoPkce?: boolean;
    readonly challenge?: string;
    readonly issuer?: string;
    readonly environment?: Environment;
  } = {},
): Promise<SignedIn | (SignInFault & { readonly errand: Errand })> {
  const errand = errandTo(url, own.environment === undefined ? {} : { environment: own.environment });
  const resource = await discoverResource(errand, { url, challenge: own.challenge ?? null });
  if (resource.kind === 'fault') return { ...resource, errand };
  const issuer = own.issuer ?? resource.servers[0] ?? '';
  const server = await discoverServer(errand, resource, issuer, { allowNoPkce: own.allowNoPkce ?? false });
  if ('kind' in server) return { ...server, errand };
  const scopes = scopesToAsk(resource, server, { set: null, had: null });
  const client = await obtainClient(errand, realRegistrations().registrations, {
    upstreamId: 'u',
    server,
    redirectUri: REDIRECT,
    byHand: own.byHand === undefined ? null : { ...own.byHand, tokenAuth: 'auto' },
    metadataUrl: own.metadataUrl ?? null,
    scopes,
  });
  if ('kind' in client) return { ...client, errand };
  const asked = authorization(errand, {
    server,
    client,
    redirectUri: REDIRECT,
    scopes,
    resource: resource.indicator,
    pkce: true,
  });
  if (asked.kind === 'fault') return { ...asked, errand };
  const { url: end } = await followAsBrowser(asked.url, { ...own.person, stopBefore: REDIRECT });
  const back = checkCallback(errand, new URL(end).searchParams, asked.expected);
  if (back.kind === 'fault') return { ...back, errand };
  const party = { server, client, resource: resource.indicator, usedAt: new URL(url).origin, scopes };
  const { verifier, redirectUri } = asked.expected;
  const exchanged = await exchangeCode(errand, party, { code: back.code, verifier, redirectUri });
  return exchanged.kind === 'fault' ? { ...exchanged, errand } : { tokens: exchanged.tokens, asked, errand };
}
