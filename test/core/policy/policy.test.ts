import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { decide } from '../../../electron/core/policy/decide.ts';
import { createPolicies, policiesSchema, starterPolicy } from '../../../electron/core/policy/policy.ts';
import type { Policy } from '../../../shared/model.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { someFacts } from './facts.ts';

function open() {
  const db = new Database(':memory:');
  db.exec(policiesSchema);
  return { db, policies: createPolicies({ db, clock: fakeClock() }) };
}

test('a workspace without a policy has none, and that is no problem to report', () => {
  expect(open().policies.get('w')).toEqual({ policy: null, problem: null, version: '0' });
});

test('a saved policy is read back, also by another process, and other workspaces have their own', () => {
  const { db, policies } = open();
  policies.set('w', starterPolicy);
  expect(policies.get('w')).toMatchObject({ policy: starterPolicy, problem: null });
  expect(policies.get('other').policy).toBeNull();
  expect(createPolicies({ db, clock: fakeClock() }).get('w').policy).toEqual(starterPolicy);
});

test('the version changes with every save, even of the same policy', () => {
  const { policies } = open();
  const versions = [policies.get('w').version];
  for (let save = 0; save < 3; save++) {
    policies.set('w', starterPolicy);
    versions.push(policies.get('w').version);
  }
  expect(new Set(versions).size).toBe(4);
});

test.each([
  ['that is no JSON', 'not json'],
  ['of an effect that does not exist', '{"defaultEffect":"maybe","rules":[]}'],
  [
    'with a regular expression that cannot be compiled',
    JSON.stringify({
      defaultEffect: 'allow',
      rules: [{ name: 'r', effect: 'deny', match: { arguments: { field: '/a', op: 'matches', value: '(' } } }],
    }),
  ],
])('a stored policy %s denies everything and says so', (_title, text) => {
  const { db, policies } = open();
  db.prepare('INSERT INTO policies (workspace_id, policy, revision, saved_at) VALUES (?, ?, 1, 0)').run('w', text);
  const { policy, problem } = policies.get('w');
  expect(policy).toBeNull();
  expect(problem).toMatch(
    /^The stored policy cannot be read, so every call is denied\. .*Import a policy to replace it\.$/,
  );
  expect(decide(policy, someFacts()).effect).toBe('deny');
});

test('a policy in use cannot be changed in place', () => {
  const { policies } = open();
  policies.set('w', starterPolicy);
  const { policy } = policies.get('w');
  expect(() => Object.assign(policy!, { defaultEffect: 'allow' })).toThrow(TypeError);
  expect(() => Object.assign(policy!.rules[0]!.match, { risk: ['write'] })).toThrow(TypeError);
  expect(() => (policy!.rules as unknown[]).push({})).toThrow(TypeError);
});

test('a policy that would not be read again is not saved', () => {
  const { policies } = open();
  policies.set('w', starterPolicy);
  expect(() =>
    policies.set('w', { defaultEffect: 'allow', rules: [{ name: '', effect: 'deny', match: {} }] } as Policy),
  ).toThrow('name');
  expect(policies.get('w').policy).toEqual(starterPolicy);
});

test('listeners hear which workspace changed, until they leave', () => {
  const { policies } = open();
  const heard: string[] = [];
  const leave = policies.onChange((workspace) => heard.push(workspace));
  policies.set('a', starterPolicy);
  leave();
  policies.set('b', starterPolicy);
  expect(heard).toEqual(['a']);
});
