import { expect, test, vi } from 'vitest';
import { systemClock } from '../../electron/core/platform.ts';
import { eventually, startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';
import { createMemoryKeychain } from '../support/memory-keychain.ts';
import { answer, browse, createProgram, REDIRECT, signIn } from '../support/signing-in.ts';

async function register(gatehouse: TestGatehouse, metadata: unknown, headers: Record<string, string> = {}) {
  const answered = await fetch(`http://127.0.0.1:${gatehouse.port}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof metadata === 'string' ? metadata : JSON.stringify(metadata),
  });
  return {
    status: answered.status,
    headers: answered.headers,
    body: (await answered.json()) as Record<string, unknown>,
  };
}

// First of this file: the library looks at DEBUG when it is loaded.
test('the library writes nothing to the terminal, with DEBUG set as well', async () => {
  vi.stubEnv('DEBUG', '*');
  const written = [
    vi.spyOn(process.stderr, 'write').mockReturnValue(true),
    vi.spyOn(console, 'error').mockReturnValue(undefined),
    vi.spyOn(console, 'warn').mockReturnValue(undefined),
    vi.spyOn(console, 'info').mockReturnValue(undefined),
  ];
  await using gatehouse = await startGatehouse();
  const program = createProgram(gatehouse.core.endpoint);
  await signIn(gatehouse, program);
  await fetch(`http://127.0.0.1:${gatehouse.port}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'password' }),
  });
  const said = written.flatMap(({ mock }) => mock.calls.map(([text]) => String(text)));
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  expect(said.filter((text) => /oidc|koa/i.test(text))).toEqual([]);
});

test.each([
  ['another machine', 'http://192.0.2.1/callback'],
  ['another machine by https', 'https://evil.example/callback'],
  ['a name that begins like ours', 'http://127.0.0.1.evil.example/callback'],
  ['a user before the host', 'http://127.0.0.1@evil.example/callback'],
  ['a password before our host', 'http://x:y@127.0.0.1/callback'],
  ['https on this machine', 'https://localhost/callback'],
  ['a scheme of its own', 'cursor://anysphere.cursor-mcp/oauth/callback'],
  ['a script', 'javascript:alert(1)//127.0.0.1'],
  ['a fragment', 'http://127.0.0.1/callback#x'],
  ['no address', 'nonsense'],
])('a redirect address is refused: %s', async (_case, uri) => {
  await using gatehouse = await startGatehouse();
  expect(await register(gatehouse, { redirect_uris: [uri] })).toMatchObject({
    status: 400,
    body: { error: 'invalid_redirect_uri', error_description: expect.stringContaining('on this machine') },
  });
});

