import { createHash } from 'node:crypto';
import type { ApiAnswer, Caller } from '../../electron/core/api.ts';
import { createApprovers } from '../../electron/core/approvals/approvers.ts';
import { NO_CALLS } from '../../electron/core/audit/figures.ts';
import { exposureSum } from '../../electron/core/catalog/exposure.ts';
import type { Core } from '../../electron/core/core.ts';
import { silentLog } from '../../electron/core/diagnosis/log.ts';
import { changedSettings, usualLimits, usualSettings } from '../../electron/core/upstreams/settings.ts';
import { API, ONLY, type RequestArguments, type RequestName, type RequestResults } from '../../shared/api.ts';
import type { SignIn } from '../../shared/connections.ts';
import type {
  ApprovalView,
  AuditRecordView,
  ClientView,
  ConfirmationView,
  Policy,
  PolicyDifference,
  PolicyFinding,
  PolicySuggestion,
  ReplayReport,
  SinkView,
  StandingApprovalView,
  StatusView,
  ToolDefinition,
  ToolView,
  Topic,
  UpstreamView,
  Workspace,
} from '../../shared/model.ts';
import { type FakeConnectionState, fakeConnections } from './fake-connections.ts';
import { recordView } from './views.ts';

/** One request as it reached the core, after its schema. */
export interface Asked {
  readonly name: RequestName;
  readonly input: unknown;
  readonly caller: Caller;
}

/** What the double knows; tests put things in and call `tell`. */
export interface FakeState extends FakeConnectionState {
  status: StatusView;
  approvals: ApprovalView[];
  standing: StandingApprovalView[];
  confirmations: ConfirmationView[];
  tools: ToolView[];
  upstreams: UpstreamView[];
  workspaces: Workspace[];
  clients: ClientView[];
  records: AuditRecordView[];
  policy: Policy | null;
  findings: readonly PolicyFinding[];
  difference: PolicyDifference;
  replay: ReplayReport;
  suggestions: readonly PolicySuggestion[];
  shadow: RequestResults['policyShadow']['shadow'];
  sinks: SinkView[];
}

export interface FakeCore extends Core {
  readonly state: FakeState;
  readonly asked: readonly Asked[];
  tell(topic: Topic): void;
}

export type Handlers = { [N in RequestName]: (input: RequestArguments<N>) => RequestResults[N] };

/**
 * A core that behaves towards the dashboard as the real one does: the same schemas, the same origins, answers that
 * change its state and tell the topic. It decides nothing and runs nothing.
 */
