import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { UpstreamTransport } from '../../../shared/model.ts';
import { httpRecorder, received, recorded, rig, waitFor } from './rig.ts';

const withHeader = (url: string, ...secretHeaders: readonly string[]): UpstreamTransport => ({
  kind: 'http',
  url,
  secretHeaders,
});

test('B12: the upstream sees our headers and its own secrets, nothing else', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const server = await httpRecorder(file);
  const view = await it.addReady('x', withHeader(server.url, 'X-Api-Key'), { 'X-Api-Key': 'canary-key' });
  await it.call(view.id, 'echo', '{}', {
    metaText: '{"progressToken":"mine","io.modelcontextprotocol/clientInfo":{"name":"agent"}}',
  });
  const names = new Set(recorded(file).flatMap((entry) => Object.keys(entry.headers ?? {})));
  expect([...names].toSorted()).toEqual([
    'accept',
    'connection',
    'content-length',
    'content-type',
    'host',
    'mcp-method',
    'mcp-protocol-version',
    'mcp-session-id',
    'user-agent',
    'x-api-key',
  ]);
  const call = JSON.parse(received(file, 'tools/call')[0] ?? '{}') as { params: { _meta: object } };
  expect(Object.keys(call.params._meta)).toEqual(['progressToken']);
  expect(JSON.stringify(call)).not.toMatch(/mine|agent/);
});

test('an SSE server of 2024-11-05 is reached after Streamable HTTP was refused', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const server = await httpRecorder(file, '--sse-only');
  const view = await it.addReady('old', server.transport);
  expect(view.era).toBe('legacy');
  expect(await it.call(view.id, 'echo', '{"text":"x"}')).toMatchObject({ kind: 'answered' });
  await server.stop();
  expect(await it.call(view.id, 'echo')).toMatchObject({ kind: 'failed' });
});

describe('J7: a redirect to another origin is not followed', () => {
  test.each([307, 308, 302])('%s at the start', async (status) => {
    const it = rig();
    const evilFile = join(it.folder, 'evil');
    const evil = await httpRecorder(evilFile);
    const server = await httpRecorder(
      join(it.folder, 'record'),
      `--redirect=${evil.url}`,
      `--redirect-status=${status}`,
    );
    const { id } = await it.add('x', withHeader(server.url, 'X-Api-Key'), { 'X-Api-Key': 'canary-key' });
    const view = await it.until(id, 'failed');
    expect(view.reason).toBe(`x redirects to another address, which is not followed (HTTP ${status}).`);
    expect(recorded(evilFile).filter((entry) => entry.kind === 'request')).toEqual([]);
  });

  test('at a call', async () => {
    const it = rig();
    const evilFile = join(it.folder, 'evil');
    const evil = await httpRecorder(evilFile);
    const file = join(it.folder, 'record');
    const server = await httpRecorder(file, `--redirect-on-call=${evil.url}`);
    const view = await it.addReady('x', server.transport);
    expect(await it.call(view.id, 'echo')).toEqual({
      kind: 'failed',
      errorClass: 'upstream_unreachable',
      message: 'x redirects to another address, which is not followed (HTTP 307).',
    });
    expect(recorded(evilFile).filter((entry) => entry.kind === 'request')).toEqual([]);
  });
});

describe('a sign-in that is missing', () => {
  test('B13: 401 at the start is auth_required, and nothing of the challenge is passed on', async () => {
    const it = rig();
    const challenge = 'Bearer resource_metadata="https://evil.test/prm"';
    const server = await httpRecorder(
      join(it.folder, 'record'),
      '--token=right',
      `--challenge=${challenge}`,
      '--set-cookie=a=b',
    );
    const { id } = await it.add('x', server.transport);
    const view = await it.until(id, 'failed');
    expect(view.reason).toBe('x asks for a sign-in.');
    const outcome = await it.call(id, 'echo');
    expect(outcome).toEqual({ kind: 'failed', errorClass: 'auth_required', message: 'x asks for a sign-in.' });
  });

  test('401 at a call is auth_required, and the upstream is used again', async () => {
    const it = rig();
    const server = await httpRecorder(join(it.folder, 'record'), '--status-on-call=401');
    const view = await it.addReady('x', server.transport);
    expect(await it.call(view.id, 'echo')).toEqual({
      kind: 'failed',
      errorClass: 'auth_required',
      message: 'x asks for a sign-in.',
    });
    expect(it.upstreams.get(view.id)?.status).toBe('ready');
  });

  test('a key that is put in later opens it', async () => {
    const it = rig();
    const server = await httpRecorder(join(it.folder, 'record'), '--token=right');
    const { id } = await it.add('x', server.transport);
    await it.until(id, 'failed');
    const changed = await it.upstreams.change(id, {
      transport: withHeader(server.url, 'Authorization'),
      secrets: { Authorization: 'Bearer right' },
    });
    expect(changed.kind).toBe('done');
    await it.until(id, 'ready');
    expect(await it.call(id, 'echo')).toMatchObject({ kind: 'answered' });
  });
});

test('a server that is not there is named with its address, and found when it comes', async () => {
  const it = rig();
  const first = await httpRecorder(join(it.folder, 'a'));
  await first.stop();
  const { id } = await it.add('x', first.transport);
  const view = await it.until(id, 'failed');
  expect(view.reason).toBe(`x is not reachable: nothing listens at 127.0.0.1:${first.port} (ECONNREFUSED).`);
  await httpRecorder(join(it.folder, 'b'), `--port=${first.port}`);
  await it.until(id, 'ready');
  expect(await it.call(id, 'echo')).toMatchObject({ kind: 'answered' });
});

