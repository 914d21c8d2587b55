import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { canonicalArguments } from '../approvals/canonical.ts';
import type { CallEnding, ToolCall } from '../call-tool.ts';
import { textAt } from '../exact-members.ts';
import { exactly, type Written, writeExact } from '../exact-text.ts';
import type { Clock } from '../platform.ts';
import type { AskAnswer, UpstreamOutcome, UpstreamRequest } from '../upstreams/request.ts';
import type { Upstreams } from '../upstreams/upstreams.ts';
import type { Aim } from './aim.ts';
import type { AskClient } from './ask-client.ts';
import { endingOf } from './ending.ts';
import type { CallRecord } from './record.ts';

/**
 * A request that takes several rounds, because the upstream asks its caller something in the middle of it.
 *
 *     caller legacy,  upstream legacy   asked at once, over the caller's own session
 *     caller legacy,  upstream modern   asked at once; the request is made again with the answers
 *     caller modern,  upstream modern   `input_required` goes to the caller, its retry goes on to the upstream
 *     caller modern,  upstream legacy   the request is parked; `input_required` goes to the caller, its retry resumes it
 *
 * (mcp.md section 1; 2026-07-28, multi round-trip requests.) The state a modern caller carries between rounds is ours: it
 * names the call it belongs to, is authenticated, expires, and is good for one retry by the same client with the same
 * arguments. The upstream's own state travels inside it and never reaches another upstream.
 */
export interface Rounds {
  /** The first round. */
  start(call: ToolCall, aim: Aim, record: CallRecord, request: UpstreamRequest): Promise<CallEnding>;
  /** The call that a caller's `requestState` continues; null when it is none of ours, expired, spent, or of another call. */
  resume(call: ToolCall): Resumed | null;
  /** Nobody may go on with the calls of this key any more: what waits of them upstream is cancelled, their records end. */
  endOfKey(keyId: string): void;
  close(): void;
}

export interface Resumed {
  readonly aim: Aim;
  readonly record: CallRecord;
  /** What runs: not what the caller sent, where rules or the person changed it. */
  readonly argumentsText: string;
  /** @param heard what the caller hears of the upstream from now on. */
  goOn(heard: Pick<ToolCall, 'onProgress' | 'onNotification'>): Promise<CallEnding>;
  /** It may not go on (a rule denies it now): what is parked upstream ends. */
  drop(): void;
}

export interface RoundsParts {
  readonly upstreams: Pick<Upstreams, 'request'>;
  readonly askClient: AskClient;
  readonly clock: Clock;
}

/** How long a modern caller may take for its retry; after it the parked request is cancelled upstream. */
export const ROUND_MS = 300_000;
/** Calls of one client that wait for its retry: each holds a place at its upstream, which others want too. */
const MOST_PARKED = 16;
/** A server that asks without end is not answered for ever. */
const MOST_ROUNDS = 16;

type InputRequest = { readonly method: string; readonly params: Written };

/** What is remembered of a call between two rounds. */
interface Open {
  readonly call: ToolCall;
  readonly aim: Aim;
  readonly record: CallRecord;
  readonly request: UpstreamRequest;
  readonly binding: string;
  readonly round: number;
  /** The upstream's own state, where it is modern; undefined is a valid one. */
  readonly upstreamState: string | undefined;
  /** Set where the upstream is legacy and its request is still running. */
  readonly park: Park | null;
  readonly cancelTimer: () => void;
}

/** A request running at a legacy upstream while its modern caller is away. */
interface Park {
  readonly abort: AbortController;
  readonly ending: Promise<UpstreamOutcome>;
  readonly waiting: Map<string, { readonly asked: InputRequest; readonly answer: (answer: AskAnswer) => void }>;
  /** Resolves when the upstream has asked something. */
  asked: Promise<void>;
  tell: () => void;
  /** Whoever is served now hears progress and notifications. */
  current: ToolCall;
  asks: number;
}

