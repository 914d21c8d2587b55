import { expect, test } from 'vitest';
import { MAX_CONNECTIONS } from '../../electron/core/gateway/http.ts';
import { slowSockets } from '../support/load.ts';
import { openSocket, openTarget, statusOf } from '../support/target.ts';

test('D3: 300 sockets that send a byte every 5 s are closed within 15 s, and a call is answered meanwhile', async () => {
  await using target = await openTarget();
  const { port } = target.gatehouse;
  await target.gatehouse.recorder('other', { risk: 'read' });
  const latencies: number[] = [];
  let isOver = false;
  const { result, rows } = await target.refusals(async () => {
    const attack = Promise.all([slowSockets(port, 300, 'head', 5000), slowSockets(port, 50, 'silent', 5000)]).finally(
      () => {
        isOver = true;
      },
    );
    while (!isOver) {
      const began = performance.now();
      const answer = await target.gatehouse.call(target.k2.secret, 'other__echo', '{"text":"meanwhile"}');
      expect(answer.message?.result).toMatchObject({ content: [{ text: '{"text":"meanwhile"}' }] });
      latencies.push(performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return attack;
  });
  for (const { lived, answers } of result) {
    expect(lived.at(-1)).toBeLessThan(15_000);
    // They were let live for as long as an honest slow caller may take.
    expect(lived[0]).toBeGreaterThan(8_000);
    expect(Object.keys(answers)).toEqual(['408']);
  }
  latencies.sort((a, b) => a - b);
  expect(latencies[Math.floor(latencies.length * 0.95)]).toBeLessThan(1000);
  // The first 120 have a row each, the rest are counted.
  expect(rows).toHaveLength(120);
  expect(rows.every((row) => row.kind === 'malformed_http' && row.detail.reason === 'headers_timeout')).toBe(true);
});

test('D3: connections beyond the cap are closed, recorded, and give way again', async () => {
  await using target = await openTarget();
  const { port } = target.gatehouse;
  const sockets = await Promise.all(Array.from({ length: MAX_CONNECTIONS }, () => openSocket(port)));
  // One of the kept-alive connections of this test may hold a place as well.
  const extra = await Promise.all(Array.from({ length: 20 }, () => openSocket(port)));
  const received = await Promise.all(extra.map(({ closed }) => closed));
  expect(received).toEqual(Array(20).fill(''));
  for (const { socket } of sockets) socket.destroy();
  await Promise.all(sockets.map(({ closed }) => closed));
  await new Promise((resolve) => setTimeout(resolve, 200));
  await target.stillServes();
  const entries = await target.gatehouse.audit((all) => all.some((entry) => entry.kind === 'too_many_connections'));
  expect(entries.find((entry) => entry.kind === 'too_many_connections')).toMatchObject({ outcome: 'refused' });
  expect(statusOf(await target.gatehouse.raw('nonsense\r\n\r\n'))).toBe(400);
});
