import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isAlive, recorded, stdioRecorder, waitFor } from '../upstreams/rig.ts';
import { tokenVendor } from './token-vendor.ts';
import { type World, world } from './world.ts';

const bearerOf = (outcome: unknown) => /access-\d+-canary/.exec(JSON.stringify(outcome))?.[0];

test('each call goes out as the account it is for, and no session at the upstream is shared by two', async () => {
  const it = world();
  const vendor = await tokenVendor();
  vendor.givesSessions = true;
  const { upstreamId, connection: work } = await it.connected(vendor);
  const personal = await it.connect({ upstreamId, label: 'personal', connectionId: null, grant: vendor.grant() });
  const call = async (connectionId: string | null) =>
    bearerOf(await it.rig.call(upstreamId, 'echo', '{}', { connectionId }));
  expect(await call(work.id)).toBe('access-1-canary');
  expect(await call(personal.id)).toBe('access-2-canary');
  expect(await call(null)).toBe('access-1-canary');
  const accounts = new Map<string, Set<string>>();
  for (const { headers } of vendor.seen) {
    const session = headers['mcp-session-id'];
    if (typeof session !== 'string') continue;
    accounts.set(session, (accounts.get(session) ?? new Set()).add(String(headers.authorization)));
  }
  expect(accounts.size).toBeGreaterThan(2);
  expect([...accounts.values()].filter((seen) => seen.size !== 1)).toEqual([]);
});

test("another account's end changes nothing for this one, and nobody is asked about a call that it cannot make", async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId } = await it.connected(vendor);
  const grant = vendor.grant();
  const other = await it.connect({
    upstreamId,
    label: 'other',
    connectionId: null,
    grant: { ...grant, accessToken: 'wrong', refreshToken: 'wrong' },
  });
  expect(await it.rig.call(upstreamId, 'echo', '{}', { connectionId: other.id })).toMatchObject({
    errorClass: 'auth_required',
  });
  expect(it.rig.upstreams.unavailable(upstreamId, other.id)).toMatchObject({ errorClass: 'auth_required' });
  expect(it.rig.upstreams.unavailable(upstreamId)).toBeNull();
  expect(it.rig.upstreams.get(upstreamId)).toMatchObject({ status: 'ready', needsSignIn: false });
  expect(await it.rig.call(upstreamId, 'echo')).toMatchObject({ kind: 'answered' });
  await it.connections.remove(other.id);
  expect(await it.rig.call(upstreamId, 'echo', '{}', { connectionId: other.id })).toMatchObject({
    errorClass: 'auth_required',
  });
});

test('another default account is used by the next call, and a call that is under way is not cut off', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId } = await it.connected(vendor);
  const second = await it.connect({ upstreamId, label: 'second', connectionId: null, grant: vendor.grant() });
  let letGo = () => {};
  const held = new Promise<void>((go) => {
    letGo = go;
  });
  let arrived = () => {};
  const isThere = new Promise<void>((go) => {
    arrived = go;
  });
  vendor.beforeAnswer = async (_bearer, rpc) => {
    if (rpc !== 'tools/call') return;
    arrived();
    await held;
  };
  const first = it.rig.call(upstreamId, 'echo');
  await isThere;
  it.connections.makeDefault(second.id, null);
  await it.rig.until(upstreamId, 'ready');
  const next = it.rig.call(upstreamId, 'echo');
  letGo();
  expect([bearerOf(await first), bearerOf(await next)]).toEqual(['access-1-canary', 'access-2-canary']);
});

test('the first account to be removed leaves the default to the next, and the last one leaves nobody', async () => {
  const it = world();
  const vendor = await tokenVendor();
  const { upstreamId, connection } = await it.connected(vendor);
  const second = await it.connect({ upstreamId, label: 'second', connectionId: null, grant: vendor.grant() });
  await it.connections.remove(connection.id);
  expect(it.connections.get(second.id)?.isDefault).toBe(true);
  expect(bearerOf(await it.rig.call(upstreamId, 'echo'))).toBe('access-2-canary');
  await it.connections.remove(second.id);
  expect(await it.rig.until(upstreamId, 'failed')).toMatchObject({ needsSignIn: true });
  expect(it.connections.list()).toEqual([]);
  expect(it.vault.has(`connection/${second.id}/grant`)).toBe(false);
});

