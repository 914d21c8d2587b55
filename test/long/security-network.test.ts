import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { CLI, environmentOf, RECORDER } from '../support/headless.ts';
import { cannotWatch, isLoopback, watchNetwork } from '../support/network-watch.ts';

const SCENARIO = fileURLToPath(new URL('../support/network-scenario.mjs', import.meta.url));

test('Q2: a whole use and ten quiet minutes touch no address but loopback, and ask no name server', async ({
  skip,
}) => {
  const why = cannotWatch();
  if (why !== null) skip(why);
  const base = mkdtempSync(join(tmpdir(), 'gatehouse-q2-'));
  try {
    const words = [process.execPath, SCENARIO, CLI, join(base, 'data'), RECORDER, '600000'];
    const { stdout, addresses } = await watchNetwork(words, environmentOf(base), 700_000);
    expect(JSON.parse(stdout)).toMatchObject({ answer: '{"text":"watched"}', verified: true, exit: 0 });
    expect(addresses.length).toBeGreaterThan(0);
    expect(addresses.filter((address) => !isLoopback(address))).toEqual([]);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}, 800_000);