export function createRounds({ upstreams, askClient, clock }: RoundsParts): Rounds {
  const key = randomBytes(32);
  const open = new Map<string, Open>();

  /** Legacy caller: it is asked while its request is open. */
  async function askedAtOnce(call: ToolCall, aim: Aim, request: UpstreamRequest): Promise<CallEnding> {
    const ask = (method: string, params: Written) => askClient(call, aim, { method, params }, call.ask);
    let outcome = await upstreams.request({ ...request, ask });
    for (let round = 0; outcome.kind === 'input_required'; round += 1) {
      if (round >= MOST_ROUNDS) return tooManyRounds(aim);
      const asked = inputRequestsOf(outcome.result);
      const inputResponses: Record<string, Written> = {};
      for (const [name, wanted] of asked) {
        const answer = await ask(wanted.method, legacyForm(wanted));
        if (answer.kind === 'error')
          return {
            kind: 'relayed',
            code: answer.code,
            message: answer.message,
            ...(answer.data === undefined ? {} : { data: answer.data }),
            ...(answer.text === undefined ? {} : { text: answer.text }),
          };
        inputResponses[name] = answer.result;
      }
      if (call.cancelled.aborted) return { kind: 'cancelled' };
      outcome = await upstreams.request({
        ...request,
        ask,
        round: { inputResponses, requestState: stateOf(outcome.result) },
      });
    }
    return endingOf(outcome, aim.upstream.name);
  }

  /** Modern caller: what the upstream asks becomes the answer of this round. */
  async function parked(
    call: ToolCall,
    aim: Aim,
    record: CallRecord,
    request: UpstreamRequest,
    round: number,
  ): Promise<CallEnding> {
    const park = newPark(call);
    const stop = () => park.abort.abort();
    if (call.cancelled.aborted) stop();
    call.cancelled.addEventListener('abort', stop, { once: true });
    const ending = upstreams.request({
      ...request,
      signal: park.abort.signal,
      onProgress: (progress) => park.current.onProgress(progress),
      onNotification: (method, params) => park.current.onNotification(method, params),
      ask: (method, params) =>
        askClient(park.current, aim, { method, params }, (askedMethod, askedParams) => {
          return new Promise((answer) => {
            park.asks += 1;
            park.waiting.set(`${call.requestId}-${park.asks}`, {
              asked: { method: askedMethod, params: askedParams },
              answer,
            });
            park.tell();
          });
        }),
    });
    const whole: Park = Object.assign(park, { ending });
    const answered = await nextOf(whole, call, aim, record, request, round);
    // The caller's stream ends with this round; the parked request goes on without it.
    call.cancelled.removeEventListener('abort', stop);
    return answered;
  }

  /** Whatever comes first: the answer, or a question of the upstream. */
  async function nextOf(
    park: Park,
    call: ToolCall,
    aim: Aim,
    record: CallRecord,
    request: UpstreamRequest,
    round: number,
  ): Promise<CallEnding> {
    const first = await Promise.race([park.ending, park.asked.then(() => null)]);
    if (first !== null) return modernEnding(first, call, aim, record, request, round);
    if (round >= MOST_ROUNDS) {
      park.abort.abort();
      return tooManyRounds(aim);
    }
    if (parkedBy(call.client.id) >= MOST_PARKED) {
      park.abort.abort();
      return tooManyParked();
    }
    const inputRequests = Object.fromEntries(
      [...park.waiting].map(([name, { asked }]) => [
        name,
        { method: asked.method, params: exactly(asked.params.text) },
      ]),
    );
    const requestState = remember({ call, aim, record, request, round, upstreamState: undefined, park });
    const text = writeExact({ resultType: 'input_required', inputRequests, requestState });
    return { kind: 'input_required', result: { value: JSON.parse(text) as Written['value'], text } };
  }

  async function modernEnding(
    outcome: UpstreamOutcome,
    call: ToolCall,
    aim: Aim,
    record: CallRecord,
    request: UpstreamRequest,
    round: number,
  ): Promise<CallEnding> {
    if (outcome.kind !== 'input_required') return endingOf(outcome, aim.upstream.name);
    if (round >= MOST_ROUNDS) return tooManyRounds(aim);
    let asked = outcome.result;
    for (const [name, wanted] of inputRequestsOf(outcome.result)) {
      const { refusal, params } = await askClient.judged(call, aim, wanted);
      if (refusal !== null) return refusal;
      if (params !== wanted.params) asked = withParams(asked, name, params);
    }
    const requestState = remember({
      call,
      aim,
      record,
      request,
      round,
      upstreamState: stateOf(outcome.result),
      park: null,
    });
    const { value, text } = asked;
    return {
      kind: 'input_required',
      result: { value: { ...value, requestState }, text: writeExact({ ...exactly(text), requestState }) },
    };
  }

  function parkedBy(clientId: string): number {
    return [...open.values()].filter(({ call, park }) => park !== null && call.client.id === clientId).length;
  }

  function remember(state: Omit<Open, 'binding' | 'cancelTimer'>): string {
    const id = randomBytes(16).toString('base64url');
    const expiresAt = clock.now() + ROUND_MS;
    const cancelTimer = clock.after(ROUND_MS, () => giveUp(id));
    open.set(id, { ...state, binding: bindingOf(state.call), cancelTimer });
    const body = Buffer.from(JSON.stringify({ id, upstream: state.aim.upstream.id, expiresAt })).toString('base64url');
    return `${body}.${mac(body)}`;
  }

  /** Nobody comes back for it. */
  function giveUp(id: string): void {
    const state = open.get(id);
    if (state === undefined) return;
    open.delete(id);
    state.cancelTimer();
    state.park?.abort.abort();
    state.record.ended({ kind: 'cancelled' });
  }

  function mac(body: string): string {
    return createHmac('sha256', key).update(body).digest('base64url');
  }

  /** The id inside a state that is ours and has not expired. */
  function idOf(requestState: string): string | null {
    const [body = '', given = ''] = requestState.split('.');
    const wanted = Buffer.from(mac(body));
    const got = Buffer.from(given);
    if (wanted.length !== got.length || !timingSafeEqual(wanted, got)) return null;
    const { id, expiresAt } = JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as {
      id: string;
      expiresAt: number;
    };
    return clock.now() < expiresAt ? id : null;
  }

  async function goOn(state: Open, call: ToolCall): Promise<CallEnding> {
    const { aim, record, park } = state;
    const round = state.round + 1;
    const inputResponses = call.inputResponses ?? {};
    if (park === null) {
      const request = {
        ...state.request,
        signal: call.cancelled,
        onProgress: call.onProgress,
        onNotification: call.onNotification,
        round: { inputResponses, requestState: state.upstreamState },
      };
      const { argumentsText, moreText } = state.request;
      const recorded = await record.forwarded(argumentsText ?? '', { text: moreText, leftOut: [] });
      if (recorded.kind === 'unavailable')
        return { kind: 'refused', errorClass: 'audit_unavailable', message: recorded.reason, rule: null };
      return modernEnding(await upstreams.request(request), call, aim, record, state.request, round);
    }
    park.current = call;
    const stop = () => park.abort.abort();
    if (call.cancelled.aborted) stop();
    call.cancelled.addEventListener('abort', stop, { once: true });
    for (const [name, { answer }] of park.waiting) {
      const given = inputResponses[name];
      if (given === undefined) continue;
      park.waiting.delete(name);
      answer({ kind: 'result', result: given });
    }
    if (park.waiting.size === 0) renew(park);
    const answered = await nextOf(park, call, aim, record, state.request, round);
    call.cancelled.removeEventListener('abort', stop);
    return answered;
  }

  return {
    start(call, aim, record, request) {
      return call.era === 'legacy' ? askedAtOnce(call, aim, request) : parked(call, aim, record, request, 1);
    },
    resume(call) {
      const id = call.requestState === null ? null : idOf(call.requestState);
      const state = id === null ? undefined : open.get(id);
      if (id === null || state === undefined || state.binding !== bindingOf(call)) return null;
      // Spent: one state continues a call once, whatever becomes of this round.
      open.delete(id);
      state.cancelTimer();
      return {
        aim: state.aim,
        record: state.record,
        argumentsText: state.request.argumentsText ?? call.argumentsText,
        goOn: (heard) => goOn(state, { ...call, ...heard }),
        drop: () => state.park?.abort.abort(),
      };
    },
    endOfKey(keyId) {
      for (const [id, { call }] of [...open]) if (call.key.id === keyId) giveUp(id);
    },
    close() {
      for (const state of open.values()) {
        state.cancelTimer();
        state.park?.abort.abort();
      }
      open.clear();
    },
  };
}

