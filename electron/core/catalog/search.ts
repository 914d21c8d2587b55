import {
  createSegment,
  documentOf,
  FIELDS,
  fieldOf,
  type SearchDocument,
  type Segment,
  VERB_CLASSES_OF,
} from './search-segment.ts';
import { wordsOf } from './search-text.ts';
import { STOP_WORDS, SYNONYMS } from './search-words.ts';
import { stem } from './stem.ts';

export interface Hit {
  readonly index: number;
  /** Comparable within one answer only. */
  readonly score: number;
}

export interface SegmentHit extends Hit {
  /** Place of the segment in the list that was searched. */
  readonly segment: number;
}

/** Ranks tools for what an agent says it wants to do. Pure: neither reads nor keeps anything outside. */
export function buildSearch(
  tools: readonly SearchDocument[],
  weights: Weights = WEIGHTS,
): (query: string, limit: number) => readonly Hit[] {
  const segments = [createSegment(tools)];
  return (query, limit) => searchIn(segments, query, limit, weights);
}

/**
 * BM25F over six fields (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009), where a word and its
 * synonyms count as one, the best of them; then the best few are weighed again by how much of the tool's name the query
 * covers and by whether the tool does what the query's verb says. Best first, ties in the order given.
 */
export function searchIn(
  segments: readonly Segment[],
  query: string,
  limit: number,
  weights: Weights = WEIGHTS,
): readonly SegmentHit[] {
  const look = lookIn(segments);
  const concepts = conceptsOf(query, weights);
  const wanted = verbsOf(query);
  const covers = coverageBy(concepts, (term) => look(term).rarity);
  const best = bestOf(scoresIn(segments, concepts, look, weights), Math.max(limit, RECONSIDERED));
  return placesIn(segments, best)
    .map((hit) => {
      const traits = segments[hit.segment]?.documents[hit.index];
      if (!traits) return hit;
      const names = weights.nameCovered * covers(traits.name) + weights.upstreamCovered * covers(traits.upstream);
      return { ...hit, score: hit.score * (1 + names + verbFit(wanted, traits.verbs, weights)) };
    })
    .sort((a, b) => b.score - a.score || a.segment - b.segment || a.index - b.index)
    .slice(0, Math.max(0, limit));
}

export interface Weights {
  /** By field, as in FIELDS: what one occurrence counts, and how much longer texts count less (0 to 1). */
  readonly field: readonly number[];
  readonly length: readonly number[];
  /** How soon more occurrences stop counting. */
  readonly saturation: number;
  readonly synonym: number;
  /** Quoted values, URLs, addresses and placeholders: they are arguments, rarely about the tool. */
  readonly quoted: number;
  /** Words with digits, such as ids. */
  readonly withDigits: number;
  /** Two words written as one: `sendemail`. */
  readonly joined: number;
  /** Words after the first dozen: agents say what they want first. */
  readonly late: number;
  readonly stopWord: number;
  readonly nameCovered: number;
  readonly upstreamCovered: number;
  readonly sameVerb: number;
  readonly otherVerb: number;
}

/** Found on the open half of the evaluation set. */
export const WEIGHTS: Weights = {
  field: [2, 1.4, 1.7, 0.7, 0.35, 0.4],
  length: [0.15, 0.4, 0.5, 0.6, 0.6, 0.6],
  saturation: 0.75,
  synonym: 0.42,
  quoted: 0.15,
  withDigits: 0.3,
  joined: 0.5,
  late: 0.42,
  stopWord: 0.18,
  nameCovered: 0.6,
  upstreamCovered: 0.15,
  sameVerb: 0.07,
  otherVerb: 0.15,
};

/** Hits that are weighed again. */
const RECONSIDERED = 100;
/** Words of a query at full weight. */
const EARLY_WORDS = 12;

/** One thing the query speaks of: a word and what means much the same. */
interface Concept {
  readonly weight: number;
  readonly terms: readonly { readonly term: string; readonly weight: number }[];
}

