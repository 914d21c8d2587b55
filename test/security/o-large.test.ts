import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { eventually, startGatehouse } from '../support/gatehouse.ts';
import { sliceAfter } from '../support/json-slice.ts';

test('O20 (design: 3 MB) large arguments are kept cut, with the SHA-256 and the length of what the upstream got', async () => {
  await using gatehouse = await startGatehouse();
  const { secret } = await gatehouse.key();
  const recorder = await gatehouse.recorder('box', { risk: 'read' });
  // Neither spaces nor numbers are as JSON.stringify would write them, and the secret lies where it is cut off.
  const text = `{ "text": "${'Zürich '.repeat(400_000)}", "delayMs" : 0.0, "password": "${'hunter'.repeat(5)}" }`;
  expect(Buffer.byteLength(text)).toBeGreaterThan(3 * 1024 * 1024);
  const answer = await gatehouse.call(secret, 'box__echo', text);
  expect(answer.message?.result).not.toHaveProperty('isError');

  const [line = ''] = recorder.calls();
  const arrived = sliceAfter(line, 'arguments');
  expect(arrived === text).toBe(true);
  const record = await eventually(async () => {
    const { records } = await gatehouse.ask('auditList', { kind: 'tool_call' });
    return records[0]?.outcome === 'answered' ? records[0] : null;
  }, 'the record');
  expect(record).toMatchObject({
    argumentsBytes: Buffer.byteLength(arrived),
    argumentsSha256: createHash('sha256').update(arrived).digest('hex'),
  });
  const { detail } = record.entries[0] ?? {};
  expect(detail).toMatchObject({ truncated: true, forwardedSha256: record.argumentsSha256 });
  const kept = String(detail?.arguments);
  expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(65_536);
  expect(text.startsWith(kept.slice(0, 60_000))).toBe(true);
  expect(JSON.stringify(record)).not.toContain('hunter');
  // It is found by its words, and quickly verified like any other.
  expect((await gatehouse.ask('auditList', { text: 'zurich' })).records).toHaveLength(1);
  expect(await gatehouse.ask('auditVerify')).toMatchObject({ ok: true });
});
