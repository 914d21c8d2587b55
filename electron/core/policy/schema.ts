import { z } from 'zod';
import type { CallKind, Condition, Effect, Policy, RateLimitScope, Rule, ToolState } from '../../../shared/model.ts';
import { parseCondition } from './condition-schema.ts';
import { MODIFIERS } from './decide.ts';
import { MAX_GLOB } from './glob.ts';
import { type ParsedEntry, parseHoldTest, parseRedaction } from './modifier-schema.ts';
import { nearest } from './nearest.ts';
import { spanMs } from './span.ts';
import { isZone, WEEKDAYS } from './time-window.ts';
import type { Pointed } from './yaml-document.ts';

/** What is wrong with a policy, in one sentence, and where. */
export type PolicyFault = Pointed;

export type ParsedPolicy =
  | { readonly kind: 'parsed'; readonly policy: Policy }
  | { readonly kind: 'faulty'; readonly faults: readonly [PolicyFault, ...PolicyFault[]] };

/** The one door for policies, from YAML and from the database. Words of other gateways are taken for ours here. */
export function parsePolicy(value: unknown): ParsedPolicy {
  const parsed = policySchema.safeParse(value, { reportInput: true });
  if (parsed.success) return { kind: 'parsed', policy: parsed.data };
  const [first, ...rest] = parsed.error.issues.flatMap(faultsOf);
  return {
    kind: 'faulty',
    faults: first ? [first, ...rest] : [{ message: 'The policy cannot be read.', path: [], on: 'value' }],
  };
}

const MAX_RULES = 500;

const EFFECTS = ['allow', 'deny', 'require_approval'] as const satisfies readonly Effect[];
const KINDS = ['tool', 'prompt', 'resource', 'sampling', 'elicitation'] as const satisfies readonly CallKind[];
const RISKS = ['read', 'write', 'destructive'] as const;
const STATES = ['awaiting_review', 'reviewed', 'changed', 'gone'] as const satisfies readonly ToolState[];
const SCOPES = ['client', 'upstream', 'tool', 'all'] as const satisfies readonly RateLimitScope[];
/** Most calls that a limit may count: it remembers when each was. */
const MAX_CALLS = 10_000;
/** Longest time over which calls are counted. */
const MAX_SPAN_MS = 86_400_000;

/** How Waxell, Authensor and others call the same effects. */
const EFFECT_ALIASES: Readonly<Record<string, Effect>> = {
  review: 'require_approval',
  escalate: 'require_approval',
  ask: 'require_approval',
  block: 'deny',
};

const MEMBERS = {
  policy: ['defaultEffect', 'rules'],
  rule: ['name', 'effect', 'match', ...MODIFIERS, 'reason'],
  match: [
    'workspace',
    'upstream',
    'tag',
    'connection',
    'kind',
    'tool',
    'risk',
    'fingerprint',
    'state',
    'client',
    'clientTag',
    'key',
    'session',
    'time',
    'arguments',
  ],
  time: ['days', 'from', 'to', 'zone'],
  rateLimit: ['calls', 'per', 'by'],
} as const;

/** An effect, in our words or in those of other gateways. */
export const effectSchema = z.preprocess((word) => {
  if (typeof word !== 'string') return word;
  const plain = word.toLowerCase();
  return EFFECT_ALIASES[plain] ?? plain;
}, z.enum(EFFECTS));

const glob = z.string().min(1).max(MAX_GLOB);

/** One value may stand without its list. */
function listOf<T extends z.ZodType>(item: T) {
  return z.preprocess(
    (value) => (typeof value === 'string' || isRecord(value) ? [value] : value),
    z.array(item).min(1).max(256).readonly(),
  );
}

const time = z
  .strictObject({
    days: listOf(z.enum(WEEKDAYS)).optional(),
    from: z
      .string()
      .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'write it as "09:00"')
      .optional(),
    to: z
      .string()
      .regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, 'write it as "17:30", at most "24:00"')
      .optional(),
    zone: z.string().refine(isZone, 'it is "local" or a time zone such as Europe/Berlin').optional(),
  })
  .superRefine(({ from = '00:00', to = '24:00' }, context) => {
    if (from !== to) return;
    context.addIssue({
      code: 'custom',
      message: '"from" and "to" are the same time; leave both out for the whole day.',
      path: ['to'],
    });
  })
  .readonly();

const rateLimit = z
  .strictObject({
    calls: z.number().int().min(1).max(MAX_CALLS),
    per: z.string().refine((per) => within(spanMs(per)), 'write it as 30s, 5m, 1h or 1d, at most one day'),
    by: z.enum(SCOPES).default('client'),
  })
  .readonly();

function within(ms: number | null): boolean {
  return ms !== null && ms <= MAX_SPAN_MS;
}

/** One value may stand without its list here too. */
function entriesOf<T>(parse: (value: unknown) => ParsedEntry<T>) {
  const entry = z.unknown().transform((value, context): T => {
    const parsed = parse(value);
    if (parsed.kind === 'parsed') return parsed.entry;
    for (const { message, path, on } of parsed.faults) {
      context.addIssue({ code: 'custom', message, path: [...path], params: { on } });
    }
    return z.NEVER;
  });
  return z.preprocess(
    (value) => (isRecord(value) ? [value] : value),
    z.array(entry).min(1).max(MAX_ENTRIES).readonly(),
  );
}

/** Redactions of one rule: each pattern is searched for in everything. */
const MAX_ENTRIES = 32;

const condition = z.unknown().transform((value, context): Condition => {
  const parsed = parseCondition(value);
  if (parsed.kind === 'parsed') return parsed.condition;
  for (const { message, path, on } of parsed.faults) {
    context.addIssue({ code: 'custom', message, path: [...path], params: { on } });
  }
  return z.NEVER;
});

