import { z } from 'zod';
import type { ConnectionView, OAuthPreset, SignInView } from './connections.ts';
import { DEFINITION_KINDS } from './kinds.ts';
import { IDLE_STOP_RANGE, LIMIT_RANGES, type LimitRange } from './limits.ts';
import type {
  ApprovalView,
  AuditFigures,
  AuditPage,
  AuditWork,
  ClientView,
  ConfirmationView,
  Decision,
  ExplainedRecord,
  Explanation,
  Key,
  PauseView,
  Policy,
  PolicyDifference,
  PolicyFinding,
  PolicySuggestion,
  ReplayReport,
  RetentionView,
  Rule,
  ShadowView,
  SinkView,
  StandingApprovalView,
  StatusView,
  ToolView,
  Topic,
  TrustView,
  UpstreamView,
  VerifyReport,
  Workspace,
} from './model.ts';

/**
 * The one typed contract between the core and everything a person sees: the window over Electron IPC, the dashboard over
 * its own port, the command line over the control socket. Each request has the schema of its argument and the type of
 * its result; `electron/core/api.ts` answers them all and `ORIGINS` says who may make which.
 */

const id = z.string().min(1).max(200);
const name = z.string().trim().min(1).max(80);
const upstreamName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'use a-z, 0-9 and -, at most 32, starting with a letter or digit');
const risk = z.enum(['read', 'write', 'destructive']);

const transport = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('stdio'),
    command: z.string().min(1).max(4096),
    args: z.array(z.string().max(32_768)).max(256).default([]),
    secretEnv: z
      .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/))
      .max(64)
      .default([]),
    cwd: z.string().max(4096).nullable().default(null),
  }),
  z.object({
    kind: z.literal('http'),
    url: z.url({ protocol: /^https?$/ }),
    secretHeaders: z
      .array(z.string().regex(/^[A-Za-z0-9-]+$/))
      .max(32)
      .default([]),
  }),
]);

const webAddress = z.url({ protocol: /^https?$/ }).max(2048);
const scopeNames = z.array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, 'is no scope')).max(128);
const clientId = z.string().min(1).max(2048);
const redirect = z
  .object({
    host: z.enum(['127.0.0.1', 'localhost']).default('127.0.0.1'),
    port: z.number().int().min(1024).max(65_535).nullable().default(null),
  })
  .default({ host: '127.0.0.1', port: null });
const tokenAuth = z.enum(['auto', 'basic', 'post', 'none']).default('auto');
const keyName = z.string().min(1).max(128);

/** How accounts sign in at an upstream. `clientSecret`: one is kept; its value comes beside it, never in it. */
export const signInSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('none') }),
  z.object({
    kind: z.literal('api_key'),
    place: z.discriminatedUnion('in', [
      z.object({ in: z.literal('header'), name: keyName, prefix: z.string().max(64).default('') }),
      z.object({ in: z.literal('query'), name: keyName }),
      z.object({
        in: z.literal('environment'),
        name: z
          .string()
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
          .max(128),
      }),
    ]),
  }),
  z.object({
    kind: z.literal('mcp_oauth'),
    clientId: clientId.nullable().default(null),
    clientSecret: z.boolean().default(false),
    scopes: scopeNames.nullable().default(null),
    issuer: webAddress.nullable().default(null),
    redirect,
    allowNoPkce: z.boolean().default(false),
  }),
  z.object({
    kind: z.literal('oauth'),
    authorizeUrl: webAddress,
    tokenUrl: webAddress,
    revokeUrl: webAddress.nullable().default(null),
    clientId,
    clientSecret: z.boolean().default(false),
    scopes: scopeNames.default([]),
    pkce: z.boolean().default(true),
    tokenAuth,
    redirect,
  }),
  z.object({
    kind: z.literal('client_credentials'),
    tokenUrl: webAddress.nullable().default(null),
    clientId,
    clientSecret: z.boolean().default(true),
    scopes: scopeNames.default([]),
    tokenAuth,
  }),
]);

