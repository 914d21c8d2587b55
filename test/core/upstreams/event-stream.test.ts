import type { JSONRPCMessage } from '@modelcontextprotocol/client';
import fc from 'fast-check';
import type { Dispatcher } from 'undici';
import { expect, test } from 'vitest';
import { eventStream } from '../../../electron/core/upstreams/event-stream.ts';
import { sameCasesEveryTime } from '../../support/seed.ts';

sameCasesEveryTime();

async function pass(chunks: readonly Buffer[], limit = 10_000) {
  const heard: string[] = [];
  let ended: boolean | null = null;
  let tooLarge = false;
  const body = Object.assign(
    (async function* () {
      yield* chunks;
    })(),
    { destroy() {} },
  ) as unknown as Dispatcher.ResponseData['body'];
  const stream = eventStream(body, limit, {
    hear(text) {
      heard.push(text);
      return text.startsWith('{') ? ({ jsonrpc: '2.0', id: heard.length, result: {} } as JSONRPCMessage) : null;
    },
    onTooLarge: () => {
      tooLarge = true;
    },
    onEnd: (resumable) => {
      ended = resumable;
    },
  });
  const passed = await new Response(stream).text().catch((error: Error) => error.message);
  return { heard, passed, ended, tooLarge };
}

const STREAM =
  ': comment\n\nid: 1\r\nevent: message\r\ndata: {"a":1.0,\r\ndata: "b":"é😀"}\r\n\r\nevent: endpoint\ndata: /messages\n\ndata:{"c":2.0}\r\rdata: no message\n\n';

test('events are heard one by one however the bytes are cut, and what is no message goes on as it is', async () => {
  const bytes = Buffer.from(STREAM);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 12 }), async (cuts) => {
      const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
      const { heard, passed, ended } = await pass(chunks);
      expect(heard).toEqual(['{"a":1.0,\n"b":"é😀"}', '{"c":2.0}', 'no message']);
      const data = passed.split(/\r\n|\n|\r/).filter((line) => line !== '');
      expect(data).toEqual([
        ': comment',
        'id: 1',
        'event: message',
        'data: {"jsonrpc":"2.0","id":1,"result":{}}',
        'event: endpoint',
        'data: /messages',
        'data: {"jsonrpc":"2.0","id":2,"result":{}}',
        'data: no message',
      ]);
      expect(ended).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test('the limit is for one event: many small ones pass, one that does not end is cut', async () => {
  const small = Array.from({ length: 100 }, () => Buffer.from(`data: {"x":"${'y'.repeat(40)}"}\n\n`));
  expect(await pass(small, 100)).toMatchObject({ tooLarge: false, ended: false });
  const endless = Array.from({ length: 10 }, () => Buffer.from('data: zzzzzzzzzzzzzzzz'));
  expect(await pass(endless, 100)).toMatchObject({ tooLarge: true, passed: 'an event is larger than the limit' });
});
