import { z } from 'zod';
import type { Confirmations } from '../approvals/confirmations.ts';
import type { Audit } from '../audit/audit.ts';
import type { Clients } from '../clients/clients.ts';
import { faultFields } from '../diagnosis/fault.ts';
import type { Log } from '../diagnosis/log.ts';
import type { Clock } from '../platform.ts';
import type { Vault } from '../secrets/vault.ts';
import { createAdapter } from './adapter.ts';
import { createAsking } from './asking.ts';
import { type Answered, exchange } from './exchange.ts';
import { PATHS, resourceMetadata, SCOPE, serverMetadata } from './metadata.ts';
import { authorizeParameters, revokeParameters, tokenParameters } from './parameters.ts';
import { createProvider, type Provider, UNUSED_SECONDS } from './provider.ts';
import { createRecords } from './records.ts';
import { readRegistration } from './registration.ts';
import type { Resource } from './resource.ts';

export type SignInState = { readonly kind: 'on' } | { readonly kind: 'off'; readonly reason: string };

/** What an access token opens. */
export type TokenRead =
  | { readonly kind: 'key'; readonly keyId: string }
  | { readonly kind: 'expired' | 'other_resource'; readonly keyId: string }
  /** It may be one of ours, and the key that would tell is in a locked keychain. */
  | { readonly kind: 'locked' }
  | { readonly kind: 'unknown' };

/** An answer of the protocol, for a program: JSON, or nothing. */
export interface ProtocolAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** What a browser gets next. */
export type BrowserStep =
  | { readonly kind: 'go'; readonly to: string }
  /** The person is asked in Gatehouse. */
  | { readonly kind: 'wait' }
  /** One sentence for the person, who must be told here because no program may be. */
  | { readonly kind: 'stop'; readonly status: number; readonly message: string };

/** Gatehouse as the authorization server of its own clients (RFC 6749 with PKCE, RFC 7591, 7009, 8414, 8707, 9728). */
export interface ClientSignIn {
  /** Whether a program may be sent here; the vault may just have been unlocked. */
  state(): Promise<SignInState>;
  /** The same as far as it is known without asking the keychain. */
  isOn(): boolean;
  resourceMetadata(resource: Resource, host: string): unknown;
  serverMetadata(): unknown;
  register(body: unknown): Promise<ProtocolAnswer>;
  authorize(query: URLSearchParams): Promise<BrowserStep>;
  /** Where a sign-in stands that a person is being asked about. */
  step(uid: string): Promise<BrowserStep>;
  /** Resolves once the person has answered, or after `ms`. */
  answered(uid: string, ms: number): Promise<void>;
  /** Back to the program, with its code or its refusal. */
  resume(uid: string): Promise<BrowserStep>;
  token(form: URLSearchParams): Promise<ProtocolAnswer>;
  revoke(form: URLSearchParams): Promise<ProtocolAnswer>;
  /** @param resource the endpoint that the request was sent to */
  read(token: string, resource: Resource): TokenRead;
  /** A key has ended: so have its tokens. */
  endOfKey(keyId: string): void;
}

export interface ClientSignInParts {
  readonly db: Parameters<typeof createRecords>[0]['db'];
  readonly clock: Clock;
  readonly vault: Vault;
  readonly clients: Pick<
    Clients,
    'keyIsLive' | 'signIn' | 'signedIn' | 'extendKey' | 'revokeKey' | 'get' | 'workspace' | 'defaultWorkspace'
  >;
  readonly confirmations: Pick<Confirmations, 'request'>;
  /** By workspace id: the names of its upstreams. */
  readonly upstreamNames: (workspaceId: string) => readonly string[];
  readonly audit: Pick<Audit, 'writeSoon'>;
  readonly log: Log;
  /** The listener's, which is the issuer's. */
  readonly port: () => number;
}

