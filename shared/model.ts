import type { SignIn } from './connections.ts';

/**
 * The nouns of Gatehouse, as every process sees them. Types only: whoever creates one parses it first.
 * All times are milliseconds since 1970 (`…At`), all spans milliseconds (`…Ms`), all ids opaque strings.
 */

/** `executor` lists and calls, `reader` only lists and finds, `admin` sees detailed health and nothing else. */
export type Role = 'executor' | 'reader' | 'admin';

/** What a call of a tool can do at worst. Confirmed by the person at review, proposed from annotations, never trusted from them. */
export type Risk = 'read' | 'write' | 'destructive';

/** What a rule does with the calls it matches. The most restrictive matching rule wins: deny, require_approval, allow. */
export type Effect = 'allow' | 'deny' | 'require_approval';

/** The protocol era of one request or one link: sessions with `initialize`, or stateless 2026-07-28. */
export type Era = 'legacy' | 'modern';

export interface Workspace {
  readonly id: string;
  /** As written in `/w/<slug>/mcp`: `[a-z0-9-]{1,32}`. */
  readonly slug: string;
  readonly name: string;
  readonly createdAt: number;
}

/** A program that calls us. */
export interface Client {
  readonly id: string;
  readonly workspaceId: string;
  /** The label the person gave. */
  readonly name: string;
  /** What the program says it is. Untrusted text. */
  readonly callsItself: string | null;
  readonly tags: readonly string[];
  /** Names of the only upstreams it may see; null means every upstream of its workspace. */
  readonly upstreams: readonly string[] | null;
  /** Which upstream tools stand in `tools/list`: none, those of upstreams with one of the tags, or `['*']` all. */
  readonly scopeTags: readonly string[];
  /** How long a parked call keeps its HTTP response open before it answers `approval_pending`. */
  readonly holdMs: number;
  readonly createdAt: number;
}

/** What a client presents. Only its hash is stored. */
export interface Key {
  readonly id: string;
  readonly clientId: string;
  readonly role: Role;
  /** The first characters of the key, enough to recognise it and useless to present. */
  readonly prefix: string;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
  readonly lastUsedAt: number | null;
  /** The program signed in by itself and a person said yes: nobody holds this key, it stands for the sign-in. */
  readonly signedIn: boolean;
}

export interface ClientView extends Client {
  readonly workspace: string;
  readonly keys: readonly Key[];
}

export type UpstreamTransport =
  | {
      readonly kind: 'stdio';
      readonly command: string;
      readonly args: readonly string[];
      /** Names of environment entries whose values are in the vault. */
      readonly secretEnv: readonly string[];
      readonly cwd: string | null;
    }
  | {
      readonly kind: 'http';
      readonly url: string /** Names of headers whose values are in the vault. */;
      readonly secretHeaders: readonly string[];
    }
  | { readonly kind: 'demo' };

/** One line of something that is not as the person confirmed it; null where there is no such line. May be untrusted text. */
export interface ChangedLine {
  readonly label: string;
  readonly confirmed: string | null;
  readonly now: string | null;
}

export type UpstreamStatus = 'disabled' | 'stopped' | 'starting' | 'ready' | 'failed';

/** Bounds of one upstream that a person can set; `shared/limits.ts` says between what. Spans in milliseconds. */
export interface SettableLimits {
  /** One call without an answer and without progress. */
  readonly callMs: number;
  /** One call, however much progress it reports. */
  readonly ceilingMs: number;
  /** Calls with the upstream at once. */
  readonly inFlight: number;
  /** Calls that wait for one of those to end. */
  readonly queued: number;
  /** One message of the upstream. */
  readonly messageBytes: number;
  /** One result, as it is passed on. */
  readonly resultBytes: number;
  /** Items of one list (tools, prompts, resources, templates), and pages it may come in. */
  readonly listItems: number;
  readonly listPages: number;
}

