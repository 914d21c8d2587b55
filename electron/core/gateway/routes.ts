/**
 * Every route of the gateway's port, as data. A path that is not here exists for nobody; a route that is not `public`
 * answers 401 to every method without a valid key (security.md A12, design section 9).
 */
export interface Route {
  readonly pattern: string;
  readonly methods: readonly string[];
  readonly public: boolean;
}

export const ROUTES: readonly Route[] = [
  { pattern: '/mcp', methods: ['POST', 'GET', 'DELETE'], public: false },
  { pattern: '/u/:upstream/mcp', methods: ['POST', 'GET', 'DELETE'], public: false },
  { pattern: '/w/:workspace/mcp', methods: ['POST', 'GET', 'DELETE'], public: false },
  { pattern: '/w/:workspace/u/:upstream/mcp', methods: ['POST', 'GET', 'DELETE'], public: false },
  { pattern: '/health', methods: ['GET', 'HEAD'], public: true },
  { pattern: '/open/:page', methods: ['GET', 'HEAD'], public: true },
  // Client sign-in and OAuth answer 404 at once until they exist: clients probe them and must not hang.
  { pattern: '/.well-known/*', methods: ['GET', 'HEAD'], public: true },
  { pattern: '/oauth/callback', methods: ['GET', 'HEAD'], public: true },
  { pattern: '/register', methods: ['POST'], public: true },
];

export type Destination =
  | { readonly kind: 'mcp'; readonly workspace: string | null; readonly upstream: string | null }
  | { readonly kind: 'health' }
  | { readonly kind: 'open'; readonly page: string }
  | { readonly kind: 'absent'; readonly public: boolean };

/** Where a request goes. `path` is the raw request target; a query is cut off and never looked at, so no key hides there. */
export function destinationOf(target: string): Destination {
  const question = target.indexOf('?');
  const path = question < 0 ? target : target.slice(0, question);
  if (path === '/mcp') return { kind: 'mcp', workspace: null, upstream: null };
  if (path === '/health') return { kind: 'health' };
  const parts = path.split('/');
  if (parts.length === 3 && parts[1] === 'open' && isPage(parts[2])) return { kind: 'open', page: parts[2] };
  if (parts.length === 4 && parts[1] === 'u' && isSlug(parts[2]) && parts[3] === 'mcp')
    return { kind: 'mcp', workspace: null, upstream: parts[2] };
  if (parts.length === 4 && parts[1] === 'w' && isSlug(parts[2]) && parts[3] === 'mcp')
    return { kind: 'mcp', workspace: parts[2], upstream: null };
  if (
    parts.length === 6 &&
    parts[1] === 'w' &&
    isSlug(parts[2]) &&
    parts[3] === 'u' &&
    isSlug(parts[4]) &&
    parts[5] === 'mcp'
  ) {
    return { kind: 'mcp', workspace: parts[2], upstream: parts[4] };
  }
  const isPublic =
    path.startsWith('/.well-known/') || path === '/oauth/callback' || path === '/register' || path.startsWith('/open/');
  return { kind: 'absent', public: isPublic };
}

export const PAGES = ['approvals', 'tools', 'upstreams', 'audit', 'policy', 'clients', 'connections'] as const;

function isPage(text: string | undefined): text is (typeof PAGES)[number] {
  return (PAGES as readonly (string | undefined)[]).includes(text);
}

function isSlug(text: string | undefined): text is string {
  return text !== undefined && /^[a-z0-9][a-z0-9-]{0,31}$/.test(text);
}
