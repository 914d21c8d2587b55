import type { JSONRPCMessage } from '@modelcontextprotocol/client';
import type { Dispatcher } from 'undici';

export interface EventStreamParts {
  /** What is for the SDK of a message; null: it is no MCP message. */
  hear(text: string): JSONRPCMessage | null;
  onTooLarge(): void;
  /** `resumable`: events had ids, so the SDK takes the stream up again where it broke off. */
  onEnd(resumable: boolean): void;
}

/**
 * An event stream on its way to the SDK. Each message is heard on the way, exactly as it was written, and only what the
 * SDK needs of it goes on. The limit (bytes) is for one event: a stream may live for days.
 */
export function eventStream(
  body: Dispatcher.ResponseData['body'],
  limit: number,
  parts: EventStreamParts,
): ReadableStream<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  const boundary = new RegExp(BOUNDARY, 'g');
  /** The event that is not complete yet, and its last characters: an end may lie across two chunks. */
  let held: Buffer[] = [];
  let tail = '';
  let size = 0;
  let resumable = false;

  /** The whole events that a chunk completes, as they go on. */
  function take(chunk: Buffer): string {
    const text = tail + chunk.toString('latin1');
    let passed = '';
    let from = 0;
    boundary.lastIndex = 0;
    for (let end = boundary.exec(text); end !== null; end = boundary.exec(text)) {
      const to = Math.max(0, end.index + end[0].length - tail.length);
      passed += onward(Buffer.concat([...held, chunk.subarray(from, to)]).toString('utf8'));
      held = [];
      from = to;
    }
    held.push(chunk.subarray(from));
    size = from > 0 ? chunk.length - from : size + chunk.length;
    // The end of an event may come in any number of pieces, an empty one among them.
    const open = from > 0 ? from + tail.length : 0;
    tail = text.slice(Math.max(open, text.length - LONGEST_BOUNDARY + 1));
    return passed;
  }

  function onward(event: string): string {
    const lines = event.split(LINE_END);
    resumable ||= lines.some((line) => line.startsWith('id:'));
    const data = lines.flatMap((line) => DATA.exec(line)?.[1] ?? []);
    const kind = lines
      .findLast((line) => line.startsWith('event:'))
      ?.slice(6)
      .trim();
    const isMessage = data.length > 0 && (kind === undefined || kind === '' || kind === 'message');
    const message = isMessage ? parts.hear(data.join('\n')) : null;
    if (message === null) return event;
    const others = lines.filter((line) => line !== '' && !DATA.test(line));
    return `${[...others, `data: ${JSON.stringify(message)}`].join('\n')}\n\n`;
  }

  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await chunks.next();
        if (done) {
          // An event that was not finished is none (HTML standard, 9.2.6).
          controller.close();
          return parts.onEnd(resumable);
        }
        const passed = take(value);
        if (size > limit) {
          parts.onTooLarge();
          body.destroy();
          return controller.error(new Error('an event is larger than the limit'));
        }
        controller.enqueue(encoder.encode(passed));
      } catch (error) {
        controller.error(error);
        parts.onEnd(resumable);
      }
    },
    cancel() {
      body.destroy();
    },
  });
}

/** HTML standard, 9.2.5: a line ends with CRLF, LF or CR; an empty one ends the event. */
const LINE_END = /\r\n|\n|\r/;
const BOUNDARY = /(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))/;
const LONGEST_BOUNDARY = 4;
const DATA = /^data(?::[ ]?(.*))?$/s;