const match = z
  .strictObject({
    workspace: listOf(glob).optional(),
    upstream: listOf(glob).optional(),
    tag: listOf(z.string().min(1).max(80)).optional(),
    connection: listOf(glob).optional(),
    kind: listOf(z.enum(KINDS)).optional(),
    tool: listOf(glob).optional(),
    risk: listOf(z.enum(RISKS)).optional(),
    fingerprint: listOf(
      z.string().regex(/^[0-9a-f]{8,64}$/, 'it is the beginning of a fingerprint, 8 to 64 hex digits'),
    ).optional(),
    state: listOf(z.enum(STATES)).optional(),
    client: listOf(glob).optional(),
    clientTag: listOf(z.string().min(1).max(80)).optional(),
    key: listOf(glob).optional(),
    session: listOf(glob).optional(),
    time: listOf(time).optional(),
    arguments: condition.optional(),
  })
  .readonly();

const rule = z
  .strictObject({
    name: z
      .string()
      .trim()
      .min(1)
      .max(80)
      .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u, 'a name is one line of visible characters'),
    effect: effectSchema.optional(),
    match,
    rateLimit: rateLimit.optional(),
    redactArgs: entriesOf(parseRedaction).optional(),
    redactResult: entriesOf(parseRedaction).optional(),
    holdResult: entriesOf(parseHoldTest).optional(),
    reason: z.string().trim().max(500).optional(),
  })
  .superRefine((written, context) => {
    if (written.effect !== undefined || MODIFIERS.some((name) => written[name] !== undefined)) return;
    const message = `A rule has an effect (${EFFECTS.join(', ')}) or a modifier (${MODIFIERS.join(', ')}); this one has none.`;
    context.addIssue({ code: 'custom', message, path: ['effect'] });
  })
  .readonly();

const policySchema: z.ZodType<Policy> = z
  .strictObject({
    defaultEffect: effectSchema,
    rules: z.array(rule).max(MAX_RULES).superRefine(namesDiffer).readonly(),
  })
  .readonly();

/** The audit and the agent know a rule by its name alone. */
function namesDiffer(rules: readonly Rule[], context: z.RefinementCtx<readonly Rule[]>): void {
  const seen = new Set<string>();
  for (const [index, { name }] of rules.entries()) {
    if (seen.has(name)) {
      context.addIssue({
        code: 'custom',
        message: `Two rules are called "${name}"; give each its own name.`,
        path: [index, 'name'],
      });
    }
    seen.add(name);
  }
}

function faultsOf(issue: z.core.$ZodIssue): readonly PolicyFault[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ message: unknownMember(key, path), path: [...path, key], on: 'key' }));
  }
  const on = issue.code === 'custom' && issue.params?.on === 'key' ? 'key' : 'value';
  return [{ message: sentence(issue, path), path, on }];
}

function unknownMember(key: string, path: readonly (string | number)[]): string {
  const [noun, members] = nounAt(path);
  const meant = nearest(key, members);
  const hint = meant === null ? `it has ${members.join(', ')}` : `did you mean "${meant}"?`;
  return `"${key}" is not a member of a ${noun}; ${hint}${meant === null ? '.' : ''}`;
}

function nounAt(path: readonly (string | number)[]): readonly [string, readonly string[]] {
  const last = path.findLast((step) => typeof step === 'string');
  if (last === 'match') return ["rule's match", MEMBERS.match];
  if (last === 'time') return ['time window', MEMBERS.time];
  if (last === 'rateLimit') return ['rate limit', MEMBERS.rateLimit];
  return last === 'rules' ? ['rule', MEMBERS.rule] : ['policy', MEMBERS.policy];
}

function sentence(issue: z.core.$ZodIssue, path: readonly (string | number)[]): string {
  if (issue.code === 'custom') return issue.message;
  const what = nameOf(path);
  if (issue.input === undefined && issue.code !== 'unrecognized_keys') return missing(what, path);
  if (issue.code === 'invalid_value') return notOneOf(what, issue.input, issue.values.map(String));
  if (issue.code === 'invalid_type') return `${what} must be ${TYPES[issue.expected] ?? `of type ${issue.expected}`}.`;
  if (issue.code === 'too_small') {
    return issue.origin === 'number' ? `${what} must be at least ${issue.minimum}.` : `${what} must not be empty.`;
  }
  if (issue.code === 'too_big' && issue.origin === 'number') return `${what} must be at most ${issue.maximum}.`;
  if (issue.code === 'too_big')
    return `${what} is too long: at most ${issue.maximum} ${issue.origin === 'string' ? 'characters' : 'entries'}.`;
  return `${what}: ${issue.message}.`;
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  array: 'a list',
  object: 'a set of members',
  number: 'a number',
  int: 'a whole number',
};

function missing(what: string, path: readonly (string | number)[]): string {
  if (path.at(-1) === 'match') {
    return 'match is missing; write "match: {}" when the rule is meant for every call.';
  }
  return `${what} is missing.`;
}

function notOneOf(what: string, input: unknown, known: readonly string[]): string {
  const words = `${known.slice(0, -1).join(', ')} or ${known.at(-1)}`;
  if (typeof input !== 'string') return `${what} must be ${words}.`;
  const meant = nearest(input, known);
  return `${what} must be ${words}, not "${input}"${meant === null ? '.' : `; did you mean "${meant}"?`}`;
}

/** `rules[2].match.risk[0]`, as people write it. */
function nameOf(path: readonly (string | number)[]): string {
  if (path.length === 0) return 'The policy';
  return path.reduce<string>(
    (name, step) => (typeof step === 'number' ? `${name}[${step}]` : name === '' ? step : `${name}.${step}`),
    '',
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
