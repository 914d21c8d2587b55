import childProcess from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Caller } from '../../electron/core/api.ts';
import { openBrowser } from '../../electron/desktop/open-browser.ts';
import type { SignInView } from '../../shared/connections.ts';
import type { AuditEntryView } from '../../shared/model.ts';
import { accountsOf, UPSTREAM } from '../support/accounts.ts';
import { watchSecret } from '../support/canary.ts';
import { eventually } from '../support/gatehouse.ts';
import { openTarget, type Target } from '../support/target.ts';
import { startVendor } from '../support/vendors/vendor.ts';

const opened = vi.hoisted(() => [] as string[]);
vi.mock('electron', () => ({ shell: { openExternal: async (address: string) => void opened.push(address) } }));

/** Schemes that start a program, read a file, run a script, or wake a handler of the system. */
const SCHEMES = [
  'javascript:alert(1)',
  'file:///etc/passwd',
  'smb://evil/x',
  'ms-msdt:/id PCWDiagnostic',
  'vscode://x',
  'data:text/html,<script>alert(1)</script>',
  'a:$(cmd.exe /c whoami > c:\\temp\\p.txt)',
  'http://evil.test/authorize',
  'https://name:word@as.example/authorize',
];
const WINDOW: Caller = { origin: 'main-window', label: 'window' };

