// Calls from a process of their own, so that what they cost is not measured as the gateway's. Plain Node, no dependencies.
//
//   node load.mjs probe URL KEY TOOL COUNT              COUNT calls, one after the other
//   node load.mjs flood URL KEY TOOL PER_SECOND MS      so many calls a second, whether answered or not
//
// Prints one JSON line: {"ms":[latency of each call, sorted],"statuses":{"200":n,…},"codes":{"41016":n,…},"lost":n}.
// `codes` are the error codes in the answers, ours or JSON-RPC's; `lost` are calls whose connection broke.
import { Agent, request } from 'node:http';

const [mode, url, key, tool, ...numbers] = process.argv.slice(2);
const [first, second] = numbers.map(Number);
const agent = new Agent({ keepAlive: true, maxSockets: 512 });
const seen = { ms: [], statuses: {}, codes: {}, lost: 0 };
const count = (table, name) => {
  table[name] = (table[name] ?? 0) + 1;
};

let id = 0;
function call() {
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: ++id,
    method: 'tools/call',
    params: {
      name: tool,
      arguments: { text: 'load' },
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
        'io.modelcontextprotocol/clientInfo': { name: 'load', version: '1' },
      },
    },
  });
  const headers = {
    authorization: `Bearer ${key}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': tool,
    'content-length': Buffer.byteLength(body),
  };
  const began = performance.now();
  return new Promise((resolve) => {
    const sent = request(url, { method: 'POST', headers, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => {
        seen.ms.push(performance.now() - began);
        count(seen.statuses, response.statusCode);
        const code = /"(?:gatehouse\/)?code":(-?\d+)/.exec(text)?.[1];
        if (code) count(seen.codes, code);
        resolve();
      });
    });
    sent.on('error', () => {
      seen.lost += 1;
      resolve();
    });
    sent.end(body);
  });
}

async function probe(times) {
  for (let made = 0; made < times; made += 1) await call();
}

async function flood(perSecond, ms) {
  const began = performance.now();
  const open = new Set();
  let made = 0;
  while (performance.now() - began < ms) {
    const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
    for (; made < due; made += 1) {
      const one = call().then(() => open.delete(one));
      open.add(one);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await Promise.all(open);
}

await (mode === 'probe' ? probe(first) : flood(first, second));
seen.ms = seen.ms.sort((a, b) => a - b).map((ms) => Math.round(ms * 100) / 100);
process.stdout.write(`${JSON.stringify(seen)}\n`);
agent.destroy();
