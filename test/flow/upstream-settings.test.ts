import { expect, test } from 'vitest';
import { startGatehouse } from '../support/gatehouse.ts';

const CLI = { origin: 'cli', label: 'cli' } as const;

test('limits are set without a confirmation, and the error that names one reaches the agent', async () => {
  await using gatehouse = await startGatehouse({ approver: false });
  const recorder = await gatehouse.recorder('slow', { risk: 'read' });
  const key = await gatehouse.key();
  const changed = await gatehouse.ask('upstreamChange', { upstream: 'slow', limits: { callMs: 1_000 } }, CLI);
  expect(changed).toMatchObject({ kind: 'done', upstream: { limits: { callMs: 1_000, ceilingMs: 600_000 } } });
  const answer = await gatehouse.call(key.secret, 'slow__never');
  expect(answer.message?.result).toMatchObject({ isError: true, _meta: { 'gatehouse/class': 'upstream_timeout' } });
  expect(JSON.stringify(answer.message?.result)).toContain('slow did not answer within 1 s');
  expect(recorder.calls()).toHaveLength(1);
});

test('allowing private addresses is for the person to confirm, refusing them is not', async () => {
  await using gatehouse = await startGatehouse({ approver: false });
  await gatehouse.ask('upstreamAdd', { name: 'lan', transport: { kind: 'http', url: 'http://nas.invalid/mcp' } });
  const allow = await gatehouse.ask('upstreamChange', { upstream: 'lan', allowPrivate: true }, CLI);
  expect(allow).toMatchObject({ kind: 'refused', message: expect.stringContaining('Nobody can confirm it') });
  expect(await gatehouse.ask('upstreamChange', { upstream: 'lan', allowPrivate: false }, CLI)).toMatchObject({
    kind: 'done',
    upstream: { settings: { allowPrivate: false } },
  });
});

test('the era is set without a confirmation, and the upstream is started anew in it', async () => {
  await using gatehouse = await startGatehouse({ approver: false });
  const recorder = await gatehouse.recorder('both', { risk: 'read', args: ['--era=dual'] });
  const key = await gatehouse.key();
  const changed = await gatehouse.ask('upstreamChange', { upstream: 'both', era: 'legacy' }, CLI);
  expect(changed).toMatchObject({ kind: 'done', upstream: { settings: { era: 'legacy' } } });
  const answer = await gatehouse.call(key.secret, 'both__echo');
  expect(answer.message?.result).toMatchObject({ content: [{ text: '{}' }] });
  expect(recorder.events().filter(({ kind }) => kind === 'started')).toHaveLength(2);
  expect(recorder.calls()[0]).not.toContain('io.modelcontextprotocol/protocolVersion');
});

test('a limit beyond its range is refused with the field and the bound', async () => {
  await using gatehouse = await startGatehouse();
  const answer = await gatehouse.core.api.request('upstreamChange', { upstream: 'demo', limits: { callMs: 1 } }, CLI);
  expect(answer).toEqual({ kind: 'bad_request', message: 'limits.callMs: must be at least 1000.' });
});