/** How an upstream is run, as the person set it. */
export interface UpstreamSettings {
  /** Whether it starts with Gatehouse or with the first call. */
  readonly start: 'at_start' | 'on_demand';
  /** A process that nobody called for so long is stopped until the next call; null: never. Processes only. */
  readonly idleStopMs: number | null;
  /** One process for everybody, or one for each session of a client. Processes only. */
  readonly share: 'shared' | 'per_client';
  /** The name in the address may lead to a private, local or link-local address. Addresses only. */
  readonly allowPrivate: boolean;
  /** The only era it is spoken to in; `auto` asks it which it speaks. Not of the demo. */
  readonly era: Era | 'auto';
  /** What was set; the rest is as usual. */
  readonly limits: Partial<SettableLimits>;
}

/** An MCP server we forward to, with what is known of it now. */
export interface UpstreamView {
  readonly id: string;
  readonly workspaceId: string;
  /** The person's short name for it, `[a-z0-9][a-z0-9-]{0,31}`: the only name agents see before review. */
  readonly name: string;
  readonly transport: UpstreamTransport;
  readonly tags: readonly string[];
  readonly enabled: boolean;
  readonly settings: UpstreamSettings;
  readonly signIn: SignIn;
  /** The limits in force. */
  readonly limits: SettableLimits;
  readonly status: UpstreamStatus;
  /** One sentence: why it is in this status. Our words; text of the server is quoted in `lastStderr` only. */
  readonly reason: string | null;
  /** It was changed on disk and waits for the person: every line of it, as it was confirmed and as it is; null: it was not. */
  readonly toConfirm: readonly ChangedLine[] | null;
  /** It asked for an account of the person's, and none is connected. */
  readonly needsSignIn: boolean;
  readonly era: Era | null;
  readonly pid: number | null;
  /** The absolute path that the command was resolved to, where it has run. */
  readonly resolvedCommand: string | null;
  readonly callsItself: string | null;
  readonly toolCount: number;
  readonly awaitingReview: number;
  /** What of its last lists cannot be used, one sentence each: agents see nothing of it. The server's names are quoted. */
  readonly leftOut: readonly string[];
  readonly lastStderr: readonly string[];
  readonly since: number;
}

/** What an upstream offers and the person reviews. */
export type DefinitionKind = 'tool' | 'prompt' | 'resource_template';

/** A definition exactly as an upstream sent it. Members we do not know are kept. Untrusted text throughout. */
export interface Definition {
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly [member: string]: unknown;
}

export interface ToolDefinition extends Definition {
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly outputSchema?: Readonly<Record<string, unknown>>;
  readonly annotations?: Readonly<Record<string, unknown>>;
}

export interface PromptDefinition extends Definition {
  readonly arguments?: readonly Readonly<Record<string, unknown>>[];
}

export interface ResourceTemplateDefinition extends Definition {
  readonly uriTemplate: string;
  readonly annotations?: Readonly<Record<string, unknown>>;
}

/**
 * `awaiting_review`: never accepted by the person, agents see nothing of it. `reviewed`: callable. `changed`: the upstream
 * now says something else than what was reviewed; agents keep the old text and calls answer `tool_changed`. `gone`: the
 * upstream no longer lists it.
 */
export type ToolState = 'awaiting_review' | 'reviewed' | 'changed' | 'gone';

/** A tool, a prompt or a resource template as the person sees it. */
export interface ToolView {
  readonly upstreamId: string;
  readonly upstream: string;
  readonly kind: DefinitionKind;
  /** The tool's or prompt's own name; the URI template of a resource template. Unique within upstream and kind. */
  readonly name: string;
  /** Null for resource templates: agents know them by their URIs. */
  readonly exposedName: string | null;
  readonly state: ToolState;
  /** Confirmed risk when reviewed, proposed risk before. */
  readonly risk: Risk;
  readonly proposedRisk: Risk;
  readonly fingerprint: string;
  /** What was reviewed; null when nothing was. */
  readonly reviewed: Definition | null;
  /** What waits for review; null when nothing does. */
  readonly offered: Definition | null;
  /** Precise warnings about the offered text (hidden characters, bidi controls …). */
  readonly flags: readonly string[];
}

