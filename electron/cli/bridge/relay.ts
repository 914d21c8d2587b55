import { setTimeout as pause } from 'node:timers/promises';
import { parameterHeaders } from '../../core/upstreams/parameter-headers.ts';
import type { RunningApp } from './app.ts';
import { type Came, exchange } from './exchange.ts';
import { argumentsOf, type Line, readLine } from './line.ts';
import {
  errorLine,
  INTERNAL,
  missedChanges,
  parseMessage,
  type RpcError,
  refusalOf,
  type ServerMessage,
} from './message.ts';
import { createBridgeSession, revisionIn } from './session.ts';

/** Carries lines of a client to the running app and everything it says back, each byte as it came. */
export interface Relay {
  take(line: Buffer): void;
  /** The client said its last: what is being answered may end within `graceMs`, the rest is given up. */
  finish(graceMs: number): Promise<void>;
}

export interface RelayParts {
  readonly app: RunningApp;
  /** Where MCP is spoken, from the endpoint that the app gives. */
  readonly url: (endpoint: string) => URL;
  readonly key: string;
  /** One message to the client; resolves when more may be written. */
  emit(message: Buffer): Promise<void>;
  /** One sentence to the person. */
  say(sentence: string): void;
}

type Request = Line & { readonly kind: 'request' };

/** One request on its way. */
interface Flight {
  readonly line: Request;
  readonly gone: AbortController;
  /** Resolves once the app has it, so that nothing about it gets there first. */
  readonly taken: Promise<void>;
  readonly onTaken: () => void;
}

const RETRY_EVERY_MS = 100;
/** A request that never gets there, or whose answer breaks off, is made again so often. */
const TRIES = 20;
const BROKEN_TRIES = 3;

