import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { contentSecurityPolicy } from '../../electron/dashboard/headers.ts';
import { NONCE_PLACEHOLDER } from '../../electron/dashboard/pages.ts';
import { createPageHandler, pageHeaders } from '../../electron/desktop/page-protocol.ts';

function bundle() {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-pages-'));
  const root = join(folder, 'renderer');
  mkdirSync(join(root, 'assets'), { recursive: true });
  writeFileSync(join(root, 'index.html'), `<!doctype html><meta name="csp-nonce" nonce="${NONCE_PLACEHOLDER}">`);
  writeFileSync(join(root, 'assets', 'main-1.js'), 'export {};');
  writeFileSync(join(root, 'assets', 'main-1.js.map'), '{}');
  writeFileSync(join(folder, 'secret.js'), 'outside');
  const handler = createPageHandler(root);
  return (url: string, method = 'GET') => handler(new Request(url, { method }));
}

test('the bundle is served, each file with its type', async () => {
  const get = bundle();
  const page = await get('app://ui/index.html');
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  const script = await get('app://ui/assets/main-1.js');
  expect([script.status, await script.text()]).toEqual([200, 'export {};']);
  expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
});

test('every page carries the nonce of its own response, which is fresh each time', async () => {
  const get = bundle();
  const seen = new Set<string>();
  for (let n = 0; n < 3; n++) {
    const page = await get('app://ui/index.html');
    const nonce = /'nonce-([^']+)'/.exec(page.headers.get('content-security-policy') ?? '')?.[1] ?? '';
    expect(await page.text()).toContain(`nonce="${nonce}"`);
    seen.add(nonce);
  }
  expect(seen.size).toBe(3);
});

test('the policy is the same as that of the dashboard', () => {
  expect(pageHeaders('n')['content-security-policy']).toBe(contentSecurityPolicy('n'));
});

test.each([
  'app://ui/../secret.js',
  'app://ui/../../etc/passwd',
  'app://ui/%2e%2e/secret.js',
  'app://ui/%2e%2e/%2e%2e/x',
  'app://ui/..%2fsecret.js',
  'app://ui/\\..\\secret.js',
  'app://ui//etc/passwd',
  'app://ui/assets',
  'app://ui/assets/main-1.js.map',
  'app://ui/toString',
  'app://other/',
  'app://other/index.html',
  'app://ui.evil.test/index.html',
])('L10 %s is not found', async (url) => {
  const answer = await bundle()(url);
  expect(answer.status).toBe(404);
  expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
});

test('only GET is answered', async () => {
  expect((await bundle()('app://ui/index.html', 'POST')).status).toBe(405);
});
