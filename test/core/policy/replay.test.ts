import { describe, expect, test } from 'vitest';
import type { RecordedCall } from '../../../electron/core/audit/scan.ts';
import { createReplay } from '../../../electron/core/policy/replay.ts';
import { parseYaml } from '../../../electron/core/policy/yaml.ts';
import { recordedCall } from '../../support/recorded-call.ts';

/** The report on calls given oldest first. */
function replay(yaml: string, calls: readonly Partial<RecordedCall>[], list = 100) {
  const parsed = parseYaml(yaml);
  if (parsed.kind !== 'done') throw new Error(parsed.message);
  const made = createReplay(parsed.policy);
  const whole = calls.map((call, n) => recordedCall({ requestId: `r${n}`, at: 1_000 + n, ...call }));
  for (const call of whole.toReversed()) made.take(call);
  return made.report(list);
}

const asked = { effect: 'require_approval', rule: null } as const;

test('says of each call that would change what it was and would be, by which rule, newest first, and counts the rest', () => {
  const report = replay(
    'defaultEffect: require_approval\nrules:\n  - { name: no deleting, effect: deny, match: { tool: [delete_*] } }\n  - { name: reads, effect: allow, match: { risk: [read] } }\n',
    [{ tool: 'delete_it' }, { tool: 'read_it', risk: 'read' }, { ...asked }, { tool: 'delete_all', ...asked }, {}],
  );
  expect(report).toMatchObject({ calls: 5, same: 2, changed: 3, cannotTell: 0, from: 1_000, to: 1_004 });
  expect(report.changes.map(({ requestId, before, after }) => [requestId, before, after])).toEqual([
    ['r4', { outcome: 'allow', rule: 'old rule' }, { outcome: 'require_approval', rule: null }],
    ['r3', { outcome: 'require_approval', rule: null }, { outcome: 'deny', rule: 'no deleting' }],
    ['r0', { outcome: 'allow', rule: 'old rule' }, { outcome: 'deny', rule: 'no deleting' }],
  ]);
  expect(report.steps).toEqual(
    expect.arrayContaining([
      { before: 'allow', after: 'deny', calls: 1 },
      { before: 'allow', after: 'require_approval', calls: 1 },
      { before: 'require_approval', after: 'deny', calls: 1 },
    ]),
  );
  expect(replay('defaultEffect: deny\nrules: []\n', [{}, {}, {}], 2)).toMatchObject({
    changed: 3,
    changes: [{ requestId: 'r2' }, { requestId: 'r1' }],
  });
});

test('what a standing approval or trust let run was asked about by its policy, so a draft that asks changes nothing', () => {
  const report = replay('defaultEffect: require_approval\nrules: []\n', [{ standing: 's1' }, { trust: 't1' }]);
  expect(report).toMatchObject({ same: 2, changed: 0 });
});

describe('a value that the record does not have', () => {
  const onBranch = (rest: string) =>
    `defaultEffect: allow\nrules:\n  - name: no pushing to main\n    effect: deny\n    match:\n      arguments: ${rest}\n`;
  const SECRET = '{"branch":"[redacted]","force":true,"size":"big"}';

  test.each([
    ['decides: it cannot tell', '{ field: /branch, op: eq, value: main }', 1],
    [
      'is within what is asked for: it cannot tell',
      '{ field: "", op: eq, value: { branch: main, force: true, size: big } }',
      1,
    ],
    [
      'is asked for beside what decides already: it can tell',
      '{ any: [{ field: /branch, op: eq, value: main }, { field: /force, op: eq, value: true }] }',
      0,
    ],
    [
      'is asked for only where something else is not so: it can tell',
      '{ all: [{ field: /branch, op: eq, value: main }, { field: /force, op: eq, value: false }] }',
      0,
    ],
    ['is asked only for being there: it can tell', '{ field: /branch, op: exists }', 0],
    ['is not asked for: it can tell', '{ field: /force, op: eq, value: true }', 0],
    ['is not what makes the comparison uncertain: it can tell', '{ field: /size, op: gt, value: 100 }', 0],
  ])('%s', (_case, condition, cannotTell) => {
    const report = replay(onBranch(condition), [{ argumentsText: SECRET }]);
    expect(report.cannotTell).toBe(cannotTell);
    expect(report.untold.map((call) => call.cannotTell)).toEqual(cannotTell === 1 ? ['1 value was redacted.'] : []);
    expect(report.same + report.changed + report.cannotTell).toBe(1);
  });

  test('lies behind the cut', () => {
    const cut = { argumentsText: '{"a":"xxxx', isCut: true };
    expect(replay(onBranch('{ field: /branch, op: eq, value: main }'), [cut])).toMatchObject({ cannotTell: 1 });
    expect(replay('defaultEffect: deny\nrules: []\n', [cut])).toMatchObject({ cannotTell: 0, changed: 1 });
  });

  test('is a key that an older version did not write down', () => {
    const yaml =
      'defaultEffect: allow\nrules:\n  - { name: one key, effect: deny, match: { key: [k2], tool: [write_*] } }\n';
    const report = replay(yaml, [{ keyId: null }, { keyId: null, tool: 'read' }, { keyId: 'k2' }]);
    expect(report).toMatchObject({ cannotTell: 1, same: 1, changed: 1 });
  });
});