/** What is secret about an account, on its way into the vault. */
const secretValue = z.string().min(1).max(16_384);
const accountLabel = z
  .string()
  .trim()
  .min(1)
  .max(40)
  .regex(/^[^\p{C}]+$/u, 'holds a character that cannot be seen')
  .refine(
    (label) => label.toLowerCase() !== 'none',
    'is what rules call a call without an account; choose another label',
  );

const within = ({ least, most }: Pick<LimitRange, 'least' | 'most'>) =>
  z.number().int().min(least, `must be at least ${least}`).max(most, `must be at most ${most}`);
const limit = (range: LimitRange) => within(range).nullable().optional();

/** How an upstream is run. What is left out stays as it is; a limit of null is the usual one again. */
const settings = {
  start: z.enum(['at_start', 'on_demand']).optional(),
  idleStopMs: within(IDLE_STOP_RANGE).nullable().optional(),
  share: z.enum(['shared', 'per_client']).optional(),
  allowPrivate: z.boolean().optional(),
  era: z.enum(['auto', 'legacy', 'modern']).optional(),
  limits: z
    .object({
      callMs: limit(LIMIT_RANGES.callMs),
      ceilingMs: limit(LIMIT_RANGES.ceilingMs),
      inFlight: limit(LIMIT_RANGES.inFlight),
      queued: limit(LIMIT_RANGES.queued),
      messageBytes: limit(LIMIT_RANGES.messageBytes),
      resultBytes: limit(LIMIT_RANGES.resultBytes),
      listItems: limit(LIMIT_RANGES.listItems),
      listPages: limit(LIMIT_RANGES.listPages),
    })
    .optional(),
};

/** Longest arguments that can be edited by hand, in characters. */
export const MAX_EDITED = 1_000_000;
/** Calls that one card holds (design section 9, F13). */
export const MAX_ROWS = 50;

/** `{NAME: value}`, for the vault only: never stored elsewhere, never shown again. */
const secrets = z.record(z.string(), z.string().max(65_536)).default({});

const sinkTarget = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('otlp'),
    url: z.url({ protocol: /^https?$/ }),
    secretHeaders: z
      .array(z.string().regex(/^[A-Za-z0-9-]+$/))
      .max(32)
      .default([]),
  }),
  z.object({
    kind: z.literal('postgres'),
    host: z.string().min(1).max(1024),
    port: z.number().int().min(1).max(65_535).default(5432),
    database: z.string().min(1).max(63),
    user: z.string().min(1).max(63),
    table: z
      .string()
      .regex(/^([a-z_][a-z0-9_]{0,50}\.)?[a-z_][a-z0-9_]{0,50}$/, 'use a-z, 0-9 and _, at most 51, or schema.table')
      .default('gatehouse_audit'),
    tls: z.enum(['verify', 'off']),
    caFile: z.string().max(4096).nullable().default(null),
    password: z.boolean().default(false),
  }),
  z.object({
    kind: z.literal('jsonl'),
    path: z.string().min(1).max(4096),
    maxBytes: z
      .number()
      .int()
      .min(65_536)
      .max(1024 ** 4)
      .default(100 * 1024 ** 2),
    keep: z.number().int().min(1).max(1_000).default(10),
  }),
]);

const DAY_MS = 86_400_000;

/** Which records: every condition that is given must hold. */
const auditQuery = {
  requestId: id.optional(),
  /** Label of a client, or its id. */
  client: z.string().optional(),
  upstream: z.string().optional(),
  tool: z.string().optional(),
  effect: z.enum(['allow', 'deny', 'require_approval']).optional(),
  rule: z.string().optional(),
  outcome: z.string().optional(),
  errorClass: z.string().optional(),
  kind: z.string().optional(),
  workspace: z.string().optional(),
  /** From this time on, and before that one. */
  from: z.number().int().optional(),
  to: z.number().int().optional(),
  /** Words that must all occur in one record; the last may be the beginning of one. */
  text: z.string().max(200).optional(),
};

/** Entries older than this, or over so many bytes. */
const retention = {
  olderThanMs: z.number().int().min(DAY_MS, 'must be at least a day').nullable().default(null),
  keepBytes: z.number().int().min(1_048_576, 'must be at least 1 MB').nullable().default(null),
};

