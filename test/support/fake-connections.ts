import type { RequestName, RequestResults } from '../../shared/api.ts';
import type {
  ConnectionView,
  NextStep,
  OAuthPreset,
  SignInCode,
  SignInView,
  TraceStep,
} from '../../shared/connections.ts';
import type { Topic } from '../../shared/model.ts';
import type { FakeState, Handlers } from './fake-core.ts';

/** What the double knows of accounts, and how the next sign-ins go. */
export interface FakeConnectionState {
  connections: ConnectionView[];
  /** Newest first. */
  signIns: SignInView[];
  presets: readonly OAuthPreset[];
  /** What the next sign-in does first; then `waiting`, until the test ends it. */
  nextSignIn: Partial<SignInView>;
  /** There is a browser to open, as on a desktop. */
  opensBrowser: boolean;
}

type Names = Extract<RequestName, `connection${string}` | `signIn${string}` | 'presetsList'>;

/** Accounts and sign-ins of the double: they behave as the real ones do, with a browser that nobody opens. */
export function fakeConnections(state: FakeState, tell: (topic: Topic) => void): Pick<Handlers, Names> {
  const missing = { kind: 'refused', message: 'There is no such account.' } as const;
  const change = (id: string, part: Partial<ConnectionView>): RequestResults['connectionRename'] => {
    const old = state.connections.find((one) => one.id === id);
    if (old === undefined) return missing;
    const connection = { ...old, ...part };
    state.connections = state.connections.map((one) => (one.id === id ? connection : one));
    tell('connections');
    return { kind: 'done', connection };
  };
  const go = (id: string, part: Partial<SignInView>): RequestResults['signInGet'] => {
    const signIn = changeSignIn(state, id, part);
    if (signIn === null) return { kind: 'refused', message: 'There is no such sign-in.' };
    tell('connections');
    return { kind: 'done', signIn };
  };

  return {
    connectionsList: ({ upstream }) =>
      state.connections.filter((one) => upstream === undefined || one.upstreamId === upstream),
    connectionRename({ connection, label }) {
      if (state.connections.some((one) => one.label === label && one.id !== connection))
        return { kind: 'refused', message: `There is an account “${label}” already. Choose another name.` };
      return change(connection, { label });
    },
    connectionSignOut({ connection }) {
      const reason = 'You signed it out.';
      const changed = change(connection, { state: 'signed_out', reason, scopes: null, expiresAt: null, renews: false });
      return changed.kind === 'refused' ? changed : { ...changed, note: null };
    },
    connectionRemove({ connection }) {
      state.connections = state.connections.filter(({ id }) => id !== connection);
      tell('connections');
      return { kind: 'done', note: null };
    },
    connectionDefault({ connection, client }) {
      const upstreamId = state.connections.find(({ id }) => id === connection)?.upstreamId;
      state.connections = state.connections.map((one) => {
        if (one.upstreamId !== upstreamId) return one;
        if (client === null) return { ...one, isDefault: one.id === connection };
        const others = one.defaultFor.filter((id) => id !== client);
        return { ...one, defaultFor: one.id === connection ? [...others, client] : others };
      });
      return change(connection, {});
    },
    signInStart({ upstream, label, connection }) {
      const of = state.upstreams.find(({ id }) => id === upstream);
      if (of === undefined) return { kind: 'refused', message: 'There is no such upstream.' };
      const again = state.connections.find(({ id }) => id === connection);
      const signIn = aSignIn({
        id: `s${state.signIns.length + 1}`,
        upstreamId: of.id,
        upstream: of.name,
        mode: of.signIn.kind,
        label: again?.label ?? label ?? 'default',
        connectionId: again?.id ?? null,
        startedAt: Date.now(),
        ...state.nextSignIn,
      });
      state.signIns = [signIn, ...state.signIns];
      tell('connections');
      if (of.signIn.kind !== 'api_key') return { kind: 'done', signIn };
      connectSignIn(state, signIn.id, { mode: 'api_key', issuer: null, scopes: null, expiresAt: null, renews: false });
      tell('connections');
      return { kind: 'done', signIn: state.signIns[0] ?? signIn };
    },
    signInGet({ signIn: id }) {
      const signIn = state.signIns.find((one) => one.id === id);
      return signIn === undefined
        ? { kind: 'refused', message: 'There is no such sign-in.' }
        : { kind: 'done', signIn };
    },
    signInsList: ({ upstream }) => state.signIns.filter((one) => upstream === undefined || one.upstreamId === upstream),
    signInChoose: ({ signIn }) => go(signIn, WAITING),
    signInClient: ({ signIn }) => go(signIn, WAITING),
    signInConfirm: ({ signIn }) => go(signIn, WAITING),
    signInOpen({ signIn }) {
      const link = state.signIns.find(({ id }) => id === signIn)?.link;
      return typeof link === 'string'
        ? { kind: 'done', opened: state.opensBrowser, link }
        : { kind: 'refused', message: 'There is no page to open.' };
    },
    signInCancel({ signIn }) {
      const ended = go(signIn, { state: 'cancelled', link: null, code: 'cancelled' });
      return ended.kind === 'refused' ? ended : { kind: 'done' };
    },
    presetsList: () => state.presets,
  };
}

