import { STOP_WORDS, SYNONYMS, VERB_CLASSES } from './search-words.ts';
import { stem } from './stem.ts';

/** One tool as it is searched. `upstream` is the person's label. */
export interface SearchDocument {
  readonly upstream: string;
  readonly name: string;
  readonly title?: string;
  readonly description: string;
  readonly inputSchema: unknown;
}

export interface Hit {
  readonly index: number;
  readonly score: number;
}

export interface SegmentHit extends Hit {
  /** Place of the segment in the list that was searched. */
  readonly segment: number;
}

export const FIELDS = ['upstream', 'name', 'first', 'rest', 'parameters', 'parameterTexts'] as const;

export interface Weights {
  readonly field: readonly number[];
  readonly length: readonly number[];
  readonly k1: number;
  readonly synonym: number;
  readonly quoted: number;
  readonly odd: number;
  readonly joined: number;
  readonly decay: number;
  readonly decayFrom: number;
  readonly coverage: number;
  readonly coveragePower: number;
  readonly synonymCovers: number;
  readonly verbSame: number;
  readonly verbOther: number;
  readonly upstreamCoverage: number;
  readonly queryCoverage: number;
  readonly afterColon: number;
  readonly stopWord: number;
}

export const WEIGHTS: Weights = {
  field: [2, 4, 2, 1, 0.8, 0.4],
  length: [0.3, 0.4, 0.5, 0.6, 0.6, 0.6],
  k1: 1.5,
  synonym: 0.5,
  quoted: 0.3,
  odd: 0.3,
  joined: 1,
  decay: 0.5,
  decayFrom: 12,
  coverage: 0.5,
  coveragePower: 1,
  synonymCovers: 0.7,
  verbSame: 0.1,
  verbOther: 0.1,
  upstreamCoverage: 0.1,
  queryCoverage: 0.2,
  afterColon: 1,
  stopWord: 0,
};

/** The searchable form of some tools; segments are searched together as if they were one. */
export interface Segment {
  readonly size: number;
  /** Sum of lengths by field. */
  readonly totals: readonly number[];
  /** Lengths by document and field. */
  readonly lengths: Uint16Array;
  /** By term: document * 8 + field, then how often, and so on; documents ascending. */
  readonly postings: ReadonlyMap<string, readonly number[]>;
  readonly documents: readonly Analysed[];
}

interface Analysed {
  readonly nameTerms: readonly string[];
  readonly upstreamTerms: readonly string[];
  readonly verbs: ReadonlySet<string>;
}

export function buildSearch(
  tools: readonly SearchDocument[],
  weights: Weights = WEIGHTS,
): (query: string, limit: number) => readonly Hit[] {
  const segments = [createSegment(tools)];
  return (query, limit) => searchIn(segments, query, limit, weights);
}

export function createSegment(tools: readonly SearchDocument[]): Segment {
  const postings = new Map<string, number[]>();
  const totals = FIELDS.map(() => 0);
  const lengths = new Uint16Array(tools.length * FIELDS.length);
  const documents = tools.map((tool, index) => {
    const upstream = wordsOf(tool.upstream).map(stem);
    const nameWords = wordsOf(tool.name);
    const name = nameWords.map(stem);
    const [first, rest] = splitDescription(tool.description);
    const parameters: string[] = [];
    const parameterTexts: string[] = [];
    collectParameters(tool.inputSchema, parameters, parameterTexts, 4);
    const fields: readonly (readonly string[])[] = [
      [...upstream, ...joinedOf(wordsOf(tool.upstream))],
      [...name, ...joinedOf(nameWords)],
      [...wordsOf(tool.title ?? ''), ...wordsOf(first)].map(stem),
      wordsOf(rest).map(stem),
      parameters.flatMap(wordsOf).map(stem),
      parameterTexts.flatMap(wordsOf).map(stem),
    ];
    for (const [field, terms] of fields.entries()) {
      const counts = new Map<string, number>();
      for (const term of terms) counts.set(term, (counts.get(term) ?? 0) + 1);
      for (const [term, count] of counts) {
        const list = postings.get(term);
        if (list) list.push(index * 8 + field, count);
        else postings.set(term, [index * 8 + field, count]);
      }
      totals[field]! += terms.length;
      lengths[index * FIELDS.length + field] = Math.min(terms.length, 0xffff);
    }
    return {
      nameTerms: [...new Set(name)].filter((term) => !upstream.includes(term)),
      upstreamTerms: [...new Set(upstream)],
      verbs: new Set(nameWords.flatMap((word) => VERB_OF.get(stem(word)) ?? [])),
    };
  });
  return { size: tools.length, totals, lengths, postings, documents };
}