export const API = {
  status: z.object({}),

  workspacesList: z.object({}),
  workspaceCreate: z.object({ name }),
  workspaceRename: z.object({ workspace: id, name }),
  workspaceRemove: z.object({ workspace: id }),

  clientsList: z.object({ workspace: id.optional() }),
  clientSet: z.object({
    client: id,
    name: name.optional(),
    tags: z.array(name).max(32).optional(),
    upstreams: z.array(upstreamName).max(256).nullable().optional(),
    scopeTags: z.array(z.string().max(64)).max(64).optional(),
    holdMs: z.number().int().min(0).max(600_000).optional(),
  }),
  keyCreate: z.object({
    workspace: id.optional(),
    role: z.enum(['executor', 'reader', 'admin']),
    name,
    /** Milliseconds from now; null never expires. */
    expiresInMs: z.number().int().positive().nullable().default(null),
    upstreams: z.array(upstreamName).max(256).nullable().default(null),
    scopeTags: z.array(z.string().max(64)).max(64).default([]),
  }),
  /** `key` is an id or the prefix that `keys list` shows. */
  keyRevoke: z.object({ key: id }),
  keyRotate: z.object({ key: id }),

  upstreamsList: z.object({ workspace: id.optional() }),
  upstreamAdd: z.object({
    workspace: id.optional(),
    name: upstreamName,
    transport,
    tags: z.array(name).max(32).default([]),
    secrets,
    ...settings,
  }),
  upstreamChange: z.object({
    upstream: id,
    transport: transport.optional(),
    tags: z.array(name).max(32).optional(),
    secrets,
    ...settings,
  }),
  /** As it is now, although it was changed on disk (`toConfirm` of its view). */
  upstreamConfirm: z.object({ upstream: id }),
  upstreamRemove: z.object({ upstream: id }),
  upstreamEnable: z.object({ upstream: id }),
  upstreamDisable: z.object({ upstream: id }),
  upstreamRefresh: z.object({ upstream: id }),
  /** Stops whatever runs of it and starts it anew, in whatever state it is. */
  upstreamRestart: z.object({ upstream: id }),
  upstreamLogs: z.object({ upstream: id }),
  /** How accounts sign in there. Without `clientSecret` a secret that is kept stays, where the client id does. */
  upstreamSignIn: z.object({ upstream: id, signIn: signInSchema, clientSecret: secretValue.nullable().optional() }),

  /** While the key of the stored secrets is lost: forgets what it sealed, and begins with a new one. */
  secretsBeginAnew: z.object({}),

  /** Of one upstream, of one workspace, or all. */
  connectionsList: z.object({ workspace: id.optional(), upstream: id.optional() }),
  connectionRename: z.object({ connection: id, label: accountLabel }),
  /** Ends the grant at the vendor too (RFC 7009); the label stays, and one click signs in again. */
  connectionSignOut: z.object({ connection: id }),
  /** Signs out and forgets it. */
  connectionRemove: z.object({ connection: id }),
  /** What calls use that name none: of one client, or of every client without a choice of its own. */
  connectionDefault: z.object({ connection: id, client: id.nullable().default(null) }),
  /**
   * Begins a sign-in: of a new account under `label`, or again of `connection`. `secret`: the API key, where that is the
   * mode. Opens nothing by itself.
   */
  signInStart: z.object({
    upstream: id,
    label: accountLabel.optional(),
    connection: id.optional(),
    secret: secretValue.optional(),
  }),
  signInGet: z.object({ signIn: id }),
  /** Those under way and the latest that ended, newest first: the trace. */
  signInsList: z.object({ upstream: id.optional() }),
  /** Answers `choose_server`. */
  signInChoose: z.object({ signIn: id, issuer: z.string().min(1).max(2048) }),
  /** Answers `needs_client_id`: kept as the upstream's own from then on. */
  signInClient: z.object({ signIn: id, clientId, clientSecret: secretValue.nullable().default(null) }),
  /** Answers `confirm_scopes`. */
  signInConfirm: z.object({ signIn: id }),
  /** The person clicked: opens the link in the browser where there is one. */
  signInOpen: z.object({ signIn: id }),
  signInCancel: z.object({ signIn: id }),
  /** Vendors whose addresses for classic OAuth are known. */
  presetsList: z.object({}),

  toolsList: z.object({ workspace: id.optional(), upstream: id.optional() }),
  /**
   * Search exactly as the agent's find_tools would: as this client, or as one that may see the whole workspace (Personal
   * when none is named).
   */
  toolsFind: z.object({
    query: z.string().max(1000),
    limit: z.number().int().min(1).max(50).default(10),
    client: id.optional(),
    workspace: id.optional(),
  }),
  /**
   * Accepts the named tools, prompts and resource templates (named by URI template) as they are offered: each with the
   * fingerprint that was shown and the risk the person confirmed.
   */
  toolsReview: z.object({
    upstream: id,
    accept: z
      .array(
        z.object({ kind: z.enum(DEFINITION_KINDS).default('tool'), name: z.string(), fingerprint: z.string(), risk }),
      )
      .max(15_000),
  }),

  policyGet: z.object({ workspace: id.optional() }),
  policyExport: z.object({ workspace: id.optional() }),
  /** Whole policy as YAML text; refused with line and column when it does not parse. */
  policyImport: z.object({ workspace: id.optional(), yaml: z.string().max(1_000_000) }),
  /**
   * "What would this have done?": a draft against the latest calls of the audit, at most so many, none older than
   * `sinceMs`. `list` bounds how many changed calls are returned one by one; the counts are of all.
   */
  policyReplay: z.object({
    workspace: id.optional(),
    yaml: z.string().max(1_000_000),
    sinceMs: z.number().int().positive().nullable().default(null),
    calls: z.number().int().min(1).max(100_000).default(10_000),
    list: z.number().int().min(0).max(10_000).default(200),
  }),
  /** How far the replay that runs now is; null when none runs. */
  policyReplayProgress: z.object({}),
  /** Rules that the person's answers of the last 30 days suggest. None is ever applied by itself. */
  policySuggestions: z.object({ workspace: id.optional() }),
  /** Adds the rule of a suggestion, or its narrower one, to the policy. */
  policySuggestionApply: z.object({ workspace: id.optional(), suggestion: id, narrower: z.boolean().default(false) }),
  /** It is not made again. */
  policySuggestionDismiss: z.object({ workspace: id.optional(), suggestion: id }),
  /** A draft is asked about every call beside the policy, and what it says is recorded; the policy alone rules. */
  policyShadowStart: z.object({ workspace: id.optional(), yaml: z.string().max(1_000_000) }),
  policyShadowStop: z.object({ workspace: id.optional() }),
  /** The shadow that runs, and where it disagreed so far. */
  policyShadow: z.object({
    workspace: id.optional(),
    list: z.number().int().min(0).max(10_000).default(200),
  }),
  /** Every fault of a policy as YAML text, and what in it is probably not meant. Saves nothing. */
  policyLint: z.object({ workspace: id.optional(), yaml: z.string().max(1_000_000) }),
  /** What a policy as YAML text would change of the one in force. Saves nothing. */
  policyDiff: z.object({ workspace: id.optional(), yaml: z.string().max(1_000_000) }),
  /** What the policy says of one call, and why; for `policy decide` and the tools screen. */
  policyDecide: z.object({
    client: id,
    upstream: id,
    tool: z.string(),
    /** Label of the account; the client's default one, when left out. */
    connection: z.string().optional(),
    argumentsText: z.string().default('{}'),
    /** Milliseconds since 1970; now, when left out. */
    at: z.number().int().optional(),
  }),

  /** Refuses all calls, or those of one client, with `paused` until they are resumed. Calls that already run go on. */
  callsPause: z.object({ client: id.optional() }),
  /** Without a client: lifts the pause of everything; clients paused one by one stay paused. */
  callsResume: z.object({ client: id.optional() }),

  /** Everything from one client runs without asking for so long, except what is destructive or denied. */
  trustStart: z.object({ client: id, minutes: z.union([z.literal(5), z.literal(15), z.literal(60)]) }),
  trustEnd: z.object({ trust: id }),

  approvalsList: z.object({ state: z.enum(['waiting', 'all']).default('waiting') }),
  approvalApprove: z.object({
    approval: id,
    argumentsSha256: z.string(),
    scope: z.enum(['once', 'session', 'minutes15', 'tool', 'values']).default('once'),
    /** Of scope `values`: JSON pointers to the arguments whose values must be the same. */
    pins: z.array(z.string().max(1000)).max(64).default([]),
    /** Arguments in place of those that were shown: what runs, byte for byte. For this one call. */
    edited: z.string().max(MAX_EDITED).nullable().default(null),
  }),
  /** `pause`: the calls of the client are refused from now on, until somebody resumes them. */
  approvalDeny: z.object({
    approval: id,
    reason: z.string().max(2000).default(''),
    pause: z.boolean().default(false),
  }),
  /** Several calls of one tool, each once; what becomes of one changes nothing for the others. */
  approvalsApproveMany: z.object({
    calls: z
      .array(z.object({ approval: id, argumentsSha256: z.string() }))
      .min(1)
      .max(MAX_ROWS),
  }),
  approvalsDenyMany: z.object({
    approvals: z.array(id).min(1).max(MAX_ROWS),
    reason: z.string().max(2000).default(''),
    pause: z.boolean().default(false),
  }),
  /** Gives a held result to the agent. */
  resultRelease: z.object({ approval: id, resultSha256: z.string() }),
  /** The agent is told that the call ran, and why it does not get the result. */
  resultWithhold: z.object({
    approval: id,
    reason: z.string().max(2000).default(''),
    pause: z.boolean().default(false),
  }),
  /** `search`: words that must all be in client, upstream, tool or pinned values. */
  standingList: z.object({ search: z.string().max(200).default('') }),
  standingRevoke: z.object({ standing: id }),
  /** All of one client, by its id. */
  standingRevokeAll: z.object({ client: id }),

  confirmationsList: z.object({}),
  confirmationAnswer: z.object({ confirmation: id, answer: z.enum(['confirm', 'refuse']) }),

  auditList: z.object({
    before: z.number().int().optional(),
    limit: z.number().int().min(1).max(500).default(100),
    ...auditQuery,
  }),
  /** Why a recorded call was decided as it was. */
  auditExplain: z.object({ requestId: id }),
  /** Counts, waiting times and saved context of a span, in all and by client, by day or by both. */
  auditFigures: z.object({
    /** From this time on, and before that one; exposure is counted by whole days. */
    from: z.number().int().optional(),
    to: z.number().int().optional(),
    /** A client by its label or id, a workspace by its name. */
    client: z.string().max(200).optional(),
    workspace: z.string().max(200).optional(),
    by: z
      .array(z.enum(['client', 'day']))
      .max(2)
      .default([]),
  }),
  auditVerify: z.object({}),
  /**
   * `proof`: the whole log as JSON lines with signatures and public key (docs/audit-format.md). `jsonl` and `csv`: the
   * records that the query finds, one a line, newest first.
   */
  auditExport: z.object({ as: z.enum(['proof', 'jsonl', 'csv']).default('proof'), ...auditQuery }),
  /** What takes long in the audit now, and how far it is. */
  auditState: z.object({}),
  /** Removes the beginning of the audit, once, now; the last day stays. The person confirms. */
  auditPurge: z.object(retention),
  /** The same once a day; both null: everything is kept. The person confirms what shortens it. */
  auditRetentionSet: z.object(retention),

  sinksList: z.object({}),
  /** Every entry of the audit is sent there from now on, so the person confirms it. */
  sinkAdd: z.object({
    name: upstreamName,
    target: sinkTarget,
    /** `start`: everything there is, then what comes. `now`: what comes. */
    from: z.enum(['start', 'now']).default('start'),
    /** PostgreSQL: `password`. OTLP: each secret header by its name. */
    secrets,
  }),
  sinkRemove: z.object({ sink: id }),
  /** Reaches the other side now, delivers nothing, and says what it found. */
  sinkTest: z.object({ sink: id }),
  sinkPause: z.object({ sink: id }),
  sinkResume: z.object({ sink: id }),

  /** How to connect clients: endpoint and ready-to-paste lines. */
  connectLines: z.object({}),
  /** A one-time dashboard link; headless only. */
  dashboardLink: z.object({}),
} as const;

