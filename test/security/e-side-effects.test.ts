import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createApprovals } from '../../electron/core/approvals/approvals.ts';
import { createApprovers } from '../../electron/core/approvals/approvers.ts';
import { createTrusts } from '../../electron/core/approvals/trusts.ts';
import { createAskClient } from '../../electron/core/call/ask-client.ts';
import { createRounds } from '../../electron/core/call/rounds.ts';
import { type CallToolParts, callTool } from '../../electron/core/call-tool.ts';
import { createCatalog } from '../../electron/core/catalog/catalog.ts';
import { createInventory } from '../../electron/core/catalog/inventory.ts';
import { createArgumentCheck } from '../../electron/core/catalog/validate-arguments.ts';
import { createClients } from '../../electron/core/clients/clients.ts';
import { createPauses } from '../../electron/core/clients/pauses.ts';
import { silentLog } from '../../electron/core/diagnosis/log.ts';
import { systemClock } from '../../electron/core/platform.ts';
import { decide } from '../../electron/core/policy/decide.ts';
import { createPolicies } from '../../electron/core/policy/policy.ts';
import { createRateLimits } from '../../electron/core/policy/rate-limits.ts';
import { MIGRATIONS } from '../../electron/core/schema.ts';
import { createVault } from '../../electron/core/secrets/vault.ts';
import { openStore } from '../../electron/core/store/store.ts';
import { createUpstreams } from '../../electron/core/upstreams/upstreams.ts';
import { httpRecorder, recorded } from '../core/upstreams/rig.ts';
import { noConnections } from '../support/connections.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { type Answer, eventually, type TestGatehouse } from '../support/gatehouse.ts';
import { createMemoryKeychain } from '../support/memory-keychain.ts';
import { openTarget } from '../support/target.ts';

