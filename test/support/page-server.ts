import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { contentSecurityPolicy } from '../../electron/dashboard/headers.ts';
import { HTML, readPages, render } from '../../electron/dashboard/pages.ts';

/** Serves the built pages, `approval.html` too, with the policy they have in the app, as its own protocol would. */
export async function startPageServer(
  rendererFolder: string,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const pages = new Map(await readPages(rendererFolder));
  for (const name of ['index.html', 'approval.html']) {
    pages.set(`/${name}`, { contentType: HTML, body: await readFile(path.join(rendererFolder, name)) });
  }
  const server = createServer((request, response) => {
    const page = pages.get(request.url ?? '/');
    if (!page) return void response.writeHead(404).end();
    response.setHeader('content-type', page.contentType);
    response.setHeader('content-security-policy', contentSecurityPolicy('fixed-nonce'));
    response.end(render(page, 'fixed-nonce'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