describe('what a vendor names as the page to sign in at', () => {
  let target: Target;
  let authorizeAt = '';
  let upstreamUrl = '';

  beforeAll(async () => {
    target = await openTarget({ platform: { mode: 'desktop', openBrowser } });
    // A server that describes itself as the specifications say, but for the one address.
    const server = createServer((request, response) => {
      const { origin } = new URL(upstreamUrl);
      const documents: Readonly<Record<string, unknown>> = {
        '/.well-known/oauth-protected-resource/mcp': { resource: upstreamUrl, authorization_servers: [origin] },
        '/.well-known/oauth-authorization-server': {
          issuer: origin,
          authorization_endpoint: authorizeAt,
          token_endpoint: `${origin}/token`,
          registration_endpoint: `${origin}/register`,
          response_types_supported: ['code'],
          code_challenge_methods_supported: ['S256'],
        },
        '/register': { client_id: 'one', redirect_uris: undefined },
      };
      const found = documents[request.url ?? ''];
      response.writeHead(found === undefined ? 401 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(found ?? {}));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    upstreamUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
    const added = await target.gatehouse.ask('upstreamAdd', {
      name: 'evil',
      transport: { kind: 'http', url: upstreamUrl },
    });
    if (added.kind !== 'done') throw new Error(added.message);
    return () => void server.close();
  });
  afterAll(() => target[Symbol.asyncDispose]());
  beforeEach(() => void opened.splice(0));

  async function signIn(): Promise<SignInView> {
    const started = await target.gatehouse.ask('signInStart', { upstream: 'evil', label: 'work' }, WINDOW);
    if (started.kind !== 'done') throw new Error(started.message);
    return eventually(async () => {
      const found = await target.gatehouse.ask('signInGet', { signIn: started.signIn.id });
      return found.kind === 'done' && found.signIn.state !== 'working' ? found.signIn : null;
    }, 'the end of it');
  }

  test.each(SCHEMES)('K1 %s is never opened, fails the sign-in with its reason, and is recorded', async (address) => {
    authorizeAt = address;
    const before = (await target.gatehouse.audit()).at(-1)?.seq ?? 0;
    const ended = await signIn();
    expect(ended).toMatchObject({ state: 'failed', code: 'insecure_address', link: null });
    expect(ended.steps.at(-1)).toMatchObject({ outcome: 'failed' });
    const click = await target.gatehouse.ask('signInOpen', { signIn: ended.id }, WINDOW);
    expect(click).toEqual({ kind: 'refused', message: 'The sign-in does not wait for the browser now.' });
    expect(opened).toEqual([]);
    const isIt = ({ seq, kind }: AuditEntryView) => seq > before && kind === 'sign_in_failed';
    const entries = (await target.gatehouse.audit((all) => all.some(isIt))).filter(isIt);
    expect(entries).toMatchObject([{ upstream: 'evil', outcome: 'failed', detail: { code: 'insecure_address' } }]);
    await target.stillServes();
  });

  test.each(SCHEMES)('K1 the one place that opens pages does not open %s, whoever asks it', async (address) => {
    expect(await openBrowser(address)).toBe(false);
    expect(opened).toEqual([]);
  });

  test.each(SCHEMES.slice(0, 7))('K1 %s cannot be written down as an address of classic OAuth', async (address) => {
    const signInBy = {
      kind: 'oauth',
      authorizeUrl: address,
      tokenUrl: 'https://as.example/token',
      clientId: 'one',
    } as const;
    await expect(target.gatehouse.ask('upstreamSignIn', { upstream: 'evil', signIn: signInBy })).rejects.toThrow(
      'signIn.authorizeUrl',
    );
  });

  test('K3 a click opens the page of the vendor by the shell, and starts no process; a command cannot click', async () => {
    const started = (['spawn', 'spawnSync', 'exec', 'execSync', 'execFile', 'execFileSync', 'fork'] as const).map(
      (name) => vi.spyOn(childProcess, name),
    );
    syncBuiltinESMExports();
    onTestFinished(() => {
      vi.restoreAllMocks();
      syncBuiltinESMExports();
    });
    authorizeAt = new URL('/authorize', upstreamUrl).href;
    const waiting = await signIn();
    expect(waiting).toMatchObject({ state: 'waiting' });
    // Nothing opens by itself: the screen shows a button.
    expect(opened).toEqual([]);
    const command = { origin: 'cli', label: 'cli' } as const;
    await expect(target.gatehouse.ask('signInOpen', { signIn: waiting.id }, command)).rejects.toThrow('a person');
    expect(opened).toEqual([]);
    const click = await target.gatehouse.ask('signInOpen', { signIn: waiting.id }, WINDOW);
    expect(click).toEqual({ kind: 'done', opened: true, link: waiting.link });
    expect(opened).toEqual([waiting.link]);
    authorizeAt = SCHEMES[0] ?? '';
    await signIn();
    for (const spy of started) expect(spy).not.toHaveBeenCalled();
    await target.stillServes();
  });
});

test('K3 one place in all of the source opens anything outside, and no package does', () => {
  const sources = ['electron', 'renderer', 'shared'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name))
      .map((name) => join(folder, name)),
  );
  const callers = sources.filter((path) => /openExternal|openPath|showItemInFolder/.test(readFileSync(path, 'utf8')));
  expect(callers).toEqual([join('electron', 'desktop', 'open-browser.ts')]);
  const { dependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, object>;
  expect(Object.keys({ ...dependencies, ...devDependencies })).not.toContain('open');
  const opener = /xdg-open|rundll32|cmd(\.exe)? \/c start|['"]open['"], \[/;
  expect(sources.filter((path) => opener.test(readFileSync(path, 'utf8')))).toEqual([]);
});

test('I21 an agent that calls a signed-out server twenty times is told so, and opens nothing', async () => {
  await using target = await openTarget({ platform: { mode: 'desktop', openBrowser } });
  const { gatehouse, k1 } = target;
  await using vendor = await startVendor();
  const added = await gatehouse.ask('upstreamAdd', { name: UPSTREAM, transport: { kind: 'http', url: vendor.mcpUrl } });
  if (added.kind !== 'done') throw new Error(added.message);
  const accounts = accountsOf(gatehouse, vendor, k1, added.upstream);
  expect(await accounts.signIn()).toMatchObject({ state: 'connected' });
  await accounts.review();
  for (const token of vendor.tokens()) watchSecret(token);
  const { id } = await accounts.connection();
  await gatehouse.ask('connectionSignOut', { connection: id });
  const seen = vendor.seen.length;
  const signIns = await gatehouse.ask('signInsList', {});
  opened.splice(0);
  for (let count = 0; count < 20; count += 1) {
    const { isError, meta, text } = await accounts.call('whoami');
    expect([isError, meta['gatehouse/class']]).toEqual([true, 'auth_required']);
    expect(text).toContain(`auth_required: ${UPSTREAM} not connected. Visit `);
  }
  expect(opened).toEqual([]);
  expect(await gatehouse.ask('signInsList', {})).toEqual(signIns);
  expect(vendor.seen.slice(seen).map(({ path }) => path)).not.toContain('/authorize');
  const isIt = ({ phase, errorClass }: AuditEntryView) => phase === 'ended' && errorClass === 'auth_required';
  const entries = await gatehouse.audit((all) => all.filter(isIt).length >= 20);
  expect(entries.filter(isIt)).toHaveLength(20);
  await target.stillServes();
});
