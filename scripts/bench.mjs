import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { underNode24 } from './node24.mjs';
import { say } from './progress.mjs';
import { setUp } from './setup.mjs';

/*
 * `npm run bench`: what a call costs more through Gatehouse than direct. A benchmark, never a test: it fails only when an
 * answer is wrong. docs/bench.md says how to read it.
 */
await underNode24();

const { values: options } = parseArgs({
  options: {
    /** How often everything is measured; each round measures every way once, so that a busy machine is busy for all. */
    rounds: { type: 'string', default: '5' },
    /** One measurement, milliseconds. */
    ms: { type: 'string', default: '500' },
    only: { type: 'string', default: 'calls,list,slow,start' },
    /** Only ways whose name holds this text, beside the direct ones. */
    way: { type: 'string', default: '' },
    /** Writes a CPU profile of Gatehouse into this folder. */
    profile: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
const ms = Number(options.ms);
const parts = new Set(options.only.split(','));
const MANY = 1_000;
/** Rules like a person's: one that looks into the arguments of every call, one that lets the call run. */
const POLICY = `defaultEffect: require_approval
rules:
  - name: reading-runs
    effect: allow
    match: { risk: read }
  - name: nothing-secret
    effect: deny
    match:
      arguments: { field: /text, op: contains, value: secret }
`;

await setUp();
const { startGatehouse } = await import('./demo/gatehouse.mjs');
const { openLegacy, openModern, openPipe } = await import('./bench/callers.mjs');
const { load, median, quantile } = await import('./bench/load.mjs');
const { residentMb } = await import('./bench/process-cost.mjs');
const { number, table } = await import('./bench/table.mjs');

const ECHO_STDIO = join(import.meta.dirname, 'bench/echo-stdio.mjs');
const ECHO_HTTP = join(import.meta.dirname, 'bench/echo-http.mjs');
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
const closing = [];
let serial = 0;
const print = (text) => process.stdout.write(`${text}\n`);

try {
  await run();
} catch (error) {
  process.exitCode = 1;
  say(`bench: ${error.message}`);
} finally {
  for (const close of closing.reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
}

async function run() {
  const startedAt = performance.now();
  const echoUrl = await startEcho();
  const gatehouse = await start(
    options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`],
  );
  closing.push(() => gatehouse.stop());
  say('Adding and reviewing the upstreams …');
  await gatehouse.cli(['upstreams', 'add', 'http', '--url', echoUrl, '--tag', 'echo']);
  await gatehouse.cli(['upstreams', 'add', 'stdio', '--tag', 'echo', '--', process.execPath, ECHO_STDIO]);
  await gatehouse.cli(['upstreams', 'add', 'many', '--tag', 'many', '--', process.execPath, ECHO_STDIO, String(MANY)]);
  for (const name of ['http', 'stdio', 'many']) await review(gatehouse, name);
  const policy = join(folder, 'policy.yaml');
  writeFileSync(policy, POLICY);
  await gatehouse.cli(['policy', 'import', policy]);
  const key = await createKey(gatehouse, 'caller', 'echo');
  const listKey = await createKey(gatehouse, 'lister', 'many');

  const origin = new URL(gatehouse.endpoint).origin;
  const at = {
    origin,
    key,
    listKey,
    pid: gatehouse.pid,
    http: await keep(openLegacy(echoUrl)),
    stdio: await keep(openPipe(process.execPath, [ECHO_STDIO])),
    many: await keep(openPipe(process.execPath, [ECHO_STDIO, String(MANY)])),
    mcp: await keep(openLegacy(`${origin}/mcp`, key)),
    modern: await keep(openModern(`${origin}/mcp`, key)),
  };
  if (parts.has('calls')) print(`\n${await calls(at)}`);
  if (parts.has('list')) print(`\n${await lists(at)}`);
  if (parts.has('slow')) print(`\n${await besideSlow(at)}`);
  print(`\nResident memory after all these calls ${number(residentMb(gatehouse.pid))} MB.`);
  await gatehouse.cli(['audit', 'verify']);
  print('Every answer was right, and the audit of all these calls verifies.');
  if (parts.has('start')) print(await starts(gatehouse));
  say(`${rounds} rounds of ${ms} ms, ${Math.round((performance.now() - startedAt) / 1000)} s in all.`);
}

/** The same echo call on every way, by one caller and by 32 at once. */
async function calls({ origin, key, pid, http, stdio, mcp, modern }) {
  const ways = [];
  for (const [upstream, direct] of [
    ['http', http],
    ['stdio', stdio],
  ]) {
    const alone = await keep(openLegacy(`${origin}/u/${upstream}/mcp`, key));
    ways.push(
      { upstream, name: 'direct', act: echo(direct, 'echo'), pid: null },
      { upstream, name: '/mcp, name', act: echo(mcp, `${upstream}__echo`), pid },
      { upstream, name: '/mcp, call_external_tool', act: echoExternal(mcp, upstream), pid },
      { upstream, name: '/u/<upstream>/mcp', act: echo(alone, 'echo'), pid },
      { upstream, name: '/mcp, name, 2026-07-28', act: echo(modern, `${upstream}__echo`), pid },
    );
  }
  const chosen = ways.filter(({ name }) => name === 'direct' || name.includes(options.way));
  const measured = await interleaved(
    chosen.flatMap((way) => [1, 32].map((callers) => ({ ...way, callers }))),
    ({ act, pid, callers }) => load(act, callers, ms, pid),
  );
  const of = (way, callers) => measured.find(({ row }) => row.act === way.act && row.callers === callers).runs;
  const p = (runs, part) => median(runs.map(({ times }) => quantile(times, part)));
  const perSecond = (runs) => median(runs.map((each) => each.perSecond));
  const rows = chosen.map((way) => {
    const direct = ways.find(({ upstream, name }) => upstream === way.upstream && name === 'direct');
    const isDirect = way === direct;
    const [one, all, oneDirect, allDirect] = [of(way, 1), of(way, 32), of(direct, 1), of(direct, 32)];
    const added = (part) => (isDirect ? '' : `+${number(p(one, part) - p(oneDirect, part))}`);
    return [
      `${way.upstream}: ${way.name}`,
      number(p(one, 0.5)),
      added(0.5),
      number(p(one, 0.99)),
      added(0.99),
      number(p(all, 0.5)),
      number(p(all, 0.99)),
      number(perSecond(all)),
      isDirect ? '' : `1/${number(perSecond(allDirect) / perSecond(all))}`,
      isDirect ? '' : number(median(all.map(({ cpu }) => cpu ?? Number.NaN))),
    ];
  });
  return table(
    ['echo call, ms', 'p50', 'added', 'p99', 'added', '32: p50', 'p99', 'calls/s', 'of direct', 'CPU ms/call'],
    rows,
  );
}

/** `tools/list` with a thousand tools in it. */
async function lists({ origin, listKey, pid, many }) {
  const ways = [
    { name: 'direct', act: list(many, MANY), pid: null },
    { name: '/mcp', act: list(await keep(openLegacy(`${origin}/mcp`, listKey)), MANY + 5), pid },
    { name: '/u/<upstream>/mcp', act: list(await keep(openLegacy(`${origin}/u/many/mcp`, listKey)), MANY), pid },
    { name: '/mcp, 2026-07-28', act: list(await keep(openModern(`${origin}/mcp`, listKey)), MANY + 5), pid },
  ];
  const measured = await interleaved(ways, ({ act, pid }) => load(act, 1, ms, pid));
  const rows = measured.map(({ row, runs }) => {
    const p = (part) => median(runs.map(({ times }) => quantile(times, part)));
    const cpu = row.pid === null ? '' : number(median(runs.map((each) => each.cpu ?? Number.NaN)));
    return [row.name, number(p(0.5)), number(p(0.99)), cpu];
  });
  return table([`tools/list of ${MANY} tools, ms`, 'p50', 'p99', 'CPU ms/call'], rows);
}

/** Does a slow upstream delay another's call? One fast caller, alone and beside ten calls that each take a second. */
async function besideSlow({ mcp, http, stdio }) {
  const ways = ['http', 'stdio'].flatMap((upstream) => [
    { upstream, beside: null, slow: null },
    ...['http', 'stdio'].map((beside) => ({
      upstream,
      beside,
      slow: () => mcp.ask('tools/call', { name: `${beside}__slow`, arguments: { text: 'slow', ms: 1_000 } }),
    })),
  ]);
  const directs = [
    ['http', http],
    ['stdio', stdio],
  ].map(([upstream, direct]) => ({
    upstream,
    beside: `${upstream}, both direct`,
    direct,
    slow: () => direct.ask('tools/call', { name: 'slow', arguments: { text: 'slow', ms: 1_000 } }),
  }));
  const measured = await interleaved([...ways, ...directs], async ({ upstream, slow, direct }) => {
    const act = direct === undefined ? echo(mcp, `${upstream}__echo`) : echo(direct, 'echo');
    const waiting = slow === null ? [] : Array.from({ length: 10 }, slow);
    if (slow !== null) await pause(100);
    const result = await load(act, 1, Math.min(ms, 600));
    await Promise.all(waiting);
    return result;
  });
  const rows = measured.map(({ row, runs }) => {
    const p = (part) => median(runs.map(({ times }) => quantile(times, part)));
    return [
      `${row.upstream}: ${row.beside === null ? 'alone' : `beside ten slow calls of ${row.beside}`}`,
      number(p(0.5)),
      number(p(0.99)),
    ];
  });
  return table(['a fast call, ms', 'p50', 'p99'], rows);
}

/** From the command to the line that says it is ready, with the data folder that all of the above left behind. */
async function starts(gatehouse) {
  await gatehouse.stop();
  const times = [];
  const bare = [];
  const idle = [];
  for (let round = 0; round < rounds; round += 1) {
    bare.push(await timed(() => new Promise((done) => spawn(process.execPath, ['-e', '0']).once('exit', done))));
    let again;
    times.push(
      await timed(async () => {
        again = await start([]);
      }),
    );
    await pause(1_500);
    idle.push(residentMb(again.pid) ?? Number.NaN);
    await again.stop();
  }
  return `From start to ready ${number(median(times))} ms (bare Node takes ${number(median(bare))} ms); idle then ${number(median(idle))} MB.`;
}

async function timed(act) {
  const before = performance.now();
  await act();
  return performance.now() - before;
}

/** Measures every row once per round, in turn. */
async function interleaved(rows, measure) {
  const measured = rows.map((row) => ({ row, runs: [] }));
  for (let round = 1; round <= rounds; round += 1) {
    say(`Round ${round} of ${rounds} …`);
    for (const each of measured) each.runs.push(await measure(each.row));
  }
  return measured;
}

function echo(client, name) {
  return async () => {
    const text = `call ${++serial}`;
    same(await client.ask('tools/call', { name, arguments: { text } }), text);
  };
}

function echoExternal(client, upstream) {
  return async () => {
    const text = `call ${++serial}`;
    const params = { name: 'call_external_tool', arguments: { upstream, tool: 'echo', arguments: { text } } };
    same(await client.ask('tools/call', params), text);
  };
}

function same(result, text) {
  if (result.isError === true || result.content?.[0]?.text !== text)
    throw new Error(`a wrong answer: ${JSON.stringify(result).slice(0, 300)}`);
}

function list(client, count) {
  return async () => {
    const { tools } = await client.ask('tools/list');
    if (tools.length !== count) throw new Error(`${tools.length} tools were listed, not ${count}`);
  };
}

async function keep(opening) {
  const client = await opening;
  closing.push(() => client.close());
  return client;
}

function start(node) {
  return startGatehouse(folder, 0, { node, more: { GATEHOUSE_UNATTENDED: '1' } });
}

async function startEcho() {
  const child = spawn(process.execPath, [ECHO_HTTP], { stdio: ['pipe', 'pipe', 'inherit'] });
  closing.push(() => child.stdin.end());
  return new Promise((resolve) => createInterface({ input: child.stdout }).once('line', resolve));
}

/** It starts in the background: nothing waits for review before it has been listed. */
async function review(gatehouse, name) {
  for (let tries = 0; tries < 50; tries += 1) {
    const { stdout } = await gatehouse.cli(['tools', 'list', '--upstream', name, '--json']);
    if (JSON.parse(stdout).length > 0) break;
    await pause(200);
  }
  await gatehouse.cli(['upstreams', 'review', name, '--accept', '--yes']);
}

async function createKey(gatehouse, name, tag) {
  const made = await gatehouse.cli(['keys', 'create', '--role', 'executor', '--name', name, '--scope-tags', tag]);
  return made.stdout.trim();
}
