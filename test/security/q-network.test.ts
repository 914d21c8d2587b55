import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { CLI, environmentOf, RECORDER } from '../support/headless.ts';
import { cannotWatch, isLoopback, tellTale, watchNetwork } from '../support/network-watch.ts';

const SCENARIO = fileURLToPath(new URL('../support/network-scenario.mjs', import.meta.url));

test('Q2: a whole use and a quiet while touch no address but loopback, and ask no name server', async ({ skip }) => {
  const why = cannotWatch();
  if (why !== null) skip(why);
  const base = mkdtempSync(join(tmpdir(), 'gatehouse-q2-'));
  try {
    const env = environmentOf(base);
    const told = await watchNetwork(tellTale(), env, 20_000);
    expect(told.addresses.filter((address) => !isLoopback(address))).toEqual(
      expect.arrayContaining(['inet 192.0.2.1:443', 'inet 198.51.100.1:53']),
    );

    // Ten quiet minutes are in test/long/security-network.test.ts.
    const words = [process.execPath, SCENARIO, CLI, join(base, 'data'), RECORDER, '3000'];
    const { stdout, addresses } = await watchNetwork(words, env, 60_000);
    expect(JSON.parse(stdout)).toMatchObject({ answer: '{"text":"watched"}', verified: true, exit: 0 });
    // It was used over the network, so the watch saw something.
    expect(addresses.length).toBeGreaterThan(0);
    expect(addresses.filter((address) => !isLoopback(address))).toEqual([]);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}, 90_000);
