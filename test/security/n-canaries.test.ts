import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { filesUnder, formsIn, newCanary, newSecret, sweep, watchSecret } from '../support/canary.ts';
import { eventually } from '../support/gatehouse.ts';
import { type Headless, RECORDER, reached, recorded, type Said, startHeadless } from '../support/headless.ts';
import { commandLines } from '../support/processes.ts';

const RECORDER_HTTP = fileURLToPath(new URL('../support/recorder-http.mjs', import.meta.url));

test('N1: no secret stands in clear in any file, command line or reply of a whole run', {
  timeout: 60_000,
}, async () => {
  // Of the test: what the upstreams got is recorded here, so this is not swept.
  const own = mkdtempSync(join(tmpdir(), 'gatehouse-n1-'));
  onTestFinished(() => rmSync(own, { recursive: true, force: true }));
  const record = { stdio: join(own, 'stdio.jsonl'), http: join(own, 'http.jsonl') };
  const server = spawn(process.execPath, [RECORDER_HTTP, record.http], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void server.kill());
  const [first] = await once(createInterface({ input: server.stdout }), 'line');
  const { url } = JSON.parse(String(first)) as { url: string };

  const env = newSecret('env');
  const replaced = newSecret('replaced');
  const header = `Bearer ${watchSecret(newCanary('header').replaceAll('ä', 'a'))}`;
  /** Not a secret: shows that the sweeps below find what is there. */
  const control = newCanary('control').replaceAll(/["/ä+ ~]/g, '');

  await using gatehouse = await startHeadless();
  const lines = new Set<string>();
  const watching = setInterval(() => commandLines().forEach((line) => void lines.add(line)), 25);
  onTestFinished(() => clearInterval(watching));
  const said: Said[] = [];
  const cli = async (words: readonly string[], stdin?: string) => {
    const answer = await gatehouse.cli(words, stdin);
    said.push(answer);
    return answer;
  };

  // A person sets it up, on the command line and at the dashboard.
  const adding = cli(
    ['upstreams', 'add', 'stdio', '--env', 'TOKEN', '--', process.execPath, RECORDER, record.stdio, '--leak=TOKEN'],
    `${env}\n`,
  );
  await confirmNext(gatehouse);
  expect((await adding).code).toBe(0);
  await gatehouse.add('http', { url, secrets: { Authorization: header } });
  await gatehouse.add('gone', { url: 'http://127.0.0.1:9/mcp', secrets: { Authorization: header } });
  for (const upstream of ['stdio', 'http']) await gatehouse.review(upstream, 'read');
  const key = await gatehouse.key(control);
  const making = gatehouse.cli(['keys', 'create', '--role', 'admin', '--name', 'looker']);
  await confirmNext(gatehouse);
  const admin = (await making).stdout.trim();
  const keys = [key, admin];

  // Agents call: at once, after a yes, after a no, in vain, wrongly.
  const text = JSON.stringify({ text: control });
  for (const tool of ['stdio__echo', 'http__echo', 'stdio__rpc_error', 'stdio__fail', 'gone__x', 'no__such']) {
    await gatehouse.call(key, tool, text);
  }
  const written = gatehouse.call(key, 'demo__write_note', '{"title":"n1","text":"n1"}');
  await gatehouse.approve(await gatehouse.card());
  expect((await written).message?.result).not.toHaveProperty('isError');
  const deleted = gatehouse.call(key, 'demo__write_note', '{"title":"n2","text":"n2"}');
  await gatehouse.ask('approvalDeny', { approval: (await gatehouse.card()).id, reason: 'no' });
  expect((await deleted).message?.result).toMatchObject({ isError: true });
  await gatehouse.call(key, 'stdio__crash');
  const replies = [...(await misuse(gatehouse.endpoint, key))];

  // What the upstreams were to get, they got: the secrets were really in use.
  expect(recorded(record.stdio)[0]).toMatchObject({ kind: 'started', env: { TOKEN: env } });
  expect(reached(record.stdio).length).toBeGreaterThan(2);
  expect(
    recorded(record.http).some(({ headers }) => (headers as Record<string, string>)?.authorization === header),
  ).toBe(true);

  // A secret is replaced; the person looks at everything, on the command line and at the dashboard.
  const { id } = (await gatehouse.ask('upstreamsList')).find(({ name }) => name === 'stdio') ?? { id: '' };
  expect(await gatehouse.ask('upstreamChange', { upstream: id, secrets: { TOKEN: replaced } })).toMatchObject({
    kind: 'done',
  });
  await eventually(
    () => (JSON.stringify(recorded(record.stdio)).includes(JSON.stringify(replaced).slice(1, -1)) ? true : null),
    'the new secret',
  );
  const log = await eventually(async () => {
    const shown = (await gatehouse.ask('upstreamLogs', { upstream: id })).lines;
    return shown.length > 3 ? shown : null;
  }, 'what it wrote');
  expect(log.filter((line) => line.includes('•••'))).toHaveLength(4);
  await lookAtEverything(gatehouse);
  for (const words of EVERYTHING) expect((await cli(words)).code, words.join(' ')).toBe(0);
  // Named by its whole text, as somebody does who has nothing else of it at hand.
  const rotated = await gatehouse.ask('keyRotate', { key });
  if (rotated.kind !== 'done') throw new Error(rotated.message);
  keys.push(rotated.secret);
  expect((await gatehouse.call(key, 'find_tools')).status).toBe(401);
  const health = await fetch(new URL('/health', gatehouse.endpoint), { headers: { authorization: `Bearer ${admin}` } });
  replies.push(await health.text());
  expect(replies.at(-1)).toContain('"upstreams"');

  const canaries = [env, replaced, header.slice('Bearer '.length), ...keys];
  const check = () => canaries.flatMap((canary) => sweep(gatehouse.base, canary));
  expect(filesUnder(gatehouse.folder).map((file) => file.slice(gatehouse.folder.length + 1))).toEqual(
    expect.arrayContaining([
      'state.db',
      'state.db-wal',
      'state.db-shm',
      'audit.db',
      'audit.db-wal',
      'audit.db-shm',
      'logs/gatehouse.log',
      expect.stringMatching(/^exports\//),
    ]),
  );
  expect(check(), 'while it runs').toEqual([]);
  await gatehouse.stop();
  expect(check(), 'after it ended').toEqual([]);
  const found = sweep(gatehouse.base, control).map(({ file }) => file.slice(gatehouse.folder.length + 1));
  for (const file of [/^state\.db/, /^audit\.db/, /^exports\//])
    expect(found.some((name) => file.test(name))).toBe(true);

  clearInterval(watching);
  const told = gatehouse.said();
  const places = {
    'command lines': [...lines].join('\n'),
    replies: [
      ...replies,
      ...gatehouse.replies.filter(({ path }) => !HANDS_OUT.includes(path)).map((reply) => reply.text),
    ].join('\n'),
    'what commands said': said.map(({ stdout, stderr }) => stdout + stderr).join('\n'),
    'what Gatehouse said': told.stdout + told.stderr,
  };
  expect(lines.size).toBeGreaterThan(3);
  expect(places['command lines']).toContain('--leak=TOKEN');
  for (const [place, content] of Object.entries(places)) {
    for (const canary of canaries) expect(formsIn(Buffer.from(content), canary), `${place}: ${canary}`).toEqual([]);
  }
  for (const place of ['replies', 'what commands said'] as const) expect(places[place]).toContain(control);
  // Once, to whoever made it: the reply that is left out above.
  const made = gatehouse.replies.filter(({ path }) => path === '/api/keyCreate');
  expect(made.map(({ text: body }) => body.split(key).length - 1)).toEqual([1]);
  expect(readFileSync(join(gatehouse.base, 'master-key'), 'utf8').length).toBeGreaterThan(40);
});

/** What tells a new key, once, to whoever made it. */
const HANDS_OUT = ['/api/keyCreate', '/api/keyRotate'];

async function confirmNext(gatehouse: Headless): Promise<void> {
  const { id } = await eventually(async () => (await gatehouse.ask('confirmationsList'))[0] ?? null, 'the question');
  await gatehouse.ask('confirmationAnswer', { confirmation: id, answer: 'confirm' });
}

const EVERYTHING: readonly (readonly string[])[] = [
  ['status', '--json'],
  ['keys', 'list', '--json'],
  ['clients', 'list', '--json'],
  ['upstreams', 'list', '--json'],
  ['upstreams', 'logs', 'stdio'],
  ['upstreams', 'review', 'stdio'],
  ['tools', 'list', '--json'],
  ['tools', 'find', 'echo', '--json'],
  ['policy', 'export'],
  ['approvals', 'list', '--json'],
  ['audit', 'tail', '-n', '500', '--json'],
  ['audit', 'verify', '--json'],
  ['audit', 'export'],
  ['connect'],
];

async function lookAtEverything(gatehouse: Headless): Promise<void> {
  await gatehouse.ask('status');
  await gatehouse.ask('clientsList');
  await gatehouse.ask('workspacesList');
  await gatehouse.ask('upstreamsList');
  await gatehouse.ask('toolsList');
  await gatehouse.ask('toolsFind', { query: 'echo' });
  await gatehouse.ask('policyGet');
  await gatehouse.ask('approvalsList', { state: 'all' });
  await gatehouse.ask('standingList');
  await gatehouse.ask('confirmationsList');
  await gatehouse.ask('auditList', { limit: 500 });
  await gatehouse.ask('auditVerify');
  await gatehouse.ask('auditExport');
  await gatehouse.ask('connectLines');
}

/** The key where it does not belong, and with what is refused: every answer that came. */
async function misuse(endpoint: string, key: string): Promise<readonly string[]> {
  const bearer = { authorization: `Bearer ${key}` };
  const tries: readonly (readonly [path: string, headers: Record<string, string>])[] = [
    [`/mcp?access_token=${key}`, {}],
    [`/mcp/${key}`, {}],
    [`/open/${key}`, {}],
    ['/mcp', { 'x-api-key': key }],
    ['/mcp', { authorization: `Basic ${Buffer.from(`u:${key}`).toString('base64')}` }],
    ['/mcp', { authorization: `Bearer  ${key}` }],
    ['/mcp', { ...bearer, host: 'evil.example' }],
    ['/mcp', { ...bearer, origin: 'https://evil.example' }],
    ['/mcp', { ...bearer, 'content-type': 'text/plain' }],
    ['/mcp', { ...bearer, 'mcp-session-id': key, 'content-type': 'application/json' }],
    ['/nowhere', bearer],
  ];
  return Promise.all(tries.map(([path, headers]) => send(endpoint, path, headers)));
}

function send(endpoint: string, path: string, headers: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve) => {
    const sent = request(endpoint, { method: 'POST', path, headers }, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => resolve(`${response.rawHeaders.join('\n')}\n${body}`));
    });
    // Some are refused by hanging up.
    sent.on('error', () => resolve(''));
    sent.end('{"jsonrpc":"2.0","id":1,"method":"tools/list"}');
  });
}
