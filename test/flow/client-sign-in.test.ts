import { OAuthError, UnauthorizedError } from '@modelcontextprotocol/client';
import { expect, test } from 'vitest';
import { systemClock } from '../../electron/core/platform.ts';
import { startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';
import { answer, browse, createProgram, type Program, REDIRECT, signIn } from '../support/signing-in.ts';

async function findsTools(program: Program): Promise<boolean> {
  const client = await program.connect();
  const found = await client.callTool({ name: 'find_tools', arguments: { query: 'list the notes', limit: 1 } });
  await client.close();
  return JSON.stringify(found.structuredContent).includes('list_notes');
}

/** The token endpoint as a program uses it that has no library. */
async function refresh(gatehouse: TestGatehouse, program: Program, token = program.kept.tokens?.refresh_token ?? '') {
  const answered = await fetch(`http://127.0.0.1:${gatehouse.port}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: token,
      client_id: program.kept.registration?.client_id ?? '',
    }),
  });
  const body = (await answered.json()) as Record<string, string>;
  return { status: answered.status, ...body } as {
    status: number;
    error?: string;
    access_token: string;
    refresh_token: string;
  };
}

function calledWith(gatehouse: TestGatehouse, token: string | undefined, path = '/mcp') {
  return gatehouse.call(token ?? '', 'demo__list_notes', '{}', { path });
}

test('a program that knows the address alone signs in: it is sent, registers, a person says yes, and its calls run', async () => {
  await using gatehouse = await startGatehouse();
  const program = createProgram(gatehouse.core.endpoint);
  const question = await signIn(gatehouse, program);
  expect(question).toMatchObject({
    kind: 'client_sign_in',
    title: '"Claude Code" wants to connect to workspace Personal',
    requestedBy: 'a program of this machine',
  });
  expect(Object.fromEntries(question.lines.map(({ label, value }) => [label, value]))).toEqual({
    'Calls itself': 'Claude Code',
    'Answer goes to': REDIRECT,
    Workspace: 'Personal',
    'May see': 'all upstreams of the workspace: demo',
    'May do': 'list and call tools, as the rules of the workspace allow',
    Until: 'you revoke it, or it was not used for 30 days',
  });
  expect(await findsTools(program)).toBe(true);

  const [client] = await gatehouse.ask('clientsList');
  expect(client).toMatchObject({ name: 'Claude Code', workspace: 'Personal', upstreams: null });
  expect(client?.keys).toMatchObject([{ role: 'executor', signedIn: true, revokedAt: null }]);
  const entries = await gatehouse.audit((all) => all.some(({ kind }) => kind === 'client_sign_in'));
  const prefix = client?.keys[0]?.prefix;
  expect(entries.find(({ kind }) => kind === 'client_registered')?.detail).toMatchObject({
    callsItself: 'Claude Code',
    redirectUris: [REDIRECT],
  });
  expect(entries.find(({ kind }) => kind === 'client_sign_in')).toMatchObject({
    outcome: 'confirmed',
    client: 'Claude Code',
    keyPrefix: prefix,
    workspace: 'Personal',
    detail: { resource: '/mcp', redirectUri: REDIRECT },
  });
});

test('a no is told to the program, and makes no client', async () => {
  await using gatehouse = await startGatehouse();
  const program = createProgram(gatehouse.core.endpoint);
  const browsing = browse(await program.browserAddress());
  await answer(gatehouse, 'refuse');
  const { left } = await browsing;
  expect(left?.href).toContain(`${REDIRECT}?`);
  expect(Object.fromEntries(left?.searchParams ?? [])).toEqual({
    error: 'access_denied',
    error_description: 'The person refused it in Gatehouse.',
    state: 'state-of-the-program',
    iss: `http://127.0.0.1:${gatehouse.port}`,
  });
  expect(await gatehouse.ask('clientsList')).toEqual([]);
  const entries = await gatehouse.audit((all) => all.some(({ kind }) => kind === 'client_sign_in'));
  expect(entries.find(({ kind }) => kind === 'client_sign_in')).toMatchObject({ outcome: 'refused', client: null });
});

