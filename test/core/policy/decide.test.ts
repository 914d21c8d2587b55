import { describe, expect, test } from 'vitest';
import { alwaysDenied, decide, RISK_OF } from '../../../electron/core/policy/decide.ts';
import { starterPolicy } from '../../../electron/core/policy/policy.ts';
import type { Effect, Policy, Rule, RuleMatch } from '../../../shared/model.ts';
import { someFacts } from './facts.ts';

const call = someFacts({ tool: 'delete_repo', arguments: { owner: 'ann', count: 3 } });

const rule = (name: string, effect: Effect, match: RuleMatch = {}): Rule => ({ name, effect, match });
const policy = (defaultEffect: Effect, ...rules: readonly Rule[]): Policy => ({ defaultEffect, rules });

const deny = rule('d', 'deny');
const ask = rule('q', 'require_approval');
const allow = rule('a', 'allow');

describe('the most restrictive matching rule wins', () => {
  test.each<[string, readonly Rule[], Effect, string]>([
    ['deny beats both', [deny, allow, ask], 'deny', 'd'],
    ['deny beats both, stated last', [allow, ask, deny], 'deny', 'd'],
    ['require_approval beats allow', [allow, ask], 'require_approval', 'q'],
    ['allow alone allows', [allow], 'allow', 'a'],
    ['of two equal rules the first by name is named', [rule('z', 'deny'), rule('b', 'deny')], 'deny', 'b'],
    ['a rule that does not match does not count', [rule('x', 'deny', { tool: ['other'] }), allow], 'allow', 'a'],
  ])('%s', (_title, rules, effect, name) => {
    expect(decide(policy('deny', ...rules), call)).toMatchObject({ effect, rule: name });
  });

  test('the default effect applies when nothing matches, and the reason says so', () => {
    const nothing = rule('n', 'allow', { upstream: ['other'] });
    for (const effect of ['deny', 'require_approval', 'allow'] as const) {
      expect(decide(policy(effect, nothing), call)).toMatchObject({ effect, rule: null });
      expect(decide(policy(effect, nothing), call).reason).toMatch(/^No rule matches this call.*\.$/);
    }
  });

  test('no policy is a deny that says there is no policy', () => {
    expect(decide(null, call)).toEqual({
      effect: 'deny',
      rule: null,
      reason: 'This workspace has no policy, so every call is denied.',
      standing: null,
    });
  });

  test('the starter policy lets reading run and asks for everything else', () => {
    expect(decide(starterPolicy, { ...call, risk: 'read' })).toMatchObject({ effect: 'allow', rule: 'read-tools-run' });
    expect(decide(starterPolicy, { ...call, risk: 'write' })).toMatchObject({ effect: 'require_approval', rule: null });
    expect(decide(starterPolicy, { ...call, risk: 'destructive' }).effect).toBe('require_approval');
  });

  test('the starter policy lets prompts, resources and elicitations run, and asks for sampling', () => {
    const effectOf = (kind: keyof typeof RISK_OF) =>
      decide(starterPolicy, { ...call, kind, risk: RISK_OF[kind] }).effect;
    expect([effectOf('prompt'), effectOf('resource'), effectOf('elicitation')]).toEqual(['allow', 'allow', 'allow']);
    expect(effectOf('sampling')).toBe('require_approval');
  });

  test("the reason names the rule and carries the rule's own reason", () => {
    const explained: Rule = { ...deny, name: 'no-deletes', reason: 'Ask ops.' };
    expect(decide(policy('allow', explained), call).reason).toBe('The rule "no-deletes" denies this call. Ask ops.');
  });
});

