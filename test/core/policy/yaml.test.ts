import { describe, expect, test } from 'vitest';
import { decide } from '../../../electron/core/policy/decide.ts';
import { starterPolicy } from '../../../electron/core/policy/policy.ts';
import { parseYaml, toYaml } from '../../../electron/core/policy/yaml.ts';
import type { Policy } from '../../../shared/model.ts';
import { someFacts } from './facts.ts';

const parsed = (yaml: string): Policy => {
  const result = parseYaml(yaml);
  if (result.kind !== 'done') throw new Error(`${result.line}:${result.column} ${result.message}`);
  return result.policy;
};

const GOOD = `defaultEffect: require_approval
rules:
  - name: read-tools-run
    effect: allow
    match:
      risk: [read]
  - name: only-docs
    effect: deny
    match:
      upstream: filesystem
      tool: ["write_*", edit_file]
      arguments:
        not:
          field: /path
          op: startsWith
          value: /home/ann/docs/
    reason: Agents write in docs only.
`;

describe('a policy as YAML', () => {
  test('a written policy is read, one value may stand without its list', () => {
    expect(parsed(GOOD)).toEqual({
      defaultEffect: 'require_approval',
      rules: [
        { name: 'read-tools-run', effect: 'allow', match: { risk: ['read'] } },
        {
          name: 'only-docs',
          effect: 'deny',
          match: {
            upstream: ['filesystem'],
            tool: ['write_*', 'edit_file'],
            arguments: { not: { field: '/path', op: 'startsWith', value: '/home/ann/docs/' } },
          },
          reason: 'Agents write in docs only.',
        },
      ],
    });
  });

  test.each([
    ['REVIEW', 'require_approval'],
    ['escalate', 'require_approval'],
    ['ask', 'require_approval'],
    ['block', 'deny'],
    ['DENY', 'deny'],
    ['allow', 'allow'],
  ])('the word %s of another gateway is taken as %s', (word, effect) => {
    const policy = parsed(`defaultEffect: ${word}\nrules:\n  - {name: r, effect: ${word}, match: {}}\n`);
    expect(policy.defaultEffect).toBe(effect);
    expect(policy.rules[0]!.effect).toBe(effect);
  });
});

describe('what is wrong is said with line and column', () => {
  const rule = (body: string) => `defaultEffect: deny\nrules:\n  - name: r\n${body}`;
  test.each<[string, string, number, number, string]>([
    ['a syntax error', 'defaultEffect: deny\nrules: [', 2, 9, 'The YAML cannot be read'],
    ['a tab as indent', 'defaultEffect: deny\nrules:\n\t- name: r', 3, 1, 'The YAML cannot be read'],
    ['a member twice', 'defaultEffect: deny\ndefaultEffect: allow\nrules: []', 2, 1, 'unique'],
    ['an empty text', '', 1, 1, 'The policy is empty'],
    ['only a comment', '# nothing\n', 1, 1, 'The policy is empty'],
    ['a list', '- a', 1, 1, 'The policy must be a set of members'],
    ['a misspelt member', 'defaultEfect: deny\nrules: []', 1, 1, 'did you mean "defaultEffect"?'],
    ['a misspelt member that stands last', 'rules: []\ndefaultEfect: deny', 2, 1, 'did you mean "defaultEffect"?'],
    ['a member of elsewhere', 'defaultEffect: deny\nversion: 1\nrules: []', 2, 1, 'it has defaultEffect, rules'],
    ['a missing default', 'rules: []', 1, 1, 'defaultEffect is missing'],
    ['an unknown effect', rule('    effect: alow\n    match: {}'), 4, 13, 'did you mean "allow"?'],
    ['a missing match', rule('    effect: allow'), 3, 5, 'write "match: {}"'],
    [
      'a missing name',
      'defaultEffect: deny\nrules:\n  - effect: deny\n    match: {}',
      3,
      5,
      'rules[0].name is missing',
    ],
    ['an unknown risk', rule('    effect: deny\n    match:\n      risk: [read, destroy]'), 6, 20, '"destroy"'],
    [
      'a misspelt kind',
      rule('    effect: deny\n    match:\n      kind: [tool, resources]'),
      6,
      20,
      'did you mean "resource"?',
    ],
    [
      'an unknown kind',
      rule('    effect: deny\n    match:\n      kind: file'),
      6,
      13,
      'match.kind[0] must be tool, prompt, resource, sampling or elicitation, not "file".',
    ],
    [
      'a misspelt match member of kinds',
      rule('    effect: deny\n    match:\n      kinds: tool'),
      6,
      7,
      'did you mean "kind"?',
    ],
    ['a misspelt match member', rule('    effect: deny\n    match:\n      tools: x'), 6, 7, 'did you mean "tool"?'],
    ['an empty list', rule('    effect: deny\n    match:\n      tool: []'), 6, 13, 'must not be empty'],
    [
      'a number as a name',
      'defaultEffect: deny\nrules:\n  - name: 5\n    effect: deny\n    match: {}',
      3,
      11,
      'must be text',
    ],
    [
      'a name twice',
      rule('    effect: deny\n    match: {}\n  - name: r\n    effect: deny\n    match: {}'),
      6,
      11,
      'Two rules are called "r"',
    ],
    ['an alias', 'defaultEffect: &e deny\nrules: []', 1, 19, 'anchors and aliases'],
    ['two documents', 'defaultEffect: deny\nrules: []\n---\nrules: []', 3, 1, 'one YAML document'],
    ['a tag', 'defaultEffect: !!binary deny\nrules: []', 1, 16, 'Unresolved tag'],
    [
      'a regular expression that RE2 refuses',
      rule('    effect: deny\n    match:\n      arguments: {field: /a, op: matches, value: "(x)\\\\1"}'),
      6,
      50,
      'The regular expression is not one of RE2 syntax',
    ],
    [
      'an unknown op',
      rule('    effect: deny\n    match:\n      arguments: {field: /a, op: startswith, value: x}'),
      6,
      34,
      'did you mean "startsWith"?',
    ],
    [
      'a field that is no pointer',
      rule('    effect: deny\n    match:\n      arguments:\n        field: repo.owner\n        op: exists'),
      7,
      16,
      'such as "/repo/owner"',
    ],
    [
      'a stray member of a condition',
      rule(
        '    effect: deny\n    match:\n      arguments:\n        all:\n          - field: /a\n            op: eq\n            vlaue: 1',
      ),
      10,
      13,
      'did you mean "value"?',
    ],
    [
      'a condition of two forms',
      rule('    effect: deny\n    match:\n      arguments: {all: [], any: []}'),
      6,
      18,
      'exactly one of',
    ],
    [
      'a number that would be rounded',
      rule('    effect: deny\n    match:\n      arguments: {field: /a, op: eq, value: 9007199254740993}'),
      6,
      45,
      'too large to be compared exactly',
    ],
    [
      'an op without its value',
      rule('    effect: deny\n    match:\n      arguments:\n        field: /a\n        op: eq'),
      7,
      9,
      'value is missing',
    ],
  ])('%s', (_title, yaml, line, column, message) => {
    expect(parseYaml(yaml)).toEqual({ kind: 'refused', line, column, message: expect.stringContaining(message) });
  });

  test('of several faults the first in the text is told', () => {
    const yaml = 'rules:\n  - name: r\n    effect: nope\n    match: {}\ndefaultEffect: nope\n';
    expect(parseYaml(yaml)).toMatchObject({ line: 3, message: expect.stringContaining('rules[0].effect') });
  });

  test.each([
    ['lists', '['.repeat(100_000)],
    ['members', '{a: '.repeat(50_000)],
    ['dashes', '- '.repeat(50_000)],
    [
      'conditions',
      `defaultEffect: deny\nrules:\n- {name: r, effect: deny, match: {arguments: ${'{not: '.repeat(200)}{field: /a, op: exists}${'}'.repeat(200)}}}`,
    ],
  ])('%s nested without end are refused', (_title, yaml) => {
    expect(parseYaml(yaml)).toMatchObject({ kind: 'refused' });
  });

  test('a member called __proto__ is an unknown member like any other', () => {
    expect(parseYaml('__proto__: {rules: []}\ndefaultEffect: deny\nrules: []')).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('"__proto__" is not a member'),
    });
  });
});

