import type { IncomingMessage } from 'node:http';

const NAMES: Readonly<Record<string, string>> = {
  approvals: 'Approvals',
  tools: 'Tools',
  upstreams: 'Upstreams',
  audit: 'Audit',
  policy: 'Policy',
  clients: 'Clients',
  connections: 'Upstreams',
};

/**
 * `/open/<page>` and `/open/connections/<upstream>`: a public page without data that an error message can link to. Opening
 * it does nothing; the click in it focuses the app or leads to the dashboard's sign-in (design section 4). The upstream is
 * a name as upstreams have them, letters, digits and dashes: it is said back whether there is such an upstream or not.
 */
export function openPage(
  { page, upstream }: { readonly page: string; readonly upstream: string | null },
  request: IncomingMessage,
  open: { readonly dashboardUrl: () => string | null; readonly focus: (page: string) => void },
): string {
  const name = upstream === null ? (NAMES[page] ?? 'Gatehouse') : `the accounts of ${upstream}`;
  const place = upstream === null ? page : `${page}/${upstream}`;
  const dashboard = open.dashboardUrl();
  if (dashboard !== null) {
    return html(
      name,
      `<p><a href="${dashboard}/#${place}">Open ${name} in the dashboard</a></p><p>Not signed in there? Run <code>gatehouse dashboard</code> for a new link.</p>`,
    );
  }
  const clicked =
    request.url?.endsWith('?focus') === true &&
    request.headers['sec-fetch-site'] === 'same-origin' &&
    request.headers['sec-fetch-user'] === '?1';
  if (clicked) open.focus(place);
  return html(
    name,
    clicked
      ? `<p>Gatehouse shows ${name}. You can close this page.</p>`
      : `<p><a href="/open/${place}?focus">Open ${name} in Gatehouse</a></p>`,
  );
}

function html(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Gatehouse: ${title}</title></head><body><h1>Gatehouse</h1>${body}</body></html>\n`;
}
