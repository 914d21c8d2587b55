import { z } from 'zod';
import {
  type AuthorizationServer,
  type ClientRegistration,
  hostOf,
  type SignInFault,
  secretAuth,
} from './authorization-server.ts';
import type { Errand } from './errand.ts';
import { fault } from './faults.ts';
import { errorOf, jsonOf } from './oauth-answer.ts';
import type { OutboundAnswer } from './outbound.ts';
import type { RegisteredFor, Registrations } from './registrations.ts';

export interface RegistrationWanted extends Pick<RegisteredFor, 'upstreamId' | 'redirectUri'> {
  readonly server: AuthorizationServer;
  readonly scopes: readonly string[] | null;
}

/** Registers us with a vendor (RFC 7591) and keeps what it gives, for this redirect and for nobody else. */
export async function register(
  errand: Errand,
  registrations: Registrations,
  wanted: RegistrationWanted,
  url: string,
): Promise<ClientRegistration | SignInFault> {
  const { trace, upstream } = errand;
  const { server, redirectUri, upstreamId } = wanted;
  const where = hostOf(server.issuer);
  const request = { method: 'POST', url };
  const { answer, scopes } = await ask(errand, wanted, url);
  const status = answer.kind === 'fault' ? null : answer.status;
  const registered = answer.kind === 'fault' ? answer : read(errand, wanted, answer);
  if (registered.kind === 'fault') {
    trace.step({ name: 'client_id', outcome: 'failed', message: registered.message, request, status });
    return registered;
  }
  const { client, expiresAt } = registered;
  const kept = await registrations.keep({ upstreamId, issuer: server.issuer, redirectUri }, client, scopes, expiresAt);
  if (kept !== 'kept') {
    const found = fault('secret_unavailable', { upstream, detail: kept.reason });
    trace.step({ name: 'client_id', outcome: 'failed', message: found.message, request, status });
    return found;
  }
  trace.step({
    name: 'client_id',
    outcome: 'ok',
    message: `${where} registered Gatehouse.`,
    request,
    status,
    read: [
      `client_id: ${client.clientId}`,
      `client_secret: ${client.clientSecret === null ? 'none' : 'given'}`,
      `redirect_uri: ${redirectUri}`,
    ],
  });
  return { ...client, isNew: true };
}

type Asked = {
  readonly answer: OutboundAnswer | SignInFault;
  /** Those that were named in the end; null: none. */
  readonly scopes: readonly string[] | null;
};

/** Asks with all that we want, and without what the server does not have where it says that this is the reason. */
async function ask(
  errand: Errand,
  { server, redirectUri, scopes: wanted }: RegistrationWanted,
  url: string,
): Promise<Asked> {
  const methods = server.metadata?.token_endpoint_auth_methods_supported ?? null;
  // A program on a person's computer keeps no secret (RFC 8252, 8.4): none, wherever the server lets us.
  let tokenAuth = methods === null || methods.includes('none') ? ('none' as const) : secretAuth(server);
  let scopes = wanted === null || wanted.length === 0 ? null : wanted;
  for (;;) {
    const answer = await errand.outbound({
      url,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        client_name: 'Gatehouse',
        application_type: 'native',
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: METHODS[tokenAuth],
        ...(scopes === null ? {} : { scope: scopes.join(' ') }),
      }),
    });
    const said = answer.kind === 'fault' ? null : errorOf(answer);
    if (answer.kind === 'fault' || said === null) return { answer, scopes };
    const again = (message: string) =>
      errand.trace.step({
        name: 'client_id',
        outcome: 'skipped',
        message: `${hostOf(server.issuer)} registers nobody ${message}`,
        request: { method: 'POST', url },
        status: answer.status,
      });
    if (scopes !== null && isAboutScope(said)) {
      again('for these scopes: it is asked to without naming any.');
      scopes = null;
    } else if (methods === null && tokenAuth === 'none' && said.error === 'invalid_client_metadata') {
      again('without a secret, it seems: it is asked for one.');
      tokenAuth = secretAuth(server);
    } else {
      return { answer, scopes };
    }
  }
}

/** Vendors that know scopes of their own alone refuse those of their resources. */
function isAboutScope({ error, words }: { readonly error: string; readonly words: string }): boolean {
  return error === 'invalid_scope' || (error === 'invalid_client_metadata' && /\bscopes?\b/i.test(words));
}

type Registered = {
  readonly kind: 'registered';
  readonly client: ClientRegistration;
  /** Of its secret; null: it does not run out. */
  readonly expiresAt: number | null;
};

function read(
  { upstream, trace, clock }: Errand,
  { server, redirectUri }: RegistrationWanted,
  answer: OutboundAnswer,
): Registered | SignInFault {
  const where = hostOf(server.issuer);
  const failed = (said: string) => fault('dynamic_registration_failed', { upstream, where, said, redirectUri });
  const isSuccess = answer.status === 200 || answer.status === 201;
  const parsed = registeredSchema.safeParse(isSuccess ? jsonOf(answer) : undefined);
  if (!parsed.success) {
    if (isNoServer(server, answer)) return fault('no_protected_resource_metadata', { upstream });
    if (isSuccess) return failed('its answer holds no usable client id.');
    const said = errorOf(answer);
    const refused = failed(said === null ? `HTTP ${answer.status}` : said.words);
    // Its cause is the redirect, and so is its cure.
    const isAboutRedirect = said?.error === 'invalid_redirect_uri';
    return isAboutRedirect ? { ...refused, next: fault('redirect_rejected', { upstream, where }).next } : refused;
  }
  const { client_id, client_secret, client_secret_expires_at, redirect_uris, token_endpoint_auth_method } = parsed.data;
  // Codes would go where nobody asked them to.
  if (redirect_uris != null && (redirect_uris.length !== 1 || redirect_uris[0] !== redirectUri)) {
    return failed('it registered other redirect addresses than the one it was sent.');
  }
  const clientSecret = client_secret ?? null;
  trace.hide(clientSecret);
  const expiresAt = clientSecret === null || !client_secret_expires_at ? null : client_secret_expires_at * 1000;
  if (expiresAt !== null && expiresAt <= clock.now()) return failed('the client secret it gave has already run out.');
  const said = (['basic', 'post', 'none'] as const).find((one) => METHODS[one] === token_endpoint_auth_method);
  const tokenAuth = clientSecret === null ? 'none' : (said ?? secretAuth(server));
  return { kind: 'registered', client: { how: 'registered', clientId: client_id, clientSecret, tokenAuth }, expiresAt };
}

/** It says nothing about itself, and where it would register clients it answers nothing of OAuth: a page, or not at all. */
function isNoServer({ metadata }: AuthorizationServer, answer: OutboundAnswer): boolean {
  return metadata === null && answer.status < 500 && !spokenSchema.safeParse(jsonOf(answer)).success;
}

const METHODS = { basic: 'client_secret_basic', post: 'client_secret_post', none: 'none' } as const;
/** Something of RFC 7591, whatever it is worth. */
const spokenSchema = z.union([z.object({ error: z.string() }), z.object({ client_id: z.unknown() })]);
const LONGEST = 16 * 1024;
/** `registration_client_uri` and its token are left unread: a registration is never managed, only replaced. */
const registeredSchema = z.object({
  client_id: z.string().min(1).max(LONGEST),
  client_secret: z
    .string()
    .max(LONGEST)
    .nullish()
    .transform((secret) => (secret === '' ? null : secret)),
  client_secret_expires_at: z.number().min(0).max(1e11).nullish(),
  redirect_uris: z.array(z.string()).nullish(),
  token_endpoint_auth_method: z.string().nullish().catch(null),
});
