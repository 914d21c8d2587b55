import { expect, onTestFinished, test } from 'vitest';
import { createOtlpDestination } from '../../../electron/core/sinks/otlp.ts';
import { severityOf } from '../../../electron/core/sinks/otlp-record.ts';
import { type CollectorAnswer, refuses, startCollector } from '../../support/otlp-collector.ts';
import { batchOf, rowsOf } from './rows.ts';

const SENDER = { machine: 'box1', version: '1.2.3' };
const BATCH = batchOf(rowsOf(1, 4));
const NEVER = new AbortController().signal;
/** Longer than the exporter itself would wait, so that it tells at once. */
const LATER = { 'retry-after': '120' };

async function collector(...answers: readonly CollectorAnswer[]) {
  const standIn = await startCollector();
  onTestFinished(() => standIn[Symbol.asyncDispose]());
  if (answers.length > 0) standIn.answer(...answers);
  const target = { kind: 'otlp', url: standIn.url, secretHeaders: ['x-api-key'] } as const;
  const destination = createOtlpDestination(target, SENDER, { 'x-api-key': 'canary' });
  onTestFinished(() => destination.close());
  return { standIn, destination };
}

test('a delivery that is taken arrives whole, once, with its header and who sent it', async () => {
  const { standIn, destination } = await collector();
  expect(await destination.deliver(BATCH, NEVER)).toEqual({ kind: 'delivered' });
  expect(standIn.requests).toHaveLength(1);
  expect(standIn.requests[0]?.headers).toMatchObject({ 'x-api-key': 'canary', 'content-type': 'application/json' });
  expect(standIn.requests[0]?.headers['user-agent']).toContain('gatehouse/1.2.3');
  const logs = standIn.taken();
  expect(logs.map(({ eventName }) => eventName)).toEqual([
    ...Array.from({ length: 4 }, () => 'gatehouse.event.test'),
    'gatehouse.commit',
  ]);
  expect(new Set(logs.map(({ resource }) => JSON.stringify(resource)))).toEqual(
    new Set([
      JSON.stringify({
        'service.name': 'gatehouse',
        'service.version': '1.2.3',
        'service.instance.id': BATCH.chain,
        'host.name': 'box1',
      }),
    ]),
  );
  expect(JSON.parse(logs[0]?.body ?? '')).toEqual({
    type: 'entry',
    machine: 'box1',
    chain: BATCH.chain,
    ...BATCH.entries[0],
  });
});

test.each<[number, Record<string, string>, object]>([
  [429, LATER, { retryAfterMs: 120_000, reason: expect.stringContaining('asks to send less (429)') }],
  [503, LATER, { retryAfterMs: 120_000, reason: expect.stringContaining('is not available (503)') }],
  [400, {}, { because: 'batch', reason: expect.stringContaining('refuses what the batch holds (400) (“the body”)') }],
  [413, {}, { because: 'batch', reason: expect.stringContaining('too large (413)') }],
  [401, {}, { reason: expect.stringContaining('refuses the credentials with 401') }],
  [404, {}, { reason: expect.stringContaining('no logs are taken there') }],
  [307, { location: 'http://127.0.0.1:9/' }, { reason: expect.stringContaining('no redirect is followed') }],
  [500, {}, { reason: expect.stringContaining('failed (500)') }],
])('an answer of %i is a failure that says what to do', async (status, headers, expected) => {
  const { standIn, destination } = await collector(refuses(status, headers, 'the body'));
  const failed = await destination.deliver(BATCH, NEVER);
  expect(failed).toMatchObject({ kind: 'failed', ...expected });
  expect(JSON.stringify(failed)).not.toContain('canary');
  expect(standIn.requests).toHaveLength(1);
});

test('what a collector says that it will never take is told with its number and its reason', async () => {
  const body = '{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"attribute too long"}}';
  const { destination } = await collector(refuses(200, { 'content-type': 'application/json' }, body));
  expect(await destination.deliver(BATCH, NEVER)).toEqual({
    kind: 'refused_for_good',
    count: 3,
    reason: 'The collector refused 3 of them: “attribute too long”.',
  });
});

test('a mere warning of a collector is no refusal', async () => {
  const body = '{"partialSuccess":{"errorMessage":"use gzip"}}';
  const { destination } = await collector(refuses(200, { 'content-type': 'application/json' }, body));
  expect(await destination.deliver(BATCH, NEVER)).toEqual({ kind: 'delivered' });
});

test('two sinks at once: each hears only of its own refusal', async () => {
  const body = '{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"no"}}';
  const [good, bad] = [await collector(), await collector(refuses(200, {}, body))];
  const results = await Promise.all([good.destination.deliver(BATCH, NEVER), bad.destination.deliver(BATCH, NEVER)]);
  expect(results).toMatchObject([{ kind: 'delivered' }, { kind: 'refused_for_good', count: 1 }]);
});

test('a page in the place of an answer is not taken for a delivery', async () => {
  const { destination } = await collector(refuses(200, { 'content-type': 'text/html' }, '<html>Sign in</html>'));
  expect(await destination.deliver(BATCH, NEVER)).toMatchObject({
    kind: 'failed',
    reason: expect.stringContaining('no OTLP answer'),
  });
});

test('the check delivers nothing', async () => {
  const { standIn, destination } = await collector();
  expect(await destination.check(NEVER)).toEqual({ kind: 'reached', message: `${standIn.url} takes logs.` });
  expect(standIn.requests.map(({ logs }) => logs)).toEqual([[]]);
});

test.each([
  [{ kind: 'tool_call', outcome: 'answered', error_class: null }, 'INFO'],
  [{ kind: 'tool_call', outcome: null, error_class: null }, 'INFO'],
  [{ kind: 'tool_call', outcome: 'refused', error_class: 'policy_denied' }, 'WARN'],
  [{ kind: 'approval_expired', outcome: 'not_executed', error_class: 'approval_expired' }, 'WARN'],
  [{ kind: 'tool_call', outcome: 'failed', error_class: 'upstream_timeout' }, 'ERROR'],
  [{ kind: 'tool_call', outcome: 'interrupted', error_class: null }, 'ERROR'],
  [{ kind: 'tampering_found', outcome: null, error_class: null }, 'ERROR'],
  [{ kind: 'sink_gap', outcome: 'missed', error_class: null }, 'ERROR'],
])('%j is %s', (entry, text) => {
  expect(severityOf(entry)).toMatchObject({ text });
});