test('of several addresses those on this machine are kept, and it is a public client whatever it asked for', async () => {
  await using gatehouse = await startGatehouse();
  const { status, body } = await register(gatehouse, {
    client_name: 'Visual Studio Code',
    redirect_uris: ['https://vscode.dev/redirect', 'http://127.0.0.1:33418/', 'http://[::1]/', 'http://localhost/x'],
    token_endpoint_auth_method: 'client_secret_post',
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    logo_uri: 'https://evil.example/logo.svg',
    jwks_uri: 'https://evil.example/keys',
    scope: 'everything',
  });
  expect(status).toBe(201);
  expect(body).toEqual({
    client_id: expect.any(String),
    client_id_issued_at: expect.any(Number),
    client_name: 'Visual Studio Code',
    redirect_uris: ['http://127.0.0.1:33418/', 'http://[::1]/', 'http://localhost/x'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    scope: 'mcp',
  });
});

test('a registration is bounded: its size, its lists, its name, and how many come in a minute', async () => {
  await using gatehouse = await startGatehouse();
  const good = { redirect_uris: [REDIRECT] };
  expect(await register(gatehouse, { ...good, client_name: 'x'.repeat(1_000_000) })).toMatchObject({
    status: 413,
    body: { error: 'invalid_request' },
  });
  expect(await register(gatehouse, { ...good, client_name: 'x'.repeat(201) })).toMatchObject({
    status: 400,
    body: { error: 'invalid_client_metadata', error_description: expect.stringContaining('client_name') },
  });
  const one = (count: number) => Array.from({ length: count }, (_, at) => `http://127.0.0.1/${at}`);
  expect((await register(gatehouse, { redirect_uris: one(21) })).status).toBe(400);
  expect((await register(gatehouse, `{"redirect_uris":["${REDIRECT}"],"redirect_uris":["x"]}`)).status).toBe(400);
  expect((await register(gatehouse, 'not json')).body).toMatchObject({ error: 'invalid_client_metadata' });
  expect((await register(gatehouse, good, { 'content-type': 'text/plain' })).status).toBe(415);
  expect((await register(gatehouse, good, { origin: 'https://evil.example' })).status).toBe(403);

  const statuses = [];
  for (let count = 0; count < 25; count += 1) statuses.push((await register(gatehouse, good)).status);
  expect(statuses.filter((status) => status === 201)).toHaveLength(14);
  const last = await register(gatehouse, good);
  expect([last.status, last.headers.get('retry-after')]).toEqual([429, '60']);
  // A client with a key does not notice.
  const { secret } = await gatehouse.key();
  expect((await gatehouse.call(secret, 'demo__list_notes')).status).toBe(200);
});

test('what a program calls itself is text of one line, and never looks like another label', async () => {
  await using gatehouse = await startGatehouse();
  const name = `Claude\nCode${String.fromCodePoint(0x202e)} <img src=x onerror=1> ${'y'.repeat(150)}`;
  const question = await signIn(gatehouse, createProgram(gatehouse.core.endpoint, name));
  expect(question.title.length).toBeLessThan(140);
  expect(question.lines[0]).toEqual({ label: 'Calls itself', value: name });
  const [client] = await gatehouse.ask('clientsList');
  expect(client?.name).toMatch(/^Claude Code <img src=x onerror=1> y+$/);
  expect(client?.name.length).toBeLessThanOrEqual(60);

  const nameless = await signIn(gatehouse, createProgram(gatehouse.core.endpoint, ''));
  expect(nameless.title).toBe('A program without a name wants to connect to workspace Personal');
  expect((await gatehouse.ask('clientsList')).map((one) => one.name)).toContain('Program');
});

test('the same address in a second browser waits for the same question', async () => {
  await using gatehouse = await startGatehouse();
  const address = await createProgram(gatehouse.core.endpoint).browserAddress();
  const pages = [];
  for (let opened = 0; opened < 2; opened += 1)
    pages.push((await fetch(address, { redirect: 'manual' })).headers.get('location'));
  expect(pages[0]).toBe(pages[1]);
  expect(await gatehouse.ask('confirmationsList')).toHaveLength(1);
});

test('asked anew, a program has one question: the earlier one is withdrawn, its page says so, the program is told nothing', async () => {
  await using gatehouse = await startGatehouse();
  const program = createProgram(gatehouse.core.endpoint);
  const first = browse(await program.browserAddress());
  const shown = await eventually(
    async () => (await gatehouse.ask('confirmationsList'))[0] ?? null,
    'the first question',
  );
  const browsing = browse(await program.browserAddress());
  const { left, page } = await first;
  expect([left, page.status, await page.text()]).toEqual([
    null,
    410,
    expect.stringContaining('The program has started its sign-in again.'),
  ]);
  const waiting = await gatehouse.ask('confirmationsList');
  expect(waiting).toHaveLength(1);
  expect(waiting[0]?.id).not.toBe(shown.id);
  await answer(gatehouse, 'confirm');
  expect((await browsing).left?.searchParams.has('code')).toBe(true);
});

test('five questions wait at most, and after three noes nothing more is asked for a minute', async () => {
  let shift = 0;
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + shift };
  await using gatehouse = await startGatehouse({ clock });
  const programs = Array.from({ length: 6 }, (_, at) => createProgram(gatehouse.core.endpoint, `Program ${at}`));
  const browsings = [];
  for (const program of programs) browsings.push(browse(await program.browserAddress()));
  const refused = await Promise.race(browsings);
  expect(refused.left?.searchParams.get('error_description')).toBe(
    'Too many programs asked to sign in. Try again in a minute.',
  );
  expect(await gatehouse.ask('confirmationsList')).toHaveLength(5);
  for (let noes = 0; noes < 5; noes += 1) await answer(gatehouse, 'refuse');
  await Promise.all(browsings);

  const again = await browse(await createProgram(gatehouse.core.endpoint, 'Again').browserAddress());
  expect(again.left?.searchParams.get('error_description')).toContain('Too many programs');
  expect(await gatehouse.ask('confirmationsList')).toEqual([]);
  shift += 61_000;
  const later = createProgram(gatehouse.core.endpoint, 'Later');
  await signIn(gatehouse, later);
  expect(later.kept.tokens).toBeDefined();
});

