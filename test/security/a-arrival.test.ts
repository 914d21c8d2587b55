import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/gatehouse.ts';
import {
  echoBody,
  goodHeaders,
  headersOf,
  MODERN_META,
  openTarget,
  rawRequest,
  statusOf,
  type Target,
} from '../support/target.ts';

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target[Symbol.asyncDispose]());

const raw = (request: string) => target.gatehouse.raw(request, 3000);
const ours = () => `Host: 127.0.0.1:${target.gatehouse.port}`;
/** A call that would run, with other lines where its Host line belongs. */
const callWith = (lines: readonly string[], line = 'POST /mcp HTTP/1.1') =>
  rawRequest(line, [...lines, ...goodHeaders(target.k1.secret, echoBody())], echoBody());
const corsHeaders = (received: string) => [...headersOf(received).keys()].filter((name) => name.startsWith('access-'));

test('the request that every vector here changes in one place is itself served', async () => {
  const received = await target.gatehouse.raw(callWith([ours(), 'Connection: close']), 3000);
  expect(statusOf(received)).toBe(200);
  expect(received).toContain('attack');
});

describe('A1: a foreign Host', () => {
  test.each([
    'evil.example',
    'evil.example:PORT',
    '127.0.0.1',
    '127.0.0.1:1',
    '127.0.0.1.evil.example:PORT',
    '127.0.0.1:PORT@evil.example',
    'localhost.:PORT',
    '0.0.0.0:PORT',
    '[::ffff:127.0.0.1]:PORT',
    '2130706433:PORT',
  ])('A1: Host %s is refused with 403 before a valid key counts', async (host) => {
    const named = host.replace('PORT', String(target.gatehouse.port));
    const received = await target.refuses(
      { kind: 'host_rejected', errorClass: 'host_rejected', detail: { reason: 'foreign Host', host: named } },
      () => raw(callWith([`Host: ${named}`])),
    );
    expect(statusOf(received)).toBe(403);
    expect(corsHeaders(received)).toEqual([]);
    expect(received).not.toContain('"id"');
  });

  test('A1: a valid tools/list for evil.example is refused the same way', async () => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: MODERN_META } });
    const headers = goodHeaders(target.k1.secret, body)
      .filter((line) => !line.startsWith('Mcp-Name'))
      .map((line) => line.replace('tools/call', 'tools/list'));
    const send = (host: string) =>
      raw(rawRequest('POST /mcp HTTP/1.1', [`Host: ${host}`, ...headers, 'Connection: close'], body));
    expect(statusOf(await send(`127.0.0.1:${target.gatehouse.port}`))).toBe(200);
    const received = await target.refuses({ kind: 'host_rejected' }, () => send('evil.example'));
    expect(statusOf(received)).toBe(403);
    expect(corsHeaders(received)).toEqual([]);
  });
});

describe('A3: not exactly one Host header', () => {
  test.each([
    ['ours first', () => [ours(), 'Host: evil.example'], 'not exactly one Host header'],
    ['ours last', () => ['Host: evil.example', ours()], 'not exactly one Host header'],
    ['ours twice', () => [ours(), ours()], 'not exactly one Host header'],
    ['none', () => [], 'not exactly one Host header'],
  ] as const)('A3: %s: 400, the connection ends, nothing ran', async (_what, lines, reason) => {
    const received = await target.refuses({ kind: 'host_rejected', detail: expect.objectContaining({ reason }) }, () =>
      raw(callWith(lines())),
    );
    expect(statusOf(received)).toBe(400);
    expect(headersOf(received).get('connection')).toBe('close');
  });

  test('A3: HTTP/1.0 without a Host is refused too', async () => {
    const received = await target.refuses({ kind: 'host_rejected' }, () => raw(callWith([], 'POST /mcp HTTP/1.0')));
    expect(statusOf(received)).toBe(400);
  });
});

