// A Streamable HTTP (or SSE) MCP server that records every request it gets, headers included. Plain Node, no dependencies.
//
//   node recorder-http.mjs <record file> [options]
//
// Prints one JSON line when it listens: {"url":"http://127.0.0.1:PORT/mcp","port":PORT}. Ends when its stdin closes.
// The record file gets one JSON line per event, {at, pid, kind, …}:
//   started {argv}
//   request {method, url, headers (object, lower-case names), rawHeaders (list), body (text)}
//   closed  {url}                a response was cut off by the other side before it ended
//
// The tools are those of recorder-stdio.mjs, and so are --tools --many --schema --description --description-file --server-name --era
// --version --delay --start-delay --silent --list-error --page-size --endless-cursor --no-progress. Further options:
//   --port=N                     default: any
//   --sse-only                   an HTTP+SSE server of 2024-11-05: POST /mcp answers 404, GET /mcp is the event stream
//   --json                       answers as application/json where it can, not as an event stream
//   --no-session                 gives no Mcp-Session-Id
//   --forget-sessions=N          answers the first N tools/call with 404, as a server that lost its sessions does
//   --header-tool                lists `with_header`, whose parameters are marked with x-mcp-header
//   --status=CODE                answers every POST with this status;  --status-on-call=CODE only tools/call
//   --challenge=TEXT             WWW-Authenticate of such an answer;   --set-cookie=TEXT on every answer
//   --token=TEXT                 401 for every POST without `Authorization: Bearer TEXT`
//   --tokens=FILE                401 for every POST whose bearer token is no line of this file, as it stands then
//   --redirect=URL               answers every POST with a 307 (or --redirect-status=302) to URL
//   --redirect-on-call=URL       only tools/call
//   --endless-body=BYTES         tools/call answers with so many bytes of JSON that never make a message
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createAnswers, readOptions, recordTo, serialize } from './recorder-answers.mjs';

const options = readOptions(process.argv.slice(2));
const record = recordTo(options._[0]);
record('started', { argv: process.argv.slice(2) });

/** Request id -> its open response; the standing event stream is under `stream`. */
const responses = new Map();
const key = (message) => `${message.session ?? ''}:${message.id}`;
let sessions = 0;
const event = (message) => `event: message\ndata: ${serialize(message)}\n\n`;

const answers = createAnswers(options, (message, belongsTo) => {
  const final = message.method === undefined;
  if (options['sse-only']) return responses.get('stream')?.write(event(message));
  const response = responses.get(belongsTo ? key(belongsTo) : 'stream');
  if (!response) return;
  if (final && options.json && !response.headersSent) {
    response.setHeader('content-type', 'application/json');
    response.end(serialize(message));
  } else {
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(event(message));
    if (final) response.end();
  }
  if (final) responses.delete(key(belongsTo));
});

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks).toString('utf8');
    const { method, url, headers, rawHeaders } = request;
    record('request', { method, url, headers, rawHeaders, body });
    response.on('close', () => response.writableEnded || record('closed', { url }));
    if (options['set-cookie']) response.setHeader('set-cookie', options['set-cookie']);
    if (method === 'GET') return openStream(url, response);
    if (method !== 'POST') return response.writeHead(method === 'DELETE' ? 200 : 405).end();
    return post(request, body, response);
  });
});

function openStream(url, response) {
  if (!url.startsWith('/mcp') || options.status)
    return response.writeHead(options.status ? Number(options.status) : 404).end();
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  if (options['sse-only']) response.write('event: endpoint\ndata: /messages?session=1\n\n');
  responses.set('stream', response);
}

let forgets = Number(options['forget-sessions'] ?? 0);

function post(request, body, response) {
  const message = JSON.parse(body);
  const isCall = message.method === 'tools/call';
  if (isCall && forgets > 0) {
    forgets -= 1;
    return response.writeHead(404).end();
  }
  const status = options.status ?? (isCall ? options['status-on-call'] : undefined);
  const accepted = options.tokens ? readFileSync(options.tokens, 'utf8').split('\n') : [options.token];
  const [, bearer] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? [];
  const refused = (options.token || options.tokens) && !accepted.includes(bearer);
  if (status || refused) {
    if (options.challenge) response.setHeader('www-authenticate', options.challenge);
    return response.writeHead(refused ? 401 : Number(status)).end();
  }
  const target = options.redirect ?? (isCall ? options['redirect-on-call'] : undefined);
  if (target) return response.writeHead(Number(options['redirect-status'] ?? 307), { location: target }).end();
  if (options['sse-only']) {
    if (!request.url.startsWith('/messages')) return response.writeHead(404).end();
    response.writeHead(202).end();
    return answers.handle(message);
  }
  if (message.id === undefined || message.method === undefined) {
    response.writeHead(202).end();
    message.session = request.headers['mcp-session-id'];
    return answers.handle(message);
  }
  if (isCall && options['endless-body']) return pour(response, Number(options['endless-body']));
  sessions += 1;
  if (message.method === 'initialize' && !options['no-session'])
    response.setHeader('mcp-session-id', `recorder-${process.pid}-${sessions}`);
  // Without a session every request stands alone, whatever its id.
  message.session = request.headers['mcp-session-id'] ?? `none-${sessions}`;
  responses.set(key(message), response);
  return answers.handle(message);
}

function pour(response, bytes) {
  response.writeHead(200, { 'content-type': 'application/json' });
  let left = bytes;
  const more = () => {
    while (left > 0 && !response.destroyed) {
      left -= 65_536;
      if (!response.write('x'.repeat(65_536))) return response.once('drain', more);
    }
    return response.end();
  };
  more();
}

server.listen(Number(options.port ?? 0), '127.0.0.1', () => {
  const { port } = server.address();
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${port}/mcp`, port })}\n`);
});
process.on('SIGUSR2', () => answers.changed());
process.stdin.on('end', () => process.exit(0)).resume();
