import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type FakeClock, fakeClock } from '../support/fake-clock.ts';
import { type Answer, type Recorder, startGatehouse, type TestGatehouse, type TestKey } from '../support/gatehouse.ts';
import { sliceAfter } from '../support/json-slice.ts';

/** What rules do to a call besides letting it run: over HTTP, with an upstream that tells what reached it, and in the audit. */
let clock: FakeClock;
let gatehouse: TestGatehouse;
let recorder: Recorder;
let key: TestKey;
let before = 0;

beforeAll(async () => {
  clock = fakeClock();
  gatehouse = await startGatehouse({ clock });
  recorder = await gatehouse.recorder('rec', { args: ['--structured'], risk: 'write' });
  key = await gatehouse.key({ name: 'agent' });
});
afterAll(() => gatehouse.close());
beforeEach(() => {
  before = recorder.calls().length;
});

const allow = (rules: string) =>
  gatehouse.ask('policyImport', { yaml: `defaultEffect: allow\nrules:\n${rules}` }).then((done) => {
    if (done.kind !== 'done') throw new Error(`${done.line}: ${done.message}`);
  });
const arrived = () =>
  recorder
    .calls()
    .slice(before)
    .map((line) => sliceAfter(line, 'arguments'));
const metaOf = (answer: Answer) => (answer.message?.result?._meta ?? {}) as Readonly<Record<string, unknown>>;
const textOf = (answer: Answer) =>
  (answer.message?.result?.content as readonly { text: string }[] | undefined)?.[0]?.text ?? '';
const sha = (text: string) => createHash('sha256').update(text).digest('hex');

/** The last entry of the call that answered. */
async function recorded(answer: Answer) {
  const requestId = metaOf(answer)['gatehouse/requestId'];
  const entries = await gatehouse.audit((all) => all.at(-1)?.phase === 'ended');
  const last = entries
    .filter((entry) => entry.requestId !== null && (requestId === undefined || entry.requestId === requestId))
    .at(-1)!;
  return entries.filter((entry) => entry.requestId === last.requestId);
}

describe('redactArgs', () => {
  test('what is taken out reaches neither the upstream nor the audit, and everything else stays byte for byte', async () => {
    await allow('  - name: no-mail\n    match: { tool: echo }\n    redactArgs: [{ name: emails }, { field: /n }]\n');
    const came = '{"text":"mail ann@example.org", "n" : 41.50, "keep":1.0}';
    const ran = '{"text":"mail [redacted]", "n" : 0, "keep":1.0}';
    const answer = await gatehouse.call(key.secret, 'rec__echo', came);
    expect(arrived()).toEqual([ran]);
    expect(textOf(answer)).toBe('{"text":"mail [redacted]","n":0,"keep":1}');
    const entries = await recorded(answer);
    const detail = Object.assign({}, ...entries.map((entry) => entry.detail));
    expect(detail).toMatchObject({
      arguments: '{"text":"mail [redacted]", "n" : "[redacted]", "keep":1.0}',
      argumentsSha256: sha(came),
      argumentsBytes: came.length,
      forwardedSha256: sha(ran),
      forwardedBytes: ran.length,
      argumentRedactions: [
        { rule: 'no-mail', what: 'emails', count: 1 },
        { rule: 'no-mail', what: 'field /n', count: 1 },
      ],
    });
    expect(JSON.stringify(entries)).not.toContain('ann@example.org');
  });

  test('the person sees, approves and the upstream gets the same redacted text', async () => {
    await allow(
      '  - name: ask\n    effect: require_approval\n    match: { tool: echo }\n    redactArgs: { name: secrets }\n',
    );
    const running = gatehouse.call(key.secret, 'rec__echo', '{"text":"x","password":"hunter2"}');
    const card = await gatehouse.card();
    expect(card.argumentsText).toBe('{"text":"x","password":"[redacted]"}');
    expect(card.argumentsSha256).toBe(sha(card.argumentsText));
    await gatehouse.approve(card);
    await running;
    expect(arrived()).toEqual([card.argumentsText]);
  });

  test('arguments that no longer fit are refused, with the rule that took something out of them', async () => {
    const shaped = await gatehouse.recorder('shape', {
      args: [
        '--tools=shaped',
        '--schema={"type":"object","properties":{"code":{"type":"string","pattern":"^[0-9]+$"}},"required":["code"]}',
      ],
    });
    await allow('  - name: no-codes\n    match: {}\n    redactArgs: [{ field: /code }]\n');
    const answer = await gatehouse.call(key.secret, 'shape__shaped', '{"code":"1234"}');
    expect(metaOf(answer)).toMatchObject({ 'gatehouse/class': 'invalid_arguments', 'gatehouse/rule': 'no-codes' });
    expect(textOf(answer)).toMatch(
      /What is left after "no-codes" took field \/code out of the arguments cannot be used\. Field "code"/,
    );
    expect(shaped.calls()).toEqual([]);
  });

  test('a rule that denies looks at what came, and at what would run', async () => {
    await allow(
      [
        '  - name: clean\n    match: {}\n    redactArgs: [{ field: /n }, { pattern: hunter2 }]',
        '  - name: no-zero\n    effect: deny\n    match: { arguments: { field: /n, op: lt, value: 1 } }',
        '  - name: no-hunter\n    effect: deny\n    match: { arguments: { field: /text, op: contains, value: hunter } }\n',
      ].join('\n'),
    );
    expect(metaOf(await gatehouse.call(key.secret, 'rec__echo', '{"n":5}'))).toMatchObject({
      'gatehouse/rule': 'no-zero',
    });
    expect(metaOf(await gatehouse.call(key.secret, 'rec__echo', '{"text":"hunter2"}'))).toMatchObject({
      'gatehouse/rule': 'no-hunter',
    });
    expect(arrived()).toEqual([]);
  });

  test('a redaction that was saved while the call waited is not made behind the back of the person', async () => {
    await allow('  - name: ask\n    effect: require_approval\n    match: {}\n');
    const running = gatehouse.call(key.secret, 'rec__echo', '{"text":"ann@example.org"}');
    const card = await gatehouse.card();
    await allow('  - name: ask\n    effect: require_approval\n    match: {}\n    redactArgs: { name: emails }\n');
    await gatehouse.approve(card);
    const answer = await running;
    expect(metaOf(answer)).toMatchObject({
      'gatehouse/class': 'policy_denied',
      'gatehouse/rule': 'ask',
      'gatehouse/retryable': true,
    });
    expect(arrived()).toEqual([]);
  });
});

