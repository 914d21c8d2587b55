import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { API } from '../../shared/api.ts';
import type { ApprovalView, AuditEntryView } from '../../shared/model.ts';
import { openDashboard, type Tab, type TestDashboard } from '../support/dashboard.ts';
import { fakeClock } from '../support/fake-clock.ts';
import type { Answer, Recorder, TestKey } from '../support/gatehouse.ts';
import { MODERN_META, openTarget, type Target } from '../support/target.ts';

const NAMES = Object.keys(API);
const JSON_TYPE = { 'content-type': 'application/json' };

/** More refusals a minute than this are counted, not written one by one. */
const AT_ONCE = 100;

describe('E9 a client key at the doors of the person', () => {
  const clock = fakeClock();
  let target: Target;
  let dashboard: TestDashboard;
  let tab: Tab;
  let gated: Recorder;
  let admin: TestKey;
  let card: ApprovalView;
  let answering: Promise<Answer>;
  beforeAll(async () => {
    target = await openTarget({ clock });
    const { gatehouse, k1 } = target;
    gated = target.watch(await gatehouse.recorder('gated'));
    admin = await gatehouse.key({ name: 'health', role: 'admin' });
    await gatehouse.ask('clientSet', { client: k1.clientId, scopeTags: ['*'], holdMs: 600_000 });
    dashboard = await openDashboard(gatehouse, clock);
    tab = await dashboard.signIn();
    await target.stillServes();
  });
  afterAll(async () => {
    await dashboard.close();
    await target[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    answering = target.gatehouse.call(target.k1.secret, 'gated__echo', '{"text":"mine"}');
    card = await target.gatehouse.card();
  });
  afterEach(async () => {
    // Through all of it the card has waited, and the person is the one to answer it.
    const ran = gated.calls().length;
    const { id, argumentsSha256 } = card;
    expect(await target.gatehouse.card()).toMatchObject({ id, state: 'waiting' });
    expect((await tab.post('approvalApprove', { approval: id, argumentsSha256 })).result).toEqual({ kind: 'done' });
    expect((await answering).message?.result).toMatchObject({ content: [{ text: '{"text":"mine"}' }] });
    expect(gated.calls()).toHaveLength(ran + 1);
  });

  /** Arguments that each request would be answered with, had it come from a person. */
  const inputOf = (name: string): unknown =>
    ({
      approvalApprove: { approval: card.id, argumentsSha256: card.argumentsSha256 },
      approvalDeny: { approval: card.id },
      approvalsApproveMany: { calls: [{ approval: card.id, argumentsSha256: card.argumentsSha256 }] },
      approvalsDenyMany: { approvals: [card.id] },
      resultRelease: { approval: card.id, resultSha256: card.argumentsSha256 },
      resultWithhold: { approval: card.id },
      standingRevokeAll: { client: target.k2.clientId },
      policyImport: { yaml: 'default: allow\nrules: []\n' },
      keyCreate: { role: 'executor', name: 'second' },
      keyRevoke: { key: target.k2.prefix },
      keyRotate: { key: target.k2.prefix },
      upstreamAdd: { name: 'evil', transport: { kind: 'stdio', command: '/bin/sh', args: [] } },
      upstreamChange: { upstream: 'gated', tags: ['trusted'] },
      upstreamRemove: { upstream: 'rec' },
      upstreamDisable: { upstream: 'rec' },
      clientSet: { client: target.k1.clientId, name: 'trusted' },
      workspaceCreate: { name: 'mine' },
      toolsReview: { upstream: 'gated', accept: [{ name: 'echo', fingerprint: card.fingerprint, risk: 'read' }] },
    })[name] ?? {};

  /** Everything that an agent must not be able to change. */
  async function state() {
    const { gatehouse } = target;
    const [clients, upstreams, tools, policy, waiting, standing, workspaces, confirmations] = await Promise.all([
      gatehouse.ask('clientsList'),
      gatehouse.ask('upstreamsList'),
      gatehouse.ask('toolsList'),
      gatehouse.ask('policyExport'),
      gatehouse.ask('approvalsList', { state: 'waiting' }),
      gatehouse.ask('standingList'),
      gatehouse.ask('workspacesList'),
      gatehouse.ask('confirmationsList'),
    ]);
    const settled = clients.map(({ keys, ...client }) => ({
      ...client,
      keys: keys.map(({ lastUsedAt, ...key }) => key),
    }));
    return { clients: settled, upstreams, tools, policy, waiting, standing, workspaces, confirmations };
  }

  /** Nothing changed, one refusal of the right kind per request, the other client is served. */
  async function nothingOpens(
    kind: string,
    requests: readonly (() => Promise<{ readonly status: number }>)[],
    statuses: readonly number[],
  ): Promise<readonly AuditEntryView[]> {
    const before = await state();
    const all: AuditEntryView[] = [];
    for (let at = 0; at < requests.length; at += AT_ONCE) {
      await clock.advance(61_000);
      const part = requests.slice(at, at + AT_ONCE);
      const { result, rows } = await target.refusals(async () => {
        const answers = [];
        for (const send of part) answers.push((await send()).status);
        return answers;
      });
      for (const [index, status] of result.entries()) expect(statuses, `request ${at + index}`).toContain(status);
      expect(rows.map((row) => row.kind)).toEqual(part.map(() => kind));
      all.push(...rows);
    }
    expect(await state()).toEqual(before);
    expect(JSON.stringify(all)).not.toContain(target.k1.secret);
    return all;
  }

  test('E9 the very requests below are answered to a signed-in tab, so that it is the key that is refused', async () => {
    expect(await tab.post('approvalsList')).toMatchObject({ status: 200, result: [{ id: card.id }] });
  });

  test.each([
    ['alone', (key: string) => ({ authorization: `Bearer ${key}` })],
    ['in another spelling', (key: string) => ({ authorization: `bearer   ${key}` })],
    ["with a signed-in tab's cookie", (key: string) => ({ authorization: `Bearer ${key}`, cookie: tab.cookie })],
  ])('E9 every request name on the port of the dashboard, the key %s: 403', async (_how, headers) => {
    const rows = await nothingOpens(
      'key_on_dashboard',
      NAMES.map(
        (name) => () =>
          dashboard.send(
            'POST',
            `/api/${name}`,
            { ...JSON_TYPE, ...headers(target.k1.secret) },
            JSON.stringify(inputOf(name)),
          ),
      ),
      [403],
    );
    expect(rows.map((row) => row.detail.path)).toEqual(NAMES.map((name) => `/api/${name}`));
  });

  test('E9 every route and method of the dashboard, also with the key of an admin: 403', async () => {
    const routes = ['/', '/approvals', '/policy', '/assets/main.js', '/sign-in', '/sign-out', '/api/stream', '/api/x'];
    await nothingOpens(
      'key_on_dashboard',
      [target.k1, admin].flatMap(({ secret }) =>
        routes.flatMap((path) =>
          ['GET', 'POST', 'PUT', 'DELETE'].map(
            (method) => () => dashboard.send(method, path, { ...JSON_TYPE, authorization: `Bearer ${secret}` }, '{}'),
          ),
        ),
      ),
      [403],
    );
  });

  test('E9 the key where a sign-in belongs is no sign-in: 401', async () => {
    const { secret } = target.k1;
    const approve = JSON.stringify(inputOf('approvalApprove'));
    const cookieName = tab.cookie.split('=', 1)[0];
    const send = (headers: Record<string, string>, path = '/api/approvalApprove') =>
      dashboard.send('POST', path, { ...JSON_TYPE, ...headers }, approve);
    await nothingOpens(
      'unauthorized',
      [
        () => send({}),
        () => send({ cookie: `${cookieName}=${secret}` }),
        () => send({ 'x-api-key': secret, cookie: tab.cookie }),
        () => send({ authorization: `Basic ${Buffer.from(`x:${secret}`).toString('base64')}`, cookie: tab.cookie }),
        () => send({ cookie: tab.cookie }, `/api/approvalApprove?token=${secret}`),
        () => send({ authorization: tab.authorization }),
      ],
      [401],
    );
    await nothingOpens(
      'dashboard_link_refused',
      [() => dashboard.send('POST', '/sign-in', JSON_TYPE, JSON.stringify({ token: secret }))],
      [401],
    );
  });

  test("E9 on the agents' port none of these routes exists, with a key of any role", async () => {
    const { gatehouse, k1 } = target;
    const paths = [...NAMES.map((name) => `/api/${name}`), '/approvals', '/policy', '/sign-in', '/api/stream'];
    for (const { secret } of [k1, admin]) {
      await nothingOpens(
        'route_absent',
        paths.map((path) => () => gatehouse.post(secret, inputOf(path.slice('/api/'.length)), { path })),
        [404],
      );
    }
  });

  test('E9 no request name is a method or a tool of MCP', async () => {
    const { gatehouse, k1 } = target;
    const headers = { 'mcp-protocol-version': '2026-07-28' };
    await nothingOpens(
      'message_rejected',
      NAMES.map(
        (method) => () =>
          gatehouse.post(
            k1.secret,
            { jsonrpc: '2.0', id: 1, method, params: { ...(inputOf(method) as object), _meta: MODERN_META } },
            { headers: { ...headers, 'mcp-method': method } },
          ),
      ),
      [404],
    );
    const rows = await nothingOpens(
      'tool_call',
      NAMES.map((name) => () => gatehouse.call(k1.secret, name, JSON.stringify(inputOf(name)))),
      [200],
    );
    expect(new Set(rows.map((row) => row.errorClass))).toEqual(new Set(['unknown_tool']));
    const listed = await gatehouse.post(
      k1.secret,
      { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: MODERN_META } },
      { headers: { ...headers, 'mcp-method': 'tools/list' } },
    );
    const tools = ((listed.message?.result?.tools ?? []) as readonly { name: string }[]).map(({ name }) => name);
    expect(tools).toContain('gated__echo');
    expect(tools.filter((name) => !name.includes('__')).sort()).toEqual([
      'call_external_tool',
      'find_tools',
      'list_pinned_tools',
      'pin_tool',
      'unpin_tool',
    ]);
  });
});
