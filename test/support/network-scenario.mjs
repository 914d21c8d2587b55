// One whole use of Gatehouse from the build, then quiet, to be watched from outside (security.md Q2). Plain Node.
//
//   node network-scenario.mjs CLI FOLDER RECORDER IDLE_MS
//
// Starts Gatehouse headless, signs in at its dashboard, makes a key, adds a recorder as upstream and accepts its tools, lets
// one call wait and approves it, asks the command line and the audit, does nothing for IDLE_MS, and ends it. Prints one JSON
// line: {"pid":…,"answer":<text of the call's result>,"verified":true|false,"exit":code}.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

const [cli, folder, recorder, idle] = process.argv.slice(2);
const app = spawn(process.execPath, [cli, 'start', '--headless', '--port', '0', '--data', folder, '--json'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const [ready] = await once(createInterface({ input: app.stdout }), 'line');
const { endpoint, dashboard, pid } = JSON.parse(ready);
const { origin, hash } = new URL(dashboard);

async function post(url, headers, body) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return { headers: response.headers, text };
}

const signedIn = await post(`${origin}/sign-in`, {}, { token: hash.slice('#sign-in='.length) });
const person = {
  cookie: signedIn.headers.get('set-cookie').split(';', 1)[0],
  authorization: `Bearer ${JSON.parse(signedIn.text).token}`,
};
const stream = await fetch(`${origin}/api/stream`, { headers: person });
stream.text().catch(() => {
  // It ends with Gatehouse.
});
const ask = async (name, input = {}) => JSON.parse((await post(`${origin}/api/${name}`, person, input)).text).result;
async function until(read) {
  for (let round = 0; round < 400; round += 1) {
    const value = await read();
    if (value) return value;
    await pause(50);
  }
  throw new Error(`waited in vain: ${read}`);
}

const { secret } = await ask('keyCreate', { role: 'executor', name: 'agent' });
const { upstream } = await ask('upstreamAdd', {
  name: 'rec',
  transport: { kind: 'stdio', command: process.execPath, args: [recorder, `${folder}/record.jsonl`] },
});
const tools = await until(async () => {
  const listed = await ask('toolsList', { upstream: upstream.id });
  return listed.length > 0 && listed;
});
const accept = tools.map(({ name, fingerprint }) => ({ name, fingerprint, risk: 'write' }));
await ask('toolsReview', { upstream: upstream.id, accept });

const answering = post(
  endpoint,
  {
    accept: 'application/json, text/event-stream',
    authorization: `Bearer ${secret}`,
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': 'rec__echo',
  },
  {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      name: 'rec__echo',
      arguments: { text: 'watched' },
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
        'io.modelcontextprotocol/clientInfo': { name: 'scenario', version: '1' },
      },
    },
  },
);
const card = await until(async () => (await ask('approvalsList', { state: 'waiting' }))[0]);
await ask('approvalApprove', { approval: card.id, argumentsSha256: card.argumentsSha256 });
const answered = JSON.parse(
  (await answering).text
    .split('\n')
    .findLast((line) => line.includes('"jsonrpc"'))
    .replace(/^data: /, ''),
);
const [status] = await once(
  spawn(process.execPath, [cli, 'audit', 'verify', '--data', folder], { stdio: 'ignore' }),
  'exit',
);

await pause(Number(idle));
process.kill(pid, 'SIGTERM');
const [exit] = await once(app, 'exit');
process.stdout.write(
  `${JSON.stringify({ pid, answer: answered.result?.content?.[0]?.text ?? null, verified: status === 0, exit })}\n`,
);
process.exit(0);