const WAITING = { state: 'waiting', link: 'https://github.com/login/oauth/authorize?client_id=gatehouse' } as const;

function changeSignIn(state: FakeState, id: string, part: Partial<SignInView>): SignInView | null {
  const old = state.signIns.find((one) => one.id === id);
  if (old === undefined) return null;
  const signIn = { ...old, ...part };
  state.signIns = state.signIns.map((one) => (one.id === id ? signIn : one));
  return signIn;
}

/** The person allowed it at the vendor: the sign-in ends well and its account is there. The caller tells the topics. */
export function connectSignIn(state: FakeState, id: string, given: Partial<ConnectionView> = {}): void {
  const connectionId = state.signIns.find((one) => one.id === id)?.connectionId ?? `x${state.connections.length + 1}`;
  const signIn = changeSignIn(state, id, { state: 'connected', link: null, connectionId });
  if (signIn === null) return;
  const connection = aConnection({
    id: connectionId,
    upstreamId: signIn.upstreamId,
    upstream: signIn.upstream,
    label: signIn.label,
    isDefault: !state.connections.some((one) => one.upstreamId === signIn.upstreamId && one.id !== connectionId),
    connectedAt: Date.now(),
    lastUsedAt: null,
    ...given,
  });
  state.connections = [...state.connections.filter((one) => one.id !== connectionId), connection];
  state.upstreams = state.upstreams.map((one) =>
    one.id === signIn.upstreamId ? { ...one, needsSignIn: false, status: 'ready', reason: null } : one,
  );
}

/** The vendor, or what is between, did not let it. The caller tells the topic. */
export function failSignIn(
  state: FakeState,
  id: string,
  code: SignInCode,
  message: string,
  next: NextStep,
): SignInView | null {
  return changeSignIn(state, id, { state: 'failed', link: null, code, message, next });
}

export function aConnection(given: Partial<ConnectionView> = {}): ConnectionView {
  return {
    id: 'x1',
    workspaceId: 'w1',
    upstreamId: 'u1',
    upstream: 'github',
    label: 'work',
    mode: 'mcp_oauth',
    state: 'connected',
    reason: null,
    issuer: 'https://github.com/login/oauth',
    scopes: ['repo', 'read:org', 'gist'],
    asksFor: null,
    expiresAt: Date.now() + 47 * 60_000,
    renews: true,
    isDefault: true,
    defaultFor: [],
    connectedAt: Date.now() - 26 * 3_600_000,
    lastUsedAt: Date.now() - 190_000,
    ...given,
  };
}