test('nobody is there: the program is told so at once', async () => {
  await using gatehouse = await startGatehouse({ approver: false });
  const program = createProgram(gatehouse.core.endpoint);
  const { left } = await browse(await program.browserAddress());
  expect(left?.searchParams.get('error')).toBe('access_denied');
  expect(left?.searchParams.get('error_description')).toContain('Nobody is at Gatehouse to answer.');
  expect(await gatehouse.ask('clientsList')).toEqual([]);
});

test('revoked, its tokens are dead at once; a second sign-in is asked for again and is a client of its own', async () => {
  await using gatehouse = await startGatehouse();
  const program = createProgram(gatehouse.core.endpoint);
  await signIn(gatehouse, program);
  const { tokens } = program.kept;
  const [before] = await gatehouse.ask('clientsList');
  expect((await calledWith(gatehouse, tokens?.access_token)).status).toBe(200);
  await gatehouse.ask('keyRevoke', { key: before?.keys[0]?.prefix ?? '' });
  expect((await calledWith(gatehouse, tokens?.access_token)).status).toBe(401);
  expect(await refresh(gatehouse, program)).toMatchObject({ status: 400, error: 'invalid_grant' });

  await signIn(gatehouse, program);
  expect((await calledWith(gatehouse, program.kept.tokens?.access_token)).status).toBe(200);
  const clients = await gatehouse.ask('clientsList');
  expect(clients.map(({ name }) => name)).toEqual(['Claude Code', 'Claude Code']);
  expect(clients[1]?.id).not.toBe(before?.id);
});

test('signed in again while it still is, a program stays the client it was, and its earlier tokens end', async () => {
  await using gatehouse = await startGatehouse();
  const program = createProgram(gatehouse.core.endpoint);
  await signIn(gatehouse, program);
  const [before] = await gatehouse.ask('clientsList');
  await gatehouse.ask('clientSet', { client: before?.id ?? '', upstreams: ['demo'] });
  const earlier = program.kept.tokens?.access_token;
  program.forget();
  const question = await signIn(gatehouse, program);
  expect(question.lines).toContainEqual({
    label: 'Signs in again as',
    value: 'Claude Code, whose earlier sign-in ends',
  });
  expect(question.lines).toContainEqual({ label: 'May see', value: 'demo' });
  const after = await gatehouse.ask('clientsList');
  expect(after.map(({ id, upstreams }) => ({ id, upstreams }))).toEqual([{ id: before?.id, upstreams: ['demo'] }]);
  expect((await calledWith(gatehouse, earlier)).status).toBe(401);
  expect((await calledWith(gatehouse, program.kept.tokens?.access_token)).status).toBe(200);
});

test('the program signs out by itself: its sign-in has ended', async () => {
  await using gatehouse = await startGatehouse();
  const program = createProgram(gatehouse.core.endpoint);
  await signIn(gatehouse, program);
  const { tokens, registration } = program.kept;
  const revoked = await fetch(`http://127.0.0.1:${gatehouse.port}/oauth/revoke`, {
    method: 'POST',
    body: new URLSearchParams({ token: tokens?.refresh_token ?? '', client_id: registration?.client_id ?? '' }),
  });
  expect(revoked.status).toBe(200);
  expect((await calledWith(gatehouse, tokens?.access_token)).status).toBe(401);
  const [client] = await gatehouse.ask('clientsList');
  expect(client?.keys[0]?.revokedAt).not.toBeNull();
  const entries = await gatehouse.audit((all) => all.some(({ kind }) => kind === 'client_signed_out'));
  expect(entries.find(({ kind }) => kind === 'client_signed_out')).toMatchObject({ client: 'Claude Code' });
});

test('refresh tokens rotate; two windows that renew at once both go on; one that comes back later ends the sign-in', async () => {
  let shift = 0;
  const clock = { ...systemClock, now: () => Date.now() + shift };
  await using gatehouse = await startGatehouse({ clock });
  const program = createProgram(gatehouse.core.endpoint);
  await signIn(gatehouse, program);
  const first = program.kept.tokens?.refresh_token ?? '';
  const renewed = await refresh(gatehouse, program, first);
  expect(renewed).toMatchObject({ status: 200 });
  expect(renewed.refresh_token).not.toBe(first);
  const [one, two] = await Promise.all([
    refresh(gatehouse, program, first),
    refresh(gatehouse, program, renewed.refresh_token),
  ]);
  expect([one.status, two.status]).toEqual([200, 200]);
  expect((await calledWith(gatehouse, two.access_token)).status).toBe(200);

  shift += 11_000;
  expect(await refresh(gatehouse, program, first)).toMatchObject({ status: 400, error: 'invalid_grant' });
  expect((await calledWith(gatehouse, two.access_token)).status).toBe(401);
  expect(await refresh(gatehouse, program, two.refresh_token)).toMatchObject({ status: 400, error: 'invalid_grant' });
  const [client] = await gatehouse.ask('clientsList');
  expect(client?.keys[0]?.revokedAt).not.toBeNull();
});

