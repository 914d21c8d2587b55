import { createHash } from 'node:crypto';

/** One page of the redirect listener: inert, and without a word of what came in the address (security.md I9). */
export interface RedirectPage {
  readonly status: number;
  readonly html: string;
}

/** Sent with every page. A code may stand in the address, so nothing leads away from it and nothing keeps it. */
export function redirectHeaders(): Readonly<Record<string, string>> {
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': `default-src 'none'; style-src '${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cache-control': 'no-store',
    connection: 'close',
  };
}

export function connectedPage(upstream: string, label: string): RedirectPage {
  return page(
    200,
    'Connected',
    `The account <b>${escaped(label)}</b> is now connected at <b>${escaped(upstream)}</b>.`,
    CLOSE,
  );
}

/** The reason may quote the vendor, so it is read in Gatehouse and not here. */
export function failedPage(upstream: string, label: string): RedirectPage {
  return page(
    400,
    'Not connected',
    `The account <b>${escaped(label)}</b> was not connected at <b>${escaped(upstream)}</b>.`,
    'Gatehouse shows why, and what to do next. You can close this window.',
  );
}

/** For every visit that is not the one that is waited for. */
export function inertPage(status: 400 | 403 | 404 | 405): RedirectPage {
  return page(status, 'Nothing to see here', 'Gatehouse waits here for a sign-in. This visit is no part of it.', CLOSE);
}

function page(status: number, title: string, first: string, then: string): RedirectPage {
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Gatehouse: ${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p>${first}</p>
<p>${then}</p>
</main>
</body>
</html>
`;
  return { status, html };
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const CLOSE = 'You can close this window.';
const STYLE =
  ':root{color-scheme:light dark;font:1.125rem/1.5 system-ui,sans-serif}body{margin:15vh auto;max-width:32rem;padding:0 1.5rem}h1{font-size:1.5rem}';
const STYLE_HASH = `sha256-${createHash('sha256').update(STYLE).digest('base64')}`;
