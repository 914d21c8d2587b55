import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Caller } from '../../electron/core/api.ts';
import { type Core, startCore } from '../../electron/core/core.ts';
import { type Clock, type Keychain, type Platform, systemClock } from '../../electron/core/platform.ts';
import type { RequestArguments, RequestInput, RequestName, RequestResult } from '../../shared/api.ts';
import type { ApprovalView, AuditEntryView, Role } from '../../shared/model.ts';
import { assertNoSecretIn } from './canary.ts';
import { jsonLines } from './lines.ts';
import { createMemoryKeychain } from './memory-keychain.ts';

/** A whole Gatehouse in this process: real core, real databases, real listener, own data folder, any free port. */
export interface TestGatehouse extends AsyncDisposable {
  readonly core: Core;
  readonly port: number;
  readonly folder: string;
  /** As the person does: from the dashboard, without a confirmation. Throws when the request is not answered. */
  ask<N extends RequestName>(name: N, input?: RequestInput<N>, caller?: Caller): Promise<RequestResult<N>>;
  key(options?: Partial<RequestArguments<'keyCreate'>> & { readonly role?: Role }): Promise<TestKey>;
  /** Adds a recorder upstream and accepts what it offers, at the risks given (default: write). */
  recorder(name: string, options?: RecorderOptions): Promise<Recorder>;
  /** JSON-RPC by POST, with a key; headers on top. */
  post(key: string, message: unknown, options?: PostOptions): Promise<Answer>;
  /** One `tools/call` of 2026-07-28. `argumentsText` is sent as it stands. */
  call(key: string, tool: string, argumentsText?: string, options?: PostOptions): Promise<Answer>;
  /** Bytes to the port, and everything that comes back until the other side closes or `ms` pass. */
  raw(bytes: string | Uint8Array, ms?: number): Promise<string>;
  /** Every audit entry so far, oldest first, once `until` holds of them (at most 3 s), else those of ended calls. */
  audit(until?: (entries: readonly AuditEntryView[]) => boolean): Promise<readonly AuditEntryView[]>;
  /** The next card that waits (at most 3 s). */
  card(matching?: (card: ApprovalView) => boolean): Promise<ApprovalView>;
  approve(card: ApprovalView): Promise<RequestResult<'approvalApprove'>>;
  close(): Promise<void>;
}

export interface TestKey {
  readonly secret: string;
  readonly keyId: string;
  readonly prefix: string;
  readonly clientId: string;
}

export interface RecorderOptions {
  readonly args?: readonly string[];
  readonly risk?: 'read' | 'write' | 'destructive';
  readonly risks?: Readonly<Record<string, 'read' | 'write' | 'destructive'>>;
  /** False leaves the tools unreviewed. */
  readonly review?: boolean;
  /** Slug of the workspace; the default one when left out. */
  readonly workspace?: string;
}

export interface Recorder {
  readonly id: string;
  readonly name: string;
  readonly file: string;
  /** Everything it has seen so far. */
  events(): readonly {
    readonly kind: string;
    readonly at: number;
    readonly pid: number;
    readonly raw?: string;
    readonly [key: string]: unknown;
  }[];
  /** Raw lines that are `tools/call` requests. */
  calls(): readonly string[];
}

export interface PostOptions {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly meta?: Readonly<Record<string, unknown>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The JSON-RPC message: of a JSON answer, or the last one of a stream. */
  readonly message: {
    readonly id?: unknown;
    readonly result?: Record<string, unknown>;
    readonly error?: { readonly code: number; readonly message: string };
  } | null;
}

export const PERSON: Caller = { origin: 'dashboard', label: 'dashboard' };

const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
};

export interface TestOptions {
  readonly clock?: Clock;
  readonly folder?: string;
  /** Any free one when left out. */
  readonly port?: number;
  /** False: nobody is there to approve. */
  readonly approver?: boolean;
  readonly unattended?: boolean;
  /** False: as one command of the command line opens the folder while no app runs. */
  readonly listen?: boolean;
  readonly platform?: Partial<Platform>;
}

/** A machine keeps its keychain when Gatehouse is started again. */
const keychains = new Map<string, Keychain>();

function keychainOf(folder: string): Keychain {
  const keychain = keychains.get(folder) ?? createMemoryKeychain();
  keychains.set(folder, keychain);
  return keychain;
}

