import { expect, test } from 'vitest';
import type { AuditInput } from '../../../electron/core/audit/audit.ts';
import { silentLog } from '../../../electron/core/diagnosis/log.ts';
import { createRejections } from '../../../electron/core/gateway/rejections.ts';
import { fakeClock } from '../../support/fake-clock.ts';

test('the first refusals of a minute have an entry each, a flood beyond them one per kind and client with its number', async () => {
  const clock = fakeClock();
  const written: AuditInput[] = [];
  const rejections = createRejections({ audit: { writeSoon: (entry) => written.push(entry) }, clock, log: silentLog });
  for (let at = 0; at < 120; at += 1) rejections.record({ kind: 'host_rejected', reason: 'foreign Host' });
  expect(written).toHaveLength(120);
  for (let at = 0; at < 500; at += 1)
    rejections.record({ kind: 'rate_limited', reason: 'full', clientId: 'a', client: 'A' });
  for (let at = 0; at < 3; at += 1)
    rejections.record({ kind: 'rate_limited', reason: 'full', clientId: 'b', client: 'B' });
  expect(written).toHaveLength(120);

  await clock.advance(10_000);
  expect(written.slice(120)).toMatchObject([
    { kind: 'rate_limited', outcome: 'refused', client: 'A', detail: { count: 500 } },
    { kind: 'rate_limited', outcome: 'refused', client: 'B', detail: { count: 3 } },
  ]);
  await clock.advance(60_000);
  rejections.record({ kind: 'host_rejected', reason: 'foreign Host' });
  expect(written).toHaveLength(123);
  expect(clock.pending()).toBe(0);
});

test('what is only counted is written at the end', () => {
  const written: AuditInput[] = [];
  const rejections = createRejections({
    audit: { writeSoon: (entry) => written.push(entry) },
    clock: fakeClock(),
    log: silentLog,
  });
  for (let at = 0; at < 130; at += 1) rejections.record({ kind: 'unauthorized', reason: 'wrong' });
  rejections.close();
  expect(written.at(-1)).toMatchObject({ kind: 'unauthorized', detail: { count: 10 } });
});