/** Registrations that are kept: those not used for longest give way. */
const MOST_REGISTRATIONS = 200;
export function createClientSignIn(parts: ClientSignInParts): ClientSignIn {
  const { clock, vault, clients, audit, log } = parts;
  const records = createRecords(parts);
  const adapter = createAdapter({ records, clock, grantEnded });
  const issuer = () => `http://127.0.0.1:${parts.port()}`;
  const asking = createAsking({ ...parts, records });
  let making: Promise<Provider | null> | null = null;
  records.clean(MOST_REGISTRATIONS);

  async function state(): Promise<SignInState> {
    const now = await vault.state();
    return now.kind === 'ready' ? { kind: 'on' } : { kind: 'off', reason: now.reason };
  }

  /** Null: the vault is closed, which `state` says better. */
  async function provider(): Promise<Provider | null> {
    making ??= createProvider({
      issuer: issuer(),
      port: parts.port(),
      vault,
      adapter,
      isLive: clients.keyIsLive,
      used(keyId) {
        clients.extendKey(keyId, clock.now() + UNUSED_SECONDS * 1000);
        records.clean(MOST_REGISTRATIONS);
      },
      failed: (error) => log.error('client_sign_in_failed', faultFields(error)),
    }).then((made) => (made.kind === 'made' ? made.provider : null));
    try {
      const made = await making;
      if (made === null) making = null;
      return made;
    } catch (error) {
      making = null;
      throw error;
    }
  }

  /** The library has taken a grant back: the program signed out, or a used refresh token came a second time. */
  function grantEnded(keyId: string): void {
    const ended = clients.revokeKey(keyId);
    if (ended.kind === 'refused') return;
    const client = clients.get(ended.value.clientId);
    audit.writeSoon({
      phase: 'event',
      kind: 'client_signed_out',
      clientId: ended.value.clientId,
      client: client?.name ?? null,
      keyPrefix: ended.value.prefix,
      detail: { by: 'the program, or a refresh token that was used twice' },
    });
  }

  async function send(
    library: Provider,
    method: 'GET' | 'POST',
    target: string,
    body: string,
    more: Readonly<Record<string, string>>,
  ): Promise<Answered> {
    const headers = { host: new URL(issuer()).host, accept: 'application/json', ...more };
    return exchange(library.callback(), { method, target, headers, body });
  }

  async function post(path: string, form: URLSearchParams): Promise<ProtocolAnswer> {
    const library = await provider();
    if (library === null) return closed();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const { status, body } = await send(library, 'POST', path, form.toString(), headers);
    return status >= 500 ? FAULT : { status, body };
  }

  async function closed(): Promise<ProtocolAnswer> {
    return { status: 503, body: { error: 'temporarily_unavailable', error_description: await closedMessage() } };
  }

  async function closedMessage(): Promise<string> {
    const now = await state();
    return now.kind === 'off'
      ? `Programs cannot sign in now. ${now.reason}`
      : 'Programs cannot sign in now. Try again.';
  }

  /** What a GET of the library means for the browser: on to the program, on to the question, or a page of ours. */
  async function browse(library: Provider, target: string, cookie: string): Promise<BrowserStep> {
    const headers: Record<string, string> = cookie === '' ? {} : { cookie };
    const { status, location, body } = await send(library, 'GET', target, '', headers);
    if (location === null && status >= 500)
      return { kind: 'stop', status, message: 'Gatehouse failed. Its log says more.' };
    if (location === null) return { kind: 'stop', status, message: problemText(body) };
    const [, uid] = SIGN_IN.exec(location) ?? [];
    if (uid === undefined) return { kind: 'go', to: location };
    const interaction = await library.Interaction.find(uid);
    if (interaction === undefined) return OVER;
    return { kind: 'go', to: `${PATHS.signIn}/${asking.begin(library, interaction)}` };
  }

  return {
    state,
    isOn: () => vault.sealer() !== null,
    resourceMetadata: (resource, host) => resourceMetadata(resource, host, issuer()),
    serverMetadata: () => serverMetadata(issuer()),
    async register(body) {
      const read = readRegistration(body);
      if (read.kind === 'refused') return { status: 400, body: { error: read.error, error_description: read.message } };
      const library = await provider();
      if (library === null) return closed();
      const headers = { 'content-type': 'application/json' };
      const made = await send(library, 'POST', PATHS.register, JSON.stringify(read.metadata), headers);
      if (made.status !== 201) return made.status >= 500 ? FAULT : { status: made.status, body: made.body };
      records.clean(MOST_REGISTRATIONS);
      audit.writeSoon({
        phase: 'event',
        kind: 'client_registered',
        detail: { callsItself: read.callsItself, redirectUris: read.metadata.redirect_uris },
      });
      return { status: 201, body: { ...registeredSchema.parse(made.body), scope: SCOPE } };
    },
    async authorize(query) {
      const library = await provider();
      if (library === null) return { kind: 'stop', status: 503, message: await closedMessage() };
      const parameters = authorizeParameters(query, issuer(), parts.port());
      return browse(library, `${PATHS.authorize}?${parameters}`, '');
    },
    async step(uid) {
      const standing = asking.standing(uid);
      if (standing === 'waiting') return { kind: 'wait' };
      if (standing === 'withdrawn') return STARTED_AGAIN;
      if (standing === 'over') return { kind: 'go', to: `${PATHS.authorize}/${uid}` };
      const interaction = await (await provider())?.Interaction.find(uid);
      if (interaction === undefined) return OVER;
      await asking.lost(interaction);
      return { kind: 'go', to: `${PATHS.authorize}/${uid}` };
    },
    answered: asking.answered,
    async resume(uid) {
      if (asking.standing(uid) !== 'over') return { kind: 'go', to: `${PATHS.signIn}/${uid}` };
      const library = await provider();
      if (library === null) return { kind: 'stop', status: 503, message: await closedMessage() };
      asking.forget(uid);
      // The library finds the sign-in by a cookie; ours is the address, which no other port of this machine is sent.
      return browse(library, `${PATHS.authorize}/${uid}`, `${library.cookieName('resume')}=${uid}`);
    },
    token: (form) => post(PATHS.token, tokenParameters(form, issuer(), parts.port())),
    revoke: (form) => post(PATHS.revoke, revokeParameters(form)),
    read(token, resource) {
      const found = records.find('AccessToken', token);
      if (found.kind === 'missing') return { kind: 'unknown' };
      if (found.kind === 'locked') return found;
      const { accountId: keyId, aud, exp } = tokenSchema.parse(found.payload);
      if (exp * 1000 <= clock.now()) return { kind: 'expired', keyId };
      if (aud !== resource.path) return { kind: 'other_resource', keyId };
      return { kind: 'key', keyId };
    },
    endOfKey: records.removeOfKey,
  };
}

