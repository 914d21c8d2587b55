import { z } from 'zod';
import type { Failure } from './channel.ts';
import type { Answer, Ask } from './exchange.ts';
import { faultOf } from './faults.ts';

/** Everything an upstream offers, all pages of it. */
export interface Listed {
  readonly kind: 'listed';
  readonly tools: readonly unknown[];
  readonly prompts: readonly unknown[];
  readonly templates: readonly unknown[];
  readonly resources: readonly Readonly<Record<string, unknown>>[];
}

export type Listing = Listed | Failure;

type Pages = { readonly kind: 'pages'; readonly items: readonly unknown[] } | Failure;

interface ListingParts {
  readonly name: string;
  readonly url: string | null;
  readonly limits: { readonly listPages: number; readonly listItems: number };
}

/**
 * What the upstream says it has. Without its tools the listing has failed. Prompts and resources that cannot be listed are
 * taken for none: many servers declare them and answer with an error.
 */
export async function listAll(
  ask: Ask,
  capabilities: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
  parts: ListingParts,
): Promise<Listing> {
  const has = (capability: string) => capabilities[capability] !== undefined;
  const none: Pages = { kind: 'pages', items: [] };
  const tools = has('tools') ? await listPages(ask, 'tools/list', 'tools', signal, parts) : none;
  if (tools.kind === 'failure') return tools;
  const [prompts, resources, templates] = await Promise.all([
    has('prompts') ? listPages(ask, 'prompts/list', 'prompts', signal, parts) : none,
    has('resources') ? listPages(ask, 'resources/list', 'resources', signal, parts) : none,
    has('resources') ? listPages(ask, 'resources/templates/list', 'resourceTemplates', signal, parts) : none,
  ]);
  if (signal.aborted) return failure(parts, 'it did not answer in time');
  return {
    kind: 'listed',
    tools: tools.items,
    prompts: itemsOf(prompts),
    templates: itemsOf(templates),
    resources: itemsOf(resources).filter(isRecord),
  };
}

function itemsOf(pages: Pages): readonly unknown[] {
  return pages.kind === 'pages' ? pages.items : [];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** All pages of one list, or nothing: half a list would make tools look as if they were gone. */
async function listPages(
  ask: Ask,
  method: string,
  member: string,
  signal: AbortSignal,
  parts: ListingParts,
): Promise<Pages> {
  const items: unknown[] = [];
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (let page = 0; page < parts.limits.listPages; page += 1) {
    const answer = await ask(method, cursor === undefined ? {} : { cursor }, { signal });
    if (answer.kind !== 'result') return notListed(answer, signal, parts);
    const parsed = pageSchema.safeParse(answer.result);
    const listed = parsed.success ? parsed.data[member] : undefined;
    if (!parsed.success || !Array.isArray(listed)) return failure(parts, `its answer is no list of ${member}`);
    if (items.length + listed.length > parts.limits.listItems) {
      return beyond(parts, `it lists more than ${parts.limits.listItems} ${member}, its limit`);
    }
    items.push(...listed);
    cursor = parsed.data.nextCursor;
    if (cursor === undefined) return { kind: 'pages', items };
    if (seen.has(cursor)) return failure(parts, 'its pages go round in a circle');
    seen.add(cursor);
  }
  return beyond(parts, `there is still a next page after ${parts.limits.listPages}, its limit`);
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

/** Another start would find the same list. */
function beyond(parts: ListingParts, why: string): Failure {
  return { ...failure(parts, why), errorClass: 'list_too_large', retry: 'never' };
}

const pageSchema = z.looseObject({ nextCursor: z.string().optional() });

const CUTS = {
  too_large: 'the list is larger than the limit for one message',
  stream_ended: 'it ended its answer before the list was complete',
  ended: 'it ended before it answered',
} as const;
