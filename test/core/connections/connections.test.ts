import { expect, test } from 'vitest';
import { waitFor } from '../upstreams/rig.ts';
import { tokenVendor } from './token-vendor.ts';
import { world } from './world.ts';

test('after an account is connected the tools are listed at once, and calls go out as it', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  expect(connection).toMatchObject({
    label: 'work',
    state: 'connected',
    isDefault: true,
    renews: true,
    mode: 'mcp_oauth',
  });
  expect(it.rig.inventory.tools(upstreamId).map(({ name }) => name)).toEqual(['echo']);
  expect(await it.rig.call(upstreamId, 'echo', '{"a":1}')).toMatchObject({ kind: 'answered' });
  expect(vendor.calls()[0]?.headers.authorization).toBe('Bearer access-1-canary');
});

test('an upstream that wants an account says so, and what its 401 said is kept for the sign-in', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const id = await it.add('vendor', { kind: 'http', url: vendor.url, secretHeaders: [] });
  expect(await it.rig.until(id, 'failed')).toMatchObject({ needsSignIn: true, reason: 'vendor asks for a sign-in.' });
  expect(it.rig.upstreams.challengeOf(id)).toBe(`Bearer resource_metadata="${vendor.origin}/prm"`);
});

test.each([
  ['header', { in: 'header', name: 'X-Key', prefix: '' }],
  ['query', { in: 'query', name: 'key' }],
] as const)('an API key goes out in the %s with each request, and nothing goes without one', async (_where, place) => {
  const it = world();
  const vendor = await tokenVendor();
  const key = 'canary key/+&?="ä';
  vendor.keys.add(place.in === 'header' ? Buffer.from(key, 'utf8').toString('latin1') : key);
  vendor.keys.add(key);
  const upstreamId = await it.add(
    'vendor',
    { kind: 'http', url: vendor.url, secretHeaders: [] },
    { kind: 'api_key', place },
  );
  await it.rig.until(upstreamId, 'failed');
  const before = vendor.seen.length;
  await it.rig.upstreams.refresh(upstreamId);
  expect(vendor.seen.length).toBe(before);
  const connection = await it.connect({
    upstreamId,
    label: 'work',
    connectionId: null,
    grant: { kind: 'api_key', usedAt: vendor.origin, place, key },
  });
  expect(connection).toMatchObject({ mode: 'api_key', renews: false, issuer: null });
  await it.rig.until(upstreamId, 'ready');
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'answered' });
  expect(JSON.stringify(it.rig.events)).not.toContain('canary');
  expect(JSON.stringify([it.rig.upstreams.list(), it.connections.list()])).not.toContain('canary');
});

test('a key in the environment is given to the process, and hidden in what it writes', async () => {
  const it = world();
  const transport = {
    kind: 'stdio',
    command: process.execPath,
    args: ['-e', 'console.error("key is", process.env.SERVICE_KEY); process.exit(3)'],
    secretEnv: [],
    cwd: null,
  } as const;
  const place = { in: 'environment', name: 'SERVICE_KEY' } as const;
  const upstreamId = await it.add('tool', transport, { kind: 'api_key', place });
  await it.connect({
    upstreamId,
    label: 'work',
    connectionId: null,
    grant: {
      kind: 'api_key',
      usedAt: JSON.stringify([transport.command, ...transport.args]),
      place,
      key: 'canary-key',
    },
  });
  const view = await waitFor(() => {
    const now = it.rig.upstreams.get(upstreamId);
    return (now?.lastStderr.length ?? 0) > 0 ? now : null;
  }, 'what it wrote');
  expect(view.lastStderr).toEqual(['key is •••']);
});

test('labels are one per account whatever their case, and can be changed', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  const second = { upstreamId, connectionId: null, grant: vendor.grant() };
  expect(await it.connections.connect({ ...second, label: 'WORK' })).toEqual({
    kind: 'refused',
    message: 'There is an account "work" already. Choose another label.',
  });
  const other = await it.connect({ ...second, label: 'personal' });
  expect(other.isDefault).toBe(false);
  expect(it.connections.rename(other.id, 'Work')).toMatchObject({ kind: 'refused' });
  expect(it.connections.rename(connection.id, 'Work')).toMatchObject({ kind: 'done', connection: { label: 'Work' } });
  expect(it.connections.byLabel(upstreamId, 'work')?.id).toBe(connection.id);
});

