import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Found } from '../../electron/core/call/aim.ts';
import { type CallToolParts, callTool, type ToolCall } from '../../electron/core/call-tool.ts';
import { createArgumentCheck } from '../../electron/core/catalog/validate-arguments.ts';
import { silentLog } from '../../electron/core/diagnosis/log.ts';
import { decide } from '../../electron/core/policy/decide.ts';
import type { CallFacts } from '../../electron/core/policy/facts.ts';
import { createRateLimits } from '../../electron/core/policy/rate-limits.ts';
import { createAbsentKeychain } from '../../electron/core/secrets/keychain.ts';
import type { Policy, Rule } from '../../shared/model.ts';
import { noConnections } from '../support/connections.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { type Answer, eventually, type Recorder, startGatehouse } from '../support/gatehouse.ts';
import { openLegacySession } from '../support/legacy-session.ts';
import { MODERN_META, openTarget, type Target, targetOf } from '../support/target.ts';

const metaOf = (answer: Answer) => (answer.message?.result?._meta ?? {}) as Readonly<Record<string, unknown>>;

describe('H1 no rules', () => {
  const EMPTY = 'defaultEffect: deny\nrules: []\n';
  const PERSONAL = "WHERE workspace_id = (SELECT id FROM workspaces WHERE slug = 'personal')";
  /** Done to the file while nothing runs. */
  const BROKEN = [
    ['no policy at all', `DELETE FROM policies ${PERSONAL}`, 'This workspace has no policy, so every call is denied.'],
    [
      'a policy that is not JSON',
      `UPDATE policies SET policy = '{"rules":' ${PERSONAL}`,
      'The stored policy cannot be read, so every call is denied.',
    ],
    [
      'a policy with an effect that nobody knows',
      `UPDATE policies SET policy = '{"defaultEffect":"permit","rules":[]}' ${PERSONAL}`,
      'The stored policy cannot be read, so every call is denied.',
    ],
  ] as const;
  /** With a keychain, what is done to the file is taken back (m-config.test.ts). */
  const UNSEALED = createAbsentKeychain();
  const doTo = (folder: string, sql: string) => {
    const db = new Database(join(folder, 'state.db'));
    db.exec(sql);
    db.close();
  };

  test.each([
    ['an empty list of rules', null, 'No rule matches this call, and the policy denies what no rule matches.'],
    ...BROKEN,
  ] as const)('H1 %s: every call is 41010, and the reason is told', async (_what, sql, reason) => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-h1-'));
    const platform = { keychain: UNSEALED };
    const first = await startGatehouse({ folder, platform });
    // The other client lives in a workspace of its own, with a policy of its own.
    await first.ask('workspaceCreate', { name: 'Apart' });
    const k1 = await first.key({ name: 'attacker' });
    const k2 = await first.key({ name: 'bystander', workspace: 'apart' });
    const recorder = await first.recorder('rec', { risk: 'read' });
    await first.recorder('rec', { risk: 'read', workspace: 'apart' });
    await first.close();
    if (sql !== null) doTo(folder, sql);
    const gatehouse = await startGatehouse({ folder, platform });
    if (sql === null) await gatehouse.ask('policyImport', { yaml: EMPTY });
    await eventually(async () => {
      const upstreams = await gatehouse.ask('upstreamsList');
      return upstreams.every(({ status }) => status === 'ready') ? true : null;
    }, 'the upstreams to be ready');
    {
      await using target = targetOf(gatehouse, recorder, k1, k2);
      const calls = [
        ['a tool that reads', () => gatehouse.call(k1.secret, 'rec__echo', '{"text":"x"}')],
        ['a tool that deletes', () => gatehouse.call(k1.secret, 'rec__delete_all')],
        [
          'call_external_tool',
          () => gatehouse.call(k1.secret, 'call_external_tool', '{"upstream":"rec","tool":"echo","arguments":{}}'),
        ],
        ['its own endpoint', () => gatehouse.call(k1.secret, 'echo', '{}', { path: '/u/rec/mcp' })],
        [
          'a session of 2025-11-25',
          async () => (await openLegacySession(gatehouse, k1.secret)).call('rec__echo', '{"text":"x"}'),
        ],
      ] as const;
      for (const [way, call] of calls) {
        const answer = await target.refuses({ kind: 'tool_call', errorClass: 'policy_denied', effect: 'deny' }, call);
        expect(metaOf(answer), way).toMatchObject({ 'gatehouse/code': 41010, 'gatehouse/class': 'policy_denied' });
        expect(answer.text, way).toContain(reason);
      }
      const decided = await gatehouse.ask('policyDecide', { client: k1.clientId, upstream: recorder.id, tool: 'echo' });
      expect(decided).toMatchObject({ kind: 'done', decision: { effect: 'deny', rule: null } });
      expect(await gatehouse.ask('approvalsList', { state: 'all' })).toEqual([]);
    }
    rmSync(folder, { recursive: true, force: true });
  });

  test('H1 the Policy page says which of these it is', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-h1-'));
    const platform = { keychain: UNSEALED };
    await (await startGatehouse({ folder, platform })).close();
    for (const [, sql, reason] of BROKEN) {
      doTo(folder, sql);
      const gatehouse = await startGatehouse({ folder, platform });
      const { policy, problem } = await gatehouse.ask('policyGet');
      const { yaml } = await gatehouse.ask('policyExport');
      expect(policy).toBeNull();
      expect(yaml).toMatch(/^# /);
      expect(`${problem} ${yaml}`).toContain(reason.includes('no policy') ? 'no policy' : reason);
      // Whole again for the next one: nothing but a person's import ends it.
      expect(await gatehouse.ask('policyImport', { yaml: EMPTY })).toMatchObject({ kind: 'done' });
      await gatehouse.close();
    }
    rmSync(folder, { recursive: true, force: true });
  });

  test('H1 an empty file is no policy that could be saved by mistake', async () => {
    await using gatehouse = await startGatehouse();
    const before = await gatehouse.ask('policyExport');
    for (const yaml of ['', '# nothing\n', 'rules: []\n', '{}']) {
      expect(await gatehouse.ask('policyImport', { yaml })).toMatchObject({ kind: 'refused' });
    }
    expect(await gatehouse.ask('policyExport')).toEqual(before);
  });
});

