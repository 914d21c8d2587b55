import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Caller } from '../../electron/core/api.ts';
import { serveControl } from '../../electron/core/control/server.ts';
import { run } from '../cli/control-double.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { eventually, startGatehouse, type TestGatehouse, type TestKey } from '../support/gatehouse.ts';

/* Suggestions from answers that were really given: over HTTP, on cards, recorded, and read back from the audit. */

const CLI: Caller = { origin: 'cli', label: 'command line' };

async function answered(gatehouse: TestGatehouse, key: TestKey, tool: string, texts: readonly string[]) {
  for (const text of texts) {
    const call = gatehouse.call(key.secret, `rec__${tool}`, text);
    await gatehouse.approve(await gatehouse.card());
    await call;
  }
}

const suggestions = async (gatehouse: TestGatehouse) => (await gatehouse.ask('policySuggestions')).suggestions;
const some = (count: number) => Array.from({ length: count }, (_, n) => `{"text":"note","n":${n}}`);

test('ten yeses suggest a rule; applied by the person it is in the policy and on record, and the next call runs unasked', async () => {
  await using gatehouse = await startGatehouse();
  const key = await gatehouse.key({ name: 'agent' });
  await gatehouse.ask('clientSet', { client: key.clientId, holdMs: 60_000 });
  await gatehouse.recorder('rec');
  await answered(gatehouse, key, 'echo', some(9));
  expect(await suggestions(gatehouse)).toEqual([]);
  await answered(gatehouse, key, 'echo', ['{"text":"note","n":"last"}']);
  const [suggestion, ...more] = await suggestions(gatehouse);
  expect(more).toEqual([]);
  expect(suggestion).toMatchObject({
    effect: 'allow',
    client: 'agent',
    upstream: 'rec',
    tool: 'echo',
    times: 10,
    replay: { calls: 10, changed: 10 },
    narrower: { match: { arguments: { field: '/text', op: 'eq', value: 'note' } } },
  });
  const before = await gatehouse.ask('policyGet');
  const { id = '' } = suggestion ?? {};

  const applied = await gatehouse.ask('policySuggestionApply', { suggestion: id, narrower: true });
  expect(applied).toMatchObject({ kind: 'done', rule: { name: 'allow echo of rec for agent' } });
  const { policy } = await gatehouse.ask('policyGet');
  expect(policy?.rules).toEqual([...(before.policy?.rules ?? []), suggestion?.narrower]);
  expect((await gatehouse.call(key.secret, 'rec__echo', '{"text":"note","n":"more"}')).text).toContain('more');
  const changed = (await gatehouse.audit()).find(({ kind }) => kind === 'policy_changed');
  expect(changed).toMatchObject({ detail: { suggestion: id, by: 'dashboard' } });
  // What it was about is decided by now.
  expect(await gatehouse.ask('policySuggestionApply', { suggestion: id, narrower: true })).toMatchObject({
    kind: 'refused',
  });
  // Other arguments are asked about as before.
  await answered(gatehouse, key, 'echo', ['{"text":"other"}']);
});

test('from the command line it is applied only when the person confirmed it, and never by itself', async () => {
  await using gatehouse = await startGatehouse();
  const key = await gatehouse.key({ name: 'agent' });
  await gatehouse.recorder('rec');
  await answered(gatehouse, key, 'echo', some(10));
  const rules = async () => (await gatehouse.ask('policyGet')).policy?.rules.length;
  const first = await rules();
  const [suggestion] = await suggestions(gatehouse);
  const { id = '' } = suggestion ?? {};
  for (const [answer, more] of [
    ['refuse', 0],
    ['confirm', 1],
  ] as const) {
    const applying = gatehouse.ask('policySuggestionApply', { suggestion: id }, CLI);
    const asked = await eventually(async () => (await gatehouse.ask('confirmationsList'))[0] ?? null, 'a confirmation');
    expect(asked).toMatchObject({ kind: 'policy', title: expect.stringContaining('allow echo of rec for agent') });
    expect(await rules()).toBe(first);
    await gatehouse.ask('confirmationAnswer', { confirmation: asked.id, answer });
    expect((await applying).kind).toBe(answer === 'confirm' ? 'done' : 'refused');
    expect(await rules()).toBe((first ?? 0) + more);
  }
});

test('five noes to a destructive tool suggest to deny it; what a client repeats in its cool-down is no further no', async () => {
  const clock = fakeClock();
  await using gatehouse = await startGatehouse({ clock });
  const key = await gatehouse.key({ name: 'agent' });
  await gatehouse.recorder('rec', { risks: { delete_all: 'destructive' } });
  for (let n = 0; n < 5; n += 1) {
    expect(await suggestions(gatehouse)).toEqual([]);
    const call = gatehouse.call(key.secret, 'rec__delete_all', `{"n":${n}}`);
    await gatehouse.ask('approvalDeny', { approval: (await gatehouse.card()).id });
    await call;
    await gatehouse.call(key.secret, 'rec__delete_all', `{"n":${n}}`);
    await clock.advance(3_600_000);
  }
  const [suggestion] = await suggestions(gatehouse);
  expect(suggestion).toMatchObject({ effect: 'deny', tool: 'delete_all', times: 5 });
  await gatehouse.ask('policySuggestionApply', { suggestion: suggestion?.id ?? '' });
  const denied = await gatehouse.call(key.secret, 'rec__delete_all', '{"n":9}');
  expect(denied.message?.result?._meta).toMatchObject({
    'gatehouse/class': 'policy_denied',
    'gatehouse/rule': 'deny delete_all of rec for agent',
  });
});

test('what is dismissed is not suggested again, after a restart neither', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-suggest-'));
  const first = await startGatehouse({ folder });
  const key = await first.key({ name: 'writer' });
  await first.recorder('rec');
  await answered(first, key, 'echo', some(10));
  const [found, ...more] = await suggestions(first);
  expect(more).toEqual([]);

  const control = await serveControl({ folder, api: first.core.api, subscribe: first.core.subscribe });
  if (control.kind === 'fault') throw new Error(control.message);
  const shown = await run(['policy', 'suggestions'], first);
  expect(shown.out).toContain(`${found?.id}  approved echo of rec 10 times from writer, never denied: allow it?`);
  expect(shown.out).toContain('  It would change 10 of its latest 10 calls.');
  expect(JSON.parse((await run(['policy', 'suggestions', '--json'], first)).out)).toHaveLength(1);
  expect((await run(['policy', 'suggestions', 'apply'], first)).code).toBe(1);
  expect((await run(['policy', 'suggestions', 'dismiss', found?.id ?? ''], first)).err).toBe(
    'It is not suggested again.\n',
  );
  expect((await run(['policy', 'suggestions'], first)).err).toBe('Your answers of the last 30 days suggest no rule.\n');
  await control.server.close();
  expect((await first.audit()).find(({ kind }) => kind === 'suggestion_dismissed')).toMatchObject({
    client: 'writer',
    tool: 'echo',
    detail: { by: 'command line' },
  });
  await first.close();

  await using second = await startGatehouse({ folder });
  expect(await suggestions(second)).toEqual([]);
  await second.close();
  rmSync(folder, { recursive: true, force: true });
});
