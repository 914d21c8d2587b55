import { expect, test } from 'vitest';
import type { RecordedCall } from '../../../electron/core/audit/scan.ts';
import { decide } from '../../../electron/core/policy/decide.ts';
import { starterPolicy } from '../../../electron/core/policy/policy.ts';
import { factsOfRecorded } from '../../../electron/core/policy/recorded.ts';
import { createSuggesting, withRule } from '../../../electron/core/policy/suggestions.ts';
import type { Policy } from '../../../shared/model.ts';
import { recordedCall } from '../../support/recorded-call.ts';

const asked = { effect: 'require_approval', rule: null } as const;

/** The same call again and again, each on a card of its own. */
function times(count: number, answer: 'approved' | 'denied', over: (n: number) => Partial<RecordedCall> = () => ({})) {
  return Array.from({ length: count }, (_, n) =>
    recordedCall({
      ...asked,
      requestId: `r${n}`,
      at: 1_000 + n,
      approval: answer,
      approvalId: `a-${answer}-${n}`,
      argumentsText: `{"n":${n}}`,
      ...over(n),
    }),
  );
}

function suggested(calls: readonly RecordedCall[], policy: Policy = starterPolicy) {
  const made = createSuggesting();
  for (const call of calls.toReversed()) made.take(call);
  return made.suggestions(policy);
}

test('ten times yes and never no suggest a rule for that tool of that client, which no destructive call fits', () => {
  expect(suggested(times(9, 'approved'))).toEqual([]);
  const [found, ...more] = suggested(times(14, 'approved'));
  expect(more).toEqual([]);
  expect(found).toMatchObject({
    effect: 'allow',
    times: 14,
    client: 'agent',
    replay: { calls: 14, changed: 14 },
    narrower: null,
    rule: {
      name: 'allow write_file of files for agent',
      effect: 'allow',
      match: { upstream: ['files'], kind: ['tool'], tool: ['write_file'], risk: ['read', 'write'], client: ['agent'] },
    },
  });
});

test.each([
  ['one no', [...times(14, 'approved'), ...times(1, 'denied')]],
  ['a yes to something the person wrote instead', times(14, 'approved', (n) => ({ edited: n === 3 }))],
  ['a destructive tool', times(14, 'approved', () => ({ risk: 'destructive' }))],
  [
    'a tool that was judged destructive meanwhile',
    times(14, 'approved', (n) => ({ risk: n === 13 ? 'destructive' : 'write' })),
  ],
  ['a name that would be a pattern', times(14, 'approved', () => ({ tool: 'write_*' }))],
  ['two tools of seven each', times(14, 'approved', (n) => ({ tool: n % 2 ? 'a' : 'b' }))],
  ['two accounts of seven each', times(14, 'approved', (n) => ({ connection: n % 2 ? 'work' : 'home' }))],
  ['an account that is called as what has none', times(14, 'approved', () => ({ connection: 'none' }))],
  ['two clients of seven each', times(14, 'approved', (n) => ({ clientId: n % 2 ? 'a' : 'b' }))],
  ['one card that a client asked for fourteen times', times(14, 'approved', () => ({ approvalId: 'a1' }))],
])('no rule is suggested by %s', (_case, calls) => {
  expect(suggested(calls)).toEqual([]);
});

test('none is suggested where it would change nothing: the policy allows it by now, or a stricter rule asks', () => {
  const calls = times(14, 'approved');
  const rules = (effect: 'allow' | 'require_approval') => ({
    defaultEffect: 'require_approval' as const,
    rules: [{ name: 'r', effect, match: { upstream: ['files'] } }],
  });
  expect(suggested(calls, rules('allow'))).toEqual([]);
  expect(suggested(calls, rules('require_approval'))).toEqual([]);
});

test('five times no and never yes suggest to deny it, destructive or not', () => {
  const no = times(5, 'denied', () => ({ risk: 'destructive' }));
  expect(suggested(no.slice(1))).toEqual([]);
  expect(suggested(no)).toMatchObject([
    {
      effect: 'deny',
      times: 5,
      narrower: null,
      rule: { effect: 'deny', reason: expect.stringContaining('denied this 5 times') },
    },
  ]);
});

test('a name that is taken gets a number', () => {
  const calls = times(14, 'approved');
  const taken = { name: 'allow write_file of files for agent', effect: 'allow' as const, match: { tool: ['other'] } };
  const [found] = suggested(calls, { ...starterPolicy, rules: [taken] });
  expect(found?.rule.name).toBe('allow write_file of files for agent 2');
  expect(found && withRule({ ...starterPolicy, rules: [taken] }, found.rule)?.rules).toHaveLength(2);
});

const narrowerOf = (text: (n: number) => string, over: Partial<RecordedCall> = {}) =>
  suggested(times(12, 'approved', (n) => ({ argumentsText: text(n), ...over })))[0]?.narrower?.match.arguments ?? null;

test.each([
  ['a value they share', (n: number) => `{"repo":"docs","n":${n}}`, { field: '/repo', op: 'eq', value: 'docs' }],
  [
    'a folder they share, and nothing that leaves it',
    (n: number) => `{"path":"/home/me/docs/${n}.md"}`,
    {
      all: [
        { field: '/path', op: 'startsWith', value: '/home/me/docs/' },
        { not: { field: '/path', op: 'contains', value: '..' } },
      ],
    },
  ],
  [
    'the folder above, where they lie in several',
    (n: number) => `{"path":"/srv/a/${n % 2}/x"}`,
    expect.objectContaining({ all: [expect.objectContaining({ value: '/srv/a/' }), expect.anything()] }),
  ],
  ['a name with a slash in it', (n: number) => `{"a/b":true,"n":${n}}`, { field: '/a~1b', op: 'eq', value: true }],
  ['nothing, where they share nothing', (n: number) => `{"text":"t${n}"}`, null],
  ['nothing of one folder at the top', (n: number) => `{"path":"/${n}/x"}`, null],
  ['nothing that was redacted', (n: number) => `{"token":"[redacted]","n":${n}}`, null],
  ['nothing that is a structure', (n: number) => `{"list":[1],"n":${n}}`, null],
])('the narrower rule is for %s', (_case, text, condition) => {
  expect(narrowerOf(text)).toEqual(condition);
});

test('arguments that were cut are in no narrower rule', () => {
  expect(narrowerOf(() => '{"repo":"do', { isCut: true })).toBeNull();
});

test('what was answered about one account is suggested for that account', () => {
  const [found] = suggested(times(14, 'approved', () => ({ connection: 'work' })));
  expect(found?.rule).toMatchObject({
    name: 'allow write_file of files as work for agent',
    match: { upstream: ['files'], connection: ['work'], tool: ['write_file'] },
  });
  const draft = found === undefined ? null : withRule(starterPolicy, found.rule);
  const effect = (connection: string | null) => decide(draft, factsOfRecorded(recordedCall({ connection }))).effect;
  expect([effect('work'), effect('home'), effect(null)]).toEqual(['allow', 'require_approval', 'require_approval']);
});
