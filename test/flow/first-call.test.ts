import { expect, test } from 'vitest';
import { startGatehouse } from '../support/gatehouse.ts';

test('a write waits for the person, runs exactly as approved, and the audit shows it', async () => {
  await using gatehouse = await startGatehouse();
  const key = await gatehouse.key();
  const recorder = await gatehouse.recorder('rec');
  const text = '{ "n": 9007199254740993, "text":"1.0 \\u200b", "f": 1.0 }';

  const answering = gatehouse.call(key.secret, 'rec__echo', text);
  const card = await gatehouse.card();
  expect(card).toMatchObject({
    upstream: 'rec',
    tool: 'echo',
    argumentsText: text,
    risk: 'write',
    callsItself: 'test',
  });
  expect(recorder.calls()).toEqual([]);
  await gatehouse.approve(card);

  const answer = await answering;
  expect(answer.message?.result).toMatchObject({ content: [{ type: 'text' }] });
  expect(recorder.calls()).toHaveLength(1);
  expect(recorder.calls()[0]).toContain(`"arguments":${text}`);

  const entries = (await gatehouse.audit((all) => all.some((entry) => entry.phase === 'ended'))).filter(
    (entry) => entry.kind === 'tool_call',
  );
  expect(entries.map((entry) => entry.phase)).toEqual(['asked', 'forwarded', 'ended']);
  expect(entries[1]).toMatchObject({ effect: 'require_approval', client: 'client-1', upstream: 'rec', tool: 'echo' });
  expect(entries[2]).toMatchObject({ outcome: 'answered' });
  expect((await gatehouse.ask('auditVerify')).ok).toBe(true);
});
