import { expect, test } from 'vitest';
import { createListReader } from '../../../electron/core/catalog/listed.ts';

const tool = (index: number) => ({ name: `tool_${index}`, inputSchema: { type: 'object' }, n: index });
const LISTED = [...Array.from({ length: 2_000 }, (_, index) => tool(index)), { name: 'bad' }, tool(7)];

test('a long list is read a part in each turn of the event loop, and then is there at once', async () => {
  const reader = createListReader();
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await reader.ahead(LISTED, 'node a.js', 'tool');
  isOver = true;
  expect(turns).toBeGreaterThanOrEqual(15);
  const ahead = reader.read(LISTED, 'node a.js', 'tool');
  expect(reader.read(LISTED, 'node a.js', 'tool')).toBe(ahead);
  const atOnce = createListReader().read(LISTED, 'node a.js', 'tool');
  expect({ usable: ahead.usable, problems: ahead.problems }).toEqual(atOnce);
  expect(atOnce.usable.size).toBe(2_000);
  expect(atOnce.problems).toHaveLength(2);
});

test('what was read for one endpoint and kind is not taken for another: the fingerprints are others', async () => {
  const reader = createListReader();
  await reader.ahead(LISTED, 'node a.js', 'tool');
  const here = reader.read(LISTED, 'node a.js', 'tool').usable.get('tool_1');
  expect(reader.read(LISTED, 'node b.js', 'tool').usable.get('tool_1')?.fingerprint).not.toBe(here?.fingerprint);
  expect(reader.read(LISTED, 'node a.js', 'prompt').usable.get('tool_1')?.fingerprint).not.toBe(here?.fingerprint);
});

test('a short list takes no turn of its own', async () => {
  let turned = false;
  setImmediate(() => {
    turned = true;
  });
  await createListReader().ahead(LISTED.slice(0, 100), 'node a.js', 'tool');
  expect(turned).toBe(false);
});
