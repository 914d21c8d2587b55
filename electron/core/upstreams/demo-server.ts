import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client';
import { Server, type Tool } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { exactTextOf } from '../exact-text.ts';
import type { Clock } from '../platform.ts';
import type { Channel } from './channel.ts';

/**
 * The built-in upstream: a handful of notes in memory, and tools that read, write, destroy, are slow, fail and change
 * their own definition, so that every path is seen without an account. It gets its messages as text like any other.
 */
export function openDemo(parts: { readonly clock: Clock; hear(text: string): JSONRPCMessage | null }): Channel {
  const server = createDemoServer(parts.clock);
  const near: Transport = {
    start: () => server.connect(far),
    // As over a pipe: what the server reads is the text with the exact arguments in it.
    async send(message) {
      const text = exactTextOf(message) ?? JSON.stringify(message);
      far.onmessage?.(JSON.parse(text) as JSONRPCMessage);
    },
    async close() {
      await server.close();
    },
  };
  const far: Transport = {
    async start() {},
    async send(message) {
      const heard = parts.hear(JSON.stringify(message));
      if (heard !== null) near.onmessage?.(heard);
    },
    async close() {
      far.onclose?.();
      near.onclose?.();
    },
  };
  return { transport: near, pid: null, close: () => near.close(), ending: () => null, garbage: () => 0 };
}

function createDemoServer(clock: Clock): Server {
  const server = new Server(
    { name: 'gatehouse-demo', version: '1.0.0' },
    { capabilities: { tools: { listChanged: true } } },
  );
  const notes = new Map(STARTING_NOTES);
  let changes = 0;

  server.setRequestHandler('tools/list', () => ({ tools: definitions(changes) }));
  server.setRequestHandler('tools/call', async (request, context) => {
    const { name } = request.params;
    const given = argumentsSchema.parse(request.params.arguments ?? {});
    switch (name) {
      case 'list_notes': {
        const titles = [...notes.keys()];
        return {
          ...text(titles.length === 0 ? 'There are no notes.' : titles.join('\n')),
          structuredContent: { titles },
        };
      }
      case 'read_note': {
        const found = notes.get(given.title);
        return found === undefined ? { ...text(`There is no note "${given.title}".`), isError: true } : text(found);
      }
      case 'write_note':
        notes.set(given.title, given.text);
        return text(`Wrote "${given.title}".`);
      case 'delete_all_notes': {
        const count = notes.size;
        notes.clear();
        return text(`Deleted ${count} notes.`);
      }
      case 'slow_count': {
        const progressToken = request.params._meta?.progressToken;
        for (let step = 1; step <= given.to; step += 1) {
          await pause(clock, SECOND_MS, context.mcpReq.signal);
          if (context.mcpReq.signal.aborted) return { ...text(`Stopped at ${step - 1}.`), isError: true };
          if (progressToken === undefined) continue;
          const params = { progressToken, progress: step, total: given.to, message: `counted to ${step}` };
          await context.mcpReq.notify({ method: 'notifications/progress', params });
        }
        return text(`Counted to ${given.to}.`);
      }
      case 'always_fails':
        return { ...text('This tool always fails. That is what it is for.'), isError: true };
      case 'change_my_definition':
        changes += 1;
        await server.sendToolListChanged();
        return text('The description of write_note is another one now. Gatehouse asks for a review of it.');
      default:
        return { ...text(`There is no tool "${name}".`), isError: true };
    }
  });
  return server;
}

function definitions(changes: number): Tool[] {
  const changed = changes === 0 ? '' : ` Changed on request (${changes}).`;
  return [
    {
      name: 'list_notes',
      title: 'List notes',
      description: 'Lists the titles of all demo notes.',
      inputSchema: object({}),
      outputSchema: {
        type: 'object' as const,
        properties: { titles: { type: 'array', items: { type: 'string' } } },
        required: ['titles'],
      },
      annotations: { readOnlyHint: true },
    },
    {
      name: 'read_note',
      title: 'Read a note',
      description: 'Reads one demo note by its title.',
      inputSchema: object({ title: TITLE }, ['title']),
      annotations: { readOnlyHint: true },
    },
    {
      name: 'write_note',
      title: 'Write a note',
      description: `Writes one demo note; a note of the same title is replaced.${changed}`,
      inputSchema: object({ title: TITLE, text: { type: 'string', description: 'The whole text.' } }, [
        'title',
        'text',
      ]),
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true },
    },
    {
      name: 'delete_all_notes',
      title: 'Delete all notes',
      description:
        'Deletes every demo note. There is no way back, except that demo notes come again at the next start.',
      inputSchema: object({}),
      annotations: { readOnlyHint: false, destructiveHint: true },
    },
    {
      name: 'slow_count',
      title: 'Count slowly',
      description: 'Counts to a number, one per second, and reports progress.',
      inputSchema: object({ to: { type: 'integer', minimum: 1, maximum: 60, default: 5 } }),
      annotations: { readOnlyHint: true },
    },
    {
      name: 'always_fails',
      title: 'Fail',
      description: 'Answers with an error, always.',
      inputSchema: object({}),
      annotations: { readOnlyHint: true },
    },
    {
      name: 'change_my_definition',
      title: 'Change a definition',
      description: 'Changes the description of write_note, as an upstream could at any time.',
      inputSchema: object({}),
      annotations: { readOnlyHint: false },
    },
  ];
}

function object(properties: Record<string, Property>, required: readonly string[] = []): Tool['inputSchema'] {
  return { type: 'object' as const, properties, required: [...required], additionalProperties: false };
}

function text(value: string) {
  return { content: [{ type: 'text' as const, text: value }] };
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve);
    signal.addEventListener(
      'abort',
      () => {
        cancel();
        resolve();
      },
      { once: true },
    );
  });
}

const argumentsSchema = z.object({
  title: z.string().default(''),
  text: z.string().default(''),
  to: z.number().int().min(1).max(60).default(5),
});

type Property = Readonly<Record<string, string | number>>;

const TITLE = { type: 'string', description: 'The title, as list_notes gives it.' };
const SECOND_MS = 1_000;
const STARTING_NOTES: readonly (readonly [string, string])[] = [
  ['welcome', 'These notes live in the memory of Gatehouse. Try to read, write and delete them through your agent.'],
  ['shopping', 'bread\ncoffee\nlight bulbs'],
];
