import type { Server } from '@modelcontextprotocol/server';
import type { Era } from '../../../shared/model.ts';
import { textAt } from '../exact-members.ts';
import { exactly, SEALED, sealed, unsealed } from '../exact-text.ts';

/**
 * A result of an upstream on its way to a client. In the modern era the SDK adds type, lifetime and the server's name in
 * `_meta` where they are missing, so there it sees those.
 */
export function relayedResult(
  era: Era,
  result: Readonly<Record<string, unknown>>,
  text: string,
): Record<string, unknown> {
  if (era === 'legacy') return exactly(text);
  const meta = '_meta' in result ? textAt(text, ['_meta']) : null;
  const seen = Object.entries(result).filter(([name]) => SEEN_BY_THE_SDK.has(name));
  return {
    ...exactly(text),
    ...Object.fromEntries(seen),
    ...(meta?.startsWith('{') ? { _meta: exactly(meta) } : {}),
  };
}

/** From now on the server's messages reach its transport sealed where they carry exact texts. */
export function sealAnswers(server: Server): void {
  const connect = server.connect.bind(server);
  server.connect = (transport) => {
    const send = transport.send.bind(transport);
    transport.send = (message, options) => send(sealed(message), options);
    return connect(transport);
  };
}

/** A body that is one message. */
export function unsealedMessage(body: Buffer): Buffer {
  return body.subarray(0, SEALED.length).toString('latin1') === SEALED
    ? Buffer.from(unsealed(body.toString('utf8')).text)
    : body;
}

/** Events of a stream, whole ones: the SDK writes each in one piece, its message on one line. */
export function unsealedEvents(chunk: Uint8Array): Uint8Array {
  const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (!bytes.includes(SEALED_LINE)) return chunk;
  const lines = bytes.toString('utf8').split('\n');
  return Buffer.from(
    lines
      .map((line) => (line.startsWith(SEALED_LINE) ? `data: ${unsealed(line.slice('data: '.length)).text}` : line))
      .join('\n'),
  );
}

const SEALED_LINE = `data: ${SEALED}`;
const SEEN_BY_THE_SDK = new Set(['resultType', 'ttlMs', 'cacheScope']);
