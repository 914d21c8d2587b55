import type { RedirectSetting, SignIn } from '../../../shared/connections.ts';
import type { UpstreamTransport } from '../../../shared/model.ts';
import { isLoopback } from './private-addresses.ts';

/** An address may ask for a sign-in any day, and until it does this costs nothing; a process is given what it needs. */
export function usualSignIn(transport: UpstreamTransport): SignIn {
  return transport.kind === 'http' ? USUAL_OAUTH : { kind: 'none' };
}

export function isUsual(signIn: SignIn, transport: UpstreamTransport): boolean {
  return JSON.stringify(signIn) === JSON.stringify(usualSignIn(transport));
}

/** Where the secret of the client that the person registered is kept. */
export function clientSecretPlace(upstreamId: string): string {
  return `upstream/${upstreamId}/client_secret`;
}

/** Which authorization server it is for: known from its first use on. */
export function clientSecretIssuerPlace(upstreamId: string): string {
  return `upstream/${upstreamId}/client_secret_issuer`;
}

/** Why accounts cannot sign in like this; null when they can. */
export function refuseSignIn(signIn: SignIn, transport: UpstreamTransport): string | null {
  if (transport.kind === 'demo')
    return signIn.kind === 'none' ? null : 'The demo is part of Gatehouse: nobody signs in there.';
  switch (signIn.kind) {
    case 'none':
      return null;
    case 'api_key':
      return refuseKeyPlace(signIn.place, transport);
    case 'mcp_oauth':
    case 'client_credentials':
    case 'oauth':
      if (transport.kind !== 'http')
        return 'A process signs in by itself, or with a key in its environment: OAuth is for an address.';
      return (
        addressesOf(signIn)
          .map(refuseAddress)
          .find((reason) => reason !== null) ?? null
      );
  }
}

/** Everything a person must see of it before it is in force: where accounts and secrets will go. */
export function signInLines(signIn: SignIn): readonly { readonly label: string; readonly value: string }[] {
  switch (signIn.kind) {
    case 'none':
      return [{ label: 'Sign-in', value: 'none' }];
    case 'api_key':
      return [{ label: 'Sign-in', value: `an API key in the ${signIn.place.in} ${signIn.place.name}` }];
    case 'mcp_oauth':
      return [
        { label: 'Sign-in', value: 'MCP OAuth' },
        ...given('Client id', signIn.clientId),
        ...given('Scopes', signIn.scopes?.join(' ') ?? null),
        ...given('Authorization server', signIn.issuer),
        ...redirectLines(signIn.redirect),
        ...given('PKCE', signIn.allowNoPkce ? 'used, also where the server does not say that it knows it' : null),
      ];
    case 'oauth':
      return [
        { label: 'Sign-in', value: 'classic OAuth' },
        { label: 'Authorize address', value: signIn.authorizeUrl },
        { label: 'Token address', value: signIn.tokenUrl },
        ...given('Revocation address', signIn.revokeUrl),
        { label: 'Client id', value: signIn.clientId },
        { label: 'Scopes', value: signIn.scopes.length === 0 ? 'none named' : signIn.scopes.join(' ') },
        ...given('PKCE', signIn.pkce ? null : 'not used'),
        ...redirectLines(signIn.redirect),
      ];
    case 'client_credentials':
      return [
        { label: 'Sign-in', value: 'client credentials' },
        ...given('Token address', signIn.tokenUrl),
        { label: 'Client id', value: signIn.clientId },
        { label: 'Scopes', value: signIn.scopes.length === 0 ? 'none named' : signIn.scopes.join(' ') },
      ];
  }
}

function given(label: string, value: string | null): readonly { readonly label: string; readonly value: string }[] {
  return value === null ? [] : [{ label, value }];
}

function redirectLines({ host, port }: RedirectSetting): ReturnType<typeof given> {
  const isUsual = host === '127.0.0.1' && port === null;
  return given('Redirect', isUsual ? null : `http://${host}${port === null ? '' : `:${port}`}/callback`);
}

function refuseKeyPlace(
  place: Extract<SignIn, { kind: 'api_key' }>['place'],
  transport: UpstreamTransport,
): string | null {
  if (place.in === 'environment')
    return transport.kind === 'stdio' ? null : 'Only a process has an environment. Send the key in a header.';
  if (transport.kind !== 'http') return 'A process gets its key in its environment: it has no headers and no address.';
  const url = new URL(transport.url);
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    return `A key is not sent to ${url.host} over plain http, where anybody on the way reads it. Use https.`;
  }
  if (place.in === 'query') return null;
  return HEADER.test(place.name) && !RESERVED.test(place.name)
    ? null
    : `${JSON.stringify(place.name)} cannot be set as a header of an upstream.`;
}

function addressesOf(
  signIn: Extract<SignIn, { kind: 'mcp_oauth' | 'oauth' | 'client_credentials' }>,
): readonly string[] {
  const addresses =
    signIn.kind === 'oauth'
      ? [signIn.authorizeUrl, signIn.tokenUrl, signIn.revokeUrl]
      : [signIn.kind === 'mcp_oauth' ? signIn.issuer : signIn.tokenUrl];
  return addresses.filter((address) => address !== null);
}

/** RFC 6749, 3.1 and 3.2: codes and secrets go over TLS; on this machine there is nobody on the way. */
function refuseAddress(address: string): string | null {
  const url = new URL(address);
  if (url.username !== '' || url.password !== '') return `${address} holds a user name or a password.`;
  if (url.protocol === 'https:' || isLoopback(url.hostname)) return null;
  return `${url.origin} is plain http, where anybody on the way reads what is sent. Use https.`;
}

const USUAL_OAUTH: SignIn = {
  kind: 'mcp_oauth',
  clientId: null,
  clientSecret: false,
  scopes: null,
  issuer: null,
  redirect: { host: '127.0.0.1', port: null },
  allowNoPkce: false,
};
/** RFC 9110, 5.6.2. */
const HEADER = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;
/** What the transport itself says, or what would change where a message ends. */
const RESERVED =
  /^(host|connection|content-.*|transfer-encoding|te|trailer|upgrade|accept|expect|keep-alive|proxy-.*|mcp-.*|last-event-id)$/i;
