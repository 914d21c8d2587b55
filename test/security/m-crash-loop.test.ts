import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/gatehouse.ts';
import { RECORDER } from '../support/headless.ts';
import { wholeLines } from '../support/lines.ts';
import { openTarget } from '../support/target.ts';

test('M15: a server that ends at its start is spawned at most 5 times, ever later, then is failed; calls fail at once, and a restart by hand works', async () => {
  await using target = await openTarget();
  const { gatehouse, k1 } = target;
  const [broken, spawned] = [join(gatehouse.folder, 'broken'), join(gatehouse.folder, 'spawned')];
  // Its command never changes, so that its tools stay reviewed and there is something to call.
  const script = `date +%s%3N >> ${spawned}; if [ -e ${broken} ]; then echo "out of order" >&2; exit 1; fi; exec ${process.execPath} ${RECORDER} ${join(gatehouse.folder, 'record-loop.jsonl')}`;
  const spawns = () => wholeLines(spawned).map(Number);
  const added = await gatehouse.ask('upstreamAdd', {
    name: 'loop',
    transport: { kind: 'stdio', command: '/bin/sh', args: ['-c', script] },
  });
  if (added.kind !== 'done') throw new Error(added.message);
  const tools = await eventually(async () => {
    const listed = await gatehouse.ask('toolsList', { upstream: 'loop' });
    return listed.length > 0 ? listed : null;
  }, 'the tools');
  const accept = tools.map(({ kind, name, fingerprint }) => ({ kind, name, fingerprint, risk: 'read' as const }));
  expect(await gatehouse.ask('toolsReview', { upstream: 'loop', accept })).toMatchObject({ kind: 'done' });
  const call = () => gatehouse.call(k1.secret, 'loop__echo', '{"text":"x"}');
  expect((await call()).message?.result).not.toHaveProperty('isError');
  const view = async () => (await gatehouse.ask('upstreamsList')).find(({ name }) => name === 'loop');

  await gatehouse.ask('upstreamDisable', { upstream: 'loop' });
  writeFileSync(broken, '');
  rmSync(spawned);
  const since = (await gatehouse.audit()).at(-1)?.seq ?? 0;
  await gatehouse.ask('upstreamEnable', { upstream: 'loop' });
  let failures = 0;
  await eventually(
    async () => {
      const began = performance.now();
      const { message } = await call();
      expect(performance.now() - began).toBeLessThan(1000);
      expect(message?.result).toMatchObject({ isError: true, _meta: { 'gatehouse/code': 41015 } });
      failures += 1;
      await target.stillServes();
      // The audit is read in one page below: a quick machine must not fill it.
      await new Promise((resolve) => setTimeout(resolve, 80));
      const now = await view();
      return now?.status === 'failed' && now.reason?.includes('not started again by itself') === true ? true : null;
    },
    'the upstream to have failed for good',
    25_000,
  );
  const times = spawns();
  expect(times.length).toBeGreaterThan(1);
  expect(times.length).toBeLessThanOrEqual(5);
  // The pauses double, give or take a quarter.
  const pauses = times.slice(1).map((at, n) => at - (times[n] ?? at));
  expect(pauses.at(-1)).toBeGreaterThan(2 * (pauses[0] ?? 0));
  expect(await view()).toMatchObject({ pid: null, lastStderr: expect.arrayContaining(['out of order']) });

  const entries = (await gatehouse.audit()).filter(({ seq, upstream }) => seq > since && upstream === 'loop');
  expect(entries.filter(({ kind }) => kind === 'upstream_failed').at(-1)?.detail).toMatchObject({ final: true });
  const refused = entries.filter(({ kind, phase }) => kind === 'tool_call' && phase === 'ended');
  expect(refused).toHaveLength(failures);

  // Neither time nor calls start it again.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect((await call()).message?.result).toMatchObject({ isError: true });
  expect(spawns()).toEqual(times);

  expect(await gatehouse.ask('upstreamRestart', { upstream: 'loop' })).toMatchObject({ kind: 'refused' });
  rmSync(broken);
  expect(await gatehouse.ask('upstreamRestart', { upstream: 'loop' })).toMatchObject({ kind: 'done' });
  expect((await call()).message?.result).toMatchObject({ content: [{ text: '{"text":"x"}' }] });
  await target.stillServes();
}, 60_000);
