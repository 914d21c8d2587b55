import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createHttpClient } from './http-client.mjs';

/*
 * Three ways to speak MCP with one face: `ask(method, params)` resolves with the result, or throws what went wrong. Each
 * is one client with one session, and takes any number of requests at once.
 */

/** The 2025 revisions: one session, opened here. */
export async function openLegacy(url, key = null) {
  const client = createHttpClient(url, { ...CONTENT, ...bearer(key) });
  const hello = await client.post(message(0, 'initialize', HELLO));
  resultOf(hello, 0);
  const session = hello.headers['mcp-session-id'];
  const headers = { 'mcp-protocol-version': LEGACY, ...(session === undefined ? {} : { 'mcp-session-id': session }) };
  await client.post('{"jsonrpc":"2.0","method":"notifications/initialized"}', headers);
  let id = 0;
  return {
    async ask(method, params) {
      id += 1;
      const own = id;
      return resultOf(await client.post(message(own, method, params), headers), own);
    },
    close: () => client.close(),
  };
}

/** 2026-07-28: no session; every request says who asks. */
export function openModern(url, key) {
  const client = createHttpClient(url, { ...CONTENT, ...bearer(key), 'mcp-protocol-version': MODERN });
  let id = 0;
  return {
    async ask(method, params = {}) {
      id += 1;
      const own = id;
      const headers = { 'mcp-method': method, ...(params.name === undefined ? {} : { 'mcp-name': params.name }) };
      return resultOf(await client.post(message(own, method, { ...params, _meta: ENVELOPE }), headers), own);
    },
    close: () => client.close(),
  };
}

/** A server of our own on a pipe. */
export async function openPipe(command, args) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = new Map();
  let rest = '';
  let id = 0;
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    const received = (rest + chunk).split('\n');
    rest = received.pop();
    for (const line of received) {
      const answer = JSON.parse(line);
      waiting.get(answer.id)?.(answer);
      waiting.delete(answer.id);
    }
  });
  const ask = async (method, params) => {
    id += 1;
    const own = id;
    const answered = new Promise((resolve) => waiting.set(own, resolve));
    child.stdin.write(`${message(own, method, params)}\n`);
    return checked(await answered);
  };
  await ask('initialize', HELLO);
  child.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
  return {
    ask,
    async close() {
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}

const LEGACY = '2025-11-25';
const MODERN = '2026-07-28';
const CONTENT = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const HELLO = { protocolVersion: LEGACY, capabilities: {}, clientInfo: { name: 'bench', version: '1' } };
const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
};

const bearer = (key) => (key === null ? {} : { authorization: `Bearer ${key}` });

const message = (id, method, params) =>
  `{"jsonrpc":"2.0","id":${id},"method":"${method}"${params === undefined ? '' : `,"params":${JSON.stringify(params)}`}}`;

function resultOf({ status, headers, body }, id) {
  if (status !== 200) throw new Error(`HTTP ${status}: ${body.slice(0, 200)}`);
  const text = headers['content-type']?.startsWith('text/event-stream') ? lastEvent(body) : body;
  const answer = JSON.parse(text);
  if (answer.id !== id) throw new Error(`asked with id ${id}, answered with ${answer.id}`);
  return checked(answer);
}

function lastEvent(body) {
  const data = body.split('\n').findLast((line) => line.startsWith('data: {'));
  if (data === undefined) throw new Error(`no message in the stream: ${body.slice(0, 200)}`);
  return data.slice('data: '.length);
}

function checked({ result, error }) {
  if (error !== undefined) throw new Error(`${error.code} ${error.message}`);
  return result;
}