export function createFakeCore(): FakeCore {
  const state = emptyState();
  const asked: Asked[] = [];
  const listeners = new Set<(topic: Topic) => void>();
  const approvers = createApprovers();
  const tell = (topic: Topic) => {
    for (const listener of listeners) listener(topic);
  };
  const handlers = handlersOf(state, tell);
  return {
    state,
    asked,
    tell,
    mode: 'headless',
    log: silentLog,
    port: 3100,
    endpoint: state.status.endpoint,
    approvers,
    api: {
      async request(name, input, caller): Promise<ApiAnswer> {
        if (!Object.hasOwn(API, name)) return { kind: 'unknown_request', message: `There is no request ${name}.` };
        const known = name as RequestName;
        const only = ONLY[known];
        if (only && !only.includes(caller.origin)) return { kind: 'forbidden', message: 'Not from here.' };
        const parsed = API[known].safeParse(input);
        if (!parsed.success) {
          const issue = parsed.error.issues[0];
          return { kind: 'bad_request', message: `${issue?.path.join('.')}: ${issue?.message}` };
        }
        asked.push({ name: known, input: parsed.data, caller });
        const handle = handlers[known] as (input: unknown) => RequestResults[RequestName];
        return { kind: 'answered', result: handle(parsed.data) };
      },
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onCard: () => () => {},
    setDashboard() {},
    record() {},
    onOpenPage: () => () => {},
    async close() {},
  };
}

function handlersOf(state: FakeState, tell: (topic: Topic) => void): Handlers {
  const done = { kind: 'done' } as const;
  const waiting = () => state.approvals.filter((approval) => approval.state === 'waiting');
  const decide = (id: string, change: Partial<ApprovalView>) => {
    const at = state.approvals.findIndex((approval) => approval.id === id && approval.state === 'waiting');
    const approval = state.approvals[at];
    if (!approval) return { kind: 'refused', message: 'This call was already answered.' } as const;
    state.approvals[at] = { ...approval, ...change, decidedAt: Date.now(), decidedBy: 'dashboard' };
    tell('approvals');
    return done;
  };
  const changeUpstream = (id: string, change: Partial<UpstreamView>) => {
    const at = state.upstreams.findIndex((upstream) => upstream.id === id);
    const upstream = state.upstreams[at];
    if (!upstream) return { kind: 'refused', message: 'There is no such upstream.' } as const;
    state.upstreams[at] = { ...upstream, ...change };
    tell('upstreams');
    return { kind: 'done', upstream: state.upstreams[at] } as const;
  };
  const refused = { kind: 'refused', message: 'The double does not do this.' } as const;

  return {
    status: () => ({ ...state.status, waiting: waiting().length + state.confirmations.length }),
    workspacesList: () => state.workspaces,
    workspaceCreate: () => refused,
    workspaceRename: () => refused,
    workspaceRemove: () => refused,
    clientsList: () => state.clients,
    clientSet({ client: id, ...change }) {
      const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
      state.clients = state.clients.map((one) => (one.id === id ? { ...one, ...given } : one));
      tell('clients');
      const client = state.clients.find((one) => one.id === id);
      return client === undefined ? refused : { kind: 'done', client };
    },
    keyCreate({ name, role }) {
      const client = aClient({ id: `c-${name}`, name, keys: [] });
      const key = aKey({ id: `k-${name}`, clientId: client.id, role, prefix: 'gh_new12' });
      const view = { ...client, keys: [key] };
      state.clients.push(view);
      tell('clients');
      return { kind: 'done', secret: 'gh_new12_the-whole-key-shown-once', key, client: view };
    },
    keyRevoke({ key }) {
      state.clients = state.clients.map((client) => ({
        ...client,
        keys: client.keys.map((one) => (one.id === key ? { ...one, revokedAt: Date.now() } : one)),
      }));
      tell('clients');
      return done;
    },
    keyRotate({ key: id }) {
      const key = aKey({ id: 'k-rotated', prefix: 'gh_rot12' });
      state.clients = state.clients.map((client) => ({
        ...client,
        keys: client.keys.map((one) => (one.id === id ? { ...key, clientId: client.id } : one)),
      }));
      tell('clients');
      return { kind: 'done', secret: 'gh_rot12_the-new-key-shown-once', key };
    },
    upstreamsList: () => state.upstreams,
    upstreamAdd({ name, transport, tags }) {
      if (state.upstreams.some((upstream) => upstream.name === name)) {
        return { kind: 'refused', message: `There is an upstream called ${name} already. Choose another name.` };
      }
      const upstream = anUpstream({ id: `u-${name}`, name, transport, tags, status: 'starting' });
      state.upstreams.push(upstream);
      tell('upstreams');
      return { kind: 'done', upstream };
    },
    upstreamChange({ upstream, transport, tags, secrets: _secrets, limits, ...settings }) {
      const old = state.upstreams.find(({ id }) => id === upstream);
      if (!old || transport !== undefined || tags !== undefined) return refused;
      return changeUpstream(upstream, {
        settings: changedSettings(old.settings, { ...settings, limits }),
        limits: { ...usualLimits, ...changedSettings(old.settings, { limits }).limits },
      });
    },
    upstreamConfirm: ({ upstream }) => changeUpstream(upstream, { status: 'ready', reason: null, toConfirm: null }),
    upstreamRemove({ upstream }) {
      state.upstreams = state.upstreams.filter((one) => one.id !== upstream);
      tell('upstreams');
      return done;
    },
    upstreamEnable: ({ upstream }) => changeUpstream(upstream, { enabled: true, status: 'starting' }),
    upstreamDisable: ({ upstream }) => changeUpstream(upstream, { enabled: false, status: 'disabled' }),
    upstreamRefresh: ({ upstream }) => changeUpstream(upstream, { status: 'ready' }),
    upstreamRestart: ({ upstream }) => changeUpstream(upstream, { status: 'ready' }),
    upstreamSignIn: ({ upstream, signIn }) => changeUpstream(upstream, { signIn }),
    secretsBeginAnew: () => refused,
    ...fakeConnections(state, tell),
    upstreamLogs: ({ upstream }) => ({
      lines: state.upstreams.find((one) => one.id === upstream)?.lastStderr ?? [],
    }),
    toolsList: () => state.tools,
    toolsFind({ query, limit }) {
      const words = query.toLowerCase().split(/\s+/);
      const found = state.tools
        .filter((tool) => tool.state === 'reviewed')
        .map((tool) => {
          const text = `${tool.name} ${tool.reviewed?.description ?? ''}`.toLowerCase();
          return { tool, score: words.filter((word) => text.includes(word)).length };
        })
        .filter((hit) => hit.score > 0)
        .sort((a, b) => b.score - a.score)
        .slice(0, limit)
        .map(({ tool, score }) => ({ tool, upstream: tool.upstream, score, decision: decisionOf(tool) }));
      const unready = state.upstreams.filter((upstream) => upstream.awaitingReview > 0);
      return { found, notes: unready.map((one) => `${one.name}: ${one.awaitingReview} tools await your review.`) };
    },
    toolsReview({ upstream, accept }) {
      for (const one of accept) {
        const at = state.tools.findIndex(
          (tool) => tool.upstreamId === upstream && tool.kind === one.kind && tool.name === one.name,
        );
        const tool = state.tools[at];
        if (!tool || tool.fingerprint !== one.fingerprint) {
          return { kind: 'refused', message: `“${one.name}” changed while it was being read; look at it again.` };
        }
        state.tools[at] = { ...tool, state: 'reviewed', risk: one.risk, reviewed: tool.offered, offered: null };
      }
      tell('tools');
      return { kind: 'done', accepted: accept.length };
    },
    callsPause({ client }) {
      const { pauses } = state.status;
      const clientId = client ?? null;
      if (pauses.some((pause) => pause.clientId === clientId))
        return { kind: 'done', changed: false, note: null, pauses };
      const named = state.clients.find(({ id }) => id === client)?.name ?? null;
      const made = { clientId, client: named, by: 'dashboard', since: Date.now() };
      state.status = { ...state.status, pauses: [...pauses, made] };
      tell('status');
      return { kind: 'done', changed: true, note: null, pauses: state.status.pauses };
    },
    callsResume({ client }) {
      const before = state.status.pauses;
      const pauses = before.filter(({ clientId }) => clientId !== (client ?? null));
      state.status = { ...state.status, pauses };
      tell('status');
      return { kind: 'done', changed: pauses.length < before.length, pauses };
    },
    trustStart({ client, minutes }) {
      const named = state.clients.find(({ id }) => id === client)?.name ?? '';
      const now = Date.now();
      const trust = {
        id: `t-${client}`,
        clientId: client,
        client: named,
        by: 'dashboard',
        minutes,
        startedAt: now,
        expiresAt: now + minutes * 60_000,
        usedCount: 0,
      };
      state.status = { ...state.status, trusts: [...state.status.trusts, trust] };
      tell('status');
      return { kind: 'done', trust };
    },
    trustEnd({ trust }) {
      state.status = { ...state.status, trusts: state.status.trusts.filter(({ id }) => id !== trust) };
      tell('status');
      return done;
    },
    policyGet: () => ({ policy: state.policy, problem: null }),
    policyExport: () => ({ yaml: yamlOf(state.policy) }),
    policyImport({ yaml }) {
      if (yaml.includes('\t')) return { kind: 'refused', message: 'Tabs do not indent YAML.', line: 3, column: 1 };
      return { kind: 'done', policy: state.policy ?? { defaultEffect: 'deny', rules: [] } };
    },
    policySuggestions: () => ({ suggestions: state.suggestions }),
    policySuggestionApply({ suggestion }) {
      const found = state.suggestions.find(({ id }) => id === suggestion);
      state.suggestions = state.suggestions.filter((one) => one !== found);
      tell('policy');
      return found === undefined ? refused : { kind: 'done', rule: found.rule };
    },
    policySuggestionDismiss({ suggestion }) {
      state.suggestions = state.suggestions.filter(({ id }) => id !== suggestion);
      tell('policy');
      return done;
    },
    policyShadowStart({ yaml }) {
      state.shadow = { yaml, startedAt: Date.now(), by: 'dashboard', report: state.replay };
      tell('policy');
      return done;
    },
    policyShadowStop() {
      state.shadow = null;
      tell('policy');
      return done;
    },
    policyShadow: () => ({ shadow: state.shadow }),
    policyReplayProgress: () => ({ looked: null }),
    policyReplay: () => ({ kind: 'done', report: state.replay }),
    policyLint: ({ yaml }) => ({ kind: 'done', findings: state.findings, rules: yaml.includes('\t') ? null : 1 }),
    policyDiff: () => ({ kind: 'done', difference: state.difference }),
    policyDecide: () => refused,
    approvalsList: ({ state: wanted }) => (wanted === 'waiting' ? waiting() : state.approvals),
    approvalApprove({ approval, argumentsSha256, scope }) {
      const shown = state.approvals.find((one) => one.id === approval);
      if (shown && shown.argumentsSha256 !== argumentsSha256) {
        return { kind: 'refused', message: 'These are not the arguments that were shown.' };
      }
      const answer = decide(approval, { state: 'redeemed' });
      if (shown && scope !== 'once' && answer.kind === 'done') {
        state.standing.push(aStanding({ upstream: shown.upstream, tool: shown.tool, scope }));
      }
      return answer;
    },
    approvalDeny: ({ approval, reason }) => decide(approval, { state: 'denied', denyReason: reason || null }),
    approvalsApproveMany: ({ calls }) => ({
      kind: 'done',
      answers: calls.map(({ approval }) => ({ approval, answer: decide(approval, { state: 'redeemed' }) })),
    }),
    approvalsDenyMany: ({ approvals, reason }) => ({
      kind: 'done',
      answers: approvals.map((approval) => ({
        approval,
        answer: decide(approval, { state: 'denied', denyReason: reason || null }),
      })),
    }),
    resultRelease: ({ approval }) => decide(approval, { state: 'redeemed' }),
    resultWithhold: ({ approval, reason }) => decide(approval, { state: 'denied', denyReason: reason || null }),
    standingList: ({ search }) =>
      state.standing.filter((one) => `${one.client} ${one.upstream} ${one.tool}`.includes(search)),
    standingRevokeAll({ client }) {
      const before = state.standing.length;
      state.standing = state.standing.filter((one) => one.clientId !== client);
      tell('approvals');
      return { kind: 'done', revoked: before - state.standing.length };
    },
    standingRevoke({ standing }) {
      state.standing = state.standing.filter((one) => one.id !== standing);
      tell('approvals');
      return done;
    },
    confirmationsList: () => state.confirmations,
    confirmationAnswer({ confirmation }) {
      state.confirmations = state.confirmations.filter((one) => one.id !== confirmation);
      tell('confirmations');
      return done;
    },
    auditList(filter) {
      const records = state.records.filter(
        (record) =>
          (filter.before === undefined || (record.entries[0]?.seq ?? 0) < filter.before) &&
          (!filter.client || record.client === filter.client) &&
          (!filter.upstream || record.upstream === filter.upstream) &&
          (!filter.tool || record.tool === filter.tool) &&
          (!filter.outcome || record.outcome === filter.outcome) &&
          (!filter.errorClass || record.errorClass === filter.errorClass) &&
          (!filter.text || JSON.stringify(record).includes(filter.text)),
      );
      const page = records.slice(0, filter.limit);
      const last = page.at(-1)?.entries[0]?.seq ?? null;
      return { records: page, nextBefore: records.length > page.length ? last : null, behind: 0 };
    },
    auditExplain: ({ requestId }) => ({
      kind: 'done',
      explained: {
        requestId,
        recorded: { effect: 'deny', rule: 'never-delete', standing: null },
        by: 'then',
        policy: '3-0123456789ab',
        explanation: {
          decision: { effect: 'deny', rule: 'never-delete', reason: 'The rule decides.', standing: null },
          defaultEffect: 'require_approval',
          certain: false,
          rules: [
            {
              rule: 'never-delete',
              effect: 'deny',
              modifiers: [],
              matched: 'unknown',
              decided: true,
              applied: false,
              members: [{ member: 'arguments/x', matched: 'unknown', wanted: 'eq 1', actual: 'not known' }],
            },
          ],
        },
        notes: ['1 value was redacted.'],
      },
    }),
    auditVerify: () => ({
      ok: true,
      entries: 128,
      firstSeq: 1,
      lastSeq: 128,
      head: 'b1946ac92492d2347c6235b4d2611184a1f3c0a7',
      badSeq: null,
      problem: null,
      signingKey: 'file',
      publicKey: null,
      notes: ['The head was last anchored 12 s ago.'],
    }),
    auditState: () => ({
      work: null,
      behind: 0,
      retention: { olderThanMs: null, keepBytes: null, appliedAt: null },
    }),
    auditPurge: () => ({ kind: 'done', entries: 0, upTo: null }),
    auditRetentionSet: ({ olderThanMs, keepBytes }) => ({
      kind: 'done',
      retention: { olderThanMs, keepBytes, appliedAt: null },
    }),
    auditExport: () => ({ path: '/data/exports/audit.jsonl', entries: 128 }),
    connectLines: () => ({
      endpoint: state.status.endpoint,
      lines: [
        {
          client: 'Claude Code',
          text: `claude mcp add --transport http gatehouse ${state.status.endpoint} --header "Authorization: Bearer <key>"`,
          withoutKey: `claude mcp add --transport http gatehouse ${state.status.endpoint}\nclaude mcp login gatehouse`,
        },
        { client: 'Codex', text: `codex mcp add gatehouse --url ${state.status.endpoint}`, withoutKey: null },
      ],
      signInOff: null,
    }),
    auditFigures: () => ({ total: { ...NO_CALLS, exposure: exposureSum([]) }, groups: [], behind: 0 }),
    sinksList: () => state.sinks,
    sinkAdd: () => refused,
    sinkRemove: () => refused,
    sinkTest: () => ({ kind: 'done', message: 'It takes logs.' }),
    sinkPause: () => refused,
    sinkResume: () => refused,
    dashboardLink: () => refused,
  };
}

function decisionOf(tool: ToolView) {
  if (tool.risk === 'read') {
    return { effect: 'allow', rule: 'reads', reason: 'What only reads is allowed.', standing: null } as const;
  }
  return {
    effect: 'require_approval',
    rule: null,
    reason: 'No rule matches: a person is asked.',
    standing: null,
  } as const;
}

function yamlOf(policy: Policy | null): string {
  const rules = (policy?.rules ?? []).map((rule) => `  - name: ${rule.name}\n    effect: ${rule.effect}\n`);
  return `defaultEffect: ${policy?.defaultEffect ?? 'deny'}\nrules:\n${rules.join('')}`;
}

export function emptyState(): FakeState {
  return {
    status: {
      version: '0.1.0',
      mode: 'headless',
      endpoint: 'http://127.0.0.1:3100/mcp',
      healthy: true,
      banners: [],
      waiting: 0,
      pauses: [],
      trusts: [],
      secretsLost: null,
      dataFolder: '/data',
    },
    approvals: [],
    standing: [],
    confirmations: [],
    tools: [],
    upstreams: [],
    connections: [],
    signIns: [],
    presets: [],
    nextSignIn: {},
    opensBrowser: false,
    sinks: [],
    workspaces: [{ id: 'w1', slug: 'personal', name: 'Personal', createdAt: 0 }],
    clients: [],
    records: [],
    shadow: null,
    suggestions: [],
    findings: [],
    difference: { defaultEffect: null, rules: [] },
    replay: {
      calls: 0,
      from: null,
      to: null,
      same: 0,
      changed: 0,
      cannotTell: 0,
      steps: [],
      modified: { redactArgs: 0, redactResult: 0, holdResult: 0 },
      changes: [],
      untold: [],
    },
    policy: { defaultEffect: 'require_approval', rules: [] },
  };
}

export function anApproval(given: Partial<ApprovalView> = {}): ApprovalView {
  const argumentsText = given.argumentsText ?? '{"path":"/home/me/notes.txt","content":"hello"}';
  const now = Date.now();
  return {
    id: 'a1',
    requestId: 'r1',
    group: given.id ?? 'g1',
    workspace: 'Personal',
    clientId: 'c1',
    client: 'claude-code',
    callsItself: 'Claude Code',
    session: null,
    upstream: 'files',
    connection: null,
    tool: 'write_file',
    title: null,
    risk: 'write',
    fingerprint: 'f1',
    rule: null,
    reason: 'No rule matches: a person is asked.',
    argumentsText,
    argumentsSha256: createHash('sha256').update(argumentsText, 'utf8').digest('hex'),
    editable: true,
    editedSha256: null,
    previous: null,
    held: null,
    state: 'waiting',
    callerLeft: false,
    createdAt: now,
    expiresAt: now + 300_000,
    decidedAt: null,
    decidedBy: null,
    denyReason: null,
    ...given,
  };
}

export function aStanding(given: Partial<StandingApprovalView> = {}): StandingApprovalView {
  return {
    id: `s-${given.tool ?? 'x'}`,
    clientId: 'c1',
    client: 'claude-code',
    upstream: 'files',
    connection: null,
    tool: 'write_file',
    fingerprint: 'f1',
    scope: 'minutes15',
    pins: [],
    createdAt: Date.now(),
    expiresAt: Date.now() + 900_000,
    usedCount: 0,
    ...given,
  };
}

export function aConfirmation(given: Partial<ConfirmationView> = {}): ConfirmationView {
  return {
    id: 'f1',
    kind: 'upstream',
    title: 'Add upstream “weather”',
    lines: [
      { label: 'command', value: 'npx' },
      { label: 'argument 1', value: '-y' },
      { label: 'argument 2', value: 'weather-server' },
    ],
    requestedBy: 'cli',
    createdAt: Date.now(),
    expiresAt: Date.now() + 300_000,
    ...given,
  };
}

export function aTool(given: Partial<ToolView> = {}, definition: Partial<ToolDefinition> = {}): ToolView {
  const name = given.name ?? 'read_file';
  const whole: ToolDefinition = {
    name,
    description: 'Reads a text file and returns its content.',
    inputSchema: { type: 'object', properties: { path: { type: 'string', description: 'Where it is.' } } },
    ...definition,
  };
  return {
    upstreamId: 'u1',
    upstream: 'files',
    kind: 'tool',
    name,
    exposedName: `files__${name}`,
    state: 'reviewed',
    risk: 'read',
    proposedRisk: 'read',
    fingerprint: `fp-${name}`,
    reviewed: whole,
    offered: null,
    flags: [],
    ...given,
  };
}

export function anUpstream(given: Partial<UpstreamView> = {}): UpstreamView {
  return {
    id: 'u1',
    workspaceId: 'w1',
    name: 'files',
    transport: {
      kind: 'stdio',
      command: 'npx',
      args: ['-y', '@modelcontextprotocol/server-filesystem', '/home/me/my notes'],
      secretEnv: [],
      cwd: null,
    },
    tags: [],
    enabled: true,
    settings: usualSettings,
    signIn: { kind: 'none' },
    limits: usualLimits,
    toConfirm: null,
    status: 'ready',
    reason: null,
    needsSignIn: false,
    era: 'legacy',
    pid: 4711,
    resolvedCommand: '/usr/bin/npx',
    callsItself: 'secure-filesystem-server',
    toolCount: 14,
    awaitingReview: 0,
    leftOut: [],
    lastStderr: [],
    since: Date.now() - 60_000,
    ...given,
  };
}

/** The usual mode of an address. */
export const MCP_OAUTH: Extract<SignIn, { kind: 'mcp_oauth' }> = {
  kind: 'mcp_oauth',
  clientId: null,
  clientSecret: false,
  scopes: null,
  issuer: null,
  redirect: { host: '127.0.0.1', port: null },
  allowNoPkce: false,
};

/** How an address is that asked for an account before it has one. */
export const NEEDS_ACCOUNT = { needsSignIn: true, status: 'failed', reason: 'It answered 401.' } as const;

export function anAddress(given: Partial<UpstreamView> = {}): UpstreamView {
  return anUpstream({
    name: 'github',
    transport: { kind: 'http', url: 'https://mcp.github.com/mcp', secretHeaders: [] },
    signIn: MCP_OAUTH,
    pid: null,
    resolvedCommand: null,
    ...given,
  });
}

export function aKey(given: Partial<ClientView['keys'][number]> = {}): ClientView['keys'][number] {
  return {
    id: 'k1',
    clientId: 'c1',
    role: 'executor',
    prefix: 'gh_a1b2c3',
    createdAt: 0,
    expiresAt: null,
    revokedAt: null,
    lastUsedAt: null,
    signedIn: false,
    ...given,
  };
}

export function aClient(given: Partial<ClientView> = {}): ClientView {
  return {
    id: 'c1',
    workspaceId: 'w1',
    workspace: 'Personal',
    name: 'claude-code',
    callsItself: 'Claude Code',
    tags: [],
    upstreams: null,
    scopeTags: [],
    holdMs: 50_000,
    createdAt: 0,
    keys: [aKey()],
    ...given,
  };
}

export function aRecord(seq: number, given: Partial<AuditRecordView> = {}): AuditRecordView {
  const record = recordView({
    requestId: `r${seq}`,
    at: Date.now() - seq * 60_000,
    client: 'claude-code',
    upstream: 'files',
    tool: 'write_file',
    kind: 'tool_call',
    effect: 'require_approval',
    rule: 'ask-before-writing',
    outcome: 'answered',
    ...given,
  });
  const entry = (phase: 'forwarded' | 'ended', at: number) => ({
    seq: at,
    at: record.at,
    phase,
    kind: record.kind,
    requestId: record.requestId,
    workspace: 'Personal',
    clientId: 'c1',
    client: record.client,
    keyPrefix: 'gh_a1b2c3',
    upstream: record.upstream,
    tool: record.tool,
    effect: record.effect,
    rule: record.rule,
    outcome: phase === 'ended' ? record.outcome : null,
    errorClass: record.errorClass,
    detail: { argumentsSha256: 'ab12', arguments: { path: '/home/me/notes.txt' }, durationMs: 12 },
    hash: `hash-of-${at}`,
  });
  return given.entries
    ? record
    : { ...record, entries: [entry('forwarded', 1000 - seq * 2), entry('ended', 1001 - seq * 2)] };
}
