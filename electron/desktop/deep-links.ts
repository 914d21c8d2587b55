/** Pages of the main window that a link may open. */
export const PAGES = ['approvals', 'tools', 'upstreams', 'audit', 'clients', 'policy'] as const;
export type Page = (typeof PAGES)[number];

/** A page, or the accounts of one upstream on theirs. */
export type Place = Page | `upstreams/${string}`;

export type DeepLink = { readonly kind: 'open'; readonly place: Place } | { readonly kind: 'unknown' };

/**
 * Reads `gatehouse://open/<page>`, and `gatehouse://open/connections/<upstream>`. Links come from any web page and any
 * program: nothing of one is used but the choice among our own pages and a name as upstreams have them, and everything
 * else is `unknown`.
 */
export function readDeepLink(text: string): DeepLink {
  const match = /^gatehouse:\/\/open\/([a-z]{1,20}(?:\/[a-z0-9-]{1,32})?)\/?$/.exec(text);
  const place = match?.[1] === undefined ? null : placeNamed(match[1]);
  return place === null ? { kind: 'unknown' } : { kind: 'open', place };
}

/** What a name in `/open/<name>` means: accounts are connected where their upstream is. */
export function placeNamed(name: string): Place | null {
  const upstream = /^connections\/([a-z0-9][a-z0-9-]{0,31})$/.exec(name)?.[1];
  if (upstream !== undefined) return `upstreams/${upstream}`;
  const page = name === 'connections' ? 'upstreams' : name;
  return PAGES.find((known) => known === page) ?? null;
}