/**
 * What asks for a decision: a call of a tool, a prompt, a read of a resource, or what an upstream asks of the client
 * (a model's answer, an answer of the person).
 */
export type CallKind = 'tool' | 'prompt' | 'resource' | 'sampling' | 'elicitation';

/** Every condition of one rule; a rule matches when all given members match. Of a list, one entry is enough. */
export interface RuleMatch {
  /** Names of workspaces, globs allowed: one file may then serve several. */
  readonly workspace?: readonly string[];
  /** Names of upstreams, globs allowed. */
  readonly upstream?: readonly string[];
  /** Upstream tags; one must be on the upstream. */
  readonly tag?: readonly string[];
  /** Labels of the account the call goes out with, globs allowed; `none` where there is no account. */
  readonly connection?: readonly string[];
  readonly kind?: readonly CallKind[];
  /** Globs over the own name of the tool or prompt, or over the URI of the resource. */
  readonly tool?: readonly string[];
  readonly risk?: readonly Risk[];
  /** Beginnings of the fingerprint of the definition, in hex. */
  readonly fingerprint?: readonly string[];
  readonly state?: readonly ToolState[];
  /** Labels of clients, globs allowed. */
  readonly client?: readonly string[];
  /** Client tags; one must be on the client. */
  readonly clientTag?: readonly string[];
  /** Globs over the id of the key, or over its prefix. */
  readonly key?: readonly string[];
  /** Globs over the label of the session, as the audit shows it; `none` where there is no session. */
  readonly session?: readonly string[];
  readonly time?: readonly TimeWindow[];
  readonly arguments?: Condition;
}

export type Weekday = 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun';

/** A span of the day. Where `to` is before `from` it reaches over midnight and belongs to the day it begins on. */
export interface TimeWindow {
  /** Left out: every day. */
  readonly days?: readonly Weekday[];
  /** `HH:MM`, included; left out: the beginning of the day. */
  readonly from?: string;
  /** `HH:MM`, not included, up to `24:00`; left out: the end of the day. */
  readonly to?: string;
  /** An IANA time zone; left out or `local`: the machine's own. */
  readonly zone?: string;
}

export type Comparison =
  | 'eq'
  | 'neq'
  | 'gt'
  | 'gte'
  | 'lt'
  | 'lte'
  | 'in'
  | 'notIn'
  | 'contains'
  | 'startsWith'
  | 'endsWith'
  | 'matches'
  | 'exists';

export type Condition =
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition }
  | ComparisonCondition;

export interface ComparisonCondition {
  /** JSON pointer into the arguments, `''` is the whole. */
  readonly field: string;
  readonly op: Comparison;
  readonly value?: unknown;
}

/** Whose calls are counted together. */
export type RateLimitScope = 'client' | 'upstream' | 'tool' | 'all';

export interface RateLimit {
  /** How many calls may be forwarded within any span of `per`. */
  readonly calls: number;
  /** A whole number and `s`, `m`, `h` or `d`. */
  readonly per: string;
  readonly by: RateLimitScope;
}

/** Patterns that Gatehouse knows by a name. */
export type KnownPattern = 'secrets' | 'emails' | 'card_numbers';

/**
 * What is taken out. `field`: a JSON pointer in which the step `*` is every member and item; `pattern`: RE2, found anywhere
 * in any text. The type of what is taken out stays: `"[redacted]"`, 0, false, `{}`, `[]`.
 */
export type Redaction = { readonly field: string } | { readonly pattern: string } | { readonly name: KnownPattern };

/** What a result is held for: every result, one in which something is found, or one that fits a comparison. */
export type HoldTest = { readonly always: true } | Redaction | ComparisonCondition;

/** What a rule does to the calls it matches besides its effect. */
export interface Modifiers {
  readonly rateLimit?: RateLimit;
  /** Taken out of the arguments before anybody sees them: what is shown, hashed and forwarded is what is left. */
  readonly redactArgs?: readonly Redaction[];
  /** Taken out of the result before the agent gets it. */
  readonly redactResult?: readonly Redaction[];
  /** A result in which one of these is found is shown to the person before the agent gets it. */
  readonly holdResult?: readonly HoldTest[];
}

