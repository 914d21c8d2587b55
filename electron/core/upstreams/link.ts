import {
  Client,
  type PriorDiscovery,
  ProtocolError,
  ProtocolErrorCode,
  type VersionNegotiationOptions,
} from '@modelcontextprotocol/client';
import { z } from 'zod';
import type { Era, UpstreamSettings } from '../../../shared/model.ts';
import { exactError, exactly, type Written, withoutMeta, writeExact } from '../exact-text.ts';
import type { Clock } from '../platform.ts';
import type { Channel, Failure } from './channel.ts';
import { type Ask, createExchange, type Exchange } from './exchange.ts';
import { type Fault, faultOf, mayBeSseOnly, offersNoModern } from './faults.ts';
import { createLevels } from './levels.ts';
import type { UpstreamLimits } from './limits.ts';
import { createLinkRequest, type LinkOutcome, type LinkRequest, type Pause } from './link-request.ts';
import { type Listing, listAll } from './listing.ts';
import { mayBeAsked } from './offered.ts';
import type { UpstreamOutcome } from './request.ts';
import { badHandshake, endedAtStart, MODERN, notModern, timedOut, unreachable } from './unopened.ts';
import { createWatching } from './watching.ts';

export interface LinkParts {
  /** The upstream's name, for sentences. */
  readonly name: string;
  readonly url: string | null;
  readonly version: string;
  readonly clock: Clock;
  readonly limits: UpstreamLimits;
  /** Input schemas by tool, as listed last over any link of this upstream. */
  readonly schemas: Map<string, unknown>;
  /** Opens a channel; called again when the first one shows that another style is needed. */
  open(exchange: Exchange, style: 'usual' | 'sse'): Channel;
  /** What the upstream is told at the handshake that it may ask for. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** As the person set it: `modern` falls back on nothing else. */
  readonly era: UpstreamSettings['era'];
  /** The verdict of an earlier start. */
  readonly prior: PriorDiscovery | null;
  /**
   * What this start found out about the era, for the next one; null: an earlier verdict is in doubt. Not told when the
   * question went unanswered.
   */
  noteEra(verdict: PriorDiscovery | null): void;
  /** Ends an opening that is no longer wanted. */
  readonly signal: AbortSignal;
  onListChanged(): void;
  /** The upstream asked for something that could not be asked of the one caller it belongs to. It was refused. */
  onRefusedRequest(method: string): void;
  /** A notification that belongs to no request in flight, or not to one alone. */
  onNotice(method: string, params: Written): void;
  /** After the link was open: the process ended, or the connection broke for good. */
  onEnded(how: string): void;
}

/** One open connection to one upstream: one SDK client over one transport. */
export interface Link {
  readonly kind: 'link';
  readonly era: Era;
  readonly pid: number | null;
  readonly callsItself: string | null;
  /** Reached over HTTP: each caller gets a link of its own. */
  readonly isRemote: boolean;
  readonly capabilities: Readonly<Record<string, unknown>>;
  list(signal: AbortSignal): Promise<Listing>;
  request(request: LinkRequest): Promise<LinkOutcome>;
  /** `notifications/resources/updated` is told for exactly these from now on. */
  watch(uris: ReadonlySet<string>): Promise<UpstreamOutcome>;
  /** The roots of the one client whose link this is are others now. Never rejects; nothing happens in the modern era. */
  rootsChanged(): Promise<void>;
  close(): Promise<void>;
}

/** Starts the upstream, shakes hands within `limits.startMs`, or says in one sentence why not. */
export async function openLink(parts: LinkParts): Promise<Link | Failure> {
  const deadline = deadlineOf(parts);
  try {
    const first = await connect(parts, deadline, parts.prior, 'usual');
    if (first.kind === 'link' || first.fault === null) return first.kind === 'link' ? first : first.failure;
    if (parts.era === 'modern') return first.failure;
    if (mayBeSseOnly(first.fault) && parts.url !== null) {
      const old = await connect(parts, deadline, LEGACY, 'sse');
      if (old.kind === 'link') return old;
      // It has the older endpoint, and nobody is let in there: that is why, and not what the newer one answered.
      return old.failure.errorClass === 'auth_required' ? old.failure : first.failure;
    }
    // Servers on old SDKs end at any request before `initialize`, the question for their era included.
    if (first.endedAtProbe) {
      const again = await connect(parts, deadline, LEGACY, 'usual');
      return again.kind === 'link' ? again : again.failure;
    }
    return first.failure;
  } finally {
    deadline.cancel();
  }
}

interface NotConnected {
  readonly kind: 'not';
  readonly failure: Failure;
  readonly fault: Fault | null;
  readonly endedAtProbe: boolean;
}

