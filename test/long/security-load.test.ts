import { expect, test } from 'vitest';
import { caller, quantile, slowSockets } from '../support/load.ts';
import { openTarget } from '../support/target.ts';

// The whole of what test/security/d-load.test.ts and d-slow.test.ts run in small.

test('D3: 300 slow sockets at any time for a minute, and calls are answered as ever', async () => {
  await using target = await openTarget();
  const { port } = target.gatehouse;
  const bystander = caller(port, target.k2.secret, 'rec__echo');
  const until = performance.now() + 60_000;
  const lived: number[] = [];
  const attack = async (kind: 'head' | 'body') => {
    while (performance.now() < until) {
      const { lived: these, answers } = await slowSockets(port, 150, kind, 5000, target.k1.secret);
      if (kind === 'head') lived.push(...these);
      // A body may take as long as a slow line needs for it, and no longer.
      expect(these.at(-1)).toBeLessThan(35_000);
      expect(Object.keys(answers).filter((status) => status !== '408' && status !== '')).toEqual([]);
    }
  };
  const attacks = Promise.all([attack('head'), attack('body')]);
  const calls: number[] = [];
  while (performance.now() < until) {
    const seen = await bystander.probe(50);
    expect(Object.keys(seen.statuses)).toEqual(['200']);
    calls.push(...seen.ms);
  }
  await attacks;
  expect(Math.max(...lived)).toBeLessThan(15_000);
  expect(quantile({ ms: calls.toSorted((a, b) => a - b), statuses: {}, codes: {}, lost: 0 }, 0.95)).toBeLessThan(1000);
});

test("D9 (design: bounds are on requests in flight and queued): 1 000 calls a second for 30 s leave another key's p95 below twice its idle", async () => {
  await using target = await openTarget();
  await target.gatehouse.recorder('other', { risk: 'read' });
  const bystander = caller(target.gatehouse.port, target.k2.secret, 'other__echo');
  const attacker = caller(target.gatehouse.port, target.k1.secret, 'rec__echo');
  await bystander.probe(200);
  const idle = await bystander.probe(1000);
  const flooding = attacker.flood(1000, 30_000);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const busy = await bystander.probe(2000);
  const flood = await flooding;
  expect(Object.keys(busy.statuses)).toEqual(['200']);
  expect(flood.codes['41016'] ?? 0).toBeGreaterThan(1000);
  expect(flood.statuses['429']).toBe(flood.codes['41016']);
  expect(quantile(busy, 0.95) / quantile(idle, 0.95)).toBeLessThan(2);
});
