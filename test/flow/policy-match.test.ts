import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FakeClock, fakeClock } from '../support/fake-clock.ts';
import { type Answer, type Recorder, startGatehouse, type TestGatehouse, type TestKey } from '../support/gatehouse.ts';
import { openLegacySession } from '../support/legacy-session.ts';

/** Every member of a match on a real call: over HTTP, to an upstream that tells what reached it, and in the audit. */
let clock: FakeClock;
let gatehouse: TestGatehouse;
let recorder: Recorder;
let key: TestKey;
let fingerprint = '';

beforeAll(async () => {
  clock = fakeClock();
  gatehouse = await startGatehouse({ clock });
  recorder = await gatehouse.recorder('rec', { risks: { delete_all: 'destructive' } });
  await gatehouse.ask('upstreamChange', { upstream: recorder.id, tags: ['lab'], secrets: {} });
  key = await gatehouse.key({ name: 'agent' });
  await gatehouse.ask('clientSet', { client: key.clientId, tags: ['bot'] });
  const tools = await gatehouse.ask('toolsList', { upstream: recorder.id });
  fingerprint = tools.find(({ name }) => name === 'echo')!.fingerprint;
});
afterAll(() => gatehouse.close());

const metaOf = (answer: Answer) => (answer.message?.result?._meta ?? {}) as Readonly<Record<string, unknown>>;

/** Saves a policy that denies what matches, and calls. */
async function denied(match: string, argumentsText = '{"text":"x"}'): Promise<boolean> {
  const yaml = `defaultEffect: allow\nrules:\n  - name: it\n    effect: deny\n    match: ${match}\n`;
  const saved = await gatehouse.ask('policyImport', { yaml });
  if (saved.kind !== 'done') throw new Error(`${match}: ${saved.message}`);
  const before = recorder.calls().length;
  const answer = await gatehouse.call(key.secret, 'rec__echo', argumentsText);
  const isDenied = metaOf(answer)['gatehouse/rule'] === 'it';
  expect(recorder.calls().length - before, match).toBe(isDenied ? 0 : 1);
  const entries = await gatehouse.audit((all) => all.at(-1)?.phase === 'ended');
  expect(entries.at(-1), match).toMatchObject(
    isDenied
      ? { effect: 'deny', rule: 'it', errorClass: 'policy_denied', outcome: 'refused' }
      : { effect: 'allow', rule: null, outcome: 'answered' },
  );
  return isDenied;
}

test.each([
  ['workspace', '{ workspace: Pers* }', '{ workspace: Work }'],
  ['upstream', '{ upstream: r?c }', '{ upstream: other }'],
  ['upstream tag', '{ tag: [lab] }', '{ tag: [la] }'],
  ['connection', '{ connection: none }', '{ connection: "*" }'],
  ['kind', '{ kind: tool }', '{ kind: [prompt, resource] }'],
  ['tool', '{ tool: ec* }', '{ tool: Echo }'],
  ['risk', '{ risk: write }', '{ risk: destructive }'],
  ['state', '{ state: reviewed }', '{ state: [changed, awaiting_review] }'],
  ['client', '{ client: agent }', '{ client: agen }'],
  ['client tag', '{ clientTag: bot }', '{ clientTag: ci }'],
  ['session', '{ session: none }', '{ session: "*" }'],
  [
    'arguments',
    '{ arguments: { field: /text, op: matches, value: "^x$" } }',
    '{ arguments: { field: /text, op: eq, value: y } }',
  ],
])('a rule matches a call by its %s, and no other', async (_member, matching, other) => {
  expect([await denied(matching), await denied(other)]).toEqual([true, false]);
});

test('a rule matches a call by the fingerprint of the tool', async () => {
  expect(await denied(`{ fingerprint: "${fingerprint.slice(0, 12)}" }`)).toBe(true);
  expect(await denied(`{ fingerprint: "${fingerprint.slice(1, 13)}" }`)).toBe(false);
});