export interface Rule extends Modifiers {
  readonly name: string;
  /** Left out: the rule only modifies the calls it matches. */
  readonly effect?: Effect;
  readonly match: RuleMatch;
  /** Goes to the agent with the rule's name. */
  readonly reason?: string;
}

/** The modifiers of one matching rule. */
export interface RuleModifiers extends Modifiers {
  readonly rule: string;
  /** The rule's own, for the agent. */
  readonly reason?: string;
}

export interface Policy {
  readonly defaultEffect: Effect;
  readonly rules: readonly Rule[];
}

/** Effect, the rule that determined it (null: the default effect, or no policy) and the reason in a sentence. */
export interface Decision {
  readonly effect: Effect;
  readonly rule: string | null;
  readonly reason: string;
  /** Id of the standing approval that satisfied `require_approval`, when one did. */
  readonly standing: string | null;
  /** Id of the trust in the client that did, where it was that. */
  readonly trust?: string;
  /** What the matching rules do to the call besides, by rule name; left out: nothing. */
  readonly modifiers?: readonly RuleModifiers[];
}

/** A rule that the person's own answers suggest: always yes to one tool of one client, or always no. */
export interface PolicySuggestion {
  readonly id: string;
  readonly effect: 'allow' | 'deny';
  readonly clientId: string;
  readonly client: string;
  readonly upstream: string;
  readonly tool: string;
  readonly kind: CallKind;
  /** How often it was answered so; the other way never. */
  readonly times: number;
  readonly since: number;
  readonly rule: Rule;
  /** How many of the latest calls of this tool by this client the policy would decide otherwise with the rule in it. */
  readonly replay: { readonly calls: number; readonly changed: number };
  /** The same for calls whose arguments have in common what all of them had. */
  readonly narrower: Rule | null;
}

/** What a shadow said of a call; the policy decided it. */
export interface ShadowDecision {
  /** Which run of a shadow. */
  readonly id: string;
  readonly effect: Effect;
  readonly rule: string | null;
}

/** A draft that is asked about every call beside the policy, and never heard. */
export interface ShadowView {
  readonly yaml: string;
  readonly startedAt: number;
  readonly by: string;
}

/** What became of a call by its policy; `rate_limited`: a rule let it run, and another had let too many run already. */
export type ReplayOutcome = Effect | 'rate_limited';

/** A call of the audit, as it was decided and as a draft would have decided it. */
export interface ReplayedCall {
  readonly requestId: string;
  readonly at: number;
  readonly client: string;
  readonly upstream: string;
  readonly tool: string;
  readonly kind: CallKind;
  readonly risk: Risk;
  /** Redacted, and the beginning only. */
  readonly argumentsText: string;
  readonly before: { readonly outcome: ReplayOutcome; readonly rule: string | null };
  readonly after: { readonly outcome: ReplayOutcome; readonly rule: string | null };
  /** Why `after` is not certain; null: it is. */
  readonly cannotTell: string | null;
}

/** What a draft policy would have done with calls of the audit. */
export interface ReplayReport {
  readonly calls: number;
  /** Times of the oldest and the newest of them. */
  readonly from: number | null;
  readonly to: number | null;
  readonly same: number;
  readonly changed: number;
  readonly cannotTell: number;
  /** The changes by what they change, the most frequent first. */
  readonly steps: readonly { readonly before: ReplayOutcome; readonly after: ReplayOutcome; readonly calls: number }[];
  /** To how many calls the modifiers of the draft would have applied. */
  readonly modified: { readonly redactArgs: number; readonly redactResult: number; readonly holdResult: number };
  /** Newest first; fewer than `changed` where so many were not asked for. */
  readonly changes: readonly ReplayedCall[];
  readonly untold: readonly ReplayedCall[];
}

