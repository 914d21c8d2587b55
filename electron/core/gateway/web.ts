import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { requestIdData, SECURITY_HEADERS } from './responses.ts';

/** Headers of the caller that no handler needs and none shall see. */
const WITHHELD = new Set(['authorization', 'cookie', 'host', 'connection', 'content-length', 'transfer-encoding']);

/** What the SDK's handlers take. The body is parsed already and goes beside it. */
export function toWebRequest(request: IncomingMessage, signal: AbortSignal, without: readonly string[] = []): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (WITHHELD.has(name) || without.includes(name) || typeof value !== 'string') continue;
    headers.set(name, value);
  }
  return new Request('http://127.0.0.1/mcp', { method: request.method ?? 'POST', headers, signal });
}

/** A refusal by the protocol's own rules, with the id that finds it in log and audit; what else it carries is kept. */
export async function withRequestId(answer: Response, requestId: string): Promise<Response> {
  const refusal = z
    .looseObject({ error: z.looseObject({ data: z.looseObject({}).optional() }) })
    .safeParse(parsed(await answer.clone().text()));
  if (!refusal.success) return answer;
  const { error } = refusal.data;
  const body = { ...refusal.data, error: { ...error, data: { ...error.data, ...requestIdData(requestId) } } };
  return Response.json(body, { status: answer.status, headers: answer.headers });
}

/** Writes a handler's answer, stream or not, with our headers on top of its own. */
export async function writeWebResponse(response: ServerResponse, answer: Response): Promise<void> {
  if (response.destroyed || response.headersSent) {
    await answer.body?.cancel();
    return;
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of answer.headers) headers[name] = value;
  response.writeHead(answer.status, { ...headers, ...SECURITY_HEADERS });
  if (answer.body === null) {
    response.end();
    return;
  }
  response.flushHeaders();
  const reader = answer.body.getReader();
  const stop = () => {
    reader.cancel().catch(() => {
      // The stream had ended or failed on its own: there is nothing left to cancel.
    });
  };
  response.once('close', stop);
  for (;;) {
    const { done, value } = await reader.read();
    if (done || response.destroyed) break;
    if (!response.write(value)) await drained(response);
  }
  response.off('close', stop);
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      response.off('drain', go);
      response.off('close', go);
      resolve();
    };
    response.on('drain', go);
    response.on('close', go);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
