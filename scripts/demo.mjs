import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { underNode24 } from './node24.mjs';
import { say } from './progress.mjs';
import { setUp } from './setup.mjs';

/*
 * `npm run demo`: real MCP servers behind Gatehouse, a real client in front of it, a person's mouse in a real browser.
 * The person's part is done only by mouse and keyboard in Chromium: nothing here calls the dashboard's API.
 */
await underNode24();
await setUp();
const { startServers } = await import('./demo/servers.mjs');
const { openBrowser } = await import('./demo/person.mjs');
const { createInspector } = await import('./demo/inspector.mjs');
const { startGatehouse } = await import('./demo/gatehouse.mjs');

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-demo-'));
const files = mkdtempSync(join(tmpdir(), 'gatehouse-demo-files-'));
let step = 0;
let person = null;
const closing = [];

try {
  await run();
  say('');
  process.stdout.write(`${step} steps shown.\n`);
} catch (error) {
  process.exitCode = 1;
  say(`demo: step ${step + 1} did not show what it should: ${error.message}`);
  const picture = join(tmpdir(), 'gatehouse-demo.png');
  if (
    person !== null &&
    (await person.picture(picture).then(
      () => true,
      () => false,
    ))
  )
    say(`demo: what the person saw is in ${picture}`);
} finally {
  for (const close of closing.reverse()) await close();
  for (const path of [folder, files]) rmSync(path, { recursive: true, force: true });
}

