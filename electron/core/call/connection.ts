import type { ConnectionRef, ConnectionView, SignInCode } from '../../../shared/connections.ts';
import { PHRASES } from '../../../shared/errors.ts';
import type { Client, UpstreamView } from '../../../shared/model.ts';
import type { CallEnding } from '../call-tool.ts';
import type { Connections } from '../connections/connections.ts';
import type { SignIns } from '../connections/sign-ins.ts';
import type { Aim, AimParts, CallTarget } from './aim.ts';
import { refused } from './ending.ts';

/** What a call asks of the accounts of its upstream. */
export type KnownConnections = Pick<Connections, 'choose' | 'get' | 'list'>;

/** The account a call goes out with, decided once; null: none. `refusal`: the caller named one that there is not. */
export interface ChosenConnection {
  readonly connection: ConnectionRef | null;
  readonly refusal: CallEnding | null;
}

export function chooseConnection(
  connections: KnownConnections,
  client: Pick<Client, 'id'>,
  upstream: Pick<UpstreamView, 'id' | 'name'>,
  target: CallTarget,
): ChosenConnection {
  const label = labelIn(target);
  const chosen = connections.choose(client.id, upstream.id, label);
  if (chosen.kind === 'chosen') return { connection: refOf(chosen.connection), refusal: null };
  if (label === null) return { connection: null, refusal: null };
  const labels = chosen.kind === 'unknown' ? chosen.labels : [];
  const there =
    labels.length === 0
      ? 'It has none to choose from; leave "connection" out.'
      : `There are: ${labels.map((one) => JSON.stringify(one)).join(', ')}.`;
  const message = `Field "connection": ${upstream.name} has no account ${JSON.stringify(label)}. ${there}`;
  return { connection: null, refusal: refused('invalid_arguments', message) };
}

/**
 * Why a call would not go out as the account it was decided for, in a sentence; null: it would. It is made clear to the
 * caller and never mended here: a call that was shown as one account's does not become another's.
 */
export function otherConnection(
  connections: KnownConnections,
  client: Pick<Client, 'id'>,
  { connection, upstream }: Pick<Aim, 'connection' | 'upstream'>,
  target: CallTarget,
): string | null {
  const chosen = connections.choose(client.id, upstream.id, labelIn(target));
  const now = chosen.kind === 'chosen' ? chosen.connection : null;
  if (connection === null) {
    return now === null ? null : `The account ${of(now, upstream)} became the default one while the call waited.`;
  }
  const itself = connections.get(connection.id);
  if (itself === null) return `The account ${of(connection, upstream)} was removed while the call waited.`;
  if (itself.label !== connection.label) {
    return `The account ${of(connection, upstream)} was renamed to ${JSON.stringify(itself.label)} while the call waited.`;
  }
  if (itself.state === 'signed_out')
    return `The account ${of(connection, upstream)} was signed out while the call waited.`;
  if (now?.id === connection.id) return null;
  return `The account ${of(connection, upstream)} is no longer the default one, as which the call was made.`;
}

/** The account that a client chose for itself; null: it goes with the default one, whichever that is. */
export function ownChoice(
  connections: KnownConnections,
  client: Pick<Client, 'id'>,
  upstreamId: string,
): string | null {
  const chosen = connections.choose(client.id, upstreamId, null);
  return chosen.kind === 'chosen' && chosen.connection.defaultFor.includes(client.id) ? chosen.connection.id : null;
}

/** Calls may go out as it, as far as is known without asking the upstream. */
export function isSignedIn({ state }: Pick<ConnectionView, 'state'>): boolean {
  return state !== 'signed_out' && state !== 'reconnect';
}

/** Calls of the client that name no account wait for the person to sign in. */
export function needsSignIn(
  connections: KnownConnections,
  client: Pick<Client, 'id'>,
  { id, enabled, needsSignIn: asks }: Pick<UpstreamView, 'id' | 'enabled' | 'needsSignIn'>,
): boolean {
  if (!enabled) return false;
  const chosen = connections.choose(client.id, id, null);
  return chosen.kind === 'chosen' ? !isSignedIn(chosen.connection) : asks;
}

/**
 * A call by name to an upstream that the client may see and whose tools nobody knows yet, because no account was ever
 * signed in: it is told that, and not that there is no such tool. Null: that is not so.
 */
export function neverSignedIn(
  parts: {
    readonly catalog: Pick<AimParts['catalog'], 'upstream'>;
    readonly connections: KnownConnections;
    readonly signIns: Pick<SignIns, 'list'>;
  },
  client: Client,
  target: CallTarget,
): CallEnding | null {
  if (target.kind !== 'own') return null;
  const upstream = parts.catalog.upstream(client, target.upstream);
  if (upstream === null || upstream.toolCount > 0 || !needsSignIn(parts.connections, client, upstream)) return null;
  const message = `${upstream.name} is not connected, so its tools are not known yet.`;
  return toldOfSignIn(
    parts,
    { connection: null, upstream },
    { kind: 'failed', errorClass: 'auth_required', message, upstream: upstream.name },
  );
}

/**
 * What a call that failed for want of a sign-in says besides: of which account, where the upstream has several; and that
 * setting the sign-in up failed, where that is why nobody is signed in.
 */
export function toldOfSignIn(
  { connections, signIns }: { readonly connections: KnownConnections; readonly signIns: Pick<SignIns, 'list'> },
  { connection, upstream }: Pick<Aim, 'connection' | 'upstream'>,
  ending: CallEnding,
): CallEnding {
  if (ending.kind !== 'failed' || (ending.errorClass !== 'auth_required' && ending.errorClass !== 'invalid_token'))
    return ending;
  if (connection === null) {
    const [latest] = signIns.list(upstream.id);
    const code = latest?.state === 'failed' ? latest.code : null;
    if (code === null || !SETUP.has(code)) return ending;
    // SECURITY: what the vendor said of it is for the person; no text of a server that nobody reviewed reaches an agent.
    return { ...ending, errorClass: 'oauth_setup_failed', message: `${PHRASES.setupFailed(upstream.name, code)}.` };
  }
  return connections.list(upstream.id).length < 2 ? ending : { ...ending, account: connection.label };
}

const SETUP: ReadonlySet<SignInCode> = new Set([
  'no_registration_endpoint',
  'dynamic_registration_failed',
  'no_protected_resource_metadata',
]);

/** Only `call_external_tool` names one. */
function labelIn(target: CallTarget): string | null {
  return target.kind === 'own' ? (target.connection ?? null) : null;
}

function refOf({ id, label }: ConnectionView): ConnectionRef {
  return { id, label };
}

function of({ label }: Pick<ConnectionRef, 'label'>, { name }: Pick<UpstreamView, 'name'>): string {
  return `${JSON.stringify(label)} of ${name}`;
}