describe('A5: a foreign Origin on the port of the agents', () => {
  const PATHS = [
    ...['/mcp', '/api/status', '/oauth/callback', '/assets/index.js', '/health', '/open/approvals', '/'],
    ...['/oauth/register', '/oauth/authorize', '/oauth/token', '/.well-known/oauth-protected-resource/mcp'],
  ];
  test.each(PATHS)('A5: %s answers 403 to https://evil.example, a valid key notwithstanding', async (path) => {
    const received = await target.refuses(
      { kind: 'origin_rejected', detail: expect.objectContaining({ origin: 'https://evil.example' }) },
      () => raw(callWith([ours(), 'Origin: https://evil.example'], `POST ${path} HTTP/1.1`)),
    );
    expect(statusOf(received)).toBe(403);
    expect(corsHeaders(received)).toEqual([]);
  });

  test.each([
    'null',
    'http://127.0.0.1',
    'http://127.0.0.1:1',
    'https://127.0.0.1:PORT',
    'http://127.0.0.1:PORT.evil.example',
    'http://127.0.0.1:PORT/',
    'http://user@127.0.0.1:PORT',
    'http://localhost:PORT, https://evil.example',
    'vscode-file://vscode-app',
    '',
  ])('A5: Origin "%s" is as foreign', async (origin) => {
    const named = origin.replace('PORT', String(target.gatehouse.port));
    const received = await target.refuses({ kind: 'origin_rejected' }, () =>
      raw(callWith([ours(), `Origin: ${named}`])),
    );
    expect(statusOf(received)).toBe(403);
  });

  test('A5: ours beside a foreign one does not help', async () => {
    const lines = [ours(), `Origin: http://127.0.0.1:${target.gatehouse.port}`, 'Origin: https://evil.example'];
    const received = await target.refuses({ kind: 'origin_rejected' }, () => raw(callWith(lines)));
    expect(statusOf(received)).toBe(403);
  });

  test('A5: a page of another site that sends no Origin is known by Sec-Fetch-Site', async () => {
    for (const site of ['cross-site', 'same-site']) {
      const received = await target.refuses({ kind: 'origin_rejected' }, () =>
        raw(callWith([ours(), `Sec-Fetch-Site: ${site}`, 'Sec-Fetch-Mode: no-cors'])),
      );
      expect(statusOf(received)).toBe(403);
    }
  });
});

test('A7: a CORS preflight opens nothing', async () => {
  const received = await target.refuses({ kind: 'origin_rejected' }, () =>
    raw(
      rawRequest('OPTIONS /mcp HTTP/1.1', [
        ours(),
        'Origin: https://evil.example',
        'Access-Control-Request-Method: POST',
        'Access-Control-Request-Headers: authorization,content-type',
        'Access-Control-Request-Private-Network: true',
      ]),
    ),
  );
  expect(statusOf(received)).toBe(403);
  expect(corsHeaders(received)).toEqual([]);
});

describe('A8: a simple request of a form', () => {
  test.each([
    'text/plain',
    'text/plain; charset=application/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
    'text/plain, application/json',
    '',
  ])('A8: Content-Type "%s" without an Origin is 415', async (type) => {
    const lines = goodHeaders(target.k1.secret, echoBody()).map((line) =>
      line.startsWith('Content-Type') ? `Content-Type: ${type}` : line,
    );
    const received = await target.refuses(
      {
        kind: 'unsupported_media_type',
        client: 'attacker',
        detail: expect.objectContaining({ reason: 'Send content-type: application/json.' }),
      },
      () => raw(rawRequest('POST /mcp HTTP/1.1', [ours(), ...lines, 'Connection: close'], echoBody())),
    );
    expect(statusOf(received)).toBe(415);
  });
});

