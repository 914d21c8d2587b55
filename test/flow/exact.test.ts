import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addReviewed, type Listening, startListening } from '../support/fixture-upstream.ts';
import { startGatehouse, type TestGatehouse, type TestKey } from '../support/gatehouse.ts';
import { jsonLines } from '../support/lines.ts';

/*
 * What is relayed keeps its digits, its escapes and the order of its members, in both directions and in every cell. The
 * upstream writes the texts it is given as they are, the client reads lines, and nothing here parses what it compares.
 */

/** Every member is changed by a round through JSON.parse and JSON.stringify, or moved. */
const RAW = '"n":9007199254740993,"f":1.0,"e":1e400,"z":-0,"10":1,"2":[2.50],"s":"\\u00e9\\/"';
const LOG = `{"level":"error","logger":"l","data":{${RAW}}}`;
const PROGRESS = `{"progressToken":TOKEN,"progress":1.0,"total":1.0e1,"message":"m",${RAW}}`;
const ASK = `{"mode":"form","message":"Who?","requestedSchema":{"type":"object","properties":{"n":{"type":"number","maximum":9007199254740993}}},"x":{${RAW}}}`;
const RESULT = `{"structuredContent":{${RAW}},"content":[{"type":"hologram",${RAW}}],"unheardOf":{${RAW}}}`;
const ERROR = `{"code":-32050,"message":"no \\u00e9","data":{${RAW}}}`;
const ANSWER = `{"action":"accept","content":{${RAW}}}`;
const META = `{${RAW}}`;

let gatehouse: TestGatehouse;
let key: TestKey;
const servers: Listening[] = [];
const files = new Map<string, string>();

beforeAll(async () => {
  gatehouse = await startGatehouse();
  key = await gatehouse.key({ name: 'agent' });
  await gatehouse.ask('policyImport', { yaml: JSON.stringify({ defaultEffect: 'allow', rules: [] }) });
  const script = fileURLToPath(new URL('../support/recorder-stdio.mjs', import.meta.url));
  for (const era of ['legacy', 'modern']) {
    const words = ['--exact-tool', '--logging', `--era=${era}`];
    const file = (name: string) => {
      files.set(name, join(gatehouse.folder, `${name}.jsonl`));
      return files.get(name) ?? '';
    };
    const http = await startListening('recorder-http.mjs', file(`${era}-http`), ...words);
    servers.push(http);
    await addReviewed(gatehouse, `${era}-http`, http.url);
    const args = [script, file(`${era}-stdio`), ...words];
    await addReviewed(gatehouse, `${era}-stdio`, { kind: 'stdio', command: process.execPath, args });
  }
  const json = await startListening(
    'recorder-http.mjs',
    join(gatehouse.folder, 'json.jsonl'),
    '--exact-tool',
    '--json',
  );
  servers.push(json);
  files.set('legacy-json', join(gatehouse.folder, 'json.jsonl'));
  await addReviewed(gatehouse, 'legacy-json', json.url);
}, 60_000);
afterAll(async () => {
  await gatehouse.close();
  for (const each of servers) await each[Symbol.asyncDispose]();
});

/** Everything the upstream was sent, as text. */
function sentTo(upstream: string): string {
  return jsonLines<{ raw?: string; body?: string }>(files.get(upstream) ?? '')
    .map(({ raw, body }) => raw ?? body ?? '')
    .join('\n');
}

type Json = Record<string, unknown>;

/** One call of `exact`, spoken by hand: every message that came, as it was written. */
type Say = (upstream: string, args: Json, answer?: string) => Promise<readonly string[]>;