/** Of a rule that was considered: what of it matched, what did not, and whether it counted. */
export interface RuleExplanation {
  readonly rule: string;
  readonly effect: Effect | null;
  readonly modifiers: readonly (keyof Modifiers)[];
  /** `unknown`: it cannot be told, which counts against the call. */
  readonly matched: boolean | 'unknown';
  /** This rule determined the effect. */
  readonly decided: boolean;
  /** Its modifiers apply to the call. */
  readonly applied: boolean;
  /** Every member of its match, and every comparison of its condition, with what was wanted and what was there. */
  readonly members: readonly MemberExplanation[];
}

export interface MemberExplanation {
  /** `upstream`, `time` …; for a comparison `arguments/<field>`. */
  readonly member: string;
  readonly matched: boolean | 'unknown';
  /** As the rule has it, in words: `delete_*`, `gt 100`. */
  readonly wanted: string;
  /** As the call had it, in words, cut. Untrusted text. */
  readonly actual: string;
}

/** Why a call was decided as it was. */
export interface Explanation {
  readonly decision: Decision;
  readonly defaultEffect: Effect | null;
  /** False: what cannot be told of the call could have changed the effect. */
  readonly certain: boolean;
  /** Every rule, in the order in which they are considered. */
  readonly rules: readonly RuleExplanation[];
}

/** Why a recorded call was decided as it was, as far as its record can tell. */
export interface ExplainedRecord {
  readonly requestId: string;
  /** What the record says was decided. */
  readonly recorded: { readonly effect: Effect; readonly rule: string | null; readonly standing: string | null };
  /** `then`: by the policy that decided; `now`: by the one in force, because that one is no longer known. */
  readonly by: 'then' | 'now';
  /** Which of the two that is: number of its save and digits of its SHA-256. */
  readonly policy: string;
  readonly explanation: Explanation;
  /** Sentences: what the record does not hold, and where the explanation is not what was decided. */
  readonly notes: readonly string[];
}

