import { z } from 'zod';
import type { Failure } from './channel.ts';
import type { Answer, Ask } from './exchange.ts';
import { faultOf } from './faults.ts';

export type Listing = { readonly kind: 'listed'; readonly tools: readonly unknown[] } | Failure;

interface ListingParts {
  readonly name: string;
  readonly url: string | null;
  readonly limits: { readonly listPages: number };
}

/** All pages of `tools/list`, or nothing: half a list would make tools look as if they were gone. */
export async function listTools(ask: Ask, signal: AbortSignal, parts: ListingParts): Promise<Listing> {
  const tools: unknown[] = [];
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (let page = 0; page < parts.limits.listPages; page += 1) {
    const answer = await ask('tools/list', cursor === undefined ? {} : { cursor }, { signal });
    if (answer.kind !== 'result') return notListed(answer, signal, parts);
    const parsed = pageSchema.safeParse(answer.result);
    if (!parsed.success) return failure(parts, 'its answer is no list of tools');
    tools.push(...parsed.data.tools);
    cursor = parsed.data.nextCursor;
    if (cursor === undefined) return { kind: 'listed', tools };
    if (seen.has(cursor)) return failure(parts, 'its pages go round in a circle');
    seen.add(cursor);
  }
  return failure(parts, `there is still a next page after ${parts.limits.listPages}`);
}

function notListed(answer: Exclude<Answer, { kind: 'result' }>, signal: AbortSignal, parts: ListingParts): Failure {
  if (signal.aborted) return { ...failure(parts, 'it did not answer in time'), errorClass: 'upstream_timeout' };
  switch (answer.kind) {
    case 'error':
      return failure(parts, `it answered with error ${answer.code}`);
    case 'cut':
      return failure(parts, CUTS[answer.why]);
    case 'threw': {
      const fault = faultOf(answer.error, parts.url);
      const found = failure(parts, `it ${fault.words}`);
      return fault.errorClass === 'auth_required' ? { ...found, errorClass: 'auth_required', retry: 'never' } : found;
    }
  }
}

function failure({ name, url }: ListingParts, why: string): Failure {
  const message = `${name} was started, but its tools could not be listed: ${why}.`;
  return { kind: 'failure', errorClass: 'upstream_unreachable', message, retry: url === null ? 'bounded' : 'patient' };
}

const pageSchema = z.looseObject({ tools: z.array(z.unknown()), nextCursor: z.string().optional() });

const CUTS = {
  too_large: 'the list is larger than the limit for one message',
  stream_ended: 'it ended its answer before the list was complete',
  ended: 'it ended before it answered',
} as const;