describe('H3 overlapping rules', () => {
  const rule = (name: string, effect: Rule['effect'], match: Rule['match'] = {}): Rule => ({ name, effect, match });
  const allow = rule('allow-all', 'allow');
  const deny = rule('deny-echo', 'deny', { upstream: ['rec'], tool: ['ech*'] });
  const denyText = rule('deny-this-text', 'deny', {
    arguments: { field: '/text', op: 'contains', value: 'attack' },
  });
  const ask = rule('ask-writes', 'require_approval', { risk: ['read', 'write'] });

  describe('over HTTP', () => {
    let target: Target;
    beforeAll(async () => {
      target = await openTarget();
    });
    afterAll(() => target[Symbol.asyncDispose]());
    /** The other client is under the rules too, but for those that name a client. */
    const forAttacker = (one: Rule): Rule => ({ ...one, match: { ...one.match, client: ['attacker'] } });
    const save = async (rules: readonly Rule[]) => {
      const policy: Policy = { defaultEffect: 'allow', rules };
      expect(await target.gatehouse.ask('policyImport', { yaml: JSON.stringify(policy) })).toMatchObject({
        kind: 'done',
      });
    };

    test.each([
      ['allow, deny', [allow, deny]],
      ['deny, allow', [deny, allow]],
      ['allow, ask, deny', [allow, ask, deny]],
      ['deny, ask, allow', [deny, ask, allow]],
      ['ask, deny, allow', [ask, deny, allow]],
      ['allow, a deny by argument', [allow, denyText]],
      ['a deny by argument, allow', [denyText, allow]],
    ])('H3 %s: deny wins, by its name', async (_order, rules) => {
      await save(rules.map(forAttacker));
      const denying = rules.find((one) => one.effect === 'deny')?.name ?? '';
      const refused = { kind: 'tool_call', errorClass: 'policy_denied', effect: 'deny', rule: denying } as const;
      const answer = await target.refuses(refused, () =>
        target.gatehouse.call(target.k1.secret, 'rec__echo', '{"text":"attack"}'),
      );
      expect(metaOf(answer)).toMatchObject({ 'gatehouse/code': 41010, 'gatehouse/rule': denying });
    });

    test.each([
      ['allow, ask', [allow, ask]],
      ['ask, allow', [ask, allow]],
    ])('H3 %s: it is asked', async (_order, rules) => {
      await save(rules.map(forAttacker));
      const answering = target.gatehouse.call(target.k1.secret, 'rec__echo', '{"text":"x"}');
      const card = await target.gatehouse.card();
      expect(card.rule).toBe('ask-writes');
      await target.gatehouse.approve(card);
      expect((await answering).message?.result?.isError).toBeUndefined();
    });

    test('H3 a standing yes does not outweigh a deny that comes later', async () => {
      await save([allow, ask].map(forAttacker));
      const answering = target.gatehouse.call(target.k1.secret, 'rec__fail', '{"text":"first"}');
      const { id, argumentsSha256 } = await target.gatehouse.card();
      await target.gatehouse.ask('approvalApprove', { approval: id, argumentsSha256, scope: 'tool' });
      await answering;
      await save([ask, rule('deny-fail', 'deny', { tool: ['fail'] })].map(forAttacker));
      await target.refuses({ kind: 'tool_call', errorClass: 'policy_denied', rule: 'deny-fail' }, () =>
        target.gatehouse.call(target.k1.secret, 'rec__fail', '{"text":"second"}'),
      );
    });
  });

  /** One call through `callTool` itself, with every question to the policy counted. */
  async function counted(rules: readonly Rule[], argumentsText: string) {
    const policy: Policy = { defaultEffect: 'deny', rules };
    const asked: CallFacts[] = [];
    const forwarded: string[] = [];
    const found = {
      tool: {
        upstreamId: 'u',
        name: 'echo',
        exposedName: 'rec__echo',
        state: 'reviewed',
        risk: 'write',
        fingerprint: 'f',
        reviewed: { name: 'echo', inputSchema: { type: 'object' } },
        offered: null,
      },
      upstream: { id: 'u', name: 'rec', tags: [] },
    } as unknown as Found;
    const { signal } = new AbortController();
    const parts: CallToolParts = {
      catalog: {
        find: () => found,
        findDirect: () => found,
        findPrompt: () => null,
        findPromptDirect: () => null,
        upstream: () => null,
      },
      inventory: { find: () => found.tool } as unknown as CallToolParts['inventory'],
      checkArguments: createArgumentCheck(),
      checkOutput: createArgumentCheck(({ outputSchema }) => outputSchema),
      policies: { get: () => ({ policy, problem: null, version: '1' }) },
      decide(given, facts) {
        asked.push(facts);
        return decide(given, facts);
      },
      approvals: {
        standingFor: () => null,
        yesWaits: () => false,
        request: async (request) => ({
          kind: 'approved',
          approval: { id: 'a' } as never,
          argumentsText: request.argumentsText,
          edited: false,
          by: 'dashboard',
          waitedMs: 0,
        }),
      },
      clients: { keyIsLive: () => true },
      pauses: { pausedFor: () => null },
      shadows: { judge: () => null },
      trusts: { use: () => null },
      audit: {
        write: async () => ({ kind: 'written', seq: 1 }),
        writeSoon() {},
        available: () => ({ ok: true }),
      } as unknown as CallToolParts['audit'],
      resources: { find: () => null, learn() {} },
      connections: noConnections,
      signIns: { list: () => [] },
      rateLimits: createRateLimits({ clock: fakeClock() }),
      results: null,
      rounds: {
        resume: () => null,
        async start(_call, _aim, _record, request) {
          forwarded.push(request.argumentsText ?? '');
          return { kind: 'answered', result: {}, resultText: '{}', bytes: 2 };
        },
      },
      upstreams: { unavailable: () => null },
      clock: fakeClock(),
      log: silentLog,
    };
    const ending = await callTool(parts, {
      requestId: 'r',
      workspace: { id: 'w', name: 'Personal' },
      client: { id: 'c', name: 'attacker', tags: [], holdMs: 0 },
      key: { id: 'k', role: 'executor', prefix: 'gh_' },
      sessionId: null,
      era: 'modern',
      target: { kind: 'exposed', name: 'rec__echo' },
      argumentsText,
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
    } as unknown as ToolCall);
    return { ending, asked, forwarded };
  }

  const TEXT = '{ "text":"x", "__proto__":{"text":"attack"}, "n":1.0, "deep":{"b":[1,{"a":null}]} }';

  test('H3 a call that is allowed is decided once, on the object whose text is forwarded', async () => {
    const { ending, asked, forwarded } = await counted([allow, denyText], TEXT);
    expect(ending.kind).toBe('answered');
    expect(asked).toHaveLength(1);
    expect(forwarded).toEqual([TEXT]);
    expect(JSON.stringify(asked[0]?.arguments)).toBe(JSON.stringify(JSON.parse(TEXT)));
  });

  test('H3 a call that is denied is decided once and forwarded never', async () => {
    const { ending, asked, forwarded } = await counted([allow, denyText], '{"text":"an attack"}');
    expect(ending).toMatchObject({ kind: 'refused', errorClass: 'policy_denied', rule: 'deny-this-text' });
    expect([asked.length, forwarded.length]).toEqual([1, 0]);
  });

  test('H3 a call that was asked for is decided once more after the yes, and on the same object', async () => {
    const { ending, asked, forwarded } = await counted([allow, ask], TEXT);
    expect(ending.kind).toBe('answered');
    expect(asked).toHaveLength(2);
    expect(asked[1]?.arguments).toBe(asked[0]?.arguments);
    expect(forwarded).toEqual([TEXT]);
  });
});

