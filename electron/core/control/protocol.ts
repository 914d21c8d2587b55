import { z } from 'zod';
import type { Topic } from '../../../shared/model.ts';
import type { ApiAnswer } from '../api.ts';

/**
 * What passes over the control socket: one JSON object per line. The command line asks `{id, name, input}` and gets
 * `{id, answer}`; after `{subscribe: true}` it also gets `{topic}` whenever something changed.
 */
export const FromCommandLine = z.union([
  z.strictObject({ id: z.number().int().nonnegative(), name: z.string().max(100), input: z.unknown() }),
  z.strictObject({ subscribe: z.literal(true) }),
]);

export type ToCommandLine =
  | { readonly id: number; readonly answer: ApiAnswer }
  | { readonly topic: Topic }
  | { readonly error: string };

/** A policy of 1 MB and 64 secrets of 64 kB each fit, escaped; nothing honest is longer. */
export const MAX_LINE_CHARACTERS = 16 * 1024 * 1024;

/**
 * Cuts a stream of text into lines. Returns false once a line has grown beyond the limit: the caller hangs up.
 * `onLine` gets each line without its end; empty lines are left out.
 */
export function createLines(onLine: (line: string) => void, limit = MAX_LINE_CHARACTERS): (text: string) => boolean {
  let pending: string[] = [];
  let length = 0;
  return (text) => {
    let from = 0;
    for (let end = text.indexOf('\n', from); end !== -1; end = text.indexOf('\n', from)) {
      pending.push(text.slice(from, end));
      const line = pending.join('').trim();
      pending = [];
      length = 0;
      from = end + 1;
      if (line !== '') onLine(line);
    }
    const rest = text.slice(from);
    if (rest !== '') {
      pending.push(rest);
      length += rest.length;
    }
    return length <= limit;
  };
}
