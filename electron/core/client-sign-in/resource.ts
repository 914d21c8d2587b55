/** An MCP endpoint of ours as a protected resource (RFC 8707, RFC 9728): what an access token is good for. */
export interface Resource {
  /** `/mcp`, `/u/<upstream>/mcp`, `/w/<workspace>/mcp` or `/w/<workspace>/u/<upstream>/mcp`. */
  readonly path: string;
  /** Slugs; null where the path names none. */
  readonly workspace: string | null;
  readonly upstream: string | null;
}

export function resourceAt(path: string): Resource | null {
  const match = PATH.exec(path);
  if (match === null) return null;
  return { path, workspace: match[1] ?? null, upstream: match[2] ?? null };
}

/**
 * The resource that a client names by its URL. `127.0.0.1`, `localhost` and `[::1]` are one machine and one listener, so
 * a resource is known by its path; another port, scheme, query or fragment is not ours.
 */
export function resourceNamed(url: string, port: number): Resource | null {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.protocol !== 'http:' || Number(parsed.port || 80) !== port) return null;
  const { hostname, pathname, search, hash, username, password } = parsed;
  if (!HOSTS.has(hostname) || search !== '' || hash !== '' || username !== '' || password !== '') return null;
  return resourceAt(pathname);
}

/** The path of the metadata of a resource, RFC 9728 section 3.1. */
export const METADATA = '/.well-known/oauth-protected-resource';

const HOSTS: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '[::1]']);
const SLUG = '[a-z0-9][a-z0-9-]{0,31}';
const PATH = new RegExp(`^(?:/w/(${SLUG}))?(?:/u/(${SLUG}))?/mcp$`);