test('a call goes out as the account it names, else as the choice of its client, else as the default', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection: work } = await it.connected(vendor);
  const personal = await it.connect({ upstreamId, label: 'personal', connectionId: null, grant: vendor.grant() });
  const { connections } = it;
  expect(connections.choose('c', upstreamId, 'Personal')).toMatchObject({
    kind: 'chosen',
    connection: { id: personal.id },
  });
  expect(connections.choose('c', upstreamId, null)).toMatchObject({ kind: 'chosen', connection: { id: work.id } });
  expect(connections.choose('c', upstreamId, 'other')).toEqual({ kind: 'unknown', labels: ['work', 'personal'] });
  connections.makeDefault(personal.id, 'c');
  expect(connections.choose('c', upstreamId, null)).toMatchObject({
    connection: { id: personal.id, defaultFor: ['c'] },
  });
  expect(connections.choose('d', upstreamId, null)).toMatchObject({ connection: { id: work.id } });
  expect(connections.choose('c', 'another', null)).toEqual({ kind: 'none' });
  await connections.remove(personal.id);
  expect(connections.choose('c', upstreamId, null)).toMatchObject({ connection: { id: work.id } });
});

test('signing out ends the account here at once, at the vendor too, and keeps its label', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  const ending = it.connections.signOut(connection.id);
  expect(it.connections.get(connection.id)).toMatchObject({ state: 'signed_out', label: 'work' });
  expect(await ending).toMatchObject({ kind: 'done', note: null, connection: { state: 'signed_out' } });
  expect(vendor.revoked).toEqual(['refresh-1-canary', 'access-1-canary']);
  expect(it.vault.has(`connection/${connection.id}/grant`)).toBe(false);
  expect(it.rig.upstreams.unavailable(upstreamId)).toMatchObject({ kind: 'failed', errorClass: 'auth_required' });
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'failed', errorClass: 'auth_required' });
  expect(vendor.calls()).toEqual([]);
  await it.connect({ upstreamId, label: 'work', connectionId: connection.id, grant: vendor.grant() });
  await it.rig.until(upstreamId, 'ready');
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'answered' });
});

test('accounts go with their upstream, and those of an end in between at the next start', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  await it.connections.forgetUpstream(upstreamId);
  expect(it.connections.list()).toEqual([]);
  expect(it.vault.has(`connection/${connection.id}/grant`)).toBe(false);
  expect(vendor.revoked).toEqual(['refresh-1-canary', 'access-1-canary']);

  const again = await it.connect({ upstreamId, label: 'work', connectionId: null, grant: vendor.grant() });
  await it.rig.upstreams.remove(upstreamId);
  const later = world({ folder: it.folder, keychain: it.keychain });
  await waitFor(() => !later.vault.has(`connection/${again.id}/grant`), 'the end of its secret');
  expect(later.connections.list()).toEqual([]);
});

test('a grant goes nowhere but where it was given for, whatever the row or the upstream says now', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const other = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  const moved = await it.rig.upstreams.change(upstreamId, {
    transport: { kind: 'http', url: other.url, secretHeaders: [] },
  });
  expect(moved.kind).toBe('done');
  await it.rig.until(upstreamId, 'failed');
  expect(it.connections.get(connection.id)).toMatchObject({
    state: 'reconnect',
    reason: `It was connected at ${vendor.origin}, and vendor leads to ${other.origin} now. Connect it again.`,
  });
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'failed', errorClass: 'auth_required' });
  // Another program helps: the row fits, the vault does not.
  it.db.prepare('UPDATE connections SET used_at = ?').run(other.origin);
  const later = world({ folder: it.folder, keychain: it.keychain });
  expect(later.connections.get(connection.id)?.state).toBe('connected');
  expect(await later.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'failed', errorClass: 'auth_required' });
  expect(later.connections.get(connection.id)?.state).toBe('reconnect');
  expect(other.seen.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
});

