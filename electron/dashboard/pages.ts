import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** One file of the built renderer, as it is served. */
export interface Page {
  readonly contentType: string;
  readonly body: Buffer;
}

/** What the HTML carries where the nonce of the response goes. */
export const NONCE_PLACEHOLDER = 'GATEHOUSE_CSP_NONCE';

/** Paths that all lead to the one page; the page itself shows the right screen. */
const SCREENS = ['/', '/approvals', '/tools', '/upstreams', '/connections', '/audit', '/clients', '/policy'];

/**
 * Reads the built renderer once, so that a request can only ever name an entry of this table and no path of the disk.
 * Throws one sentence when the renderer was not built: that is a broken installation.
 */
export async function readPages(rendererFolder: string): Promise<ReadonlyMap<string, Page>> {
  const index = await readFile(path.join(rendererFolder, 'index.html')).catch(() => null);
  if (!index) throw new Error(`The dashboard's pages are missing in ${rendererFolder}. Run "npm run build".`);
  const pages = new Map<string, Page>(SCREENS.map((screen) => [screen, { contentType: HTML, body: index }]));
  const assets = await readdir(path.join(rendererFolder, 'assets')).catch(() => []);
  for (const name of assets) {
    const contentType = CONTENT_TYPES[path.extname(name)];
    if (!contentType) continue;
    pages.set(`/assets/${name}`, { contentType, body: await readFile(path.join(rendererFolder, 'assets', name)) });
  }
  return pages;
}

/** The HTML with the nonce of one response in it; other files as they are. */
export function render(page: Page, nonce: string): Buffer {
  if (page.contentType !== HTML) return page.body;
  return Buffer.from(page.body.toString('utf8').replaceAll(NONCE_PLACEHOLDER, nonce), 'utf8');
}

export const HTML = 'text/html; charset=utf-8';

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};
