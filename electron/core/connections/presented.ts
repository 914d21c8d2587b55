import type { UpstreamTransport } from '../../../shared/model.ts';
import type { Presented } from '../upstreams/credentials.ts';
import { endpointOf, type UpstreamDefinition } from '../upstreams/definitions.ts';
import { isLoopback } from '../upstreams/private-addresses.ts';
import type { Connection } from './connection-table.ts';
import type { Grant } from './grant.ts';

export type UpstreamFacts = Pick<
  UpstreamDefinition,
  'id' | 'name' | 'workspaceId' | 'transport' | 'signIn' | 'enabled'
>;

/** Where a secret of an account goes: the origin of the address, or the command with its arguments. */
export function usedAtOf(transport: UpstreamTransport): string {
  return transport.kind === 'http' ? new URL(transport.url).origin : endpointOf(transport);
}

/** Why this grant is not for that upstream as it is now; null where it is. What is in the vault decides, not the row. */
export function misfit(connection: Connection, grant: Grant, upstream: UpstreamFacts): string | null {
  if (grant.connectionId !== connection.id || grant.upstreamId !== upstream.id)
    return 'What is stored for it belongs to another account. Connect it again.';
  return misfitOf(grant.kind === 'api_key' ? 'api_key' : connection.mode, grant.usedAt, upstream);
}

/** The same by what the row says, for display: no secret goes anywhere by it. */
export function misfitOf(mode: Connection['mode'], usedAt: string, upstream: UpstreamFacts): string | null {
  const { signIn, transport, name } = upstream;
  if (signIn.kind !== mode) return `Accounts sign in at ${name} in another way now. Connect it again.`;
  if (usedAtOf(transport) !== usedAt) {
    return transport.kind === 'http'
      ? `It was connected at ${usedAt}, and ${name} leads to ${usedAtOf(transport)} now. Connect it again.`
      : `It was connected for another command than ${name} runs now. Connect it again.`;
  }
  if (transport.kind !== 'http') return null;
  const url = new URL(transport.url);
  if (url.protocol === 'https:' || isLoopback(url.hostname)) return null;
  return `${url.host} is plain http, where anybody on the way reads what is sent. Use https.`;
}

/** What goes out with each request. The place of a key is as the person confirmed it last. */
export function presentedOf(grant: Grant, { signIn }: UpstreamFacts): Presented {
  if (grant.kind === 'tokens') return { ...NOTHING, headers: { authorization: `Bearer ${grant.accessToken}` } };
  const place = signIn.kind === 'api_key' ? signIn.place : grant.place;
  switch (place.in) {
    case 'header':
      return { ...NOTHING, headers: { [place.name.toLowerCase()]: `${place.prefix}${grant.key}` } };
    case 'query':
      return { ...NOTHING, query: { [place.name]: grant.key } };
    case 'environment':
      return { ...NOTHING, environment: { [place.name]: grant.key } };
  }
}

/** The same secrets in the same places. */
export function isSame(a: Presented, b: Presented): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

const NOTHING: Presented = { headers: {}, query: {}, environment: {} };
