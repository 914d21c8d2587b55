import type { IncomingMessage } from 'node:http';
import type { ClientSignIn } from '../client-sign-in/client-sign-in.ts';
import type { Resource } from '../client-sign-in/resource.ts';
import type { Authentication, Clients } from '../clients/clients.ts';
import { bearerToken, parseBearer } from '../clients/keys.ts';

export type Caller =
  | Authentication
  /** The token of a program that signed in by itself cannot be read while the keychain is locked. */
  | { readonly kind: 'locked' };

/**
 * Who calls: the holder of a key, or a program that signed in by itself, whose token is good for one endpoint. Only the
 * Authorization header counts: no query, no path, no cookie, no forwarded header. Node keeps the first of two
 * Authorization headers silently, so two are refused here.
 */
export function authenticate(
  parts: {
    readonly clients: Pick<Clients, 'authenticate' | 'authenticateKey'>;
    readonly signIn: Pick<ClientSignIn, 'read'>;
  },
  request: IncomingMessage,
  resource: Resource | null,
): Caller {
  const { clients, signIn } = parts;
  const sent = request.headersDistinct.authorization ?? [];
  if (sent.length > 1) return { kind: 'refused', why: 'malformed', keyPrefix: null };
  const workspace = resource?.workspace ?? null;
  const bearer = parseBearer(sent[0]);
  const presented = bearer.kind === 'foreign' && bearer.prefix === null ? bearerToken(sent[0] ?? '') : null;
  if (resource === null || presented === null) return clients.authenticate(sent[0], workspace);
  const token = signIn.read(presented, resource);
  switch (token.kind) {
    case 'unknown':
      return clients.authenticate(sent[0], workspace);
    case 'locked':
      return token;
    case 'key':
      return clients.authenticateKey(token.keyId, workspace);
    default: {
      // Whose it was is for the audit: the caller is told as little as with a key.
      const of = clients.authenticateKey(token.keyId, null);
      const keyPrefix = of.kind === 'accepted' ? of.key.prefix : of.keyPrefix;
      return { kind: 'refused', why: token.kind, keyPrefix };
    }
  }
}
