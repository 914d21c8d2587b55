import { describe, expect, test } from 'vitest';
import { UNTOLD } from '../../../electron/core/policy/conditions.ts';
import { alwaysDenied, decide, mildestEffect } from '../../../electron/core/policy/decide.ts';
import { explain } from '../../../electron/core/policy/explain.ts';
import type { CallFacts } from '../../../electron/core/policy/facts.ts';
import type { Effect, Policy, Rule, RuleMatch, TimeWindow } from '../../../shared/model.ts';
import { someFacts } from './facts.ts';

const rule = (name: string, effect: Effect, match: RuleMatch = {}): Rule => ({ name, effect, match });
const policy = (defaultEffect: Effect, ...rules: readonly Rule[]): Policy => ({ defaultEffect, rules });
const matches = (match: RuleMatch, facts: Partial<CallFacts>) =>
  decide(policy('allow', rule('r', 'deny', match)), someFacts(facts)).effect === 'deny';

describe('every member of a match', () => {
  test.each<[string, RuleMatch, Partial<CallFacts>, boolean]>([
    ['workspace by name', { workspace: ['Work*'] }, { workspace: 'Work 2' }, true],
    ['workspace of another name', { workspace: ['Work*'] }, { workspace: 'Personal' }, false],
    ['connection by label', { connection: ['ann@*'] }, { connection: 'ann@example.org' }, true],
    ['connection none', { connection: ['none'] }, { connection: null }, true],
    ['no connection is met by no glob', { connection: ['*'] }, { connection: null }, false],
    ['a connection is not none', { connection: ['none'] }, { connection: 'ann' }, false],
    ['fingerprint by its beginning', { fingerprint: ['ab12cd34'] }, {}, true],
    ['fingerprint of another definition', { fingerprint: ['ab12cd35'] }, {}, false],
    ['state', { state: ['changed', 'reviewed'] }, {}, true],
    ['another state', { state: ['changed'] }, {}, false],
    ['client tag', { clientTag: ['ci', 'bot'] }, { clientTags: ['bot'] }, true],
    ['no client tag', { clientTag: ['ci'] }, { clientTags: [] }, false],
    ['key by id', { key: ['key-1'] }, {}, true],
    ['key by prefix', { key: ['gh_abcd*'] }, {}, true],
    ['another key', { key: ['gh_zzzz*'] }, {}, false],
    ['session by label', { session: ['0123*'] }, { session: '0123456789abcdef' }, true],
    ['any session', { session: ['*'] }, { session: '0123456789abcdef' }, true],
    ['any session is not none', { session: ['*'] }, { session: null }, false],
    ['no session', { session: ['none'] }, { session: null }, true],
    ['none of a session', { session: ['none'] }, { session: '0123456789abcdef' }, false],
  ])('%s', (_title, match, facts, expected) => {
    expect(matches(match, facts)).toBe(expected);
  });
});

