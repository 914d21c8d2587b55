import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { serveControl } from '../../electron/core/control/server.ts';
import { run } from '../cli/control-double.ts';
import { startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';

const POLICY = `defaultEffect: require_approval
rules:
  - { name: echoes, effect: allow, match: { tool: [echo] } }
  - { name: no failing, effect: deny, match: { tool: [fail] } }
`;
const DRAFT = `defaultEffect: deny
rules:
  - { name: some echoes, effect: allow, match: { tool: [echo], arguments: { field: /text, op: neq, value: rm -rf } } }
  - { name: strange ones, effect: require_approval, match: { tool: [strange] } }
`;

const report = async (gatehouse: TestGatehouse) => (await gatehouse.ask('policyShadow')).shadow?.report;
const calledTimes = (gatehouse: TestGatehouse, times: number) =>
  gatehouse.audit((entries) => entries.filter(({ phase }) => phase === 'ended').length === times);

test('the policy alone rules; what the shadow says of each call stands in its record and in the report', async () => {
  await using gatehouse = await startGatehouse();
  await gatehouse.ask('policyImport', { yaml: POLICY });
  const key = await gatehouse.key({ name: 'agent' });
  const recorder = await gatehouse.recorder('rec');
  await gatehouse.call(key.secret, 'rec__echo', '{"text":"before"}');
  expect(await gatehouse.ask('policyShadow')).toEqual({ shadow: null });

  expect(await gatehouse.ask('policyShadowStart', { yaml: DRAFT })).toEqual({ kind: 'done' });
  expect((await gatehouse.call(key.secret, 'rec__echo', '{"text":"rm -rf"}')).text).toContain('rm -rf');
  await gatehouse.call(key.secret, 'rec__echo', '{"text":"fine"}');
  await gatehouse.call(key.secret, 'rec__fail');
  await gatehouse.ask('trustStart', { client: key.clientId, minutes: 5 });
  await gatehouse.call(key.secret, 'rec__strange');
  const entries = await calledTimes(gatehouse, 5);
  expect(recorder.calls()).toHaveLength(4);

  const said = entries.flatMap(({ kind, tool, detail }) =>
    kind === 'tool_call' && detail.shadow !== undefined ? [[tool, detail.shadow]] : [],
  );
  const id = expect.stringMatching(/^[0-9a-f]{16}$/);
  expect(said).toEqual([
    ['echo', { id, effect: 'deny', rule: null, agrees: false }],
    ['echo', { id, effect: 'allow', rule: 'some echoes', agrees: true }],
    ['fail', { id, effect: 'deny', rule: null, agrees: true }],
    // Both ask; trust in the client answered.
    ['strange', { id, effect: 'require_approval', rule: 'strange ones', agrees: true }],
  ]);
  expect(await report(gatehouse)).toMatchObject({
    calls: 4,
    same: 3,
    changed: 1,
    steps: [{ before: 'allow', after: 'deny', calls: 1 }],
    changes: [
      { argumentsText: '{"text":"rm -rf"}', before: { outcome: 'allow', rule: 'echoes' }, after: { outcome: 'deny' } },
    ],
  });

  expect(await gatehouse.ask('policyShadowStop')).toEqual({ kind: 'done' });
  await gatehouse.call(key.secret, 'rec__echo', '{"text":"after"}');
  const after = await calledTimes(gatehouse, 6);
  expect(after.filter(({ kind, detail }) => kind === 'tool_call' && detail.shadow !== undefined)).toHaveLength(4);
  expect(after.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['shadow_started', 'shadow_stopped']));
  expect(await gatehouse.ask('policyShadowStop')).toMatchObject({ kind: 'refused' });
});

test('it goes on after a restart, and one started anew begins with nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-shadow-'));
  const first = await startGatehouse({ folder });
  await first.ask('policyImport', { yaml: POLICY });
  const key = await first.key();
  await first.recorder('rec');
  await first.ask('policyShadowStart', { yaml: DRAFT });
  await first.call(key.secret, 'rec__fail');
  await first.close();

  await using second = await startGatehouse({ folder });
  await second.call(key.secret, 'rec__fail');
  await calledTimes(second, 2);
  expect(await report(second)).toMatchObject({ calls: 2, same: 2 });
  await second.ask('policyShadowStart', { yaml: DRAFT });
  expect(await report(second)).toMatchObject({ calls: 0 });
  await second.close();
  rmSync(folder, { recursive: true, force: true });
});

test('from the command line: started from a file, reported and stopped', async () => {
  await using gatehouse = await startGatehouse();
  await gatehouse.ask('policyImport', { yaml: POLICY });
  const key = await gatehouse.key({ name: 'agent' });
  await gatehouse.recorder('rec');
  const control = await serveControl({ ...gatehouse, api: gatehouse.core.api, subscribe: gatehouse.core.subscribe });
  if (control.kind === 'fault') throw new Error(control.message);
  const file = join(gatehouse.folder, 'draft.yaml');
  writeFileSync(file, DRAFT);
  const shadow = (...words: readonly string[]) => run(['policy', 'shadow', ...words], gatehouse);
  expect(await shadow('start')).toMatchObject({ code: 1, err: "gatehouse: 'policy shadow start' needs a file.\n" });
  expect((await shadow('begin', file)).err).toContain("There is no 'policy shadow begin'");
  expect(await shadow('report')).toMatchObject({ code: 0, err: 'No shadow runs.\n' });
  expect((await shadow('start', file)).code).toBe(0);
  await gatehouse.call(key.secret, 'rec__echo', '{"text":"rm -rf"}');
  await calledTimes(gatehouse, 1);
  const { out } = await shadow('report');
  expect(out).toMatch(/^A shadow runs since .*, started by command line\.$/m);
  expect(out).toMatch(/agent +rec\/echo +allow by echoes +deny +\S+$/m);
  expect(JSON.parse((await shadow('report', '--json')).out)).toMatchObject({ report: { changed: 1 } });
  expect((await shadow('stop')).code).toBe(0);
  expect((await shadow('stop')).err).toBe('gatehouse: No shadow runs.\n');
  writeFileSync(file, 'rules: [');
  expect((await shadow('start', file)).code).toBe(1);
  await control.server.close();
});
