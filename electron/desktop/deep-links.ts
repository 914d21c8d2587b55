/** Pages of the main window that a link may open. */
export const PAGES = ['approvals', 'tools', 'upstreams', 'audit', 'clients', 'policy'] as const;
export type Page = (typeof PAGES)[number];

export type DeepLink = { readonly kind: 'open'; readonly page: Page } | { readonly kind: 'unknown' };

/**
 * Reads `gatehouse://open/<page>`. Links come from any web page and any program: nothing of one is used but the choice
 * among our own pages, and everything else is `unknown`.
 */
export function readDeepLink(text: string): DeepLink {
  const match = /^gatehouse:\/\/open\/([a-z]{1,20})\/?$/.exec(text);
  const page = match?.[1] === undefined ? null : pageNamed(match[1]);
  return page === null ? { kind: 'unknown' } : { kind: 'open', page };
}

/** The page that a name in `/open/<page>` means: accounts are connected where their upstream is. */
export function pageNamed(name: string): Page | null {
  const page = name === 'connections' ? 'upstreams' : name;
  return PAGES.find((known) => known === page) ?? null;
}