test('a server that was started again is taken up with a new session', async () => {
  const it = rig();
  const first = await httpRecorder(join(it.folder, 'a'));
  const view = await it.addReady('x', first.transport);
  await first.stop();
  const refused = await it.call(view.id, 'echo');
  expect(refused).toMatchObject({ kind: 'failed', errorClass: 'upstream_unreachable' });
  await httpRecorder(join(it.folder, 'b'), `--port=${first.port}`);
  await it.until(view.id, 'ready');
  expect(await it.call(view.id, 'echo')).toMatchObject({ kind: 'answered' });
});

test('a session the server no longer knows is opened anew, and the call is made once', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const server = await httpRecorder(file, '--forget-sessions=1');
  const view = await it.addReady('x', server.transport);
  expect(await it.call(view.id, 'echo', '{"n":1.0}')).toMatchObject({ kind: 'answered' });
  // Ours for listing, the client's first, the client's second.
  expect(received(file, 'initialize')).toHaveLength(3);
  expect(received(file, 'tools/call')).toHaveLength(2);
});

test('a connection that breaks in mid-call is a crash, at once and not at the limit', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const server = await httpRecorder(file);
  const view = await it.addReady('x', server.transport);
  const outcome = it.call(view.id, 'slow', '{"ms":20000}');
  await waitFor(() => received(file, 'tools/call').length === 1, 'the call');
  await new Promise((resolve) => setTimeout(resolve, 100));
  await server.stop();
  expect(await outcome).toMatchObject({ kind: 'failed', errorClass: 'upstream_crashed' });
});

test('a connection that breaks before the answer began is a crash', async () => {
  const it = rig();
  const server = await httpRecorder(join(it.folder, 'record'));
  const view = await it.addReady('x', server.transport);
  expect(await it.call(view.id, 'crash')).toEqual({
    kind: 'failed',
    errorClass: 'upstream_crashed',
    message: 'x broke the connection (UND_ERR_SOCKET) during the call; it is unknown whether the call had an effect.',
  });
});

test.each([
  ['JSON', ['--endless-body=52428800']],
  ['one event', []],
])('D10: a result over 10 MiB as %s is refused with its limit', async (_title, words) => {
  const it = rig();
  const server = await httpRecorder(join(it.folder, 'record'), ...words);
  const view = await it.addReady('x', server.transport);
  const before = process.memoryUsage().rss;
  expect(await it.call(view.id, 'big', '{"bytes":52428800}')).toMatchObject({
    kind: 'failed',
    errorClass: 'message_too_large',
  });
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  expect(await it.call(view.id, 'echo')).toMatchObject(words.length === 0 ? { kind: 'answered' } : {});
});

test.each(['legacy', 'modern'])('a caller that gives up ends the call upstream (%s)', async (era) => {
  const it = rig();
  const file = join(it.folder, 'record');
  const server = await httpRecorder(file, `--era=${era}`);
  const view = await it.addReady('x', server.transport);
  const caller = new AbortController();
  const outcome = it.call(view.id, 'slow', '{"ms":20000}', { signal: caller.signal });
  await waitFor(() => received(file, 'tools/call').length === 1, 'the call');
  await new Promise((resolve) => setTimeout(resolve, 100));
  caller.abort();
  expect(await outcome).toEqual({ kind: 'cancelled' });
  // 2026-07-28: closing the stream is the cancellation; before, a notification is.
  if (era === 'legacy') await waitFor(() => received(file, 'notifications/cancelled').length === 1, 'the notification');
  await waitFor(() => recorded(file).some((entry) => entry.kind === 'closed'), 'the closed stream', 3_000);
});

test('results of concurrent calls are not mixed up', async () => {
  const it = rig();
  const server = await httpRecorder(join(it.folder, 'record'));
  const view = await it.addReady('x', server.transport);
  const outcomes = await Promise.all(
    Array.from({ length: 200 }, (_, i) => it.call(view.id, 'echo', `{"text":"${i}","delayMs":${i % 7}}`)),
  );
  outcomes.forEach((outcome, i) => {
    expect(JSON.stringify(outcome)).toContain(`\\"text\\":\\"${i}\\"`);
  });
});

test('values of parameters marked for headers are repeated in headers (2026-07-28)', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const server = await httpRecorder(file, '--era=modern', '--header-tool');
  const view = await it.addReady('x', server.transport);
  await it.call(view.id, 'with_header', '{"region":"eu west é","nested":{"n":7},"other":"x"}');
  const call = recorded(file).find((entry) => entry.body?.includes('tools/call'));
  expect(call?.headers).toMatchObject({
    'mcp-name': 'with_header',
    'mcp-param-region': `=?base64?${Buffer.from('eu west é').toString('base64')}?=`,
    'mcp-param-count': '7',
  });
  expect(call?.headers).not.toHaveProperty('mcp-param-other');
});

test('each client has a session of its own at the upstream, and keeps it from call to call', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const server = await httpRecorder(file);
  const view = await it.addReady('x', server.transport);
  const outcomes = await Promise.all(
    ['a', 'b', 'a', 'b'].map((clientId, i) => it.call(view.id, 'echo', `{"text":"${clientId}${i}"}`, { clientId })),
  );
  expect(outcomes.map((outcome) => JSON.stringify(outcome).match(/[ab]\d/)?.[0])).toEqual(['a0', 'b1', 'a2', 'b3']);
  const session = (client: string) =>
    new Set(
      recorded(file)
        .filter((entry) => entry.body?.includes(`"text":"${client}`))
        .map((entry) => entry.headers?.['mcp-session-id']),
    );
  expect([session('a').size, session('b').size]).toEqual([1, 1]);
  expect(session('a')).not.toEqual(session('b'));
  await it.upstreams.stopAll();
  expect(recorded(file).filter((entry) => entry.method === 'DELETE')).toHaveLength(3);
});
