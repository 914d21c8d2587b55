/**
 * Every route of the gateway's port, as data. A path that is not here exists for nobody; a route that is not `public`
 * answers 401 to every method without a valid key (security.md A12, design section 9).
 */
export interface Route {
  /** `:name` is one part of the path, `*` at the end any number of them. */
  readonly pattern: string;
  readonly methods: readonly string[];
  /** Without a key, by these methods. */
  readonly public: boolean;
  readonly leadsTo: Destination['kind'] | 'open_connections';
}

export const ROUTES: readonly Route[] = [
  { pattern: '/mcp', methods: ['POST', 'GET', 'DELETE'], public: false, leadsTo: 'mcp' },
  { pattern: '/u/:upstream/mcp', methods: ['POST', 'GET', 'DELETE'], public: false, leadsTo: 'mcp' },
  { pattern: '/w/:workspace/mcp', methods: ['POST', 'GET', 'DELETE'], public: false, leadsTo: 'mcp' },
  { pattern: '/w/:workspace/u/:upstream/mcp', methods: ['POST', 'GET', 'DELETE'], public: false, leadsTo: 'mcp' },
  { pattern: '/health', methods: ['GET', 'HEAD'], public: true, leadsTo: 'health' },
  { pattern: '/open/:page', methods: ['GET', 'HEAD'], public: true, leadsTo: 'open' },
  // The accounts of one upstream. Whether there is one of that name, the page does not say.
  { pattern: '/open/connections/:upstream', methods: ['GET', 'HEAD'], public: true, leadsTo: 'open_connections' },
  { pattern: '/open/*', methods: ['GET', 'HEAD'], public: true, leadsTo: 'absent' },
  // Where a client learns how to sign in by itself, and does it; nothing here opens anything without a person's yes.
  { pattern: '/.well-known/oauth-protected-resource', methods: ['GET', 'HEAD'], public: true, leadsTo: 'resource' },
  { pattern: '/.well-known/oauth-protected-resource/*', methods: ['GET', 'HEAD'], public: true, leadsTo: 'resource' },
  { pattern: '/.well-known/oauth-authorization-server', methods: ['GET', 'HEAD'], public: true, leadsTo: 'server' },
  { pattern: '/oauth/register', methods: ['POST'], public: true, leadsTo: 'register' },
  { pattern: '/oauth/authorize', methods: ['GET'], public: true, leadsTo: 'authorize' },
  { pattern: '/oauth/authorize/:uid', methods: ['GET'], public: true, leadsTo: 'resume' },
  { pattern: '/oauth/sign-in/:uid', methods: ['GET'], public: true, leadsTo: 'waiting' },
  { pattern: '/oauth/sign-in/:uid/answer', methods: ['GET'], public: true, leadsTo: 'answer' },
  { pattern: '/oauth/waiting.js', methods: ['GET'], public: true, leadsTo: 'script' },
  { pattern: '/oauth/token', methods: ['POST'], public: true, leadsTo: 'token' },
  { pattern: '/oauth/revoke', methods: ['POST'], public: true, leadsTo: 'revoke' },
  // What does not exist answers 404 at once: clients probe it and must not hang.
  { pattern: '/.well-known/*', methods: ['GET', 'HEAD'], public: true, leadsTo: 'absent' },
  { pattern: '/oauth/callback', methods: ['GET', 'HEAD'], public: true, leadsTo: 'absent' },
  { pattern: '/register', methods: ['POST'], public: true, leadsTo: 'absent' },
];

/** One step of a client's own sign-in. */
export type SignInRoute =
  /** `path` is of the endpoint that is asked about. */
  | { readonly kind: 'resource'; readonly path: string }
  | { readonly kind: 'server' | 'register' | 'authorize' | 'script' | 'token' | 'revoke' }
  | { readonly kind: 'resume' | 'waiting' | 'answer'; readonly uid: string };

export type Destination =
  | SignInRoute
  | { readonly kind: 'mcp'; readonly workspace: string | null; readonly upstream: string | null }
  | { readonly kind: 'health' }
  | { readonly kind: 'open'; readonly page: string; readonly upstream: string | null }
  | { readonly kind: 'absent' };

export function isSignIn(destination: Destination): destination is SignInRoute {
  return !['mcp', 'health', 'open', 'absent'].includes(destination.kind);
}

/** Where a request goes, and whether it may go there without a key. */
export interface Routed {
  readonly destination: Destination;
  readonly public: boolean;
}

/** `target` is the raw request target; a query is cut off and never looked at, so no key hides there. */
export function routeOf(target: string, method: string): Routed {
  const question = target.indexOf('?');
  const path = question < 0 ? target : target.slice(0, question);
  const parts = path.split('/');
  for (const { route, wanted } of TABLE) {
    const named = matched(wanted, parts);
    if (named !== null)
      return { destination: arriveAt(route, named, path), public: route.public && route.methods.includes(method) };
  }
  return { destination: { kind: 'absent' }, public: false };
}

export const PAGES = ['approvals', 'tools', 'upstreams', 'audit', 'policy', 'clients', 'connections'] as const;

const TABLE = ROUTES.map((route) => ({ route, wanted: route.pattern.split('/') }));

/** The named parts, or null when the path is another one. */
function matched(wanted: readonly string[], parts: readonly string[]): Readonly<Record<string, string>> | null {
  const open = wanted.at(-1) === '*';
  if (open ? parts.length < wanted.length : parts.length !== wanted.length) return null;
  const named: Record<string, string> = {};
  for (const [at, want] of wanted.entries()) {
    const part = parts[at] ?? '';
    if (want === '*') continue;
    if (!want.startsWith(':')) {
      if (part !== want) return null;
      continue;
    }
    if (!fits(want, part)) return null;
    named[want.slice(1)] = part;
  }
  return named;
}

function fits(want: string, part: string): boolean {
  if (want === ':page') return (PAGES as readonly string[]).includes(part);
  return want === ':uid' ? UID.test(part) : SLUG.test(part);
}

function arriveAt({ leadsTo }: Route, named: Readonly<Record<string, string>>, path: string): Destination {
  switch (leadsTo) {
    case 'resource':
      return { kind: 'resource', path: path.slice('/.well-known/oauth-protected-resource'.length) };
    case 'resume':
    case 'waiting':
    case 'answer':
      return { kind: leadsTo, uid: named.uid ?? '' };
    case 'mcp':
      return { kind: 'mcp', workspace: named.workspace ?? null, upstream: named.upstream ?? null };
    case 'open':
      return { kind: 'open', page: named.page ?? '', upstream: null };
    case 'open_connections':
      return { kind: 'open', page: 'connections', upstream: named.upstream ?? null };
    default:
      return { kind: leadsTo };
  }
}

/** Made by the authorization server: nobody guesses one. */
const UID = /^[A-Za-z0-9_-]{21,64}$/;
const SLUG = /^[a-z0-9][a-z0-9-]{0,31}$/;