describe('H5 names that look like a denied one', () => {
  let target: Target;
  let sh: Recorder;
  beforeAll(async () => {
    target = await openTarget();
    sh = target.watch(await target.gatehouse.recorder('sh', { risk: 'read', args: ['--tools=exec,list'] }));
    const policy: Policy = {
      defaultEffect: 'allow',
      rules: [{ name: 'no-shell', effect: 'deny', match: { upstream: ['sh'], tool: ['exec'] } }],
    };
    const saved = await target.gatehouse.ask('policyImport', { yaml: JSON.stringify(policy) });
    expect(saved.kind).toBe('done');
  });
  afterAll(() => target[Symbol.asyncDispose]());

  /** What stands for a name in a header that may only have ASCII (MCP 2026-07-28, Streamable HTTP). */
  const inHeader = (name: string) => `=?base64?${Buffer.from(name, 'utf8').toString('base64')}?=`;
  const message = (name: string, argumentsText = '{}') =>
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":${JSON.stringify(name)},"arguments":${argumentsText},"_meta":${JSON.stringify(MODERN_META)}}}`;

  test('H5 the denied name itself is 41010, and its neighbour runs: only the name is in question below', async () => {
    const answer = await target.refuses({ kind: 'tool_call', errorClass: 'policy_denied', rule: 'no-shell' }, () =>
      target.gatehouse.call(target.k1.secret, 'sh__exec', '{}', { headers: { 'mcp-name': inHeader('sh__exec') } }),
    );
    expect(metaOf(answer)).toMatchObject({ 'gatehouse/code': 41010 });
    expect((await target.gatehouse.call(target.k1.secret, 'sh__list')).message?.result?.isError).toBeUndefined();
    expect(sh.calls()).toHaveLength(1);
  });

  const TRICKS = [
    ['another case', 'Sh__Exec'],
    ['a space behind it', 'sh__exec '],
    ['a NUL behind it', 'sh__exec\u0000'],
    ['one dot leader', 'sh\u2024exec'],
    ['a full-width letter', '\uff53h__exec'],
    ['a zero-width space', 'sh__\u200bexec'],
    ['a soft hyphen', 'sh__ex\u00adec'],
    ['a slash', 'sh/exec'],
    ['a line break', 'sh__exec\r\n'],
  ] as const;

  test.each(TRICKS)('H5 %s: -32602 unknown tool, NOREACH, in both eras', async (_trick, name) => {
    const unknown = { kind: 'tool_call', errorClass: 'unknown_tool', upstream: null } as const;
    const modern = await target.refuses(unknown, () =>
      target.gatehouse.post(target.k1.secret, message(name), {
        headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': inHeader(name) },
      }),
    );
    expect(modern.message?.error).toMatchObject({ code: -32602, message: expect.stringContaining('Unknown tool') });
    const session = await openLegacySession(target.gatehouse, target.k1.secret);
    const legacy = await target.refuses(unknown, () => session.call(name));
    expect(legacy.message?.error?.code).toBe(-32602);
  });

  test.each(TRICKS)('H5 %s in call_external_tool is as unknown', async (_trick, name) => {
    const unknown = { kind: 'tool_call', errorClass: 'unknown_tool' } as const;
    const own = name.replace(/^.h(?:__|\u2024|\/)/u, '');
    const tool = own === 'exec' ? 'e\uff58ec' : own;
    const named = await target.refuses(unknown, () =>
      target.gatehouse.call(
        target.k1.secret,
        'call_external_tool',
        JSON.stringify({ upstream: 'sh', tool, arguments: {} }),
      ),
    );
    expect(named.message?.error?.code).toBe(-32602);
  });

  test('H5 an upstream whose name only looks right is as unknown', async () => {
    const session = await openLegacySession(target.gatehouse, target.k1.secret);
    for (const upstream of ['Sh', 'sh ', '\uff53h', 'sh\u0000']) {
      const answer = await target.refuses({ kind: 'tool_call', errorClass: 'unknown_tool' }, () =>
        session.call('call_external_tool', JSON.stringify({ upstream, tool: 'exec', arguments: {} })),
      );
      expect(answer.message?.error?.code, upstream).toBe(-32602);
    }
  });
});