function newPark(call: ToolCall): Omit<Park, 'ending'> {
  const park = {
    abort: new AbortController(),
    waiting: new Map(),
    asked: Promise.resolve(),
    tell: () => {},
    current: call,
    asks: 0,
  };
  renew(park);
  return park;
}

function renew(park: Pick<Park, 'asked' | 'tell'>): void {
  park.asked = new Promise((resolve) => {
    // One turn, so that questions asked together are told together.
    park.tell = () => void setImmediate(resolve);
  });
}

/** Client, tool and canonical arguments: a state continues this call and no other (security.md B11). */
function bindingOf(call: ToolCall): string {
  const { target } = call;
  const canonical = canonicalArguments(call.argumentsText) ?? call.argumentsText;
  return createHash('sha256')
    .update(JSON.stringify([call.client.id, call.key.id, target, canonical]))
    .digest('hex');
}

function inputRequestsOf({ value, text }: Written): readonly (readonly [string, InputRequest])[] {
  const { inputRequests } = value;
  if (!isObject(inputRequests)) return [];
  return Object.entries(inputRequests).flatMap(([name, wanted]) => {
    if (!isObject(wanted) || typeof wanted.method !== 'string') return [];
    const params = isObject(wanted.params) ? wanted.params : {};
    const exact = textAt(text, ['inputRequests', name, 'params']) ?? '{}';
    return [[name, { method: wanted.method, params: { value: params, text: exact } }] as const];
  });
}

