import { z } from 'zod';
import type { TokenAuth } from '../../../shared/connections.ts';
import type { AuthorizationServer, ClientRegistration, SignInFault } from './authorization-server.ts';
import { jsonOf } from './discovery.ts';
import type { Errand } from './errand.ts';
import { fault, vendorWords } from './faults.ts';
import type { OutboundAnswer } from './outbound.ts';
import type { Registrations } from './registrations.ts';

export interface ClientWanted {
  readonly upstreamId: string;
  readonly server: AuthorizationServer;
  /** Exactly where the browser is to be sent. */
  readonly redirectUri: string;
  /** Registered with the vendor by the person; null: none. */
  readonly byHand: {
    readonly clientId: string;
    readonly clientSecret: string | null;
    readonly tokenAuth: TokenAuth;
  } | null;
  /** Where our metadata document is hosted (`GATEHOUSE_CLIENT_METADATA_URL`); null: nowhere. */
  readonly metadataUrl: string | null;
  /** What will be asked for. */
  readonly scopes: readonly string[] | null;
}

/**
 * What we are called at an authorization server, in the order of the MCP specification: registered by hand, by the address
 * of our metadata document, by registering now (RFC 7591), and else `no_registration_endpoint`: the person is asked.
 */
export async function obtainClient(
  errand: Errand,
  registrations: Registrations,
  wanted: ClientWanted,
): Promise<ClientRegistration | SignInFault> {
  const { server, byHand, metadataUrl, upstreamId, redirectUri } = wanted;
  const { trace, upstream } = errand;
  if (byHand !== null) {
    trace.hide(byHand.clientSecret);
    trace.step({ name: 'client_id', outcome: 'ok', message: 'The client id that you gave is used.' });
    return { how: 'by_hand', ...byHand, tokenAuth: tokenAuthOf(server, byHand) };
  }
  if (metadataUrl !== null && server.metadata?.client_id_metadata_document_supported === true) {
    trace.step({ name: 'client_id', outcome: 'ok', message: `Our metadata document is the client id: ${metadataUrl}` });
    return { how: 'metadata_document', clientId: metadataUrl, clientSecret: null, tokenAuth: 'none' };
  }
  const known = await registrations.get({ upstreamId, issuer: server.issuer, redirectUri }, wanted.scopes);
  if (known !== null && 'how' in known) {
    trace.hide(known.clientSecret);
    trace.step({ name: 'client_id', outcome: 'ok', message: 'The client id of an earlier registration is used.' });
    return known;
  }
  if (known !== null) {
    const found = fault('secret_unavailable', { upstream, detail: known.reason });
    trace.step({ name: 'client_id', outcome: 'failed', message: found.message });
    return found;
  }
  if (server.registerUrl === null) {
    const found = fault('no_registration_endpoint', { upstream, where: hostOf(server.issuer), redirectUri });
    trace.step({ name: 'client_id', outcome: 'failed', message: found.message });
    return found;
  }
  return register(errand, registrations, wanted, server.registerUrl);
}

/** A redirect that may be in the document: any port of the loopback address, by both its names. */
export const METADATA_REDIRECTS = ['http://127.0.0.1/callback', 'http://localhost/callback'];

/** Whether an address can be a client id (OAuth Client ID Metadata Document, section 3); null: it can. */
export function refuseMetadataUrl(address: string): string | null {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url === null || url.protocol !== 'https:' || url.pathname === '/' || url.hash !== '' || url.username !== '') {
    return `GATEHOUSE_CLIENT_METADATA_URL is ${address}, which cannot be a client id: it must be an https address with a path.`;
  }
  return null;
}

async function register(
  errand: Errand,
  registrations: Registrations,
  { upstreamId, server, redirectUri, scopes }: ClientWanted,
  url: string,
): Promise<ClientRegistration | SignInFault> {
  const { trace, upstream, clock } = errand;
  const where = hostOf(server.issuer);
  const request = { method: 'POST', url };
  const failed = (found: SignInFault, status: number | null): SignInFault => {
    trace.step({ name: 'client_id', outcome: 'failed', message: found.message, request, status });
    return found;
  };
  const body = {
    client_name: 'Gatehouse',
    application_type: 'native',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: METHODS[wantedAuth(server)],
  };
  const ask = (metadata: object) =>
    errand.outbound({
      url,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(metadata),
    });
  let registeredFor = scopes === null || scopes.length === 0 ? null : scopes;
  let answer = await ask(registeredFor === null ? body : { ...body, scope: registeredFor.join(' ') });
  if (registeredFor !== null && answer.kind !== 'fault' && isAboutScope(answer)) {
    const message = `${where} registers nobody for these scopes: it is asked to without naming any.`;
    trace.step({ name: 'client_id', outcome: 'skipped', message, request, status: answer.status });
    registeredFor = null;
    answer = await ask(body);
  }
  if (answer.kind === 'fault') return failed(answer, null);
  const { status } = answer;
  if (status !== 200 && status !== 201) {
    if (isNoServer(server, answer)) return failed(fault('no_protected_resource_metadata', { upstream }), status);
    const said = reasonOf(answer) ?? `HTTP ${status}`;
    const found = fault('dynamic_registration_failed', { upstream, where, said, redirectUri });
    // Its cause is the redirect, and so is its cure.
    const next = isAboutRedirect(answer) ? fault('redirect_rejected', { upstream, where }).next : found.next;
    return failed({ ...found, next }, status);
  }
  const parsed = registeredSchema.safeParse(jsonOf(answer));
  const unusable = (said: string) =>
    failed(fault('dynamic_registration_failed', { upstream, where, said, redirectUri }), status);
  if (!parsed.success && isNoServer(server, answer)) {
    return failed(fault('no_protected_resource_metadata', { upstream }), status);
  }
  if (!parsed.success) return unusable('its answer holds no usable client id.');
  const { client_id, client_secret, client_secret_expires_at, redirect_uris, token_endpoint_auth_method } = parsed.data;
  // Codes would go where nobody asked them to.
  if (redirect_uris != null && (redirect_uris.length !== 1 || redirect_uris[0] !== redirectUri)) {
    return unusable('it registered other redirect addresses than the one it was sent.');
  }
  trace.hide(client_secret ?? null);
  const expiresAt = client_secret == null || !client_secret_expires_at ? null : client_secret_expires_at * 1000;
  if (expiresAt !== null && expiresAt <= clock.now()) return unusable('the client secret it gave has already run out.');
  const client: ClientRegistration = {
    how: 'registered',
    clientId: client_id,
    clientSecret: client_secret ?? null,
    tokenAuth: registeredAuth(server, client_secret ?? null, token_endpoint_auth_method ?? null),
  };
  const kept = await registrations.keep(
    { upstreamId, issuer: server.issuer, redirectUri },
    client,
    registeredFor,
    expiresAt,
  );
  if (kept !== 'kept') return failed(fault('secret_unavailable', { upstream, detail: kept.reason }), status);
  trace.step({
    name: 'client_id',
    outcome: 'ok',
    message: `${where} registered Gatehouse.`,
    request,
    status,
    read: [
      `client_id: ${client_id}`,
      `client_secret: ${client_secret == null ? 'none' : 'given'}`,
      `redirect_uri: ${redirectUri}`,
    ],
  });
  return client;
}