describe('redactResult', () => {
  test('text and structured content are cleaned, types stay, and the audit has the hash of both', async () => {
    await allow('  - name: tidy\n    match: {}\n    redactResult: [{ field: /id }, { pattern: "s3cr[a-z]+" }]\n');
    const answer = await gatehouse.call(key.secret, 'rec__structured', '{"id":7,"note":"the s3cret","deep":{"id":8}}');
    expect(answer.message?.result).toMatchObject({
      content: [{ type: 'text', text: '{"id":0,"note":"the [redacted]","deep":{"id":8}}' }],
      structuredContent: { id: 0, note: 'the [redacted]', deep: { id: 8 } },
    });
    expect(answer.text).not.toContain('s3cret');
    const ended = (await recorded(answer)).at(-1)!;
    expect(ended.detail.resultRedactions).toEqual([
      { rule: 'tidy', what: 'field /id', count: 2, unsearched: 0 },
      { rule: 'tidy', what: 'pattern s3cr[a-z]+', count: 2, unsearched: 0 },
    ]);
    expect(ended.detail.cameSha256).not.toBe(ended.detail.resultSha256);
  });

  test('structured content that no longer fits the output schema is left out, and the result says so', async () => {
    await allow('  - name: tidy\n    match: {}\n    redactResult: { field: /code }\n');
    const answer = await gatehouse.call(key.secret, 'rec__structured', '{"id":7,"code":"ABC"}');
    expect(answer.message?.result).toMatchObject({ isError: true });
    expect(answer.message?.result).not.toHaveProperty('structuredContent');
    expect(textOf(answer)).toBe('{"id":7,"code":"[redacted]"}');
    expect(answer.text).toContain('no longer fits the output schema');
  });

  test("an upstream's own error is cleaned as well", async () => {
    await allow('  - name: tidy\n    match: {}\n    redactResult: { pattern: hunter2 }\n');
    const answer = await gatehouse.call(
      key.secret,
      'rec__rpc_error',
      '{"message":"bad hunter2","data":{"at":"hunter2"}}',
    );
    expect(answer.message?.error).toMatchObject({ message: 'bad [redacted]', data: { at: '[redacted]' } });
  });

  test('what it says while it works is cleaned', async () => {
    await allow('  - name: tidy\n    match: {}\n    redactResult: { pattern: "at [0-9]+" }\n');
    const answer = await gatehouse.call(key.secret, 'rec__slow', '{"ms":120}', { meta: { progressToken: 'p' } });
    expect(answer.text).toContain('notifications/progress');
    expect(answer.text).toContain('"message":"[redacted]"');
    expect(answer.text).not.toMatch(/at \d/);
  });
});