export type RequestName = keyof typeof API;
export type RequestInput<N extends RequestName> = z.input<(typeof API)[N]>;
export type RequestArguments<N extends RequestName> = z.output<(typeof API)[N]>;

/** How one client is connected; `<key>` in `text` is what `keys create` printed. */
export interface ConnectLine {
  readonly client: string;
  readonly text: string;
  /** The same without a key, for a client that signs in by itself; null where it cannot. */
  readonly withoutKey: string | null;
}

/** `done`, or why not in one sentence a person can act on. */
export type Done<T = object> = ({ readonly kind: 'done' } & T) | Refused;
export interface Refused {
  readonly kind: 'refused';
  /** What happened and what to do, in one or two sentences. */
  readonly message: string;
  /** Where in the input, for text input such as YAML. */
  readonly line?: number;
  readonly column?: number;
}

export interface Found {
  readonly tool: ToolView;
  readonly upstream: string;
  readonly score: number;
  readonly decision: Decision;
}

/** What became of one of several. */
export interface AnswerOf {
  readonly approval: string;
  readonly answer: Done;
}

export interface RequestResults {
  status: StatusView;
  workspacesList: readonly Workspace[];
  workspaceCreate: Done<{ workspace: Workspace }>;
  workspaceRename: Done;
  workspaceRemove: Done;
  clientsList: readonly ClientView[];
  clientSet: Done<{ client: ClientView }>;
  keyCreate: Done<{ secret: string; key: Key; client: ClientView }>;
  keyRevoke: Done;
  keyRotate: Done<{ secret: string; key: Key }>;
  upstreamsList: readonly UpstreamView[];
  upstreamAdd: Done<{ upstream: UpstreamView }>;
  upstreamChange: Done<{ upstream: UpstreamView }>;
  upstreamConfirm: Done<{ upstream: UpstreamView }>;
  upstreamRemove: Done;
  upstreamEnable: Done;
  upstreamDisable: Done;
  upstreamRefresh: Done<{ upstream: UpstreamView }>;
  upstreamRestart: Done<{ upstream: UpstreamView }>;
  upstreamLogs: { readonly lines: readonly string[] };
  upstreamSignIn: Done<{ upstream: UpstreamView }>;
  /** `lost`: what is to be entered again, in words. */
  secretsBeginAnew: Done<{ lost: readonly string[] }>;
  connectionsList: readonly ConnectionView[];
  connectionRename: Done<{ connection: ConnectionView }>;
  /** `note`: what the vendor did not do; null: it ended the grant, or none of its was to be ended. */
  connectionSignOut: Done<{ connection: ConnectionView; note: string | null }>;
  connectionRemove: Done<{ note: string | null }>;
  connectionDefault: Done<{ connection: ConnectionView }>;
  signInStart: Done<{ signIn: SignInView }>;
  signInGet: Done<{ signIn: SignInView }>;
  signInsList: readonly SignInView[];
  signInChoose: Done<{ signIn: SignInView }>;
  signInClient: Done<{ signIn: SignInView }>;
  signInConfirm: Done<{ signIn: SignInView }>;
  /** `opened` false: there is no browser here; `link` is for the person to open. */
  signInOpen: Done<{ opened: boolean; link: string }>;
  signInCancel: Done;
  presetsList: readonly OAuthPreset[];
  toolsList: readonly ToolView[];
  toolsFind: { readonly found: readonly Found[]; readonly notes: readonly string[] };
  toolsReview: Done<{ accepted: number }>;
  policyGet: { readonly policy: Policy | null; readonly problem: string | null };
  policyExport: { readonly yaml: string };
  policyImport: Done<{ policy: Policy }>;
  policyReplay: Done<{ report: ReplayReport }>;
  /** Calls looked at so far. */
  policyReplayProgress: { readonly looked: number | null };
  policySuggestions: { readonly suggestions: readonly PolicySuggestion[] };
  policySuggestionApply: Done<{ rule: Rule }>;
  policySuggestionDismiss: Done;
  policyShadowStart: Done;
  policyShadowStop: Done;
  policyShadow: { readonly shadow: (ShadowView & { readonly report: ReplayReport }) | null };
  policyLint: Done<{ findings: readonly PolicyFinding[]; rules: number | null }>;
  policyDiff: Done<{ difference: PolicyDifference }>;
  policyDecide: Done<{ decision: Decision; explanation: Explanation }>;
  /** `changed`: false when it was so already. `note`: what the person must know all the same. */
  callsPause: Done<{ changed: boolean; note: string | null; pauses: readonly PauseView[] }>;
  callsResume: Done<{ changed: boolean; pauses: readonly PauseView[] }>;
  trustStart: Done<{ trust: TrustView }>;
  trustEnd: Done;
  approvalsList: readonly ApprovalView[];
  approvalApprove: Done;
  approvalDeny: Done;
  approvalsApproveMany: Done<{ answers: readonly AnswerOf[] }>;
  approvalsDenyMany: Done<{ answers: readonly AnswerOf[] }>;
  resultRelease: Done;
  resultWithhold: Done;
  standingList: readonly StandingApprovalView[];
  standingRevoke: Done;
  standingRevokeAll: Done<{ revoked: number }>;
  confirmationsList: readonly ConfirmationView[];
  confirmationAnswer: Done;
  auditList: AuditPage;
  auditExplain: Done<{ explained: ExplainedRecord }>;
  auditFigures: AuditFigures;
  auditVerify: VerifyReport;
  auditExport: { readonly path: string; readonly entries: number };
  auditState: { readonly work: AuditWork | null; readonly behind: number; readonly retention: RetentionView };
  /** `upTo`: the last entry that is gone; null with 0 entries: nothing was old enough, or too much. */
  auditPurge: Done<{ entries: number; upTo: number | null }>;
  auditRetentionSet: Done<{ retention: RetentionView }>;
  sinksList: readonly SinkView[];
  sinkAdd: Done<{ sink: SinkView }>;
  sinkRemove: Done;
  sinkTest: Done<{ message: string }>;
  sinkPause: Done<{ sink: SinkView }>;
  sinkResume: Done<{ sink: SinkView }>;
  connectLines: {
    readonly endpoint: string;
    readonly lines: readonly ConnectLine[];
    /** Why programs cannot sign in by themselves, with what to do; null: they can. */
    readonly signInOff: string | null;
  };
  dashboardLink: Done<{ link: string }>;
}