/** What `policy lint` says of one place of a policy. Line and column from 1. */
export interface PolicyFinding {
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

/** What differs between two policies, whatever the order of rules and of what stands in lists. */
export interface PolicyDifference {
  /** Null where it stays; `before` is null where there was no policy. */
  readonly defaultEffect: { readonly before: Effect | null; readonly after: Effect } | null;
  /** By name. */
  readonly rules: readonly RuleDifference[];
}

export interface RuleDifference {
  readonly rule: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** As JSON on one line; null where it is not there. A member of the match is told as `match.tool`. */
  readonly members: readonly {
    readonly member: string;
    readonly before: string | null;
    readonly after: string | null;
  }[];
}

export type ApprovalState = 'waiting' | 'approved' | 'redeemed' | 'denied' | 'expired' | 'cancelled';

/** The last call of a tool by the same client that a person approved. */
export interface PreviousCall {
  readonly at: number;
  /** The exact text that was approved; null when it was too long to be kept. Never on disk, and forgotten at quit. */
  readonly argumentsText: string | null;
}

/** A call that waits for a person, as the card shows it. */
export interface ApprovalView {
  readonly id: string;
  readonly requestId: string;
  /** The same for calls of one client to one tool: those that wait together are one card. */
  readonly group: string;
  readonly workspace: string;
  readonly clientId: string;
  readonly client: string;
  readonly callsItself: string | null;
  /** The session of the client as the audit names it; null where each call stands alone. */
  readonly session: string | null;
  readonly upstream: string;
  readonly connection: string | null;
  readonly tool: string;
  readonly title: string | null;
  readonly risk: Risk;
  readonly fingerprint: string;
  readonly rule: string | null;
  readonly reason: string;
  /** The exact text of the arguments, byte for byte what will be forwarded. */
  readonly argumentsText: string;
  readonly argumentsSha256: string;
  /** Whether the person may change the arguments before they say yes. */
  readonly editable: boolean;
  /** Of the arguments that the person put in place of these; null when they are as they came. */
  readonly editedSha256: string | null;
  readonly previous: PreviousCall | null;
  /** Set where the call has run, and its result waits to be released or withheld. */
  readonly held: { readonly resultText: string; readonly resultSha256: string } | null;
  readonly state: ApprovalState;
  readonly callerLeft: boolean;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly decidedAt: number | null;
  readonly decidedBy: string | null;
  readonly denyReason: string | null;
}

/**
 * How long a yes lasts beyond this one call. Always bound to client, upstream, connection, tool and fingerprint; `values`
 * also to the values of some of its arguments.
 */
export type StandingScope = 'once' | 'session' | 'minutes15' | 'tool' | 'values';

/** One argument that must have the value it had when the person said yes. */
export interface PinView {
  /** JSON pointer into the arguments; `''` is the whole. */
  readonly pointer: string;
  /** The value as JSON, without what looks like a secret. */
  readonly shown: string;
}

export interface StandingApprovalView {
  readonly id: string;
  readonly clientId: string;
  readonly client: string;
  readonly upstream: string;
  readonly connection: string | null;
  readonly tool: string;
  readonly fingerprint: string;
  readonly scope: Exclude<StandingScope, 'once'>;
  /** Of scope `values` alone: all of them must hold. */
  readonly pins: readonly PinView[];
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly usedCount: number;
}

/**
 * An administrative act that widens access and waits for the person (a key, an upstream's command, a review, a policy,
 * a standing approval). `lines` are label and exact value, with what it was `before` where it replaces something; all
 * three may be untrusted text.
 */
export interface ConfirmationView {
  readonly id: string;
  readonly kind:
    | 'upstream'
    | 'review'
    | 'policy'
    | 'key'
    | 'client'
    | 'client_sign_in'
    | 'standing_approval'
    | 'dashboard'
    | 'resume'
    | 'trust'
    | 'audit'
    | 'secrets'
    | 'sink';
  readonly title: string;
  readonly lines: readonly { readonly label: string; readonly value: string; readonly before?: string }[];
  readonly requestedBy: string;
  readonly createdAt: number;
  readonly expiresAt: number;
}

export type AuditPhase = 'asked' | 'forwarded' | 'ended' | 'event';

/** One entry of the audit as the audit screen shows it. A call's record is its entries with one `requestId`. */
export interface AuditEntryView {
  readonly seq: number;
  readonly at: number;
  readonly phase: AuditPhase;
  /** `tool_call`, or the event: `key_created`, `host_rejected`, `upstream_added`, `chain_started` … */
  readonly kind: string;
  readonly requestId: string | null;
  readonly workspace: string | null;
  readonly clientId: string | null;
  readonly client: string | null;
  readonly keyPrefix: string | null;
  readonly upstream: string | null;
  readonly tool: string | null;
  readonly effect: Effect | null;
  readonly rule: string | null;
  /** `answered`, `refused`, `failed`, `interrupted` … */
  readonly outcome: string | null;
  readonly errorClass: string | null;
  /** Everything else of the entry: arguments (redacted), digests, durations, approval. */
  readonly detail: Readonly<Record<string, unknown>>;
  readonly hash: string;
}

/** One call, or one administrative act, as the audit screen lists it: its entries joined. Null: not known, or not of this kind. */
export interface AuditRecordView {
  readonly requestId: string;
  readonly at: number;
  readonly workspace: string | null;
  readonly clientId: string | null;
  readonly client: string | null;
  readonly keyPrefix: string | null;
  /** First characters of the SHA-256 of the session's id. */
  readonly session: string | null;
  readonly era: Era | null;
  readonly upstream: string | null;
  readonly connection: string | null;
  readonly tool: string | null;
  readonly kind: string;
  readonly risk: Risk | null;
  readonly fingerprint: string | null;
  readonly effect: Effect | null;
  readonly rule: string | null;
  /** Why it was decided so. */
  readonly reason: string | null;
  /** Id of the standing approval that satisfied `require_approval`. */
  readonly standing: string | null;
  /** How the person answered (`approved`, `denied`, `expired` …), and where. */
  readonly approval: string | null;
  readonly approvedBy: string | null;
  /** The person changed the arguments before approving. */
  readonly edited: boolean;
  readonly outcome: string | null;
  readonly errorClass: string | null;
  readonly errorCode: number | null;
  readonly totalMs: number | null;
  readonly upstreamMs: number | null;
  /** How long it waited for the person. */
  readonly waitedMs: number | null;
  /** Of the exact arguments, before anything was redacted or cut. */
  readonly argumentsBytes: number | null;
  readonly argumentsSha256: string | null;
  readonly resultBytes: number | null;
  readonly resultSha256: string | null;
  readonly entries: readonly AuditEntryView[];
}

/** One page of records, newest first. */
export interface AuditPage {
  readonly records: readonly AuditRecordView[];
  /** What to give as `before` for the next page; null after the last. */
  readonly nextBefore: number | null;
  /** Entries that are written and not searchable yet, because the index is being made anew; 0 nearly always. */
  readonly behind: number;
}

/** How long the audit is kept. Null: no such bound. */
export interface RetentionView {
  readonly olderThanMs: number | null;
  readonly keepBytes: number | null;
  /** When it was last applied; it is once a day while Gatehouse runs. */
  readonly appliedAt: number | null;
}

/** What takes long in the audit now. */
export interface AuditWork {
  readonly what: 'verify' | 'export' | 'figures';
  readonly done: number;
  /** Null: not known before it is done. */
  readonly of: number | null;
}

/** Counts of calls; each list has the most frequent first. */
export interface CallFigures {
  /** Calls of tools, gets of prompts, reads of resources and completions. */
  readonly calls: number;
  /** As the policy decided; `none`: it ended before its turn. */
  readonly decisions: Readonly<Record<Effect | 'none', number>>;
  readonly outcomes: readonly { readonly outcome: string; readonly calls: number }[];
  /** How the person, or nobody, answered those that waited. */
  readonly approvals: readonly { readonly answer: string; readonly calls: number }[];
  /** From the question to the person's answer; null when nobody answered any. */
  readonly waiting: { readonly calls: number; readonly medianMs: number; readonly p95Ms: number } | null;
  readonly errorClasses: readonly { readonly errorClass: string; readonly calls: number }[];
  /** The busiest ten. */
  readonly tools: readonly { readonly upstream: string; readonly tool: string; readonly calls: number }[];
}

/**
 * What listing tools lazily kept out of contexts. Bytes are those of the definitions as JSON, summed over the answers.
 * Once for each answer to `tools/list`: what a client sends to its model again with every turn is not counted again.
 */
export interface ExposureFigures {
  /** Answers to `tools/list` of the whole endpoint, and what was in them, our own five tools included. */
  readonly lists: number;
  readonly listedBytes: number;
  /** What they would have held with every tool in them that the client may see and that no rule always denies. */
  readonly wholeBytes: number;
  /** Results of `find_tools`, which bring definitions into the context as well. */
  readonly finds: number;
  readonly foundBytes: number;
  /** `wholeBytes - listedBytes - foundBytes`; may be less than nothing. */
  readonly savedBytes: number;
  /** An estimate: four bytes a token. */
  readonly savedTokensAbout: number;
}

export interface FigureGroup extends CallFigures {
  /** Null where figures are not told apart by client, or nobody known called. */
  readonly clientId: string | null;
  readonly client: string | null;
  /** `2026-11-20`, by the calendar of the machine that Gatehouse runs on; null where not told apart by day. */
  readonly day: string | null;
  readonly exposure: ExposureFigures;
}

export interface AuditFigures {
  readonly total: CallFigures & { readonly exposure: ExposureFigures };
  /** Newest day first, then busiest first. */
  readonly groups: readonly FigureGroup[];
  /** Entries that are written and not counted yet. */
  readonly behind: number;
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly entries: number;
  readonly firstSeq: number | null;
  readonly lastSeq: number | null;
  readonly head: string | null;
  /** The first sequence number at which something is wrong. */
  readonly badSeq: number | null;
  readonly problem: string | null;
  /** What the signature rests on: `keychain`, or `file` (weaker, and said so). */
  readonly signingKey: 'keychain' | 'file' | 'none';
  readonly publicKey: string | null;
  readonly notes: readonly string[];
}

/** Calls that are refused with `paused` until somebody resumes them. */
export interface PauseView {
  /** Null, like its name: every client. */
  readonly clientId: string | null;
  readonly client: string | null;
  /** Who paused: `dashboard`, `command line`, `tray` … */
  readonly by: string;
  readonly since: number;
}

/** For how many minutes everything from one client may be allowed. */
export type TrustMinutes = 5 | 15 | 60;

/** Everything from one client runs without asking, except what is destructive or denied. */
export interface TrustView {
  readonly id: string;
  readonly clientId: string;
  readonly client: string;
  /** Who started it. */
  readonly by: string;
  readonly minutes: TrustMinutes;
  readonly startedAt: number;
  readonly expiresAt: number;
  readonly usedCount: number;
}

/** Where the audit is delivered to besides its own file. Nothing of it is secret: values are in the vault. */
export type SinkTarget =
  | {
      readonly kind: 'otlp';
      /** The whole address that logs are posted to, such as `https://collector.example/v1/logs`. */
      readonly url: string;
      /** Names of headers whose values are in the vault. */
      readonly secretHeaders: readonly string[];
    }
  | {
      readonly kind: 'postgres';
      /** A host, or the folder of a Unix socket. */
      readonly host: string;
      readonly port: number;
      readonly database: string;
      readonly user: string;
      /** `name` or `schema.name`. */
      readonly table: string;
      /** `verify`: encrypted, and the certificate is checked. `off` only on this machine. */
      readonly tls: 'verify' | 'off';
      /** A PEM file of the authority that signed the server's certificate; null: those that Node trusts. */
      readonly caFile: string | null;
      /** Whether a password is in the vault. */
      readonly password: boolean;
    }
  | {
      readonly kind: 'jsonl';
      readonly path: string;
      /** A file that has grown to this is set aside as `<path>.1`. */
      readonly maxBytes: number;
      /** So many files set aside are kept; the oldest goes. */
      readonly keep: number;
    };

/** `stopped`: Gatehouse does not run, or the worker that delivers is being started again. */
export type SinkState = 'delivering' | 'up_to_date' | 'failing' | 'paused' | 'stopped';

/** A place that every audit entry is delivered to, at least once and in order. */
export interface SinkView {
  readonly id: string;
  readonly name: string;
  readonly target: SinkTarget;
  readonly state: SinkState;
  /** Why it fails, in a sentence. */
  readonly reason: string | null;
  readonly failingSince: number | null;
  readonly nextTryAt: number | null;
  /** Every entry up to this one is acknowledged by the other side. */
  readonly deliveredSeq: number;
  /** The last entry of the audit that is durable. */
  readonly headSeq: number;
  readonly waiting: number;
  readonly deliveredAt: number | null;
  /** Entries that never got there: removed by retention before they were delivered, or refused for good. */
  readonly missed: number;
  readonly createdAt: number;
}

export interface StatusView {
  readonly version: string;
  readonly mode: 'desktop' | 'headless';
  readonly endpoint: string;
  readonly healthy: boolean;
  /** Sentences the person must read: unattended, audit not writable, keychain locked, log does not verify … */
  readonly banners: readonly string[];
  readonly waiting: number;
  readonly pauses: readonly PauseView[];
  readonly trusts: readonly TrustView[];
  /** What was sealed with a key that is gone, in words; null while the key is not lost. */
  readonly secretsLost: readonly string[] | null;
  readonly dataFolder: string;
}

/** Topics of the live stream: what to ask for again. */
export type Topic =
  | 'status'
  | 'approvals'
  | 'confirmations'
  | 'tools'
  | 'upstreams'
  | 'audit'
  | 'clients'
  | 'policy'
  | 'sinks'
  | 'connections';
