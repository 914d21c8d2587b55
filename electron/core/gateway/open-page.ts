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
 * `/open/<page>`: a public page without data that an error message can link to. Opening it does nothing; the click in it
 * focuses the app or leads to the dashboard's sign-in (design section 4).
 */
export function openPage(
  page: string,
  request: IncomingMessage,
  open: { readonly dashboardUrl: () => string | null; readonly focus: (page: string) => void },
): string {
  const name = NAMES[page] ?? 'Gatehouse';
  const dashboard = open.dashboardUrl();
  if (dashboard !== null) {
    return html(
      name,
      `<p><a href="${dashboard}/#${page}">Open ${name} in the dashboard</a></p><p>Not signed in there? Run <code>gatehouse dashboard</code> for a new link.</p>`,
    );
  }
  const clicked =
    request.url?.endsWith('?focus') === true &&
    request.headers['sec-fetch-site'] === 'same-origin' &&
    request.headers['sec-fetch-user'] === '?1';
  if (clicked) open.focus(page);
  return html(
    name,
    clicked
      ? `<p>${name} is open in Gatehouse. You can close this page.</p>`
      : `<p><a href="/open/${page}?focus">Open ${name} in Gatehouse</a></p>`,
  );
}

function html(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Gatehouse: ${title}</title></head><body><h1>Gatehouse</h1>${body}</body></html>\n`;
}
