import {
  Client,
  type OAuthClientMetadata,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client';
import { eventually } from '../gatehouse.ts';
import { followAsBrowser, type Person } from './browser.ts';
import type { WhoAmI } from './mcp-server.ts';
import type { Vendor } from './vendor.ts';

/** The official SDK's client with its own sign-in, so that a vendor is known to be right before Gatehouse meets it. */
export interface OfficialClient extends AsyncDisposable {
  readonly tokens: () => StoredOAuthTokens | undefined;
  readonly clientId: () => string | undefined;
  call(tool: string, args?: Record<string, unknown>): Promise<string>;
  whoami(): Promise<WhoAmI>;
}

export interface OfficialOptions {
  readonly line?: 'v1' | 'v2';
  readonly metadataUrl?: string;
  readonly preRegistered?: { readonly client_id: string; readonly client_secret?: string };
  readonly redirectUrl?: string;
  readonly person?: Person;
  /** Follows the link and resolves to the callback's URL; default {@link followAsBrowser}. */
  readonly follow?: (link: string, redirectUrl: string) => Promise<string>;
  readonly grantTypes?: readonly string[];
}

const REDIRECT = 'http://127.0.0.1:45999/callback';

/** Signs in, as the SDK does it, and connects. Throws what the SDK throws. */
export async function connectOfficial(vendor: Vendor, options: OfficialOptions = {}): Promise<OfficialClient> {
  const { line = 'v1', preRegistered, redirectUrl = REDIRECT } = options;
  const follow = options.follow ?? ((to: string) => withoutBrowser(to, redirectUrl, options.person));
  let information: StoredOAuthClientInformation | undefined =
    preRegistered === undefined ? undefined : { ...preRegistered, issuer: vendor.issuer };
  let stored: StoredOAuthTokens | undefined;
  let discovery: OAuthDiscoveryState | undefined;
  let verifier = '';
  let link = '';
  const metadata: OAuthClientMetadata = {
    client_name: 'official client',
    redirect_uris: [redirectUrl],
    grant_types: [...(options.grantTypes ?? ['authorization_code', 'refresh_token'])],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
  const provider: OAuthClientProvider = {
    redirectUrl,
    clientMetadata: metadata,
    ...(options.metadataUrl === undefined ? {} : { clientMetadataUrl: options.metadataUrl }),
    state: () => 'a-state',
    clientInformation: () => information,
    saveClientInformation(given) {
      information = given;
    },
    tokens: () => stored,
    saveTokens(given) {
      stored = given;
    },
    redirectToAuthorization(url) {
      link = url.href;
    },
    saveCodeVerifier(given) {
      verifier = given;
    },
    codeVerifier: () => verifier,
    saveDiscoveryState(given) {
      discovery = given;
    },
    discoveryState: () => discovery,
    invalidateCredentials(what) {
      if (what === 'tokens' || what === 'all') stored = undefined;
    },
  };

  async function opened(): Promise<Client> {
    const client = new Client(
      { name: 'official', version: '1' },
      { versionNegotiation: { mode: line === 'v2' ? { pin: '2026-07-28' } : 'legacy' } },
    );
    const transport = new StreamableHTTPClientTransport(new URL(vendor.mcpUrl), { authProvider: provider });
    const streams = vendor.served('GET');
    try {
      await client.connect(transport);
      // An older server gets a standing stream beside; until that is open, two requests may meet the same token.
      if (line === 'v1') await eventually(() => (vendor.served('GET') > streams ? true : null), 'the stream');
      return client;
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error;
      const url = await follow(link, redirectUrl);
      await transport.finishAuth(new URL(url).searchParams);
      return opened();
    }
  }

  const client = await opened();
  async function call(tool: string, args: Record<string, unknown> = {}): Promise<string> {
    const { content = [] } = await client.callTool({ name: tool, arguments: args });
    return content.map((part) => ('text' in part ? part.text : '')).join('');
  }
  return {
    tokens: () => stored,
    clientId: () => information?.client_id,
    call,
    whoami: async () => JSON.parse(await call('whoami')) as WhoAmI,
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function withoutBrowser(link: string, redirectUrl: string, person: Person = {}): Promise<string> {
  const { url, text } = await followAsBrowser(link, { ...person, stopBefore: redirectUrl });
  if (!url.startsWith(redirectUrl)) throw new Error(`the vendor said: ${text.replaceAll(/<[^>]+>/g, ' ')}`);
  return url;
}