export function searchIn(
  segments: readonly Segment[],
  query: string,
  limit: number,
  weights: Weights = WEIGHTS,
): readonly SegmentHit[] {
  const size = segments.reduce((sum, segment) => sum + segment.size, 0);
  if (size === 0 || limit <= 0) return [];
  const averages = FIELDS.map((_, field) =>
    Math.max(1, segments.reduce((sum, segment) => sum + segment.totals[field]!, 0) / size),
  );
  const idfs = new Map<string, number>();
  const idf = (term: string): number => {
    let known = idfs.get(term);
    if (known === undefined) {
      let found = 0;
      for (const segment of segments) found += documentsWith(segment.postings.get(term));
      known = found === 0 ? 0 : Math.log(1 + (size - found + 0.5) / (found + 0.5));
      idfs.set(term, known);
    }
    return known;
  };
  const concepts = conceptsOf(query, weights);
  const verbs = verbsOf(query);
  const total = concepts.reduce(
    (sum, concept) => sum + concept.weight * Math.max(...concept.terms.map((t) => idf(t.term))),
    0,
  );
  const hits: SegmentHit[] = [];
  for (const [at, segment] of segments.entries()) {
    const scores = new Float64Array(segment.size);
    const best = new Float64Array(segment.size);
    const matched = new Map<number, Map<string, number>>();
    for (const concept of concepts) {
      best.fill(0);
      const touched: number[] = [];
      for (const { term, weight } of concept.terms) {
        const list = segment.postings.get(term);
        if (!list) continue;
        const worth = concept.weight * weight * idf(term);
        let i = 0;
        while (i < list.length) {
          const document = list[i]! >> 3;
          let frequency = 0;
          while (i < list.length && list[i]! >> 3 === document) {
            const field = list[i]! & 7;
            const b = weights.length[field]!;
            frequency +=
              (weights.field[field]! * list[i + 1]!) /
              (1 - b + (b * segment.lengths[document * FIELDS.length + field]!) / averages[field]!);
            i += 2;
          }
          const score = (worth * frequency * (1 + weights.k1)) / (weights.k1 + frequency);
          if (best[document] === 0) touched.push(document);
          if (score > best[document]!) best[document] = score;
        }
      }
      for (const document of touched) scores[document]! += best[document]!;
    }
    void matched;
    for (let document = 0; document < segment.size; document += 1) {
      if (scores[document]! > 0) hits.push({ segment: at, index: document, score: scores[document]! });
    }
  }
  hits.sort((a, b) => b.score - a.score);
  const covered = new Map<string, number>();
  for (const concept of concepts) {
    for (const { term, weight } of concept.terms) {
      const covers = (weight < 1 ? weights.synonymCovers : 1) * Math.min(1, concept.weight * 1.5);
      covered.set(term, Math.max(covered.get(term) ?? 0, covers));
    }
  }
  const coverageOf = (terms: readonly string[]): number => {
    let all = 0;
    let got = 0;
    for (const term of terms) {
      const worth = idf(term);
      all += worth;
      got += worth * (covered.get(term) ?? 0);
    }
    return all === 0 ? 0 : got / all;
  };
  const top = hits.slice(0, Math.max(limit, 300)).map((hit) => {
    const { nameTerms, upstreamTerms, verbs: does } = segments[hit.segment]!.documents[hit.index]!;
    let factor = 1;
    factor += weights.coverage * coverageOf(nameTerms) ** weights.coveragePower;
    factor += weights.upstreamCoverage * coverageOf(upstreamTerms);
    if (verbs.size > 0 && does.size > 0) {
      factor += [...verbs].some((verb) => does.has(verb)) ? weights.verbSame : -weights.verbOther;
    }
    return { ...hit, score: (hit.score * factor) / (total || 1) };
  });
  top.sort((a, b) => b.score - a.score || a.segment - b.segment || a.index - b.index);
  return top.slice(0, limit);
}

interface Concept {
  readonly weight: number;
  readonly terms: readonly { readonly term: string; readonly weight: number }[];
}

