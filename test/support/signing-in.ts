import {
  Client,
  type OAuthClientProvider,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client';
import type { ConfirmationView } from '../../shared/model.ts';
import { watchSecret } from './canary.ts';
import { eventually, type TestGatehouse } from './gatehouse.ts';

export const REDIRECT = 'http://localhost:41999/callback';

/** A program with the official SDK's sign-in, and nothing but the address of Gatehouse. */
export interface Program {
  readonly kept: {
    registration?: StoredOAuthClientInformation;
    tokens?: StoredOAuthTokens;
    verifier?: string;
    /** Where it would send the browser. */
    authorize?: URL;
  };
  /** Connects; throws the SDK's `UnauthorizedError` when the person is to sign in first. */
  connect(): Promise<Client>;
  /** Connects, up to the browser: the address that would be opened. */
  browserAddress(): Promise<URL>;
  /** What the program's own redirect listener would be given. */
  finish(callback: URL): Promise<void>;
  /** Loses its tokens, and knows which registration was its own. */
  forget(): void;
}

export function createProgram(endpoint: URL | string, named = 'Claude Code', redirect = REDIRECT): Program {
  const kept: Program['kept'] = {};
  const provider: OAuthClientProvider = {
    redirectUrl: redirect,
    clientMetadata: {
      client_name: named,
      redirect_uris: [redirect],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    state: () => 'state-of-the-program',
    clientInformation: () => kept.registration,
    saveClientInformation(registration) {
      kept.registration = registration;
    },
    tokens: () => kept.tokens,
    saveTokens(tokens) {
      watchSecret(tokens.access_token);
      if (tokens.refresh_token !== undefined) watchSecret(tokens.refresh_token);
      kept.tokens = tokens;
    },
    redirectToAuthorization(url) {
      kept.authorize = url;
    },
    saveCodeVerifier(verifier) {
      kept.verifier = watchSecret(verifier);
    },
    codeVerifier: () => kept.verifier ?? '',
    invalidateCredentials(what) {
      if (what === 'all' || what === 'tokens') delete kept.tokens;
      if (what === 'all' || what === 'client') delete kept.registration;
    },
  };
  const transport = () => new StreamableHTTPClientTransport(new URL(endpoint), { authProvider: provider });
  let starting = transport();

  async function connect(): Promise<Client> {
    starting = transport();
    const client = new Client({ name: 'program', version: '1' });
    await client.connect(starting);
    return client;
  }

  return {
    kept,
    connect,
    async browserAddress() {
      const failed = await connect().then(
        () => null,
        (error: unknown) => error,
      );
      if (!(failed instanceof UnauthorizedError)) throw new Error(`not sent to sign in: ${String(failed)}`);
      if (kept.authorize === undefined) throw new Error('sent nowhere');
      return kept.authorize;
    },
    forget() {
      delete kept.tokens;
    },
    async finish(callback) {
      await starting.finishAuth(callback.searchParams);
    },
  };
}

/** A browser without scripts: follows redirects until one leaves Gatehouse or a page of another status comes. */
export async function browse(address: URL | string): Promise<{ readonly left: URL | null; readonly page: Response }> {
  const started = new URL(address);
  for (let at = started, steps = 0; steps < 200; steps += 1) {
    const page = await fetch(at, { redirect: 'manual' });
    const location = page.headers.get('location');
    if (location === null) {
      if (page.status !== 200) return { left: null, page };
      // The page that waits looks again by itself.
      await page.text();
      await fetch(`${at}/answer`).then((answer) => answer.text());
      continue;
    }
    const next = new URL(location, at);
    if (next.origin !== started.origin) return { left: next, page };
    at = next;
  }
  throw new Error('the browser went in circles');
}

/** The question that comes up, answered as the person does. */
export async function answer(
  gatehouse: Pick<TestGatehouse, 'ask'>,
  given: 'confirm' | 'refuse',
): Promise<ConfirmationView> {
  const question = await eventually(
    async () => (await gatehouse.ask('confirmationsList'))[0] ?? null,
    'the question to the person',
  );
  await gatehouse.ask('confirmationAnswer', { confirmation: question.id, answer: given });
  return question;
}

/** All of it with a yes: the program is signed in. */
export async function signIn(gatehouse: Pick<TestGatehouse, 'ask'>, program: Program): Promise<ConfirmationView> {
  const browsing = browse(await program.browserAddress());
  const question = await answer(gatehouse, 'confirm');
  const { left } = await browsing;
  if (left === null) throw new Error('the browser did not come back to the program');
  await program.finish(left);
  return question;
}