test('a rule matches a call by its key, and another key of nobody else', async () => {
  expect(await denied(`{ key: "${key.prefix}" }`)).toBe(true);
  expect(await denied(`{ key: "${key.keyId}" }`)).toBe(true);
  expect(await denied('{ key: "gh_zzzzzzzz" }')).toBe(false);
});

test('a rule matches the one session that the audit names', async () => {
  await denied('{ session: never }');
  const session = await openLegacySession(gatehouse, key.secret);
  await session.call('rec__echo', '{}');
  const entries = await gatehouse.audit((all) => all.some(({ detail }) => typeof detail.session === 'string'));
  const label = entries.findLast(({ detail }) => typeof detail.session === 'string')!.detail.session;
  const yaml = `defaultEffect: allow\nrules:\n  - { name: it, effect: deny, match: { session: "${label}" } }\n`;
  await gatehouse.ask('policyImport', { yaml });
  expect(JSON.stringify(await session.call('rec__echo', '{}'))).toContain('policy_denied');
  const other = await openLegacySession(gatehouse, key.secret);
  expect(JSON.stringify(await other.call('rec__echo', '{}'))).not.toContain('policy_denied');
});

test('a rule matches by the time, which the refusal says may pass', async () => {
  const night = '{ time: { from: "22:00", to: "06:00", zone: UTC } }';
  clock.set(Date.UTC(2030, 5, 1, 21, 59));
  expect(await denied(night)).toBe(false);
  await clock.advance(60_000);
  expect(await denied(night)).toBe(true);
  const answer = await gatehouse.call(key.secret, 'rec__echo', '{}');
  expect(metaOf(answer)['gatehouse/retryable']).toBe(true);
  expect(answer.text).toContain('it may decide differently later');
  clock.set(Date.UTC(2030, 5, 2, 6, 0));
  expect(await denied(night)).toBe(false);
  expect(await denied('{}')).toBe(true);
  expect(metaOf(await gatehouse.call(key.secret, 'rec__echo', '{}'))['gatehouse/retryable']).toBe(false);
});

test('a call that waited is decided at the time of the answer', async () => {
  clock.set(Date.UTC(2030, 5, 1, 21, 58));
  const yaml =
    'defaultEffect: require_approval\nrules:\n  - { name: night, effect: deny, match: { time: { from: "22:00", zone: UTC } } }\n';
  await gatehouse.ask('policyImport', { yaml });
  const before = recorder.calls().length;
  const running = gatehouse.call(key.secret, 'rec__echo', '{"text":"late"}');
  const card = await gatehouse.card();
  clock.set(Date.UTC(2030, 5, 1, 22, 0));
  await gatehouse.approve(card);
  expect(metaOf(await running)).toMatchObject({ 'gatehouse/class': 'policy_denied', 'gatehouse/rule': 'night' });
  expect(recorder.calls()).toHaveLength(before);
});

test('lint, diff and decide answer from the running app', async () => {
  await gatehouse.ask('policyImport', {
    yaml: 'defaultEffect: deny\nrules:\n  - { name: a, effect: allow, match: { risk: read } }\n',
  });
  const yaml = 'defaultEffect: deny\nrules:\n  - { name: a, effect: allow, match: { upstream: [rec, gone] } }\n';
  expect(await gatehouse.ask('policyLint', { yaml })).toEqual({
    kind: 'done',
    rules: 1,
    findings: [{ severity: 'warning', message: 'There is no upstream "gone" now.', line: 3, column: 56 }],
  });
  expect(await gatehouse.ask('policyDiff', { yaml })).toMatchObject({
    difference: {
      rules: [
        {
          rule: 'a',
          change: 'changed',
          members: [
            { member: 'match.risk', before: '["read"]', after: null },
            { member: 'match.upstream', before: null, after: '["rec","gone"]' },
          ],
        },
      ],
    },
  });
  const asked = await gatehouse.ask('policyDecide', { client: key.clientId, upstream: recorder.id, tool: 'echo' });
  expect(asked).toMatchObject({
    decision: { effect: 'deny', rule: null },
    explanation: {
      certain: true,
      rules: [{ rule: 'a', matched: false, members: [{ member: 'risk', wanted: 'read', actual: 'write' }] }],
    },
  });
});