export function createRelay(parts: RelayParts): Relay {
  const { app, emit } = parts;
  const flights = new Map<string, Flight>();
  const carried = new Set<Promise<void>>();
  const over = new AbortController();
  /** Schemas of listed tools, for the headers that repeat some of the arguments. */
  const schemas = new Map<string, unknown>();
  let said: string | null = null;
  /** What follows `initialize` waits until there is a session. */
  let initialized: Promise<void> = Promise.resolve();
  const session = createBridgeSession({ ...parts, unauthorized: () => say(UNAUTHORIZED) });

  function say(sentence: string): void {
    if (sentence !== said) parts.say(sentence);
    said = sentence;
  }

  async function post(
    line: Pick<Line, 'bytes' | 'headers'>,
    signal: AbortSignal,
    headers: Readonly<Record<string, string>>,
    onMessage: (message: Buffer) => Promise<void>,
    onHeaders?: Parameters<typeof exchange>[0]['onHeaders'],
  ): Promise<Came | { readonly kind: 'fault'; readonly message: string }> {
    const reached = await app.reach(true);
    if (signal.aborted) return { kind: 'aborted' };
    if (reached.kind === 'fault') {
      say(reached.message);
      return reached;
    }
    const came = await exchange({
      url: parts.url(reached.endpoint),
      method: 'POST',
      headers: {
        authorization: `Bearer ${parts.key}`,
        accept: 'application/json, text/event-stream',
        ...line.headers,
        ...headers,
      },
      body: line.bytes,
      signal,
      onMessage,
      ...(onHeaders === undefined ? {} : { onHeaders }),
    });
    if (came.kind === 'ended') said = null;
    if (came.kind === 'unreachable' || came.kind === 'broken') app.lost();
    if (came.kind === 'refused' && came.status === 401) say(UNAUTHORIZED);
    return came;
  }

  /** Null when it was answered, or nobody wants an answer any more; else what to answer. */
  async function request({ line, gone, onTaken }: Flight): Promise<RpcError | null> {
    const isListening = line.method === 'subscriptions/listen';
    let isAgain = false;
    let broken = 0;
    let renewed = false;
    let learned = false;
    for (let tries = 1; ; tries += 1) {
      let answered = false;
      const came = await post(
        line,
        gone.signal,
        headersOf(line),
        async (bytes) => {
          const message = parseMessage(bytes);
          // The client was told already that it listens; what changed while the app was away was told to nobody.
          if (isAgain && message.method === 'notifications/subscriptions/acknowledged') {
            for (const change of missedChanges(message)) await emit(change);
            return;
          }
          if (message.method === undefined && message.id === line.id) {
            answered = true;
            learn(line, bytes, message);
          }
          await emit(bytes);
        },
        (status, headers) => {
          const id = headers['mcp-session-id'];
          if (status === 200 && line.method === 'initialize' && typeof id === 'string') session.opened(line, id);
          onTaken();
        },
      );
      if (answered || came.kind === 'aborted') return null;
      switch (came.kind) {
        case 'fault':
          return { code: INTERNAL, message: came.message };
        case 'unreachable':
          if (tries > TRIES) return { code: INTERNAL, message: 'Gatehouse cannot be reached.' };
          break;
        case 'ended':
        case 'broken':
          // SECURITY: a call may have run, so it is never made a second time by itself.
          if (line.method === 'tools/call') return { code: INTERNAL, message: INTERRUPTED };
          broken += 1;
          if (broken > BROKEN_TRIES && !isListening) return { code: INTERNAL, message: CLOSED };
          isAgain = true;
          break;
        case 'refused': {
          const refusal = refusalOf(came.status, came.body);
          if (came.status === 404 && refusal.code === SESSION_UNKNOWN && !renewed) {
            renewed = true;
            if (await session.renew()) continue;
          }
          if (refusal.code === HEADER_MISMATCH && line.tool !== null && !learned) {
            learned = true;
            if (await learnSchemas(line, gone.signal)) continue;
          }
          return came.status === 401 ? { ...refusal, message: UNAUTHORIZED } : refusal;
        }
      }
      await pause(RETRY_EVERY_MS, undefined, { signal: gone.signal }).catch(() => {});
    }
  }

  function headersOf(line: Line): Record<string, string> {
    if (line.kind === 'other' || line.era === 'legacy')
      return line.kind === 'request' && line.method === 'initialize' ? {} : session.headers();
    const schema = line.kind === 'request' && line.tool !== null ? schemas.get(line.tool) : undefined;
    return schema === undefined ? {} : parameterHeaders(schema, argumentsOf(line));
  }

  function learn(line: Request, bytes: Buffer, { result }: ServerMessage): void {
    if (line.method === 'initialize') {
      const revision = revisionIn(bytes);
      if (revision !== null) session.agreed(revision);
    }
    if (line.method === 'tools/list') keepSchemas(result);
  }

  function keepSchemas(result: unknown): string | null {
    if (typeof result !== 'object' || result === null) return null;
    if ('tools' in result && Array.isArray(result.tools))
      for (const tool of result.tools) if (typeof tool?.name === 'string') schemas.set(tool.name, tool.inputSchema);
    return 'nextCursor' in result && typeof result.nextCursor === 'string' ? result.nextCursor : null;
  }

  /** The client may know the tools from an earlier run of ours; then the headers they ask for are found out here. */
  async function learnSchemas(line: Request, signal: AbortSignal): Promise<boolean> {
    let cursor: string | null = null;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const message = { jsonrpc: '2.0', id: 0, method: 'tools/list', params: listParams(line, cursor) };
      const asked = readLine(Buffer.from(JSON.stringify(message)));
      let next: string | null = null;
      const came = await post(asked, signal, {}, async (bytes) => {
        next = keepSchemas(parseMessage(bytes).result) ?? next;
      });
      if (came.kind !== 'ended') return false;
      if (next === null) break;
      cursor = next;
    }
    return line.tool !== null && schemas.has(line.tool);
  }

  async function carryRequest(line: Request): Promise<void> {
    const { promise: taken, resolve: onTaken } = Promise.withResolvers<void>();
    const flight: Flight = { line, gone: new AbortController(), taken, onTaken };
    flights.set(line.idText, flight);
    if (line.method === 'initialize') initialized = taken;
    else if (line.era === 'legacy') await initialized;
    try {
      const error = await request(flight);
      if (error !== null && !flight.gone.signal.aborted) await emit(errorLine(line.idText, error));
    } finally {
      onTaken();
      if (flights.get(line.idText) === flight) flights.delete(line.idText);
    }
  }

  async function carryOther(line: Exclude<Line, Request>): Promise<void> {
    if (line.kind === 'other' || line.era === 'legacy') await initialized;
    if (line.kind === 'notification' && line.cancels !== null) {
      const flight = flights.get(line.cancels);
      // Over HTTP the closed connection says it (MCP 2026-07-28, Streamable HTTP, cancellation).
      if (flight?.line.era === 'modern') return flight.gone.abort();
      await flight?.taken;
    }
    for (let tries = 1; tries <= TRIES; tries += 1) {
      const came = await post(line, over.signal, headersOf(line), emit);
      switch (came.kind) {
        case 'ended':
          if (line.kind === 'notification' && line.method === 'notifications/initialized') session.introduced(line);
          return;
        case 'unreachable':
          break;
        case 'refused':
          if (came.status === 404 && tries === 1 && (await session.renew())) continue;
          // Nobody waits for an answer to these, but what cannot be read may have been a request.
          if (came.status === 400 && line.kind === 'other') await emit(errorLine('null', refusalOf(400, came.body)));
          return;
        default:
          return;
      }
      await pause(RETRY_EVERY_MS, undefined, { signal: over.signal }).catch(() => {});
    }
  }

  return {
    take(bytes) {
      const line = readLine(bytes);
      const carrying = line.kind === 'request' ? carryRequest(line) : carryOther(line);
      carried.add(carrying);
      void carrying.finally(() => carried.delete(carrying));
    },
    async finish(graceMs) {
      for (const { line, gone } of flights.values()) if (line.method === 'subscriptions/listen') gone.abort();
      // What waits for the app to start has not been asked yet.
      if (graceMs > 0 && carried.size > 0) await app.reach(false);
      await Promise.race([Promise.all([...carried]), pause(graceMs, undefined, { ref: false })]);
      over.abort();
      for (const { gone } of flights.values()) gone.abort();
      await session.close();
      app.close();
    },
  };
}

function listParams(line: Request, cursor: string | null): Record<string, unknown> {
  const message: unknown = JSON.parse(line.bytes.toString('utf8'));
  const { params } = message as { readonly params?: { readonly _meta?: Readonly<Record<string, unknown>> } };
  const envelope = Object.entries(params?._meta ?? {}).filter(([key]) => key.startsWith('io.modelcontextprotocol/'));
  return { _meta: Object.fromEntries(envelope), ...(cursor === null ? {} : { cursor }) };
}

const SESSION_UNKNOWN = -32001;
/** MCP 2026-07-28, Streamable HTTP: a header does not agree with the body. */
const HEADER_MISMATCH = -32020;
const MOST_PAGES = 64;
const UNAUTHORIZED =
  '401 unauthorized: the key is wrong, revoked or expired. Make another with "gatehouse keys create --role executor --name my-agent" and give it in GATEHOUSE_KEY or --key-file.';
const INTERRUPTED =
  'Gatehouse closed while this call was running: it is unknown whether it ran. Look at the audit before calling again.';
const CLOSED = 'Gatehouse closed before it answered.';