const metaOf = (answer: Answer) => (answer.message?.result?._meta ?? {}) as Readonly<Record<string, unknown>>;
/** Long enough for a process to start, a connection to open or a request to arrive, had one been on its way. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 300));
const becomes = (gatehouse: TestGatehouse, upstream: string, status: string) =>
  eventually(
    async () =>
      (await gatehouse.ask('upstreamsList')).find((one) => one.name === upstream && one.status === status) ?? null,
    `${upstream} to be ${status}`,
  );

test('E21 a server that is disabled: nobody is asked and nothing is started; enabled, it is called only after the yes', async () => {
  await using target = await openTarget();
  const { gatehouse, k1 } = target;
  const gated = target.watch(await gatehouse.recorder('gated', { args: ['--start-delay=400'] }));
  await gatehouse.ask('upstreamDisable', { upstream: 'gated' });
  const before = gated.events().length;

  const answer = await gatehouse.call(k1.secret, 'gated__echo', '{"text":"asleep"}');
  expect(metaOf(answer)).toMatchObject({ 'gatehouse/code': 41015, 'gatehouse/class': 'upstream_unreachable' });
  expect(answer.text).toContain('upstream_unreachable: gated is disabled.');
  expect(await gatehouse.ask('approvalsList', {})).toEqual([]);
  const own = (await gatehouse.audit()).filter(({ upstream, kind }) => upstream === 'gated' && kind === 'tool_call');
  expect(own).toMatchObject([{ phase: 'ended', outcome: 'failed', errorClass: 'upstream_unreachable' }]);
  await aWhile();
  expect(gated.events()).toHaveLength(before);

  const started = gatehouse.ask('upstreamEnable', { upstream: 'gated' });
  const starting = gatehouse.call(k1.secret, 'gated__echo', '{"text":"waking"}');
  const second = await gatehouse.card();
  await started;
  await becomes(gatehouse, 'gated', 'ready');
  expect(gated.calls()).toEqual([]);
  await gatehouse.approve(second);
  expect((await starting).message?.result).toMatchObject({ content: [{ text: '{"text":"waking"}' }] });
  expect(gated.calls()).toHaveLength(1);
  await target.stillServes();
});

test('E21 a server that ended: the gated call starts nothing while the card waits', async () => {
  const clock = fakeClock();
  await using target = await openTarget({ clock });
  const { gatehouse, k1 } = target;
  const gated = target.watch(await gatehouse.recorder('gated'));
  process.kill(gated.events()[0]?.pid ?? 0, 'SIGKILL');
  await becomes(gatehouse, 'gated', 'failed');
  const before = gated.events().length;
  const answering = gatehouse.call(k1.secret, 'gated__echo', '{"text":"gone"}');
  const card = await gatehouse.card();
  await aWhile();
  expect(gated.events()).toHaveLength(before);
  expect(await becomes(gatehouse, 'gated', 'failed')).toMatchObject({ pid: null });
  const refused = { kind: 'tool_call', requestId: card.requestId, errorClass: 'approval_denied' };
  await target.refuses(refused, async () => {
    await gatehouse.ask('approvalDeny', { approval: card.id });
    await answering;
  });
});

test('E21 a server that was never started: the yes starts it, and nothing before', async () => {
  const target = await openTarget();
  const { gatehouse, k1 } = target;
  const { folder } = gatehouse;
  const gated = await gatehouse.recorder('gated');
  await gatehouse.core.close();
  const before = gated.events().length;

  // The parts of the core over the same database, put together as in core.ts but for starting the upstreams.
  const clock = systemClock;
  const opened = openStore({ path: join(folder, 'state.db'), migrations: MIGRATIONS, clock });
  if (opened.kind !== 'opened') throw new Error(opened.message);
  const { db } = opened.store;
  const approvers = createApprovers();
  approvers.arrive('dashboard');
  const approvals = createApprovals({ db, clock, approvers });
  const clients = createClients({ db, clock });
  const vault = createVault({ db, clock, keychain: createMemoryKeychain(), masterKeyFile: null });
  const audit = {
    write: async () => ({ kind: 'written', seq: 1 }) as const,
    writeSoon() {},
    available: () => ({ ok: true }) as const,
  } as unknown as CallToolParts['audit'];
  const inventory = createInventory({ db, clock, upstreamName: (id) => upstreams.get(id) });
  const upstreams = createUpstreams({ db, clock, vault, inventory, log: silentLog, audit });
  const client = clients.get(k1.clientId);
  const workspace = clients.defaultWorkspace();
  const key = clients.list().flatMap(({ keys }) => keys.filter(({ id }) => id === k1.keyId))[0];
  if (client === null || key === undefined) throw new Error('the client is gone');

  expect(upstreams.get(gated.id)?.status).toBe('stopped');
  const { signal } = new AbortController();
  const policies = createPolicies({ db, clock });
  const pauses = createPauses({ db, clock });
  const ending = callTool(
    {
      catalog: createCatalog({ inventory, upstreams }),
      inventory,
      checkArguments: createArgumentCheck(),
      checkOutput: createArgumentCheck(({ outputSchema }) => outputSchema),
      policies,
      decide,
      shadows: { judge: () => null },
      approvals,
      trusts: createTrusts({ clock, approvers: createApprovers() }),
      clients,
      pauses,
      audit,
      resources: { find: () => null, learn() {} },
      connections: noConnections,
      signIns: { list: () => [] },
      rateLimits: createRateLimits({ clock }),
      results: null,
      rounds: createRounds({
        upstreams,
        clock,
        askClient: createAskClient({
          policies,
          decide,
          approvals,
          pauses,
          audit,
          rateLimits: createRateLimits({ clock }),
          clock,
        }),
      }),
      upstreams,
      clock,
      log: silentLog,
    },
    {
      requestId: 'r',
      workspace,
      client,
      key,
      sessionId: null,
      era: 'modern',
      target: { kind: 'exposed', name: 'gated__echo' },
      argumentsText: '{"text":"first"}',
      metaText: '{}',
      moreText: '{}',
      capabilities: {},
      logLevel: null,
      inputResponses: null,
      requestState: null,
      onNotification() {},
      ask: async () => ({ kind: 'error', code: -32601, message: 'Method not found' }),
      cancelled: signal,
      left: () => signal,
      onProgress() {},
      onWaiting() {},
    },
  );
  const card = await eventually(() => approvals.list('waiting')[0] ?? null, 'a card');
  await aWhile();
  expect(gated.events()).toHaveLength(before);
  expect(upstreams.get(gated.id)).toMatchObject({ status: 'stopped', pid: null });

  approvals.approve(card.id, { argumentsSha256: card.argumentsSha256, scope: 'once' }, 'dashboard');
  expect(await ending).toMatchObject({ kind: 'answered', result: { content: [{ text: '{"text":"first"}' }] } });
  expect(gated.events()[before]).toMatchObject({ kind: 'started' });
  expect(gated.calls()).toHaveLength(1);
  await upstreams.stopAll();
  opened.store.close();
  rmSync(folder, { recursive: true, force: true });
});

test('E21 a remote server that asks for a sign-in: no request of any kind, and nobody is asked before it can run', async () => {
  const clock = fakeClock();
  await using target = await openTarget({ clock });
  const { gatehouse, k1 } = target;
  const file = join(gatehouse.folder, 'remote.jsonl');
  const open = await httpRecorder(file);
  await gatehouse.ask('upstreamAdd', { name: 'remote', transport: { kind: 'http', url: open.url } });
  await becomes(gatehouse, 'remote', 'ready');
  const tools = await gatehouse.ask('toolsList', { upstream: 'remote' });
  const accept = tools.map(({ name, fingerprint }) => ({ name, fingerprint, risk: 'write' as const }));
  await gatehouse.ask('toolsReview', { upstream: 'remote', accept });

  // The same address, but now it wants a token that nobody has given us.
  await open.stop();
  const evil = await httpRecorder(join(gatehouse.folder, 'evil.jsonl'));
  const metadata = `${new URL(evil.url).origin}/.well-known/oauth-protected-resource`;
  const challenge = `--challenge=Bearer resource_metadata="${metadata}"`;
  const locked = await httpRecorder(file, `--port=${open.port}`, '--token=secret', challenge);
  await gatehouse.ask('upstreamDisable', { upstream: 'remote' });
  await gatehouse.ask('upstreamEnable', { upstream: 'remote' });
  expect(await becomes(gatehouse, 'remote', 'failed')).toMatchObject({
    reason: 'remote asks for a sign-in.',
  });
  const before = recorded(file).length;

  const answer = await gatehouse.call(k1.secret, 'remote__echo', '{"text":"who goes there"}');
  expect(metaOf(answer)).toMatchObject({ 'gatehouse/code': 41019, 'gatehouse/class': 'auth_required' });
  expect(answer.text).toContain('auth_required: remote not connected. Visit ');
  expect(await gatehouse.ask('approvalsList', {})).toEqual([]);
  await aWhile();
  expect(recorded(file)).toHaveLength(before);
  // The answer has not made us follow the address that the server named.
  expect(recorded(join(gatehouse.folder, 'evil.jsonl')).filter(({ kind }) => kind === 'request')).toEqual([]);
  expect(recorded(file).filter(({ body }) => body?.includes('who goes there'))).toEqual([]);
  await target.stillServes();
  await locked.stop();
});
