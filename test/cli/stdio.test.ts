import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Client as ModernClient } from '@modelcontextprotocol/client';
import { StdioClientTransport as ModernTransport } from '@modelcontextprotocol/client/stdio';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ElicitRequestSchema, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../support/gatehouse.ts';
import {
  cli,
  environmentOf,
  type Headless,
  newBase,
  RECORDER,
  ran,
  reached,
  startHeadless,
} from '../support/headless.ts';
import { GATEHOUSE, type StdioClient, startStdio } from '../support/stdio-client.ts';
import { MODERN_META } from '../support/target.ts';

let base: string;
let folder: string;
let app: Headless | null;
let clients: StdioClient[];

beforeEach(() => {
  base = newBase();
  folder = join(base, 'data');
  app = null;
  clients = [];
});
afterEach(async () => {
  for (const client of clients) await client[Symbol.asyncDispose]();
  await app?.stop();
  await endOfStarted();
  rmSync(base, { recursive: true, force: true });
});

/** One app for all tests that only need one. */
let shared: Headless;
let keys = 0;
beforeAll(async () => {
  const itsBase = newBase();
  shared = await startHeadless({ base: itsBase, folder: join(itsBase, 'data') });
});
afterAll(async () => {
  await shared.stop();
  rmSync(shared.base, { recursive: true, force: true });
});

async function openShared(args: readonly string[] = []): Promise<StdioClient> {
  return open(await sharedKey(), args, shared);
}

function sharedKey(): Promise<string> {
  keys += 1;
  return shared.key(`agent-${keys}`);
}

/** Ends the app that a bridge has started, and waits until it is gone. */
async function endOfStarted(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  const pid = pidOf();
  if (pid === null) return;
  process.kill(pid, signal);
  await eventually(() => (isRunning(pid) ? null : true), 'the end of the app', 15_000);
}