describe('what a rule matches', () => {
  test.each<[string, RuleMatch, boolean]>([
    ['nothing given matches everything', {}, true],
    ['a glob over the tool', { tool: ['delete_*'] }, true],
    ['? is exactly one character', { tool: ['delete_rep?'] }, true],
    ['? is not none', { tool: ['delete_repo?'] }, false],
    ['a name covers the whole name', { tool: ['delete'] }, false],
    ['a glob does not begin within a name', { tool: ['elete_*'] }, false],
    ['a glob does not end within a name', { tool: ['*_rep'] }, false],
    ['case counts', { tool: ['Delete_*'] }, false],
    ['a dot is a dot', { tool: ['delete.repo'] }, false],
    ['brackets are not special', { tool: ['delete_rep[o]'] }, false],
    ['one of several is enough', { tool: ['x', 'delete_repo'] }, true],
    ['all members must match', { tool: ['delete_repo'], upstream: ['gitlab'] }, false],
    ['a tag of the upstream', { tag: ['other', 'code'] }, true],
    ['a tag is no glob', { tag: ['co*'] }, false],
    ['a risk', { risk: ['destructive'] }, false],
    ['its kind', { kind: ['tool'] }, true],
    ['one of several kinds', { kind: ['prompt', 'tool'] }, true],
    ['another kind', { kind: ['prompt', 'resource', 'sampling', 'elicitation'] }, false],
    ['another kind, though the name fits', { kind: ['prompt'], tool: ['delete_*'] }, false],
    ['a client', { client: ['my-*'] }, true],
    ['an argument', { arguments: { field: '/owner', op: 'eq', value: 'ann' } }, true],
    ['an argument that is another', { arguments: { field: '/owner', op: 'eq', value: 'bob' } }, false],
  ])('%s', (_title, match, matches) => {
    expect(decide(policy('allow', rule('r', 'deny', match)), call).effect).toBe(matches ? 'deny' : 'allow');
  });

  test('a rule without a kind is about every kind', () => {
    const rules = policy('allow', rule('r', 'deny', { tool: ['delete_*'] }));
    for (const kind of ['tool', 'prompt', 'resource', 'sampling', 'elicitation'] as const) {
      expect(decide(rules, { ...call, kind }).effect).toBe('deny');
    }
  });

  test('a URI is matched as a whole, slashes and all', () => {
    const rules = policy('allow', rule('r', 'deny', { kind: ['resource'], tool: ['file:///home/*/.ssh/*'] }));
    const read = (uri: string) => decide(rules, { ...call, kind: 'resource', tool: uri }).effect;
    expect(read('file:///home/ann/.ssh/id')).toBe('deny');
    expect(read('file:///home/ann/notes')).toBe('allow');
    expect(decide(rules, { ...call, tool: 'file:///home/ann/.ssh/id' }).effect).toBe('allow');
  });

  test('what a rule on another kind denies is not always denied', () => {
    const rules = policy('allow', rule('r', 'deny', { kind: ['prompt'] }));
    expect(alwaysDenied(rules, { ...call, kind: 'prompt' })).toBe(true);
    expect(alwaysDenied(rules, call)).toBe(false);
  });

  test('a name that looks like another is another name', () => {
    const rules = policy('allow', rule('r', 'deny', { tool: ['exec'] }));
    for (const tool of ['Exec', 'exec ', 'exec\u0000', 'ехес', 'ｅxec']) {
      expect(decide(rules, { ...call, tool }).effect).toBe('allow');
    }
    expect(decide(rules, { ...call, tool: 'exec' }).effect).toBe('deny');
  });
});

