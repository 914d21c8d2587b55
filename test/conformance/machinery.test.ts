import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { countSet, type Row, tableOf } from '../../scripts/conformance/report.ts';
import { startForwarder } from '../support/conformance/forwarder.ts';

const row = (scenario: string, passed: number, ...problems: string[]): Row => ({
  scenario,
  required: true,
  passed,
  problems,
});
const set = (code: number, ...rows: Row[]) => ({ revision: '2026-07-28', side: 'client', code, rows }) as const;

test('every problem of a required scenario counts, one that is not scored never does', () => {
  const counted = countSet(set(1, row('x', 2, 'one', 'two'), { ...row('tasks', 1, 'other'), required: false }));
  expect(counted).toMatchObject({ passed: 2, failed: 2 });
  expect(tableOf(counted)).toContain('two');
});

test('a set that the runner refuses is not good, whatever its checks say', () => {
  expect(countSet(set(1, row('x', 2)))).toMatchObject({ failed: 1, note: 'the runner ended with exit code 1' });
});

test('the forwarder adds the key, means the gateway by its own address, and lets every other Host and Origin through', async () => {
  const gateway = createServer((incoming, response) => response.end(JSON.stringify(incoming.rawHeaders)));
  gateway.listen(0, '127.0.0.1');
  await once(gateway, 'listening');
  const to = `127.0.0.1:${(gateway.address() as AddressInfo).port}`;
  const forwarder = await startForwarder(`http://${to}`, 'the-key');
  onTestFinished(async () => {
    await forwarder.close();
    gateway.close();
  });
  const own = new URL(forwarder.origin).host;
  const seen = async (host: string, origin: string): Promise<readonly string[]> => {
    const sent = request(forwarder.origin, { headers: { host, origin } }).end();
    const [response] = await once(sent, 'response');
    const headers: string[] = JSON.parse(await new Response(response).text());
    return ['host', 'origin', 'authorization'].flatMap((name) =>
      headers.filter((_, at) => headers[at - 1]?.toLowerCase() === name),
    );
  };
  expect(await seen(own, `http://${own}`)).toEqual([to, `http://${to}`, 'Bearer the-key']);
  const evil = 'evil.example.com';
  expect(await seen(evil, `http://${evil}`)).toEqual([evil, `http://${evil}`, 'Bearer the-key']);
  expect(await seen(`${own}0`, `https://${own}`)).toEqual([`${own}0`, `https://${own}`, 'Bearer the-key']);
});