test('it lasts while it is used within 30 days: each renewal moves its end, and without one it has ended', async () => {
  const DAY = 24 * 3600_000;
  let shift = 0;
  const clock = { ...systemClock, now: () => Date.now() + shift };
  await using gatehouse = await startGatehouse({ clock });
  const program = createProgram(gatehouse.core.endpoint);
  await signIn(gatehouse, program);
  const endsIn = async () => {
    const [client] = await gatehouse.ask('clientsList');
    return Math.round(((client?.keys[0]?.expiresAt ?? 0) - clock.now()) / DAY);
  };
  expect(await endsIn()).toBe(30);
  shift += 20 * DAY;
  expect((await calledWith(gatehouse, program.kept.tokens?.access_token)).status).toBe(401);
  expect(await endsIn()).toBe(10);
  const renewed = await refresh(gatehouse, program);
  expect(renewed.status).toBe(200);
  expect(await endsIn()).toBe(30);
  shift += 31 * DAY;
  expect(await refresh(gatehouse, program, renewed.refresh_token)).toMatchObject({
    status: 400,
    error: 'invalid_grant',
  });
});

test('a restart is not noticed, and a question that was open then is refused', async () => {
  const first = await startGatehouse();
  const { folder, port } = first;
  const program = createProgram(first.core.endpoint);
  await signIn(first, program);
  const other = createProgram(first.core.endpoint, 'Other');
  const waiting = await fetch(await other.browserAddress(), { redirect: 'manual' });
  const page = new URL(waiting.headers.get('location') ?? '', first.core.endpoint);
  await first.core.close();

  await using again = await startGatehouse({ folder, port });
  expect(await findsTools(program)).toBe(true);
  expect((await refresh(again, program)).status).toBe(200);
  const { left } = await browse(page);
  expect(left?.searchParams.get('error_description')).toBe('Gatehouse was restarted meanwhile. Try again.');
  expect(await again.ask('clientsList')).toHaveLength(1);
});

test('a token is good for the endpoint that it was asked for, by whichever name of this machine', async () => {
  await using gatehouse = await startGatehouse();
  await gatehouse.ask('workspaceCreate', { name: 'Work' });
  const work = createProgram(`http://localhost:${gatehouse.port}/w/work/mcp`, 'Worker');
  const question = await signIn(gatehouse, work);
  expect(question.title).toBe('"Worker" wants to connect to workspace Work');
  const token = work.kept.tokens?.access_token;
  expect((await calledWith(gatehouse, token, '/w/work/mcp')).status).toBe(200);
  for (const path of ['/mcp', '/w/personal/mcp', '/u/demo/mcp', '/w/work/u/demo/mcp'])
    expect([path, (await calledWith(gatehouse, token, path)).status]).toEqual([path, 401]);
  const reasons = (await gatehouse.audit()).flatMap(({ kind, detail, keyPrefix }) =>
    kind === 'unauthorized' && detail.reason !== 'missing' ? [[detail.reason, keyPrefix]] : [],
  );
  const prefix = (await gatehouse.ask('clientsList'))[0]?.keys[0]?.prefix;
  expect(reasons).toEqual(Array(4).fill(['other_resource', prefix]));

  const one = createProgram(`http://127.0.0.1:${gatehouse.port}/u/demo/mcp`, 'Narrow');
  const narrow = await signIn(gatehouse, one);
  expect(narrow.lines).toContainEqual({ label: 'May see', value: 'demo' });
  const clients = await gatehouse.ask('clientsList');
  expect(clients.find(({ name }) => name === 'Narrow')?.upstreams).toEqual(['demo']);
});