describe('time windows', () => {
  const at = (iso: string) => ({ at: Date.parse(iso) });
  const office: TimeWindow = {
    days: ['mon', 'tue', 'wed', 'thu', 'fri'],
    from: '09:00',
    to: '17:30',
    zone: 'Europe/Berlin',
  };
  const night: TimeWindow = { days: ['fri'], from: '22:00', to: '06:00', zone: 'UTC' };
  test.each<[string, TimeWindow, string, boolean]>([
    ['begins with its first minute', office, '2030-01-07T08:00:00Z', true],
    ['and not before it', office, '2030-01-07T07:59:59.999Z', false],
    ['ends before its last minute', office, '2030-01-07T16:29:59.999Z', true],
    ['and not after it', office, '2030-01-07T16:30:00Z', false],
    ['is not on other days', office, '2030-01-06T12:00:00Z', false],
    ['keeps to the wall when summer time is on', office, '2030-07-01T07:00:00Z', true],
    ['keeps to the wall when it ends', office, '2030-07-01T15:30:00Z', false],
    ['over midnight, on the day it begins', night, '2030-01-11T23:00:00Z', true],
    ['over midnight, on the day after', night, '2030-01-12T05:59:00Z', true],
    ['over midnight, not the night before', night, '2030-01-11T05:00:00Z', false],
    ['over midnight, not the evening after', night, '2030-01-12T22:30:00Z', false],
    [
      'over midnight, from the week before: Sunday into Monday',
      { ...night, days: ['sun'] },
      '2030-01-07T01:00:00Z',
      true,
    ],
    ['without an end lasts to midnight', { from: '20:00', zone: 'UTC' }, '2030-01-07T23:59:59Z', true],
    ['without a beginning starts at midnight', { to: '06:00', zone: 'UTC' }, '2030-01-07T00:00:00Z', true],
    ['24:00 is the end of the day', { from: '12:00', to: '24:00', zone: 'UTC' }, '2030-01-07T23:59:00Z', true],
    ['days alone are whole days', { days: ['mon'], zone: 'UTC' }, '2030-01-07T23:59:00Z', true],
    // Berlin, 31 March 2030: 02:00 to 03:00 does not exist. 27 October 2030: it is there twice.
    [
      'the hour that is left out is in no window',
      { from: '02:00', to: '03:00', zone: 'Europe/Berlin' },
      '2030-03-31T01:00:00Z',
      false,
    ],
    [
      'the hour that comes twice, first',
      { from: '02:00', to: '03:00', zone: 'Europe/Berlin' },
      '2030-10-27T00:30:00Z',
      true,
    ],
    [
      'the hour that comes twice, again',
      { from: '02:00', to: '03:00', zone: 'Europe/Berlin' },
      '2030-10-27T01:30:00Z',
      true,
    ],
    ['and is over then', { from: '02:00', to: '03:00', zone: 'Europe/Berlin' }, '2030-10-27T02:00:00Z', false],
    ['a zone of half an hour', { from: '09:00', to: '10:00', zone: 'Asia/Kolkata' }, '2030-01-07T03:30:00Z', true],
  ])('%s', (_title, window, iso, expected) => {
    expect(matches({ time: [window] }, at(iso))).toBe(expected);
  });

  test('the local zone is the one of the machine', () => {
    const noon = new Date(2030, 0, 7, 12, 0).getTime();
    expect(matches({ time: [{ days: ['mon'], from: '12:00', to: '12:01' }] }, { at: noon })).toBe(true);
    expect(matches({ time: [{ days: ['mon'], from: '12:01', zone: 'local' }] }, { at: noon })).toBe(false);
  });

  test('a zone that this machine does not know counts against the call', () => {
    const lost: RuleMatch = { time: [{ zone: 'Atlantis/Capital' }] };
    expect(decide(policy('allow', rule('r', 'deny', lost)), someFacts()).effect).toBe('deny');
    expect(decide(policy('deny', rule('r', 'allow', lost)), someFacts()).effect).toBe('deny');
  });
});

describe('what cannot be told', () => {
  const facts = someFacts({ untold: ['clientTag'] });
  test('counts against the call', () => {
    expect(decide(policy('allow', rule('r', 'deny', { clientTag: ['x'] })), facts).effect).toBe('deny');
    expect(decide(policy('deny', rule('r', 'allow', { clientTag: ['x'] })), facts).effect).toBe('deny');
  });

  test('does not let a rule that asks open what is denied where it does not apply', () => {
    const asks = policy('deny', rule('perhaps', 'require_approval', { clientTag: ['x'] }));
    expect(decide(asks, facts)).toMatchObject({ effect: 'deny', rule: null });
    expect(decide(asks, facts).reason).toContain('"perhaps"');
    expect(decide({ ...asks, defaultEffect: 'allow' }, facts)).toMatchObject({ effect: 'require_approval' });
    const opened = policy('deny', ...asks.rules, rule('open', 'allow'));
    expect(decide(opened, facts)).toMatchObject({ effect: 'require_approval', rule: 'perhaps' });
  });

  test('a value that is no longer known is told by no comparison, only that it was there', () => {
    const cut = someFacts({ arguments: { path: UNTOLD, list: [1, UNTOLD] } });
    for (const condition of [
      { field: '/path', op: 'eq', value: 'x' },
      { field: '/path/deeper', op: 'exists' },
      { field: '/path/deeper', op: 'eq', value: 1 },
      { field: '/list', op: 'contains', value: 2 },
      { field: '/list', op: 'eq', value: [1, 2] },
    ] as const) {
      const denies = policy('allow', rule('r', 'deny', { arguments: condition }));
      expect(decide(denies, cut).effect).toBe('deny');
      expect(mildestEffect(denies, cut)).toBe('allow');
    }
    const wantsNone = rule('r', 'deny', { arguments: { field: '/path', op: 'exists', value: false } });
    expect(decide(policy('allow', wantsNone), cut).effect).toBe('allow');
    expect(
      decide(policy('allow', rule('r', 'deny', { arguments: { field: '/list', op: 'contains', value: 1 } })), cut)
        .effect,
    ).toBe('deny');
  });

  test('a tool that is denied at this time, with this key or in this session is not always denied', () => {
    for (const match of [
      { time: [{ from: '00:00' }] },
      { key: ['key-1'] },
      { session: ['none'] },
    ] satisfies RuleMatch[]) {
      const denies = policy('allow', rule('r', 'deny', match));
      expect(decide(denies, someFacts()).effect).toBe('deny');
      expect(alwaysDenied(denies, someFacts())).toBe(false);
    }
    expect(
      alwaysDenied(policy('allow', rule('r', 'deny', { clientTag: ['x'] })), someFacts({ clientTags: ['x'] })),
    ).toBe(true);
  });
});