export async function startGatehouse(options: TestOptions = {}): Promise<TestGatehouse> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'gatehouse-test-'));
  const clock = options.clock ?? systemClock;
  const started = await startCore(
    {
      mode: 'headless',
      dataFolder: folder,
      clock,
      keychain: keychainOf(folder),
      notify() {},
      openBrowser: null,
      ...options.platform,
    },
    {
      port: options.port ?? 0,
      version: '0.0.0-test',
      unattended: options.unattended ?? false,
      listen: options.listen ?? true,
      masterKeyFile: null,
    },
  );
  if (started.kind === 'fault') throw new Error(started.message);
  const { core } = started;
  if (options.listen !== false) await demoIsListed(core);
  if (options.approver !== false) core.approvers.arrive('dashboard');
  const base = `http://127.0.0.1:${core.port}`;

  async function ask<N extends RequestName>(
    name: N,
    input?: RequestInput<N>,
    caller: Caller = PERSON,
  ): Promise<RequestResult<N>> {
    const answer = await core.api.request(name, input ?? {}, caller);
    if (answer.kind !== 'answered') throw new Error(`${name}: ${answer.message}`);
    return answer.result as RequestResult<N>;
  }

  async function post(
    key: string,
    message: unknown,
    { path = '/mcp', headers = {}, signal }: PostOptions = {},
  ): Promise<Answer> {
    const response = await fetch(base + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(key === '' ? {} : { authorization: `Bearer ${key}` }),
        ...headers,
      },
      body: typeof message === 'string' ? message : JSON.stringify(message),
      ...(signal === undefined ? {} : { signal }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, message: lastMessage(response, text) };
  }

  let nextId = 0;
  let nextFile = 0;
  const keys: string[] = [];

  const gatehouse: TestGatehouse = {
    core,
    port: core.port,
    folder,
    ask,
    post,
    async key(wanted = {}) {
      const made = await ask('keyCreate', { role: 'executor', name: `client-${++nextId}`, ...wanted });
      if (made.kind !== 'done') throw new Error(made.message);
      keys.push(made.secret);
      return { secret: made.secret, keyId: made.key.id, prefix: made.key.prefix, clientId: made.client.id };
    },
    async recorder(name, { args = [], risk = 'write', risks = {}, review = true, workspace } = {}) {
      const file = join(folder, `record-${name}-${++nextFile}.jsonl`);
      const script = fileURLToPath(new URL('./recorder-stdio.mjs', import.meta.url));
      const added = await ask('upstreamAdd', {
        ...(workspace === undefined ? {} : { workspace }),
        name,
        transport: { kind: 'stdio', command: process.execPath, args: [script, file, ...args] },
      });
      if (added.kind !== 'done') throw new Error(added.message);
      const { id } = added.upstream;
      const recorder: Recorder = {
        id,
        name,
        file,
        events: () => jsonLines(file),
        calls: () =>
          recorder
            .events()
            .flatMap((event) => (event.kind === 'line' && event.raw?.includes('"tools/call"') ? [event.raw] : [])),
      };
      if (!review) return recorder;
      const tools = await eventually(async () => {
        const listed = await ask('toolsList', { upstream: id });
        return listed.length > 0 ? listed : null;
      }, `the tools of ${name}`);
      const reviewed = await ask('toolsReview', {
        upstream: id,
        accept: tools.map((tool) => ({
          kind: tool.kind,
          name: tool.name,
          fingerprint: tool.fingerprint,
          risk: risks[tool.name] ?? risk,
        })),
      });
      if (reviewed.kind !== 'done') throw new Error(reviewed.message);
      return recorder;
    },
    call(key, tool, argumentsText = '{}', callOptions = {}) {
      const meta = JSON.stringify({ ...ENVELOPE, ...callOptions.meta });
      const body = `{"jsonrpc":"2.0","id":${++nextId},"method":"tools/call","params":{"name":${JSON.stringify(tool)},"arguments":${argumentsText},"_meta":${meta}}}`;
      return post(key, body, {
        ...callOptions,
        headers: {
          'mcp-protocol-version': '2026-07-28',
          'mcp-method': 'tools/call',
          'mcp-name': tool,
          ...callOptions.headers,
        },
      });
    },
    raw: (bytes, ms = 5000) => rawExchange(core.port, bytes, ms),
    audit(until) {
      const since = performance.now();
      return eventually(async () => {
        const { records } = await ask('auditList', { limit: 500 });
        const entries = records.flatMap((record) => record.entries).toSorted((a, b) => a.seq - b.seq);
        if (until !== undefined) return until(entries) ? entries : null;
        // An answer does not wait for its last entry (design section 3); a call that is still running has none.
        return everyCallEnded(entries) || performance.now() - since > QUIET_MS ? entries : null;
      }, 'the audit entries');
    },
    card: (matching = () => true) =>
      eventually(async () => (await ask('approvalsList', { state: 'waiting' })).find(matching) ?? null, 'a card'),
    approve: (card) => ask('approvalApprove', { approval: card.id, argumentsSha256: card.argumentsSha256 }),
    async close() {
      await core.close();
      assertNoSecretIn(folder, keys);
      if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
    },
    async [Symbol.asyncDispose]() {
      await gatehouse.close();
    },
  };
  return gatehouse;
}

/** The demo upstream starts in the background; a test that uses it must not depend on how fast. */
async function demoIsListed(core: Core): Promise<void> {
  await eventually(async () => {
    const answer = await core.api.request('upstreamsList', {}, PERSON);
    if (answer.kind !== 'answered') return null;
    const upstreams = answer.result as RequestResult<'upstreamsList'>;
    return upstreams.some(({ name, status }) => name === 'demo' && status === 'starting') ? null : true;
  }, 'the demo upstream');
}

/** Asks again until it gets something, for at most `ms`; says what it waited for when it does not. */
export async function eventually<T>(read: () => T | null | Promise<T | null>, what: string, ms = 5000): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const value = await read();
    if (value !== null) return value;
    if (performance.now() > end) throw new Error(`waited ${ms} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The JSON-RPC message of an answer, or the last one of its stream. */
export function lastMessage(response: Response, text: string): Answer['message'] {
  if (text === '') return null;
  if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) {
    return response.headers.get('content-type')?.startsWith('application/json') === true ? JSON.parse(text) : null;
  }
  const last = text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .at(-1);
  return last === undefined ? null : JSON.parse(last.slice('data: '.length));
}

/** Bytes to any port of this machine, and everything that comes back until the other side closes or `ms` pass. */
export function rawExchange(port: number, bytes: string | Uint8Array, ms: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let received = '';
    const timer = setTimeout(() => socket.destroy(), ms);
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // A refused request may be answered by a reset; what was read until then is the answer.
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(received);
    });
  });
}

function everyCallEnded(entries: readonly AuditEntryView[]): boolean {
  const ended = new Set(entries.filter(({ phase }) => phase === 'ended').map(({ requestId }) => requestId));
  return entries.every(({ phase, requestId }) => phase !== 'forwarded' || ended.has(requestId));
}

const QUIET_MS = 500;
