import type { IncomingMessage, ServerResponse } from 'node:http';

/** Largest body of one message, bytes. */
export const MAX_BODY = 4 * 1024 * 1024;

/**
 * The whole body, read only now: a caller that waits for leave (`Expect: 100-continue`) gets it here, after every check.
 * `broken`: it hung up before its message was whole.
 */
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  limit: number,
): Promise<Buffer | 'too_large' | 'broken'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) return void chunks.push(chunk);
      chunks.length = 0;
      request.pause();
      resolve('too_large');
    });
    request.on('end', () => resolve(Buffer.concat(chunks, size)));
    // Nothing is run and nobody is left to answer.
    request.on('error', () => resolve('broken'));
    request.on('close', () => resolve('broken'));
    if (request.headers.expect !== undefined) response.writeContinue();
  });
}
