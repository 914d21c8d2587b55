import { existsSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { expect } from 'vitest';
import type { AuditEntryView } from '../../shared/model.ts';
import {
  eventually,
  type Recorder,
  startGatehouse,
  type TestGatehouse,
  type TestKey,
  type TestOptions,
} from './gatehouse.ts';
import { withinASecond } from './promptly.ts';

/**
 * A Gatehouse under attack, by the conventions of security.md: two clients' keys, one recorder upstream `rec` whose
 * tools run at once (risk read), and what every refusal must leave behind.
 */
export interface Target extends AsyncDisposable {
  readonly gatehouse: TestGatehouse;
  readonly recorder: Recorder;
  /** Key of the client that misbehaves, and of the one that must not notice. */
  readonly k1: TestKey;
  readonly k2: TestKey;
  /**
   * Runs a vector that is to be refused, and asserts: nothing reached the recorder and no process was started (NOREACH),
   * exactly one refusal was recorded and it matches `row`, and a normal call of the other client is answered within a
   * second. Returns what the vector returned.
   */
  refuses<T>(row: Partial<AuditEntryView>, vector: () => Promise<T>): Promise<T>;
  /** The refusals recorded while the vector ran, and what it returned. NOREACH and the normal call are asserted too. */
  refusals<T>(vector: () => Promise<T>): Promise<{ readonly result: T; readonly rows: readonly AuditEntryView[] }>;
  /** From now on NOREACH is asserted of this upstream as well. */
  watch(recorder: Recorder): Recorder;
  /** A normal call of the other client: answered, within a second. */
  stillServes(): Promise<void>;
}

export async function openTarget(options: TestOptions = {}): Promise<Target> {
  const gatehouse = await startGatehouse(options);
  const [k1, k2] = [await gatehouse.key({ name: 'attacker' }), await gatehouse.key({ name: 'bystander' })];
  const recorder = await gatehouse.recorder('rec', { risk: 'read' });
  return targetOf(gatehouse, recorder, k1, k2);
}

/** The same over what a test has set up itself: `k2` can call a tool `rec__echo` that runs at once. */
export function targetOf(gatehouse: TestGatehouse, recorder: Recorder, k1: TestKey, k2: TestKey): Target {
  const watched = [recorder];

  async function stillServes(): Promise<void> {
    const answer = await withinASecond(() => gatehouse.call(k2.secret, 'rec__echo', '{"text":"still here"}'));
    expect(answer.message?.result, answer.text).toMatchObject({ content: [{ text: '{"text":"still here"}' }] });
  }

  async function refusals<T>(vector: () => Promise<T>) {
    const before = (await gatehouse.audit()).at(-1)?.seq ?? 0;
    const reached = watched.map(seen);
    const result = await vector();
    expect(watched.map(seen), 'NOREACH').toEqual(reached);
    await stillServes();
    // Entries are written in order, so with the normal call's last one every earlier refusal is there.
    const entries = await gatehouse.audit((all) =>
      all.some((entry) => entry.seq > before && entry.phase === 'ended' && entry.clientId === k2.clientId),
    );
    return { result, rows: entries.filter((entry) => entry.seq > before && entry.outcome === 'refused') };
  }

  return {
    gatehouse,
    recorder,
    k1,
    k2,
    stillServes,
    watch(more) {
      watched.push(more);
      return more;
    },
    refusals,
    async refuses(row, vector) {
      const { result, rows } = await refusals(vector);
      expect(rows, `one refusal ${JSON.stringify(row)}`).toMatchObject([row]);
      return result;
    },
    async [Symbol.asyncDispose]() {
      await gatehouse.close();
    },
  };
}

function seen(recorder: Recorder): string {
  return existsSync(recorder.file) ? readFileSync(recorder.file, 'utf8') : '';
}

/** One HTTP request as the bytes that go over the wire. `headers` are whole lines, sent as they stand and in order. */
export function rawRequest(line: string, headers: readonly string[], body = ''): string {
  return [line, ...headers, '', body].join('\r\n');
}

/** A `tools/call` of `rec__echo` that would run: what is refused with it is refused for its head alone. */
export function echoBody(text = 'attack'): string {
  return JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'rec__echo', arguments: { text }, _meta: MODERN_META },
  });
}

export const MODERN_META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
};

/** Every header line of a request that would be served, but Host: `rawRequest` puts them after what the vector is about. */
export function goodHeaders(key: string, body: string): readonly string[] {
  return [
    `Authorization: Bearer ${key}`,
    'Content-Type: application/json',
    'Accept: application/json, text/event-stream',
    'MCP-Protocol-Version: 2026-07-28',
    'Mcp-Method: tools/call',
    'Mcp-Name: rec__echo',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
}

/** Status of the first answer in what came back over a socket; 0 when there is none. */
export function statusOf(received: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(received)?.[1] ?? 0);
}

/** Header names in lower case with their values, of the first answer. */
export function headersOf(received: string): ReadonlyMap<string, string> {
  const lines = (received.split('\r\n\r\n', 1)[0] ?? '').split('\r\n').slice(1);
  return new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}

/** A socket that is written to by hand; `closed` resolves with everything received once the other side has closed it. */
export async function openSocket(
  port: number,
): Promise<{ readonly socket: Socket; received(): string; readonly closed: Promise<string> }> {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  // A refusal may end in a reset; what was read until then is the answer.
  socket.on('error', () => {});
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(received)));
  await eventually(() => (socket.readyState === 'open' || socket.destroyed ? true : null), 'the connection');
  return { socket, received: () => received, closed };
}
