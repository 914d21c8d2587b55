import { expect, test } from 'vitest';
import type { ExplainedRecord } from '../../shared/model.ts';
import { eventually, startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';

const FIRST = `defaultEffect: require_approval
rules:
  - name: small-amounts
    effect: allow
    match:
      tool: echo
      arguments: { field: /amount, op: lt, value: 100 }
  - name: no-secrets
    effect: deny
    match:
      arguments: { field: /password, op: eq, value: hunter2222 }
`;
const SECOND = `defaultEffect: allow
rules: []
`;

async function idOf(gatehouse: TestGatehouse, call: () => Promise<unknown>): Promise<string> {
  const ids = async () =>
    (await gatehouse.ask('auditList', { limit: 500, kind: 'tool_call' })).records.map((record) => record.requestId);
  const before = await ids();
  await call();
  return eventually(async () => (await ids()).find((id) => !before.includes(id)) ?? null, 'the record');
}

async function explained(gatehouse: TestGatehouse, requestId: string): Promise<ExplainedRecord> {
  const answer = await gatehouse.ask('auditExplain', { requestId });
  if (answer.kind !== 'done') throw new Error(answer.message);
  return answer.explained;
}

test('a record is explained by every rule of the policy that decided it, also after that policy is gone', async () => {
  await using gatehouse = await startGatehouse();
  const { secret } = await gatehouse.key({ name: 'agent' });
  await gatehouse.recorder('box');
  await gatehouse.ask('policyImport', { yaml: FIRST });
  const call = (text: string) => idOf(gatehouse, () => gatehouse.call(secret, 'box__echo', text));

  const small = await call('{"amount":7}');
  const now = await explained(gatehouse, small);
  expect(now).toMatchObject({ by: 'then', recorded: { effect: 'allow', rule: 'small-amounts' }, notes: [] });
  expect(now.explanation.decision).toMatchObject({ effect: 'allow', rule: 'small-amounts' });
  expect(now.explanation.rules.map(({ rule, matched, decided }) => [rule, matched, decided])).toEqual([
    ['no-secrets', false, false],
    ['small-amounts', true, true],
  ]);
  expect(now.explanation.certain).toBe(true);

  await gatehouse.ask('policyImport', { yaml: SECOND });
  const later = await explained(gatehouse, small);
  expect(later).toMatchObject({ by: 'then', policy: now.policy });
  expect(later.explanation).toEqual(now.explanation);
});

test('what was redacted or cut cannot be told, and the explanation says so', async () => {
  await using gatehouse = await startGatehouse();
  const { secret } = await gatehouse.key({ name: 'agent' });
  await gatehouse.recorder('box');
  await gatehouse.ask('policyImport', { yaml: FIRST });
  const id = await idOf(gatehouse, () =>
    gatehouse.call(secret, 'box__echo', '{"amount":7,"password":"something-else"}'),
  );
  const { explanation, recorded, notes } = await explained(gatehouse, id);
  expect(recorded.effect).toBe('allow');
  expect(explanation.rules.find(({ rule }) => rule === 'no-secrets')?.matched).toBe('unknown');
  expect(explanation.certain).toBe(false);
  expect(notes[0]).toBe('1 value was redacted.');

  const long = await idOf(gatehouse, () =>
    gatehouse.call(secret, 'box__echo', `{"amount":7,"text":"${'x'.repeat(70_000)}"}`),
  );
  const cut = await explained(gatehouse, long);
  expect(cut.notes[0]).toBe('The arguments were too long to be kept whole.');
  expect(cut.explanation.rules.map(({ matched }) => matched)).toEqual(['unknown', 'unknown']);
});

test('a policy that nobody knows any more is said to be another', async () => {
  await using gatehouse = await startGatehouse();
  const { secret } = await gatehouse.key({ name: 'agent' });
  const id = await idOf(gatehouse, () => gatehouse.call(secret, 'demo__list_notes'));
  expect(await explained(gatehouse, id)).toMatchObject({ by: 'then', recorded: { rule: 'read-tools-run' } });
  // The starter policy is known from the change that replaced it.
  await gatehouse.ask('policyImport', { yaml: FIRST });
  expect(await explained(gatehouse, id)).toMatchObject({ by: 'then', recorded: { rule: 'read-tools-run' } });
});

test('what no rule was asked about is said to be so, and an unknown id too', async () => {
  await using gatehouse = await startGatehouse();
  const { secret } = await gatehouse.key({ name: 'agent' });
  const id = await idOf(gatehouse, () => gatehouse.call(secret, 'no__such_tool'));
  expect(await gatehouse.ask('auditExplain', { requestId: id })).toMatchObject({
    kind: 'refused',
    message: expect.stringMatching(/^No rule was asked about this record/),
  });
  expect(await gatehouse.ask('auditExplain', { requestId: 'entry-1' })).toMatchObject({ kind: 'refused' });
  expect(await gatehouse.ask('auditExplain', { requestId: 'nothing' })).toEqual({
    kind: 'refused',
    message: 'There is no record "nothing" in the audit.',
  });
});