/** A process that takes its key from its environment, with one account `work`. */
async function processWithKeys(it: World) {
  const file = join(it.folder, 'record.jsonl');
  const transport = stdioRecorder(file);
  if (transport.kind !== 'stdio') throw new Error('no process');
  const place = { in: 'environment', name: 'SERVICE_KEY' } as const;
  const upstreamId = await it.add('tool', transport, { kind: 'api_key', place });
  const usedAt = JSON.stringify([transport.command, ...transport.args]);
  const account = (label: string) =>
    it.connect({
      upstreamId,
      label,
      connectionId: null,
      grant: { kind: 'api_key', usedAt, place, key: `canary-${label}` },
    });
  const work = await account('work');
  await it.rig.until(upstreamId, 'ready');
  const started = () => recorded(file).filter(({ kind }) => kind === 'started');
  const keyOf = (pid: number | undefined) => started().find((one) => one.pid === pid)?.env?.SERVICE_KEY;
  const called = () =>
    recorded(file)
      .filter(({ raw }) => raw?.includes('"method":"tools/call"'))
      .map(({ pid }) => keyOf(pid));
  return { upstreamId, work, account, started, called };
}

test('a process runs once for each account, with its own key, and is shared by all calls of that account', async () => {
  const it = world();
  const { upstreamId, work, account, started, called } = await processWithKeys(it);
  const home = await account('home');
  expect(started().map(({ env }) => env?.SERVICE_KEY)).toEqual(['canary-work']);
  const as = (connectionId: string | null, clientId: string) =>
    it.rig.call(upstreamId, 'echo', '{}', { connectionId, clientId });
  await as(home.id, 'a');
  await Promise.all([as(home.id, 'b'), as(work.id, 'a'), as(null, 'b')]);
  expect(started().map(({ env }) => env?.SERVICE_KEY)).toEqual(['canary-work', 'canary-home']);
  expect(called().toSorted()).toEqual(['canary-home', 'canary-home', 'canary-work', 'canary-work']);
});

test("one account's process that crashes comes back by itself, and the other's goes on", async () => {
  const it = world();
  const { upstreamId, account, started } = await processWithKeys(it);
  const home = await account('home');
  const as = (connectionId: string | null, tool: string) => it.rig.call(upstreamId, tool, '{}', { connectionId });
  expect(await as(home.id, 'crash')).toMatchObject({ errorClass: 'upstream_crashed' });
  expect(it.rig.upstreams.get(upstreamId)?.status).toBe('ready');
  expect(await as(null, 'echo')).toMatchObject({ kind: 'answered' });
  await waitFor(() => started().length === 3, 'the process again');
  const again = await waitFor(() => as(home.id, 'echo'), 'its answer');
  await again;
  expect(started().map(({ env }) => env?.SERVICE_KEY)).toEqual(['canary-work', 'canary-home', 'canary-home']);
});

test('signing out ends the process of the account, and every process ends with the upstream', async () => {
  const it = world();
  const { upstreamId, account, started } = await processWithKeys(it);
  const home = await account('home');
  await it.rig.call(upstreamId, 'echo', '{}', { connectionId: home.id });
  const [first, second] = started().map(({ pid }) => pid);
  await it.connections.signOut(home.id);
  await waitFor(() => !isAlive(second ?? 0), 'the end of its process');
  expect(isAlive(first ?? 0)).toBe(true);
  expect(await it.rig.call(upstreamId, 'echo', '{}', { connectionId: home.id })).toMatchObject({
    errorClass: 'auth_required',
  });
  await it.rig.upstreams.setEnabled(upstreamId, false);
  expect(isAlive(first ?? 0)).toBe(false);
  expect(started()).toHaveLength(2);
});
