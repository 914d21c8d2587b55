import type { Failure } from './channel.ts';

/** What goes with requests as one account. Never logged, and shown to nobody. */
export interface Presented {
  /** To the upstream's own origin and nowhere else. Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Added to the address of the upstream, and to no other. */
  readonly query: Readonly<Record<string, string>>;
  /** For a process, at its start. */
  readonly environment: Readonly<Record<string, string>>;
}

/** How an upstream refused what was presented, or that nothing was (RFC 6750, section 3). */
export interface Refusal {
  readonly status: 401 | 403;
  /** `WWW-Authenticate` as it came; null: there was none. Untrusted. */
  readonly challenge: string | null;
}

export type Presenting = { readonly kind: 'presented'; readonly presented: Presented } | Failure;

/** One account at one upstream, as its links see it. */
export interface Credentials {
  /** Null: no account. Links of two accounts are never shared. */
  readonly connectionId: string | null;
  /** Why nothing goes out as this account until the person does something; null: it may work. */
  missing(): Failure | null;
  /** Asked before each request; renews first what has run out. */
  present(): Promise<Presenting>;
  /**
   * `again`: something newer can be presented now, so the request is made once more. `isLast`: it is not made again
   * whatever this says, so that a token which was just renewed and refused again is known to be dead.
   */
  refused(refusal: Refusal, presented: Presented, isLast: boolean): Promise<{ readonly kind: 'again' } | Failure>;
}

/** The account of that id, or the default one of the upstream where it is null; for an upstream without accounts, none. */
export type CredentialsFor = (upstreamId: string, connectionId: string | null) => Credentials;

/** Nobody is signed in: nothing is presented, and what the upstream does not let in without an account fails. */
export function withoutAccount(name: string): Credentials {
  return {
    connectionId: null,
    missing: () => null,
    present: async () => NOTHING,
    refused: async () => notConnected(name),
  };
}

/** Agents get this as the seed's first phrase, with the link that connects it. */
export function notConnected(name: string): Failure {
  return { kind: 'failure', errorClass: 'auth_required', message: `${name} asks for a sign-in.`, retry: 'never' };
}

/** Thrown in place of a response, with why the request does not go out as this account. */
export class NotLetIn extends Error {
  // The SDK's: it ends a handshake at once, and asks for no older era.
  override readonly name = 'UnauthorizedError';
  readonly failure: Failure;
  constructor(failure: Failure) {
    super('the account was not let in');
    this.failure = failure;
  }
}

const NOTHING: Presenting = { kind: 'presented', presented: { headers: {}, query: {}, environment: {} } };
