import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { underNode24 } from './node24.mjs';
import { installOnDemand, withLoopbackOnly } from './on-demand.mjs';
import { say } from './progress.mjs';
import { setUp } from './setup.mjs';

/*
 * `npm run test:agents`: the real Claude Code, Codex, Gemini CLI and opencode work through Gatehouse on a real filesystem
 * server. A stand-in takes the place of their models; what a person does is done by mouse in a real browser.
 * Then each signs in by itself, and so does the inspector: no key, a browser, and the person's yes.
 * `npm run test:agents -- codex` runs those whose name holds the word, `-- sign-in` the sign-ins alone; `--verbose` prints
 * all that they say.
 */
await underNode24();
await setUp();
const modules = await installOnDemand('test/agents');
await withLoopbackOnly();
const { startGatehouse } = await import('./demo/gatehouse.mjs');
const { openBrowser } = await import('./demo/person.mjs');
const { startServers } = await import('./demo/servers.mjs');
const { AGENTS, createHome, INSPECTOR } = await import('./agents/agents.mjs');
const { signIn } = await import('./agents/sign-in.mjs');
const { startModel } = await import('./agents/model.mjs');

const words = process.argv.slice(2);
const verbose = words.includes('--verbose');
const wanted = words.filter((word) => !word.startsWith('--'));
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-agents-'));
const files = join(folder, 'files');
const closing = [];
const count = { passed: 0, failed: 0 };
const PROMPT = 'Read note.txt and write what it says into copy.txt.';
/** One agent, from its start to its end. Milliseconds. */
const PATIENCE = 120_000;

