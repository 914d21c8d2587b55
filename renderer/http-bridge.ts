import type { Bridge, RequestName, RequestResult } from '../shared/api.ts';
import type { Topic } from '../shared/model.ts';
import { BridgeError, type Opened } from './bridge.ts';

const TOKEN = 'gatehouse.token';
const FIRST_RETRY_MS = 500;
const SLOWEST_RETRY_MS = 10_000;
const SILENCE_MEANS_DEAD_MS = 40_000;
const EVERYTHING: readonly Topic[] = [
  'status',
  'approvals',
  'confirmations',
  'tools',
  'upstreams',
  'audit',
  'clients',
  'policy',
  'sinks',
  'connections',
];

/** Signs in with the one-time link in the address, or takes up the token of this tab, and opens the live stream. */
export async function openHttpBridge(): Promise<Opened> {
  const linkToken = takeLinkToken();
  if (linkToken !== null) {
    const refused = await exchange(linkToken);
    if (refused !== null && sessionStorage.getItem(TOKEN) === null) return { kind: 'signed_out', message: refused };
  }
  const token = sessionStorage.getItem(TOKEN);
  if (token === null) return { kind: 'signed_out', message: null };

  const topics = new Set<(topic: Topic) => void>();
  const connected = new Set<(connected: boolean) => void>();
  const signedOut = new Set<() => void>();
  let isConnected = true;
  const setConnected = (now: boolean) => {
    if (now === isConnected) return;
    isConnected = now;
    for (const then of connected) then(now);
  };
  const end = () => {
    sessionStorage.removeItem(TOKEN);
    for (const then of signedOut) then();
  };

  const bridge: Bridge = {
    surface: 'dashboard',
    async request<N extends RequestName>(name: N, input: unknown) {
      const response = await send(`/api/${name}`, { method: 'POST', body: JSON.stringify(input) }, token);
      if (response.status === 401) {
        end();
        throw new BridgeError('This tab was signed out.');
      }
      const body = (await response.json().catch(() => ({}))) as { result?: RequestResult<N>; message?: string };
      if (!response.ok) throw new BridgeError(body.message ?? `Gatehouse answered ${response.status}.`);
      return body.result as RequestResult<N>;
    },
    subscribe(then) {
      topics.add(then);
      return () => topics.delete(then);
    },
  };
  const tell = (topic: Topic) => {
    for (const then of topics) then(topic);
  };
  void keepStream(token, tell, setConnected, end);

  return {
    kind: 'open',
    connection: {
      bridge,
      onConnected(then) {
        connected.add(then);
        then(isConnected);
        return () => connected.delete(then);
      },
      onSignedOut(then) {
        signedOut.add(then);
        return () => signedOut.delete(then);
      },
      async signOut() {
        await send('/sign-out', { method: 'POST', body: '{}' }, token).catch(() => undefined);
        end();
      },
    },
  };
}

/** Takes the token out of the address before anything else can read or keep it. */
function takeLinkToken(): string | null {
  const match = /^#sign-in=([A-Za-z0-9_-]+)$/.exec(window.location.hash);
  if (!match?.[1]) return null;
  window.history.replaceState(null, '', window.location.pathname);
  return match[1];
}

/** Null when it worked, else why not. */
async function exchange(linkToken: string): Promise<string | null> {
  try {
    const response = await send('/sign-in', { method: 'POST', body: JSON.stringify({ token: linkToken }) }, null);
    const body = (await response.json()) as { token?: string; message?: string };
    if (!response.ok || !body.token) return body.message ?? 'This link does not work.';
    sessionStorage.setItem(TOKEN, body.token);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function send(path: string, init: RequestInit, token: string | null): Promise<Response> {
  const headers = new Headers({ 'content-type': 'application/json' });
  if (token !== null) headers.set('authorization', `Bearer ${token}`);
  try {
    return await fetch(path, { ...init, headers, credentials: 'same-origin', cache: 'no-store' });
  } catch {
    throw new BridgeError('Gatehouse does not answer. Is it still running?');
  }
}

/** One stream after the other for the life of the tab. After a gap everything is asked again. */
async function keepStream(
  token: string,
  tell: (topic: Topic) => void,
  setConnected: (connected: boolean) => void,
  signedOut: () => void,
): Promise<void> {
  let retryMs = FIRST_RETRY_MS;
  let first = true;
  for (;;) {
    try {
      const silence = new AbortController();
      const response = await fetch('/api/stream', {
        headers: { authorization: `Bearer ${token}` },
        cache: 'no-store',
        signal: silence.signal,
      });
      if (response.status === 401) return signedOut();
      if (response.ok && response.body) {
        setConnected(true);
        retryMs = FIRST_RETRY_MS;
        if (!first) for (const topic of EVERYTHING) tell(topic);
        first = false;
        await readTopics(response.body, tell, silence);
      }
    } catch {
      // The gap itself is what the person is shown, whatever broke the stream.
    }
    setConnected(false);
    await new Promise((resolve) => setTimeout(resolve, retryMs));
    retryMs = Math.min(retryMs * 2, SLOWEST_RETRY_MS);
  }
}

async function readTopics(
  body: ReadableStream<Uint8Array>,
  tell: (topic: Topic) => void,
  silence: AbortController,
): Promise<void> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let unread = '';
  for (;;) {
    const timer = setTimeout(() => silence.abort(), SILENCE_MEANS_DEAD_MS);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    const blocks = (unread + value).split('\n\n');
    unread = blocks.pop() ?? '';
    for (const block of blocks) {
      const topic = EVERYTHING.find((known) => block === `data: ${known}`);
      if (topic) tell(topic);
    }
  }
}
