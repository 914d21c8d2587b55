import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { underNode24 } from './node24.mjs';
import { installOnDemand, versionAt, withLoopbackOnly } from './on-demand.mjs';
import { say } from './progress.mjs';
import { setUp } from './setup.mjs';

/*
 * `npm run test:field`: twenty real servers from npm are added at once. Those that work list their tools; those that hang,
 * exit or cannot list are said to do so within ten seconds; and a call of another upstream is served all the while.
 * `npm run test:field -- mongodb` adds those whose name holds the word.
 */
await underNode24();
await setUp();
const modules = await installOnDemand('test/field');
await withLoopbackOnly();
const { startGatehouse } = await import('./demo/gatehouse.mjs');
const { openModern } = await import('./bench/callers.mjs');
const { number, table } = await import('./bench/table.mjs');
const { treeMb } = await import('./field/memory.mjs');
const { SERVERS: ALL } = await import('./field/servers.mjs');
const { connectControl } = await import('../electron/core/control/client.ts');

/** Within this a server that will not work must be said not to. Milliseconds. */
const TOLD_MS = 10_000;
/** Within this the others must have listed: twenty programs start at once. Milliseconds. */
const LISTED_MS = 60_000;
/** The longest that one call of the demo may take while twenty programs start on a busy machine. Milliseconds. */
const SERVED_MS = 5_000;
const words = process.argv.slice(2);
const SERVERS = ALL.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
const HEADING = ['server', 'version', 'tools', 'listed after', 'era', 'memory'];
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-field-'));
const home = join(folder, 'home');
const data = join(folder, 'data');
const closing = [];
const count = { passed: 0, failed: 0 };

try {
  await run();
} catch (error) {
  check(false, `field: ${error.message}`);
} finally {
  for (const close of closing.reverse()) await close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
process.stdout.write(`${count.passed} passed, ${count.failed} failed\n`);
process.exitCode = count.failed === 0 ? 0 : 1;

async function run() {
  mkdirSync(home);
  const gatehouse = await startGatehouse(data, 0, { more: { HOME: home, GATEHOUSE_UNATTENDED: '1' } });
  closing.push(() => gatehouse.stop());
  const made = await gatehouse.cli(['keys', 'create', '--role', 'executor', '--name', 'field']);
  const demo = openModern(gatehouse.endpoint, made.stdout.trim());
  closing.push(() => demo.close());
  const control = await connectControl(data);
  closing.push(() => control.close());

  const seen = new Map(SERVERS.map(({ name }) => [name, {}]));
  const began = performance.now();
  const ask = async (name, input) => {
    const answer = await control.request(name, input);
    const fault = answer.kind === 'answered' ? answer.result : answer;
    if (fault.message !== undefined) throw new Error(fault.message);
    return answer.result;
  };
  const look = async () => note(seen, await ask('upstreamsList', {}), performance.now() - began);
  const end = control.subscribe((topic) => topic === 'upstreams' && void look());
  const serving = serve(demo);
  closing.push(() => serving.end());
  say(`Adding ${SERVERS.length} servers at once …`);
  await Promise.all(SERVERS.map((server) => ask('upstreamAdd', inputOf(server))));

  const settled = ({ name, fails }) => seen.get(name)[fails ? 'toldAt' : 'listedAt'] !== undefined;
  while (performance.now() - began < LISTED_MS && !SERVERS.every(settled)) {
    await look();
    await pause(250);
  }
  const served = await serving.end();
  end();

  process.stdout.write(
    `${table(
      HEADING,
      SERVERS.map((server) => rowOf(server, seen.get(server.name))),
    )}\n\n`,
  );
  for (const server of SERVERS) judge(server, seen.get(server.name));
  check(
    served.failed === 0 && served.slowest < SERVED_MS,
    `${served.calls} calls of the demo meanwhile: ${served.failed} failed, the middle one took ${Math.round(served.middle)} ms, the slowest ${Math.round(served.slowest)} ms`,
  );
  await gatehouse.stop();
  const left = [...seen].filter(([, { pid }]) => pid && isAlive(pid)).map(([name]) => name);
  check(
    left.length === 0,
    left.length === 0 ? 'after the stop none of them runs' : `still running: ${left.join(', ')}`,
  );
}

function inputOf({ name, package: own, program, args = [], env = {} }) {
  const transport = {
    kind: 'stdio',
    command: process.execPath,
    args: [join(modules, own, program), ...args],
    secretEnv: Object.keys(env),
    cwd: home,
  };
  return { name, transport, tags: [], secrets: env };
}

/** What is seen for the first time, with the time since all were added, milliseconds. */
function note(seen, upstreams, at) {
  for (const { name, status, reason, era, pid, toolCount } of upstreams) {
    const one = seen.get(name);
    if (!one) continue;
    if (pid !== null) one.pid = pid;
    if (status === 'ready' && one.listedAt === undefined) {
      Object.assign(one, { listedAt: at, tools: toolCount, era, mb: treeMb(pid) });
    }
    if (status !== 'ready' && reason !== null) {
      one.toldAt ??= at;
      one.reason ??= reason;
    }
  }
}

function rowOf({ name, package: own }, { listedAt, tools, era, mb }) {
  const version = versionAt(join(modules, own));
  if (listedAt === undefined) return [name, version, '–', '–', '–', '–'];
  return [name, version, tools, `${number(listedAt / 1000)} s`, era, mb === null ? '–' : `${Math.round(mb)} MB`];
}

function judge({ name, tools, fails }, one) {
  if (!fails) {
    const what =
      one.listedAt === undefined ? `did not list: ${one.reason ?? 'no reason'}` : `listed ${one.tools} tools`;
    check(one.tools === tools, one.tools === tools ? `${name} ${what}` : `${name} ${what}, not ${tools}`);
    return;
  }
  const when = one.toldAt === undefined ? 'never' : `after ${number(one.toldAt / 1000)} s`;
  const told = one.listedAt === undefined && one.toldAt < TOLD_MS;
  check(told, `${name} (${fails}) was told ${when}: ${one.reason ?? `listed ${one.tools} tools`}`);
}

/** One call of the demo after the other, until `end`. */
function serve(demo) {
  const times = [];
  let failed = 0;
  let over = false;
  const calls = (async () => {
    while (!over) {
      const from = performance.now();
      const params = { name: 'call_external_tool', arguments: { upstream: 'demo', tool: 'list_notes', arguments: {} } };
      const result = await demo.ask('tools/call', params).catch((error) => ({ isError: true, error }));
      if (result.isError) failed += 1;
      times.push(performance.now() - from);
      await pause(100);
    }
  })();
  return {
    async end() {
      over = true;
      await calls;
      const sorted = times.toSorted((a, b) => a - b);
      return { calls: times.length, failed, slowest: sorted.at(-1), middle: sorted[Math.floor(sorted.length / 2)] };
    },
  };
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function check(holds, what) {
  count[holds ? 'passed' : 'failed'] += 1;
  process.stdout.write(`${holds ? 'ok    ' : 'FAILED'}  ${what}\n`);
}