describe('A25: identity and routing by what the caller writes', () => {
  const LIES = [
    'X-User: admin',
    'mcp-init-host: evil',
    'X-Forwarded-For: 127.0.0.1',
    'X-Forwarded-Host: 127.0.0.1',
    'Forwarded: for=127.0.0.1;host=127.0.0.1',
    'X-Original-URL: /api/servers',
    'X-Rewrite-URL: /health',
    'X-HTTP-Method-Override: DELETE',
    'X-Real-IP: 127.0.0.1',
  ];

  test('A25: headers that other gateways believe change neither answer nor audit', async () => {
    const ended = async (headers: readonly string[]) => {
      const before = (await target.gatehouse.audit()).at(-1)?.seq ?? 0;
      const received = await raw(callWith([ours(), ...headers, 'Connection: close']));
      const entries = await target.gatehouse.audit((all) =>
        all.some((entry) => entry.seq > before && entry.phase === 'ended'),
      );
      const { client, clientId, keyPrefix, workspace, upstream, tool, effect, rule, outcome, kind } =
        entries.findLast((entry) => entry.phase === 'ended') ?? {};
      return {
        status: statusOf(received),
        body: received.split('\r\n\r\n')[1],
        entry: { client, clientId, keyPrefix, workspace, upstream, tool, effect, rule, outcome, kind },
      };
    };
    const plain = await ended([]);
    expect(plain).toMatchObject({ status: 200, entry: { client: 'attacker', tool: 'echo', outcome: 'answered' } });
    for (const lie of LIES) expect(await ended([lie]), lie).toEqual(plain);
    expect(await ended(LIES)).toEqual(plain);
  });

  test('A25: a name behind /mcp is no identity', async () => {
    for (const path of [
      '/mcp/alice',
      '/mcp/',
      '//mcp',
      '/mcp;alice',
      '/%6dcp',
      '/MCP',
      '/mcp/../mcp',
      '/mcp%2falice',
    ]) {
      const received = await target.refuses({ kind: 'route_absent', client: 'attacker' }, () =>
        raw(callWith([ours(), 'Connection: close'], `POST ${path} HTTP/1.1`)),
      );
      expect(statusOf(received), path).toBe(404);
    }
  });

  test('A25: the headers do not stand in for a key', async () => {
    const lines = goodHeaders(target.k1.secret, echoBody()).filter((line) => !line.startsWith('Authorization'));
    const received = await target.refuses({ kind: 'unauthorized', client: null, detail: { reason: 'missing' } }, () =>
      raw(rawRequest('POST /mcp HTTP/1.1', [ours(), 'Connection: close', ...LIES, ...lines], echoBody())),
    );
    expect(statusOf(received)).toBe(401);
  });
});