/** The same questions, one of them with other params. */
function withParams({ value, text }: Written, name: string, params: Written): Written {
  const all = isObject(value.inputRequests) ? value.inputRequests : {};
  const one = isObject(all[name]) ? all[name] : {};
  const exactAll = exactly(textAt(text, ['inputRequests']) ?? '{}');
  const exactOne = exactly(textAt(text, ['inputRequests', name]) ?? '{}');
  return {
    value: { ...value, inputRequests: { ...all, [name]: { ...one, params: params.value } } },
    text: writeExact({
      ...exactly(text),
      inputRequests: { ...exactAll, [name]: { ...exactOne, params: exactly(params.text) } },
    }),
  };
}

/** URL elicitation of the 2025 revisions has an id for its completion, which the modern one has not. */
function legacyForm({ method, params }: InputRequest): Written {
  const { value, text } = params;
  if (method !== 'elicitation/create' || value.mode !== 'url' || value.elicitationId !== undefined) return params;
  const elicitationId = randomBytes(16).toString('base64url');
  return { value: { ...value, elicitationId }, text: writeExact({ ...exactly(text), elicitationId }) };
}

function stateOf({ value }: Written): string | undefined {
  return typeof value.requestState === 'string' ? value.requestState : undefined;
}

function tooManyParked(): CallEnding {
  return {
    kind: 'refused',
    errorClass: 'too_many_pending',
    message: `${MOST_PARKED} calls already wait for answers of this client. Answer or cancel one first.`,
    rule: null,
  };
}

function tooManyRounds({ upstream }: Aim): CallEnding {
  return {
    kind: 'failed',
    errorClass: 'upstream_timeout',
    message: `${upstream.name} asked for input more than ${MOST_ROUNDS} times in one call.`,
    upstream: upstream.name,
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
