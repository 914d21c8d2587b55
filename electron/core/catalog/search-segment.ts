import { firstSentence, pairsOf, parametersOf, wordsOf } from './search-text.ts';
import { VERB_CLASSES } from './search-words.ts';
import { stem } from './stem.ts';

/** One tool as it is searched. */
export interface SearchDocument {
  /** The person's label of the upstream. */
  readonly upstream: string;
  readonly name: string;
  readonly title?: string;
  readonly description: string;
  readonly inputSchema: unknown;
}

/**
 * The searchable form of some tools, one per upstream: several are searched as if they were one, so a changed upstream
 * costs no more than itself, and what a client may not see does not touch its ranking.
 */
export interface Segment {
  readonly size: number;
  /** Terms in all documents, by field. */
  readonly totals: readonly number[];
  /** Terms, by document and field. */
  readonly lengths: Uint16Array;
  readonly postings: ReadonlyMap<string, Posting>;
  readonly documents: readonly Traits[];
}

/** Where a term occurs. */
export interface Posting {
  readonly documents: number;
  /** By document, ascending, then by field: a place, how often, and so on. */
  readonly entries: readonly number[];
}

export function createSegment(tools: readonly SearchDocument[]): Segment {
  const postings = new Map<string, { documents: number; readonly entries: number[] }>();
  const totals = FIELDS.map(() => 0);
  const lengths = new Uint16Array(tools.length * FIELDS.length);
  const stemOnce = remembered(stem);
  const documents = tools.map((tool, index) => {
    const { terms, traits } = analyse(tool, stemOnce);
    for (const [field, list] of terms.entries()) {
      for (const [term, count] of countsOf(list)) {
        const posting = postings.get(term) ?? { documents: 0, entries: [] };
        if (posting.documents === 0) postings.set(term, posting);
        if (documentOf(posting.entries.at(-2) ?? -1) !== index) posting.documents += 1;
        posting.entries.push(index * 8 + field, count);
      }
      totals[field] = (totals[field] ?? 0) + list.length;
      lengths[index * FIELDS.length + field] = Math.min(list.length, 0xffff);
    }
    return traits;
  });
  return { size: tools.length, totals, lengths, postings, documents };
}

export const FIELDS = ['upstream', 'name', 'first sentence', 'rest', 'parameter names', 'parameter texts'] as const;

/** A place is a document and a field in one number. */
export const documentOf = (place: number): number => place >> 3;
export const fieldOf = (place: number): number => place & 7;

/** What of a tool is looked at once it is a hit. */
export interface Traits {
  /** Terms of the name that do not merely repeat the upstream's. */
  readonly name: readonly string[];
  readonly upstream: readonly string[];
  readonly verbs: ReadonlySet<string>;
}

/** Verb classes by stem. */
export const VERB_CLASSES_OF: ReadonlyMap<string, readonly string[]> = (() => {
  const of = new Map<string, readonly string[]>();
  for (const [name, verbs] of Object.entries(VERB_CLASSES)) {
    for (const verb of verbs.split(' ')) of.set(stem(verb), [...(of.get(stem(verb)) ?? []), name]);
  }
  return of;
})();

function analyse(
  tool: SearchDocument,
  stemOf: (word: string) => string,
): { readonly terms: readonly (readonly string[])[]; readonly traits: Traits } {
  const upstream = wordsOf(tool.upstream);
  const name = wordsOf(tool.name);
  const [first, rest] = firstSentence(tool.description);
  const parameters = parametersOf(tool.inputSchema);
  const stems = (text: string): readonly string[] => wordsOf(text).map(stemOf);
  const nameTerms = name.map(stemOf);
  const upstreamTerms = upstream.map(stemOf);
  return {
    terms: [
      [...upstreamTerms, ...pairsOf(upstream)],
      [...nameTerms, ...pairsOf(name)],
      [...stems(tool.title ?? ''), ...stems(first)],
      stems(rest),
      parameters.names.flatMap(stems),
      parameters.texts.flatMap(stems),
    ],
    traits: {
      name: [...new Set(nameTerms)].filter((term) => !upstreamTerms.includes(term)),
      upstream: [...new Set(upstreamTerms)],
      verbs: new Set(nameTerms.flatMap((term) => VERB_CLASSES_OF.get(term) ?? [])),
    },
  };
}

/** The same words come again and again in the tools of one upstream. */
function remembered(of: (word: string) => string): (word: string) => string {
  const known = new Map<string, string>();
  return (word) => {
    const before = known.get(word);
    if (before !== undefined) return before;
    const made = of(word);
    known.set(word, made);
    return made;
  };
}

function countsOf(terms: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const term of terms) counts.set(term, (counts.get(term) ?? 0) + 1);
  return counts;
}
