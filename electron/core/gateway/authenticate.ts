import type { IncomingMessage } from 'node:http';
import type { Authentication, Clients } from '../clients/clients.ts';

/**
 * Who calls. Only the Authorization header counts: no query, no path, no cookie, no forwarded header. Node keeps the
 * first of two Authorization headers silently, so two are refused here.
 */
export function authenticate(
  clients: Pick<Clients, 'authenticate'>,
  request: IncomingMessage,
  workspaceSlug: string | null,
): Authentication {
  const sent = request.headersDistinct.authorization ?? [];
  if (sent.length > 1) return { kind: 'refused', why: 'malformed', keyPrefix: null };
  return clients.authenticate(sent[0], workspaceSlug);
}