test('every name of this machine gets metadata that names it, and one issuer', async () => {
  await using gatehouse = await startGatehouse();
  const { port } = gatehouse;
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]) {
    for (const path of ['', '/mcp', '/u/demo/mcp', '/w/personal/mcp', '/w/personal/u/demo/mcp']) {
      const raw = await gatehouse.raw(
        `GET /.well-known/oauth-protected-resource${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      );
      expect(JSON.parse(raw.slice(raw.indexOf('\r\n\r\n')))).toMatchObject({
        resource: `http://${host}${path === '' ? '/mcp' : path}`,
        authorization_servers: [`http://127.0.0.1:${port}`],
      });
    }
    const refused = await gatehouse.raw(
      `POST /mcp HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    );
    expect(refused).toContain(
      `www-authenticate: Bearer realm="gatehouse", resource_metadata="http://${host}/.well-known/oauth-protected-resource/mcp"`,
    );
  }
});

test('a code that comes without its verifier, or a second time, gives nothing and ends what it gave', async () => {
  await using gatehouse = await startGatehouse();
  const program = createProgram(gatehouse.core.endpoint);
  const browsing = browse(await program.browserAddress());
  await answer(gatehouse, 'confirm');
  const { left } = await browsing;
  const redeem = (verifier: string) =>
    fetch(`http://127.0.0.1:${gatehouse.port}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code: left?.searchParams.get('code') ?? '',
        redirect_uri: REDIRECT,
        client_id: program.kept.registration?.client_id ?? '',
        code_verifier: verifier,
      }),
    }).then(async (answered) => (await answered.json()) as { error?: string; access_token?: string });
  expect(await redeem('x'.repeat(43))).toMatchObject({ error: 'invalid_grant' });
  const tokens = await redeem(program.kept.verifier ?? '');
  expect((await calledWith(gatehouse, tokens.access_token)).status).toBe(200);
  expect(await redeem(program.kept.verifier ?? '')).toMatchObject({ error: 'invalid_grant' });
  expect((await calledWith(gatehouse, tokens.access_token)).status).toBe(401);
});

test('the program is sent back to no address that it did not register', async () => {
  await using gatehouse = await startGatehouse();
  const program = createProgram(gatehouse.core.endpoint);
  const address = await program.browserAddress();
  address.searchParams.set('redirect_uri', 'http://localhost:41999/other');
  const { left, page } = await browse(address);
  expect([left, page.status]).toEqual([null, 400]);
  expect(await page.text()).toContain('Not connected');
  expect(await gatehouse.ask('confirmationsList')).toEqual([]);
});

test('without a keychain programs cannot sign in, and are told so where they look', async () => {
  const absent = { kind: 'absent', reason: 'This machine has no keychain' } as const;
  const keychain = { read: async () => absent, write: async () => absent, remove: async () => absent };
  await using gatehouse = await startGatehouse({ platform: { keychain } });
  const at = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${gatehouse.port}${path}`, init);
  const refused = await at('/mcp', { method: 'POST' });
  expect(refused.headers.get('www-authenticate')).toBe('Bearer realm="gatehouse"');
  for (const path of ['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-authorization-server']) {
    const answered = await at(path);
    expect(answered.status).toBe(404);
    expect(await answered.json()).toMatchObject({
      error: 'not_found',
      error_description: expect.stringContaining('This machine has no keychain'),
    });
  }
  const registered = await at('/oauth/register', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [REDIRECT] }),
  });
  expect([registered.status, await registered.json()]).toMatchObject([503, { error: 'temporarily_unavailable' }]);
  await expect(createProgram(gatehouse.core.endpoint).connect()).rejects.toThrow();
});

test('what the SDK is told of a refusal is an error of the protocol', async () => {
  await using gatehouse = await startGatehouse();
  const program = createProgram(gatehouse.core.endpoint);
  await signIn(gatehouse, program);
  await gatehouse.ask('keyRevoke', { key: (await gatehouse.ask('clientsList'))[0]?.keys[0]?.prefix ?? '' });
  const failed = await program.connect().then(
    () => null,
    (error: unknown) => error,
  );
  expect(failed instanceof UnauthorizedError || failed instanceof OAuthError).toBe(true);
});