/** A score for every document of all segments, one after the other: for each concept its best term. */
function scoresIn(
  segments: readonly Segment[],
  concepts: readonly Concept[],
  look: (term: string) => Looked,
  weights: Weights,
): Float64Array {
  const averages = averagesOf(segments);
  const size = sizeOf(segments);
  const scores = new Float64Array(size);
  const best = new Float64Array(size);
  for (const concept of concepts) {
    const met: number[] = [];
    for (const { term, weight } of concept.terms) {
      const { rarity, parts } = look(term);
      const worth = concept.weight * weight * rarity * (1 + weights.saturation);
      for (const { entries, lengths, offset } of parts) {
        for (let i = 0; i < entries.length; ) {
          const document = documentOf(entries[i]!);
          let often = 0;
          for (; i < entries.length && documentOf(entries[i]!) === document; i += 2) {
            const field = fieldOf(entries[i]!);
            const b = weights.length[field]!;
            const length = lengths[document * FIELDS.length + field]! / averages[field]!;
            often += (weights.field[field]! * entries[i + 1]!) / (1 - b + b * length);
          }
          const score = (worth * often) / (weights.saturation + often);
          if (best[offset + document] === 0) met.push(offset + document);
          if (score > best[offset + document]!) best[offset + document] = score;
        }
      }
    }
    for (const document of met) {
      scores[document]! += best[document]!;
      best[document] = 0;
    }
  }
  return scores;
}

/** The best `count` of the scored documents, in their order, ties beyond the count included. */
function bestOf(scores: Float64Array, count: number): readonly { readonly document: number; readonly score: number }[] {
  const sorted = scores.filter((score) => score > 0).sort();
  const least = sorted[Math.max(0, sorted.length - count)] ?? Number.POSITIVE_INFINITY;
  const best: { readonly document: number; readonly score: number }[] = [];
  for (let document = 0; document < scores.length; document += 1) {
    if (scores[document]! >= least) best.push({ document, score: scores[document]! });
  }
  return best;
}

/** From places in one long row to segment and index; `best` is in the row's order. */
function placesIn(
  segments: readonly Segment[],
  best: readonly { readonly document: number; readonly score: number }[],
): readonly SegmentHit[] {
  let segment = 0;
  let offset = 0;
  return best.map(({ document, score }) => {
    while (document >= offset + (segments[segment]?.size ?? Number.POSITIVE_INFINITY)) {
      offset += segments[segment]?.size ?? 0;
      segment += 1;
    }
    return { segment, index: document - offset, score };
  });
}

const sizeOf = (segments: readonly Segment[]): number => segments.reduce((sum, { size }) => sum + size, 0);

function averagesOf(segments: readonly Segment[]): readonly number[] {
  const size = Math.max(1, sizeOf(segments));
  return FIELDS.map((_, field) =>
    Math.max(1, segments.reduce((sum, { totals }) => sum + (totals[field] ?? 0), 0) / size),
  );
}

/** What all segments know of one term. */
interface Looked {
  /** How much it says that the term is met: inverse document frequency, 0 for unknown terms. */
  readonly rarity: number;
  readonly parts: readonly {
    readonly entries: readonly number[];
    readonly lengths: Uint16Array;
    readonly offset: number;
  }[];
}

/** Looks every term up once. */
function lookIn(segments: readonly Segment[]): (term: string) => Looked {
  const size = sizeOf(segments);
  const known = new Map<string, Looked>();
  return (term) => {
    const before = known.get(term);
    if (before) return before;
    const parts: { entries: readonly number[]; lengths: Uint16Array; offset: number }[] = [];
    let found = 0;
    let offset = 0;
    for (const segment of segments) {
      const posting = segment.postings.get(term);
      if (posting) {
        found += posting.documents;
        parts.push({ entries: posting.entries, lengths: segment.lengths, offset });
      }
      offset += segment.size;
    }
    const looked = { rarity: found === 0 ? 0 : Math.log(1 + (size - found + 0.5) / (found + 0.5)), parts };
    known.set(term, looked);
    return looked;
  };
}