describe('a rule that only modifies', () => {
  const limits: Rule = { name: 'slow', match: {}, rateLimit: { calls: 1, per: '1m', by: 'client' } };
  const redacts: Rule = {
    name: 'clean',
    match: { arguments: { field: '/n', op: 'gt', value: 1 } },
    redactResult: [{ name: 'secrets' }],
  };

  test('changes nothing of the effect, and every one that matches is named', () => {
    const decision = decide(
      policy('require_approval', limits, redacts, rule('a', 'allow')),
      someFacts({ arguments: { n: 2 } }),
    );
    expect(decision).toMatchObject({ effect: 'allow', rule: 'a' });
    expect(decision.modifiers?.map(({ rule: name }) => name)).toEqual(['clean', 'slow']);
  });

  test('applies where it cannot be told whether it matches', () => {
    expect(decide(policy('allow', redacts), someFacts({ arguments: { n: '2' } })).modifiers).toHaveLength(1);
    expect(decide(policy('allow', redacts), someFacts({ arguments: { n: 1 } })).modifiers).toBeUndefined();
  });

  test('an effect and its modifiers may stand in one rule, and those of an overruled one still apply', () => {
    const both: Rule = { ...limits, effect: 'allow' };
    expect(decide(policy('deny', both, rule('q', 'require_approval')), someFacts())).toMatchObject({
      effect: 'require_approval',
      rule: 'q',
      modifiers: [{ rule: 'slow', rateLimit: { calls: 1 } }],
    });
  });
});

describe('the explanation', () => {
  const rules = policy(
    'deny',
    rule('open', 'allow', { upstream: ['github'] }),
    rule('big', 'require_approval', {
      arguments: { all: [{ field: '/n', op: 'gt', value: 5 }, { not: { field: '/x', op: 'exists' } }] },
    }),
    { name: 'slow', match: { client: ['other'] }, rateLimit: { calls: 1, per: '1m', by: 'all' } },
  );

  test('tells of every rule what it wanted, what was there, and which one decided', () => {
    const told = explain(rules, someFacts({ arguments: { n: 3 } }));
    expect(told).toMatchObject({ defaultEffect: 'deny', certain: true, decision: { effect: 'allow', rule: 'open' } });
    expect(told.rules).toEqual([
      {
        rule: 'big',
        effect: 'require_approval',
        modifiers: [],
        matched: false,
        decided: false,
        applied: false,
        members: [
          { member: 'arguments/n', matched: false, wanted: 'gt 5', actual: '3' },
          { member: 'arguments/x', matched: true, wanted: 'not there', actual: 'not there' },
        ],
      },
      {
        rule: 'open',
        effect: 'allow',
        modifiers: [],
        matched: true,
        decided: true,
        applied: false,
        members: [{ member: 'upstream', matched: true, wanted: 'github', actual: 'github' }],
      },
      {
        rule: 'slow',
        effect: null,
        modifiers: ['rateLimit'],
        matched: false,
        decided: false,
        applied: false,
        members: [{ member: 'client', matched: false, wanted: 'other', actual: 'my-agent' }],
      },
    ]);
  });

  test('says when what cannot be told could have changed the effect', () => {
    const told = explain(rules, someFacts({ arguments: { n: UNTOLD } }));
    expect(told).toMatchObject({ certain: false, decision: { effect: 'require_approval', rule: 'big' } });
    expect(told.rules[0]!.members[0]).toMatchObject({ matched: 'unknown', actual: 'not known' });
    expect(explain(rules, someFacts({ upstream: 'x', untold: ['client'] })).certain).toBe(true);
  });

  test('of no policy is a deny without rules', () => {
    expect(explain(null, someFacts())).toMatchObject({
      decision: { effect: 'deny' },
      defaultEffect: null,
      rules: [],
      certain: true,
    });
  });
});
