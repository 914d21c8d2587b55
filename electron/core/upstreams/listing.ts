import { z } from 'zod';
import type { Failure } from './channel.ts';
import type { Answer, Ask } from './exchange.ts';
import { faultOf } from './faults.ts';
import { sizeInWords } from './limits.ts';

/** Everything an upstream offers, all pages of it. */
export interface Listed {
  readonly kind: 'listed';
  readonly tools: readonly unknown[];
  readonly prompts: readonly unknown[];
  readonly templates: readonly unknown[];
  readonly resources: readonly Readonly<Record<string, unknown>>[];
  /** Lists that are taken for empty because they go beyond a limit: one sentence, null when there are none. */
  readonly leftOut: string | null;
}

export type Listing = Listed | Failure;

/** `beyond`: which limit the list goes beyond, in words that follow the list; null when it failed otherwise. */
type Pages =
  | { readonly kind: 'pages'; readonly items: readonly unknown[] }
  | (Failure & { readonly beyond: string | null });

interface ListingParts {
  readonly name: string;
  readonly url: string | null;
  readonly limits: { readonly listPages: number; readonly listItems: number; readonly messageBytes: number };
}

/**
 * What the upstream says it has. Without its tools the listing has failed. Prompts and resources that cannot be listed are
 * taken for none: many servers declare them and answer with an error. That they go beyond a limit is said.
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
    leftOut: leftOut(parts, { prompts, resources, 'resource templates': templates }),
  };
}

function itemsOf(pages: Pages): readonly unknown[] {
  return pages.kind === 'pages' ? pages.items : [];
}

function leftOut({ name }: ListingParts, lists: Readonly<Record<string, Pages>>): string | null {
  const said = Object.entries(lists).flatMap(([what, pages]) =>
    pages.kind === 'failure' && pages.beyond !== null ? [`its ${what} are left out: ${pages.beyond}`] : [],
  );
  return said.length === 0 ? null : `${name} runs, but ${said.join('; ')}.`;
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
      return beyond(parts, 'list_too_large', `it lists more than ${parts.limits.listItems} ${member}, its limit`);
    }
    items.push(...listed);
    cursor = parsed.data.nextCursor;
    if (cursor === undefined) return { kind: 'pages', items };
    if (seen.has(cursor)) return failure(parts, 'its pages go round in a circle');
    seen.add(cursor);
  }
  return beyond(parts, 'list_too_many_pages', `there is still a next page after ${parts.limits.listPages}, its limit`);
}

function notListed(answer: Exclude<Answer, { kind: 'result' }>, signal: AbortSignal, parts: ListingParts): NotListed {
  if (signal.aborted) return { ...failure(parts, 'it did not answer in time'), errorClass: 'upstream_timeout' };
  switch (answer.kind) {
    case 'error':
      return failure(parts, `it answered with error ${answer.code}`);
    case 'cut':
      return answer.why === 'too_large'
        ? beyond(
            parts,
            'message_too_large',
            `a page of it is a message of more than ${sizeInWords(parts.limits.messageBytes)}, its limit`,
          )
        : failure(parts, CUTS[answer.why]);
    case 'threw': {
      const fault = faultOf(answer.error, parts.url);
      if (fault.failure !== undefined) return { ...fault.failure, beyond: null };
      const found = failure(parts, `it ${fault.words}`);
      return fault.errorClass === 'auth_required' ? { ...found, errorClass: 'auth_required', retry: 'never' } : found;
    }
  }
}

type NotListed = Extract<Pages, Failure>;

function failure({ name, url }: ListingParts, why: string): NotListed {
  const message = `${name} was started, but its tools could not be listed: ${why}.`;
  const retry = url === null ? 'bounded' : 'patient';
  return { kind: 'failure', errorClass: 'upstream_unreachable', message, retry, beyond: null };
}

/** Another start would find the same list. */
function beyond(
  parts: ListingParts,
  errorClass: 'list_too_large' | 'list_too_many_pages' | 'message_too_large',
  why: string,
): NotListed {
  return { ...failure(parts, why), errorClass, retry: 'never', beyond: why };
}

const pageSchema = z.looseObject({ nextCursor: z.string().optional() });

const CUTS = {
  stream_ended: 'it ended its answer before the list was complete',
  ended: 'it ended before it answered',
} as const;