describe('holdResult', () => {
  test('a result that a rule holds is not given out when the person withholds it', async () => {
    await allow('  - name: look\n    match: {}\n    holdResult: { pattern: private }\n');
    const answering = gatehouse.call(key.secret, 'rec__echo', '{"text":"private"}');
    await gatehouse.ask('resultWithhold', { approval: (await gatehouse.card()).id });
    const answer = await answering;
    expect(metaOf(answer)).toMatchObject({ 'gatehouse/rule': 'look', 'gatehouse/retryable': false });
    expect(textOf(answer)).toContain('did run');
    expect(answer.text).not.toContain('private');
    expect(arrived()).toHaveLength(1);
    expect(textOf(await gatehouse.call(key.secret, 'rec__echo', '{"text":"public"}'))).toBe('{"text":"public"}');
  });
});

describe('rateLimit', () => {
  const limited = (answer: Answer) => metaOf(answer)['gatehouse/class'] === 'rate_limited';
  const call = (argumentsText = '{}', secret = key.secret, tool = 'rec__echo') =>
    gatehouse.call(secret, tool, argumentsText);

  test('lets so many run in any span, says which rule and when to come back, and lets more run then', async () => {
    await allow(
      '  - name: slow-down\n    match: { tool: echo }\n    rateLimit: { calls: 2, per: 1m, by: client }\n    reason: Easy.\n',
    );
    expect(limited(await call())).toBe(false);
    await clock.advance(20_000);
    expect(limited(await call())).toBe(false);
    const third = await call();
    expect(metaOf(third)).toMatchObject({
      'gatehouse/code': 41016,
      'gatehouse/class': 'rate_limited',
      'gatehouse/rule': 'slow-down',
      'gatehouse/retryable': true,
      'gatehouse/retryAfterSeconds': 40,
    });
    expect(textOf(third)).toContain(
      'the rule "slow-down" lets 2 calls of this client run within 1m. Easy. Call again in 40 s.',
    );
    expect((await recorded(third)).at(-1)).toMatchObject({
      rule: 'slow-down',
      effect: 'allow',
      outcome: 'refused',
      errorClass: 'rate_limited',
    });
    expect(arrived()).toHaveLength(2);
    await clock.advance(40_000);
    expect(limited(await call())).toBe(false);
    expect(limited(await call())).toBe(true);
    await clock.advance(60_000);
  });

  test('the wall clock does not matter, a refused call costs nothing, and others are not counted', async () => {
    await allow(
      '  - name: one\n    match: { tool: echo }\n    rateLimit: { calls: 1, per: 1m, by: client }\n  - name: no\n    effect: deny\n    match: { arguments: { field: /no, op: exists } }\n',
    );
    const other = await gatehouse.key({ name: 'other' });
    await call('{"no":1}');
    expect(limited(await call())).toBe(false);
    expect(limited(await call('{}', other.secret))).toBe(false);
    clock.set(clock.now() + 3_600_000);
    expect(limited(await call())).toBe(true);
    await clock.advance(60_000);
    expect(limited(await call())).toBe(false);
    await clock.advance(60_000);
  });

  test('counts by tool, by upstream and in all; of several limits each holds', async () => {
    await allow(
      [
        '  - name: per-tool\n    match: {}\n    rateLimit: { calls: 1, per: 10s, by: tool }',
        '  - name: in-all\n    match: {}\n    rateLimit: { calls: 2, per: 1h, by: all }\n',
      ].join('\n'),
    );
    expect(limited(await call())).toBe(false);
    expect(metaOf(await call())['gatehouse/rule']).toBe('per-tool');
    expect(limited(await call('{}', key.secret, 'rec__strange'))).toBe(false);
    await clock.advance(10_000);
    expect(metaOf(await call())['gatehouse/rule']).toBe('in-all');
    await clock.advance(3_600_000);
  });

  test('nobody is asked about a call that may not run', async () => {
    await allow(
      '  - name: ask\n    effect: require_approval\n    match: { tool: echo }\n    rateLimit: { calls: 1, per: 1m }\n',
    );
    const running = call('{"text":"first"}');
    await gatehouse.approve(await gatehouse.card());
    await running;
    expect(limited(await call('{"text":"second"}'))).toBe(true);
    expect(await gatehouse.ask('approvalsList', { state: 'waiting' })).toEqual([]);
  });
});