/** As the person set it, else as the server's metadata says it; RFC 8414 lets Basic be meant where it says nothing. */
function tokenAuthOf(
  server: AuthorizationServer,
  { clientSecret, tokenAuth }: { readonly clientSecret: string | null; readonly tokenAuth: TokenAuth },
): ClientRegistration['tokenAuth'] {
  if (tokenAuth !== 'auto') return tokenAuth;
  if (clientSecret === null) return 'none';
  const methods = server.metadata?.token_endpoint_auth_methods_supported ?? null;
  return methods === null || methods.includes('client_secret_basic') ? 'basic' : 'post';
}

/** A program on a person's computer keeps no secret (RFC 8252, 8.4): none, wherever the server lets us. */
function wantedAuth(server: AuthorizationServer): ClientRegistration['tokenAuth'] {
  const methods = server.metadata?.token_endpoint_auth_methods_supported ?? null;
  if (methods === null || methods.includes('none')) return 'none';
  return methods.includes('client_secret_basic') ? 'basic' : 'post';
}

function registeredAuth(
  server: AuthorizationServer,
  clientSecret: string | null,
  said: string | null,
): ClientRegistration['tokenAuth'] {
  if (clientSecret === null) return 'none';
  const method = Object.entries(METHODS).find(([, name]) => name === said)?.[0];
  if (method === 'basic' || method === 'post' || method === 'none') return method;
  return tokenAuthOf(server, { clientSecret, tokenAuth: 'auto' });
}

/** It says nothing about itself, and where it would register clients it answers nothing of OAuth: a page, or not at all. */
function isNoServer(server: AuthorizationServer, answer: OutboundAnswer): boolean {
  return server.metadata === null && answer.status < 500 && !objectSchema.safeParse(jsonOf(answer)).success;
}

function reasonOf(answer: OutboundAnswer): string | null {
  const parsed = errorSchema.safeParse(jsonOf(answer));
  return parsed.success ? vendorWords(parsed.data.error, parsed.data.error_description) : null;
}

function isAboutRedirect(answer: OutboundAnswer): boolean {
  const parsed = errorSchema.safeParse(jsonOf(answer));
  return parsed.success && parsed.data.error === 'invalid_redirect_uri';
}

/** Vendors that know scopes of their own alone refuse those of their resources. */
function isAboutScope(answer: OutboundAnswer): boolean {
  const parsed = errorSchema.safeParse(jsonOf(answer));
  if (!parsed.success) return false;
  const { error, error_description: description } = parsed.data;
  return error === 'invalid_scope' || (error === 'invalid_client_metadata' && /\bscopes?\b/i.test(description ?? ''));
}

function hostOf(issuer: string): string {
  return URL.canParse(issuer) ? new URL(issuer).host : issuer;
}

const METHODS = { basic: 'client_secret_basic', post: 'client_secret_post', none: 'none' } as const;
/** Of RFC 7591: an error, or a client. */
const objectSchema = z.union([z.object({ error: z.string() }), z.object({ client_id: z.unknown() })]);
const errorSchema = z.object({ error: z.string().min(1), error_description: z.string().nullish().catch(null) });
/** `registration_client_uri` and its token are left unread: a registration is never managed, only replaced. */
const registeredSchema = z.object({
  client_id: z
    .string()
    .min(1)
    .max(16 * 1024),
  client_secret: z
    .string()
    .max(16 * 1024)
    .nullish()
    .transform((secret) => (secret === '' ? null : secret)),
  client_secret_expires_at: z.number().min(0).max(1e11).nullish(),
  redirect_uris: z.array(z.string()).nullish(),
  token_endpoint_auth_method: z.string().nullish().catch(null),
});
