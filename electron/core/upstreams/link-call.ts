import type { Clock } from '../platform.ts';
import type { Answer, Ask } from './exchange.ts';
import { faultOf } from './faults.ts';
import { inWords, sizeInWords, type UpstreamLimits } from './limits.ts';
import type { ArgumentMarkers } from './marker.ts';
import { parameterHeaders } from './parameter-headers.ts';
import type { UpstreamCall, UpstreamOutcome } from './upstreams.ts';

export type LinkCall = Pick<UpstreamCall, 'clientId' | 'tool' | 'argumentsText' | 'meta' | 'signal' | 'onProgress'>;

/** `stale`: the upstream no longer knows our session, or was not reached. The call did not run. */
export type LinkOutcome =
  | UpstreamOutcome
  | { readonly kind: 'stale'; readonly status: number | null; readonly outcome: UpstreamOutcome };

interface CallParts {
  readonly name: string;
  readonly url: string | null;
  readonly clock: Clock;
  readonly limits: UpstreamLimits;
  readonly markers: ArgumentMarkers;
  ask: Ask;
  ending(): string | null;
  inputSchema(tool: string): unknown;
}

/** One `tools/call`: the exact text, limits that progress resets, and one named ending. */
export function createLinkCall(parts: CallParts): (call: LinkCall) => Promise<LinkOutcome> {
  return async (call) => {
    const { clock, limits } = parts;
    const placed = parts.markers.put(call.argumentsText);
    const abort = new AbortController();
    let why: 'cancelled' | 'timeout' | 'ceiling' | null = null;
    const stop = (reason: NonNullable<typeof why>) => {
      why ??= reason;
      abort.abort(reason);
    };
    const onAbort = () => stop('cancelled');
    if (call.signal.aborted) onAbort();
    call.signal.addEventListener('abort', onAbort, { once: true });
    let cancelLimit = clock.after(limits.callMs, () => stop('timeout'));
    const cancelCeiling = clock.after(limits.ceilingMs, () => stop('ceiling'));
    try {
      if (why !== null) return { kind: 'cancelled' };
      const meta = withoutEnvelope(call.meta);
      const params = { name: call.tool, arguments: placed.marker, ...(meta === null ? {} : { _meta: meta }) };
      const headers = parameterHeaders(parts.inputSchema(call.tool), call.argumentsText);
      const answer = await parts.ask('tools/call', params, { signal: abort.signal, headers }, (progress) => {
        if (why !== null) return;
        cancelLimit();
        cancelLimit = clock.after(limits.callMs, () => stop('timeout'));
        call.onProgress(progress);
      });
      // A limit or the caller ended the wait: that is the ending, whatever the SDK makes of it.
      return answer.kind === 'threw' && why !== null ? stopped(why, parts) : outcomeOf(answer, parts);
    } finally {
      cancelLimit();
      cancelCeiling();
      call.signal.removeEventListener('abort', onAbort);
      placed.drop();
    }
  };
}

function stopped(why: 'cancelled' | 'timeout' | 'ceiling', { name, limits }: CallParts): UpstreamOutcome {
  if (why === 'cancelled') return { kind: 'cancelled' };
  const message =
    why === 'timeout'
      ? `${name} did not answer within ${inWords(limits.callMs)}, its limit for a call without progress.`
      : `${name} did not finish within ${inWords(limits.ceilingMs)}, its limit for one call.`;
  return { kind: 'failed', errorClass: 'upstream_timeout', message };
}

function outcomeOf(answer: Answer, parts: CallParts): LinkOutcome {
  switch (answer.kind) {
    case 'error':
      return answer;
    case 'result':
      return answered(answer.result, parts);
    case 'cut':
      return cut(answer.why, parts);
    case 'threw': {
      const fault = faultOf(answer.error, parts.url);
      const message = `${parts.name} ${parts.ending() ?? fault.words}.`;
      if (fault.errorClass === 'auth_required') return { kind: 'failed', errorClass: 'auth_required', message };
      if (!fault.unsent) return crashed(parts, parts.ending() ?? fault.words);
      const outcome: UpstreamOutcome = { kind: 'failed', errorClass: 'upstream_unreachable', message };
      // 404 is how a server says that it does not know our session any more; older ones say 400.
      const isStale = fault.status === null || fault.status === 404 || fault.status === 400;
      return isStale ? { kind: 'stale', status: fault.status, outcome } : outcome;
    }
  }
}

function answered(given: Readonly<Record<string, unknown>>, parts: CallParts): UpstreamOutcome {
  if (given.resultType === 'input_required') {
    // Never offered by us, so no server may ask for it (2026-07-28, multi round-trip requests).
    const message = `${parts.name} asked for input in the middle of the call, which it was told is not available.`;
    return { kind: 'error', code: -32603, message };
  }
  const result = withoutResultEnvelope(given);
  const bytes = Buffer.byteLength(JSON.stringify(result));
  if (bytes > parts.limits.messageBytes) return tooLarge(parts);
  return { kind: 'answered', result, bytes };
}

function cut(why: 'too_large' | 'stream_ended' | 'ended', parts: CallParts): UpstreamOutcome {
  if (why === 'too_large') return tooLarge(parts);
  const how = why === 'ended' ? (parts.ending() ?? 'ended') : 'ended its answer before it was complete';
  return crashed(parts, how);
}

function crashed({ name }: CallParts, how: string): UpstreamOutcome {
  const message = `${name} ${how} during the call; it is unknown whether the call had an effect.`;
  return { kind: 'failed', errorClass: 'upstream_crashed', message };
}

function tooLarge({ name, limits }: CallParts): UpstreamOutcome {
  const message = `${name} answered with more than ${sizeInWords(limits.messageBytes)}, its limit for one message. The call did run.`;
  return { kind: 'failed', errorClass: 'result_too_large', message };
}

/** What a caller says about itself is for us; towards the upstream we speak for ourselves. */
function withoutEnvelope(meta: Readonly<Record<string, unknown>>): Record<string, unknown> | null {
  const kept = Object.entries(meta).filter(([key]) => !ENVELOPE.has(key) && key !== 'progressToken');
  return kept.length === 0 ? null : Object.fromEntries(kept);
}

/** `resultType: complete` and the server's name belong to the hop that ends here, not to the result. */
function withoutResultEnvelope(result: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { resultType, _meta, ...rest } = result;
  if (resultType === undefined && _meta === undefined) return result;
  const kept = resultType === undefined || resultType === 'complete' ? rest : { resultType, ...rest };
  if (typeof _meta !== 'object' || _meta === null) return _meta === undefined ? kept : { ...kept, _meta };
  const meta = Object.fromEntries(Object.entries(_meta).filter(([key]) => key !== SERVER_INFO));
  return Object.keys(meta).length === 0 && SERVER_INFO in _meta ? kept : { ...kept, _meta: meta };
}

const PREFIX = 'io.modelcontextprotocol/';
const SERVER_INFO = `${PREFIX}serverInfo`;
const ENVELOPE = new Set(
  ['protocolVersion', 'clientInfo', 'clientCapabilities', 'logLevel'].map((key) => PREFIX + key),
);