async function connect(
  parts: LinkParts,
  deadline: Deadline,
  prior: PriorDiscovery | null,
  style: 'usual' | 'sse',
): Promise<Link | NotConnected> {
  const inFlight = new Set<LinkRequest>();
  const exchange = createExchange(parts.clock, (method, given) => {
    const params = withoutSubscription(given);
    if (LISTS_CHANGED.has(method)) {
      parts.onListChanged();
      return;
    }
    const owner = OF_A_REQUEST.has(method) ? onlyCaller(inFlight) : null;
    if (owner === null) parts.onNotice(method, params);
    else owner.onNotification(method, params);
  });
  const channel = parts.open(exchange, style);
  deadline.whenOver(() => void channel.close());
  const client = new Client(
    { name: 'gatehouse', version: parts.version },
    {
      capabilities: parts.capabilities,
      versionNegotiation: negotiationOf(parts),
    },
  );
  let isOpen = false;
  client.onclose = () => {
    exchange.cut(null, 'ended');
    if (!isOpen) return;
    isOpen = false;
    parts.onEnded(channel.ending() ?? 'broke the connection');
  };
  client.fallbackRequestHandler = async (request, { mcpReq }) => {
    const value: Record<string, unknown> = request.params ?? {};
    const params: Written = { value, text: exchange.askedIn(mcpReq.id) ?? writeExact(value) };
    const asker = onlyCaller(inFlight);
    if (asker === null || !mayBeAsked(asker.caller.capabilities, request.method, value)) {
      parts.onRefusedRequest(request.method);
      throw new ProtocolError(ProtocolErrorCode.MethodNotFound, 'Method not found');
    }
    const answer = await asker.ask(request.method, params);
    if (answer.kind === 'result') return exactly(answer.result.text);
    const { code, message, data, text } = answer;
    throw new ProtocolError(code, message, text === undefined ? data : exactError(text));
  };

  const probing = prior === null;
  try {
    const options = { timeout: NO_TIMEOUT, ...(prior === null ? {} : { prior }) };
    await deadline.before(client.connect(exchange.wrap(channel.transport, channel.pid), options));
  } catch (error) {
    const ending = channel.ending();
    await channel.close();
    if (deadline.isOver()) return notConnected(timedOut(parts, channel.garbage()));
    const fault = faultOf(error, parts.url);
    if (parts.era === 'modern' && exchange.discovery() === 'answered' && offersNoModern(error)) {
      parts.noteEra(null);
      return { kind: 'not', failure: notModern(parts), fault, endedAtProbe: false };
    }
    if (parts.url === null) {
      if (ending === null || parts.era !== 'auto') parts.noteEra(null);
      // It ended at the question itself, not some time after the wait for an answer was given up.
      else if (probing && exchange.discovery() !== 'given_up') parts.noteEra(LEGACY);
      const failure = ending === null ? badHandshake(parts) : endedAtStart(parts, ending);
      return { kind: 'not', failure, fault, endedAtProbe: probing && ending !== null };
    }
    if (fault.status !== null) parts.noteEra(null);
    return { kind: 'not', failure: unreachable(parts, fault), fault, endedAtProbe: false };
  }
  isOpen = true;

  const discover = client.getDiscoverResult();
  const era = client.getProtocolEra() === 'modern' ? 'modern' : 'legacy';
  // Only what was found out now: silence may be a slow start, and a verdict of earlier gets no younger by being used.
  const found = probing && style === 'usual' && exchange.discovery() !== 'given_up';
  if (found) parts.noteEra(era === 'modern' && discover ? { kind: 'modern', discover } : LEGACY);
  const capabilities: Readonly<Record<string, unknown>> = client.getServerCapabilities() ?? {};
  const ask: Ask = (method, params, options, onProgress) => {
    // The SDK adds the progress token; progress itself comes from the exchange.
    const wanted = onProgress === undefined ? {} : { onprogress: () => {} };
    const send = () => client.request({ method, params }, ANYTHING, { ...options, ...wanted, timeout: NO_TIMEOUT });
    return exchange.ask(send, onProgress);
  };
  const watched = createWatching(client, ask, era, parts, capabilities, () => isOpen);
  const { schemas } = parts;
  const levels = createLevels((level) =>
    ask('logging/setLevel', { level }, { signal: AbortSignal.timeout(parts.limits.startMs) }),
  );
  const send = createLinkRequest({
    ...parts,
    era,
    ask,
    ending: () => channel.ending(),
    // Headers that repeat arguments exist on Streamable HTTP of the modern era only.
    inputSchema: (tool) => (era === 'modern' && parts.url !== null ? schemas.get(tool) : undefined),
  });
  return {
    kind: 'link',
    era,
    pid: channel.pid,
    callsItself: client.getServerVersion()?.name ?? null,
    isRemote: parts.url !== null,
    async list(signal) {
      const listing = await listAll(ask, capabilities, signal, parts);
      if (listing.kind === 'listed') rememberSchemas(schemas, listing.tools);
      // With a verdict from earlier the handshake of the modern era asks nothing: this is its first answer.
      else if (!probing) parts.noteEra(null);
      return listing;
    },
    capabilities,
    async request(request) {
      let pause: Pause = () => () => {};
      const asking: LinkRequest = {
        ...request,
        async ask(method, params) {
          const goOn = pause();
          return request.ask(method, params).finally(goOn);
        },
      };
      inFlight.add(asking);
      try {
        if (era === 'legacy' && capabilities.logging !== undefined) await levels.reach(request.caller.logLevel);
        return await send(asking, (pausing) => {
          pause = pausing;
        });
      } finally {
        inFlight.delete(asking);
      }
    },
    watch: watched.watch,
    async rootsChanged() {
      if (era !== 'legacy' || !isOpen) return;
      try {
        await client.notification({ method: 'notifications/roots/list_changed' });
      } catch {
        // It is out of reach, which its next call finds and says; an upstream that asks is given the present roots.
      }
    },
    async close() {
      isOpen = false;
      exchange.cut(null, 'ended');
      await channel.close();
    },
  };
}

