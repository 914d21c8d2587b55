import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One record as it arrived. */
export interface ArrivedLog {
  readonly timeUnixNano: string;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly eventName: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly resource: Readonly<Record<string, string | number>>;
}

export interface Arrived {
  readonly headers: IncomingHttpHeaders;
  readonly url: string;
  readonly logs: readonly ArrivedLog[];
}

/** What the stand-in answers to the next requests, in turn; the last one stays. */
export type CollectorAnswer = (response: ServerResponse, logs: readonly ArrivedLog[]) => void;

/**
 * STAND-IN for an OpenTelemetry collector, because no collector can be had here: it reads OTLP/HTTP JSON as
 * https://opentelemetry.io/docs/specs/otlp/ says, keeps what it took, and answers what the test tells it to.
 */
export interface CollectorStandIn extends AsyncDisposable {
  readonly url: string;
  readonly requests: readonly Arrived[];
  /** Every log of a request that was answered 200, in order. */
  taken(): readonly ArrivedLog[];
  answer(...answers: CollectorAnswer[]): void;
}

export const takes: CollectorAnswer = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end('{"partialSuccess":{}}');
};

export function refuses(status: number, headers: Readonly<Record<string, string>> = {}, body = ''): CollectorAnswer {
  return (response) => void response.writeHead(status, headers).end(body);
}

export async function startCollector(): Promise<CollectorStandIn> {
  const requests: Arrived[] = [];
  const took: ArrivedLog[] = [];
  let answers: readonly CollectorAnswer[] = [takes];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const logs = logsOf(JSON.parse(Buffer.concat(chunks).toString('utf8')));
    requests.push({ headers: request.headers, url: request.url ?? '', logs });
    const [answer = takes, ...later] = answers;
    if (later.length > 0) answers = later;
    response.on('finish', () => {
      if (response.statusCode === 200) took.push(...logs);
    });
    answer(response, logs);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1/logs`,
    requests,
    taken: () => took,
    answer(...next) {
      answers = next;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Sent {
  readonly resourceLogs: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeLogs: readonly { readonly logRecords: readonly SentLog[] }[];
  }[];
}
interface SentLog extends Omit<ArrivedLog, 'body' | 'attributes' | 'resource'> {
  readonly body: { readonly stringValue: string };
  readonly attributes: readonly KeyValue[];
}
interface KeyValue {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number; readonly doubleValue?: number };
}

function logsOf(sent: Sent): readonly ArrivedLog[] {
  return sent.resourceLogs.flatMap(({ resource, scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords }) =>
      logRecords.map((log) => ({
        ...log,
        body: log.body.stringValue,
        attributes: valuesOf(log.attributes),
        resource: valuesOf(resource.attributes),
      })),
    ),
  );
}

function valuesOf(pairs: readonly KeyValue[]): Readonly<Record<string, string | number>> {
  return Object.fromEntries(
    pairs.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? value.doubleValue ?? '']),
  );
}
