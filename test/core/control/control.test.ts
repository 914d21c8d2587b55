import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Api, Caller } from '../../../electron/core/api.ts';
import { connectControl } from '../../../electron/core/control/client.ts';
import { type ControlServer, serveControl } from '../../../electron/core/control/server.ts';
import type { Topic } from '../../../shared/model.ts';

let folder: string;
let servers: ControlServer[];
let callers: Caller[];
let listeners: Set<(topic: Topic) => void>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gh-control-'));
  servers = [];
  callers = [];
  listeners = new Set();
});
afterEach(async () => {
  for (const server of servers) await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const api: Api = {
  async request(name, input, caller) {
    callers.push(caller);
    if (name === 'status') throw new Error('a bug');
    if (name === 'toolsList') await new Promise(() => {});
    if (name === 'policyImport')
      return { kind: 'answered', result: { kind: 'refused', message: String(JSON.stringify(input).length) } };
    return { kind: 'unknown_request', message: `${name} ${JSON.stringify(input)}` };
  },
};

async function serve(at = folder): Promise<ControlServer> {
  const started = await serveControl({
    folder: at,
    api,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  });
  if (started.kind === 'fault') throw new Error(started.message);
  servers.push(started.server);
  return started.server;
}

async function client(at = folder) {
  const found = await connectControl(at);
  if (!found) throw new Error('nobody listens');
  return found;
}

/** Sends raw text and resolves with everything that came back when the server hung up. */
function raw(text: string): Promise<string> {
  return new Promise((done) => {
    const socket = connect(join(folder, 'control.sock'));
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => done(answer));
    socket.write(text);
  });
}

describe('the socket', () => {
  test('is open to its owner only', async () => {
    const server = await serve();
    expect(server.address).toBe(join(folder, 'control.sock'));
    expect(statSync(server.address).mode & 0o777).toBe(0o600);
  });

  test('is gone after closing, and then nobody is found', async () => {
    const server = await serve();
    await server.close();
    expect(statSync(server.address, { throwIfNoEntry: false })).toBeUndefined();
    expect(await connectControl(folder)).toBeNull();
  });

  test('left behind by a process that died counts as nobody, and is replaced at the next start', async () => {
    const dead = createServer();
    const path = join(folder, 'control.sock');
    // A second name keeps the socket file there after its server closed, as a kill would.
    await new Promise<void>((done) => dead.listen(path, () => done()));
    const { linkSync, renameSync } = await import('node:fs');
    linkSync(path, join(folder, 'kept'));
    await new Promise<void>((done) => dead.close(() => done()));
    renameSync(join(folder, 'kept'), path);
    expect(await connectControl(folder)).toBeNull();

    await serve();
    expect((await (await client()).request('workspacesList', {})).kind).toBe('unknown_request');
  });

  test('never takes the place of a file that is not a socket', async () => {
    writeFileSync(join(folder, 'control.sock'), 'mine');
    const started = await serveControl({ folder, api, subscribe: () => () => {} });
    expect(started).toEqual({
      kind: 'fault',
      message: `${join(folder, 'control.sock')} is in the way of the command line's socket; move it away and start again.`,
    });
    expect(readFileSync(join(folder, 'control.sock'), 'utf8')).toBe('mine');
  });

  test('of a folder with too long a path lies in a private temporary folder, recorded in the data folder', async () => {
    const deep = join(folder, 'x'.repeat(120));
    mkdirSync(deep, { mode: 0o700 });
    const server = await serve(deep);
    expect(Buffer.byteLength(server.address)).toBeLessThan(100);
    expect(statSync(join(deep, 'control.address')).mode & 0o777).toBe(0o600);
    expect(statSync(join(server.address, '..')).mode & 0o777).toBe(0o700);
    expect((await (await client(deep)).request('workspacesList', {})).kind).toBe('unknown_request');

    await server.close();
    expect(statSync(join(server.address, '..'), { throwIfNoEntry: false })).toBeUndefined();
    expect(statSync(join(deep, 'control.address'), { throwIfNoEntry: false })).toBeUndefined();
  });
});

describe('a request', () => {
  test('reaches the API as origin cli, with its input, and gets its own answer', async () => {
    await serve();
    const one = await client();
    const [a, b] = await Promise.all([
      one.request('workspaceCreate', { name: 'A' }),
      one.request('upstreamRefresh', { upstream: 'b' }),
    ]);
    expect(a).toEqual({ kind: 'unknown_request', message: 'workspaceCreate {"name":"A"}' });
    expect(b).toEqual({ kind: 'unknown_request', message: 'upstreamRefresh {"upstream":"b"}' });
    expect(callers.map((caller) => caller.origin)).toEqual(['cli', 'cli']);
    one.close();
  });

  test('that waits does not hold up another', async () => {
    await serve();
    const one = await client();
    const never = one.request('toolsList', {});
    expect((await one.request('clientsList', {})).kind).toBe('unknown_request');
    one.close();
    expect(await never).toEqual({ kind: 'gone', message: 'Gatehouse closed before it answered.' });
  });

  test('of a megabyte arrives whole', async () => {
    await serve();
    const one = await client();
    const yaml = 'ä'.repeat(1_000_000);
    const answer = await one.request('policyImport', { yaml });
    expect(answer).toEqual({
      kind: 'answered',
      result: { kind: 'refused', message: String(JSON.stringify({ yaml }).length) },
    });
    one.close();
  });

  test('that trips over a bug is answered, and the server lives on', async () => {
    await serve();
    const one = await client();
    expect(await one.request('status', {})).toEqual({
      kind: 'bad_request',
      message: expect.stringMatching(/^Gatehouse failed to answer\. The log has more under request [0-9a-f]{16}\.$/),
    });
    expect((await one.request('clientsList', {})).kind).toBe('unknown_request');
    one.close();
  });

  test('ends with `gone` when the app closes in the middle of it', async () => {
    const server = await serve();
    const one = await client();
    const answer = one.request('toolsList', {});
    await server.close();
    expect((await answer).kind).toBe('gone');
    expect((await one.request('status', {})).kind).toBe('gone');
  });

  test.each([
    ['text that is not JSON', 'GET / HTTP/1.1\r\n\r\n'],
    ['a request without an id', '{"name":"status","input":{}}\n'],
    ['a member that we do not know', '{"id":1,"name":"status","input":{},"origin":"dashboard"}\n'],
  ])('that is %s is refused and hung up on, and no request is made of it', async (_, text) => {
    await serve();
    expect(await raw(text)).toContain('This is not a request of the Gatehouse command line.');
    expect(callers).toEqual([]);
  });

  test('without an end is hung up on', async () => {
    await serve();
    const chunk = 'x'.repeat(17 * 1024 * 1024);
    expect(await raw(chunk)).toContain('The request is too long.');
  });
});

describe('a subscription', () => {
  test('tells every change and ends with the connection', async () => {
    await serve();
    const one = await client();
    const seen: Topic[] = [];
    const stop = one.subscribe((topic) => seen.push(topic));
    await expect.poll(() => listeners.size).toBe(1);
    for (const listener of listeners) {
      listener('audit');
      listener('tools');
    }
    await expect.poll(() => seen).toEqual(['audit', 'tools']);
    stop();
    one.close();
    await expect.poll(() => listeners.size).toBe(0);
  });
});