test('a server of 2024-11-05 that lets nobody in is said to want an account, and is used as one', async () => {
  const it = world();
  const vendor = await tokenVendor();
  vendor.isSseOnly = true;
  const { upstreamId } = await it.connected(vendor);
  expect(it.rig.upstreams.get(upstreamId)?.era).toBe('legacy');
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'answered' });
  vendor.expire();
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'answered' });
  expect(vendor.tokenRequests()).toBe(1);
});

test('another address forgets what the one before said of signing in, and takes the usual mode along', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const id = await it.add('vendor', { kind: 'http', url: vendor.url, secretHeaders: [] });
  await it.rig.until(id, 'failed');
  expect(it.rig.upstreams.challengeOf(id)).not.toBeNull();
  const transport = { kind: 'stdio', command: process.execPath, args: ['-e', ''], secretEnv: [], cwd: null } as const;
  expect(await it.rig.upstreams.change(id, { transport })).toMatchObject({
    kind: 'done',
    upstream: { signIn: { kind: 'none' } },
  });
  expect(it.rig.upstreams.challengeOf(id)).toBeNull();
});

test('a transport that a set sign-in does not fit is refused, and nothing has changed', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const place = { in: 'header', name: 'X-Key', prefix: '' } as const;
  const id = await it.add('vendor', { kind: 'http', url: vendor.url, secretHeaders: [] }, { kind: 'api_key', place });
  const transport = { kind: 'stdio', command: process.execPath, args: ['-e', ''], secretEnv: [], cwd: null } as const;
  expect(await it.rig.upstreams.change(id, { transport })).toEqual({
    kind: 'refused',
    message:
      'A process gets its key in its environment: it has no headers and no address. Change how accounts sign in at vendor first.',
  });
  expect(it.rig.upstreams.get(id)).toMatchObject({ transport: { kind: 'http' }, signIn: { kind: 'api_key' } });
});

test('each act on an account leaves an entry that names upstream and account, and holds no token', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  const { connections } = it;
  connections.rename(connection.id, 'office');
  connections.makeDefault(connection.id, 'client-1');
  connections.makeDefault(connection.id, null);
  await connections.signOut(connection.id);
  await it.connect({ upstreamId, label: 'office', connectionId: connection.id, grant: vendor.grant() });
  await connections.remove(connection.id);
  const entries = it.rig.events.filter(({ kind }) => kind.startsWith('connection_'));
  expect(entries.map(({ kind, upstream, detail }) => [kind, upstream, detail?.connection])).toEqual([
    ['connection_made', 'vendor', 'work'],
    ['connection_renamed', 'vendor', 'work'],
    ['connection_default_set', 'vendor', 'office'],
    ['connection_default_set', 'vendor', 'office'],
    ['connection_signed_out', 'vendor', 'office'],
    ['connection_renewed', 'vendor', 'office'],
    ['connection_removed', 'vendor', 'office'],
  ]);
  expect(entries[0]?.detail).toMatchObject({ mode: 'mcp_oauth', issuer: vendor.origin, scopes: ['read'] });
  expect(JSON.stringify(it.rig.events)).not.toContain('canary');
});

test('J9 an account is not connected over plain http to another machine, and what was connected before is not used', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const id = await it.add('plain', { kind: 'http', url: 'http://vendor.test/mcp', secretHeaders: [] });
  const connecting = { upstreamId: id, label: 'work', connectionId: null };
  const why = 'vendor.test is plain http, where anybody on the way reads what is sent. Use https.';
  expect(
    await it.connections.connect({ ...connecting, grant: { ...vendor.grant(), usedAt: 'http://vendor.test' } }),
  ).toEqual({
    kind: 'refused',
    message: why,
  });
  expect(it.connections.list()).toEqual([]);
  // One that goes over to plain http.
  const other = await it.add('safe', { kind: 'http', url: 'https://vendor.test/mcp', secretHeaders: [] });
  const kept = await it.connect({
    ...connecting,
    upstreamId: other,
    grant: { ...vendor.grant(), usedAt: 'https://vendor.test' },
  });
  const transport = { kind: 'http', url: 'http://vendor.test/mcp', secretHeaders: [] } as const;
  expect((await it.rig.upstreams.change(other, { transport })).kind).toBe('done');
  expect(await it.connections.credentialsFor(other, kept.id).present()).toMatchObject({ errorClass: 'auth_required' });
});
