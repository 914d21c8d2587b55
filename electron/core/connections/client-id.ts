import type { TokenAuth } from '../../../shared/connections.ts';
import {
  type AuthorizationServer,
  type ClientRegistration,
  hostOf,
  type SignInFault,
  secretAuth,
} from './authorization-server.ts';
import type { Errand } from './errand.ts';
import { fault } from './faults.ts';
import { register } from './registering.ts';
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
  return register(
    errand,
    registrations,
    { upstreamId, server, redirectUri, scopes: wanted.scopes },
    server.registerUrl,
  );
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

/** As the person set it, else as the server's metadata says it. */
function tokenAuthOf(
  server: AuthorizationServer,
  { clientSecret, tokenAuth }: { readonly clientSecret: string | null; readonly tokenAuth: TokenAuth },
): ClientRegistration['tokenAuth'] {
  if (tokenAuth !== 'auto') return tokenAuth;
  return clientSecret === null ? 'none' : secretAuth(server);
}
