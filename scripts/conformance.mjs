import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { environment, ROOT, underNode24 } from './node24.mjs';
import { say } from './progress.mjs';
import { setUp } from './setup.mjs';

/*
 * `npm run conformance`: the official conformance runner for MCP, through Gatehouse, at both protocol revisions. The server
 * sets run against our fixture behind Gatehouse; in the client sets Gatehouse is the client of the runner's mock servers.
 * Everything is set up by commands, as a person would, in a data folder of its own. The last line is `N passed, N failed`.
 *
 *   --only TEXT    only sets whose name holds this text, such as `client` or `server 2026`
 *   --direct       the server sets against the fixture itself, without Gatehouse
 *   --out FOLDER   keeps everything the runner wrote there
 */
await underNode24();
const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    direct: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
await setUp();
const { startGatehouse } = await import('./demo/gatehouse.mjs');
const { startForwarder } = await import('../test/support/conformance/forwarder.ts');
const { REVISIONS } = await import('./conformance/sets.ts');
const { runSet } = await import('./conformance/official.ts');
const { countSet, tableOf } = await import('./conformance/report.ts');

const SUPPORT = join(ROOT, 'test/support/conformance');
/** What the runner's scenarios expect as client id where metadata documents count; nobody fetches it. */
const METADATA_URL = 'https://conformance-test.local/client-metadata.json';
const POLICY = 'defaultEffect: allow\nrules: []\n';
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-conformance-'));
const official = {
  runner: join(ROOT, 'node_modules/@modelcontextprotocol/conformance'),
  results: options.out === undefined ? join(folder, 'results') : resolve(options.out),
};
const data = join(folder, 'data');
const closing = [];
const total = { passed: 0, failed: 0 };

try {
  for (const made of [data, official.results]) mkdirSync(made, { recursive: true });
  await run();
} catch (error) {
  total.failed += 1;
  say(`conformance: ${error.message}`);
} finally {
  for (const close of closing.reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
process.exitCode = total.failed === 0 ? 0 : 1;

async function run() {
  const fixture = await startFixture();
  const wanted = (side, revision) => `${side} ${revision}`.includes(options.only);
  if (options.direct) {
    for (const revision of REVISIONS.filter((one) => wanted('server', one))) {
      await judge({ revision, side: 'server', target: ['--url', fixture] });
    }
    return;
  }

  const gatehouse = await startGatehouse(data, 0, {
    more: { GATEHOUSE_UNATTENDED: '1', GATEHOUSE_CLIENT_METADATA_URL: METADATA_URL },
  });
  closing.push(() => gatehouse.stop());
  const origin = new URL(gatehouse.endpoint).origin;
  const policy = join(folder, 'policy.yaml');
  writeFileSync(policy, POLICY);
  await gatehouse.cli(['policy', 'import', policy]);
  const made = await gatehouse.cli(['keys', 'create', '--role', 'executor', '--name', 'conformance']);
  const key = made.stdout.trim();
  await gatehouse.cli(['upstreams', 'add', 'fixture', '--url', fixture]);
  await ready(gatehouse, 'fixture');
  await gatehouse.cli(['upstreams', 'review', 'fixture', '--accept', '--yes']);
  const forwarder = await startForwarder(origin, key);
  closing.push(() => forwarder.close());

  for (const revision of REVISIONS.filter((one) => wanted('server', one))) {
    await judge({ revision, side: 'server', target: ['--url', `${forwarder.origin}/u/fixture/mcp`] });
  }
  const env = { GATEHOUSE_CONFORMANCE: JSON.stringify({ origin, key, data }) };
  const command = `"${process.execPath}" "${join(SUPPORT, 'harness.ts')}"`;
  for (const revision of REVISIONS.filter((one) => wanted('client', one))) {
    await judge({ revision, side: 'client', target: ['--command', command], env });
  }
}

async function judge(set) {
  say(`Running the required ${set.side} set of ${set.revision} …`);
  const counted = countSet(await runSet({ ...set, env: { ...environment(), ...set.env } }, official));
  total.passed += counted.passed;
  total.failed += counted.failed;
  process.stdout.write(`${tableOf(counted)}\n\n`);
}

async function startFixture() {
  const child = spawn(process.execPath, [join(SUPPORT, 'fixture/server.ts')], { stdio: ['pipe', 'pipe', 'inherit'] });
  closing.push(() => child.stdin.end());
  const line = await new Promise((done, reject) => {
    createInterface({ input: child.stdout }).once('line', done);
    child.once('exit', () => reject(new Error('the fixture server did not start')));
  });
  return JSON.parse(line).url;
}

async function ready(gatehouse, name) {
  for (let tries = 0; tries < 40; tries += 1) {
    const { stdout } = await gatehouse.cli(['upstreams', 'list', '--json']);
    const view = JSON.parse(stdout).find((one) => one.name === name);
    if (view?.status === 'ready') return;
    if (view?.status === 'failed') throw new Error(`the upstream ${name}: ${view.reason}`);
    await pause(250);
  }
  throw new Error(`the upstream ${name} did not start`);
}