export function aSignIn(given: Partial<SignInView> = {}): SignInView {
  const startedAt = given.startedAt ?? Date.now() - 4_000;
  return {
    id: 's1',
    workspaceId: 'w1',
    upstreamId: 'u1',
    upstream: 'github',
    label: 'work',
    connectionId: null,
    mode: 'mcp_oauth',
    ...WAITING,
    servers: [],
    scopes: ['repo', 'read:org'],
    newScopes: [],
    redirectUri: 'http://127.0.0.1:43817/callback',
    steps: aTrace(startedAt),
    code: null,
    message: null,
    next: null,
    startedAt,
    endsAt: startedAt + 600_000,
    ...given,
  };
}

/** The steps of a sign-in by the book, up to the browser. */
export function aTrace(at: number): TraceStep[] {
  const step = (
    after: number,
    given: Omit<Partial<TraceStep>, 'at'> & Pick<TraceStep, 'name' | 'message'>,
  ): TraceStep => ({
    at: at + after,
    outcome: 'ok',
    request: null,
    status: null,
    read: [],
    ...given,
  });
  const get = (url: string) => ({ request: { method: 'GET', url } });
  return [
    step(84, {
      name: 'challenge',
      message: 'The server wants an account, and says where its description is.',
      request: { method: 'POST', url: 'https://api.githubcopilot.com/mcp/' },
      status: 401,
      read: [
        'www-authenticate: Bearer',
        'resource_metadata: https://api.githubcopilot.com/.well-known/oauth-protected-resource/mcp/',
        'scope: repo read:org',
      ],
    }),
    step(201, {
      name: 'resource_metadata',
      message: 'The description names the server and one authorization server.',
      ...get('https://api.githubcopilot.com/.well-known/oauth-protected-resource/mcp/'),
      status: 200,
      read: [
        'resource: https://api.githubcopilot.com/mcp/',
        'authorization_servers: https://github.com/login/oauth',
        'scopes_supported: repo, read:org, gist',
      ],
    }),
    step(330, {
      name: 'server_metadata',
      message: 'There is none at the first place; the next is tried.',
      outcome: 'skipped',
      ...get('https://github.com/.well-known/oauth-authorization-server/login/oauth'),
      status: 404,
    }),
    step(495, {
      name: 'server_metadata',
      message: 'The authorization server says how it works.',
      ...get('https://github.com/.well-known/openid-configuration/login/oauth'),
      status: 200,
      read: [
        'issuer: https://github.com/login/oauth',
        'authorization_endpoint: https://github.com/login/oauth/authorize',
        'token_endpoint: https://github.com/login/oauth/access_token',
        'code_challenge_methods_supported: S256',
      ],
    }),
    step(510, {
      name: 'client_id',
      message: 'The vendor takes the address of Gatehouse’s own description as its client id.',
      read: ['client_id: https://gatehouse.example/client.json'],
    }),
    step(512, { name: 'redirect', message: 'The browser comes back to http://127.0.0.1:43817/callback.' }),
    step(515, { name: 'authorize', message: 'Waiting for you in the browser.', outcome: 'waiting' }),
  ];
}

export const PRESETS: readonly OAuthPreset[] = [
  {
    name: 'GitHub',
    authorizeUrl: 'https://github.com/login/oauth/authorize',
    tokenUrl: 'https://github.com/login/oauth/access_token',
    revokeUrl: null,
    scopes: ['repo', 'read:org'],
    pkce: true,
    tokenAuth: 'post',
    registerAt: 'https://github.com/settings/developers',
  },
  {
    name: 'Notion',
    authorizeUrl: 'https://api.notion.com/v1/oauth/authorize',
    tokenUrl: 'https://api.notion.com/v1/oauth/token',
    revokeUrl: null,
    scopes: [],
    pkce: false,
    tokenAuth: 'basic',
    registerAt: 'https://www.notion.so/my-integrations',
  },
];
