import type { Failure } from './channel.ts';

/** What goes with requests as one account. Never logged, and shown to nobody. */
export interface Presented {
  /** To the upstream's own origin and nowhere else. */
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

/** One account at one upstream, as its links see it. */
export interface Credentials {
  /** Null: no account. Links of two accounts are never shared. */
  readonly connectionId: string | null;
  /** Asked before each request; renews first what has run out. */
  present(): Promise<{ readonly kind: 'presented'; readonly presented: Presented } | Failure>;
  /** `again`: something newer can be presented now, so the request is made once more; asked once per request. */
  refused(refusal: Refusal, presented: Presented): Promise<{ readonly kind: 'again' } | Failure>;
}

/** The account of that id, or the default one of the upstream where it is null; for an upstream without accounts, none. */
export type CredentialsFor = (upstreamId: string, connectionId: string | null) => Credentials;