describe('A27: request smuggling', () => {
  const body = echoBody();
  const chunked = `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  /** The head of a call that would run, without what says how long its body is. */
  const head = (extra: readonly string[]) => [
    ours(),
    ...goodHeaders(target.k1.secret, body).filter((line) => !line.startsWith('Content-Length')),
    ...extra,
  ];
  const length = `Content-Length: ${Buffer.byteLength(body)}`;

  test.each([
    ['CL+TE', () => rawRequest('POST /mcp HTTP/1.1', head([length, 'Transfer-Encoding: chunked']), chunked)],
    ['TE+CL', () => rawRequest('POST /mcp HTTP/1.1', head(['Transfer-Encoding: chunked', length]), chunked)],
    ['two CL', () => rawRequest('POST /mcp HTTP/1.1', head([length, 'Content-Length: 0']), body)],
    ['two CL in one', () => rawRequest('POST /mcp HTTP/1.1', head([`${length}, 0`]), body)],
    ['signed CL', () => rawRequest('POST /mcp HTTP/1.1', head([length.replace(': ', ': +')]), body)],
    [
      'chunked, identity',
      () => rawRequest('POST /mcp HTTP/1.1', head(['Transfer-Encoding: chunked, identity']), chunked),
    ],
    ['xchunked', () => rawRequest('POST /mcp HTTP/1.1', head(['Transfer-Encoding: xchunked']), chunked)],
    ['obs-fold', () => rawRequest('POST /mcp HTTP/1.1', head(['X-A: b', ' c: d', length]), body)],
    ['bare LF', () => rawRequest('POST /mcp HTTP/1.1', head([`X-A: b\n${length}`]), body)],
    ['bare CR', () => rawRequest('POST /mcp HTTP/1.1', head([`X-A: b\r${length}`]), body)],
    ['Host :', () => callWith([`Host : 127.0.0.1:${target.gatehouse.port}`])],
    ['NUL in a value', () => rawRequest('POST /mcp HTTP/1.1', head(['X-A: b\0c', length]), body)],
    [
      'chunk size with a sign',
      () => rawRequest('POST /mcp HTTP/1.1', head(['Transfer-Encoding: chunked']), `+${chunked}`),
    ],
  ] as const)('A27: %s is 400 and the end of the connection', async (_name, request) => {
    const received = await target.refuses({ kind: 'malformed_http' }, () => raw(request()));
    expect(statusOf(received)).toBe(400);
    expect(headersOf(received).get('connection')).toBe('close');
    // Whatever hid behind the first request was not taken for a second one.
    expect(received.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });
});

describe('A28: other protocols and odd methods', () => {
  const ROUTES = ['/mcp', '/u/rec/mcp', '/w/personal/mcp', '/health', '/open/approvals', '/oauth/callback', '/', '/ws'];
  const UPGRADE = [
    'Connection: Upgrade, close',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  ];

  test.each(ROUTES)('A28: a WebSocket from another site on %s gets 403 and never 101', async (path) => {
    const received = await target.refuses({ kind: 'origin_rejected' }, () =>
      raw(
        rawRequest(`GET ${path} HTTP/1.1`, [
          ours(),
          `Authorization: Bearer ${target.k1.secret}`,
          'Origin: https://evil.example',
          ...UPGRADE,
        ]),
      ),
    );
    expect(statusOf(received)).toBe(403);
  });

  test('A28: a WebSocket of our own origin and key is no protocol switch either', async () => {
    const received = await target.refuses({ kind: 'method_not_allowed' }, () =>
      raw(rawRequest('GET /mcp HTTP/1.1', [ours(), `Authorization: Bearer ${target.k1.secret}`, ...UPGRADE])),
    );
    expect(statusOf(received)).toBe(405);
  });

  test('A28: GET /mcp of the stateless revision is 405', async () => {
    const lines = goodHeaders(target.k1.secret, '').filter((line) => !line.startsWith('Content'));
    const received = await target.refuses({ kind: 'method_not_allowed', client: 'attacker' }, () =>
      raw(rawRequest('GET /mcp HTTP/1.1', [ours(), ...lines, 'Connection: close'])),
    );
    expect(statusOf(received)).toBe(405);
    expect(headersOf(received).get('allow')).toBe('POST');
  });

  test.each(['TRACE', 'PUT', 'PATCH', 'OPTIONS', 'PROPFIND', 'QUERY'])('A28: %s is 405', async (method) => {
    const received = await target.refuses(
      { kind: 'method_not_allowed', client: 'attacker', detail: { reason: method } },
      () => raw(callWith([ours()], `${method} /mcp HTTP/1.1`)),
    );
    expect(statusOf(received)).toBe(405);
    expect(received).not.toContain('Authorization');
  });

  test.each(['evil.example:443', '127.0.0.1:22'])('A28: CONNECT %s is refused in words and recorded', async (to) => {
    const received = await target.refuses({ kind: 'method_not_allowed', detail: { reason: 'CONNECT' } }, () =>
      raw(rawRequest(`CONNECT ${to} HTTP/1.1`, [ours(), `Authorization: Bearer ${target.k1.secret}`])),
    );
    expect(statusOf(received)).toBe(405);
    expect(headersOf(received).get('connection')).toBe('close');
  });

  test('A28: the preface of HTTP/2 is malformed HTTP', async () => {
    const received = await target.refuses({ kind: 'malformed_http' }, () => raw('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
    expect(statusOf(received)).toBe(400);
  });

  test('A28: an upgrade to h2c is not taken', async () => {
    const h2c = ['Connection: Upgrade, HTTP2-Settings, close', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'];
    const received = await target.refuses({ kind: 'method_not_allowed' }, () =>
      raw(rawRequest('GET /mcp HTTP/1.1', [ours(), `Authorization: Bearer ${target.k1.secret}`, ...h2c])),
    );
    expect(statusOf(received)).toBe(405);
  });

  test('A28: an expectation nobody knows is refused with our headers and recorded', async () => {
    const received = await target.refuses({ kind: 'malformed_http', detail: { reason: 'unknown expectation' } }, () =>
      raw(callWith([ours(), 'Expect: 200-maybe'])),
    );
    expect(statusOf(received)).toBe(417);
    expect(headersOf(received).get('x-content-type-options')).toBe('nosniff');
  });
});

describe('A29: text that would become a header', () => {
  const call = (message: object) => {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    const name = 'name' in message ? String(message.name) : 'rec__echo';
    const headers = goodHeaders(target.k1.secret, body).map((line) => line.replace('rec__echo', name));
    return raw(rawRequest('POST /mcp HTTP/1.1', [ours(), ...headers, 'Connection: close'], body));
  };
  const params = { name: 'rec__echo', arguments: {}, _meta: MODERN_META };

  test('A29: a JSON-RPC id with a line break comes back as JSON and nowhere else', async () => {
    const received = await call({ id: 'a\r\nX: y', method: 'tools/call', params });
    expect(statusOf(received)).toBe(200);
    expect([...headersOf(received).keys()]).not.toContain('x');
    expect(received).toContain('"id":"a\\r\\nX: y"');
    expect(received).not.toContain('\r\nX: y');
  });

  test('A29: a tool name with a line break is an unknown tool, in JSON', async () => {
    const { result, rows } = await target.refusals(() =>
      target.gatehouse.post(
        target.k1.secret,
        { jsonrpc: '2.0', id: 1, method: 'initialize', params: LEGACY_INITIALIZE },
        {},
      ),
    );
    expect(rows).toEqual([]);
    const session = { 'mcp-session-id': result.headers.get('mcp-session-id') ?? '' };
    const message = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'x\r\nX: y', arguments: {} } };
    const answer = await target.refuses({ kind: 'tool_call', errorClass: 'unknown_tool' }, () =>
      target.gatehouse.post(target.k1.secret, message, { headers: session }),
    );
    expect(answer.message?.error).toMatchObject({ code: -32602 });
    expect(answer.headers.get('x')).toBeNull();
  });

  test("A29: line breaks in an upstream's error and name stay in JSON", async () => {
    const liar = await target.gatehouse.recorder('liar', { risk: 'read', args: ['--server-name=evil\r\nX: y'] });
    const view = (await target.gatehouse.ask('upstreamsList')).find(({ id }) => id === liar.id);
    expect(view?.callsItself).toContain('evil');
    const answer = await target.gatehouse.call(
      target.k1.secret,
      'liar__rpc_error',
      JSON.stringify({ message: 'no\r\nX: y' }),
    );
    expect(answer.message?.error?.message).toBe('no\r\nX: y');
    expect(answer.headers.get('x')).toBeNull();
    expect(answer.text).not.toContain('\r\nX: y');
    await target.stillServes();
  });

  test('A29: a line break in an Mcp-Name header cannot be sent, and one in a session id finds no session', async () => {
    const received = await target.refuses({ kind: 'malformed_http' }, () =>
      raw(callWith([ours(), 'Mcp-Session-Id: a\rX: y'])),
    );
    expect(statusOf(received)).toBe(400);
  });
});

const LEGACY_INITIALIZE = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
};

test('a refusal is counted once even when the attacker goes on writing', async () => {
  const received = await target.refuses({ kind: 'malformed_http' }, () =>
    raw(`${'NOT HTTP AT ALL\r\n\r\n'.repeat(50)}`),
  );
  expect(statusOf(received)).toBe(400);
  await eventually(() => true, 'nothing more');
});