function pidOf(): number | null {
  const file = join(folder, 'instance.pid');
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : Number.NaN;
  return Number.isInteger(pid) && isRunning(pid) ? pid : null;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function startApp(): Promise<Headless> {
  app = await startHeadless({ base, folder });
  return app;
}

const envWith = (key: string, at: Pick<Headless, 'base' | 'folder'> = { base, folder }) => ({
  ...environmentOf(at.base),
  GATEHOUSE_DATA: at.folder,
  GATEHOUSE_PORT: '0',
  ...(key === '' ? {} : { GATEHOUSE_KEY: key }),
});

function open(key: string, args: readonly string[] = [], at?: Headless): StdioClient {
  const client = startStdio(envWith(key, at), args);
  clients.push(client);
  return client;
}

/** Adds a recorder upstream whose calls run at once; the file it writes to. */
async function addRecorder(at: Headless, name: string, args: readonly string[] = []): Promise<string> {
  const file = join(at.base, `${name}.jsonl`);
  await at.add(name, { args: [RECORDER, file, ...args] });
  await at.review(name, 'read');
  return file;
}

const callLine = (id: string, name: string, argumentsText: string, meta = '') =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"${name}","arguments":${argumentsText}${meta}}}`;
const MODERN = `,"_meta":${JSON.stringify(MODERN_META)}`;

describe('real clients that start a program', () => {
  test('one of 2025 lists, calls, hears progress and changes of the list, and answers what it is asked', async () => {
    const key = await sharedKey();
    await addRecorder(shared, 'asks');
    const client = new LegacyClient({ name: 'old-agent', version: '1' }, { capabilities: { elicitation: {} } });
    let changes = 0;
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => void changes++);
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => ({
      action: 'accept',
      content: { said: params.message },
    }));
    const transport = new LegacyTransport({
      command: GATEHOUSE,
      args: ['stdio'],
      env: envWith(key, shared),
      stderr: 'pipe',
    });
    const said: string[] = [];
    transport.stderr?.on('data', (chunk) => said.push(String(chunk)));
    await client.connect(transport);
    expect((await client.listTools()).tools).toHaveLength(5);
    const told: number[] = [];
    const counted = await client.callTool({ name: 'demo__slow_count', arguments: { to: 3 } }, undefined, {
      onprogress: ({ progress }) => told.push(progress),
    });
    expect(counted.isError ?? false).toBe(false);
    // The SDKs drop progress that they read together with the result.
    expect(told.slice(0, 2)).toEqual([1, 2]);
    await eventually(async () => {
      const name = changes % 2 === 0 ? 'pin_tool' : 'unpin_tool';
      await client.callTool({ name, arguments: { upstream: 'demo', tool: 'read_note' } });
      return changes > 0 ? true : null;
    }, 'a change of the list');
    const asked = await client.callTool({
      name: 'asks__ask_client',
      arguments: {
        method: 'elicitation/create',
        params: { message: 'which?', requestedSchema: { type: 'object', properties: { said: { type: 'string' } } } },
      },
    });
    expect(JSON.stringify(asked.content)).toContain('which?');
    await client.close();
    expect(said).toEqual([]);
  });

  test('one of 2026-07-28 lists, calls, hears progress and changes of the list', async () => {
    const key = await sharedKey();
    const client = new ModernClient(
      { name: 'new-agent', version: '1' },
      { versionNegotiation: { mode: { pin: '2026-07-28' } } },
    );
    let changes = 0;
    client.setNotificationHandler('notifications/tools/list_changed', () => void changes++);
    await client.connect(new ModernTransport({ command: GATEHOUSE, args: ['stdio'], env: envWith(key, shared) }));
    expect((await client.listTools()).tools).toHaveLength(5);
    const told: number[] = [];
    await client.callTool(
      { name: 'demo__slow_count', arguments: { to: 3 } },
      { onprogress: ({ progress }: { progress: number }) => told.push(progress) },
    );
    // The SDKs drop progress that they read together with the result.
    expect(told.slice(0, 2)).toEqual([1, 2]);
    await client.listen({ toolsListChanged: true });
    await client.callTool({ name: 'pin_tool', arguments: { upstream: 'demo', tool: 'read_note' } });
    await eventually(() => (changes > 0 ? true : null), 'a change of the list');
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('demo__read_note');
    await client.close();
  });

  test('one that tries the new revision first is served in it', async () => {
    const key = await sharedKey();
    const client = new ModernClient({ name: 'auto-agent', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    await client.connect(
      new ModernTransport({ command: GATEHOUSE, args: ['stdio', '--upstream', 'demo'], env: envWith(key, shared) }),
    );
    expect(client.getProtocolEra()).toBe('modern');
    expect((await client.callTool({ name: 'list_notes', arguments: {} })).structuredContent).toEqual({
      titles: ['welcome', 'shopping'],
    });
    await client.close();
  });
});

test('every byte of the arguments arrives as it was written, and every answer bears the id as it was written', async () => {
  const key = await sharedKey();
  const file = await addRecorder(shared, 'bytes');
  const client = open(key, [], shared);
  await client.initialize();
  const odd = '{"z":1.0,"a":9007199254740993,"b":1e2,"text":"\\u00e9\\ud83d\\ude00é\\/","n":-0,"space": [1 , 2]}';
  client.send(callLine('"legacy id"', 'bytes__echo', odd));
  client.send(callLine('7', 'bytes__echo', odd.replace('"z"', '"modern"'), MODERN));
  await client.next(({ id }) => id === 'legacy id', 'the answer in a session');
  await client.next(({ id }) => id === 7, 'the answer without one');
  const calls = reached(file);
  expect(calls.find((raw) => raw.includes('"z"'))).toContain(`"arguments":${odd}`);
  expect(calls.find((raw) => raw.includes('"modern"'))).toContain(`"arguments":${odd.replace('"z"', '"modern"')}`);
  expect(calls).toHaveLength(2);

  const large = `{"text":"${'x'.repeat(1_000_000)}"}`;
  client.send(callLine('8', 'bytes__echo', large));
  const answer = await client.next(({ id }) => id === 8, 'the answer to a megabyte');
  expect(JSON.stringify(answer.result)).toContain('x'.repeat(1_000_000));
  expect(reached(file).at(-1)).toContain(large);
});

test('all that comes before an answer comes before it here as well', async () => {
  const client = await openShared(['--upstream', 'demo']);
  await client.initialize();
  for (const [id, meta] of [
    ['1', ',"_meta":{"progressToken":"t1"}'],
    ['2', `,"_meta":${JSON.stringify({ ...MODERN_META, progressToken: 't2' })}`],
  ] as const) {
    client.send(callLine(id, 'slow_count', '{"to":3}', meta));
    await client.next((message) => message.id === Number(id), 'the answer');
    const about = client
      .received()
      .map(({ message }) => message)
      .filter(({ id: of, params }) => of === Number(id) || params?.progressToken === `t${id}`);
    expect(about.map(({ params }) => params?.progress ?? 'answer')).toEqual([1, 2, 3, 'answer']);
  }
});

test('a tool that wants an argument in a header gets it, also from a client that knew the tool before', async () => {
  const key = await sharedKey();
  const file = await addRecorder(shared, 'heads', ['--era=dual', '--header-tool']);
  const client = open(key, ['--upstream', 'heads'], shared);
  client.send(callLine('1', 'with_header', '{"region":"eu ü","nested":{"n":3}}', MODERN));
  const answer = await client.next(({ id }) => id === 1, 'the answer');
  expect(answer.error).toBeUndefined();
  expect(reached(file)).toHaveLength(1);
});

test('bad lines are answered and what follows is served', async () => {
  const key = await sharedKey();
  const client = open(key, [], shared);
  await client.initialize();
  client.send('{"jsonrpc":"2.0","id":1,');
  client.send('');
  client.send('  \r');
  client.send('[{"jsonrpc":"2.0","id":1,"method":"ping"}]');
  client.send(callLine('2', 'find_tools', `{"query":"${'x'.repeat(5 * 1024 * 1024)}"}`));
  const tooLarge = await client.next(({ id }) => id === 2, 'the refusal of 5 MB');
  expect(tooLarge.error?.message).toContain('The body is larger than 4194304 bytes');
  client.send({ id: 3, method: 'no/such' });
  expect((await client.next(({ id }) => id === 3, 'the refusal')).error).toMatchObject({ code: -32601 });
  expect((await client.ask({ id: 4, method: 'ping' })).result).toEqual({});
  const refused = client.received().filter(({ message }) => message.id === null);
  expect(refused.map(({ message }) => message.error?.code).sort()).toEqual([-32600, -32700].sort());
  expect(client.stderr()).toBe('');
  expect(await client.end()).toBe(0);
});

test('a call that is cancelled is cancelled at the upstream, in a session and without one', async () => {
  const key = await sharedKey();
  const file = await addRecorder(shared, 'cancels');
  const client = open(key, [], shared);
  await client.initialize();
  const cancelled = () => readFileSync(file, 'utf8').split('notifications/cancelled').length - 1;
  client.send(callLine('1', 'cancels__never', '{}'));
  await eventually(() => (reached(file).length === 1 ? true : null), 'the call in a session');
  client.send({ method: 'notifications/cancelled', params: { requestId: 1 } });
  await eventually(() => (cancelled() === 1 ? true : null), 'its end');
  client.send(callLine('2', 'cancels__never', '{}', MODERN));
  await eventually(() => (reached(file).length === 2 ? true : null), 'the call without one');
  client.send({ method: 'notifications/cancelled', params: { requestId: 2, _meta: MODERN_META } });
  await eventually(() => (cancelled() === 2 ? true : null), 'its end');
  expect((await client.ask({ id: 3, method: 'ping' })).result).toEqual({});
});

describe('when the app is started anew in mid-session', () => {
  test('a session goes on where the app is then, and hears of changes; a call that ran into it says so and is not made again', async () => {
    const at = await startApp();
    const key = await at.key('agent');
    const file = await addRecorder(at, 'rec');
    const client = open(key);
    await client.initialize();
    client.send(callLine('1', 'rec__never', '{}'));
    await eventually(() => (reached(file).length === 1 ? true : null), 'the call');
    await at.stop();
    const interrupted = await client.next(({ id }) => id === 1, 'the end of the call');
    expect(interrupted.error?.message).toContain('it is unknown whether it ran');
    const before = client.received().length;
    const again = await startApp();
    expect(again.endpoint).not.toBe(at.endpoint);
    const answer = await client.ask({ id: 2, method: 'tools/list' });
    expect(answer.result?.tools).toHaveLength(5);
    await eventually(
      () =>
        client
          .received()
          .slice(before)
          .find(({ message }) => message.method === 'notifications/tools/list_changed') ?? null,
      'that the list may be another, told on the new stream',
    );
    await eventually(
      async () =>
        (await again.ask('upstreamsList')).find(({ name }) => name === 'rec')?.status === 'ready' ? true : null,
      'the upstream',
    );
    client.send(callLine('3', 'rec__echo', '{"text":"after"}'));
    expect((await client.next(({ id }) => id === 3, 'the answer')).result).toMatchObject({
      content: [{ text: '{"text":"after"}' }],
    });
    expect(reached(file).filter((raw) => raw.includes('"never"'))).toHaveLength(1);
    const initialized = (await again.audit()).filter(({ kind }) => kind === 'session_unknown');
    expect(initialized).toEqual([]);
    expect(client.stderr()).toBe('');
  });

  test('a listening client without a session goes on listening and is told once that it does', async () => {
    const at = await startApp();
    const key = await at.key('agent');
    const client = open(key);
    client.send({
      id: 1,
      method: 'subscriptions/listen',
      params: { notifications: { toolsListChanged: true }, _meta: MODERN_META },
    });
    const isAcknowledged = ({ method }: { method?: string }) => method === 'notifications/subscriptions/acknowledged';
    await client.next(isAcknowledged, 'the acknowledgement');
    await at.stop();
    const before = client.received().length;
    const changes = () =>
      client
        .received()
        .slice(before)
        .filter(({ message }) => message.method === 'notifications/tools/list_changed');
    const again = await startApp();
    const missed = await eventually(() => changes()[0] ?? null, 'that the list may be another');
    expect(missed.message.params).toEqual({ _meta: { 'io.modelcontextprotocol/subscriptionId': 1 } });
    const told = changes().length;
    client.send(callLine('2', 'pin_tool', '{"upstream":"demo","tool":"read_note"}', MODERN));
    await eventually(() => (changes().length > told ? true : null), 'a change of the list');
    expect(client.received().filter(({ message }) => isAcknowledged(message))).toHaveLength(1);
    expect(client.received().filter(({ message }) => message.id === 1)).toEqual([]);
    expect(pidOf()).toBe(again.pid);
  });

  test('a session that the app knows no more is opened again in the words of the client', async () => {
    const at = await startApp();
    const key = await at.key('agent');
    const client = open(key);
    await client.initialize();
    expect((await client.ask({ id: 1, method: 'ping' })).result).toEqual({});
    await at.stop();
    const { default: Database } = await import('better-sqlite3');
    const db = new Database(join(folder, 'state.db'));
    expect(db.prepare('DELETE FROM sessions').run().changes).toBe(1);
    db.close();
    await startApp();
    expect((await client.ask({ id: 2, method: 'tools/list' })).result?.tools).toHaveLength(5);
    expect(client.received().filter(({ message }) => message.id === 'hello')).toHaveLength(1);
  });
});

describe('what is wrong is one line on stderr, and stdout stays empty or protocol', () => {
  test('no key', async () => {
    const { code, stdout, stderr } = await ran([GATEHOUSE, 'stdio'], envWith(''));
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toBe(
      'gatehouse: No key was given. Make one with "gatehouse keys create --role executor --name my-agent" and give it in GATEHOUSE_KEY, or in a file with --key-file.\n',
    );
    expect(existsSync(folder)).toBe(false);
  });

  test.each([
    [
      ['--key-file', 'none'],
      'gatehouse: The key file none cannot be read (ENOENT). Give the path of a file that holds one key.\n',
    ],
    [
      ['--upstream', '../x'],
      `gatehouse: --upstream is '../x'; it must be the name of an upstream. "gatehouse upstreams list" shows them.\n`,
    ],
    [['--upsteam', 'x'], "gatehouse: There is no option '--upsteam'. Did you mean --upstream?\n"],
  ])('%j', async (args, said) => {
    const { code, stdout, stderr } = await ran([GATEHOUSE, 'stdio', ...args], envWith('gh_x'), '', base);
    expect([code, stdout, stderr]).toEqual([1, '', said]);
  });

  test('a wrong key: the client is answered, too', async () => {
    const client = open('gh_aaaaaaaa_wrong', [], shared);
    const answer = await client.initialize();
    expect(answer.error?.message).toContain('401 unauthorized: the key is wrong, revoked or expired.');
    await client.ask({ id: 2, method: 'tools/list' });
    expect(client.stderr()).toMatch(/^gatehouse: 401 unauthorized: [^\n]+\n$/);
    expect(await client.end()).toBe(0);
  });

  test('a key that is revoked in mid-session', async () => {
    const key = await sharedKey();
    const client = open(key, [], shared);
    await client.initialize();
    expect((await client.ask({ id: 1, method: 'ping' })).result).toEqual({});
    const view = (await shared.ask('clientsList')).find(({ name }) => name === `agent-${keys}`);
    await shared.ask('keyRevoke', { key: view?.keys[0]?.prefix ?? '' });
    expect((await client.ask({ id: 2, method: 'ping' })).error?.message).toContain('401 unauthorized');
    expect(client.stderr()).toMatch(/^gatehouse: 401 unauthorized: [^\n]+\n$/);
  });
});

describe('when the app does not run', () => {
  async function makeKey(): Promise<string> {
    return (
      await cli(folder, environmentOf(base), ['keys', 'create', '--role', 'executor', '--name', 'agent'])
    ).stdout.trim();
  }

  test('it is started in the background, without what is the client’s alone, and stays when the client is gone', async () => {
    const key = await makeKey();
    const file = join(base, 'key');
    writeFileSync(file, `${key}\n`, { mode: 0o600 });
    const client = startStdio({ ...envWith(key), GATEHOUSE_UNATTENDED: '1' }, ['--key-file', file]);
    clients.push(client);
    expect((await client.initialize()).result).toMatchObject({ serverInfo: { name: 'gatehouse' } });
    expect((await client.ask({ id: 1, method: 'tools/list' })).result?.tools).toHaveLength(5);
    const pid = pidOf();
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
    expect(environment).toContain('GATEHOUSE_DATA=');
    expect(environment).not.toContain('GATEHOUSE_KEY');
    expect(environment).not.toContain('GATEHOUSE_UNATTENDED');
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(key);
    expect(await client.end()).toBe(0);
    expect(client.stderr()).toBe('');
    expect(pidOf()).toBe(pid);
    expect((await cli(folder, environmentOf(base), ['status'])).stdout).toContain('is running (headless)');
  });

  test('two clients at once start it once', async () => {
    const key = await makeKey();
    const [one, two] = [open(key), open(key)];
    const answers = await Promise.all([one.initialize(), two.initialize()]);
    for (const { error, result } of answers)
      expect([error, result]).toMatchObject([undefined, { serverInfo: { name: 'gatehouse' } }]);
    expect([one.stderr(), two.stderr()]).toEqual(['', '']);
  });

  test('what is asked before stdin ends is answered, though the app has to be started first', async () => {
    const key = await makeKey();
    const client = open(key);
    client.send(callLine('1', 'find_tools', '{}', MODERN));
    expect(await client.end()).toBe(0);
    expect(client.received().map(({ message }) => message.id)).toEqual([1]);
  });

  test('when it cannot be started, the reason is said on stderr and in the answer', async () => {
    const key = await makeKey();
    const blocker = createServer();
    await new Promise<void>((done) => blocker.listen(0, '127.0.0.1', () => done()));
    const address = blocker.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const client = startStdio({ ...envWith(key), GATEHOUSE_PORT: String(port) });
    clients.push(client);
    const answer = await client.initialize();
    expect(answer.error?.message).toContain(`Gatehouse could not be started: Port ${port} is taken by`);
    expect(client.stderr()).toMatch(/^gatehouse: Gatehouse could not be started: [^\n]+\n$/);
    blocker.close();
    // It is tried again with the next message.
    expect((await client.ask({ id: 1, method: 'ping' }, 25_000)).error ?? 'answered').toBeDefined();
  });

  test('a client that is killed leaves the app, and SIGTERM ends the bridge at once', async () => {
    const key = await makeKey();
    const client = open(key);
    await client.initialize();
    client.child.kill('SIGTERM');
    const began = performance.now();
    expect(await client.ended).toBe(0);
    expect(performance.now() - began).toBeLessThan(2000);
    expect(pidOf()).not.toBeNull();
  });
});
