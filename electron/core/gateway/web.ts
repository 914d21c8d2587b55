import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { unsealedEvents, unsealedMessage } from './exact-answers.ts';
import { requestIdData, SECURITY_HEADERS } from './responses.ts';

/** Headers of the caller that no handler needs and none shall see. */
const WITHHELD = new Set(['authorization', 'cookie', 'host', 'connection', 'content-length', 'transfer-encoding']);

/**
 * What the SDK's handlers take. The body is parsed already and goes beside it. `signal` is null where no handler looks at
 * it (the 2025 revisions, whose calls outlive their connection): a `Request` that follows one costs twice as much.
 */
export function toWebRequest(
  request: IncomingMessage,
  signal: AbortSignal | null,
  without: readonly string[] = [],
): Request {
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

/** How long the headers of an answer wait for its first bytes, so that both go out in one write. Milliseconds. */
const FIRST_MS = 20;

/** Writes a handler's answer, stream or not, with our headers on top of its own. */
export async function writeWebResponse(response: ServerResponse, answer: Response): Promise<void> {
  if (response.destroyed || response.headersSent) {
    await answer.body?.cancel();
    return;
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of answer.headers) headers[name] = value;
  Object.assign(headers, SECURITY_HEADERS);
  if (answer.body === null) {
    response.writeHead(answer.status, headers).end();
    return;
  }
  if (headers['content-type']?.startsWith('application/json')) {
    const body = unsealedMessage(Buffer.from(await answer.arrayBuffer()));
    response.writeHead(answer.status, { ...headers, 'content-length': body.length }).end(body);
    return;
  }
  response.writeHead(answer.status, headers);
  // A GET is a stream that may stay empty for long; the answer to a POST is often there at once.
  const flushing = setTimeout(() => response.flushHeaders(), response.req.method === 'GET' ? 0 : FIRST_MS);
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
    clearTimeout(flushing);
    // What the stream has ready goes out in one write, and waits for nothing that it has not. (The socket, because Node
    // writes the end of a corked response before what is corked.)
    const { socket } = response;
    if (socket?.writableCorked === 0) {
      socket.cork();
      setImmediate(() => response.writableEnded || socket.uncork());
    }
    if (!response.write(unsealedEvents(value))) await drained(response);
  }
  clearTimeout(flushing);
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
