import { z } from 'zod';
import type { Effect, Policy, RuleMatch } from '../../../shared/model.ts';
import { decide, mildestEffect } from './decide.ts';
import { explain } from './explain.ts';
import type { CallFacts } from './facts.ts';
import { effectSchema } from './schema.ts';
import { type Located, readYamlDocument } from './yaml-document.ts';

/** One call, and what a policy should say of it. */
export interface Fixture {
  readonly name: string;
  readonly line: number;
  readonly facts: CallFacts;
  readonly effect: Effect;
  /** Undefined: whichever rule decides; null: the default effect must. */
  readonly rule: string | null | undefined;
  /** Undefined: whichever apply. */
  readonly modifiers: readonly string[] | undefined;
}

export interface FixtureOutcome {
  readonly fixture: Fixture;
  readonly passed: boolean;
  /** What the policy says: `deny by "no-deletes"`. */
  readonly said: string;
  /** Why it did not pass, in a sentence; null: it did. */
  readonly why: string | null;
}

export type ParsedFixtures =
  | { readonly kind: 'parsed'; readonly fixtures: readonly Fixture[] }
  | { readonly kind: 'faulty'; readonly faults: readonly [Located, ...Located[]] };

/** Reads a file of fixtures (docs/policy.md, "Testing a policy"). */
export function parseFixtures(yaml: string): ParsedFixtures {
  const document = readYamlDocument(yaml, 'list of fixtures', 'There are no fixtures; they are a list under "calls".');
  if (document.kind === 'faulty') return document;
  const parsed = fileSchema.safeParse(document.value);
  const at = (path: readonly PropertyKey[], on: 'key' | 'value' = 'value') =>
    document.place({ path: path.map((step) => (typeof step === 'number' ? step : String(step))), on });
  if (!parsed.success) {
    const [first, ...rest] = parsed.error.issues
      .flatMap((issue): Located[] =>
        issue.code === 'unrecognized_keys'
          ? issue.keys.map((key) => ({ message: `"${key}" is not known here.`, ...at([...issue.path, key], 'key') }))
          : [{ message: `${issue.path.join('.') || 'The file'}: ${issue.message}.`, ...at(issue.path) }],
      )
      .toSorted((a, b) => a.line - b.line || a.column - b.column);
    return { kind: 'faulty', faults: [first!, ...rest] };
  }
  const fixtures = parsed.data.calls.map(({ name, call, expect }, index): Fixture => {
    const { line } = at(['calls', index]);
    return {
      name: name ?? `${call.upstream} / ${call.tool}`,
      line,
      facts: factsOf(call),
      effect: expect.effect,
      rule: expect.rule,
      modifiers: expect.modifiers,
    };
  });
  return { kind: 'parsed', fixtures };
}

/** What the policy says of one fixture. What the fixture does not say of its call is not known, and may not matter. */
export function runFixture(policy: Policy, fixture: Fixture): FixtureOutcome {
  const { facts, effect, rule, modifiers } = fixture;
  const decision = decide(policy, facts);
  const said = `${decision.effect} by ${decision.rule === null ? 'default' : `"${decision.rule}"`}`;
  const outcome = (why: string | null) => ({ fixture, passed: why === null, said, why });
  if (mildestEffect(policy, facts) !== decision.effect) return outcome(untoldIn(policy, facts));
  if (decision.effect !== effect) return outcome(`expected ${effect}. ${decision.reason}`);
  if (rule !== undefined && decision.rule !== rule)
    return outcome(`expected ${rule === null ? 'the default effect' : `the rule "${rule}"`} to decide.`);
  const applied = (decision.modifiers ?? []).map((one) => one.rule);
  if (modifiers !== undefined && applied.toSorted().join() !== modifiers.toSorted().join()) {
    return outcome(
      `expected the modifiers of ${modifiers.join(', ') || 'no rule'}, and those of ${applied.join(', ') || 'no rule'} apply.`,
    );
  }
  return outcome(null);
}

/** The rules of which it cannot be told, and by what. */
function untoldIn(policy: Policy, facts: CallFacts): string {
  const doubts = explain(policy, facts).rules.flatMap(({ rule, matched, members }) =>
    matched === 'unknown'
      ? members.flatMap((one) => (one.matched === 'unknown' ? [`"${rule}" asks for ${one.member}`] : []))
      : [],
  );
  return `it cannot be told: ${doubts.join(', ')}. Say it in the fixture.`;
}

const words = z.preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(z.string()));

const callSchema = z.strictObject({
  workspace: z.string().optional(),
  upstream: z.string(),
  tag: words.optional(),
  connection: z.string().nullable().optional(),
  kind: z.enum(['tool', 'prompt', 'resource', 'sampling', 'elicitation']).default('tool'),
  tool: z.string(),
  risk: z.enum(['read', 'write', 'destructive']).optional(),
  fingerprint: z.string().optional(),
  state: z.enum(['awaiting_review', 'reviewed', 'changed', 'gone']).default('reviewed'),
  client: z.string().optional(),
  clientTag: words.optional(),
  key: z.string().optional(),
  session: z.string().nullable().optional(),
  /** With its offset from UTC, or `Z`. */
  time: z.iso.datetime({ offset: true }).optional(),
  arguments: z.record(z.string(), z.unknown()).default({}),
});

const expectSchema = z.union([
  effectSchema.transform((effect) => ({ effect, rule: undefined, modifiers: undefined })),
  z.strictObject({ effect: effectSchema, rule: z.string().nullable().optional(), modifiers: words.optional() }),
]);

const fileSchema = z.strictObject({
  calls: z
    .array(z.strictObject({ name: z.string().optional(), call: callSchema, expect: expectSchema }))
    .min(1)
    .max(10_000),
});

function factsOf(call: z.output<typeof callSchema>): CallFacts {
  const untold = MAY_BE_UNTOLD.filter((member) => call[member] === undefined);
  return {
    workspace: call.workspace ?? '',
    upstream: call.upstream,
    upstreamTags: call.tag ?? [],
    connection: call.connection ?? null,
    kind: call.kind,
    tool: call.tool,
    risk: call.risk ?? 'destructive',
    fingerprint: call.fingerprint ?? '',
    state: call.state,
    client: call.client ?? '',
    clientTags: call.clientTag ?? [],
    keyId: call.key ?? '',
    keyPrefix: call.key ?? '',
    session: call.session === 'none' ? null : (call.session ?? null),
    at: call.time === undefined ? 0 : Date.parse(call.time),
    arguments: call.arguments,
    untold,
  };
}

const MAY_BE_UNTOLD = [
  'workspace',
  'tag',
  'connection',
  'risk',
  'fingerprint',
  'client',
  'clientTag',
  'key',
  'session',
  'time',
] as const satisfies readonly (keyof RuleMatch)[];