const legacy: Say = async (upstream, args, answer = `"result":${ANSWER}`) => {
  const path = `/u/${upstream}/mcp`;
  const hello = {
    protocolVersion: '2025-11-25',
    capabilities: { elicitation: { form: {} } },
    clientInfo: { name: 'a', version: '1' },
  };
  const opened = await gatehouse.post(
    key.secret,
    { jsonrpc: '2.0', id: 0, method: 'initialize', params: hello },
    { path },
  );
  const headers = {
    'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
    'mcp-protocol-version': '2025-11-25',
  };
  await gatehouse.post(key.secret, { jsonrpc: '2.0', method: 'notifications/initialized' }, { path, headers });
  const response = await fetch(`http://127.0.0.1:${gatehouse.port}${path}`, {
    method: 'POST',
    headers: {
      ...headers,
      authorization: `Bearer ${key.secret}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"exact","arguments":${JSON.stringify(args)},"_meta":{"progressToken":"t","example.com/x":${META}}}}`,
  });
  const messages: string[] = [];
  let rest = '';
  for await (const chunk of response.body ?? []) {
    const lines = (rest + Buffer.from(chunk).toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.filter((one) => one.startsWith('data: {'))) {
      messages.push(line.slice('data: '.length));
      const { id, method } = JSON.parse(line.slice('data: '.length)) as { id?: unknown; method?: string };
      if (method === 'elicitation/create')
        await gatehouse.post(key.secret, `{"jsonrpc":"2.0","id":${JSON.stringify(id)},${answer}}`, {
          path,
          headers,
        });
    }
  }
  return messages;
};

const ENVELOPE =
  '"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{}}},"io.modelcontextprotocol/clientInfo":{"name":"a","version":"1"},"io.modelcontextprotocol/logLevel":"debug"';

const modern: Say = async (upstream, args) => {
  const round = async (more: string) => {
    const answer = await gatehouse.post(
      key.secret,
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"exact","arguments":${JSON.stringify(args)}${more},"_meta":{"progressToken":"t","example.com/x":${META},${ENVELOPE}}}}`,
      {
        path: `/u/${upstream}/mcp`,
        headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'exact' },
      },
    );
    const lines = answer.text.split('\n').flatMap((line) => (line.startsWith('data: {') ? [line.slice(6)] : []));
    return { messages: lines.length === 0 ? [answer.text] : lines, result: answer.message?.result };
  };
  const first = await round('');
  if (first.result?.inputRequests === undefined) return first.messages;
  const [name = ''] = Object.keys(first.result.inputRequests as Json);
  const state = JSON.stringify(first.result.requestState);
  const second = await round(`,"inputResponses":{${JSON.stringify(name)}:${ANSWER}},"requestState":${state}`);
  return [...first.messages, ...second.messages];
};

const CLIENTS = { legacy, modern };
const CELLS = (['legacy', 'modern'] as const).flatMap((client) =>
  ['legacy-http', 'legacy-stdio', 'modern-http', 'modern-stdio'].map((upstream) => ({ client, upstream })),
);

/** As it stands in the text of a message: whole, or all of it but the braces where members of the hop stand beside it. */
const inner = (text: string) => text.slice(1, -1);

describe.each(CELLS)('a $client client with $upstream', ({ client, upstream }) => {
  const say = CLIENTS[client];

  test('a result, a log message, progress and a question keep every character, and so do answers and _meta', async () => {
    const messages = await say(upstream, { log: LOG, progress: PROGRESS, ask: ASK, result: RESULT });
    const all = messages.join('\n');
    expect(messages.at(-1)).toContain(inner(RESULT));
    if (client === 'legacy' && upstream.startsWith('legacy')) expect(messages.at(-1)).toContain(`"result":${RESULT}`);
    expect(all).toContain(`"params":${LOG}`);
    const [, afterToken = ''] = PROGRESS.split('TOKEN,');
    expect(all).toContain(`"params":{${afterToken.slice(0, -1)},"progressToken":"t"}`);
    expect(all).toContain(`"params":${ASK}`);
    const sent = sentTo(upstream);
    expect(sent).toContain(`"example.com/x":${META}`);
    expect(sent).toContain(client === 'legacy' && upstream.startsWith('legacy') ? `"result":${ANSWER}` : ANSWER);
    expect(all).not.toContain('gatehouse:exact');
    expect(sent).not.toContain('gatehouse:exact');
  });

  test('an error keeps its code, its words and its data', async () => {
    expect((await say(upstream, { error: ERROR })).at(-1)).toContain(`"error":${ERROR}`);
  });
});

test('a resource that does not exist keeps its code of 2025, and has that of 2026-07-28 for a modern client', async () => {
  const error = `{"code":-32002,"message":"none","data":{${RAW}}}`;
  expect((await legacy('legacy-stdio', { error })).at(-1)).toContain(`"error":${error}`);
  const renamed = (await modern('legacy-stdio', { error })).at(-1);
  expect(renamed).toContain(`"error":{"message":"none","data":{${RAW}},"code":-32602}`);
});

test('a client that answers a question with an error: the upstream gets it as it was written', async () => {
  const refusal = `{"code":-32042,"message":"not \\u00e9","data":{${RAW}}}`;
  await legacy('legacy-stdio', { ask: ASK, result: RESULT }, `"error":${refusal}`);
  expect(sentTo('legacy-stdio')).toContain(`"error":${refusal}`);
});

test('an answer that is one JSON body is as exact as a stream of events', async () => {
  expect((await legacy('legacy-json', { result: RESULT })).at(-1)).toContain(`"result":${RESULT}`);
  expect((await legacy('legacy-json', { error: ERROR })).at(-1)).toContain(`"error":${ERROR}`);
});

test('a result over several lines is one line to the client, and the record has the SHA-256 of what it was given', async () => {
  const [message = ''] = await legacy('legacy-json', { result: '{\n  "content": [],\r\n  "n": 1.0\n}' });
  const given = '{   "content": [],    "n": 1.0 }';
  expect(message).toContain(`"result":${given}`);
  const sha256 = createHash('sha256').update(given).digest('hex');
  const recorded = await gatehouse.audit((all) => all.some(({ detail }) => detail.resultSha256 === sha256));
  expect(recorded.find(({ detail }) => detail.resultSha256 === sha256)?.detail.resultBytes).toBe(given.length);
});

test('arguments over several lines reach a process as one message, and a server as they are', async () => {
  const text = '{\n  "result": "{\\"content\\":[]}",\r\n  "n": 1.0\n}';
  for (const upstream of ['modern-stdio', 'modern-http'])
    expect(
      (await gatehouse.call(key.secret, 'exact', text, { path: `/u/${upstream}/mcp` })).message?.result,
    ).toBeDefined();
  expect(sentTo('modern-stdio')).toContain(`"arguments":${text.replace(/[\r\n]/g, ' ')}`);
  expect(sentTo('modern-http')).toContain(`"arguments":${text}`);
});

test.each([
  ['a name that stands twice', '{"content":[],"n":1.0,"n":2.0}', '{"content":[],"n":2}'],
  [
    '64 levels exceeded',
    `{"content":[],"n":1.0,"d":${'['.repeat(80)}${']'.repeat(80)}}`,
    `{"content":[],"n":1,"d":${'['.repeat(80)}${']'.repeat(80)}}`,
  ],
])('%s: the client gets what was read, written anew', async (_, said, given) => {
  expect((await legacy('legacy-stdio', { result: said })).at(-1)).toContain(`"result":${given}`);
});

test('two names that read the same are one, however they are escaped', async () => {
  const messages = await legacy('legacy-stdio', { result: '{"content":[],"a":"hidden","\\u0061":"seen"}' });
  expect(messages.at(-1)).toContain('"result":{"content":[],"a":"seen"}');
});