describe('the round trip is stable', () => {
  const tricky: Policy = {
    defaultEffect: 'deny',
    rules: [
      { name: 'yes', effect: 'allow', match: { tool: ['*', 'null', '1', 'on', '- x', '# no', 'it\'s: "so"'] } },
      {
        name: 'ünïcode 名',
        effect: 'require_approval',
        reason:
          'a reason that is rather longer than eighty characters, so that a line of YAML would be folded if folding were on',
        match: {
          arguments: {
            all: [
              { field: '', op: 'exists', value: false },
              { any: [{ field: '/a~1b', op: 'in', value: [1, 1.5, '1', true, null, { x: [] }] }] },
              { not: { field: '/t', op: 'matches', value: '^\\d+\\s"\n\t\u0001$' } },
            ],
          },
        },
      },
    ],
  };

  const policyOnKinds: Policy = {
    defaultEffect: 'deny',
    rules: [
      { name: 'k', effect: 'allow', match: { upstream: ['a'], kind: ['prompt', 'resource'], tool: ['file:///*'] } },
    ],
  };

  test.each([
    ['the starter policy', starterPolicy],
    ['a tricky policy', tricky],
    ['a policy on kinds', policyOnKinds],
    ['a policy without rules', { defaultEffect: 'deny', rules: [] } satisfies Policy],
    ['a written policy', parsed(GOOD)],
  ])('%s', (_title, policy) => {
    const yaml = toYaml(policy);
    expect(parsed(yaml)).toEqual(policy);
    expect(toYaml(parsed(yaml))).toBe(yaml);
  });

  test('shared parts are written out, never as an alias', () => {
    const match = { risk: ['read'] } as const;
    const yaml = toYaml({
      defaultEffect: 'deny',
      rules: [
        { name: 'a', effect: 'allow', match },
        { name: 'b', effect: 'deny', match },
      ],
    });
    expect(parsed(yaml).rules[1]!.match).toEqual(match);
  });
});

test('every example in docs/policy.md is a policy that is read', async () => {
  const { readFile } = await import('node:fs/promises');
  const page = await readFile(new URL('../../../docs/policy.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml]) => yaml!);
  expect(examples.length).toBeGreaterThan(1);
  for (const yaml of examples) {
    expect(decide(parsed(yaml), someFacts()).reason).not.toContain('could not be evaluated');
  }
});
