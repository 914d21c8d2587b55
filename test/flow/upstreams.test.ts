import { expect, test } from 'vitest';
import type { UpstreamView } from '../../shared/model.ts';
import { eventually, startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';

/** Reads its input and answers nothing, whatever it is asked. */
const HANGS = 'process.stdin.resume()';
/** Ends at once, with one line for whoever looks. */
const EXITS = "process.stderr.write('no TOKEN was given\\n'); process.exit(3)";
/** Writes as fast as it can what is no MCP message, and answers nothing. */
const FLOODS = `
  const line = 'flood '.repeat(10_000) + '\\n';
  const pour = () => { while (process.stdout.write(line)); process.stdout.once('drain', pour); };
  process.stdout.on('error', () => process.exit(0));
  process.stdin.on('end', () => process.exit(0)).resume();
  pour();`;
/** Shakes hands well and then answers its list with an error. */
const LISTS_NOTHING = `
  require('node:readline').createInterface({ input: process.stdin }).on('line', (text) => {
    const { id, method } = JSON.parse(text);
    if (id === undefined) return;
    const answer = method === 'initialize'
      ? { result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'x', version: '1' } } }
      : { error: { code: -32603, message: 'the database is down' } };
    console.log(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
  }).on('close', () => process.exit(0));`;

async function add(gatehouse: TestGatehouse, name: string, script: string): Promise<void> {
  const transport = { kind: 'stdio' as const, command: process.execPath, args: ['-e', script] };
  expect(await gatehouse.ask('upstreamAdd', { name, transport })).toMatchObject({ kind: 'done' });
}

const found = async (gatehouse: TestGatehouse, name: string): Promise<UpstreamView | undefined> =>
  (await gatehouse.ask('upstreamsList')).find((upstream) => upstream.name === name);

const failed = (gatehouse: TestGatehouse, name: string, ms: number) =>
  eventually(
    async () => {
      const upstream = await found(gatehouse, name);
      return upstream?.status === 'failed' ? upstream : null;
    },
    `the failure of ${name}`,
    ms,
  );

/** Calls the good one over and over, and says how long the slowest answer took. */
async function slowest(gatehouse: TestGatehouse, key: string, calls: number): Promise<number> {
  let longest = 0;
  for (let count = 0; count < calls; count += 1) {
    const began = performance.now();
    const answer = await gatehouse.call(key, 'good__echo', `{"count":${count}}`);
    expect(answer.message?.result).toMatchObject({ content: [{ type: 'text', text: `{"count":${count}}` }] });
    longest = Math.max(longest, performance.now() - began);
  }
  return longest;
}

test.each([
  ['hangs at its handshake', HANGS, /^bad was started, but did not answer within 15 s\./, 25_000],
  ['ends at once', EXITS, /^bad ended with exit code 3 before it could be used\./, 10_000],
  [
    'cannot list its tools',
    LISTS_NOTHING,
    /^bad was started, but its tools could not be listed: it answered with/,
    10_000,
  ],
  ['floods its standard output', FLOODS, /^bad prints text that is no MCP message and did not answer within/, 25_000],
])(
  'an upstream that %s is said to do so, and another one does not notice',
  async (_what, script, reason, ms) => {
    await using gatehouse = await startGatehouse();
    const good = await gatehouse.recorder('good', { risk: 'read' });
    const key = await gatehouse.key();
    await slowest(gatehouse, key.secret, 5);
    await add(gatehouse, 'bad', script);
    expect(await slowest(gatehouse, key.secret, 50)).toBeLessThan(2_000);
    const bad = await failed(gatehouse, 'bad', ms);
    expect(bad.reason).toMatch(reason);
    expect(await slowest(gatehouse, key.secret, 5)).toBeLessThan(2_000);
    expect(await found(gatehouse, 'good')).toMatchObject({ status: 'ready', reason: null });
    expect(good.events().filter((event) => event.kind === 'started')).toHaveLength(1);
    expect(good.calls()).toHaveLength(60);
    // The agent is told that something is missing, and which.
    const answer = await gatehouse.call(key.secret, 'find_tools', '{"query":"anything"}');
    expect(answer.text).toMatch(/bad: (failed to start|still starting)/);
  },
  60_000,
);

test('all of them at once: the good one goes on, and everything is gone when Gatehouse stops', async () => {
  const gatehouse = await startGatehouse();
  await gatehouse.recorder('good', { risk: 'read' });
  const key = await gatehouse.key();
  const scripts = { hangs: HANGS, exits: EXITS, lists: LISTS_NOTHING, floods: FLOODS };
  await Promise.all(Object.entries(scripts).map(([name, script]) => add(gatehouse, name, script)));
  expect(await slowest(gatehouse, key.secret, 50)).toBeLessThan(2_000);
  const began = performance.now();
  await gatehouse.close();
  expect(performance.now() - began).toBeLessThan(6_000);
}, 60_000);

test('an upstream that changes a tool while it is called: that call ends, the next one waits for its review', async () => {
  await using gatehouse = await startGatehouse();
  await gatehouse.recorder('good', { risk: 'read' });
  const changing = await gatehouse.recorder('changing', {
    risk: 'read',
    args: ['--tools=echo,slow,change_definition', '--no-progress'],
  });
  const key = await gatehouse.key();
  const running = gatehouse.call(key.secret, 'changing__slow', '{"ms":1500}');
  await eventually(() => (changing.calls().length === 1 ? true : null), 'the call');
  const change = await gatehouse.call(key.secret, 'changing__change_definition', '{"description":"Another one."}');
  expect(change.message?.result?.isError ?? false).toBe(false);
  await eventually(
    async () =>
      (await gatehouse.ask('toolsList', { upstream: changing.id })).find(
        (tool) => tool.name === 'echo' && tool.state === 'changed',
      ) ?? null,
    'the change',
  );
  const refused = await gatehouse.call(key.secret, 'changing__echo');
  expect(refused.message?.result).toMatchObject({ isError: true, _meta: { 'gatehouse/class': 'tool_changed' } });
  expect((await running).message?.result?.isError ?? false).toBe(false);
  expect(await slowest(gatehouse, key.secret, 10)).toBeLessThan(2_000);
  expect(changing.calls().filter((raw) => raw.includes('"name":"echo"'))).toEqual([]);
});