/** How much of a name the query speaks of, 0 to 1, rare terms counting more. */
function coverageBy(
  concepts: readonly Concept[],
  rarity: (term: string) => number,
): (terms: readonly string[]) => number {
  const covered = new Map<string, number>();
  for (const concept of concepts) {
    // A word at half its weight still says that the name was meant; an argument or a stop word hardly does.
    const covers = Math.min(1, concept.weight * 1.5);
    for (const { term } of concept.terms) covered.set(term, Math.max(covered.get(term) ?? 0, covers));
  }
  return (terms) => {
    let all = 0;
    let met = 0;
    for (const term of terms) {
      all += rarity(term);
      met += rarity(term) * (covered.get(term) ?? 0);
    }
    return all === 0 ? 0 : met / all;
  };
}

function verbFit(wanted: ReadonlySet<string>, does: ReadonlySet<string>, weights: Weights): number {
  if (wanted.size === 0 || does.size === 0) return 0;
  return [...wanted].some((verb) => does.has(verb)) ? weights.sameVerb : -weights.otherVerb;
}

function conceptsOf(query: string, weights: Weights): readonly Concept[] {
  const found = new Map<string, number>();
  const add = (term: string, weight: number) => found.set(term, Math.max(found.get(term) ?? 0, weight));
  let position = 0;
  for (const { text, weight } of piecesOf(query, weights)) {
    let previous = '';
    for (const word of wordsOf(text)) {
      position += 1;
      const here = weight * (position > EARLY_WORDS ? weights.late : 1);
      const odd = word.length > 4 && /\d/.test(word) ? weights.withDigits : 1;
      add(stem(word), STOP_WORDS.has(word) ? weight * weights.stopWord : here * odd);
      if (previous !== '') add(previous + word, here * weights.joined);
      previous = word;
    }
  }
  return [...found].map(([term, weight]) => ({
    weight,
    terms: [
      { term, weight: 1 },
      ...(SYNONYMS_OF.get(term) ?? []).map((synonym) => ({ term: synonym, weight: weights.synonym })),
    ],
  }));
}

/** The query cut into what is said and what is only a value. */
function piecesOf(query: string, weights: Weights): readonly { readonly text: string; readonly weight: number }[] {
  const pieces: { readonly text: string; readonly weight: number }[] = [];
  let end = 0;
  for (const { 0: value, index } of query.matchAll(VALUES)) {
    pieces.push({ text: query.slice(end, index), weight: 1 }, { text: value, weight: weights.quoted });
    end = index + value.length;
  }
  return [...pieces, { text: query.slice(end), weight: 1 }];
}

const VALUES =
  /"[^"]{1,400}"|“[^”]{1,400}”|(?<![\p{L}\p{N}])'[^']{1,400}'(?![\p{L}\p{N}])|`[^`]{1,400}`|<[^<>]{1,100}>|https?:\/\/\S{1,400}|[\w.+-]{1,64}@[\w-]{1,64}\.[\w.]{1,64}/gu;

/** Classes of the first verb. */
function verbsOf(query: string): ReadonlySet<string> {
  for (const word of wordsOf(query)) {
    const classes = VERB_CLASSES_OF.get(stem(word));
    if (classes) return new Set(classes);
  }
  return new Set();
}

const SYNONYMS_OF: ReadonlyMap<string, readonly string[]> = (() => {
  const groups = SYNONYMS.map((group) => [...new Set(group.split(' ').map(stem))]);
  const of = new Map<string, ReadonlySet<string>>();
  for (const group of groups) {
    for (const term of group) of.set(term, new Set([...(of.get(term) ?? []), ...group]));
  }
  return new Map([...of].map(([term, all]) => [term, [...all].filter((other) => other !== term)]));
})();
