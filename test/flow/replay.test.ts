import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveControl } from '../../electron/core/control/server.ts';
import type { ReplayReport } from '../../shared/model.ts';
import { run } from '../cli/control-double.ts';
import { startGatehouse, type TestGatehouse, type TestKey } from '../support/gatehouse.ts';

/* A draft policy against calls that were really made: over HTTP, decided, recorded, and read back from the audit. */

const POLICY = `defaultEffect: require_approval
rules:
  - { name: reads, effect: allow, match: { risk: [read] } }
  - { name: echoes, effect: allow, match: { tool: [echo] } }
`;

let gatehouse: TestGatehouse;
let agent: TestKey;
beforeAll(async () => {
  gatehouse = await startGatehouse();
  await gatehouse.ask('policyImport', { yaml: POLICY });
  agent = await gatehouse.key({ name: 'agent' });
  await gatehouse.recorder('rec', { risks: { delete_all: 'destructive' } });
  const other = await gatehouse.ask('workspaceCreate', { name: 'Other' });
  if (other.kind !== 'done') throw new Error(other.message);
  await gatehouse.ask('policyImport', { workspace: other.workspace.id, yaml: POLICY });
  const elsewhere = await gatehouse.key({ name: 'elsewhere', workspace: other.workspace.id });
  await gatehouse.recorder('rec', { workspace: 'other' });

  await gatehouse.call(agent.secret, 'rec__echo', '{"text":"small"}');
  await gatehouse.call(agent.secret, 'rec__echo', '{"text":"rm -rf /"}');
  await gatehouse.call(agent.secret, 'rec__echo', '{"text":"hello","password":"hunter2"}');
  await gatehouse.call(elsewhere.secret, 'rec__echo', '{"text":"rm -rf /"}');
  const asked = gatehouse.call(agent.secret, 'rec__delete_all');
  await gatehouse.approve(await gatehouse.card());
  await asked;
  const denied = gatehouse.call(agent.secret, 'rec__fail');
  await gatehouse.ask('approvalDeny', { approval: (await gatehouse.card()).id });
  await denied;
  // Never decided: there is nothing to decide otherwise.
  await gatehouse.call(agent.secret, 'rec__nothing');
  await gatehouse.audit((entries) => entries.filter(({ phase }) => phase === 'ended').length === 7);
});
afterAll(() => gatehouse.close());

const DRAFT = `defaultEffect: require_approval
rules:
  - { name: echoes, effect: allow, match: { tool: [echo] } }
  - name: no removing
    effect: deny
    match:
      arguments: { field: /text, op: contains, value: rm -rf }
  - name: not with that password
    effect: deny
    match:
      arguments: { field: /password, op: eq, value: hunter2 }
  - { name: no deleting, effect: deny, match: { risk: [destructive] } }
`;

async function replay(yaml: string, more: { calls?: number; sinceMs?: number; list?: number } = {}) {
  const answer = await gatehouse.ask('policyReplay', { yaml, ...more });
  if (answer.kind !== 'done') throw new Error(answer.message);
  return answer.report;
}

test('a draft is tried on the calls of its workspace: what stays, what changes by which rule, and of what it cannot tell', async () => {
  const report = await replay(DRAFT);
  expect(report).toMatchObject({ calls: 5, same: 2, changed: 2, cannotTell: 1 });
  expect(report.changes).toMatchObject([
    {
      tool: 'delete_all',
      client: 'agent',
      before: { outcome: 'require_approval', rule: null },
      after: { outcome: 'deny', rule: 'no deleting' },
    },
    {
      tool: 'echo',
      argumentsText: '{"text":"rm -rf /"}',
      before: { outcome: 'allow', rule: 'echoes' },
      after: { outcome: 'deny', rule: 'no removing' },
    },
  ]);
  expect(report.untold).toMatchObject([
    { argumentsText: '{"text":"hello","password":"[redacted]"}', cannotTell: '1 value was redacted.' },
  ]);
  // Whoever reads of a change finds its record.
  const { records } = await gatehouse.ask('auditList', {});
  for (const { requestId } of report.changes)
    expect(records.find((record) => record.requestId === requestId)).toBeDefined();
});

test('the policy that decided decides the same again, and trying a draft saves nothing', async () => {
  expect(await replay(POLICY)).toMatchObject({ calls: 5, same: 5, changed: 0, cannotTell: 0 });
  expect((await gatehouse.ask('policyGet')).policy?.rules.map(({ name }) => name)).toEqual(['reads', 'echoes']);
});

test('it takes as many calls, as old, and lists as many, as it is told', async () => {
  expect(await replay('defaultEffect: deny\nrules: []\n', { calls: 3, list: 1 })).toMatchObject({
    calls: 3,
    changed: 3,
    changes: [{ tool: 'fail' }],
  });
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await replay(POLICY, { sinceMs: 1 })).toMatchObject({ calls: 0, from: null });
});

test('while it looks through the audit it says how far it is', async () => {
  expect(await gatehouse.ask('policyReplayProgress')).toEqual({ looked: null });
  const running = replay(POLICY);
  expect((await gatehouse.ask('policyReplayProgress')).looked).toBe(0);
  await running;
  expect(await gatehouse.ask('policyReplayProgress')).toEqual({ looked: null });
});

test('a draft that does not parse is refused with its line', async () => {
  expect(await gatehouse.ask('policyReplay', { yaml: 'defaultEffect: maybe\nrules: []\n' })).toMatchObject({
    kind: 'refused',
    line: 1,
  });
});

test('policy replay prints counts and calls, or all of it as JSON', async () => {
  const control = await serveControl({
    folder: gatehouse.folder,
    api: gatehouse.core.api,
    subscribe: gatehouse.core.subscribe,
    log: gatehouse.core.log,
  });
  if (control.kind === 'fault') throw new Error(control.message);
  const file = join(gatehouse.folder, 'draft.yaml');
  writeFileSync(file, DRAFT);
  const { code, out } = await run(['policy', 'replay', file], gatehouse);
  expect(code).toBe(0);
  expect(out).toMatch(/^5 calls from .* to .*: 2 decided the same, 2 otherwise, of 1 it cannot be told\.$/m);
  expect(out).toContain('  allow -> deny: 1\n');
  expect(out).toMatch(/agent +rec\/delete_all +require_approval +deny by no deleting +\S+$/m);
  expect(out).toMatch(/agent +rec\/echo +1 value was redacted\. +\S+$/m);
  const json = await run(['policy', 'replay', file, '--calls', '2', '--since', '7d', '--json'], gatehouse);
  expect(JSON.parse(json.out) as ReplayReport).toMatchObject({ calls: 2, changed: 1 });
  expect(await run(['policy', 'replay', file, '--since', 'yesterday'], gatehouse)).toMatchObject({
    code: 1,
    err: "gatehouse: 'yesterday' is not a time span; write 24h or 7d.\n",
  });
  await control.server.close();
});