const SIGN_IN = new RegExp(`^${PATHS.signIn}/([A-Za-z0-9_-]+)$`);

const OVER: BrowserStep = {
  kind: 'stop',
  status: 404,
  message: 'This sign-in is over. If the program is not connected, start it again there.',
};

/** The program waits for the answer to its newer request: to be told of this one would only confuse it. */
const STARTED_AGAIN: BrowserStep = {
  kind: 'stop',
  status: 410,
  message: 'The program has started its sign-in again. Go on in the newer page.',
};

const tokenSchema = z.object({ accountId: z.string(), aud: z.string(), exp: z.number() });
const registeredSchema = z.object({
  client_id: z.string(),
  client_id_issued_at: z.number().optional(),
  client_name: z.string().optional(),
  redirect_uris: z.array(z.string()),
  grant_types: z.array(z.string()),
  response_types: z.array(z.string()),
  token_endpoint_auth_method: z.string(),
  application_type: z.string(),
});

const problemSchema = z.object({ error: z.string(), error_description: z.string().optional() });

/** Never the library's own words: what went wrong is in the log. */
const FAULT: ProtocolAnswer = {
  status: 500,
  body: { error: 'server_error', error_description: 'Gatehouse failed. Its log says more.' },
};

/** The library's words for what a program did wrong; a person reads them in the browser. */
function problemText(body: unknown): string {
  const read = problemSchema.safeParse(body);
  if (!read.success) return 'The program cannot sign in like this.';
  const { error, error_description: description } = read.data;
  if (error === 'invalid_client')
    return 'Gatehouse does not know this program (any more). Remove its sign-in in the program, so that it registers again.';
  return `The program cannot sign in like this: ${description ?? error}.`;
}
