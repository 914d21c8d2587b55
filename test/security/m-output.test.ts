import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/gatehouse.ts';
import { RECORDER, reached, startHeadless } from '../support/headless.ts';
import { processesHolding } from '../support/processes.ts';
import { openTarget } from '../support/target.ts';

test('M11: garbage on standard output is ignored and logged within bounds, and valid replies between it work', async () => {
  await using target = await openTarget();
  const { gatehouse, k1 } = target;
  const noisy = await gatehouse.recorder('noisy', { args: ['--garbage'], risk: 'read' });
  const logs = async () => (await gatehouse.ask('upstreamLogs', { upstream: 'noisy' })).lines;
  const shown = (await logs()).join('\n');
  for (const garbage of ['Listening on 3000', '\\u{1b}[31mred', '{', 'null', '[]', '123', '\ufffd']) {
    expect(shown).toContain(`[standard output, no MCP message] ${garbage}`);
  }
  expect(shown).not.toContain('\u001b');

  // Each reply belongs to its own question, whatever stood around it (with CR LF behind it).
  const texts = Array.from({ length: 60 }, (_, n) => `text ${n}`);
  for (const text of texts) {
    const answer = await gatehouse.call(k1.secret, 'noisy__echo', JSON.stringify({ text }));
    expect(answer.message?.result).toMatchObject({ content: [{ text: JSON.stringify({ text }) }] });
    expect(answer.message?.result).not.toHaveProperty('isError');
  }
  expect(noisy.calls()).toHaveLength(texts.length);
  expect(await logs()).toHaveLength(200);
  expect((await gatehouse.ask('upstreamsList')).find(({ name }) => name === 'noisy')).toMatchObject({
    status: 'ready',
    reason: null,
  });
  expect(noisy.events().filter(({ kind }) => kind === 'started')).toHaveLength(1);
  const ended = await gatehouse.audit(
    (all) => all.filter(({ phase, upstream }) => phase === 'ended' && upstream === 'noisy').length === texts.length,
  );
  expect(
    ended.filter(({ phase, upstream, outcome }) => phase === 'ended' && upstream === 'noisy' && outcome !== 'answered'),
  ).toEqual([]);
  await target.stillServes();
});

test('M13: a server that writes a line without an end is killed at 10 MiB; memory stays, others are served', async () => {
  await using gatehouse = await startHeadless();
  const mark = `mark-${gatehouse.pid}-${performance.now()}`;
  const files = { endless: join(gatehouse.base, 'endless.jsonl'), other: join(gatehouse.base, 'other.jsonl') };
  await gatehouse.add('endless', {
    args: [RECORDER, files.endless, `--endless-line=${1024 ** 3}`],
    secrets: { MARK: mark },
  });
  await gatehouse.add('other', { args: [RECORDER, files.other] });
  for (const name of ['endless', 'other']) await gatehouse.review(name, 'read');
  const [k1, k2] = [await gatehouse.key('attacker'), await gatehouse.key('bystander')];
  for (let n = 0; n < 20; n += 1) await gatehouse.call(k2, 'other__echo');
  const [pid] = processesHolding(mark);
  expect(pid).toBeGreaterThan(0);

  const before = memory(gatehouse.pid, 'VmRSS');
  // From here on the system notes the highest level anew (proc(5), clear_refs).
  writeFileSync(`/proc/${gatehouse.pid}/clear_refs`, '5');
  const pouring = gatehouse.call(k1, 'endless__echo');
  let isOver = false;
  void pouring.finally(() => {
    isOver = true;
  });
  let served = 0;
  do {
    const began = performance.now();
    const answer = await gatehouse.call(k2, 'other__echo', '{"text":"still here"}');
    expect(answer.message?.result).toMatchObject({ content: [{ text: '{"text":"still here"}' }] });
    expect(performance.now() - began).toBeLessThan(1000);
    served += 1;
  } while (!isOver);
  expect(served).toBeGreaterThan(0);

  const { message } = await pouring;
  expect(message?.result).toMatchObject({ isError: true });
  expect(JSON.stringify(message?.result)).toContain('10 MiB');
  await eventually(() => (processesHolding(mark).includes(pid ?? 0) ? null : true), 'the process to be gone');
  expect(memory(gatehouse.pid, 'VmHWM') - before).toBeLessThanOrEqual(64 * 1024);
  // The call is not made again, although the server is started again.
  expect(reached(files.endless)).toHaveLength(1);
  const entries = await gatehouse.audit((all) =>
    all.some(({ phase, upstream }) => phase === 'ended' && upstream === 'endless'),
  );
  expect(entries.filter(({ phase, upstream }) => phase === 'ended' && upstream === 'endless')).toMatchObject([
    { kind: 'tool_call', outcome: 'failed', errorClass: 'message_too_large' },
  ]);
});

/** One line of /proc/<pid>/status, in KiB. */
function memory(pid: number, name: 'VmRSS' | 'VmHWM'): number {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name}:`));
  return Number(/\d+/.exec(line ?? '')?.[0]);
}