try {
  await run();
} catch (error) {
  count.failed += 1;
  say(`agents: ${error.message}`);
} finally {
  for (const close of closing.reverse()) await close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
process.stdout.write(`${count.passed} passed, ${count.failed} failed\n`);
process.exitCode = count.failed === 0 ? 0 : 1;

async function run() {
  mkdirSync(files);
  const gatehouse = await startGatehouse(join(folder, 'data'), 0);
  closing.push(() => gatehouse.stop());
  const person = await openBrowser(gatehouse.dashboard);
  closing.push(() => person.close());
  const servers = await startServers(files);
  closing.push(() => servers.stop());
  const [, added] = servers.upstreams.find(([name]) => name === 'files');
  await Promise.all([
    gatehouse.cli(['upstreams', 'add', 'files', ...added]),
    person.confirm('Add the upstream "files"'),
  ]);
  await person.review('files');
  const chosen = AGENTS.filter(({ client }) => wanted.length === 0 || wanted.some((word) => client.includes(word)));
  for (const agent of chosen) await told(agent, () => shown(agent, gatehouse, person));
  // The same without a key: each asks Gatehouse by itself, and the person says yes.
  for (const agent of [...AGENTS, INSPECTOR]) {
    const isChosen = wanted.length === 0 || wanted.some((word) => `${agent.client} sign-in`.includes(word));
    if (isChosen && agent.signIn !== undefined)
      await told(agent, () => signIn(agent, { folder, modules, gatehouse, person, start }));
  }
}

async function told(agent, show) {
  try {
    process.stdout.write(`${await show()}\n`);
    count.passed += 1;
  } catch (error) {
    process.stdout.write(`${agent.name}: ${error.message}\n`);
    count.failed += 1;
  }
}

/** One agent's whole way; the line that says what was seen. */
async function shown(agent, gatehouse, person) {
  const secret = `the word of ${agent.name} is ${Math.random().toString(36).slice(2)}`;
  const note = join(files, `${agent.client}-note.txt`);
  const copy = join(files, `${agent.client}-copy.txt`);
  writeFileSync(note, secret);
  const results = [];
  const model = await startModel(
    [
      { tool: 'find_tools', input: { query: 'write a file' } },
      external('read_text_file', { path: note }),
      external('write_file', { path: copy, content: secret }),
    ],
    (texts) => {
      results.push(...texts);
      return `Finished: ${texts[1]}`;
    },
  );
  try {
    const making = gatehouse.cli(['keys', 'create', '--role', 'executor', '--name', agent.client]);
    const [made] = await Promise.all([making, person.confirm(`Create a key for "${agent.client}"`)]);
    const key = made.stdout.trim();
    const lines = JSON.parse((await gatehouse.cli(['connect', '--json'])).stdout).lines;
    const connect = (client) => lines.find((line) => line.client === client).text.replaceAll('<key>', key);
    const connection = { endpoint: gatehouse.endpoint, key, model: model.url, connect };
    const home = createHome(agent, { folder, modules, connection });
    for (const line of home.setUp) {
      const { code, said } = await start(['sh', '-c', line], home).ended;
      expect(code === 0, `'${line.replace(key, '<key>')}' ended with ${code}: ${tail(said)}`);
    }

    const working = start(agent.run(PROMPT), home);
    let early = null;
    working.ended.then((end) => {
      early = end;
    });
    while (early === null && !(await calls(gatehouse, agent)).some(waits)) await pause(300);
    expect(early === null, `it ended with ${early?.code} before it wrote: ${tail(early?.said ?? '')}`);
    expect(!existsSync(copy), 'its write ran before anybody said yes');
    await person.approve('write_file');
    const { code, said } = await working.ended;
    expect(code === 0, `it ended with ${code}: ${tail(said)}`);
    expect(results[0]?.includes('write_file'), `find_tools answered ${tail(results[0] ?? 'nothing')}`);
    expect(said.includes(secret), `it did not say what it read: ${tail(said)}`);
    expect(readFileSync(copy, 'utf8') === secret, 'the file holds something else');
    return lineOf(agent, home.version, await calls(gatehouse, agent));
  } finally {
    await model.stop();
  }
}

function external(tool, input) {
  return { tool: 'call_external_tool', input: { upstream: 'files', tool, arguments: input } };
}

function waits({ tool, entries }) {
  return tool === 'write_file' && entries.some(({ phase }) => phase === 'asked');
}

async function calls(gatehouse, { client }) {
  const { stdout } = await gatehouse.cli(['audit', 'tail', '--json']);
  const records = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return records.filter((record) => record.client === client && record.kind === 'tool_call');
}

function lineOf(agent, version, records) {
  const [read, write] = ['read_text_file', 'write_file'].map((tool) =>
    records.filter((record) => record.tool === tool),
  );
  expect(read.length === 1 && write.length === 1, `the audit has ${read.length} reads and ${write.length} writes`);
  expect(read[0].effect === 'allow' && read[0].outcome === 'answered', `the read was ${read[0].effect}`);
  expect(write[0].effect === 'require_approval' && write[0].outcome === 'answered', `the write was ${write[0].effect}`);
  const era = new Set(records.flatMap(({ entries }) => entries.map(({ detail }) => detail.era)).filter(Boolean));
  const at = (phase) => write[0].entries.find((entry) => entry.phase === phase).at;
  const waited = ((at('forwarded') - at('asked')) / 1000).toFixed(1);
  return `${agent.name} ${version}: ${[...era].join(' and ')} era; found its tools, read at once, wrote after ${waited} s when the person pressed Approve, and finished.`;
}

/** A program in a home of its own, its whole group gone when it is over. */
function start([program, ...args], { env, work }) {
  const child = spawn(program, args, { cwd: work, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said += chunk;
      if (verbose) process.stderr.write(chunk);
    });
  }
  let over = false;
  const endGroup = () => {
    // The number may be another's by now.
    if (over) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // Nobody of the group is left.
    }
  };
  const limit = setTimeout(endGroup, PATIENCE);
  closing.push(endGroup);
  const ended = once(child, 'exit').then(([code, signal]) => {
    clearTimeout(limit);
    endGroup();
    over = true;
    return { code: code ?? signal, said };
  });
  return { ended, said: () => said };
}

function tail(text) {
  return text.trim().slice(-600);
}

function expect(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}