describe('a rate limit of the draft', () => {
  const limited = (by: string, effect = 'allow') =>
    `defaultEffect: deny\nrules:\n  - { name: slowly, effect: ${effect}, match: {}, rateLimit: { calls: 2, per: 1m, by: ${by} } }\n`;
  const minute = 60_000;

  test('is counted by the times that were recorded, and says which call would have been one too many', () => {
    const report = replay(limited('all'), [{ at: 0 }, { at: 10 }, { at: 20 }, { at: minute }, { at: minute + 5 }]);
    // At the full minute the first place is free again, but the second only after it.
    expect(report.changes.map(({ requestId, after }) => [requestId, after])).toEqual([
      ['r4', { outcome: 'rate_limited', rule: 'slowly' }],
      ['r2', { outcome: 'rate_limited', rule: 'slowly' }],
    ]);
  });

  test.each([
    ['client', { clientId: 'c2', client: 'other' }, 0],
    ['upstream', { upstream: 'other' }, 0],
    ['tool', { tool: 'other' }, 0],
    ['upstream', { tool: 'other', clientId: 'c2' }, 1],
    ['all', { upstream: 'other', tool: 'other', clientId: 'c2' }, 1],
  ])('by %s: a third call with %j', (by, third, changed) => {
    expect(replay(limited(by), [{ at: 0 }, { at: 1 }, { at: 2, ...third }])).toMatchObject({ changed });
  });

  test('is not used up by calls that would not have run', () => {
    const notRun = { ...asked, outcome: 'refused', approval: 'denied' };
    const report = replay(limited('all', 'require_approval'), [
      { ...notRun, at: 0 },
      { ...notRun, at: 1 },
      { ...asked, at: 2 },
      { ...asked, at: 3 },
      { ...asked, at: 4 },
    ]);
    expect(report.changes.map(({ requestId }) => requestId)).toEqual(['r4']);
  });

  test('is counted once however often it is reported', () => {
    const parsed = parseYaml(limited('all'));
    if (parsed.kind !== 'done') throw new Error(parsed.message);
    const made = createReplay(parsed.policy);
    for (const at of [2, 1, 0]) made.take(recordedCall({ at }));
    expect(made.report(10)).toEqual(made.report(10));
  });
});

test('what the draft would take out or hold is counted', () => {
  const yaml = `defaultEffect: allow
rules:
  - { name: mails, match: { tool: [send_*] }, redactArgs: [{ name: emails }], redactResult: [{ field: /to }] }
  - { name: look, match: { upstream: [files] }, holdResult: [{ always: true }] }
`;
  const report = replay(yaml, [{ tool: 'send_mail', upstream: 'mail' }, { tool: 'send_file' }, {}]);
  expect(report.modified).toEqual({ redactArgs: 2, redactResult: 2, holdResult: 2 });
  expect(report.changed).toBe(0);
});
