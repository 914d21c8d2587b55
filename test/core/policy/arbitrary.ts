import fc from 'fast-check';
import type { CallFacts } from '../../../electron/core/policy/facts.ts';
import type {
  Condition,
  Effect,
  HoldTest,
  Policy,
  Redaction,
  Rule,
  RuleMatch,
  TimeWindow,
} from '../../../shared/model.ts';
import { someFacts } from './facts.ts';

/** Words that both rules and calls are made of, so that they often meet. */
const WORDS = ['a', 'ab', 'b', 'none', 'ünï', 'x/y'] as const;
const word = fc.constantFrom(...WORDS);
const globs = fc.array(fc.oneof(word, fc.constantFrom('*', 'a*', '*b', '?', 'a?', '*n*')), {
  minLength: 1,
  maxLength: 3,
});
const oneOrMore = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 1, maxLength: 3 });
const pointer = fc.constantFrom('', '/a', '/a/b', '/b', '/b/0', '/x~1y', '/ab');
const scalar = fc.oneof(word, fc.integer({ min: -3, max: 3 }), fc.boolean(), fc.constant(null), fc.constant('12'));

export const effect: fc.Arbitrary<Effect> = fc.constantFrom('allow', 'deny', 'require_approval');

const comparison: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({ field: pointer, op: fc.constantFrom('eq', 'neq', 'contains'), value: scalar }),
  fc.record({ field: pointer, op: fc.constantFrom('in', 'notIn'), value: fc.array(scalar, { maxLength: 3 }) }),
  fc.record({
    field: pointer,
    op: fc.constantFrom('gt', 'gte', 'lt', 'lte'),
    value: fc.oneof(word, fc.integer({ min: -3, max: 3 })),
  }),
  fc.record({ field: pointer, op: fc.constantFrom('startsWith', 'endsWith'), value: word }),
  fc.record({
    field: pointer,
    op: fc.constant('matches'),
    value: fc.constantFrom('^a', 'b$', '[ab]+', 'n{2}', '(?i)A'),
  }),
  fc.record({ field: pointer, op: fc.constant('exists'), value: fc.boolean() }),
) as fc.Arbitrary<Condition>;

export const condition: fc.Arbitrary<Condition> = fc.letrec<{ one: Condition }>((tie) => ({
  one: fc.oneof(
    { maxDepth: 3 },
    comparison,
    fc.record({ all: fc.array(tie('one'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ any: fc.array(tie('one'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ not: tie('one') }),
  ),
})).one;

const hour = fc.constantFrom('00:00', '06:30', '09:00', '23:59');
const time: fc.Arbitrary<TimeWindow> = fc
  .record(
    {
      days: oneOrMore(fc.constantFrom('mon', 'tue', 'sun')),
      from: hour,
      to: fc.oneof(hour, fc.constant('24:00')),
      zone: fc.constantFrom('local', 'UTC', 'Europe/Berlin'),
    },
    { requiredKeys: [] },
  )
  .filter(({ from = '00:00', to = '24:00' }) => from !== to);

export const match: fc.Arbitrary<RuleMatch> = fc.record(
  {
    workspace: globs,
    upstream: globs,
    tag: oneOrMore(word),
    connection: globs,
    kind: oneOrMore(fc.constantFrom('tool', 'prompt', 'sampling')),
    tool: globs,
    risk: oneOrMore(fc.constantFrom('read', 'write', 'destructive')),
    fingerprint: oneOrMore(fc.constantFrom('ab12cd34', '00000000')),
    state: oneOrMore(fc.constantFrom('reviewed', 'changed')),
    client: globs,
    clientTag: oneOrMore(word),
    key: globs,
    session: globs,
    time: oneOrMore(time),
    arguments: condition,
  },
  { requiredKeys: [] },
);

export const redaction: fc.Arbitrary<Redaction> = fc.oneof(
  fc.record({ field: fc.constantFrom('/a', '/b', '/*', '/a/*', '/b/0', '') }),
  fc.record({ pattern: fc.constantFrom('a', 'a+b?', '[0-9]+', 'red', '\\[', 'n.', '(?s).+', 'b|ü') }),
  fc.record({ name: fc.constantFrom('secrets', 'emails', 'card_numbers') }),
);

const hold: fc.Arbitrary<HoldTest> = fc.oneof(
  fc.constant({ always: true as const }),
  redaction,
  comparison as fc.Arbitrary<HoldTest>,
);

const modifiers = fc.record(
  {
    rateLimit: fc.record({
      calls: fc.integer({ min: 1, max: 5 }),
      per: fc.constantFrom('1s', '5m', '24h', '1d'),
      by: fc.constantFrom('client', 'upstream', 'tool', 'all'),
    }),
    redactArgs: oneOrMore(redaction),
    redactResult: oneOrMore(redaction),
    holdResult: oneOrMore(hold),
  },
  { requiredKeys: [] },
);

export const rule: fc.Arbitrary<Rule> = fc
  .record({
    name: fc.string({ minLength: 1, maxLength: 20 }),
    effect: fc.option(effect, { nil: undefined }),
    match,
    modifiers,
    reason: fc.option(fc.string({ maxLength: 30 }), { nil: undefined }),
  })
  .map(
    ({ modifiers: own, name, effect: does, reason, ...rest }): Rule => ({
      ...rest,
      name: name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '').trim() || 'rule',
      ...(does === undefined && Object.keys(own).length > 0 ? {} : { effect: does ?? 'deny' }),
      ...own,
      ...(reason === undefined ? {} : { reason: reason.trim() }),
    }),
  );

export const policy: fc.Arbitrary<Policy> = fc.record({
  defaultEffect: effect,
  rules: fc.uniqueArray(rule, { maxLength: 8, selector: ({ name }) => name }),
});

/** JSON as agents and servers send it, with much in it that rules look for. */
export const json: fc.Arbitrary<unknown> = fc.letrec<{ one: unknown }>((tie) => ({
  one: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(
      scalar,
      fc.string(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom('ann@example.org', 'ghp_abcdefghij0123456789', '[redacted]', '4111 1111 1111 1111'),
    ),
    fc.array(tie('one'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(word, fc.string(), fc.constantFrom('password', 'ann@example.org')), tie('one'), {
      maxKeys: 4,
    }),
    tie('one').map((value) => JSON.stringify(value)),
  ),
})).one;

export const argumentsValue: fc.Arbitrary<Readonly<Record<string, unknown>>> = fc.dictionary(
  fc.oneof(word, fc.constant('password')),
  json,
  { maxKeys: 4 },
);

export const facts: fc.Arbitrary<CallFacts> = fc
  .record({
    workspace: word,
    upstream: word,
    upstreamTags: fc.array(word, { maxLength: 2 }),
    connection: fc.option(word),
    kind: fc.constantFrom('tool', 'prompt', 'sampling'),
    tool: word,
    risk: fc.constantFrom('read', 'write', 'destructive'),
    client: word,
    clientTags: fc.array(word, { maxLength: 2 }),
    session: fc.option(word),
    at: fc.integer({ min: 0, max: 2_000_000_000_000 }),
    arguments: argumentsValue,
    untold: fc.array(fc.constantFrom('clientTag', 'key', 'time', 'arguments', 'tool'), { maxLength: 2 }),
  })
  .map((some) => someFacts(some as Partial<CallFacts>));
