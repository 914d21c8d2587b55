import type { SignIn } from '../../../shared/connections.ts';
import type { Attempt } from './attempt.ts';
import { type AuthorizationServer, type SignInFault, tokenServer, writtenServer } from './authorization-server.ts';
import { discoverResource, discoverServer, type Resource } from './discovery.ts';
import type { Errand } from './errand.ts';
import { fault } from './faults.ts';

/** Where a sign-in goes. */
export interface Destination {
  readonly kind: 'destination';
  readonly server: AuthorizationServer;
  /** Null: the addresses were given by hand, and nobody said what they are for. */
  readonly resource: Resource | null;
}

type ByOAuth = Extract<SignIn, { kind: 'mcp_oauth' | 'oauth' | 'client_credentials' }>;

/** As the person wrote it down, or as the upstream says; of several servers the person chooses. */
export async function destinationOf(
  errand: Errand,
  attempt: Attempt,
  signIn: ByOAuth,
  address: string,
  /** `WWW-Authenticate` of the upstream's last 401; null: there was none. */
  lastChallenge: string | null,
): Promise<Destination | SignInFault> {
  if (signIn.kind === 'oauth') return { kind: 'destination', server: writtenServer(signIn), resource: null };
  if (signIn.kind === 'client_credentials' && signIn.tokenUrl !== null)
    return { kind: 'destination', server: tokenServer(signIn.tokenUrl), resource: null };

  const resource = await discoverResource(errand, { url: address, challenge: null, lastChallenge });
  if (resource.kind === 'fault') return resource;
  const issuer = await issuerOf(attempt, resource, signIn.kind === 'mcp_oauth' ? signIn.issuer : null);
  if (issuer === null) return fault('cancelled', { upstream: errand.upstream });
  // Nobody's code is caught where there is no browser.
  const allowNoPkce = signIn.kind === 'client_credentials' || signIn.allowNoPkce;
  const server = await discoverServer(errand, resource, issuer, { allowNoPkce });
  return 'kind' in server ? server : { kind: 'destination', server, resource };
}

/** What the person set, the one of this account so far, the only one, or the one that the person chooses. Null: it is over. */
async function issuerOf(attempt: Attempt, { servers }: Resource, set: string | null): Promise<string | null> {
  const { connection, trace } = attempt;
  const before = connection?.issuer ?? null;
  const known = set ?? (before !== null && servers.includes(before) ? before : null);
  const [only, ...more] = servers;
  if (known !== null || only === undefined || more.length === 0) return known ?? only ?? null;
  trace.step({ name: 'choice', outcome: 'waiting', message: 'It names several servers to sign in at.', read: servers });
  const chosen = await attempt.ask('choose_server', { servers });
  if (chosen !== null) trace.step({ name: 'choice', outcome: 'ok', message: `You chose ${chosen}.` });
  return chosen;
}