async function run() {
  let gatehouse = await startGatehouse(folder, 0);
  closing.push(() => gatehouse.stop());
  person = await openBrowser(gatehouse.dashboard);
  closing.push(() => person.close());
  shown(`Gatehouse runs at ${gatehouse.endpoint}; a person has the dashboard open in Chromium.`);

  const servers = await startServers(files);
  closing.push(() => servers.stop());
  for (const [name, args] of servers.upstreams) {
    await Promise.all([
      gatehouse.cli(['upstreams', 'add', name, ...args]),
      person.confirm(`Add the upstream "${name}"`),
    ]);
  }
  const making = gatehouse.cli(['keys', 'create', '--role', 'executor', '--name', 'demo-agent']);
  const [made] = await Promise.all([making, person.confirm('Create a key for "demo-agent"')]);
  const key = made.stdout.trim();
  await gatehouse.cli(['clients', 'set', 'demo-agent', '--hold', '3s']);
  shown('Three real servers and a key were added on the command line, each confirmed by the person with the mouse.');

  for (const [name] of servers.upstreams)
    shown(`${name}: ${await person.review(name)} tools were read and accepted with the mouse.`);

  const inspector = createInspector(gatehouse.endpoint, key);
  for (const era of ['legacy', 'modern']) {
    const { tools } = await inspector.list(era);
    const names = tools.map((tool) => tool.name).join(', ');
    expect(
      names === 'find_tools, call_external_tool, pin_tool, unpin_tool, list_pinned_tools',
      `${era}: listed ${names}`,
    );
    shown(`${era} client: five tools listed: ${names}.`);
  }

  const found = await inspector.meta('modern', 'find_tools', { query: 'read a text file' });
  const first = found.structuredContent.tools[0];
  expect(
    first.upstream === 'files' && first.tool === 'read_text_file',
    `ranked ${first.upstream} / ${first.tool} first`,
  );
  shown(`find_tools "read a text file" ranks ${first.upstream} / ${first.tool} first (${first.decision}).`);

  const notes = join(files, 'notes.txt');
  writeFileSync(notes, 'The gate is open to readers.\n');
  const read = await inspector.external('legacy', 'files', 'read_text_file', { path: notes });
  expect(textOf(read).includes('open to readers'), `the read answered ${textOf(read)}`);
  for (const upstream of ['everything', 'everything-http']) {
    const echoed = await inspector.external('modern', upstream, 'echo', { message: `hello ${upstream}` }, () =>
      person.approveIfAsked('echo'),
    );
    expect(textOf(echoed).includes(`hello ${upstream}`), `${upstream} answered ${textOf(echoed)}`);
  }
  shown('A read runs at once, on the filesystem server; echo answers over stdio and over Streamable HTTP.');

  const approved = join(files, 'approved.txt');
  const written = await inspector.external('legacy', 'files', 'write_file', { path: approved, content: 'once' }, () =>
    person.approve('write_file'),
  );
  expect(
    written.isError !== true && readFileSync(approved, 'utf8') === 'once',
    `the write answered ${textOf(written)}`,
  );
  const writtenAt = statSync(approved).mtimeMs;
  shown('A write waited, was approved with the mouse, and is on the disk.');

  const denied = join(files, 'denied.txt');
  const refused = await inspector.external('modern', 'files', 'write_file', { path: denied, content: 'never' }, () =>
    person.deny('write_file'),
  );
  expect(
    refused._meta['gatehouse/class'] === 'approval_denied' && !existsSync(denied),
    `the denied write answered ${textOf(refused)}`,
  );
  shown('A second write was denied with the mouse, answered approval_denied, and did not happen.');

  const late = join(files, 'late.txt');
  const gaveUp = await inspector.external('legacy', 'files', 'write_file', { path: late, content: 'redeemed' });
  expect(
    gaveUp._meta['gatehouse/class'] === 'approval_pending' && !existsSync(late),
    `the third write answered ${textOf(gaveUp)}`,
  );
  await person.approve('write_file');
  expect(!existsSync(late), 'the yes alone ran the call');
  const redeemed = await inspector.external('legacy', 'files', 'write_file', { path: late, content: 'redeemed' });
  expect(
    redeemed.isError !== true && readFileSync(late, 'utf8') === 'redeemed',
    `the retry answered ${textOf(redeemed)}`,
  );
  const again = await inspector.external('legacy', 'files', 'write_file', { path: late, content: 'redeemed' }, () =>
    person.deny('write_file'),
  );
  expect(again._meta['gatehouse/class'] === 'approval_denied', `a second retry answered ${textOf(again)}`);
  shown('A third was approved after the client gave up, and redeemed by its retry, once: the next retry asked anew.');

  const wrongKey = 'gh_wrongkey_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
  const said = await createInspector(gatehouse.endpoint, wrongKey).refusal('modern');
  const { status } = await fetch(gatehouse.endpoint, {
    method: 'POST',
    headers: { authorization: `Bearer ${wrongKey}` },
  });
  expect(status === 401, `a wrong key got ${status}`);
  shown(`A wrong key gets ${status}; the inspector says: ${said.trim().split('\n').at(-1)}`);

  expect(statSync(approved).mtimeMs === writtenAt, 'the first write happened again');
  const records = await calls(gatehouse);
  const writes = records.filter((record) => record.tool === 'write_file');
  const forwarded = writes.filter((record) => record.entries.some((entry) => entry.phase === 'forwarded'));
  expect(forwarded.length === 2, `${forwarded.length} writes were forwarded, not 2`);
  say('');
  for (const record of records) say(`    ${line(record)}`);
  await verified(gatehouse);
  shown('The audit shows every call with its decision, rule and error class, and verifies.');

  const endless = inspector.external('modern', 'demo', 'slow_count', { to: 30 }).catch(() => null);
  await until(async () =>
    (await calls(gatehouse)).some((record) => record.tool === 'slow_count' && record.outcome === null),
  );
  gatehouse.kill();
  await endless;
  gatehouse = await startGatehouse(folder, gatehouse.port);
  await verified(gatehouse);
  const interrupted = (await calls(gatehouse)).find((record) => record.tool === 'slow_count');
  expect(interrupted?.outcome === 'interrupted', `the interrupted call says ${interrupted?.outcome}`);
  say('');
  say(`    ${line(interrupted)}`);
  shown('After kill -9 in mid-call and a restart the audit still verifies, and the call says that it was interrupted.');
}

function shown(text) {
  step += 1;
  process.stdout.write(`${String(step).padStart(2)}  ${text}\n`);
}

function expect(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

async function calls(gatehouse) {
  const { stdout } = await gatehouse.cli(['audit', 'tail', '--json']);
  const records = stdout
    .split('\n')
    .filter(Boolean)
    .flatMap((text) => JSON.parse(text));
  return records.filter((record) => record.kind === 'tool_call');
}

async function verified(gatehouse) {
  const { stdout } = await gatehouse.cli(['audit', 'verify']);
  expect(stdout.includes('verifies'), stdout);
}

function line(record) {
  const words = [
    record.client,
    `${record.upstream} / ${record.tool}`,
    record.effect ?? '-',
    record.rule ?? '(default effect)',
    record.outcome ?? 'running',
    record.errorClass ?? '',
  ];
  return words.join('  ').trimEnd();
}

function textOf(result) {
  return result.content?.map((part) => part.text ?? '').join(' ') ?? JSON.stringify(result);
}

async function until(holds) {
  for (let tries = 0; tries < 100; tries += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('waited 10 s in vain');
}