function conceptsOf(query: string, weights: Weights): readonly Concept[] {
  const found = new Map<string, number>();
  const add = (word: string, weight: number) => {
    const term = stem(word);
    found.set(term, Math.max(found.get(term) ?? 0, weight));
  };
  let position = 0;
  for (const { text, weight } of piecesOf(query, weights)) {
    const words = wordsOf(text);
    let previous: string | null = null;
    for (const word of words) {
      position += 1;
      const late = position > weights.decayFrom ? weights.decay : 1;
      const odd = /\d/.test(word) && word.length > 4 ? weights.odd : 1;
      if (!STOP_WORDS.has(word)) add(word, weight * late * odd);
      else if (weights.stopWord > 0) add(word, weight * weights.stopWord);
      if (previous !== null)
        found.set(previous + word, Math.max(found.get(previous + word) ?? 0, weight * weights.joined * late));
      previous = word;
    }
  }
  return [...found].map(([term, weight]) => ({
    weight,
    terms: [
      { term, weight: 1 },
      ...(SYNONYMS_OF.get(term) ?? []).map((other) => ({ term: other, weight: weights.synonym })),
    ],
  }));
}

function piecesOf(query: string, weights: Weights): readonly { readonly text: string; readonly weight: number }[] {
  const pieces: { text: string; weight: number }[] = [];
  let last = 0;
  const ODD =
    /"[^"]{1,400}"|“[^”]{1,400}”|(?<![\p{L}\p{N}])'[^']{1,400}'(?![\p{L}\p{N}])|`[^`]{1,400}`|<[^<>]{1,100}>|https?:\/\/\S+|\S+@\S+\.\S+/gu;
  for (const match of query.matchAll(ODD)) {
    pieces.push({ text: query.slice(last, match.index), weight: 1 });
    pieces.push({ text: match[0], weight: weights.quoted });
    last = match.index + match[0].length;
  }
  pieces.push({ text: query.slice(last), weight: 1 });
  return pieces;
}

function verbsOf(query: string): ReadonlySet<string> {
  for (const word of wordsOf(query)) {
    const classes = VERB_OF.get(stem(word));
    if (classes) return new Set(classes);
  }
  return new Set();
}

function wordsOf(text: string): readonly string[] {
  return (
    text
      .replace(/([\p{Ll}\d])(\p{Lu})/gu, '$1 $2')
      .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? []
  );
}

function joinedOf(words: readonly string[]): readonly string[] {
  const joined: string[] = [];
  for (let i = 0; i + 1 < words.length; i += 1) joined.push(words[i]! + words[i + 1]!);
  return joined;
}

function splitDescription(text: string): readonly [string, string] {
  const end = /[.!?](?=\s)|\n\s*\n|\n/.exec(text);
  return end ? [text.slice(0, end.index), text.slice(end.index)] : [text, ''];
}

function collectParameters(schema: unknown, names: string[], texts: string[], depth: number): void {
  if (depth === 0 || typeof schema !== 'object' || schema === null) return;
  const { properties, items, anyOf, oneOf, allOf } = schema as Record<string, unknown>;
  if (typeof properties === 'object' && properties !== null) {
    for (const [name, property] of Object.entries(properties)) {
      names.push(name);
      if (typeof property !== 'object' || property === null) continue;
      const { description, enum: values } = property as Record<string, unknown>;
      if (typeof description === 'string') texts.push(description);
      if (Array.isArray(values))
        for (const value of values.slice(0, 50)) if (typeof value === 'string') texts.push(value);
      collectParameters(property, names, texts, depth - 1);
    }
  }
  collectParameters(items, names, texts, depth - 1);
  for (const list of [anyOf, oneOf, allOf])
    if (Array.isArray(list)) for (const item of list) collectParameters(item, names, texts, depth - 1);
}

function documentsWith(list: readonly number[] | undefined): number {
  if (!list) return 0;
  let count = 0;
  let last = -1;
  for (let i = 0; i < list.length; i += 2) {
    const document = list[i]! >> 3;
    if (document !== last) count += 1;
    last = document;
  }
  return count;
}

const SYNONYMS_OF: ReadonlyMap<string, readonly string[]> = (() => {
  const of = new Map<string, Set<string>>();
  for (const group of SYNONYMS) {
    const terms = [...new Set(group.split(' ').map(stem))];
    for (const term of terms) {
      const set = of.get(term) ?? new Set<string>();
      for (const other of terms) if (other !== term) set.add(other);
      of.set(term, set);
    }
  }
  return new Map([...of].map(([term, set]) => [term, [...set]]));
})();

const VERB_OF: ReadonlyMap<string, readonly string[]> = (() => {
  const of = new Map<string, string[]>();
  for (const [name, verbs] of Object.entries(VERB_CLASSES)) {
    for (const verb of verbs.split(' ')) {
      const list = of.get(stem(verb)) ?? [];
      list.push(name);
      of.set(stem(verb), list);
    }
  }
  return of;
})();