export type RequestResult<N extends RequestName> = RequestResults[N];

/** What the renderer holds: `window.gatehouse` in Electron, `renderer/bridge.ts` over HTTP in the dashboard. */
export interface Bridge {
  /** `desktop`: approving happens in the approval window. `dashboard`: it happens here, and the screen says what that means. */
  readonly surface: 'main-window' | 'approval-window' | 'dashboard';
  request<N extends RequestName>(name: N, input: RequestInput<N>): Promise<RequestResult<N>>;
  /** Calls `then` whenever the topic changed; returns the end of it. */
  subscribe(then: (topic: Topic) => void): () => void;
  /** Desktop main window only: opens the approval window on one card or confirmation. */
  review?(what: { readonly approval?: string; readonly confirmation?: string }): void;
}

/** Who makes a request. Only `approval-window` and `dashboard` answer approvals and confirmations. */
export type Origin = 'main-window' | 'approval-window' | 'notification' | 'dashboard' | 'cli';

const PERSON: readonly Origin[] = ['approval-window', 'dashboard'];

/** Requests that not every origin may make. Everything not named here is open to all four. */
export const ONLY: Partial<Record<RequestName, readonly Origin[]>> = {
  approvalApprove: [...PERSON, 'notification'],
  approvalDeny: [...PERSON, 'notification'],
  approvalsApproveMany: PERSON,
  approvalsDenyMany: PERSON,
  resultRelease: PERSON,
  resultWithhold: PERSON,
  confirmationAnswer: PERSON,
  // A browser is opened by a click alone (security.md I21).
  signInOpen: ['main-window', ...PERSON],
};