describe('properties over random policies', () => {
  const random = seeded(20300101);
  const effects: readonly Effect[] = ['allow', 'deny', 'require_approval'];
  const restriction = { deny: 0, require_approval: 1, allow: 2 };

  const someMatch = (): RuleMatch => {
    const fields: RuleMatch[] = [
      {},
      { tool: [pick(['delete_*', 'x*', '*repo', '*'])] },
      { upstream: [pick(['github', 'gitlab'])] },
      { risk: [pick(['read', 'write'] as const)] },
      { tag: [pick(['code', 'none'])] },
      { kind: [pick(['tool', 'prompt'] as const)] },
      {
        arguments: {
          field: pick(['/owner', '/gone', '/count']),
          op: pick(['eq', 'neq', 'gt'] as const),
          value: pick(['ann', 2]),
        },
      },
      { arguments: { not: { field: '/count', op: 'startsWith', value: 'a' } } },
      { arguments: { field: '/owner', op: 'matches', value: pick(['^a', 'zz']) } },
    ];
    return { ...pick(fields), ...pick(fields) };
  };
  function pick<T>(list: readonly T[]): T {
    return list[Math.floor(random() * list.length)]!;
  }
  const somePolicy = () =>
    policy(
      pick(effects),
      ...Array.from({ length: Math.floor(random() * 6) }, (_, i) => rule(`r${i}`, pick(effects), someMatch())),
    );
  const shuffled = <T>(list: readonly T[]) =>
    list
      .map((item) => ({ item, at: random() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ item }) => item);

  test('the order of rules never matters', () => {
    for (let round = 0; round < 500; round++) {
      const one = somePolicy();
      const other = { ...one, rules: shuffled(one.rules) };
      expect(decide(other, call)).toEqual(decide(one, call));
    }
  });

  test('adding a deny never allows more', () => {
    let tightened = 0;
    for (let round = 0; round < 500; round++) {
      const one = somePolicy();
      const before = decide(one, call).effect;
      const after = decide({ ...one, rules: [...one.rules, rule('zz', 'deny', someMatch())] }, call).effect;
      expect(restriction[after]).toBeLessThanOrEqual(restriction[before]);
      if (after !== before) tightened++;
    }
    expect(tightened).toBeGreaterThan(50);
  });

  test('removing an allow never allows more', () => {
    for (let round = 0; round < 500; round++) {
      const one = { ...somePolicy(), defaultEffect: 'deny' as const };
      const before = decide(one, call).effect;
      const after = decide({ ...one, rules: one.rules.filter((r) => r.effect !== 'allow') }, call).effect;
      expect(restriction[after]).toBeLessThanOrEqual(restriction[before]);
    }
  });

  test('a tool left out of lists is denied whatever the arguments', () => {
    let left = 0;
    for (let round = 0; round < 500; round++) {
      const one = somePolicy();
      if (!alwaysDenied(one, call)) continue;
      left++;
      for (const value of [undefined, null, {}, { owner: 'ann', count: 3 }, { owner: 4, count: 'x' }, []]) {
        expect(decide(one, { ...call, arguments: value }).effect).toBe('deny');
      }
    }
    expect(left).toBeGreaterThan(50);
  });
});

describe('decide is total', () => {
  const broken: readonly unknown[] = [
    {},
    { defaultEffect: 'allow' },
    { defaultEffect: 'allow', rules: [null] },
    { defaultEffect: 'allow', rules: 'all' },
    { defaultEffect: 'maybe', rules: [] },
    { defaultEffect: 'allow', rules: [{ name: 'x', effect: 'perhaps', match: {} }] },
    { defaultEffect: 'allow', rules: [{ name: 'x', effect: 'allow' }] },
    { defaultEffect: 'allow', rules: [{ name: 'x', effect: 'deny', match: { arguments: { all: 3 } } }] },
    { defaultEffect: 'allow', rules: [{ name: 'x', effect: 'deny', match: { arguments: null } }] },
  ];
  test.each(broken.map((value) => [JSON.stringify(value), value]))(
    'a policy of the shape %s denies',
    (_title, value) => {
      expect(decide(value as Policy, call)).toMatchObject({
        effect: 'deny',
        reason: expect.stringContaining('could not be evaluated'),
      });
    },
  );

  test('arguments that throw when they are read deny', () => {
    const trap = new Proxy(
      {},
      {
        getOwnPropertyDescriptor() {
          throw new Error('trap');
        },
      },
    );
    const rules = policy('allow', rule('r', 'allow', { arguments: { field: '/a', op: 'eq', value: 1 } }));
    expect(decide(rules, { ...call, arguments: trap }).effect).toBe('deny');
  });

  test('what cannot be told counts against the call: a deny applies, an allow does not', () => {
    const tooMuch = { arguments: { field: '/text', op: 'matches', value: '([ab]*a[ab]{100}[cd])$' } } as const;
    const long = { ...call, arguments: { text: 'ab'.repeat(500_000) } };
    const before = process.cpuUsage();
    expect(decide(policy('allow', rule('r', 'deny', tooMuch)), long)).toMatchObject({
      effect: 'deny',
      rule: 'r',
      reason: expect.stringContaining('it cannot be told that it does not apply'),
    });
    expect(decide(policy('deny', rule('r', 'allow', tooMuch)), long).effect).toBe('deny');
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(200);
  });
});

/** A small generator with a seed, so that a failure can be repeated (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