test('a keychain that is locked signs nobody out: 503 until it is open, then all goes on', async () => {
  const keychain = createMemoryKeychain();
  const first = await startGatehouse({ platform: { keychain } });
  const { folder, port } = first;
  const program = createProgram(first.core.endpoint);
  await signIn(first, program);
  await first.core.close();
  keychain.mood = 'locked';
  await using locked = await startGatehouse({ folder, port, platform: { keychain } });
  const call = () => locked.call(program.kept.tokens?.access_token ?? '', 'demo__list_notes');
  const refused = await call();
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
  expect(refused.text).toContain('Unlock it and try again.');
  const stranger = await locked.call('no-token-of-ours', 'demo__list_notes');
  expect([stranger.status, stranger.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="gatehouse"']);
  keychain.mood = 'open';
  await eventually(async () => ((await call()).status === 200 ? true : null), 'the vault to be tried again', 10_000);
});

test('a token, a code or a sign-in that another program writes into the settings opens nothing', async () => {
  await using gatehouse = await startGatehouse();
  const program = createProgram(gatehouse.core.endpoint);
  await signIn(gatehouse, program);
  const token = program.kept.tokens?.access_token ?? '';
  expect((await gatehouse.call(token, 'demo__list_notes')).status).toBe(200);
  const { default: Database } = await import('better-sqlite3');
  const other = new Database(`${gatehouse.folder}/state.db`);
  other.exec("UPDATE client_sign_in SET key_id = NULL, grant_sha256 = NULL, expires_at = NULL WHERE kind <> 'Client'");
  await gatehouse.ask('keyRevoke', { key: (await gatehouse.ask('clientsList'))[0]?.keys[0]?.id ?? '' });
  other.exec('UPDATE keys SET revoked_at = NULL, expires_at = 9e15');
  other.close();
  expect((await gatehouse.call(token, 'demo__list_notes')).status).toBe(401);
  const [client] = await gatehouse.ask('clientsList');
  expect(client?.keys[0]?.revokedAt).not.toBeNull();
});

test('addresses of a sign-in that nobody started lead to a sentence, not to a program', async () => {
  await using gatehouse = await startGatehouse();
  const at = (path: string) => fetch(`http://127.0.0.1:${gatehouse.port}${path}`, { redirect: 'manual' });
  const unknown = await at(`/oauth/sign-in/${'x'.repeat(43)}`);
  expect([unknown.status, await unknown.text()]).toEqual([404, expect.stringContaining('This sign-in is over.')]);
  const stranger = await at(
    '/oauth/authorize?client_id=%3Cscript%3E&response_type=code&redirect_uri=http://127.0.0.1/',
  );
  expect(stranger.status).toBe(400);
  const text = await stranger.text();
  expect(text).toContain('Gatehouse does not know this program');
  expect(text).not.toContain('<script>');
  const long = await at(`/oauth/authorize?state=${'x'.repeat(15_900)}&more=${'y'.repeat(600)}`);
  expect([414, 431]).toContain(long.status);
});
