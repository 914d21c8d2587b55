import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { DiagLogLevel, diag, type LogRecord } from '@opentelemetry/api';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { LoggerProvider, type ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { SinkTarget } from '../../../shared/model.ts';
import type { Batch, Delivered, Destination, Sender } from './destination.ts';
import { commitRecord, entryRecord } from './otlp-record.ts';

type OtlpTarget = Extract<SinkTarget, { kind: 'otlp' }>;

/** The exporter's own limit for one export with its retries. Milliseconds. */
const EXPORT_MS = 10_000;
/** How much of what a collector says is shown. */
const QUOTED = 200;

/** What the exporter only logs: that a collector took a batch and not all of it, or that its answer is none. */
interface Heard {
  refused: { readonly count: number; readonly message: string } | null;
  noAnswer: boolean;
}
const hearing = new AsyncLocalStorage<Heard>();

/**
 * Logs over OTLP/HTTP by the official exporter (https://opentelemetry.io/docs/specs/otlp/#otlphttp). Two things it keeps
 * to itself are needed here: what the last answer was, which is read where Node tells of it, and what it writes to its
 * own log.
 */
export function createOtlpDestination(
  target: OtlpTarget,
  sender: Sender,
  secrets: Readonly<Record<string, string>>,
): Destination {
  diag.setLogger(LISTENER, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const agent = new URL(target.url).protocol === 'https:' ? new HttpsAgent(AGENT) : new HttpAgent(AGENT);
  const exporter = new OTLPLogExporter({
    url: target.url,
    headers: { ...secrets },
    timeoutMillis: EXPORT_MS,
    concurrencyLimit: 1,
    httpAgentOptions: () => agent,
    userAgent: `gatehouse/${sender.version}`,
  });
  let answer: { readonly status: number; readonly retryAfter: string | undefined } | null = null;
  const onAnswer = (message: unknown) => {
    const { request, response } = message as {
      readonly request: ClientRequest & Agented;
      readonly response: IncomingMessage;
    };
    if (request.agent !== agent) return;
    answer = { status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] };
  };
  subscribe(ANSWERED, onAnswer);

  async function send(records: readonly ReadableLogRecord[], signal: AbortSignal): Promise<Delivered> {
    answer = null;
    const heard: Heard = { refused: null, noAnswer: false };
    const hangUp = () => agent.destroy();
    signal.addEventListener('abort', hangUp, { once: true });
    try {
      const result = await hearing.run(heard, () => exported(exporter, records));
      if (result === null && heard.noAnswer)
        return failed(
          `${target.url} answered with something that is no OTLP answer. See that the address is that of a collector.`,
        );
      if (result === null && heard.refused !== null) {
        const { count, message } = heard.refused;
        return {
          kind: 'refused_for_good',
          count,
          reason: `The collector refused ${count} of them: “${message.slice(0, QUOTED)}”.`,
        };
      }
      return result === null ? { kind: 'delivered' } : failure(result, answer, target);
    } finally {
      signal.removeEventListener('abort', hangUp);
    }
  }

  return {
    deliver: (batch, signal) => send(recordsOf(batch, sender), signal),
    async check(signal) {
      const sent = await send([], signal);
      return sent.kind === 'failed'
        ? { kind: 'failed', reason: sent.reason }
        : { kind: 'reached', message: `${target.url} takes logs.` };
    },
    async close() {
      unsubscribe(ANSWERED, onAnswer);
      agent.destroy();
    },
  };
}

/** https://nodejs.org/api/diagnostics_channel.html#http */
const ANSWERED = 'http.client.response.finish';
const AGENT = { keepAlive: true, maxSockets: 1 } as const;

interface Agented {
  readonly agent?: unknown;
}

/** Null when the exporter counts it as taken, else its error. */
function exported(exporter: OTLPLogExporter, records: readonly ReadableLogRecord[]): Promise<Error | null> {
  return new Promise((resolve) => {
    exporter.export([...records], ({ code, error }) =>
      resolve(code === EXPORTED ? null : (error ?? new Error('it failed'))),
    );
  });
}

/** `ExportResultCode.SUCCESS`. */
const EXPORTED = 0;

function recordsOf({ chain, entries, commits }: Batch, sender: Sender): readonly ReadableLogRecord[] {
  const records: ReadableLogRecord[] = [];
  const provider = new LoggerProvider({
    resource: resourceFromAttributes({
      'service.name': 'gatehouse',
      'service.version': sender.version,
      'service.instance.id': chain,
      'host.name': sender.machine,
    }),
    processors: [
      {
        onEmit: (record) => void records.push(record),
        forceFlush: async () => {},
        shutdown: async () => {},
      },
    ],
  });
  const logger = provider.getLogger('gatehouse.audit', sender.version);
  const emit = (record: LogRecord) => logger.emit(record);
  const signed = new Map(commits.map((commit) => [commit.seq, commit]));
  for (const entry of entries) {
    emit(entryRecord(entry, chain, sender));
    const commit = signed.get(entry.seq);
    if (commit !== undefined) emit(commitRecord(commit, entry.at, chain, sender));
  }
  return records;
}

function failure(
  error: Error,
  answer: { readonly status: number; readonly retryAfter: string | undefined } | null,
  { url }: OtlpTarget,
): Extract<Delivered, { kind: 'failed' }> {
  if (answer === null) return failed(`${url} does not answer: ${error.message}. It is tried again.`);
  const { status } = answer;
  const asked = askedMs(answer.retryAfter);
  const said =
    'data' in error && typeof error.data === 'string' && error.data.trim() !== ''
      ? ` (“${error.data.trim().slice(0, QUOTED)}”)`
      : '';
  switch (status) {
    case 401:
    case 403:
      return failed(
        `${url} refuses the credentials with ${status}${said}. Remove the sink and add it again with the right header.`,
      );
    case 404:
    case 405:
      return failed(
        `${url} answered ${status}: no logs are taken there. See that the address ends in what the collector expects, often /v1/logs.`,
      );
    case 413:
      return { ...failed(`${url} says that the batch is too large (413).`), because: 'batch' };
    case 400:
    case 422:
      return { ...failed(`${url} refuses what the batch holds (${status})${said}.`), because: 'batch' };
    case 429:
      return { ...failed(`${url} asks to send less (429). It is tried again.`), ...asked };
    case 502:
    case 503:
    case 504:
      return { ...failed(`${url} is not available (${status}). It is tried again.`), ...asked };
  }
  if (status >= 300 && status < 400)
    return failed(
      `${url} answered ${status}: it wants logs at another address, and no redirect is followed. Add the sink with that address.`,
    );
  return failed(`${url} failed (${status})${said}. It is tried again.`);
}

/** RFC 9110, 10.2.3: seconds, or a date. */
function askedMs(retryAfter: string | undefined): { readonly retryAfterMs?: number } {
  if (retryAfter === undefined) return {};
  const ms = /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) * 1_000 : Date.parse(retryAfter) - Date.now();
  return ms > 0 ? { retryAfterMs: ms } : {};
}

function failed(reason: string): Extract<Delivered, { kind: 'failed' }> {
  return { kind: 'failed', reason };
}

const LISTENER = {
  error() {},
  info() {},
  debug() {},
  verbose() {},
  warn(message: string, ...rest: unknown[]) {
    const heard = hearing.getStore();
    if (heard === undefined) return;
    if (message.startsWith('Received Partial Success')) heard.refused = refusedIn(rest.at(-1)) ?? heard.refused;
    else if (message.startsWith('Failed to parse')) heard.noAnswer = true;
  },
};

/** `{"rejectedLogRecords": "3", "errorMessage": "…"}`; none rejected is a mere warning. */
function refusedIn(text: unknown): Heard['refused'] {
  const partial = JSON.parse(String(text)) as {
    readonly rejectedLogRecords?: string | number;
    readonly errorMessage?: string;
  };
  const count = Number(partial.rejectedLogRecords ?? 0);
  return count > 0 ? { count, message: String(partial.errorMessage ?? '') } : null;
}