/** The caller of everything in flight here, when there is exactly one: only then does a word of the upstream belong to it. */
function onlyCaller(inFlight: ReadonlySet<LinkRequest>): LinkRequest | null {
  let last: LinkRequest | null = null;
  for (const request of inFlight) {
    if (last !== null && last.caller.sessionKey !== request.caller.sessionKey) return null;
    last = request;
  }
  return last;
}

interface Deadline {
  isOver(): boolean;
  whenOver(then: () => void): void;
  /** Rejects when the time is over first. */
  before<T>(promise: Promise<T>): Promise<T>;
  cancel(): void;
}

function deadlineOf({ clock, limits, signal }: LinkParts): Deadline {
  let over = false;
  const listeners: (() => void)[] = [];
  const end = () => {
    over = true;
    for (const listener of listeners) listener();
  };
  const cancelTimer = clock.after(limits.startMs, end);
  signal.addEventListener('abort', end, { once: true });
  return {
    isOver: () => over,
    whenOver: (then) => void (over ? then() : listeners.push(then)),
    before: (promise) =>
      new Promise((resolve, reject) => {
        promise.then(resolve, reject);
        const stop = () => reject(new Error('too late'));
        if (over) stop();
        else listeners.push(stop);
      }),
    cancel() {
      cancelTimer();
      signal.removeEventListener('abort', end);
    },
  };
}

function notConnected(failure: Failure): NotConnected {
  return { kind: 'not', failure, fault: null, endedAtProbe: false };
}

/** There is nothing to fall back on when only the modern era is wanted, so the question may take as long as a start may. */
function negotiationOf({ era, limits }: LinkParts): VersionNegotiationOptions {
  if (era === 'modern') return { mode: { pin: MODERN }, probe: { timeoutMs: limits.startMs } };
  return { mode: 'auto', probe: { timeoutMs: limits.probeMs } };
}

function rememberSchemas(schemas: Map<string, unknown>, tools: readonly unknown[]): void {
  schemas.clear();
  for (const tool of tools) {
    const parsed = toolSchema.safeParse(tool);
    if (parsed.success) schemas.set(parsed.data.name, parsed.data.inputSchema);
  }
}

/** The number of our own listening stream ends with it (2026-07-28, subscriptions). */
function withoutSubscription(params: Written): Written {
  const { _meta } = params.value;
  if (typeof _meta !== 'object' || _meta === null || !(SUBSCRIPTION in _meta)) return params;
  const text = withoutMeta(params.text, (name) => name === SUBSCRIPTION);
  return { value: JSON.parse(text) as Written['value'], text };
}

const toolSchema = z.object({ name: z.string(), inputSchema: z.unknown() });
const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';
const LEGACY: PriorDiscovery = { kind: 'legacy' };
const ANYTHING = z.looseObject({});
/** Our own timers decide; the SDK cannot be told to have none. */
const NO_TIMEOUT = 2 ** 31 - 1;
const LISTS_CHANGED = new Set([
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
]);
/** Notifications that a server sends while it works on a request. */
const OF_A_REQUEST = new Set(['notifications/message', 'notifications/elicitation/complete']);
